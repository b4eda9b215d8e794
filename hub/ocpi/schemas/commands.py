"""Commands, their immediate answers and their results, as of OCPI 2.3.0."""

from hub.ocpi.schemas.enums import OneOf, closed, open_enum
from hub.ocpi.schemas.fields import URL, CiString, Integer, Timestamp
from hub.ocpi.schemas.objects import Object, many, one
from hub.ocpi.schemas.tokens import Token
from hub.ocpi.schemas.types import DisplayText

COMMAND_TYPE = open_enum(
    "CommandType",
    "CANCEL_RESERVATION",
    "RESERVE_NOW",
    "START_SESSION",
    "STOP_SESSION",
    "UNLOCK_CONNECTOR",
)
COMMAND_RESPONSE_TYPE = closed(
    "CommandResponseType", "NOT_SUPPORTED", "REJECTED", "ACCEPTED", "UNKNOWN_SESSION"
)
COMMAND_RESULT_TYPE = closed(
    "CommandResultType",
    "ACCEPTED",
    "CANCELED_RESERVATION",
    "EVSE_OCCUPIED",
    "EVSE_INOPERATIVE",
    "FAILED",
    "NOT_SUPPORTED",
    "REJECTED",
    "TIMEOUT",
    "UNKNOWN_RESERVATION",
)


class CancelReservation(Object):
    response_url = URL(required=True)
    reservation_id = CiString(36, required=True)


class ReserveNow(Object):
    response_url = URL(required=True)
    token = one(Token, required=True)
    expiry_date = Timestamp(required=True)
    reservation_id = CiString(36, required=True)
    location_id = CiString(36, required=True)
    evse_uid = CiString(36)
    authorization_reference = CiString(36)


class StartSession(Object):
    """A connector is named within its EVSE (CMD-12)."""

    needs = {"connector_id": "evse_uid"}

    response_url = URL(required=True)
    token = one(Token, required=True)
    location_id = CiString(36, required=True)
    evse_uid = CiString(36)
    connector_id = CiString(36)
    authorization_reference = CiString(36)


class StopSession(Object):
    response_url = URL(required=True)
    session_id = CiString(36, required=True)


class UnlockConnector(Object):
    response_url = URL(required=True)
    location_id = CiString(36, required=True)
    evse_uid = CiString(36, required=True)
    connector_id = CiString(36, required=True)


class CommandResponse(Object):
    """``timeout`` is the number of seconds in which the result is to be expected."""

    result = OneOf(COMMAND_RESPONSE_TYPE, required=True)
    timeout = Integer(required=True)
    message = many(DisplayText)


class CommandResult(Object):
    result = OneOf(COMMAND_RESULT_TYPE, required=True)
    message = many(DisplayText)
