"""Looking into transactions that may have ended without a word (``charging/missing_stops.py``).

Only the process that holds the station's socket does: a station that is away is left alone.
"""

import asyncio
from collections.abc import Mapping
from uuid import UUID

import structlog

from hub.ocpp.conversation.frames import CallRefused
from hub.ocpp.conversation.outgoing import BrokenAnswer, Disconnected, NoAnswer
from hub.ocpp.conversation.registry import Conversation
from hub.ocpp.wire import Wire
from hub.roaming.charging import missing_stops

log = structlog.get_logger()


async def look_into(wire: Wire, tenant_id: UUID, here: Mapping[UUID, Conversation]) -> None:
    """The doubts that are due at the stations of one tenant whose sockets are here."""
    async with wire.database.transaction(tenant_id) as db:
        due = await missing_stops.doubted(db, list(here))
    # At the same time: one station that does not answer must not hold up what is looked after next.
    await asyncio.gather(
        *(settle(wire, tenant_id, here[station_id], number) for station_id, number in due)
    )


async def settle(
    wire: Wire, tenant_id: UUID, conversation: Conversation, transaction_id: str
) -> None:
    over = await is_over(conversation, transaction_id)
    async with wire.database.transaction(tenant_id) as db:
        moved = await missing_stops.settle_doubt(
            db, conversation.ref, transaction_id, wire.policy, over=over
        )
    wire.told(tenant_id, moved)


async def is_over(conversation: Conversation, transaction_id: str) -> bool | None:
    """Whether it has ended, for all the station knows; None when it cannot say now.

    1.6 has no such question: there the time that was given for a word about it has passed.
    """
    if not conversation.link.version.is_2x:
        return True
    try:
        answer = await conversation.call("GetTransactionStatus", {"transactionId": transaction_id})
    except CallRefused:
        return True  # it does not know the question, and nothing was heard of the transaction
    except (NoAnswer, BrokenAnswer, Disconnected) as error:
        log.info("transaction status not told", station=conversation.identity, reason=str(error))
        return None
    if answer["messagesInQueue"]:
        return None  # its end may be among them
    return not answer.get("ongoingIndicator", False)
