"""Which command came before, for what refers to it without saying whose it was."""

from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from hub.models.commands import Command, CommandResult
from hub.models.values import CommandState, Party
from hub.roaming.commands.commands import ACCEPTED, TIMEOUT, subject


async def receiver_of_reservation(
    db: AsyncSession, caller: Party, reservation_id: str
) -> Party | None:
    """The party that was asked for a reservation last and did not refuse it (HUB-35)."""
    command = await last(
        db,
        "RESERVE_NOW",
        subject("reservation", reservation_id),
        Command.from_country_code == caller.country_code,
        Command.from_party_id == caller.party_id,
    )
    return Party.of(command.to_country_code or "", command.to_party_id or "") if command else None


async def setter_of_profile(
    db: AsyncSession, receiver_partner: UUID | None, session_id: str
) -> Party | None:
    """The party that set a session's charging profile last (CHP-10)."""
    command = await last(
        db,
        "SET_CHARGING_PROFILE",
        subject("session", session_id),
        Command.to_partner_id.is_not_distinct_from(receiver_partner),
    )
    if command is None:
        return None
    return Party.of(command.from_country_code or "", command.from_party_id or "")


async def last(
    db: AsyncSession, type_: str, about: str, *conditions: ColumnElement[bool]
) -> Command | None:
    """The latest command of a kind about something that was not refused and did not fail.

    One whose result did not come in time may have been carried out all the same. A result counts
    that was told, and another one only where nobody was told that it was done.
    """
    done, result = aliased(CommandResult), CommandResult.result.op("->>")("result")
    told_done = select(done.id).where(
        done.command_id == Command.id, done.told, done.result.op("->>")("result") == ACCEPTED
    )
    failed = select(CommandResult.id).where(
        CommandResult.command_id == Command.id,
        result.not_in([ACCEPTED, TIMEOUT]),
        CommandResult.told | ~told_done.correlate(Command).exists(),
    )
    return await db.scalar(
        select(Command)
        .where(
            Command.subject == about,
            Command.type == type_,
            Command.state != CommandState.REFUSED,
            ~failed.exists(),
            *conditions,
        )
        .order_by(Command.created_at.desc())
        .limit(1)
    )
