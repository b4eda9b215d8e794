"""Timestamps as stations write them.

Most send RFC 3339. Some leave out the zone (then it is UTC), the seconds' fraction has one to nine
digits, and clocks that were never set say 1970. What cannot be read at all is refused: the ``ocpp``
library lets "yesterday" through.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

PATTERN = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?([Zz]|[+-]\d\d:?\d\d|[+-]\d\d)?"
)
# No instant is written longer.
LONGEST = 40


def read(text: str) -> datetime:
    """The instant in UTC; ValueError when it is none."""
    text = text.strip()
    if len(text) > LONGEST:
        raise ValueError("not a date and time")
    return read_plain(text)


# A message is checked before it is read.
@lru_cache(maxsize=1024)
def read_plain(text: str) -> datetime:
    match = PATTERN.fullmatch(text)
    if match is None:
        raise ValueError("not a date and time")
    date, time, fraction, zone = match.groups()
    micros = (fraction or "0")[:6].ljust(6, "0")
    if zone is None or zone in "Zz":
        zone = "+00:00"
    moment = datetime.fromisoformat(f"{date}T{time}.{micros}{zone}")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("not a date and time") from None


def readable(text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def write(moment: datetime) -> str:
    """As OCPP writes it: UTC, milliseconds, ``Z``. Some stations cannot read more digits."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
