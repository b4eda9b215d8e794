"""How much power a connector can deliver at most."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from hub.roaming.pricing.quantities import Unreadable, decimal
from hub.roaming.pricing.records import Record, mapping, text, upper
from hub.roaming.pricing.tariffs import Document

# When nobody told the connector, only what no plug of the kind comes near is certain, in kW: a wire
# of 80 A carries 18 kW at 230 V. That finds Wh that were sent as kWh, not a CPO that adds a little.
PLUG_POWER: Mapping[str, int] = {
    "AC_1_PHASE": 25,
    **dict.fromkeys(("AC_2_PHASE", "AC_2_PHASE_SPLIT"), 50),
    "AC_3_PHASE": 75,
    "DC": 2000,
}
# Plugs whose standard says otherwise: 63 A for type 2 (IEC 62196-2), 3 kA and 1250 V for MCS.
STANDARD_POWER: Mapping[tuple[str, str], int] = {
    ("IEC_62196_T2", "AC_3_PHASE"): 46,
    ("MCS", "DC"): 4000,
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
    standard = text(place.get("connector_standard")) or ""
    return Fraction(STANDARD_POWER.get((standard, kind), PLUG_POWER[kind]))


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
    """``max_electric_power``, else voltage (to neutral) times amperage times phases.

    None when they are missing or no numbers: an odd connector is no fault of the CDR.
    """
    watts = number(connector, "max_electric_power")
    if watts is None:
        volts = number(connector, "max_voltage") or number(connector, "voltage")
        amperes = number(connector, "max_amperage") or number(connector, "amperage")
        if not volts or not amperes:
            return None
        watts = volts * amperes * WIRES.get(str(connector.get("power_type")), 1)
    return watts / 1000


def number(document: Document, name: str) -> Fraction | None:
    try:
        return Fraction(decimal(document.get(name), name))
    except Unreadable:
        return None
