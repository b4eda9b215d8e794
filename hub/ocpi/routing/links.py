"""URLs of the hub that stand for one of a partner's: a list's next page, a posted CDR (HUB-41).

The id in such a URL is random and unguessable; only its digest is kept, and only the partner it was
given to may follow it. The partner's own URL is encrypted and never shown to anybody else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from aiohttp import web
from sqlalchemy import select
from yarl import URL

from hub.errors import NotFound
from hub.keys import DATABASE, DIRECTORY, KEYRING, SETTINGS
from hub.models.routing import ResponseRoute, url_place
from hub.models.values import InterfaceRole, Party
from hub.ocpi.operation import Operation, custom
from hub.ocpi.operations import OPERATIONS
from hub.ocpi.request import CORRELATION_ID, FROM, OPERATION, PARTNER, VERSION
from hub.roaming.network.audience import Audience
from hub.roaming.network.partners import Connection
from hub.security import new_token

LIFETIME = {"LINK": timedelta(hours=1), "LOCATION": timedelta(days=400)}
BY_NAME = {operation.name: operation for operation in OPERATIONS}
NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel\s*=\s*"?next"?', re.IGNORECASE)


@dataclass(frozen=True)
class Link:
    """What a link leads to, for the party it was given to."""

    url: str
    partner_id: UUID
    party: Party
    caller: Party
    operation: Operation


def next_link(headers: Mapping[str, str]) -> str:
    """The URL of the next page; an empty or odd Link header means there is none (tolerance 9).

    A list may come with several: in one header, or in one each.
    """
    links = ", ".join(value for name, value in headers.items() if name.lower() == "link")
    found = NEXT.search(links)
    return found.group(1).strip() if found else ""


async def keep(
    request: web.Request, connection: Connection, party: Party, kind: str, target: str
) -> str:
    """Remember a partner's URL and return the hub's in its place; offset and limit stay visible."""
    token, row_id = new_token(), uuid4()
    keyring = request.config_dict[KEYRING]
    caller = request[FROM]
    assert caller is not None
    async with request.config_dict[DATABASE].transaction(request[PARTNER].tenant_id) as db:
        db.add(
            ResponseRoute(
                id=row_id,
                digest=keyring.digest(token),
                kind=kind,
                module=request[OPERATION].module,
                target_url=keyring.encrypt(target, context=url_place(row_id)),
                from_partner_id=request[PARTNER].id,
                to_partner_id=connection.id,
                from_country_code=caller.country_code,
                from_party_id=caller.party_id,
                to_country_code=party.country_code,
                to_party_id=party.party_id,
                correlation_id=request[CORRELATION_ID][:64],
                details=details_of(request[OPERATION], kind),
                expires_at=datetime.now(UTC) + LIFETIME[kind],
            )
        )
    url = f"{request.config_dict[SETTINGS].public_url}/ocpi/{request[VERSION].number}/link/{token}"
    shown = {name: URL(target).query.get(name) for name in ("offset", "limit")}
    visible = {name: value for name, value in shown.items() if value}
    return f"{url}?{urlencode(visible)}" if visible else url


def details_of(operation: Operation, kind: str) -> dict[str, Any]:
    if operation.custom:
        return {"custom": operation.interface}
    return {"operation": followed_by(operation, kind).name}


def operation_of(row: ResponseRoute) -> Operation:
    """What a GET of the link is."""
    details: dict[str, Any] = row.details or {}
    if "custom" in details:
        return custom(row.module, InterfaceRole(details["custom"]), "GET")
    return BY_NAME[details["operation"]]


def followed_by(operation: Operation, kind: str) -> Operation:
    """What a GET of the link is: the list again, or one object of the module."""
    if kind == "LINK":
        return operation
    return next(
        one
        for one in OPERATIONS
        if one.kept_as == operation.kept_as and one.reads and not one.many and one.answer
    )


async def find(request: web.Request) -> Link:
    """The link the URL names; NotFound for unknown, expired and other partners' ones alike."""
    keyring = request.config_dict[KEYRING]
    digests = keyring.digests(request.match_info["link_id"])
    async with request.config_dict[DATABASE].transaction(request[PARTNER].tenant_id) as db:
        row = await db.scalar(
            select(ResponseRoute).where(
                ResponseRoute.digest.in_(digests),
                ResponseRoute.from_partner_id == request[PARTNER].id,
                ResponseRoute.expires_at > datetime.now(UTC),
            )
        )
    if row is None:
        raise NotFound("This link is unknown or has expired. Ask for the list again.")
    return Link(
        keyring.decrypt(row.target_url, context=url_place(row.id)),
        row.to_partner_id,
        Party(row.to_country_code or "", row.to_party_id or ""),
        Party(row.from_country_code or "", row.from_party_id or ""),
        operation_of(row),
    )


async def audience(request: web.Request) -> Audience:
    return await request.config_dict[DIRECTORY].audience(request[PARTNER].tenant_id)
