"""What an operator may see of a message: neither a password nor who was charging.

The names and looks that ``hub.masking`` knows, and what only OCPP has: settings whose name is the
value of another member.
"""

import re
from typing import Any

from hub import codec
from hub.masking import HIDDEN, mask, mask_text
from hub.ocpp.conversation.frames import Payload

SECRET_SETTINGS = frozenset({"authorizationkey", "basicauthpassword"})
# The members that hold a setting's value, in either version.
VALUES = frozenset({"value", "attributeValue", "variableAttribute"})
SECRET_MEMBERS = frozenset({"simPin"})


def redact(payload: Payload) -> Payload:
    """A copy to look at. Equal to the payload when there was nothing to hide."""
    shown: Payload = mask("payload", without_secret_settings(payload))
    return shown


def without_secret_settings(value: Any) -> Any:
    match value:
        case dict():
            secret = names_a_secret(value)
            return {
                name: HIDDEN
                if name in SECRET_MEMBERS or (secret and name in VALUES)
                else without_secret_settings(member)
                for name, member in value.items()
            }
        case list():
            return [without_secret_settings(member) for member in value]
    return value


def names_a_secret(value: Payload) -> bool:
    """Whether this is a setting that nobody may read: AuthorizationKey, BasicAuthPassword."""
    match value:
        case {"key": str(name)} | {"variable": {"name": str(name)}}:
            return name.lower() in SECRET_SETTINGS
    return False


def redact_frame(text: str) -> str:
    """One frame as it went over the wire, with its payload redacted; also one that is no JSON."""
    try:
        frame = codec.read(text)
    except codec.BadJSON:
        return redact_text(text)
    if not isinstance(frame, list):
        return redact_text(text)
    return codec.write_text(
        [redact(member) if isinstance(member, dict) else mask("frame", member) for member in frame]
    )


# A member with a text, perhaps cut off: of a frame that is broken, or too long to be kept whole.
MEMBER = re.compile(r'"(\w{1,64})"(\s*:\s*)"((?:[^"\\]|\\.)*)("?)')
SETTING = re.compile("|".join(SECRET_SETTINGS), re.IGNORECASE)


def redact_text(text: str) -> str:
    """A frame that cannot be read as one: by the names of its members, the best that can be done.

    Where a secret setting is named, nothing of the payload is shown: its value may stand anywhere.
    """
    if SETTING.search(text):
        return mask_text(text.partition("{")[0]) + HIDDEN
    return mask_text(MEMBER.sub(redact_member, text))


def redact_member(found: re.Match[str]) -> str:
    name, colon, value, end = found.groups()
    shown = HIDDEN if name in SECRET_MEMBERS else mask(name, value)
    return f'"{name}"{colon}"{shown}{end}'
