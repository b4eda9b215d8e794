"""Telling those who may see more since agreements have changed, and saying who they are."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web
from marshmallow import Schema, fields
from sqlalchemy.ext.asyncio import AsyncSession

from hub.admin.input import Input
from hub.admin.routes import QUERY
from hub.keys import DIRECTORY, SENDER
from hub.roaming.feed.disclosure import Gain, disclose
from hub.roaming.network import agreements
from hub.roaming.network.audience import Audience


class TellQuery(Input):
    tell = fields.Boolean(
        load_default=True,
        metadata={
            "description": "Whether partners that may see more now are told what there is. They get"
            " it with its next change in any case, or when they ask for it."
        },
    )


class Gained(Schema):
    """What one partner may see of one module that it could not see before."""

    partner_id = fields.UUID()
    partner = fields.String()
    module = fields.String()
    objects = fields.Integer(
        metadata={
            "description": "New to it. What has changed since the oldest of them, it is told again."
        }
    )


TOLD = fields.List(
    fields.Nested(Gained),
    metadata={"description": "Who may see more now and is told of it; nobody if tell is false."},
)


async def tell(request: web.Request, db: AsyncSession, before: Audience) -> list[dict[str, Any]]:
    """In the transaction that changed what is agreed. Afterwards say ``wake``."""
    if not request[QUERY]["tell"]:
        return []
    return shown(await disclose(db, before, await agreements.audience(db)))


def shown(gains: Sequence[Gain]) -> list[dict[str, Any]]:
    return [
        {
            "partner_id": gain.partner.id,
            "partner": gain.partner.name,
            "module": gain.source,
            "objects": gain.objects,
        }
        for gain in gains
    ]


def wake(request: web.Request, tenant_id: Any) -> None:
    """Who may see what is read anew with the next request, and told at once."""
    request.config_dict[DIRECTORY].forget(tenant_id)
    request.config_dict[SENDER].wake(tenant_id)


def with_told(row: Any, told: list[dict[str, Any]]) -> Any:
    """The row, to be shown with who is told."""
    row.told = told
    return row
