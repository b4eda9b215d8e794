"""What the conversations with stations need of the hub, in one place."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hub.background import Background
from hub.db import Database
from hub.ocpp.conversation.registry import Registry
from hub.ocpp.gate import Gate
from hub.roaming.charging import meter_intake, status_intake
from hub.roaming.charging.billing import Policy
from hub.roaming.charging.meter_intake import Metered, Taken
from hub.roaming.charging.status_intake import Kept, Reported
from hub.roaming.grouping import Grouping
from hub.roaming.ports import Issuers, StationRef
from hub.roaming.stations import boot_intake
from hub.roaming.stations.boot_intake import Booted
from hub.roaming.store.writes import Stored
from hub.security import Keyring, new_token

# Told after a commit which objects moved, so that the feed is looked at at once.
OnChange = Callable[[UUID, Sequence[Stored]], None]


# Answers a DataTransfer: the station, the messageId and the data, to the payload of the answer.
Vendor = Callable[[StationRef, str | None, Any], Awaitable[dict[str, Any]]]


def nobody_waits(tenant_id: UUID, moved: Sequence[Stored]) -> None:
    """For a hub that delivers by its sweep alone."""


@dataclass
class Wire:
    """``process`` names this process among those that serve the same database."""

    database: Database
    keyring: Keyring
    registry: Registry = field(default_factory=Registry)
    gate: Gate = field(default_factory=Gate)
    issuers: Issuers | None = None
    on_change: OnChange = nobody_waits
    process: str = field(default_factory=lambda: new_token()[:16])
    # Seconds between two pings of ours, and as much again by half until a station that answers none
    # is gone. On 5,000 sockets, pings every 10 seconds cost 7 % of a core, every 60 about 1 %.
    ping_interval: float = 60.0
    # Seconds between two heartbeats of a station, and how long it may be silent before it is
    # shown as UNKNOWN.
    heartbeat_interval: int = 300
    grace: float = 120.0
    policy: Policy = field(default_factory=Policy)
    # Seconds that an issuer has for its word on a token; the station gets one more.
    authorize_timeout: float = 3.0
    # Seconds that a guesser waits for each refusal.
    tarpit: float = 2.0
    # Whether stations of security profile 1 may come without TLS (T-48).
    trusted_network: bool = True
    # Set up stations on their first boot; tests of single messages switch it off.
    provisioning: bool = True
    # Seconds without any frame after which a socket is dead: all there is to tell it by where a
    # station answers no pings. Many say nothing between two of their heartbeats.
    longest_silence: float = 900.0
    # Seconds in which a station that reconnects may boot before it is asked for its states.
    patience_for_boot: float = 10.0
    # Seconds in which a station that has just connected may be reporting what it had kept back.
    draining: float = 60.0
    # Who answers DataTransfer, by vendor.
    vendors: Mapping[str, Vendor] = field(default_factory=dict)
    # Set when a tenant has got a CA: whoever listens with TLS is to trust it.
    new_authority: asyncio.Event = field(default_factory=asyncio.Event)
    # Work that outlives the connection it came from.
    background: Background = field(default_factory=Background)

    def __post_init__(self) -> None:
        # After an outage all stations come back at once, and each has kept something (F-17).
        self.database = self.database.lane()
        self.boots: Grouping[Booted, str] = Grouping(self.database, boot_intake.keep_boots)
        self.statuses: Grouping[Reported, Kept] = Grouping(
            self.database, status_intake.keep_statuses
        )
        self.meters: Grouping[Metered, Taken] = Grouping(
            self.database,
            meter_intake.take,
            lambda tenant_id, taken: self.told(
                tenant_id, [stored for one in taken for stored in one.moved]
            ),
        )

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.background.spawn(work)

    def told(self, tenant_id: UUID, moved: Sequence[Stored]) -> None:
        """After a commit: whoever delivers looks at what it moved."""
        if passed_on := [stored for stored in moved if stored.passed_on]:
            self.on_change(tenant_id, passed_on)

    async def close(self) -> None:
        """Send the stations away, and see to the end what was begun for them."""
        await self.registry.close()
        await self.background.close()
        await self.boots.close()
        await self.statuses.close()
        await self.meters.close()
