"""Exact quantities, read once at the door.

Energy is counted in millionths of a watt-hour and time in seconds, both whole numbers; an instant
is a number of seconds since 1970 (UTC). Only where a quantity is divided, as the energy of a period
that crosses 17:00, it becomes a fraction. Binary floating point never takes part: a float is read
by the digits it is written with, so 0.1 is a tenth.

OCPI gives hours with four decimals, which is a third of a second; the whole second nearest to the
number is what was measured.
"""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from typing import Any

Exact = int | Fraction

WATT_HOUR = 1_000_000
KILOWATT_HOUR = 1_000 * WATT_HOUR
HOUR = 3600
DAY = 86_400

# What money and meters say fits in this many digits before and behind the point. More would only
# serve to make exact arithmetic slow.
LARGEST_EXPONENT = 15
SMALLEST_EXPONENT = -40

BILLION = 10**9
MOST_ENERGY = 10 ** (LARGEST_EXPONENT + 1) * KILOWATT_HOUR

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BEGINNING_OF_TIME = (datetime.min.replace(tzinfo=UTC) - EPOCH) // timedelta(seconds=1)
END_OF_TIME = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(seconds=1)
LONGEST_TEXT = 40
# Those that are written of energies and hours.
DECIMALS = 4
# Hours with so few decimals are only known to 1.8 seconds.
COARSE_DECIMALS = 3


class CannotPrice(ValueError):
    """There is no price for this; the message says why, ``code`` what to do something about."""

    def __init__(self, text: str, *, code: str | None = None) -> None:
        super().__init__(text)
        self.code = code


class Unreadable(CannotPrice):
    """A tariff, session or CDR that cannot be read; the message says which field and why."""


def decimal(value: Any, where: str) -> Decimal:
    """A number of OCPI, whether it came as JSON number, as Decimal, or (wrongly) as text."""
    kind = type(value)
    if kind is float:
        number = Decimal(repr(value))
    elif kind is int or kind is Decimal:
        number = Decimal(value)
    elif kind is str and len(value) <= LONGEST_TEXT:
        number = parsed(value, where)
    else:
        raise Unreadable(f"{where} is not a number.")
    if not number.is_finite():
        raise Unreadable(f"{where} is not a number.")
    if not SMALLEST_EXPONENT <= number.adjusted() <= LARGEST_EXPONENT:
        return zero(number, where)
    return number


def zero(number: Decimal, where: str) -> Decimal:
    """Zero has no size; any other number beyond all bounds is refused."""
    if number:
        raise Unreadable(f"{where} is out of range.")
    return Decimal(0)


def parsed(text: str, where: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Unreadable(f"{where} is not a number.") from None


def fraction(value: Any, where: str) -> Fraction:
    return Fraction(decimal(value, where))


def whole(value: Any, where: str) -> int:
    """An integer; 300.0 is one too."""
    number = decimal(value, where)
    if number != number.to_integral_value():
        raise Unreadable(f"{where} is not a whole number.")
    return int(number)


def energy(kwh: Any, where: str) -> int:
    """Energy in millionths of a Wh. Digits beyond that are noise of somebody's arithmetic.

    A float is asked for its digits directly, which is the same as reading its text and rounding
    that, and three times as fast.
    """
    if type(kwh) is not float:
        number = decimal(kwh, where).scaleb(9)
        return int(number.to_integral_value(ROUND_HALF_EVEN))
    try:
        value = int(f"{kwh:.9f}".replace(".", ""))
    except ValueError:
        raise Unreadable(f"{where} is not a number.") from None
    if not -MOST_ENERGY < value < MOST_ENERGY:
        raise Unreadable(f"{where} is out of range.")
    return value


def seconds(hours: Any, where: str) -> int:
    """Time in whole seconds, the nearest to so many hours."""
    billionths = energy(hours, where) * HOUR
    nearest = (2 * abs(billionths) + BILLION) // (2 * BILLION)
    return nearest if billionths >= 0 else -nearest


def coarse(hours: Any) -> bool:
    """Is this written with so few decimals that the second cannot be told?"""
    number = decimal(hours, "volume").scaleb(COARSE_DECIMALS)
    return number == number.to_integral_value()


def instant(text: Any, where: str) -> Exact | None:
    """Seconds since 1970. None for absent and for 1970-01-01, which OCPI sends for "unknown".

    The placeholder is printed as ``1970-1-1T00:00:00Z`` in the text (CDR-16); both spellings occur.
    A time without an offset is UTC; another offset is not OCPI but clear enough to be read.
    """
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > LONGEST_TEXT:
        raise Unreadable(f"{where} is not a date and time.")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        if text.startswith("1970-1-1T"):
            return None
        raise Unreadable(f"{where} is not a date and time.") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if moment.microsecond:
        return at(moment)
    return int(moment.timestamp()) or None


def at(moment: datetime) -> Exact:
    """The instant of an aware datetime."""
    since = moment - EPOCH
    return tidy(Fraction(since.days * DAY + since.seconds) + Fraction(since.microseconds, 10**6))


@lru_cache(maxsize=4096)
def date_time(moment: Exact) -> str:
    """An instant as OCPI writes it, to the second, the nearest one that the calendar has."""
    seconds = min(max(rounded(moment), BEGINNING_OF_TIME), END_OF_TIME)
    nearest = EPOCH + timedelta(seconds=seconds)
    return f"{nearest.isoformat()[:-6]}Z"


def tidy(value: Fraction) -> Exact:
    """Whole numbers as integers: they are much faster to reckon with."""
    return value.numerator if value.denominator == 1 else value


def rounded(value: Exact) -> int:
    """The nearest whole number, halves away from zero as commerce does it."""
    if isinstance(value, int):
        return value
    doubled, divisor = 2 * abs(value.numerator), 2 * value.denominator
    nearest = (doubled + value.denominator) // divisor
    return nearest if value >= 0 else -nearest


def to_places(value: Exact, places: int) -> Decimal:
    """A decimal with exactly so many digits behind the point, halves away from zero."""
    return Decimal(f"{rounded(value * 10**places)}e-{places}")


def fixed(value: Exact | tuple[int, int], places: int, unit: int = 1) -> str:
    """The same as text, in so many of a unit. Whole numbers only: this is done for every line."""
    top, bottom = value if isinstance(value, tuple) else (value.numerator, value.denominator)
    bottom *= unit
    if bottom < 0:
        top, bottom = -top, -bottom
    nearest = (2 * abs(top) * 10**places + bottom) // (2 * bottom)
    sign = "-" if top < 0 and nearest else ""
    if not places:
        return f"{sign}{nearest}"
    digits = f"{nearest:0{places + 1}d}"
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def in_kwh(value: Exact) -> Decimal:
    return to_places(Fraction(value) / KILOWATT_HOUR, DECIMALS)


def in_hours(value: Exact) -> Decimal:
    return to_places(Fraction(value) / HOUR, DECIMALS)
