"""EVSEs and their connectors, and the one status that an EVSE has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.codec import instant
from hub.roaming.merging import Document

DIRECT_CURRENT = frozenset(
    {
        "CHADEMO", "CHAOJI", "GBT_DC", "IEC_62196_T1_COMBO", "IEC_62196_T2_COMBO", "MCS",
        "PANTOGRAPH_BOTTOM_UP", "PANTOGRAPH_TOP_DOWN", "SAE_J3400",
    }
)  # fmt: skip
AC_POWER_TYPES = {1: "AC_1_PHASE", 2: "AC_2_PHASE", 3: "AC_3_PHASE"}
UNKNOWN_TYPES = frozenset({"", "UNKNOWN", "UNDETERMINED"})


@dataclass(frozen=True)
class ConnectorFacts:
    """A connector as the operator described it; watts, amperes, volts."""

    number: int
    standard: str
    status: str
    max_power: int | None = None
    max_current: int | None = None
    voltage: int | None = None
    phases: int | None = None
    format: str | None = None
    tariff_ids: tuple[str, ...] = ()

    @property
    def described(self) -> bool:
        """Whether enough is known to publish it."""
        return self.standard not in UNKNOWN_TYPES and bool(self.max_current and self.voltage)


@dataclass(frozen=True)
class EVSEFacts:
    """An EVSE and what bears on its status. ``station_status`` is what connector 0 said."""

    uid: str
    connectors: Sequence[ConnectorFacts]
    evse_id: str | None = None
    physical_reference: str | None = None
    shown_as: str | None = None
    maintained: bool = False
    station_status: str | None = None
    offline: bool = False
    ever_seen: bool = True
    sibling_in_use: bool = False
    capabilities: tuple[str, ...] = ()


def shown_status(facts: EVSEFacts) -> str:
    """One status out of several sources, the strongest first (LOC-25)."""
    found = {connector.status for connector in facts.connectors}
    ladder = (
        (facts.shown_as is not None, facts.shown_as),
        (facts.maintained or not facts.ever_seen, "INOPERATIVE"),
        (facts.station_status == "FAULTED", "OUTOFORDER"),
        (facts.station_status == "UNAVAILABLE", "INOPERATIVE"),
        (facts.offline, "UNKNOWN"),
        ("OCCUPIED" in found, "CHARGING"),
        (facts.sibling_in_use, "INOPERATIVE"),
        ("RESERVED" in found, "RESERVED"),
        ("AVAILABLE" in found, "AVAILABLE"),
        (found == {"FAULTED"}, "OUTOFORDER"),
    )
    return next((shown for holds, shown in ladder if holds and shown), "INOPERATIVE")


def evse_document(facts: EVSEFacts, *, at: datetime) -> Document | None:
    """The EVSE, or None while too little is known about its connectors to publish it."""
    described = [connector for connector in facts.connectors if connector.described]
    if not described:
        return None
    document: Document = {
        "uid": facts.uid,
        "status": shown_status(facts),
        "capabilities": list(facts.capabilities),
        "connectors": [connector_document(connector, at) for connector in described],
        "last_updated": instant(at),
    }
    if len(described) > 1:
        # Several plugs of which one can be used: a driver must say which (LOC-21).
        document["capabilities"].append("START_SESSION_CONNECTOR_REQUIRED")
    if facts.evse_id:
        document["evse_id"] = facts.evse_id
    if facts.physical_reference:
        document["physical_reference"] = facts.physical_reference
    return document


def connector_document(facts: ConnectorFacts, at: datetime) -> Document:
    direct = facts.standard in DIRECT_CURRENT
    document: Document = {
        "id": str(facts.number),
        "standard": facts.standard,
        "format": facts.format or ("CABLE" if direct else "SOCKET"),
        "power_type": "DC" if direct else AC_POWER_TYPES[facts.phases or 1],
        "max_voltage": facts.voltage,
        "max_amperage": facts.max_current,
        "last_updated": instant(at),
    }
    if facts.max_power:
        document["max_electric_power"] = facts.max_power
    if facts.tariff_ids:
        document["tariff_ids"] = list(facts.tariff_ids)
    return document
