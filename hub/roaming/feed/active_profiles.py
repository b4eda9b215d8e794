"""Active charging profiles of sessions at our own stations, as a stream of changes (CHP-04).

When a station says that something else limits it now, whoever set a profile for a session there is
told what the profile has become. It is a state: who was away gets the latest, for as long as that
means anything.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import String

from hub import codec
from hub.models.commands import ActiveProfile
from hub.models.objects import FEED_SEQUENCE
from hub.models.transactions import StationTransaction
from hub.models.values import InterfaceRole, Party
from hub.roaming.commands import earlier_commands
from hub.roaming.feed.changes import (
    BETWEEN,
    IN_ORDER,
    Addressees,
    Change,
    Source,
    key_of,
    place_of,
    reader,
)
from hub.roaming.merging import Document
from hub.roaming.network.audience import Audience
from hub.roaming.ports import StationRef
from hub.roaming.stations import placement

NAME = "chargingprofiles"
# How far ahead a station is asked to look, which is as long as what it says holds (CHP-05).
AHEAD = timedelta(hours=1)

TELLING = (
    "select id, session_id, country_code, party_id, receiver_country_code, receiver_party_id,"
    " profile::text as document, expires_at, changed_xid, changed_seq from active_profiles"
    " where expires_at > clock_timestamp() and "
)
READ = text(f"{TELLING}{BETWEEN.format('')} {IN_ORDER.format('')}")
FIND = text(f"{TELLING}upper(session_id) = any(:ids)").bindparams(
    bindparam("ids", type_=ARRAY(String()))
)


async def watched(
    db: AsyncSession, ref: StationRef, evse_number: int | None
) -> list[tuple[StationTransaction, Party]]:
    """The sessions running there, or at any EVSE of the station, whose profile somebody set."""
    found = select(StationTransaction).where(
        StationTransaction.charging_station_id == ref.id, StationTransaction.state == "OPEN"
    )
    if evse_number:
        found = found.where(StationTransaction.evse_number == evse_number)
    watched = []
    for transaction in await db.scalars(found):
        setter = await earlier_commands.setter_of_profile(db, None, transaction.session_id)
        if setter is not None and transaction.evse_number is not None:
            watched.append((transaction, setter))
    return watched


async def learned(db: AsyncSession, session_id: str, setter: Party, profile: Document) -> None:
    """Keep what the profile has become, at the end of the feed."""
    owner = await placement.own_party(db)
    values = {
        "country_code": owner.country_code,
        "party_id": owner.party_id,
        "receiver_country_code": setter.country_code,
        "receiver_party_id": setter.party_id,
        "profile": codec.write_text(profile),
        "expires_at": datetime.now(UTC) + AHEAD,
    }
    place = {"changed_xid": func.pg_current_xact_id(), "changed_seq": FEED_SEQUENCE.next_value()}
    await db.execute(
        insert(ActiveProfile)
        .values(session_id=session_id, **values)
        .on_conflict_do_update(
            index_elements=["tenant_id", "session_id"],
            set_=values | place | {"updated_at": func.now()},
        )
    )


def tell(row: Row[Any]) -> Change:
    owner = Party(row.country_code, row.party_id)
    return Change(
        place=place_of(row),
        ref=f"{owner.country_code}/{owner.party_id}/{row.session_id.upper()}",
        kind="ActiveChargingProfile",
        owner=owner,
        path=(row.session_id,),
        document=row.document,
        row_id=row.id,
        broadcast=False,
        receiver=Party(row.receiver_country_code, row.receiver_party_id),
        expires_at=row.expires_at,
    )


async def find(db: AsyncSession, refs: Sequence[str]) -> list[Change]:
    rows = await db.execute(FIND, {"ids": [key_of(ref)[2] for ref in refs]})
    return [tell(row) for row in rows]


def setter(audience: Audience, change: Change) -> Addressees:
    assert change.receiver is not None
    if not audience.allows(change.owner, change.receiver, NAME):
        return []
    return [(connection, change.receiver) for connection in audience.hosts(change.receiver)]


def source(lane: int) -> Source:
    return Source(
        name=NAME,
        read=reader(READ, tell),
        find=find,
        addressees=setter,
        tables=("active_profiles",),
        endpoint=NAME,
        interface=InterfaceRole.SENDER,
        since="2.2.1",
        lane=lane,
    )
