"""What must be done for stations now and then, whichever process does it.

Drops sockets that are silent, writes down who was heard of, shows stations as UNKNOWN whose socket
has been gone for longer than the grace period, bills transactions whose end was never reported,
stops those whose token may take no more, and has certificates renewed in time.
"""

import asyncio
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import select

from hub.background import ended
from hub.errors import Unavailable
from hub.models.stations import ChargingStation
from hub.ocpp import call_rows, doubts
from hub.ocpp.conversation.frames import Payload
from hub.ocpp.conversation.outgoing import UNANSWERED
from hub.ocpp.conversation.registry import Conversation
from hub.ocpp.tls.renewals import Renewals
from hub.ocpp.wire import Wire
from hub.roaming.charging import allowances, billing, meter_intake
from hub.roaming.stations import stations

log = structlog.get_logger()

EVERY = 15.0


class Upkeep:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.task: asyncio.Task[None] | None = None
        self.renewals = Renewals(wire)

    async def start(self) -> None:
        self.task = asyncio.create_task(self.run())

    async def stop(self) -> None:
        await ended(self.task)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.once()
            except Unavailable:
                log.warning("stations not looked after")
            except Exception:
                # The next round must come whatever this one met.
                log.exception("looking after stations failed")

    async def once(self) -> None:
        self.drop_silent()
        await self.write_heard()
        await self.show_absent()
        await self.settle()
        await self.look_into_doubts()
        await self.stop_what_is_spent()
        await self.renew_certificates()

    def drop_silent(self) -> None:
        for conversation in self.wire.registry.silent_for(self.wire.longest_silence):
            log.warning("silent connection dropped", station=conversation.identity)
            conversation.link.abort()

    async def write_heard(self) -> None:
        """Every station with a socket here counts as heard of: what is dead was dropped."""
        for tenant_id, here in self.wire.registry.by_tenant().items():
            async with self.wire.database.transaction(tenant_id) as db:
                await stations.seen(db, list(here), self.wire.process)

    async def look_into_doubts(self) -> None:
        for tenant_id, here in self.wire.registry.by_tenant().items():
            await doubts.look_into(self.wire, tenant_id, here)

    async def renew_certificates(self) -> None:
        for tenant_id, here in self.wire.registry.by_tenant().items():
            await self.renewals.look(tenant_id, here)
        self.renewals.forget()

    async def stop_what_is_spent(self) -> None:
        """By the process that holds the socket, so that it is asked once."""
        for tenant_id, here in self.wire.registry.by_tenant().items():
            async with self.wire.database.transaction(tenant_id) as db:
                found = await allowances.spent(db, list(here))
            await asyncio.gather(
                *(stop(here[station_id], transaction_id) for station_id, transaction_id in found)
            )

    async def show_absent(self) -> None:
        grace = timedelta(seconds=self.wire.grace)
        async with self.wire.database.platform() as db:
            absent = await stations.gone_quiet(db, grace)
        for ref in absent:
            async with self.wire.database.transaction(ref.tenant_id) as db:
                moved = await stations.offline(db, ref, grace)
            self.wire.told(ref.tenant_id, moved)

    async def settle(self) -> None:
        async with self.wire.database.platform() as db:
            tenants = await db.scalars(select(ChargingStation.tenant_id).distinct())
            found = [UUID(str(tenant_id)) for tenant_id in tenants]
        for tenant_id in found:
            async with self.wire.database.transaction(tenant_id) as db:
                await call_rows.give_up_overdue(db)
                moved = await billing.settle_overdue(db, self.wire.policy)
                moved += await meter_intake.show_due(db)
            self.wire.told(tenant_id, moved)


async def stop(conversation: Conversation, transaction_id: str) -> None:
    try:
        if conversation.link.version.is_2x:
            asked: Payload = {"transactionId": transaction_id}
            await conversation.call("RequestStopTransaction", asked)
        else:
            asked = {"transactionId": int(transaction_id)}
            await conversation.call("RemoteStopTransaction", asked)
    except UNANSWERED as error:
        log.warning("session not stopped", station=conversation.identity, reason=str(error))
