"""What the hub knows that bears on a CDR: its tariffs, its place, its session, other CDRs.

Gathered for many CDRs at once, one statement per table. A CDR carries its tariffs as they were when
its session started (CDR-08); only those it does not carry are looked up. What was looked for and
not found is remembered, for it may still come.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.roaming.feed.changes import columns_of, keyed
from hub.roaming.pricing import duplicates
from hub.roaming.pricing.faults import Context
from hub.roaming.pricing.quantities import EPOCH, Unreadable, instant
from hub.roaming.pricing.records import mapping, upper

Document = Mapping[str, Any]
Ref = tuple[str, str, str]

KEY_PARTS = ("countries", "parties", "keys")


def looking_up(table: str, columns: str) -> Any:
    return keyed(
        f"select country_code, party_id, object_key, {columns} from {table}"  # noqa: S608 - ours
        " where (country_code, party_id, object_key) in"
        " (select * from unnest(:countries, :parties, :keys))",
        *KEY_PARTS,
    )


TARIFFS = looking_up("tariffs", "document::text as document, last_updated")
LOCATIONS = looking_up("ocpi_locations", "time_zone")
SESSIONS = looking_up("ocpi_sessions", "document::text as document")
CDRS = looking_up("ocpi_cdrs", "document::text as document")
TOKENS = looking_up("ocpi_tokens", "type")
EVSES = keyed(
    "select country_code, party_id, location_key, object_key, document::text as document"
    " from ocpi_evses where (country_code, party_id, location_key, object_key) in"
    " (select * from unnest(:countries, :parties, :locations, :keys))",
    *("countries", "parties", "locations", "keys"),
)
CREDITS = keyed(
    "select country_code, party_id, object_key, object_id, credit_reference_id from ocpi_cdrs"
    " where (country_code, party_id, upper(credit_reference_id)) in"
    " (select * from unnest(:countries, :parties, :keys))",
    *KEY_PARTS,
)
# Those of the parties that let the hub know their tokens at all.
ISSUERS = keyed(
    "select country_code, party_id from unnest(:countries, :parties) as p(country_code, party_id)"
    " where exists (select from ocpi_tokens as t"
    " where t.country_code = p.country_code and t.party_id = p.party_id)",
    *("countries", "parties"),
)


@dataclass(frozen=True)
class Case:
    """A CDR to be judged. ``document`` is canonical, without its ``last_updated``."""

    cdr_id: UUID
    page_seq: int
    owner: tuple[str, str]
    key: str
    document: Document

    @cached_property
    def place(self) -> Document:
        return mapping(self.document.get("cdr_location")) or {}

    @cached_property
    def token(self) -> Document:
        return mapping(self.document.get("cdr_token")) or {}

    @cached_property
    def period_tariffs(self) -> tuple[str, ...]:
        """The tariffs that its periods name."""
        periods = items(self.document.get("charging_periods"))
        names = (upper(period.get("tariff_id")) for period in periods)
        return tuple(dict.fromkeys(name for name in names if name))

    @cached_property
    def carried_tariffs(self) -> tuple[str, ...]:
        carried = items(self.document.get("tariffs"))
        return tuple(name for tariff in carried if (name := upper(tariff.get("id"))))

    def ref(self, value: Any) -> Ref | None:
        """The key of something of the same owner."""
        name = upper(value)
        return (*self.owner, name) if name and name != duplicates.NOT_AVAILABLE else None

    @cached_property
    def starts_at(self) -> datetime | None:
        return moment(self.document.get("start_date_time"))

    @cached_property
    def ends_at(self) -> datetime | None:
        return moment(self.document.get("end_date_time"))

    @property
    def session(self) -> Ref | None:
        return self.ref(self.document.get("session_id"))

    @property
    def location(self) -> Ref | None:
        return self.ref(self.place.get("id"))

    @property
    def evse(self) -> Ref | None:
        return self.ref(self.place.get("evse_uid"))

    @property
    def credits(self) -> Ref | None:
        """The CDR that it takes back."""
        if self.document.get("credit") is not True:
            return None
        return self.ref(self.document.get("credit_reference_id"))

    @property
    def driver(self) -> Ref | None:
        country, party = upper(self.token.get("country_code")), upper(self.token.get("party_id"))
        who = duplicates.driver(self.token)
        return (country, party, who) if country and party and who else None

    @property
    def token_key(self) -> Ref | None:
        kind = self.token.get("type", "RFID")
        return (*self.driver[:2], f"{self.driver[2]}/{kind}") if self.driver else None


@dataclass
class Evidence:
    """What bears on one CDR. ``awaits`` are the names of what was not found."""

    tariffs: list[Document] = field(default_factory=list)
    time_zone: str | None = None
    context: Context = field(default_factory=Context)
    tariffs_missing: list[str] = field(default_factory=list)
    location_missing: list[str] = field(default_factory=list)
    changed_since: bool = False


class Archive:
    """Everything that bears on some CDRs, read once."""

    def __init__(self, db: AsyncSession, cases: Sequence[Case]) -> None:
        self.db = db
        self.cases = cases

    async def read(self) -> "Archive":
        self.zones = {ref_of(row): row.time_zone for row in await self._rows(LOCATIONS, "location")}
        self.connectors = await self._connectors()
        wanted = {ref for case in self.cases for ref in self.wanted_tariffs(case)}
        self.tariffs = {ref_of(row): row for row in await self._some(TARIFFS, wanted)}
        self.sessions = texts(await self._rows(SESSIONS, "session"))
        self.credited = texts(await self._rows(CDRS, "credits"))
        self.credits = [shown_credit(row) for row in await self._rows(CREDITS, "credits")]
        self.tokens = {ref_of(row) for row in await self._rows(TOKENS, "token_key")}
        issuers = {case.driver[:2] for case in self.cases if case.driver}
        found = await self.db.execute(ISSUERS, columns_of(issuers, "countries", "parties"))
        self.issuers = {(row.country_code, row.party_id) for row in found}
        return self

    async def _rows(self, query: Any, name: str) -> Sequence[Row[Any]]:
        """The rows that a property of the cases names."""
        return await self._some(query, {getattr(case, name) for case in self.cases} - {None})

    async def _some(self, query: Any, refs: Iterable[Ref]) -> Sequence[Row[Any]]:
        wanted = sorted(refs)
        if not wanted:
            return []
        return (await self.db.execute(query, columns_of(wanted, *KEY_PARTS))).all()

    async def _connectors(self) -> dict[UUID, Document]:
        """The connector that each CDR was charged at."""
        wanted = {
            (*case.location, case.evse[2]) for case in self.cases if case.location and case.evse
        }
        if not wanted:
            return {}
        columns = columns_of(wanted, "countries", "parties", "locations", "keys")
        rows = await self.db.execute(EVSES, columns)
        evses = {
            (row.country_code, row.party_id, row.location_key, row.object_key): row.document
            for row in rows
        }
        found = {}
        for case in self.cases:
            text = case.location and case.evse and evses.get((*case.location, case.evse[2]))
            connectors = codec.read_stored(text).get("connectors") or [] if text else []
            name = upper(case.place.get("connector_id"))
            for connector in connectors:
                if upper(connector.get("id")) == name:
                    found[case.cdr_id] = connector
        return found

    def wanted_tariffs(self, case: Case) -> list[Ref]:
        """Those its periods name and those it carries; if it has neither, the connector's."""
        names = [*case.period_tariffs, *case.carried_tariffs]
        if not names:
            connector = self.connectors.get(case.cdr_id, {})
            names = [name for item in connector.get("tariff_ids") or [] if (name := upper(item))]
        return [(*case.owner, name) for name in names]

    def of(self, case: Case, others: Sequence[Document]) -> Evidence:
        """``others`` are CDRs that may bill the same."""
        found = Evidence(
            time_zone=self.zones.get(case.location) if case.location else None,
            context=Context(
                connector=self.connectors.get(case.cdr_id),
                token_is_known=self.token_is_known(case),
                session=self.sessions.get(case.session) if case.session else None,
                others=self.crediting(case) if case.credits else others,
                credited=self.credited.get(case.credits) if case.credits else None,
                credited_is_known=case.credits in self.credited if case.credits else None,
                published=[*self.published(case)],
            ),
        )
        if case.location and case.location not in self.zones:
            found.location_missing.append(f"locations/{'/'.join(case.location)}")
        carried = set(case.carried_tariffs)
        for ref in self.wanted_tariffs(case):
            if ref[2] in carried:
                continue
            if row := self.tariffs.get(ref):
                found.tariffs.append(codec.read_stored(row.document))
                started = case.starts_at
                is_newer = started is not None and row.last_updated > started
                found.changed_since = found.changed_since or is_newer
            else:
                found.tariffs_missing.append(f"tariffs/{'/'.join(ref)}")
        return found

    def token_is_known(self, case: Case) -> bool | None:
        """None where that says nothing: a party that keeps its tokens to itself, tokens that were
        made for one command, and those that an older version does not name.
        """
        was_hidden = upper(case.token.get("uid")) == duplicates.NOT_AVAILABLE
        if case.driver is None or was_hidden or case.document.get("auth_method") == "COMMAND":
            return None
        if case.driver[:2] not in self.issuers:
            return None
        return case.token_key in self.tokens

    def crediting(self, case: Case) -> list[Document]:
        return [
            body
            for body in self.credits
            if (body["country_code"], body["party_id"]) == case.owner and body["id"] != case.key
        ]

    def published(self, case: Case) -> Iterable[Document]:
        """The tariffs it carries, as the hub knew them when the session started."""
        for name in case.carried_tariffs:
            row = self.tariffs.get((*case.owner, name))
            if row is not None and case.starts_at and row.last_updated <= case.starts_at:
                yield codec.read_stored(row.document)


def items(value: Any) -> list[Document]:
    """The objects in a list; whatever else is there the engine will complain about."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def spelled(ref: Ref | None) -> str | None:
    return None if ref is None else "/".join(ref)


def ref_of(row: Row[Any]) -> Ref:
    return row.country_code, row.party_id, row.object_key


def texts(rows: Iterable[Row[Any]]) -> dict[Ref, Document]:
    return {ref_of(row): codec.read_stored(row.document) for row in rows}


def shown_credit(row: Row[Any]) -> Document:
    return {
        "country_code": row.country_code,
        "party_id": row.party_id,
        "id": row.object_key,
        "credit": True,
        "credit_reference_id": row.credit_reference_id,
    }


def moment(value: Any) -> datetime | None:
    """Start or end of a CDR; None where it is unknown (CDR-16)."""
    try:
        found = instant(value, "moment")
    except Unreadable:
        return None
    return None if found is None else EPOCH + timedelta(seconds=float(found))
