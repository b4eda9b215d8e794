"""The OCPI envelope: every answer wears it, errors too (TRANSPORT-07, TRANSPORT-70)."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from aiohttp import web

from hub import codec
from hub.errors import HubError, InvalidRequest, MalformedRequest, TooLarge
from hub.keys import SETTINGS
from hub.ocpi.versions.base import Version

# What the envelope says, for those who do not want to read it.
STATUS_CODE: web.ResponseKey[int] = web.ResponseKey("status_code", int)


def now() -> str:
    return moment(int(time.time()))


@lru_cache(maxsize=1)
def moment(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def success(
    data: Any = None,
    *,
    http_status: int = 200,
    headers: Mapping[str, str] | None = None,
    text: str | None = None,
    message: str = "Success",
) -> web.Response:
    """An answer of 1000. ``text`` is ``data`` already written as JSON; neither: ``data`` is left
    out.
    """
    if text is None and data is not None:
        text = codec.write_text(data)
    return envelope(1000, message, text, http_status, headers)


def failure(error: HubError, version: Version | None = None) -> web.Response:
    """An answer that says what went wrong, with a status code that the version has."""
    text = None if error.data is None else codec.write_text(error.data)
    code = error.status_code if version is None else version.code(error.status_code)
    return envelope(code, str(error), text, error.http_status, error.headers)


def envelope(
    status_code: int,
    message: str,
    data: str | None,
    http_status: int,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    head = f'"data":{data},' if data is not None else ""
    body = (
        f'{{{head}"status_code":{status_code},"status_message":{codec.write_text(message)},'
        f'"timestamp":"{now()}"}}'
    )
    response = web.Response(
        body=body.encode(), status=http_status, content_type="application/json", headers=headers
    )
    response[STATUS_CODE] = status_code
    return response


async def read_bytes(request: web.Request) -> bytes:
    """The body, within the limit. Compressed requests are refused: OCPI needs none (T-21)."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise MalformedRequest("Content-Encoding is not accepted: send the body uncompressed.")
    limit = request.config_dict[SETTINGS].max_body_bytes
    if request.content_length is not None and request.content_length > limit:
        raise TooLarge(f"The body is larger than {limit} bytes.")
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise TooLarge(f"The body is larger than {limit} bytes.") from None


def unwrapped(value: Any) -> Any:
    """A single object that came wrapped in a list, as some platforms send it (tolerance 5)."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


async def read_object(request: web.Request, *, optional: bool = False) -> dict[str, Any] | None:
    """The JSON object in the body.

    ``optional``: nothing, null and {} all come back as None (TOK-15).
    """
    body = await read_bytes(request)
    if optional and not body.strip():
        return None
    try:
        value = codec.read(body)
    except codec.BadJSON as error:
        raise MalformedRequest(f"The body is not valid JSON: {error}") from None
    value = unwrapped(value)
    if optional and not value:
        return None
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be one JSON object.")
    return value
