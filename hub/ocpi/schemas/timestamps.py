"""How timestamps are written: by OCPI, and by partners.

``EXACT`` is OCPI's DateTime: RFC 3339 in UTC, at most 25 characters, the Z optional (TRANSPORT-93).
``TOLERANT`` also takes a blank or a small letter for the T, a numeric offset, one to nine decimals,
and the ``1970-1-1T00:00:00Z`` that OCPI itself prints for an unknown moment (TRANSPORT-94, AMB-38).
Impossible dates are refused in both: the 29th of February needs a leap year.
"""

from datetime import UTC, datetime

YEAR = r"(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
LEAP_YEAR = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
DATE = (
    rf"(?:{YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    rf"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{LEAP_YEAR}-02-29)"
)
TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
OFFSET = r"[+-](?:0[0-9]|1[0-4]):?[0-5][0-9]"

ONLY_DATE = rf"^{DATE}$"
EXACT = rf"^{DATE}T{TIME}(?:(?:\.[0-9]{{1,4}})?Z|(?:\.[0-9]{{1,5}})?)$"
UNKNOWN_MOMENT = "1970-1-1T00:00:00Z"
TOLERANT = rf"^(?:{DATE}[Tt ]{TIME}(?:\.[0-9]{{1,9}})?(?:[Zz]|{OFFSET})?|{UNKNOWN_MOMENT})$"


def in_utc(text: str) -> str:
    """A tolerated timestamp as OCPI writes it; fractions are cut to milliseconds, not rounded."""
    if text == UNKNOWN_MOMENT:
        return "1970-01-01T00:00:00Z"
    written = datetime.fromisoformat(text.upper())
    try:
        moment = written.astimezone(UTC) if written.tzinfo else written
    except OverflowError:  # an offset at the very beginning or end of the calendar
        moment = written
    digits = "milliseconds" if moment.microsecond else "seconds"
    return moment.replace(tzinfo=None).isoformat(timespec=digits) + "Z"
