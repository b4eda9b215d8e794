"""The one door: what a write does to the store and to the feed, on a real database."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select, text

from hub import codec
from hub.errors import InvalidRequest, NotFound, UnknownLocation
from hub.models.audit import AuditLog
from hub.models.objects import EVSE, Location, Token
from hub.models.values import Party
from hub.roaming.merging import instant
from hub.roaming.modules import CDRS, LOCATIONS, MODULES, SESSIONS, TARIFFS, TOKENS
from hub.roaming.store import listing
from hub.roaming.store.filters import Filter
from hub.roaming.store.intake import Intake
from hub.roaming.store.rows import newest_only
from hub.roaming.store.writes import Outcome, Write, object_key
from tests.helpers import documents
from tests.helpers.documents import cdr, connector, evse, location, session, tariff, token

CPO = Party("NL", "ONE")
EMSP = Party("DE", "TWO")


@pytest.fixture
def door(database, tenant):
    """``await door.put(...)``: writes through the grouped commits, reads what lies in the store."""
    return Door(database, tenant.id)


class Door:
    def __init__(self, database, tenant_id):
        self.database, self.tenant_id = database, tenant_id
        self.moved = []
        self.intake = Intake(
            database, newest_only, lambda tenant_id, moved: self.moved.extend(moved)
        )

    async def write(self, module, method, document, object_id=None, **more):
        owner = EMSP if module is TOKENS else CPO
        object_id = object_id or document[module.id_field]
        write = Write(module, method, owner, object_id, document, **more)
        return await self.intake.keep(self.tenant_id, write)

    async def read(self, module, object_id):
        owner = EMSP if module is TOKENS else CPO
        async with self.database.transaction(self.tenant_id) as db:
            kept = await listing.get(db, module, object_key(module, owner, object_id))
        return kept and codec.read(kept.text)

    async def places(self, table):
        async with self.database.transaction(self.tenant_id) as db:
            rows = await db.execute(select(table.object_id, table.changed_seq))
            return dict(rows.all())


async def test_columns_say_what_the_document_of_a_location_does(door):
    async def told():
        async with door.database.transaction(door.tenant_id) as db:
            row = await db.scalar(select(Location))
            return row.city, row.state, row.publish, row.latitude, row.longitude

    first = location(city="Gent", state="Vlaanderen", publish=False)
    await door.write(LOCATIONS, "PUT", first)
    at = first["coordinates"]
    assert await told() == ("Gent", "Vlaanderen", False, at["latitude"], at["longitude"])

    moved = {"latitude": "52.5", "longitude": "-1.25"}
    second = {"city": 'Gent "noord"', "state": None, "publish": True, "coordinates": moved}
    second["last_updated"] = "2030-01-01T00:00:00Z"
    await door.write(LOCATIONS, "PATCH", second, first["id"])
    assert await told() == ('Gent "noord"', None, True, "52.5", "-1.25")


async def test_a_location_comes_back_as_it_was_put(door):
    put = location(evses=[evse(uid="E1"), evse(uid="E2")])

    stored = await door.write(LOCATIONS, "PUT", put)

    assert stored.outcome is Outcome.CREATED
    assert await door.read(LOCATIONS, "l1") == put


async def test_the_same_again_moves_nothing_in_the_feed(door):
    await door.write(LOCATIONS, "PUT", location())
    before = await door.places(Location), await door.places(EVSE)

    again = await door.write(LOCATIONS, "PUT", location())

    assert again.outcome is Outcome.UNCHANGED
    assert (await door.places(Location), await door.places(EVSE)) == before


async def test_a_newer_stamp_alone_is_kept_but_moves_nothing(door):
    await door.write(TARIFFS, "PUT", tariff(last_updated="2025-01-01T00:00:00Z"))
    before = await door.places(TARIFFS.table)

    again = await door.write(TARIFFS, "PUT", tariff(last_updated="2025-01-02T00:00:00Z"))

    assert again.outcome is Outcome.UNCHANGED
    assert await door.places(TARIFFS.table) == before
    assert (await door.read(TARIFFS, "T1"))["last_updated"] == "2025-01-02T00:00:00Z"


async def test_an_older_push_changes_nothing_MOD_05(door):
    await door.write(TARIFFS, "PUT", tariff(last_updated="2025-01-02T00:00:00Z", currency="EUR"))

    stale = await door.write(
        TARIFFS, "PUT", tariff(last_updated="2025-01-01T00:00:00Z", currency="CHF")
    )

    assert stale.outcome is Outcome.STALE
    assert (await door.read(TARIFFS, "T1"))["currency"] == "EUR"


async def test_a_status_moves_one_evse_and_raises_the_location_LOC_10(door):
    await door.write(LOCATIONS, "PUT", location(evses=[evse(uid="E1"), evse(uid="E2")]))
    locations, evses = await door.places(Location), await door.places(EVSE)

    await door.write(
        LOCATIONS,
        "PATCH",
        {"status": "CHARGING", "last_updated": "2025-06-02T00:00:00Z"},
        "L1",
        evse_uid="e1",
    )

    now = await door.places(EVSE)
    assert await door.places(Location) == locations
    assert now["E2"] == evses["E2"]
    assert now["E1"] > evses["E1"]
    kept = await door.read(LOCATIONS, "L1")
    assert kept["last_updated"] == "2025-06-02T00:00:00Z"
    assert [part["status"] for part in kept["evses"]] == ["CHARGING", "AVAILABLE"]


async def test_an_older_status_never_moves_the_location_back_AMB_52(door):
    """LOC-12."""
    await door.write(LOCATIONS, "PUT", location(last_updated="2025-06-05T00:00:00Z"))

    await door.write(
        LOCATIONS,
        "PATCH",
        {"status": "CHARGING", "last_updated": "2025-06-02T00:00:00Z"},
        "L1",
        evse_uid="E1",
    )

    assert (await door.read(LOCATIONS, "L1"))["last_updated"] == "2025-06-05T00:00:00Z"


async def test_a_connector_is_patched_inside_its_evse(door):
    await door.write(LOCATIONS, "PUT", location())

    await door.write(
        LOCATIONS,
        "PATCH",
        {"tariff_ids": ["T9"], "last_updated": "2025-06-03T00:00:00Z"},
        "L1",
        evse_uid="E1",
        connector_id="1",
    )

    kept = (await door.read(LOCATIONS, "L1"))["evses"][0]
    assert kept["connectors"][0]["tariff_ids"] == ["T9"]
    assert kept["last_updated"] == "2025-06-03T00:00:00Z"


async def test_a_put_connector_is_added_or_replaced(door):
    await door.write(LOCATIONS, "PUT", location())

    for id_ in ("2", "1"):
        await door.write(
            LOCATIONS,
            "PUT",
            connector(id=id_, max_amperage=63, last_updated="2025-06-03T00:00:00Z"),
            "L1",
            evse_uid="E1",
            connector_id=id_,
        )

    kept = (await door.read(LOCATIONS, "L1"))["evses"][0]
    assert [(one["id"], one["max_amperage"]) for one in kept["connectors"]] == [
        ("1", 63),
        ("2", 63),
    ]


async def test_a_connector_is_no_newer_than_it_says_when_its_evse_is_MOD_05(door):
    def at(day):
        return {"last_updated": f"2025-06-{day:02}T00:00:00Z"}

    async def write_evse(method, document, **more):
        await door.write(LOCATIONS, method, document, "L1", evse_uid="E1", **more)

    await door.write(LOCATIONS, "PUT", location())
    await write_evse("PATCH", {"status": "CHARGING", **at(20)})
    await write_evse("PATCH", {"tariff_ids": ["T12"], **at(12)}, connector_id="1")

    later = connector(tariff_ids=["T15"], **at(15))
    await write_evse("PUT", evse(connectors=[later], **at(15)))

    kept = (await door.read(LOCATIONS, "L1"))["evses"][0]
    assert kept["connectors"] == [later]
    assert (kept["status"], kept["last_updated"]) == ("CHARGING", at(20)["last_updated"])


async def test_an_evse_left_out_of_a_put_is_gone_TRANSPORT_08(door):
    await door.write(LOCATIONS, "PUT", location(evses=[evse(uid="E1"), evse(uid="E2")]))

    await door.write(
        LOCATIONS,
        "PUT",
        location(evses=[evse(uid="E2")], last_updated="2025-06-09T00:00:00Z"),
    )

    assert [part["uid"] for part in (await door.read(LOCATIONS, "L1"))["evses"]] == ["E2"]


async def test_a_patch_of_evses_is_a_change_of_the_location_TRANSPORT_10(door):
    await door.write(LOCATIONS, "PUT", location(evses=[evse(uid="E1"), evse(uid="E2")]))
    door.moved.clear()

    changes = {"evses": [evse(uid="E2", status="CHARGING", last_updated="2025-06-09T00:00:00Z")]}
    changes["last_updated"] = "2025-06-09T00:00:00Z"
    stored = await door.write(LOCATIONS, "PATCH", changes, "L1")

    assert door.moved == [stored]
    assert stored.outcome is Outcome.CHANGED
    [kept] = (await door.read(LOCATIONS, "L1"))["evses"]
    assert (kept["uid"], kept["status"]) == ("E2", "CHARGING")


async def test_a_patch_of_evses_older_than_the_put_takes_none_away_MOD_05(door):
    newer = location(evses=[evse(uid="E1"), evse(uid="E2")], last_updated="2025-06-09T00:00:00Z")
    await door.write(LOCATIONS, "PUT", newer)

    late = {"evses": [evse(uid="E1", status="CHARGING")], "last_updated": "2025-06-08T00:00:00Z"}
    stored = await door.write(LOCATIONS, "PATCH", late, "L1")

    assert stored.outcome is Outcome.STALE
    assert await door.read(LOCATIONS, "L1") == newer


async def test_parts_of_an_unknown_location_are_refused_LOC_14(door):
    with pytest.raises(UnknownLocation):
        await door.write(LOCATIONS, "PUT", evse(), "NOWHERE", evse_uid="E1")


async def test_a_patch_never_creates_TRANSPORT_13(door):
    with pytest.raises(NotFound):
        await door.write(TARIFFS, "PATCH", {"last_updated": "2025-06-01T00:00:00Z"}, "T404")


async def test_ids_are_found_in_any_case_and_kept_as_written(door):
    await door.write(TARIFFS, "PUT", tariff(id="Night"))
    await door.write(
        TARIFFS, "PUT", tariff(id="NIGHT", currency="CHF", last_updated="2025-07-01T00:00:00Z")
    )

    assert list(await door.places(TARIFFS.table)) == ["Night"]
    assert (await door.read(TARIFFS, "night"))["currency"] == "CHF"


async def test_a_uid_may_be_used_by_two_types_of_token_TOK_02(door):
    """AMB-41."""
    await door.write(TOKENS, "PUT", token(uid="A1", type="RFID"))
    await door.write(TOKENS, "PUT", token(uid="A1", type="APP_USER"), token_type="APP_USER")

    async with door.database.transaction(door.tenant_id) as db:
        keys = set(await db.scalars(select(Token.object_key)))
    assert keys == {"A1/RFID", "A1/APP_USER"}


async def test_a_cdr_is_final_CDR_02_CDR_04(door):
    first = await door.write(CDRS, "POST", cdr())
    again = await door.write(CDRS, "POST", cdr())
    with pytest.raises(InvalidRequest):
        await door.write(CDRS, "POST", cdr(total_energy=99.5))

    assert (first.outcome, again.outcome) == (Outcome.CREATED, Outcome.UNCHANGED)
    assert again.receiver == EMSP
    assert (await door.read(CDRS, cdr()["id"]))["total_energy"] == cdr()["total_energy"]


async def test_a_deleted_tariff_is_gone_and_may_come_back(door):
    await door.write(TARIFFS, "PUT", tariff())
    await door.write(TARIFFS, "DELETE", {}, "T1")
    gone = await door.read(TARIFFS, "T1")
    with pytest.raises(NotFound):
        await door.write(TARIFFS, "DELETE", {}, "T1")

    back = await door.write(TARIFFS, "PUT", tariff(last_updated="2026-01-01T00:00:00Z"))

    assert gone is None
    assert back.outcome is Outcome.CREATED


async def test_session_periods_are_appended_once_SES_14(door):
    await door.write(SESSIONS, "PUT", session(charging_periods=[]))
    more = {
        "charging_periods": [
            {
                "start_date_time": "2025-06-01T09:00:00Z",
                "dimensions": [{"type": "ENERGY", "volume": 1}],
            }
        ],
        "last_updated": "2025-06-01T10:00:00Z",
    }
    for _ in range(3):
        await door.write(SESSIONS, "PATCH", more, session()["id"])

    assert (await door.read(SESSIONS, session()["id"]))["charging_periods"] == more[
        "charging_periods"
    ]


async def test_a_sender_whose_clock_is_ahead_does_not_freeze_its_objects(door):
    """Stored as sent (HUB-42), ordered by arrival: the next honest stamp still counts."""
    await door.write(TARIFFS, "PUT", tariff(last_updated="2099-01-01T00:00:00Z", currency="EUR"))
    kept = await door.read(TARIFFS, "T1")
    soon = (await now(door)).strftime("%Y-%m-%dT%H:%M:%SZ")

    await door.write(TARIFFS, "PUT", tariff(last_updated=soon, currency="CHF"))

    assert kept["last_updated"] == "2099-01-01T00:00:00Z"
    assert (await door.read(TARIFFS, "T1"))["currency"] == "CHF"


async def now(door):
    async with door.database.transaction(door.tenant_id) as db:
        return await db.scalar(text("select clock_timestamp() + interval '2 seconds'"))


async def test_many_writes_at_once_share_commits_and_none_is_lost(door):
    documents = [tariff(id=f"T{n}") for n in range(250)]

    outcomes = await asyncio.gather(*(door.write(TARIFFS, "PUT", one) for one in documents))

    assert {stored.outcome for stored in outcomes} == {Outcome.CREATED}
    places = await door.places(TARIFFS.table)
    assert len(places) == len(set(places.values())) == 250


async def test_one_bad_write_does_not_take_its_group_down(door):
    async def bad():
        return await door.write(TARIFFS, "PATCH", {"last_updated": "2025-06-01T00:00:00Z"}, "T404")

    async def poison():
        # PostgreSQL itself refuses this one: its key is longer than the column.
        return await door.write(TARIFFS, "PUT", tariff(id="X" * 90), "X" * 90)

    results = await asyncio.gather(
        *(door.write(TARIFFS, "PUT", tariff(id=f"T{n}")) for n in range(20)),
        bad(),
        poison(),
        return_exceptions=True,
    )

    assert isinstance(results[-2], NotFound)
    assert isinstance(results[-1], Exception)
    assert len(await door.places(TARIFFS.table)) == 20


async def test_every_change_is_audited_with_what_changed_and_no_driver(door):
    await door.write(TOKENS, "PUT", token(uid="04AB33C2D91E80", valid=True))
    await door.write(
        TOKENS,
        "PATCH",
        {"valid": False, "last_updated": "2025-08-01T00:00:00Z"},
        "04AB33C2D91E80",
    )

    async with door.database.transaction(door.tenant_id) as db:
        entries = list(await db.scalars(select(AuditLog).order_by(AuditLog.timestamp)))
    assert [(entry.action, entry.entity_type) for entry in entries] == [
        ("CREATE", "Token"),
        ("UPDATE", "Token"),
    ]
    assert (entries[1].old_values, entries[1].new_values) == ({"valid": True}, {"valid": False})
    shown = "".join(str(vars(entry)) for entry in entries)
    assert "04AB33C2D91E80" not in shown
    assert token()["contract_id"] not in shown


DOCUMENTS = {
    "locations": location(),
    "tariffs": tariff(),
    "sessions": session(),
    "cdrs": cdr(),
    "tokens": token(),
    "invoicereconciliation": documents.invoice_reconciliation(),
    "terminals": documents.terminal(),
    "financial-advice-confirmations": documents.financial_advice_confirmation(),
    "booking-locations": documents.booking_location(),
    "bookings": documents.booking(),
}


@pytest.mark.parametrize("module", MODULES.values(), ids=lambda module: module.name)
async def test_changes_of_every_kind_are_audited(door, module):
    """Whatever a partner's request is: it ends in a write of one of these."""
    document = DOCUMENTS[module.name]
    owner = Party.of(document.get("country_code", "NL"), document.get("party_id", "ONE"))
    write = Write(module, "PUT", owner, document[module.id_field], document)
    if module.record:
        write = replace(write, method="POST")
    if module.private:
        write = replace(write, receiver=EMSP)

    await door.intake.keep(door.tenant_id, write)

    async with door.database.transaction(door.tenant_id) as db:
        [entry, *parts] = await db.scalars(select(AuditLog).order_by(AuditLog.changed_seq))
    assert (entry.action, entry.entity_type) == ("CREATE", module.kind)
    assert entry.new_values
    # EVSEs are rows of their own.
    assert {part.entity_type for part in parts} <= {"EVSE"}


