"""How much power a connector can deliver at most."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from hub.roaming.pricing.quantities import decimal
from hub.roaming.pricing.records import Record, mapping, text, upper
from hub.roaming.pricing.tariffs import Document

# The most a kind of plug can carry, in kW, when nobody told the connector.
PLUG_POWER: Mapping[str, int] = {
    "AC_1_PHASE": 20,
    "AC_2_PHASE": 40,
    "AC_2_PHASE_SPLIT": 40,
    "AC_3_PHASE": 50,
    "DC": 1000,
}
STRONGER_PLUGS: Mapping[str, int] = {
    "MCS": 4500,
    "PANTOGRAPH_BOTTOM_UP": 1500,
    "PANTOGRAPH_TOP_DOWN": 1500,
}
WIRES: Mapping[str, int] = {"AC_2_PHASE": 2, "AC_2_PHASE_SPLIT": 2, "AC_3_PHASE": 3}


def power_limit(record: Record, connector: Document | None) -> Fraction | None:
    """The power of the connector in kW, else the most its kind of plug can carry."""
    place = mapping(record.document.get("cdr_location")) or {}
    connector = connector or embedded(record)
    if connector is not None and (rated := rated_power(connector)) is not None:
        return rated
    kind = text(place.get("connector_power_type")) or ""
    if upper(place.get("evse_uid")) == "#NA" or kind not in PLUG_POWER:
        return None
    plug = text(place.get("connector_standard")) or ""
    return Fraction(STRONGER_PLUGS.get(plug, PLUG_POWER[kind]))


def embedded(record: Record) -> Document | None:
    """The connector in the Location that a 2.1.1 CDR carries."""
    place: Any = mapping(record.document.get("location")) or {}
    for name in ("evses", "connectors"):
        items = place.get(name)
        place = mapping(items[0]) if isinstance(items, list) and items else None
        if place is None:
            return None
    return place if isinstance(place, Mapping) else None


def rated_power(connector: Document) -> Fraction | None:
    """``max_electric_power``, else voltage (to neutral) times amperage times phases."""
    if connector.get("max_electric_power") is not None:
        return Fraction(decimal(connector["max_electric_power"], "max_electric_power")) / 1000
    voltage = connector.get("max_voltage", connector.get("voltage"))
    amperage = connector.get("max_amperage", connector.get("amperage"))
    if not voltage or not amperage:
        return None
    wires = WIRES.get(str(connector.get("power_type")), 1)
    volts, amperes = decimal(voltage, "max_voltage"), decimal(amperage, "max_amperage")
    return Fraction(volts) * Fraction(amperes) * wires / 1000
