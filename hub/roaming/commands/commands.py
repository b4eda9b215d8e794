"""The life of a command: a request whose result comes later.

    begin     before anything is sent: from here on it is sent at most once
    answered  the receiver accepted it or did not
    unsent, lost   it did not get there; nobody knows whether it did
    finish    a result came
    expire    none came in time

The state is what is known of the outcome, and nothing leads back from an end. A result is told to
the caller by the feed, so it survives whoever dies; one that comes when another was told already is
kept for the operator only. A reservation that was made may still be canceled by the CPO (CMD-11).
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit, codec
from hub.errors import InvalidRequest
from hub.models.commands import ActiveProfile, Command, CommandResult
from hub.models.values import AuditAction, CommandDirection, CommandState, Party
from hub.roaming.merging import Document, instant

# Seconds in which a result is due when the receiver does not say, and the longest it may say.
DUE, LONGEST_DUE = 30, 86_400
# How long after its time a result is still taken, and how long the hub tries to tell one.
LATE = timedelta(hours=1)
# However far ahead a reservation reaches, its URL does not live for ever.
LONGEST_RESERVATION = timedelta(days=31)
# Nobody looks back further at who asked whom; what was asked names drivers.
KEPT = timedelta(days=90)
# Results that contradict what was told; a few of them are enough to see that.
MOST_RESULTS = 10

ACCEPTED, CANCELED, TIMEOUT = "ACCEPTED", "CANCELED_RESERVATION", "TIMEOUT"
# The result that has a word for "none came"; charging profiles have none (CMD-04).
TIMES_OUT = "CommandResult"


@dataclass(frozen=True)
class Ask:
    """A command as it was asked for. ``request`` is canonical, without the ``response_url``.

    ``caller`` and ``receiver`` are parties, on partners; the hub's own party is on none.
    ``request_digest`` is of all that was sent. ``callback_digest`` is that of the URL at which a
    partner answers.
    """

    module: str
    type: str
    result_kind: str
    caller: Party
    caller_partner: UUID
    receiver: Party
    receiver_partner: UUID | None
    request: Document
    request_digest: bytes
    response_url: bytes
    request_id: str
    correlation_id: str
    callback_digest: bytes | None = None
    id: UUID = field(default_factory=uuid4)

    @property
    def subject(self) -> str | None:
        """What it is about, so that what comes later finds it."""
        for kind in ("reservation", "session", "location"):
            if found := self.request.get(f"{kind}_id"):
                return subject(kind, str(found))
        return None


def subject(kind: str, object_id: str) -> str:
    return f"{kind}/{object_id}".upper()[:100]


def url_place(command_id: UUID) -> str:
    """What the encryption of a ``response_url`` is bound to."""
    return f"commands/{command_id}/response_url"


class Repeated(Exception):
    """The same request is known: it is not sent again. ``command`` is the first one."""

    def __init__(self, command: Command) -> None:
        super().__init__("This command is known already.")
        self.command = command


async def begin(db: AsyncSession, ask: Ask) -> None:
    """Keep the command; raises ``Repeated`` for one that is under way, or that is sent twice."""
    known = await latest(db, ask.request_digest)
    if known is not None and repeats(ask, known):
        raise Repeated(known)
    added = await db.execute(
        insert(Command)
        .values(columns_of(ask, due_at=datetime.now(UTC) + timedelta(seconds=2 * DUE)))
        .on_conflict_do_nothing()
        .returning(Command.id)
    )
    if added.first() is None:
        known = await latest(db, ask.request_digest)
        assert known is not None, "what stands in the way of a command is the same command"
        raise Repeated(known)
    await audit.record(
        db,
        AuditAction.COMMAND_SENT,
        "command",
        ask.id,
        after={"type": ask.type, "from": str(ask.caller), "to": str(ask.receiver)},
        description=f"{ask.type} from {ask.caller} to {ask.receiver}",
    )


def columns_of(ask: Ask, *, due_at: datetime) -> dict[str, Any]:
    """The row of a command that has just been asked for."""
    forwarded = ask.receiver_partner is not None
    return {
        "id": ask.id,
        "direction": CommandDirection.FORWARDED if forwarded else CommandDirection.LOCAL,
        "module": ask.module,
        "type": ask.type,
        "result_kind": ask.result_kind,
        "subject": ask.subject,
        "from_partner_id": ask.caller_partner,
        "to_partner_id": ask.receiver_partner,
        "from_country_code": ask.caller.country_code,
        "from_party_id": ask.caller.party_id,
        "to_country_code": ask.receiver.country_code,
        "to_party_id": ask.receiver.party_id,
        "request": codec.write_text(ask.request),
        "request_digest": ask.request_digest,
        "request_id": ask.request_id[:64],
        "response_url": ask.response_url,
        "callback_digest": ask.callback_digest,
        "correlation_id": ask.correlation_id[:64],
        "deadline_at": due_at,
        "expires_at": expiry(ask.request, due_at),
    }


async def latest(db: AsyncSession, request_digest: bytes) -> Command | None:
    return await db.scalar(
        select(Command)
        .where(Command.request_digest == request_digest)
        .order_by(Command.created_at.desc())
        .limit(1)
    )


def repeats(ask: Ask, known: Command) -> bool:
    """Whether it is the same once more, and not a new try that says the same.

    The ``response_url`` of each command is another (CMD-02), so one that says the same in every
    word is the same as long as the first has not ended; with the same X-Request-ID it is for ever.
    What was not carried out may be tried again.
    """
    match known.state:
        case CommandState.REFUSED:
            return False
        case CommandState.OPENED | CommandState.ANSWERED:
            return True
        case CommandState.UNKNOWN if known.deadline_at > datetime.now(UTC):
            return True
    return known.request_id == ask.request_id[:64]


def expiry(request: Document, deadline: datetime) -> datetime:
    """Until when a result is taken: for a while after its time, and as long as a reservation."""
    expires_at = deadline + LATE
    with suppress(KeyError, ValueError, OverflowError):
        ends = instant(str(request["expiry_date"])) + LATE
        expires_at = max(expires_at, min(ends, deadline + LONGEST_RESERVATION))
    return expires_at


async def answered(db: AsyncSession, command_id: UUID, response: Document) -> None:
    """The receiver's immediate answer. If it is ACCEPTED, the result is due from now on."""
    command = await locked(db, command_id)
    now = datetime.now(UTC)
    command.response, command.answered_at = response, now
    if command.state not in {CommandState.OPENED, CommandState.UNKNOWN}:
        return  # the result was faster
    command.error = None
    if response.get("result") != ACCEPTED:
        command.state, command.finished_at = CommandState.REFUSED, now
        return
    seconds = response.get("timeout") or DUE
    command.state = CommandState.ANSWERED
    command.deadline_at = now + timedelta(seconds=max(1, min(int(seconds), LONGEST_DUE)))
    command.expires_at = expiry(codec.read_stored(command.request), command.deadline_at)


