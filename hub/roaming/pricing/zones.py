"""Local time at a location, for restrictions by time of day, date and day of the week.

A stretch of constant offset to UTC turns local time into arithmetic on integers. Where the clocks
change, a new stretch begins: an hour that comes twice is local time twice, one that is skipped is
never.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.roaming.pricing.quantities import DAY, EPOCH, Exact, Unreadable


@lru_cache(maxsize=512)
def zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Unreadable(f"{name[:60]!r} is not a time zone.") from None


def offset(name: str, second: int) -> int:
    moment = (EPOCH + timedelta(seconds=second)).astimezone(zone(name))
    difference = moment.utcoffset()
    assert difference is not None
    return difference.days * DAY + difference.seconds


@lru_cache(maxsize=8192)
def offsets(name: str, day: int) -> tuple[tuple[int, int], ...]:
    """The stretches that begin in one UTC day, as (first second, offset). Nearly always one.

    Zones change their offset at most once a day, which is what the search relies on.
    """
    first, last = day * DAY, day * DAY + DAY - 1
    try:
        before, after = offset(name, first), offset(name, last)
    except OverflowError:
        raise Unreadable("a date is beyond the calendar.") from None
    if before == after:
        return ((first, before),)
    low, high = first, last
    while high - low > 1:
        middle = (low + high) // 2
        if offset(name, middle) == before:
            low = middle
        else:
            high = middle
    return ((first, before), (high, after))


def offset_at(name: str, moment: Exact) -> int:
    stretches = offsets(name, int(moment // DAY))
    if len(stretches) > 1 and moment >= stretches[1][0]:
        return stretches[1][1]
    return stretches[0][1]


def is_steady(name: str, start: Exact, end: Exact) -> bool:
    """Is the offset the same all along, as seen from both ends? For less than a day."""
    first, last = int(start // DAY), int(end // DAY)
    stretches = offsets(name, first)
    if first == last:
        return len(stretches) == 1
    return (
        len(stretches) == len(offsets(name, last)) == 1
        and stretches[0][1] == (offsets(name, last)[0][1])
    )


def cuts(name: str, start: Exact, end: Exact, marks: tuple[int, ...]) -> Iterator[Exact]:
    """Instants between start and end at which a restriction by local time may change its answer.

    ``marks`` are seconds of the local day, ascending. A change of the offset is a cut as well.
    """
    previous: int | None = None
    for day in range(int(start // DAY), int(end // DAY) + 1):
        stretches = offsets(name, day)
        for number, (begin, shift) in enumerate(stretches):
            if previous is not None and shift != previous and start < begin < end:
                yield begin
            previous = shift
            is_last = number + 1 == len(stretches)
            until = (day + 1) * DAY if is_last else stretches[number + 1][0]
            yield from within(marks, shift, max(start, begin), min(end, until), start)


def within(
    marks: tuple[int, ...], shift: int, begin: Exact, until: Exact, start: Exact
) -> Iterator[Exact]:
    if begin >= until:
        return
    first_day = int((begin + shift) // DAY)
    last_day = int((until + shift) // DAY)
    for day in range(first_day, last_day + 1):
        for mark in marks:
            cut = day * DAY + mark - shift
            if begin <= cut < until and cut > start:
                yield cut
