"""What a list is narrowed to, and what is not for everybody's eyes: conditions on rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    DateTime,
    Text,
    all_,
    and_,
    bindparam,
    exists,
    false,
    literal,
    or_,
    text,
    true,
)

from hub.models.objects import CDR, EVSE, Location, Token
from hub.models.values import Party
from hub.roaming.modules import CDRS, LOCATIONS, TOKENS, Module
from hub.roaming.store.publication import LISTED

DATES = ("date_from", "date_to", "timeslot_from", "timeslot_to")
SOME_DAY = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Filter:
    """What a list is narrowed to.

    Owners; receivers of sessions and CDRs, without those ``withheld``: pairs of an owner and a
    receiver that have no agreement; ``last_updated`` in [from, to). ``viewers`` are the
    parties that look: of unpublished locations they see those that let their tokens in (LOC-05).
    ``late``: what came to the hub since ``date_from`` counts as well (AMB-24).
    Booking locations may be those with a timeslot that starts in [from, to) (BOOK-11).
    """

    owners: tuple[Party, ...]
    receivers: tuple[Party, ...] | None = None
    withheld: tuple[tuple[Party, Party], ...] = ()
    viewers: tuple[Party, ...] = ()
    date_from: datetime | None = None
    date_to: datetime | None = None
    late: bool = False
    timeslot_from: datetime | None = None
    timeslot_to: datetime | None = None

    @property
    def dates(self) -> dict[str, datetime]:
        given = {name: getattr(self, name) for name in DATES}
        return {name: date for name, date in given.items() if date is not None}

    @property
    def undated(self) -> "Filter":
        """The same for all dates: statements that differ in no more are one."""
        same: dict[str, Any] = dict.fromkeys(self.dates, SOME_DAY)
        return replace(self, **same)

    def where(self, table: Any) -> Any:
        """The condition; the dates in it are parameters, to be given with the statement."""
        conditions = [
            table.deleted_at.is_(None),
            in_parties(table.country_code, table.party_id, self.owners),
        ]
        if self.receivers is not None:
            conditions.append(
                in_parties(table.receiver_country_code, table.receiver_party_id, self.receivers)
            )
        if self.withheld:
            conditions.append(is_none_of(table, self.withheld))
        if table is Location:
            conditions.append(open_to(self.viewers))
        elif table is CDR:
            conditions.append(let_go(self.viewers))
        elif table is Token:
            conditions.append(for_all(self.viewers))
        if self.date_from is not None:
            conditions.append(self._since(table))
        if self.date_to is not None:
            conditions.append(table.last_updated < bindparam("date_to"))
        if self.timeslot_from is not None or self.timeslot_to is not None:
            conditions.append(slot_within(self.dates))
        return and_(*conditions)

    def _since(self, table: Any) -> Any:
        changed = table.last_updated >= bindparam("date_from")
        if not self.late:
            return changed
        arrived = [table.received_at >= bindparam("date_from")]
        if table is Location:
            # A status that came late makes neither its location nor that one's stamp newer.
            arrived.append(
                exists().where(
                    EVSE.country_code == Location.country_code,
                    EVSE.party_id == Location.party_id,
                    EVSE.location_key == Location.object_key,
                    EVSE.received_at >= bindparam("date_from"),
                )
            )
        return or_(changed, *arrived)


def slot_within(dates: Collection[str]) -> Any:
    """A timeslot of one of its calendars starts within what is given."""
    signs = {"timeslot_from": ">=", "timeslot_to": "<"}
    names = [name for name in signs if name in dates]
    start = "(slot ->> 'start_date_time')::timestamptz"
    given = " and ".join(f"{start} {signs[name]} :{name}" for name in names)
    return text(
        "exists (select from json_array_elements("
        "coalesce(ocpi_booking_locations.document -> 'calendars', '[]')) as calendar,"
        " json_array_elements(calendar -> 'available_timeslots') as slot"
        f" where {given})"
    ).bindparams(*(bindparam(name, type_=DateTime(timezone=True)) for name in names))


def in_parties(country: Any, party: Any, parties: Sequence[Party]) -> Any:
    """Or-ed equalities: the planner estimates them better than a list of tuples."""
    if not parties:
        return false()
    return or_(*(and_(country == one.country_code, party == one.party_id) for one in parties))


def is_none_of(table: Any, pairs: Sequence[tuple[Party, Party]]) -> Any:
    """Not of one party for another. One parameter: with hubs of many parties they are thousands."""
    owner = table.country_code + table.party_id
    receiver = table.receiver_country_code + table.receiver_party_id
    listed = [
        one.country_code + one.party_id + other.country_code + other.party_id
        for one, other in pairs
    ]
    return owner + receiver != all_(literal(listed, ARRAY(Text)))


def open_to(viewers: Collection[Party]) -> Any:
    """Published, their own, or letting one of their tokens in."""
    return or_(
        in_parties(Location.country_code, Location.party_id, sorted(viewers)),
        LISTED.bindparams(viewers=[str(party) for party in viewers]),
    )


def let_go(viewers: Collection[Party]) -> Any:
    """Not held, or their own."""
    return or_(CDR.held_at.is_(None), in_parties(CDR.country_code, CDR.party_id, sorted(viewers)))


def for_all(viewers: Collection[Party]) -> Any:
    """Not pushed to our own stations alone, or their own."""
    return or_(
        Token.for_us.is_(False), in_parties(Token.country_code, Token.party_id, sorted(viewers))
    )


def shown_to(module: Module, viewers: Collection[Party]) -> Any:
    """The condition on what is not for everybody's eyes."""
    if module is LOCATIONS:
        return open_to(viewers)
    if module is TOKENS:
        return for_all(viewers)
    return let_go(viewers) if module is CDRS else true()
