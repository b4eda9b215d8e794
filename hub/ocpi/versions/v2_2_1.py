"""OCPI 2.2.1, told as its differences from 2.3.0. Prices and tariffs: see ``prices_2_2_1``.

What 2.2.1 does not have is left out of what its partners get (BRIDGE-04): ``parking_places``,
``help_phone``, an EVSE's ``parking`` and ``accepted_service_providers``, a connector's
``capabilities`` and every value its closed enumerations do not know. Without a known ``standard`` a
connector cannot be described: it is left out, with it an EVSE that has no other, and a location
that has no other EVSE is not sent. Token types that 2.2.1 does not know become OTHER, image
categories too. A CDR keeps to the truth: at a connector that 2.2.1 cannot name it is not
expressible.

Credentials: 2.2.1 has a role HUB where 2.3.0 has ``hub_party_id``; there the parties behind a hub
are roles, here HubClientInfo tells them (AMB-20).
"""

from typing import Any

from hub.ocpi.schemas import cdrs, credentials, locations, v2_2_1
from hub.ocpi.versions.base import Document, Trail, Version
from hub.ocpi.versions.prices_2_2_1 import (
    ENERGY_MIX,
    downgrade_price,
    downgrade_tariff,
    upgrade_price,
    upgrade_tariff,
)
from hub.ocpi.versions.rewriting import (
    each,
    early,
    in_turn,
    known,
    only_known,
    put,
    required,
    some,
    within,
    without,
)
from hub.ocpi.versions.v2_3_0 import V2_3_0

HUB = "HUB"
# Where canonical credentials keep the HUB roles of 2.2.1, by their place among the roles.
HUB_ROLES = "hub_roles"

COSTS = (
    "total_cost",
    "total_fixed_cost",
    "total_energy_cost",
    "total_time_cost",
    "total_parking_cost",
    "total_reservation_cost",
)
STANDARDS = v2_2_1.CONNECTOR_TYPE.values


def name_hub_as_party(body: Document, trail: Trail) -> Document:
    roles = body.get("roles") or []
    hubs = {str(place): role for place, role in enumerate(roles) if role["role"] == HUB}
    if not hubs:
        return body
    hub = next(iter(hubs.values()))
    return put(
        body,
        {
            "hub_party_id": hub["country_code"] + hub["party_id"],
            "roles": [role for role in roles if role["role"] != HUB],
            HUB_ROLES: hubs,
        },
    )


def name_hub_as_role(document: Document, trail: Trail) -> Document:
    hub = document.get("hub_party_id")
    if hub is None:
        return document
    older = {name: value for name, value in document.items() if name not in MEMBERS_OF_HUB}
    hubs = document.get(HUB_ROLES)
    roles = list(document.get("roles") or [])
    if hubs is None:
        trail.at("roles").lose("the parties behind a hub are told by HubClientInfo in this version")
        return older | {"roles": [hub_role(hub, roles)]}
    for place, role in hubs.items():
        roles.insert(int(place), role)
    return older | {"roles": roles}


MEMBERS_OF_HUB = {"hub_party_id", HUB_ROLES}


def hub_role(hub: str, roles: list[Document]) -> Document:
    own = [role for role in roles if role["country_code"] + role["party_id"] == hub]
    details: dict[str, Any] = next(
        (role["business_details"] for role in own + roles), {"name": hub}
    )
    return {
        "role": HUB,
        "business_details": details,
        "party_id": hub[2:],
        "country_code": hub[:2],
    }


def some_dimension(period: Document, trail: Trail) -> Document:
    """A period must have a dimension; one that has lost all took some time."""
    if period.get("dimensions") != []:
        return period
    trail.at("dimensions").lose("no dimension is known in this version")
    return put(period, {"dimensions": [{"type": "TIME", "volume": 0}]})


token_type = known("type", v2_2_1.TOKEN_TYPE.values, instead="OTHER")
role = known("role", v2_2_1.ROLE.values, instead="OTHER")
token = within("token", change=token_type)
image = known("category", v2_2_1.IMAGE_CATEGORY.values, instead="OTHER")
logo = within("logo", change=image)

downgrade_credentials = in_turn(
    name_hub_as_role,
    each("roles", change=in_turn(role, within("business_details", change=logo))),
)
downgrade_connector = in_turn(required("standard", STANDARDS), without("capabilities"))

downgrade_evse = in_turn(
    some("connectors", change=downgrade_connector),
    only_known("capabilities", v2_2_1.CAPABILITY.values),
    only_known("parking_restrictions", v2_2_1.PARKING_RESTRICTION.values),
    each("images", change=image),
    without("parking", "accepted_service_providers"),
)
downgrade_location = in_turn(
    some("evses", change=downgrade_evse),
    each("publish_allowed_to", change=token_type),
    known("parking_type", v2_2_1.PARKING_TYPE.values),
    within("operator", "suboperator", "owner", change=logo),
    only_known("facilities", v2_2_1.FACILITY.values),
    each("images", change=image),
    ENERGY_MIX,
    without("parking_places", "help_phone"),
)
downgrade_period = in_turn(
    each("dimensions", change=required("type", v2_2_1.CDR_DIMENSION_TYPE.values)), some_dimension
)
downgrade_session = in_turn(
    within("cdr_token", change=token_type),
    each("charging_periods", change=downgrade_period),
    within("total_cost", change=downgrade_price),
)
downgrade_cdr = in_turn(
    within("cdr_token", change=token_type),
    within("cdr_location", change=required("connector_standard", STANDARDS)),
    each("tariffs", change=downgrade_tariff),
    each("charging_periods", change=downgrade_period),
    within(*COSTS, change=downgrade_price),
    without("booking_id"),
)

upgrade_connector = early(locations.Connector, "capabilities")
upgrade_evse = in_turn(
    each("connectors", change=upgrade_connector),
    early(locations.EVSE, "parking", "accepted_service_providers"),
)

V2_2_1 = Version(
    "2.2.1",
    v2_2_1.SCHEMAS,
    newer=V2_3_0,
    upgrades={
        "Location": in_turn(
            each("evses", change=upgrade_evse),
            early(locations.Location, "parking_places", "help_phone"),
        ),
        "EVSE": upgrade_evse,
        "Connector": upgrade_connector,
        "Tariff": upgrade_tariff,
        "Session": within("total_cost", change=upgrade_price),
        "CDR": in_turn(
            each("tariffs", change=upgrade_tariff),
            within(*COSTS, change=upgrade_price),
            early(cdrs.CDR, "booking_id"),
        ),
        "Credentials": in_turn(early(credentials.Credentials, "hub_party_id"), name_hub_as_party),
    },
    downgrades={
        "Location": downgrade_location,
        "EVSE": downgrade_evse,
        "Connector": downgrade_connector,
        "Tariff": downgrade_tariff,
        "Session": downgrade_session,
        "CDR": downgrade_cdr,
        "Token": token_type,
        "AuthorizationInfo": token,
        "ReserveNow": token,
        "StartSession": token,
        "Credentials": downgrade_credentials,
        "ClientInfo": role,
    },
)
