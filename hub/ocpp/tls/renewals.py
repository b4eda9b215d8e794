"""Asking stations for a new certificate while the old one still opens the door (A02).

Done by the process that holds the socket. When a station was asked last is only remembered: after
a restart it is asked once more, which costs a certificate that is never shown.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.stations import ChargingStation
from hub.ocpp.conversation.frames import OCPPVersion, Payload
from hub.ocpp.conversation.outgoing import UNANSWERED
from hub.ocpp.conversation.registry import Conversation
from hub.ocpp.identity import CERTIFICATE
from hub.ocpp.wire import Wire

log = structlog.get_logger()

BEFORE_THE_END = timedelta(days=30)
ASK_AGAIN = timedelta(days=3)


class Renewals:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        # Seconds of the monotonic clock, by station.
        self.asked: dict[UUID, float] = {}

    async def look(self, tenant_id: UUID, here: Mapping[UUID, Conversation]) -> None:
        """Ask those of the tenant's stations whose certificate ends soon."""
        async with self.wire.database.transaction(tenant_id) as db:
            due = await ending(db, list(here))
        now = time.monotonic()
        for station_id, end in due:
            last = self.asked.get(station_id)
            if last is None or now - last > ASK_AGAIN.total_seconds():
                self.asked[station_id] = now
                log.warning(
                    "certificate ends soon", station=here[station_id].identity, end=end.isoformat()
                )
                self.wire.spawn(ask(here[station_id]))

    def forget(self) -> None:
        """Those who were asked long ago need not be remembered."""
        oldest = time.monotonic() - ASK_AGAIN.total_seconds()
        self.asked = {one: at for one, at in self.asked.items() if at > oldest}


async def ending(db: AsyncSession, station_ids: list[UUID]) -> list[tuple[UUID, datetime]]:
    """Stations that nothing but a certificate of ours lets in, and when it ends."""
    found = await db.execute(
        select(ChargingStation.id, ChargingStation.certificate_expires_at).where(
            ChargingStation.id.in_(station_ids),
            ChargingStation.security_profile == CERTIFICATE,
            ChargingStation.certificate_expires_at < datetime.now(UTC) + BEFORE_THE_END,
        )
    )
    return [(station_id, end) for station_id, end in found if end is not None]


async def ask(conversation: Conversation) -> None:
    try:
        answer = await conversation.call(*wish(conversation.link.version))
    except UNANSWERED as error:
        log.warning("certificate not renewed", station=conversation.identity, reason=str(error))
        return
    if answer["status"] != "Accepted":
        log.warning("certificate not renewed", station=conversation.identity,
                    reason=answer["status"])  # fmt: skip


def wish(version: OCPPVersion) -> tuple[str, Payload]:
    """1.6 has a message of its own for what its security extension brought."""
    if version is OCPPVersion.V16:
        return "ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}
    return "TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"}
