"""Sessions and CDRs between OCPI 2.1.1 and 2.2.1.

2.1.1 names a contract (``auth_id``) where newer versions name a token, and puts the location into
the object. Going up, the token is looked up by the caller; where there is none, the contract stands
for it. Going down, the location is put in again; a session whose location nobody knows is not sent.

A credit CDR cannot be expressed: in 2.1.1 it would be one more CDR to pay.
"""

from typing import Any

from hub.errors import InvalidRequest
from hub.ocpi.schemas import v2_1_1, v2_2_1
from hub.ocpi.versions.base import Document, Errand, NotExpressible, Trail
from hub.ocpi.versions.locations_2_1_1 import downgrade_known_location
from hub.ocpi.versions.members_2_1_1 import newer, older
from hub.ocpi.versions.ownership_2_1_1 import add_owner, drop_owner
from hub.ocpi.versions.rewriting import ABSENT, each, in_turn, known, put, renamed, required
from hub.ocpi.versions.tariffs_2_1_1 import downgrade_tariff, upgrade_tariff
from hub.ocpi.versions.v2_2_1 import V2_2_1

NOT_AVAILABLE = "#NA"
NEWER_SESSION = {"start_datetime": "start_date_time", "end_datetime": "end_date_time"}
OLDER_SESSION = {newer_name: older_name for older_name, newer_name in NEWER_SESSION.items()}
OF_TOKEN = ("country_code", "party_id", "uid", "type", "contract_id")
OF_LOCATION = ("id", "name", "address", "city", "postal_code", "country", "coordinates")


def name_token(document: Document, trail: Trail) -> Document:
    if "auth_id" not in document:
        return document
    auth_id = document["auth_id"]
    token, receiver = trail.known.token, trail.known.receiver
    if token is not None:
        cdr_token = {name: token[name] for name in OF_TOKEN}
    elif receiver is not None:
        cdr_token = {
            "country_code": receiver.country_code,
            "party_id": receiver.party_id,
            "uid": NOT_AVAILABLE,
            "type": "OTHER",
            "contract_id": auth_id,
        }
    else:
        raise refused("auth_id", "No token of this contract is known.")
    return put(document, {"auth_id": ABSENT, "cdr_token": cdr_token})


def name_contract(document: Document, trail: Trail) -> Document:
    token = document.get("cdr_token")
    contract = ABSENT if token is None else token["contract_id"]
    return put(document, {"cdr_token": ABSENT, "auth_id": contract})


