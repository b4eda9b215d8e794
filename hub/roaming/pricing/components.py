"""Price components: what is priced, by how much, in which steps, with which tax."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any

from hub.roaming.pricing.quantities import HOUR, KILOWATT_HOUR, Unreadable, fraction, whole

HUNDRED = 100
VAT = "VAT"


class Dimension(StrEnum):
    """TariffDimensionType."""

    FLAT = "FLAT"
    ENERGY = "ENERGY"
    TIME = "TIME"
    PARKING_TIME = "PARKING_TIME"

    __hash__ = str.__hash__  # Enum's own is a call into Python


# What a price is per: a kWh, an hour, a session.
UNITS: Mapping[Dimension, int] = {
    Dimension.FLAT: 1,
    Dimension.ENERGY: KILOWATT_HOUR,
    Dimension.TIME: HOUR,
    Dimension.PARKING_TIME: HOUR,
}


@dataclass(frozen=True, slots=True)
class Tax:
    """A tax and its rate in percent, as configured for a location where tariffs do not tell."""

    name: str
    percentage: Fraction
    account_number: str | None = None
    share: Fraction = field(init=False, compare=False)
    factor: Fraction = field(init=False, compare=False)

    def __post_init__(self) -> None:
        share = Fraction(self.percentage) / HUNDRED
        object.__setattr__(self, "percentage", share * HUNDRED)
        object.__setattr__(self, "share", share)
        object.__setattr__(self, "factor", 1 + share)


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """A price component; ``element`` is the place of its element in the tariff, from 1.

    ``price`` is per kWh, hour or session, ``vat`` a percentage, ``step`` in Wh or seconds;
    ``unit`` is how many of the quantities counted here make a kWh or an hour.
    """

    element: int
    dimension: Dimension
    price: Fraction
    vat: Fraction | None
    step: int
    unit: int
    taxes: tuple[Tax, ...]


def component(number: int, body: Any, where: str) -> Component:
    if not isinstance(body, Mapping):
        raise Unreadable(f"{where} has a price component that is not an object.")
    try:
        dimension = Dimension(str(body.get("type")))
    except ValueError:
        raise Unreadable(f"{where} has a price component of unknown type.") from None
    where = f"{where} {dimension}"
    step = body.get("step_size")
    vat = None if body.get("vat") is None else fraction(body["vat"], f"{where} vat")
    if vat is not None and vat <= -HUNDRED:
        raise Unreadable(f"{where} vat is out of range.")
    size = 1 if step is None else whole(step, f"{where} step_size")
    if size < 0:
        raise Unreadable(f"{where} step_size is negative.")
    return Component(
        number,
        dimension,
        fraction(body.get("price"), f"{where} price"),
        vat,
        # 0 is what free tariffs say; it means no rounding beyond the unit (PRICE-30).
        size or 1,
        UNITS[dimension],
        () if vat is None else (Tax(VAT, vat),),
    )