async def test_a_list_is_paged_by_creation_at_any_depth_TRANSPORT_61(door):
    for n in range(25):
        await door.write(TARIFFS, "PUT", tariff(id=f"T{n}"))
    await door.write(TARIFFS, "PUT", tariff(id="T3", last_updated="2026-01-01T00:00:00Z"))

    wanted = Filter((CPO,))
    async with door.database.transaction(door.tenant_id) as db:
        first = await listing.page(db, TARIFFS, wanted, limit=10)
        by_place = await listing.page(db, TARIFFS, wanted, limit=10, after=first[-1].page_seq)
        by_offset = await listing.page(db, TARIFFS, wanted, limit=10, offset=10)
        total = await listing.count(db, TARIFFS, wanted)
        owners = await listing.owners(db, TARIFFS)

    assert [kept.object_id for kept in first] == [f"T{n}" for n in range(10)]
    assert by_place == by_offset
    assert [kept.object_id for kept in by_place] == [f"T{n}" for n in range(10, 20)]
    assert (total, owners) == (25, [CPO])


async def test_a_list_can_be_narrowed_by_date_TRANSPORT_56(door):
    for day in (1, 2, 3):
        stamp = f"2025-01-0{day}T00:00:00Z"
        await door.write(TARIFFS, "PUT", tariff(id=f"T{day}", last_updated=stamp))

    middle = Filter(
        (CPO,), date_from=instant("2025-01-02T00:00:00Z"), date_to=instant("2025-01-03T00:00:00Z")
    )
    async with door.database.transaction(door.tenant_id) as db:
        found = await listing.page(db, TARIFFS, middle, limit=10)
        total = await listing.count(db, TARIFFS, middle)

    assert [kept.object_id for kept in found] == ["T2"]
    assert total == 1


async def test_a_list_can_leave_out_what_thousands_of_pairs_may_not_have(door):
    """Of two hubs with many parties each, in a closed network."""
    for party in ("TWO", "TRE"):
        sent = cdr(id=party)
        sent["cdr_token"] |= {"country_code": "DE", "party_id": party}
        await door.write(CDRS, "POST", sent)
    receivers = (Party("DE", "TWO"), Party("DE", "TRE"))
    others = tuple((Party("FR", f"{n:03}"), Party("DE", f"{n:03}")) for n in range(20_000))

    wanted = Filter((CPO,), receivers=receivers, withheld=(*others, (CPO, Party("DE", "TRE"))))
    async with door.database.transaction(door.tenant_id) as db:
        found = await listing.page(db, CDRS, wanted, limit=10)
        total = await listing.count(db, CDRS, wanted)

    assert [kept.object_id for kept in found] == ["TWO"]
    assert total == 1