def refused(name: str, rule: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: {rule}", data={"errors": [{"field": name, "rule": rule}]})


def used(location: Document) -> tuple[Document, Document]:
    """The EVSE and the connector of a location that has been reduced to those in use."""
    evse: Document = next(iter(location.get("evses") or ()), {})
    return evse, next(iter(evse.get("connectors") or ()), {})


def name_location(session: Document, trail: Trail) -> Document:
    location = session.get("location")
    if location is None:
        return session
    evse, connector = used(location)
    return put(
        session,
        {
            "location": ABSENT,
            "location_id": location["id"],
            "evse_uid": evse.get("uid", NOT_AVAILABLE),
            "connector_id": connector.get("id", NOT_AVAILABLE),
        },
    )


def put_location_in(session: Document, trail: Trail) -> Document:
    ids = {name: session.get(name) for name in ("location_id", "evse_uid", "connector_id")}
    changes: dict[str, Any] = dict.fromkeys(ids, ABSENT)
    if any(ids.values()) or not trail.partial:
        changes["location"] = reduced(trail.known.location, ids["evse_uid"], ids["connector_id"])
    else:
        changes["location"] = ABSENT
    return put(session, changes)


def reduced(location: Document | None, evse_uid: str | None, connector_id: str | None) -> Document:
    """A canonical location as 2.1.1 has it, with only the EVSE and the connector that are used."""
    if location is None:
        reason = "this version puts the location into it, and the location is unknown"
        raise NotExpressible(reason, later=True)
    evse = found(location.get("evses"), "uid", evse_uid)
    connector = found(evse.get("connectors"), "id", connector_id)
    part = location | {"evses": [evse | {"connectors": [connector]}]}
    return downgrade_known_location(V2_2_1.downgrade("Location", part), Trail(Errand([])))


def found(items: list[Document] | None, name: str, wanted: str | None) -> Document:
    for item in items or ():
        if wanted is not None and item[name].upper() == wanted.upper():
            return item
    reason = f"this version puts the location into it, which has no {name} {wanted}"
    raise NotExpressible(reason, later=wanted != NOT_AVAILABLE)


def flatten_location(cdr: Document, trail: Trail) -> Document:
    location = cdr.get("location")
    if location is None:
        return cdr
    evse, connector = used(location)
    if not connector:
        raise refused("location/evses", "A CDR needs the EVSE and the connector that were used.")
    cdr_location = {name: location[name] for name in OF_LOCATION if name in location}
    cdr_location |= {
        "evse_uid": evse["uid"],
        "evse_id": evse.get("evse_id") or NOT_AVAILABLE,
        "connector_id": connector["id"],
        "connector_standard": connector["standard"],
        "connector_format": connector["format"],
        "connector_power_type": connector["power_type"],
    }
    return put(cdr, {"location": ABSENT, "cdr_location": cdr_location})


def unflatten_location(cdr: Document, trail: Trail) -> Document:
    """What a CDR says of its location, as a location; voltage and amperage if they are known."""
    place = cdr.get("cdr_location")
    if place is None:
        return put(cdr, {"location": ABSENT})
    moment = cdr["start_date_time"]
    power = rating(trail.known.location, place["evse_uid"], place["connector_id"])
    connector = {
        "id": place["connector_id"] or NOT_AVAILABLE,
        "standard": place["connector_standard"],
        "format": place["connector_format"],
        "power_type": place["connector_power_type"],
        "max_voltage": power.get("max_voltage", 0),
        "max_amperage": power.get("max_amperage", 0),
        "last_updated": moment,
    }
    evse = {
        "uid": place["evse_uid"] or NOT_AVAILABLE,
        "evse_id": place["evse_id"],
        "status": "UNKNOWN",
        "connectors": [connector],
        "last_updated": moment,
    }
    location = {name: place[name] for name in OF_LOCATION if name in place}
    location |= {"id": place["id"] or NOT_AVAILABLE, "evses": [evse], "last_updated": moment}
    here = Trail(Errand(trail.errand.losses), trail, "cdr_location")
    if place.get("state"):
        here.at("state").lose("unknown in this version")
    return put(cdr, {"cdr_location": ABSENT, "location": downgrade_known_location(location, here)})


def rating(location: Document | None, evse_uid: str, connector_id: str) -> Document:
    try:
        evse = found((location or {}).get("evses"), "uid", evse_uid)
        return found(evse.get("connectors"), "id", connector_id)
    except NotExpressible:
        return {}


def upgrade_cost(document: Document, trail: Trail) -> Document:
    cost = document.get("total_cost")
    return document if cost is None else put(document, {"total_cost": {"excl_vat": cost}})


def downgrade_cost(document: Document, trail: Trail) -> Document:
    price = document.get("total_cost")
    if price is None:
        return document
    if price.get("incl_vat") is not None:
        trail.at("total_cost").lose("this version says costs without VAT only")
    return put(document, {"total_cost": price["excl_vat"]})


def known_dimensions(values: tuple[str, ...], instead: str) -> Any:
    """Dimensions that the other version knows too; a period must not lose its last one."""

    def some_dimension(period: Document, trail: Trail) -> Document:
        if period.get("dimensions"):
            return period
        return put(period, {"dimensions": [{"type": instead, "volume": 0}]})

    return in_turn(each("dimensions", change=required("type", values)), some_dimension)


def add_session(cdr: Document, trail: Trail) -> Document:
    session_id = trail.known.session_id
    return cdr if session_id is None else put(cdr, {"session_id": session_id})


def credit_with_reference(cdr: Document, trail: Trail) -> Document:
    """Newer versions want to be told which CDR is credited; in 2.1.1 the word means nothing."""
    if not cdr.get("credit") or cdr.get("credit_reference_id") is not None:
        return cdr
    trail.at("credit").lose("means something else in the newer version")
    return put(cdr, {"credit": ABSENT})


def no_credit(cdr: Document, trail: Trail) -> Document:
    if cdr.get("credit"):
        raise NotExpressible("credit CDRs are unknown in this version")
    return cdr


auth_method = known("auth_method", v2_1_1.AUTH_METHOD.values, instead="AUTH_REQUEST")
periods_up = each(
    "charging_periods",
    change=in_turn(
        newer("ChargingPeriod"), known_dimensions(v2_2_1.CDR_DIMENSION_TYPE.values, "TIME")
    ),
)
periods_down = each(
    "charging_periods",
    change=in_turn(
        known_dimensions(v2_1_1.CDR_DIMENSION_TYPE.values, "ENERGY"), older("ChargingPeriod")
    ),
)

upgrade_session = in_turn(
    newer("Session"),
    add_owner,
    name_token,
    name_location,
    renamed(NEWER_SESSION, checked=True),
    periods_up,
    upgrade_cost,
)
downgrade_session = in_turn(
    name_contract,
    put_location_in,
    renamed(OLDER_SESSION),
    auth_method,
    known("status", v2_1_1.SESSION_STATUS.values, instead="PENDING"),
    periods_down,
    downgrade_cost,
    drop_owner,
    older("Session"),
)
upgrade_cdr = in_turn(
    newer("CDR"),
    credit_with_reference,
    add_owner,
    name_token,
    flatten_location,
    renamed({"stop_date_time": "end_date_time"}, checked=True),
    each("tariffs", change=upgrade_tariff),
    periods_up,
    upgrade_cost,
    add_session,
)
downgrade_cdr = in_turn(
    no_credit,
    name_contract,
    unflatten_location,
    renamed({"end_date_time": "stop_date_time"}),
    auth_method,
    each("tariffs", change=downgrade_tariff),
    periods_down,
    downgrade_cost,
    drop_owner,
    older("CDR"),
)
