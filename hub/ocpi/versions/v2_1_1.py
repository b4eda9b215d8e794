"""OCPI 2.1.1, told as its differences from 2.2.1. It leaves out much that the caller must look up.

Locations: see ``locations_2_1_1``, tariffs ``tariffs_2_1_1``, sessions and CDRs ``sessions_2_1_1``.
Whatever is sent is written in ASCII and in whole seconds (``plain_2_1_1``).

Tokens: ``auth_id`` is ``contract_id``; types that 2.1.1 does not know become OTHER. Authorizations
lose the token and the reference, references to locations lose their connectors on the way up.
Reservations have numbers here and ids there. A command has one kind of answer for both, now and
later. Credentials speak of one party, endpoints of no role: the role follows from what the partner
is.
"""

from hub.models.values import InterfaceRole, Role
from hub.ocpi.schemas import v2_1_1
from hub.ocpi.schemas.commands import COMMAND_RESPONSE_TYPE, COMMAND_RESULT_TYPE
from hub.ocpi.versions.base import Document, NotExpressible, Trail, Translate, Version
from hub.ocpi.versions.locations_2_1_1 import (
    downgrade_connector,
    downgrade_evse,
    downgrade_location,
    upgrade_connector,
    upgrade_evse,
    upgrade_location,
)
from hub.ocpi.versions.members_2_1_1 import newer, older
from hub.ocpi.versions.ownership_2_1_1 import add_owner, drop_owner, interface_of
from hub.ocpi.versions.plain_2_1_1 import plain
from hub.ocpi.versions.rewriting import (
    ABSENT,
    drop,
    each,
    in_turn,
    known,
    put,
    renamed,
    within,
    without,
)
from hub.ocpi.versions.sessions_2_1_1 import (
    downgrade_cdr,
    downgrade_session,
    upgrade_cdr,
    upgrade_session,
)
from hub.ocpi.versions.tariffs_2_1_1 import downgrade_tariff, upgrade_tariff
from hub.ocpi.versions.v2_2_1 import V2_2_1

# Seconds in which the result of a command is to be expected when 2.1.1 does not say (BRIDGE,
# Commands).
TIMEOUT = 30


def number_to_id(command: Document, trail: Trail) -> Document:
    number = command.get("reservation_id")
    return command if number is None else put(command, {"reservation_id": str(int(number))})


def id_to_number(command: Document, trail: Trail) -> Document:
    number = trail.known.reservation_number
    written = str(command.get("reservation_id", ""))
    if number is None and written.isascii() and written.isdigit():
        number = int(written)
    if number is None:
        raise NotExpressible("this version has numbers for reservations, and this one has none")
    return put(command, {"reservation_id": number})


def name_connector(command: Document, trail: Trail) -> Document:
    """Where an EVSE needs to be told the connector and has one, that is it."""
    evses: list[Document] = (trail.known.location or {}).get("evses") or []
    uid = str(command.get("evse_uid") or "").upper()
    evse: Document = next((evse for evse in evses if evse["uid"].upper() == uid), {})
    connectors: list[Document] = evse.get("connectors") or []
    needed = "START_SESSION_CONNECTOR_REQUIRED" in (evse.get("capabilities") or ())
    if not needed or len(connectors) != 1 or command.get("connector_id") is not None:
        return command
    return put(command, {"connector_id": connectors[0]["id"]})


def insert_token(info: Document, trail: Trail) -> Document:
    token = trail.known.token
    return info if token is None else put(info, {"token": token})


def upgrade_response(response: Document, trail: Trail) -> Document:
    return put(known_response(response, trail), {"timeout": TIMEOUT})


def upgrade_credentials(credentials: Document, trail: Trail) -> Document:
    members = ("business_details", "party_id", "country_code")
    role = {"role": str(trail.known.role or Role.OTHER)}
    role |= {name: credentials[name] for name in members if name in credentials}
    return put(credentials, {**dict.fromkeys(members, ABSENT), "roles": [role]})


