"""OCPP-J frames: what one WebSocket text may be, and what is said about a wrong one.

    [2, id, action, payload]                 CALL
    [3, id, payload]                         CALLRESULT
    [4, id, code, description, details]      CALLERROR
    [5, id, code, description, details]      CALLRESULTERROR (2.1)
    [6, id, action, payload]                 SEND (2.1, is never answered)

Reading is strict about structure and forgiving nowhere: the ``ocpp`` library dies of an unhashable
action, of deep nesting and of long numbers. Only a CALLERROR may be short, because stations send it
so (four members) and there is nothing to protect.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hub import codec

MAX_FRAME = 256 * 1024
MAX_MESSAGE_ID = 36
MAX_ACTION = 64

Payload = dict[str, Any]


class OCPPVersion(StrEnum):
    """Versions by the number operators know; ``subprotocol`` is the name on the wire."""

    V16 = "1.6"
    V201 = "2.0.1"
    V21 = "2.1"

    @property
    def subprotocol(self) -> str:
        return f"ocpp{self.value}"

    @property
    def is_2x(self) -> bool:
        return self is not OCPPVersion.V16


class ErrorCode(StrEnum):
    """Error codes by what they mean; ``spelled`` gives the name that a version has for it."""

    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    INTERNAL = "InternalError"
    PROTOCOL = "ProtocolError"
    SECURITY = "SecurityError"
    FORMAT = "FormatViolation"
    PROPERTY = "PropertyConstraintViolation"
    OCCURRENCE = "OccurrenceConstraintViolation"
    TYPE = "TypeConstraintViolation"
    GENERIC = "GenericError"
    RPC = "RpcFrameworkError"
    MESSAGE_TYPE = "MessageTypeNotSupported"

    def spelled(self, version: OCPPVersion) -> str:
        return SPELLED_IN_16.get(self, self.value) if not version.is_2x else self.value


# OCPP 1.6 has other names, one of them misspelt and frozen so by errata 5.2.
SPELLED_IN_16 = {
    ErrorCode.FORMAT: "FormationViolation",
    ErrorCode.RPC: "FormationViolation",
    ErrorCode.OCCURRENCE: "OccurenceConstraintViolation",
    ErrorCode.MESSAGE_TYPE: "NotSupported",
}


class BadFrame(Exception):
    """A text that is no frame. ``answer`` is the CALLERROR to send; None when silence is right."""

    def __init__(self, reason: str, answer: str | None) -> None:
        super().__init__(reason)
        self.answer = answer


class CallRefused(Exception):
    """A CALL that gets a CALLERROR; raised by us for theirs and by them for ours."""

    def __init__(self, code: ErrorCode | str, description: str = "") -> None:
        super().__init__(f"{code}: {description}" if description else str(code))
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class Call:
    id: str
    action: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class Result:
    id: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class Error:
    id: str
    code: str
    description: str = ""
    # Type 5: they could not read the answer we gave.
    about_result: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    id: str
    action: str
    payload: Payload = field(default_factory=dict)


Frame = Call | Result | Error | Send


def read(text: str, version: OCPPVersion) -> Frame | None:
    """Read one frame. None for a type this version tells us to ignore; ``BadFrame`` otherwise."""
    if len(text) > MAX_FRAME:
        raise unreadable("The message is too long.", version)
    try:
        members = codec.read(text, max_string=MAX_FRAME)
    except codec.BadJSON as error:
        raise unreadable(f"Not JSON: {error}", version) from None
    if not isinstance(members, list) or not members:
        raise unreadable("Not an array.", version)
    message_id = read_id(members)
    return read_typed(members, message_id, version)


def read_typed(members: list[Any], message_id: str | None, version: OCPPVersion) -> Frame | None:
    """Read by message type; ``True`` and ``2.0`` equal whole numbers in Python but are none."""
    if type(members[0]) is not int:
        raise unreadable("The message type is not a whole number.", version)
    match members[0], version:
        case (2, _):
            return read_call(members, message_id, version)
        case (3, _):
            return read_result(members, message_id, version)
        case (4, _) | (5, OCPPVersion.V21):
            return read_error(members, message_id, version)
        case (6, OCPPVersion.V21):
            return read_send(members, message_id)
        case (_, OCPPVersion.V201):
            answer = write_error(message_id or "-1", ErrorCode.MESSAGE_TYPE, version)
            raise BadFrame("Not a known message type.", answer)
    return None  # 1.6 4.1.3 and 2.1: a type that is not in the list is ignored


def read_id(members: list[Any]) -> str | None:
    if len(members) < 2:  # noqa: PLR2004
        return None
    match members[1]:
        case str(text) if 0 < len(text) <= MAX_MESSAGE_ID:
            return text
    return None


def unreadable(reason: str, version: OCPPVersion, message_id: str | None = None) -> BadFrame:
    """2.x is told about everything it got wrong; 1.6 only when there is an id to answer to."""
    if message_id is None:
        answer = write_error("-1", ErrorCode.RPC, version) if version.is_2x else None
    else:
        answer = write_error(message_id, ErrorCode.RPC, version)
    return BadFrame(reason, answer)


def read_call(members: list[Any], message_id: str | None, version: OCPPVersion) -> Call:
    if message_id is None:
        raise unreadable("The message id is missing, too long or no string.", version)
    match members:
        case [_, _, str(action), dict(payload)] if 0 < len(action) <= MAX_ACTION:
            return Call(message_id, action, payload)
        case [_, _, str(action), _] if 0 < len(action) <= MAX_ACTION:
            answer = write_error(message_id, ErrorCode.FORMAT, version)
            raise BadFrame("The payload is not an object.", answer)
    raise unreadable("Not [2, id, action, payload].", version, message_id)


def read_result(members: list[Any], message_id: str | None, version: OCPPVersion) -> Result:
    # An answer is never answered, however broken: two sides could go on for ever.
    if message_id is None:
        raise BadFrame("An answer without a message id.", None)
    match members:
        case [_, _, dict(payload)]:
            return Result(message_id, payload)
    raise BadAnswer(message_id)


class BadAnswer(BadFrame):
    """An answer that names a CALL of ours but cannot be read: that CALL has failed."""

    def __init__(self, message_id: str) -> None:
        super().__init__("Not [3, id, payload].", None)
        self.message_id = message_id


def read_error(members: list[Any], message_id: str | None, version: OCPPVersion) -> Error:
    if message_id is None:
        raise BadFrame("An error without a message id.", None)
    code, description, *_ = [*(str(member) for member in members[2:4]), "", ""]
    return Error(
        message_id,
        code[:MAX_ACTION] or "GenericError",
        description[:255],
        members[0] == 5,  # noqa: PLR2004
    )


def read_send(members: list[Any], message_id: str | None) -> Send:
    match members:
        case [_, str(), str(action), dict(payload)] if message_id and 0 < len(action) <= MAX_ACTION:
            return Send(message_id, action, payload)
    raise BadFrame("Not [6, id, action, payload].", None)  # a SEND gets no answer, right or wrong


def write_call(message_id: str, action: str, payload: Payload) -> str:
    return codec.write_text([2, message_id, action, payload])


def write_result(message_id: str, payload: Payload) -> str:
    return codec.write_text([3, message_id, payload])


def write_error(
    message_id: str, code: ErrorCode, version: OCPPVersion, description: str = ""
) -> str:
    """A CALLERROR. Details stay empty: what we read is not the sender's to see again."""
    return codec.write_text([4, message_id, code.spelled(version), description[:255], {}])
