"""Charging profiles of sessions at our own stations (CHP-02, CHP-06)."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.ocpp import StationProfile
from hub.roaming.commands.orders import UNKNOWN_SESSION, Errand, Order, at_its_station
from hub.roaming.ports import Outcome


async def set_profile(errand: Errand) -> Order:
    """A profile for a running session; the one it had before is replaced at the station."""
    profile = errand.request["charging_profile"]
    if not profile.get("charging_profile_period"):
        return Order("REJECTED", "The charging profile has no periods, so it limits nothing.")
    found = await at_its_station(errand)
    if isinstance(found, Order):
        return found
    ref, transaction = found.ref, found.transaction
    if transaction.evse_number is None:
        return UNKNOWN_SESSION
    async with errand.transaction() as db:
        kept = await profile_of(db, transaction.session_id)
        if kept is None:
            kept = StationProfile(charging_station_id=ref.id, session_id=transaction.session_id)
            db.add(kept)
        kept.profile = profile
        await db.flush()
    number, evse = kept.number, transaction.evse_number
    return Order(
        "ACCEPTED",
        work=lambda: errand.stations.set_charging_profile(
            ref,
            number=number,
            transaction_id=transaction.transaction_id,
            evse_number=evse,
            profile=profile,
        ),
    )


async def profile_of(db: AsyncSession, session_id: str) -> StationProfile | None:
    return await db.scalar(
        select(StationProfile)
        .where(StationProfile.session_id == session_id, StationProfile.cleared_at.is_(None))
        .limit(1)
    )


async def clear_profile(errand: Errand) -> Order:
    found = await at_its_station(errand)
    if isinstance(found, Order):
        return found
    ref = found.ref
    async with errand.transaction() as db:
        kept = await profile_of(db, found.transaction.session_id)
        if kept is None:
            return Order("ACCEPTED", work=nothing_to_clear)
        kept.cleared_at = datetime.now(UTC)
        number = kept.number
    return Order(
        "ACCEPTED", work=lambda: errand.stations.clear_charging_profile(ref, number=number)
    )


async def nothing_to_clear() -> Outcome:
    """The immediate answer has no word for it, the result has (CHP-02)."""
    return Outcome("UNKNOWN", "The session has no charging profile.")


async def active_profile(errand: Errand) -> Order:
    found = await at_its_station(errand)
    if isinstance(found, Order):
        return found
    ref, evse, duration = found.ref, found.transaction.evse_number, errand.request["duration"]
    if evse is None:
        return UNKNOWN_SESSION
    return Order(
        "ACCEPTED",
        work=lambda: errand.stations.active_charging_profile(
            ref, evse_number=evse, duration=duration
        ),
    )