def downgrade_credentials(credentials: Document, trail: Trail) -> Document:
    roles = credentials.get("roles") or []
    if not roles:
        raise NotExpressible("credentials of this version are those of one party")
    if len(roles) > 1:
        trail.at("roles").lose("credentials of this version are those of one party")
    party = {name: value for name, value in roles[0].items() if name != "role"}
    return put(credentials, {"roles": ABSENT, "hub_party_id": ABSENT}) | party


def add_interface_role(endpoint: Document, trail: Trail) -> Document:
    """Each module has one owner; its interface is the Sender's (VER-04)."""
    module = str(endpoint.get("identifier", ""))
    if module.lower() == "credentials":
        return put(endpoint, {"role": InterfaceRole.SENDER.value})
    return put(endpoint, {"role": interface_of(module, trail.known.role).value})


def written(kind: str, change: Translate) -> Translate:
    return in_turn(change, plain(v2_1_1.SCHEMAS[kind]))


known_response = known("result", COMMAND_RESPONSE_TYPE.values, instead="REJECTED")
upgrade_token = in_turn(
    newer("Token"), add_owner, renamed({"auth_id": "contract_id"}, checked=True)
)
downgrade_token = in_turn(
    renamed({"contract_id": "auth_id"}),
    known("type", v2_1_1.TOKEN_TYPE.values, instead="OTHER"),
    drop_owner,
    without("group_id", "default_profile_type", "energy_contract"),
)
start_up = in_turn(newer("StartSession"), within("token", change=upgrade_token), name_connector)
start_down = in_turn(within("token", change=downgrade_token), older("StartSession"))
reserve_up = in_turn(newer("ReserveNow"), within("token", change=upgrade_token), number_to_id)
reserve_down = in_turn(within("token", change=downgrade_token), older("ReserveNow"), id_to_number)
references_up = without("connector_ids")

V2_1_1 = Version(
    "2.1.1",
    # The result of a command is told by the same class as the answer to it.
    {**v2_1_1.SCHEMAS, "CommandResult": v2_1_1.CommandResponse},
    newer=V2_2_1,
    upgrades={
        "Location": upgrade_location,
        "EVSE": upgrade_evse,
        "Connector": upgrade_connector,
        "Tariff": upgrade_tariff,
        "Session": upgrade_session,
        "CDR": upgrade_cdr,
        "Token": upgrade_token,
        "LocationReferences": references_up,
        "AuthorizationInfo": in_turn(
            newer("AuthorizationInfo"), insert_token, within("location", change=references_up)
        ),
        "StartSession": start_up,
        "ReserveNow": reserve_up,
        "CommandResponse": in_turn(newer("CommandResponse"), upgrade_response),
        "CommandResult": in_turn(
            newer("CommandResponse"), known("result", COMMAND_RESULT_TYPE.values, instead="FAILED")
        ),
        "Credentials": upgrade_credentials,
        "VersionDetails": each("endpoints", change=add_interface_role),
    },
    downgrades={
        "Location": written("Location", downgrade_location),
        "EVSE": written("EVSE", downgrade_evse),
        "Connector": written("Connector", downgrade_connector),
        "Tariff": written("Tariff", downgrade_tariff),
        "Session": written("Session", downgrade_session),
        "CDR": written("CDR", downgrade_cdr),
        "Token": written("Token", downgrade_token),
        "AuthorizationInfo": written(
            "AuthorizationInfo", in_turn(drop("token"), without("authorization_reference"))
        ),
        "StartSession": written("StartSession", start_down),
        "ReserveNow": written("ReserveNow", reserve_down),
        "CommandResponse": in_turn(drop("timeout"), without("message")),
        "CommandResult": in_turn(
            known("result", v2_1_1.COMMAND_RESPONSE_TYPE.values, instead="REJECTED"),
            without("message"),
        ),
        "Credentials": written("Credentials", downgrade_credentials),
        "VersionDetails": each("endpoints", change=drop("role")),
    },
    peer_to_peer=True,
    token_form="raw",  # noqa: S106 - the form, not the token
    # There are no hubs, so none has errors; HTTP says that a token is unknown (BRIDGE-07).
    codes={2004: 2001, 4000: 3000, 4001: 3000, 4002: 3000, 4003: 3000},
)
