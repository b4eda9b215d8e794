"""Results of commands as a stream of changes: each goes to the URL that its caller named.

A result is told until it is too old to mean anything; after that nobody waits for it any more.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, func, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Uuid

from hub.models.commands import CommandResult
from hub.models.values import Party
from hub.roaming.commands import commands
from hub.roaming.cursors import RESULTS
from hub.roaming.feed.changes import (
    BETWEEN,
    IN_ORDER,
    Addressees,
    Change,
    ReplyTo,
    Source,
    key_of,
    place_of,
    reader,
)
from hub.roaming.network.audience import Audience

TELLING = (
    "select result.id, result.command_id, result.result::text as document, result.expires_at,"
    " result.changed_xid, result.changed_seq, command.result_kind, command.response_url,"
    " command.correlation_id,"
    " command.from_partner_id, command.from_country_code, command.from_party_id,"
    " command.to_country_code, command.to_party_id"
    " from command_results as result join commands as command on command.id = result.command_id"
    " where result.told and result.settled_at is null"
    " and result.expires_at > clock_timestamp() and "
)
READ = text(f"{TELLING}{BETWEEN.format('result.')} {IN_ORDER.format('result.')}")
FIND = text(f"{TELLING}result.id = any(:ids)").bindparams(bindparam("ids", type_=ARRAY(Uuid())))


def tell(row: Row[Any]) -> Change:
    owner = Party(row.to_country_code, row.to_party_id)
    return Change(
        place=place_of(row),
        ref=f"{owner.country_code}/{owner.party_id}/{row.id}",
        kind=row.result_kind,
        owner=owner,
        # Results of one command go one after the other.
        path=(str(row.command_id),),
        document=row.document,
        row_id=row.id,
        method="POST",
        broadcast=False,
        receiver=Party(row.from_country_code, row.from_party_id),
        reply_to=ReplyTo(row.from_partner_id, row.response_url, commands.url_place(row.command_id)),
        correlation=row.correlation_id,
        expires_at=row.expires_at,
    )


async def find(db: AsyncSession, refs: Sequence[str]) -> list[Change]:
    rows = await db.execute(FIND, {"ids": [UUID(key_of(ref)[2]) for ref in refs]})
    return [tell(row) for row in rows]


def caller(audience: Audience, change: Change) -> Addressees:
    """The platform that asked, whatever is agreed by now: it has a right to its answer."""
    assert change.reply_to is not None
    assert change.receiver is not None
    return [
        (connection, change.receiver)
        for connection in audience.connections
        if connection.id == change.reply_to.partner_id
    ]


async def settle(db: AsyncSession, result_ids: Sequence[UUID]) -> None:
    """The callers took these results."""
    await db.execute(
        update(CommandResult)
        .where(CommandResult.id.in_(result_ids))
        .values(settled_at=func.clock_timestamp())
    )


def source(lane: int, batch: int) -> Source:
    return Source(
        name=RESULTS,
        read=reader(READ, tell),
        find=find,
        addressees=caller,
        tables=("command_results",),
        endpoint=None,
        record=True,
        lane=lane,
        batch=batch,
        settle=settle,
    )
