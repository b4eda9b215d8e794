"""Which prices of a tariff ever apply, and when none does: the part of ``lint`` that walks through
all cases.
"""

from collections.abc import Iterator, Sequence

from hub.roaming.pricing import coverage
from hub.roaming.pricing.components import Component, Dimension
from hub.roaming.pricing.findings import Finding, Level
from hub.roaming.pricing.tariffs import Element, Phase, Tariff

# Phases whose elements compete with each other.
KINDS: Sequence[Sequence[Phase]] = (
    (Phase.CHARGING,),
    (Phase.RESERVATION, Phase.EXPIRED, Phase.CANCELLED),
    (Phase.OVERTIME,),
)


def find(tariff: Tariff) -> Iterator[Finding]:
    for phases in KINDS:
        for dimension in Dimension:
            yield from of_dimension(tariff, phases, dimension)


def of_dimension(
    tariff: Tariff, phases: Sequence[Phase], dimension: Dimension
) -> Iterator[Finding]:
    """Components that never apply, and moments at which none does."""
    walks = []
    for phase in phases:
        found = coverage.walk(tariff.candidates[phase][dimension])
        if found is None:
            return
        walks.append(found)
    used = {part for found in walks for part in found.used}
    unmeasured = {part for found in walks for part in found.only_unmeasured}
    has_default = False
    for part, element in firsts(tariff, phases, dimension):
        if part not in used and possible(element):
            # A fallback that is never needed is what the text advises (PRICE-16).
            is_spare = not element.tests and not has_default
            yield Finding(
                Level.ADVICE if is_spare else Level.ERROR,
                "unreachable",
                f"The price for {dimension} never applies: earlier elements always do.",
                element.number,
            )
        elif part in unmeasured and not element.tests:
            yield Finding(
                Level.ADVICE,
                "only_unmeasured",
                f"The price for {dimension} applies only while current or power is not measured.",
                element.number,
            )
        has_default = has_default or not element.tests
    gap, candidates = walks[0].gap, tariff.candidates[phases[0]][dimension]
    if gap is not None and candidates and dimension is not Dimension.FLAT:
        yield Finding(
            Level.ADVICE,
            "no_fallback",
            f"{dimension} is free when no element matches, for example"
            f" {coverage.described(gap, candidates)}.",
        )


def firsts(
    tariff: Tariff, phases: Sequence[Phase], dimension: Dimension
) -> Iterator[tuple[Component, Element]]:
    """The first component of each element; a second one has been complained about already."""
    seen: set[int] = set()
    for phase in phases:
        for part, element, _ in tariff.candidates[phase][dimension]:
            if element.number not in seen:
                seen.add(element.number)
                yield part, element


def possible(element: Element) -> bool:
    """Could the element match at all, were it the only one?"""
    return not element.restrictions.contradictions and not element.restrictions.unknown
