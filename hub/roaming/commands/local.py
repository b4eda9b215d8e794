"""Commands of eMSPs for our own stations: starting, stopping and unlocking (CMD-15, T-52)."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from sqlalchemy import select

from hub.models.transactions import StationTransaction, TokenAlias
from hub.roaming.authorization import token_aliases
from hub.roaming.commands import reservations, session_profiles
from hub.roaming.commands.orders import (
    OFFLINE,
    START_HOLDS,
    Errand,
    Order,
    Spot,
    at_its_station,
    running,
    spot,
)
from hub.roaming.ports import Outcome


async def start_session(errand: Errand) -> Order:
    """START_SESSION. The token comes along: it need not be known here (CMD-08)."""
    token = errand.request["token"]
    async with errand.transaction() as db:
        found = await spot(db, errand)
    if found is None:
        return Order("REJECTED", "There is no such EVSE or connector at this location.")
    if not await errand.stations.connected(found.ref):
        return OFFLINE
    async with errand.transaction() as db:
        alias = await token_aliases.lend(
            db,
            found.ref,
            token,
            command_id=errand.command_id,
            authorization_reference=errand.request.get("authorization_reference"),
            expires_at=datetime.now(UTC) + START_HOLDS,
        )
    return Order("ACCEPTED", work=lambda: ask_start(errand, found, alias))


async def ask_start(errand: Errand, found: Spot, alias: TokenAlias) -> Outcome:
    token = errand.request["token"]
    return await errand.stations.start_session(
        found.ref,
        id_tag=token_aliases.id_tag_for(token, alias.alias),
        token=token,
        remote_start_id=alias.remote_start_id,
        evse_number=found.evse_number,
        group_id=token.get("group_id"),
    )


async def stop_session(errand: Errand) -> Order:
    """STOP_SESSION: of the caller's own sessions only; of an unknown one nothing is sent."""
    found = await at_its_station(errand)
    if isinstance(found, Order):
        return found
    ref, number = found.ref, found.transaction.transaction_id
    return Order("ACCEPTED", work=lambda: errand.stations.stop_session(ref, transaction_id=number))


async def unlock_connector(errand: Errand) -> Order:
    """UNLOCK_CONNECTOR: for who has a session running there, or is trusted to help (CMD-13)."""
    async with errand.transaction() as db:
        found = await spot(db, errand)
        if found is None or found.evse_number is None or found.connector_id is None:
            return Order("REJECTED", "There is no such connector at this location.")
        session_id = await db.scalar(
            select(StationTransaction.session_id).where(
                StationTransaction.charging_station_id == found.ref.id,
                StationTransaction.evse_number == found.evse_number,
                StationTransaction.state == "OPEN",
            )
        )
        theirs = session_id is not None and await running(db, session_id, errand.caller)
    if not (theirs or errand.trusted):
        return Order("REJECTED", "You have no session running at this connector.")
    if not await errand.stations.connected(found.ref):
        return OFFLINE
    evse, connector = found.evse_number, found.connector_id
    return Order(
        "ACCEPTED",
        work=lambda: errand.stations.unlock(found.ref, evse_number=evse, connector_id=connector),
    )


ORDERS: Mapping[str, Callable[[Errand], Awaitable[Order]]] = {
    "START_SESSION": start_session,
    "STOP_SESSION": stop_session,
    "UNLOCK_CONNECTOR": unlock_connector,
    "RESERVE_NOW": reservations.reserve_now,
    "CANCEL_RESERVATION": reservations.cancel_reservation,
    "SET_CHARGING_PROFILE": session_profiles.set_profile,
    "CLEAR_CHARGING_PROFILE": session_profiles.clear_profile,
    "GET_ACTIVE_CHARGING_PROFILE": session_profiles.active_profile,
}


async def carry_out(errand: Errand, command: str) -> Order:
    """Check a command of any kind."""
    if command not in ORDERS:
        return Order("NOT_SUPPORTED", f"Our stations know nothing of {command}.")
    return await ORDERS[command](errand)
