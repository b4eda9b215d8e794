"""Our own stations and sessions as OCPI 2.3.0 documents. Pure: facts in, documents out.

From here on they are like anybody else's: the documents go through ``objects.apply`` and along the
feed. What OCPI must not see (the OCPP identity of a station, T-47) is not among the facts.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hub.models.values import Party
from hub.roaming.merging import Document
from hub.roaming.progress import CHARGING, PARKING, RESERVED, WAITING, Period, Progress, durations
from hub.roaming.readings import BEGIN, END, Signed

DIRECT_CURRENT = frozenset(
    {
        "CHADEMO", "CHAOJI", "GBT_DC", "IEC_62196_T1_COMBO", "IEC_62196_T2_COMBO", "MCS",
        "PANTOGRAPH_BOTTOM_UP", "PANTOGRAPH_TOP_DOWN", "SAE_J3400",
    }
)  # fmt: skip
AC_POWER_TYPES = {1: "AC_1_PHASE", 2: "AC_2_PHASE", 3: "AC_3_PHASE"}
UNKNOWN_TYPES = frozenset({"", "UNKNOWN", "UNDETERMINED"})

LONGEST_REMARK = 255
LONGEST_SIGNED = 5000
LONGEST_KEY = 512
NOT_ASSIGNED = "#NA"


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


def evse(facts: EVSEFacts, *, at: datetime) -> Document | None:
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


@dataclass(frozen=True)
class SessionFacts:
    """A transaction, as far as OCPI is concerned."""

    id: str
    owner: Party
    cdr_token: Document
    auth_method: str
    status: str
    started_at: datetime
    currency: str
    location_id: str = NOT_ASSIGNED
    evse_uid: str = NOT_ASSIGNED
    connector_id: str = NOT_ASSIGNED
    authorization_reference: str | None = None
    meter_id: str | None = None
    ended_at: datetime | None = None
    progress: Progress | None = None
    total_cost: Document | None = None
    tariff_id: str | None = None


def session(facts: SessionFacts, *, at: datetime) -> Document:
    """The session as it stands. Its energy never shrinks: see ``metering``."""
    energy = facts.progress.energy if facts.progress is not None else Decimal(0)
    document: Document = {
        "country_code": facts.owner.country_code,
        "party_id": facts.owner.party_id,
        "id": facts.id,
        "start_date_time": instant(facts.started_at),
        "kwh": kilo(energy),
        "cdr_token": facts.cdr_token,
        "auth_method": facts.auth_method,
        "location_id": facts.location_id,
        "evse_uid": facts.evse_uid,
        "connector_id": facts.connector_id,
        "currency": facts.currency,
        "status": facts.status,
        "last_updated": instant(at),
    }
    optional = {
        "end_date_time": instant(facts.ended_at) if facts.ended_at else None,
        "authorization_reference": facts.authorization_reference,
        "meter_id": facts.meter_id,
        "total_cost": facts.total_cost,
    }
    document |= {name: value for name, value in optional.items() if value is not None}
    if facts.progress is not None:
        document["charging_periods"] = periods(
            facts.progress, facts.ended_at or at, facts.tariff_id, for_session=True
        )
    return document


DIMENSION = {
    CHARGING: "TIME",
    WAITING: "TIME",
    PARKING: "PARKING_TIME",
    RESERVED: "RESERVATION_TIME",
}


def periods(
    progress: Progress, end: datetime, tariff_id: str | None, *, for_session: bool
) -> list[Document]:
    """Charging periods; dimensions that only sessions may have are left out of CDRs (CDR-20)."""
    net, fed_back = Decimal(0), Decimal(0)
    found = []
    for period, hours in durations(progress.periods, max(end, progress.started_at)):
        net += period.energy
        fed_back = period.fed_back or fed_back
        dimensions = [dimension(DIMENSION[period.state], rounded(max(hours, Decimal(0))))]
        if period.state != RESERVED:
            dimensions.insert(0, dimension("ENERGY", kilo(period.energy)))
        dimensions += measured(period)
        if for_session:
            dimensions += measured_in_session(period, net, fed_back)
        document: Document = {"start_date_time": instant(period.start), "dimensions": dimensions}
        if tariff_id is not None:
            document["tariff_id"] = tariff_id
        found.append(document)
    return found


def dimension(kind: str, volume: Decimal) -> Document:
    return {"type": kind, "volume": volume}


def measured(period: Period) -> list[Document]:
    found = []
    for name, spread in (("POWER", period.power), ("CURRENT", period.current)):
        if spread.low is not None and spread.high is not None:
            found.append(dimension(f"MIN_{name}", rounded(spread.low)))
            found.append(dimension(f"MAX_{name}", rounded(spread.high)))
    return found


def measured_in_session(period: Period, net: Decimal, fed_back: Decimal) -> list[Document]:
    """Totals of the whole session so far, and what is of interest only while it runs."""
    found = []
    if period.state != RESERVED:
        found.append(dimension("ENERGY_IMPORT", kilo(net + fed_back)))
    if fed_back:
        found.append(dimension("ENERGY_EXPORT", kilo(fed_back)))
    for name, spread in (("POWER", period.power), ("CURRENT", period.current)):
        if spread.mean is not None:
            found.append(dimension(name, rounded(spread.mean)))
    if period.soc is not None:
        found.append(dimension("STATE_OF_CHARGE", rounded(period.soc)))
    return found


@dataclass(frozen=True)
class SignedReading:
    """A signed value and when in the transaction it was taken."""

    signed: Signed
    at: datetime
    context: str | None = None


@dataclass(frozen=True)
class Circumstances:
    """Place and tariffs as they were when the session began (CDR-08)."""

    location: Document
    evse: Document
    connector_id: str
    tariffs: tuple[Document, ...] = ()


def cdr(
    facts: SessionFacts,
    circumstances: Circumstances,
    *,
    cdr_id: str,
    at: datetime,
    signed: Iterable[SignedReading] = (),
    remark: str = "",
) -> Document:
    """The CDR without its costs: pricing adds ``total_cost`` and its parts."""
    assert facts.progress is not None
    assert facts.ended_at is not None
    tariff_id = facts.tariff_id
    spans = periods(facts.progress, facts.ended_at, tariff_id, for_session=False)
    parking = volume(spans, "PARKING_TIME")
    document: Document = {
        "country_code": facts.owner.country_code,
        "party_id": facts.owner.party_id,
        "id": cdr_id,
        "start_date_time": spans[0]["start_date_time"],
        "end_date_time": instant(facts.ended_at),
        "session_id": facts.id,
        "cdr_token": facts.cdr_token,
        "auth_method": facts.auth_method,
        "cdr_location": cdr_location(circumstances),
        "currency": facts.currency,
        "tariffs": list(circumstances.tariffs),
        "charging_periods": spans,
        "total_energy": kilo(facts.progress.energy),
        "total_time": volume(spans, "TIME") + parking,
        "total_parking_time": parking,
        "last_updated": instant(at),
    }
    optional = {
        "authorization_reference": facts.authorization_reference,
        "meter_id": facts.meter_id,
        "signed_data": signed_data(list(signed)),
        "remark": remark[:LONGEST_REMARK] or None,
    }
    return document | {name: value for name, value in optional.items() if value is not None}


def volume(spans: Sequence[Document], kind: str) -> Decimal:
    return sum(
        (
            found["volume"]
            for span in spans
            for found in span["dimensions"]
            if found["type"] == kind
        ),
        Decimal(0),
    )


def credit_of(original: Document, *, at: datetime) -> Document:
    """The CDR that takes another one back: everything the same, the total negative (CDR-06)."""
    total = {name: negative(value) for name, value in original["total_cost"].items()}
    return original | {
        "id": f"{original['id']}-C"[:39],
        "credit": True,
        "credit_reference_id": original["id"],
        "total_cost": total,
        "last_updated": instant(at),
    }


def negative(value: Any) -> Any:
    if isinstance(value, list):
        return [{**tax, "amount": -Decimal(str(tax["amount"]))} for tax in value]
    return -Decimal(str(value))


def cdr_location(circumstances: Circumstances) -> Document:
    location, evse_ = circumstances.location, circumstances.evse
    connector: Mapping[str, Any] = next(
        (found for found in evse_["connectors"] if found["id"] == circumstances.connector_id),
        evse_["connectors"][0],
    )
    document: Document = {
        "id": location["id"],
        # Shorter here than in a Location.
        "address": str(location["address"])[:45],
        "city": location["city"],
        "country": location["country"],
        "coordinates": location["coordinates"],
        "evse_uid": evse_["uid"],
        "evse_id": evse_.get("evse_id") or NOT_ASSIGNED,
        "connector_id": connector["id"],
        "connector_standard": connector["standard"],
        "connector_format": connector["format"],
        "connector_power_type": connector["power_type"],
    }
    for name, longest in (("name", 255), ("postal_code", 10), ("state", 20)):
        if location.get(name):
            document[name] = str(location[name])[:longest]
    return document


def signed_data(found: list[SignedReading]) -> Document | None:
    """Signed readings byte for byte; nothing in them is read, let alone written again (CDR-21)."""
    if not found:
        return None
    found = sorted(found, key=lambda reading: reading.at)
    values = [signed_value(reading) for reading in found]
    values = [value for value in values if len(value["signed_data"]) <= LONGEST_SIGNED]
    if not values:
        return None
    methods = [reading.signed.encoding_method for reading in found]
    document: Document = {
        "encoding_method": next((method for method in methods if method), "OCMF")[:36],
        "signed_values": values,
    }
    for reading in found:
        if key := public_key(reading.signed.public_key):
            document["public_key"] = key
            break
    return document


def signed_value(reading: SignedReading) -> Document:
    signed = reading.signed
    if signed.is_base64:
        encoded = signed.data
        try:
            plain = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            plain = encoded
    else:
        plain = signed.data
        encoded = base64.b64encode(plain.encode()).decode()
    nature = {BEGIN: "Start", END: "End"}.get(reading.context or "", "Intermediate")
    if holds_both_ends(plain):
        nature = "End"
    return {"nature": nature, "plain_data": plain[:LONGEST_SIGNED], "signed_data": encoded}


def holds_both_ends(plain: str) -> bool:
    """An OCMF that tells the begin and the end of a transaction in one."""
    return plain.startswith("OCMF|") and '"TX":"B"' in plain and '"TX":"E"' in plain


def public_key(text: str | None) -> str | None:
    """``oca:base16:asn1:<hex>`` becomes base64; anything else stays as it came."""
    if not text:
        return None
    scheme, _, value = text.rpartition(":")
    if scheme.startswith("oca:base16"):
        try:
            return base64.b64encode(bytes.fromhex(value)).decode()[:LONGEST_KEY]
        except ValueError:
            return text[:LONGEST_KEY]
    return text[:LONGEST_KEY]


def instant(at: datetime) -> str:
    """As OCPI writes it, to the millisecond if need be."""
    at = at.astimezone(UTC)
    digits = "milliseconds" if at.microsecond >= 1000 else "seconds"  # noqa: PLR2004
    return at.replace(tzinfo=None).isoformat(timespec=digits) + "Z"


def kilo(energy: Decimal) -> Decimal:
    """Wh as kWh, to the watt-hour."""
    return (energy / 1000).quantize(Decimal("0.001"), ROUND_HALF_UP)


def rounded(value: Decimal) -> Decimal:
    """To the four decimals OCPI numbers have."""
    return value.quantize(Decimal("0.0001"), ROUND_HALF_UP)
