"""Commands and charging profiles: who asked whom for what, and what came of it."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.admin.auth import transaction
from hub.admin.input import PartyField
from hub.admin.output import PageQuery, PartyOf, Shown, find, page, page_of, path_id
from hub.admin.routes import QUERY, Routes
from hub.masking import mask
from hub.models.commands import Command, CommandResult
from hub.models.values import CommandDirection, CommandState

routes = Routes("Commands")
NAMED = ("command", "hub command list")

STATES = {
    "OPENED": "on its way",
    "ANSWERED": "accepted; the result is due",
    "REFUSED": "not carried out: the response or `error` says why",
    "UNKNOWN": "sent, and nobody answered: it may have been carried out. It is never sent again",
    "FINISHED": "a result came",
    "EXPIRED": "accepted, and no result came in time",
}


class CommandQuery(PageQuery):
    type = fields.String(metadata={"description": "Such as START_SESSION."})
    state = fields.String(validate=validate.OneOf(list(CommandState)))
    from_ = PartyField(data_key="from", metadata={"allowed": "a party such as DE*TWO"})
    to = PartyField(metadata={"allowed": "a party such as NL*ONE"})
    about = fields.String(
        metadata={"description": "SESSION/ID, RESERVATION/ID or LOCATION/ID, as `about` shows it."}
    )
    correlation_id = fields.String()


class ResultShown(Schema):
    received_at = fields.AwareDateTime(attribute="created_at")
    result = fields.Dict(metadata={"description": "As in OCPI 2.3.0."})
    by_hub = fields.Boolean(metadata={"description": "The hub's own word: none came in time."})
    late = fields.Boolean(metadata={"description": "It came after its time."})
    told = fields.Boolean(
        metadata={"description": "It goes to the caller, who had not been told another before."}
    )
    taken_at = fields.AwareDateTime(
        attribute="settled_at",
        allow_none=True,
        metadata={"description": "When the caller's platform took it."},
    )
    told_until = fields.AwareDateTime(attribute="expires_at")


class CommandShown(Shown):
    type = fields.String()
    module = fields.String()
    state = fields.String(
        validate=validate.OneOf(list(STATES)),
        metadata={"description": "; ".join(f"{state}: {what}" for state, what in STATES.items())},
    )
    direction = fields.String(
        validate=validate.OneOf(list(CommandDirection)),
        metadata={"description": "FORWARDED to a partner, or LOCAL: to stations of our own."},
    )
    from_ = PartyOf("from_", data_key="from", metadata={"description": "Who asked."})
    to = PartyOf("to_", metadata={"description": "Who was asked."})
    about = fields.String(attribute="subject", allow_none=True)
    result = fields.String(
        allow_none=True, metadata={"description": "What the caller is told, if anything yet."}
    )
    error = fields.String(allow_none=True)
    correlation_id = fields.String(allow_none=True)
    answered_at = fields.AwareDateTime(allow_none=True)
    finished_at = fields.AwareDateTime(allow_none=True)
    deadline_at = fields.AwareDateTime(metadata={"description": "When the result is due."})


class CommandInFull(CommandShown):
    request = fields.Dict(metadata={"description": "As in OCPI 2.3.0, the driver masked."})
    response = fields.Dict(allow_none=True, metadata={"description": "The immediate answer."})
    results = fields.List(fields.Nested(ResultShown))
    taken_until = fields.AwareDateTime(
        attribute="expires_at", metadata={"description": "Until when a result is taken."}
    )


CommandPage: type[Schema] = page_of(CommandShown)


@routes.get("/commands", permission="commands.read", query=CommandQuery, answer=CommandPage)
async def list_commands(request: web.Request) -> Any:
    """Commands and requests for charging profiles, newest first."""
    query = request[QUERY]
    found = select(Command)
    for name in ("type", "state", "correlation_id"):
        if name in query:
            found = found.where(getattr(Command, name) == query[name])
    if "about" in query:
        found = found.where(Command.subject == query["about"].upper())
    if (caller := query.get("from_")) is not None:
        found = found.where(
            Command.from_country_code == caller.country_code,
            Command.from_party_id == caller.party_id,
        )
    if (receiver := query.get("to")) is not None:
        found = found.where(
            Command.to_country_code == receiver.country_code,
            Command.to_party_id == receiver.party_id,
        )
    async with transaction(request) as db:
        answer = await page(db, found, Command, query)
        await add_results(db, answer["items"])
    return answer


@routes.get("/commands/{id}", permission="commands.read", answer=CommandInFull)
async def show_command(request: web.Request) -> Any:
    """One command with everything that came of it."""
    async with transaction(request) as db:
        command: Any = await find(db, Command, path_id(request), *NAMED)
        await add_results(db, [command])
        db.expunge(command)
    command.request = without_driver(codec.read_stored(command.request))
    return command


async def add_results(db: AsyncSession, found: Sequence[Any]) -> None:
    """Every result, oldest first, and in one word what the caller is told."""
    wanted = CommandResult.command_id.in_([command.id for command in found])
    rows = await db.scalars(
        select(CommandResult).where(wanted).order_by(CommandResult.created_at, CommandResult.id)
    )
    results: dict[Any, list[Any]] = {}
    for row in rows:
        db.expunge(row)
        row.result = codec.read_stored(row.result)
        results.setdefault(row.command_id, []).append(row)
    for command in found:
        command.results = results.get(command.id, [])
        told = [row.result for row in command.results if row.told]
        command.result = told[-1].get("result") if told else None


def without_driver(request: dict[str, Any]) -> dict[str, Any]:
    """What was asked; a session is named as it is, for it says where to look further."""
    plain = {"session_id"}
    return {name: value if name in plain else mask(name, value) for name, value in request.items()}
