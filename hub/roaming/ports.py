"""What each wire needs of the other. ``app.py`` puts the implementations in place.

Stations   OCPP provides it: commands of eMSPs reach our stations through it
Issuers    OCPI provides it: a station asks whether a token may charge
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from hub.models.values import Party
from hub.roaming.merging import Document


@dataclass(frozen=True, slots=True)
class StationRef:
    """A station, as the rules name it."""

    tenant_id: UUID
    id: UUID


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command: a CommandResultType, and words for people."""

    result: str
    message: str = ""
    data: Any = None

    @property
    def accepted(self) -> bool:
        return self.result == "ACCEPTED"


class Stations(Protocol):
    """Asks of a station; nothing is asked twice. ``Outcome.result`` is an OCPI result."""

    async def connected(self, station: StationRef) -> bool:
        """Whether some process of the hub holds its socket."""

    async def start_session(
        self,
        station: StationRef,
        *,
        id_tag: str,
        token: Document,
        remote_start_id: int,
        evse_number: int | None,
        group_id: str | None = None,
    ) -> Outcome:
        """``id_tag`` is what OCPP 1.6 calls the token, ``evse_number`` None for any EVSE. What a
        station of OCPP 2.x then reports names ``remote_start_id``.
        """

    async def stop_session(self, station: StationRef, *, transaction_id: str) -> Outcome:
        """``transaction_id`` is the station's; of OCPP 1.6 a number, as text."""

    async def reserve(
        self,
        station: StationRef,
        *,
        number: int,
        id_tag: str,
        token: Document,
        expires_at: datetime,
        evse_number: int | None,
        group_id: str | None = None,
    ) -> Outcome:
        """``number`` is the reservation's at the station; the same number again replaces it."""

    async def cancel_reservation(self, station: StationRef, *, number: int) -> Outcome: ...

    async def unlock(
        self, station: StationRef, *, evse_number: int, connector_id: int
    ) -> Outcome: ...

    async def set_charging_profile(
        self,
        station: StationRef,
        *,
        number: int,
        transaction_id: str,
        evse_number: int,
        profile: Document,
    ) -> Outcome:
        """``profile`` is an OCPI ChargingProfile; ``number`` is its id at the station."""

    async def clear_charging_profile(self, station: StationRef, *, number: int) -> Outcome: ...

    async def active_charging_profile(
        self, station: StationRef, *, evse_number: int, duration: int
    ) -> Outcome:
        """Of the next ``duration`` seconds. ``Outcome.data`` is an OCPI ActiveChargingProfile when
        accepted.
        """

    async def use_priority(
        self, station: StationRef, *, transaction_id: str, activate: bool
    ) -> Outcome:
        """Put a transaction before the others, or not any more."""

    async def clear_cache(self, station: StationRef) -> Outcome: ...


class Issuers(Protocol):
    """Real-time authorisation at the party that issued a token (TOK-05, TOK-16)."""

    async def authorize(
        self,
        tenant_id: UUID,
        issuer: Party,
        token_uid: str,
        token_type: str,
        *,
        location: Document | None,
        within: float | None,
    ) -> Document | None:
        """The AuthorizationInfo (canonical), or None when the issuer did not answer in time.

        ``within`` so many seconds; what the hub waits for its own database is not part of them.
        """
