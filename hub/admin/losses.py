"""What objects lost on their way from one OCPI version to another, and why."""

from typing import Any

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.admin.auth import transaction
from hub.admin.input import PartyField
from hub.admin.output import PageQuery, page, page_of
from hub.admin.routes import QUERY, Routes
from hub.models.losses import Direction, Loss
from hub.ocpi.versions import VERSIONS
from hub.roaming.feed.sources import SOURCES

routes = Routes("Objects")


class LossQuery(PageQuery):
    module = fields.String(validate=validate.OneOf(list(SOURCES)))
    party = PartyField(metadata={"description": "The owner of the objects."})
    version = fields.String(validate=validate.OneOf(list(VERSIONS)))
    direction = fields.String(validate=validate.OneOf(list(Direction)))


class Part(Schema):
    path = fields.String(
        metadata={"description": "Where in the object; empty for the object as a whole."}
    )
    reason = fields.String()


class LossShown(Schema):
    module = fields.String()
    object_ref = fields.String()
    ocpi_version = fields.String()
    direction = fields.String(
        validate=validate.OneOf(list(Direction)),
        metadata={"description": "READ: it came in this version; WRITTEN: it goes out in it."},
    )
    losses = fields.List(fields.Nested(Part))
    updated_at = fields.AwareDateTime()


LossPage: type[Schema] = page_of(LossShown)


@routes.get("/losses", permission="objects.read", query=LossQuery, answer=LossPage)
async def list_losses(request: web.Request) -> Any:
    """What older versions could not say of objects, newest first.

    An object that cannot be said at all has one part with an empty path; partners who speak that
    version do not get it.
    """
    query = request[QUERY]
    found = select(Loss)
    for name, column in (
        ("module", Loss.module),
        ("version", Loss.ocpi_version),
        ("direction", Loss.direction),
    ):
        if name in query:
            found = found.where(column == query[name])
    if "party" in query:
        owner = f"{query['party'].country_code}/{query['party'].party_id}/"
        found = found.where(Loss.object_ref.startswith(owner, autoescape=True))
    async with transaction(request) as db:
        return await page(db, found, Loss, query)


async def of_object(db: AsyncSession, module: str, ref: str) -> list[Loss]:
    """Of one object and, where it is a location, of its EVSEs."""
    found = await db.scalars(
        select(Loss)
        .where(
            Loss.module == module,
            or_(Loss.object_ref == ref, Loss.object_ref.startswith(f"{ref}/", autoescape=True)),
        )
        .order_by(Loss.direction, Loss.ocpi_version.desc(), Loss.object_ref)
    )
    return list(found)
