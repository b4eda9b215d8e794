"""What was found: findings by requirement, for people and for programs."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hub.conformance.checks import Check, Outcome, Weight
from hub.conformance.subject import Subject

PAGE = "docs/conformance.md"
LONGEST_LINE = 300


@dataclass(frozen=True)
class Finding:
    """One rule that the platform breaks; ``times`` is how often it was seen to."""

    ids: tuple[str, ...]
    weight: Weight
    expected: str
    request: str
    got: str
    mend: str
    times: int

    def as_json(self) -> dict[str, Any]:
        return {
            "requirements": list(self.ids),
            "weight": str(self.weight),
            "expected": self.expected,
            "request": self.request or None,
            "got": self.got,
            "mend": self.mend,
            "times": self.times,
        }

    def told(self) -> Iterator[str]:
        yield f"{self.weight.upper():6} {' '.join(self.ids)}: {self.expected}"
        if self.request:
            yield f"       asked  {self.request}"
        more = f" (and {self.times - 1} more)" if self.times > 1 else ""
        yield f"       got    {self.got}{more}"
        yield f"       mend   {self.mend}"


@dataclass(frozen=True)
class Report:
    """``version`` is the one that was examined, ``wrote`` whether anything was sent to it."""

    subject: Subject
    wrote: bool
    outcomes: list[Outcome]

    @cached_property
    def findings(self) -> list[Finding]:
        """What must be mended first; within that in the order in which it was found."""
        found = [one for outcome in self.outcomes for one in findings_of(outcome)]
        return sorted(found, key=lambda one: one.weight is not Weight.MUST)

    @property
    def passed(self) -> list[Check]:
        return [one.check for one in self.outcomes if not one.faults and not one.skipped]

    @property
    def skipped(self) -> list[Outcome]:
        return [one for one in self.outcomes if one.skipped]

    def failed(self, *, strict: bool) -> bool:
        return any(strict or one.weight is Weight.MUST for one in self.findings)

    def as_json(self) -> dict[str, Any]:
        return {
            "versions_url": self.subject.versions_url,
            "version": self.subject.number,
            "wrote": self.wrote,
            "findings": [one.as_json() for one in self.findings],
            "passed": [
                {"requirements": list(one.ids), "expected": one.title} for one in self.passed
            ],
            "not_checked": [
                {
                    "requirements": list(one.check.ids),
                    "expected": one.check.title,
                    "why": one.skipped,
                }
                for one in self.skipped
            ],
        }

    def told(self) -> Iterator[str]:
        how = "with writing" if self.wrote else "reading only"
        yield f"{self.subject.versions_url}: OCPI {self.subject.number}, {how}"
        for finding in self.findings:
            yield ""
            yield from finding.told()
        if self.skipped:
            yield ""
        for one in self.skipped:
            yield f"not checked: {' '.join(one.check.ids)}: {one.check.title} ({one.skipped})"
        must = sum(one.weight is Weight.MUST for one in self.findings)
        yield ""
        yield (
            f"checks passed: {len(self.passed)}, rules broken: {must}, "
            f"advice: {len(self.findings) - must}, not checked: {len(self.skipped)}"
        )


def findings_of(outcome: Outcome) -> Iterator[Finding]:
    """The faults of a check by the rule they break: the first of each, and how many there are."""
    check = outcome.check
    for ids in dict.fromkeys(fault.ids or check.ids for fault in outcome.faults):
        same = [fault for fault in outcome.faults if (fault.ids or check.ids) == ids]
        first = same[0]
        exchange = first.exchange
        yield Finding(
            ids=ids,
            weight=check.weight,
            expected=check.title,
            request=exchange.request if exchange else "",
            got=(first.got or (exchange.told if exchange else ""))[:LONGEST_LINE],
            mend=first.mend,
            times=len(same),
        )
