"""What a log line or a trace may show of a value: nothing of a secret, a hint of a person.

Two nets, so that no call has to remember it: the name of a field, and the look of the text itself.
Names are compared without case, `-` like `_`.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

HIDDEN = "***"

SECRET_NAMES = frozenset(
    {
        "authorization",
        "proxy_authorization",
        "cookie",
        "set_cookie",
        "token",
        "token_a",
        "token_b",
        "token_c",
        "dsn",
        "database_url",
        "secret_keys",
        "passphrase",
        "private_key",
        "api_key",
        "session_id",
    }
)
SECRET_ENDINGS = ("password", "secret", "_token", "api_key", "private_key", "token_to_send")
# Who is charging: RFID numbers, contracts, and what a driver prints on a card.
PERSONAL_NAMES = frozenset(
    {
        "uid",
        "token_uid",
        "rfid",
        "id_tag",
        "idtag",
        "parent_id_tag",
        "parentidtag",
        "id_token",
        "idtoken",
        "auth_id",
        "contract_id",
        "emaid",
        "visual_number",
        "group_id",
        "group_id_token",
        "driver_id",
        "email",
        "phone",
        "license_plate",
    }
)
# An eMobility contract begins with the country and the provider, who are no secret.
CONTRACT = re.compile(r"([A-Za-z]{2}[-*]?[A-Za-z0-9]{3}[-*]?)[A-Za-z0-9]{4}")
SHORTEST_HINTED = 6
HINT = 2

SCHEME = re.compile(r"(?i)\b(token|bearer|basic)(\s+|%20)([^\s\"',;]{16,})")
HEADER = re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(['\"]?\s*[:=]\s*)[^\r\n]+")
# Long runs without a break: tokens, keys, digests, raw or in base64 or hexadecimal.
LONG_RUN = re.compile(r"[A-Za-z0-9_+-]{40,}={0,2}")
# 32 bytes in base64 with its own alphabet: a key of the keyring.
KEY_LOOK = re.compile(r"[A-Za-z0-9+/]{43}=(?![A-Za-z0-9+/=])")
URL_PASSWORD = re.compile(r"(://[^\s/@:]*:)[^\s/@]+@")
TOKENS_PATH = re.compile(r"(?i)(/tokens/)([^\s?#\"']+)")
QUERY = re.compile(r"([?&])([^=&?\s]{0,80})=([^&\s\"']+)")
QUERY_SECRET = re.compile(r"(?i)token|key|secret|password|signature|uid|contract")
# Below this many characters nothing of the above fits.
SHORTEST_SUSPICIOUS = 8
SHORTEST_RANDOM = 40
# Deeper than any message; what contains itself ends here too.
DEEPEST = 40


def mask(name: str, value: Any, depth: int = 0) -> Any:
    """The value as it may be shown under this name; containers are masked member by member."""
    if isinstance(value, str):
        return mask_named(name, value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth > DEEPEST:
        return HIDDEN
    if isinstance(value, Mapping):
        return {
            mask_text(str(key)): mask(str(key), member, depth + 1) for key, member in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [mask(name, member, depth + 1) for member in value]
    return value if kind_of(name) is None else mask_named(name, str(value))


def mask_named(name: str, text: str) -> str:
    match kind_of(name):
        case "secret":
            return HIDDEN
        case "personal":
            return mask_personal(text)
    return mask_text(text)


@lru_cache(maxsize=4096)
def kind_of(name: str) -> str | None:
    plain = name.lower().replace("-", "_")
    if plain in SECRET_NAMES or plain.endswith(SECRET_ENDINGS):
        return "secret"
    return "personal" if plain in PERSONAL_NAMES else None


def mask_personal(text: str) -> str:
    """Enough to tell that two lines may speak of the same driver, too little to find one."""
    if contract := CONTRACT.match(text):
        return contract[1] + HIDDEN
    return text[:HINT] + HIDDEN if len(text) >= SHORTEST_HINTED else HIDDEN


def mask_text(text: str) -> str:
    """Hide what looks like a secret or a driver inside any text, a URL or a traceback."""
    if len(text) < SHORTEST_SUSPICIOUS:
        return text
    lower = text.lower()
    if "/tokens/" in lower:
        text = TOKENS_PATH.sub(hide_token_path, text)
    if "://" in lower:
        text = URL_PASSWORD.sub(rf"\1{HIDDEN}@", text)
    if "=" in lower:
        text = QUERY.sub(hide_query_value, text)
    if "authorization" in lower or "cookie" in lower:
        text = HEADER.sub(rf"\1\2{HIDDEN}", text)
    if "token" in lower or "bearer" in lower or "basic" in lower:
        text = SCHEME.sub(rf"\1 {HIDDEN}", text)
    if len(text) >= SHORTEST_RANDOM:
        text = LONG_RUN.sub(hide_random, KEY_LOOK.sub(HIDDEN, text))
    return text


def hide_random(found: re.Match[str]) -> str:
    """Words joined with dashes have no digits and keep to one case."""
    run = found[0]
    of_one_case = run in {run.lower(), run.upper()}
    return run if of_one_case and not any(map(str.isdigit, run)) else HIDDEN


def hide_query_value(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}={HIDDEN}" if QUERY_SECRET.search(found[2]) else found[0]


def hide_token_path(found: re.Match[str]) -> str:
    """`/tokens/{uid}/authorize` and `/tokens/{country}/{party}/{uid}`: only the verb is shown."""
    authorize = "/authorize" if found[2].rstrip("/").endswith("/authorize") else ""
    return found[1] + HIDDEN + authorize
