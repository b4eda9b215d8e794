"""Where power or current crosses a limit of the tariff, a charging period begins (CDR-09). Pure.

A station tells a value now and then; when it crossed a limit in between is taken to lie on the
straight line between two readings. A band between two limits that was passed on the way becomes a
period, too: its energy has a price of its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

# What may be limited, with the members of TariffRestrictions that do it.
LIMITED = {"power": ("min_power", "max_power"), "current": ("min_current", "max_current")}


@dataclass(frozen=True)
class Limits:
    """In kW and A, ascending."""

    power: tuple[Decimal, ...] = ()
    current: tuple[Decimal, ...] = ()


NONE = Limits()


def limits_of(tariffs: Iterable[Mapping[str, Any]]) -> Limits:
    """The limits at which one of the tariffs changes its price."""
    elements = [element for tariff in tariffs for element in tariff.get("elements") or ()]
    return limits_within(element.get("restrictions") for element in elements)


def limits_within(restrictions: Iterable[Mapping[str, Any] | None]) -> Limits:
    """The limits that are among the restrictions of elements, which may have none."""
    found: dict[str, set[Decimal]] = {name: set() for name in LIMITED}
    for one in restrictions:
        for name, members in LIMITED.items():
            values = (one.get(member) for member in members) if one else ()
            found[name] |= {Decimal(str(value)) for value in values if value is not None}
    return Limits(*(tuple(sorted(found[name])) for name in LIMITED))


def crossings(
    limits: Iterable[Decimal], before: Decimal, after: Decimal, since: datetime, at: datetime
) -> list[tuple[datetime, Decimal]]:
    """When each limit was crossed, and the least value of the band that began there."""
    crossed = [limit for limit in limits if (before >= limit) is not (after >= limit)]
    rising = after > before
    crossed.sort(reverse=not rising)
    seconds = Decimal(str((at - since).total_seconds()))
    found = []
    for place, limit in enumerate(crossed):
        passed = int(seconds * (limit - before) / (after - before))
        # Going down, the band below a limit reaches down to the next one.
        last = place + 1 == len(crossed)
        least = limit if rising else (after if last else crossed[place + 1])
        found.append((since + timedelta(seconds=passed), least))
    return found