async def unsent(db: AsyncSession, command_id: UUID, reason: str) -> None:
    """It was not carried out: it did not reach the receiver, or that answered with an error."""
    await close(db, command_id, CommandState.REFUSED, reason)


async def lost(db: AsyncSession, command_id: UUID, reason: str) -> None:
    """It was sent, and no answer came: a result is still taken, and told."""
    await close(db, command_id, CommandState.UNKNOWN, reason)


async def close(db: AsyncSession, command_id: UUID, state: CommandState, reason: str) -> None:
    now = datetime.now(UTC)
    await db.execute(
        update(Command)
        .where(Command.id == command_id, Command.state == CommandState.OPENED)
        .values(
            state=state,
            error=reason[:500],
            finished_at=now if state == CommandState.REFUSED else None,
        )
    )


async def locked(db: AsyncSession, command_id: UUID) -> Command:
    return (
        await db.scalars(select(Command).where(Command.id == command_id).with_for_update())
    ).one()


async def by_callback(
    db: AsyncSession, digests: Sequence[bytes], partner_id: UUID | None
) -> Command | None:
    """The command that may be answered at a URL, locked; ``partner_id`` is who answers, if known.

    None for URLs that are unknown, expired or somebody else's, all alike (T-33).
    """
    found = select(Command).where(
        Command.callback_digest.in_(digests), Command.expires_at > func.clock_timestamp()
    )
    if partner_id is not None:
        found = found.where(Command.to_partner_id == partner_id)
    return await db.scalar(found.with_for_update())


async def finish(db: AsyncSession, command: Command, result: Document) -> bool:
    """Keep a result of a command that is locked; whether it is told to the caller.

    The same result again changes nothing.
    """
    known = list(
        await db.scalars(select(CommandResult).where(CommandResult.command_id == command.id))
    )
    if any(codec.read_stored(one.result) == result for one in known):
        return False
    now = datetime.now(UTC)
    told = is_told(command, result, known)
    if len(known) >= MOST_RESULTS and not told:
        raise InvalidRequest("This command has had more than enough results.")
    db.add(
        CommandResult(
            command_id=command.id,
            result=codec.write_text(result),
            late=now > command.deadline_at and result.get("result") != CANCELED,
            told=told,
            expires_at=now + LATE,
        )
    )
    if told:
        command.state = CommandState.FINISHED
        command.finished_at = command.finished_at or now
    return told


def is_told(command: Command, result: Document, known: Sequence[CommandResult]) -> bool:
    """The caller gets one result, and after it perhaps that a reservation is canceled."""
    if command.state == CommandState.REFUSED:
        return False
    before = [codec.read_stored(one.result).get("result") for one in known if one.told]
    if result.get("result") == CANCELED:
        return CANCELED not in before
    return not before


async def finish_own(db: AsyncSession, command_id: UUID, result: Document) -> bool:
    """The result of a command that the hub carried out itself."""
    return await finish(db, await locked(db, command_id), result)


EXPIRE = text(
    "update commands set state = case when state = 'ANSWERED' then 'EXPIRED' else 'UNKNOWN' end,"
    " finished_at = case when state = 'ANSWERED' then clock_timestamp() end,"
    " error = case when state = 'ANSWERED' then null"
    " else 'The hub was stopped before an answer came.' end, updated_at = now()"
    " where deadline_at < clock_timestamp() and state in ('OPENED', 'ANSWERED')"
    " returning id, state, result_kind"
)


async def expire(db: AsyncSession) -> int:
    """End what is overdue; how many callers are to be told TIMEOUT.

    Whoever never heard that its command was accepted is told nothing: no result is due to it.
    """
    ended = [
        row.id
        for row in await db.execute(EXPIRE)
        if row.state == CommandState.EXPIRED and row.result_kind == TIMES_OUT
    ]
    message = [{"language": "en", "text": "No result came in time."}]
    values: dict[str, Any] = {
        "result": codec.write_text({"result": TIMEOUT, "message": message}),
        "by_hub": True,
        "expires_at": datetime.now(UTC) + LATE,
    }
    for command_id in ended:
        db.add(CommandResult(command_id=command_id, **values))
    return len(ended)


async def forget(db: AsyncSession) -> None:
    """Drop what is older than anybody looks back. One tenant's."""
    too_old = datetime.now(UTC) - KEPT
    await db.execute(delete(Command).where(Command.created_at < too_old))
    await db.execute(delete(ActiveProfile).where(ActiveProfile.expires_at < too_old))
