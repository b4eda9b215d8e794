"""Messages of many stations share commits, and none pays for another."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from ocpp.v16 import call
from sqlalchemy import event, func, select, text

from hub.errors import Unavailable
from hub.models.charging import ChargingSession, MeterValue
from hub.models.ocpp import StationEVSE
from hub.models.stations import ChargingStation, Connector
from hub.models.transactions import StationEvent, StationTransaction
from hub.ocpp.upkeep import Upkeep
from hub.roaming.charging import session_records
from hub.roaming.charging.meter_intake import Metered, take
from hub.roaming.charging.status_intake import Reported, keep_statuses
from hub.roaming.grouping import Grouping
from hub.roaming.metering.readings import Reading, Sample
from hub.roaming.stations import stations
from hub.roaming.stations.boot_intake import Booted, keep_boots
from hub.roaming.stations.connectors import StatusReport
from hub.roaming.stations.stations import Boot
from tests.helpers.charge_points import iso


def meter(minutes, wh, **more):
    return {"timestamp": iso(minutes), "sampledValue": [{"value": str(wh), **more}]}


async def started(csms, station, minutes=-10):
    answer = await station.ask(call.StartTransaction(1, "TAG1", 1000, iso(minutes)))
    return answer.transaction_id


def metered(csms, made, number, wh, minutes=-1):
    """The readings of one message, as the wire hands them over."""
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    readings = (Reading(at, (Sample(wh),)),)
    return Metered(made.ref.id, str(number), uuid4().bytes, at, readings, csms.wire.policy)


async def test_readings_of_several_stations_are_one_commit(csms):
    await csms.add_token("TAG1")
    made = [await csms.add_station() for _ in range(3)]
    numbers = []
    for one in made:
        async with csms.connect(one) as station:
            numbers.append(await started(csms, station))
    group = [
        metered(csms, one, number, 1000 + 100 * place)
        for place, (one, number) in enumerate(zip(made, numbers, strict=True), 1)
    ]
    async with csms.transaction() as db:
        results = await take(db, group)
        assert [result.done for result in results] == [True, True, True]
        commits = set(await db.scalars(select(func.pg_current_xact_id())))
    assert len(commits) == 1
    assert sorted(session["kwh"] for session in await csms.sessions()) == [0.1, 0.2, 0.3]


async def test_the_same_message_twice_in_a_group_counts_once(csms):
    await csms.add_token("TAG1")
    made = await csms.add_station()
    async with csms.connect(made) as station:
        number = await started(csms, station)
    one = metered(csms, made, number, 1500)
    async with csms.transaction() as db:
        assert [result.done for result in await take(db, [one, one])] == [True, True]
    async with csms.transaction() as db:
        assert [result.done for result in await take(db, [one])] == [True]
        assert await db.scalar(select(func.count()).select_from(MeterValue)) == 1
        kinds = select(func.count()).where(StationEvent.kind == "METER")
        assert await db.scalar(kinds) == 1


async def test_what_is_not_plain_is_left_to_be_worked_on_alone(csms):
    """A transaction nobody knows, one of another station, one that has ended."""
    await csms.add_token("TAG1")
    made, other = await csms.add_station(), await csms.add_station()
    async with csms.connect(made) as station:
        running = await started(csms, station)
        ended = await started(csms, station, minutes=-5)
        await station.ask(call.StopTransaction(1200, iso(-1), ended))
    group = [
        metered(csms, made, 987654, 1500),
        metered(csms, other, running, 1500),
        metered(csms, made, ended, 1500),
    ]
    async with csms.transaction() as db:
        assert [result.done for result in await take(db, group)] == [False, False, False]
        assert await db.scalar(select(func.count()).select_from(MeterValue)) == 0


async def test_ocpi_is_told_of_a_running_session_only_so_often(csms):
    """The reading is kept at once, the session is shown when it is due; the end at once."""
    csms.wire.policy = replace(csms.wire.policy, show_every=timedelta(hours=1))
    await csms.add_token("TAG1")
    made = await csms.add_station()
    async with csms.connect(made) as station:
        number = await started(csms, station)
        await station.ask(call.MeterValues(1, [meter(-2, 1500)], number))
        assert [session["kwh"] for session in await csms.sessions()] == [0]
        async with csms.transaction() as db:
            transaction = await db.scalar(select(StationTransaction))
            assert transaction.progress["energy"] == "500"
            transaction.show_due_at = datetime.now(UTC)
        await Upkeep(csms.wire).once()
        assert [session["kwh"] for session in await csms.sessions()] == [0.5]
        await station.ask(call.StopTransaction(2000, iso(), number))
    assert [session["kwh"] for session in await csms.sessions()] == [1.0]


async def test_to_show_many_sessions_costs_one_statement_for_what_was_measured(csms):
    await csms.add_token("TAG1")
    made = [await csms.add_station() for _ in range(5)]
    for one in made:
        async with csms.connect(one) as station:
            await started(csms, station)
    costs = []
    for some in (1, 5):
        async with csms.transaction() as db:
            rows = await db.scalars(select(StationTransaction).limit(some))
            _, statements = await cost(db, session_records.measured(db, list(rows)))
            costs.append(statements)
    assert costs == [1, 1]


async def test_the_seed_s_session_follows_what_was_measured(csms):
    await csms.add_token("TAG1")
    made = await csms.add_station()
    async with csms.connect(made) as station:
        number = await started(csms, station)
        reading = meter(-5, 1500)
        reading["sampledValue"].append(
            {"value": "7400", "measurand": "Power.Active.Import", "unit": "W"}
        )
        await station.ask(call.MeterValues(1, [reading], number))
        async with csms.transaction() as db:
            session = await db.scalar(select(ChargingSession))
    assert (str(session.total_energy), str(session.max_power)) == ("0.500", "7.400")


async def cost(db, work):
    """What the work came to, and how many statements it took."""
    statements = []
    connection = (await db.connection()).sync_connection
    event.listen(connection, "before_cursor_execute", lambda *told: statements.append(told[2]))
    return await work, len(statements)


def report(status, minutes=0, evse=1, **more):
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    return StatusReport(evse, 1, status, at, word=status.title(), **more)


async def test_boots_of_several_stations_are_one_statement(csms):
    await csms.add_token("TAG1")
    one, pending = await csms.add_station(), await csms.add_station(status="INACTIVE")
    async with csms.connect(one) as station:
        await started(csms, station)
    now, wait = datetime.now(UTC), timedelta(minutes=15)
    group = [
        Booted(station_id, Boot("Maker", model, serial_number="S" * 120), now, wait)
        for station_id, model in (
            (one.ref.id, "Old"),
            (pending.ref.id, "Other"),
            (uuid4(), "Removed"),
            (one.ref.id, "New"),
        )
    ]
    async with csms.transaction() as db:
        found, statements = await cost(db, keep_boots(db, group))
    assert found == ["Accepted", "Pending", "Rejected", "Accepted"]
    assert statements == 1
    async with csms.transaction() as db:
        kept = await db.get_one(ChargingStation, (csms.tenant.id, one.ref.id))
        assert (kept.model, kept.serial_number, kept.booted_at) == ("New", "S" * 100, now)
        transaction = (await db.scalars(select(StationTransaction))).one()
        assert (transaction.doubted_at, transaction.doubt_due_at) == (now, now + wait)


async def test_statuses_of_several_stations_are_one_commit(csms):
    one, other = await csms.add_station(), await csms.add_station(evses=0)
    group = [
        Reported(one.ref.id, report("OCCUPIED", -2)),
        Reported(other.ref.id, report("FAULTED", -2, evse=2, error_code="GroundFailure")),
        Reported(one.ref.id, report("AVAILABLE", -1)),
        Reported(one.ref.id, report("RESERVED", -3)),
        Reported(other.ref.id, report("UNAVAILABLE", evse=0)),
    ]
    async with csms.transaction() as db:
        kept = await keep_statuses(db, group)
    assert [found.changed for found in kept] == [True, True, True, False, True]
    assert [found.freed for found in kept] == [False, False, True, False, False]
    async with csms.transaction() as db:
        rows = await db.execute(select(Connector.evse_number, Connector.status))
        assert sorted(map(tuple, rows)) == [(1, "AVAILABLE"), (2, "FAULTED")]
        evses = select(StationEVSE.evse_number).where(
            StationEVSE.charging_station_id == other.ref.id
        )
        assert list(await db.scalars(evses)) == [2]
        station = await db.get_one(ChargingStation, (csms.tenant.id, other.ref.id))
        assert station.ocpp_status == "UNAVAILABLE"
        assert station.diagnostics == {"active_errors": ["GroundFailure"]}


async def test_whatever_many_stations_tell_costs_the_statements_of_one(csms):
    """Of connector 0, of errors, and that a cable was taken out."""
    await csms.add_token("TAG1")
    made = [await csms.add_station() for _ in range(6)]
    for one in made:
        async with csms.connect(one) as station:
            number = await started(csms, station)
            await station.ask(call.StopTransaction(2000, iso(-1), number))

    def group(some):
        return [
            Reported(one.ref.id, told)
            for one in some
            for told in (
                report("AVAILABLE", error_code="GroundFailure"),
                report("OCCUPIED", evse=0, info="whole"),
            )
        ]

    costs = []
    for some in (made[:1], made[1:]):
        async with csms.transaction() as db:
            kept, statements = await cost(db, keep_statuses(db, group(some)))
            costs.append(statements)
        assert [one.freed for one in kept] == [True, False] * len(some)
    assert costs[0] == costs[1]
    async with csms.transaction() as db:
        for station in await db.scalars(select(ChargingStation)):
            assert (station.ocpp_status, station.status_info) == ("AVAILABLE", "whole")
            assert station.diagnostics == {"active_errors": ["GroundFailure"]}
        sessions = list(await db.scalars(select(ChargingSession)))
        assert len(sessions) == 6
        assert all(one.plug_out_timestamp >= one.end_timestamp for one in sessions)


async def test_concurrent_first_statuses_of_many_connectors_wait_for_nobody(csms):
    """SteVe deadlocks here."""
    made = await csms.add_station(evses=0)
    async with csms.connect(made) as station:
        await station.boot()

        async def tell(evse):
            async with csms.transaction() as db:
                reports = [Reported(made.ref.id, report("AVAILABLE", evse=n)) for n in evse]
                await keep_statuses(db, reports)

        orders = [[1, 2, 3, 4], [4, 3, 2, 1], [2, 4, 1, 3], [3, 1, 4, 2]]
        await asyncio.gather(*(tell(order) for order in orders))
    async with csms.transaction() as db:
        assert await db.scalar(select(func.count()).select_from(Connector)) == 4


async def test_a_status_that_says_nothing_new_moves_nothing(csms):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        await station.status(1, "Available", iso())
        await csms.shown(made, 1, "AVAILABLE")
        moved = len(csms.moved)
        for _ in range(3):
            await station.status(1, "Available", iso())
    await csms.wire.background.close()
    assert len(csms.moved) == moved


async def test_one_bad_item_takes_no_other_down(csms):
    async def work(db, items):
        if "bad" in items:
            raise ValueError("bad")
        return [item.upper() for item in items]

    told = []
    grouping = Grouping(csms.database, work, lambda tenant_id, results: told.extend(results))
    outcomes = await asyncio.gather(
        *(grouping.do(csms.tenant.id, item) for item in ("a", "bad", "b")), return_exceptions=True
    )
    assert [str(outcome) for outcome in outcomes] == ["A", "bad", "B"]
    assert sorted(told) == ["A", "B"]


async def test_an_absent_database_is_everybody_s_trouble(csms):
    async def work(db, items):
        raise Unavailable("away")

    grouping = Grouping(csms.database, work)
    outcomes = await asyncio.gather(
        *(grouping.do(csms.tenant.id, item) for item in "abc"), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert len({id(outcome) for outcome in outcomes}) == 3


@pytest.mark.parametrize("goes", [True, False])
async def test_the_work_goes_on_without_the_caller(csms, goes):
    gate, done = asyncio.Event(), []

    async def work(db, items):
        await gate.wait()
        done.extend(items)
        return items

    grouping = Grouping(csms.database, work)
    waiting = asyncio.create_task(grouping.do(csms.tenant.id, "x"))
    await asyncio.sleep(0)
    if goes:
        waiting.cancel()
    gate.set()
    await asyncio.wait([waiting])
    while grouping.queues:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert done == ["x"]


async def told_boots(db, ids):
    now, wait = datetime.now(UTC), timedelta(minutes=15)
    await keep_boots(db, [Booted(one, Boot("Maker", "Model"), now, wait) for one in ids])


async def told_of_the_whole(db, ids):
    # Of a group, the last come first.
    group = [Reported(one, report("FAULTED", evse=0)) for one in reversed(ids)]
    await keep_statuses(db, group)


async def told_errors(db, ids):
    faulted = report("FAULTED", error_code="GroundFailure")
    await keep_statuses(db, [Reported(one, faulted) for one in ids])


async def told_heard_of(db, ids):
    await stations.seen(db, ids, "a process")


async def told_statuses(db, ids):
    await keep_statuses(db, [Reported(one, report("OCCUPIED")) for one in ids])


@pytest.mark.parametrize(
    ("work", "table"),
    [
        (told_boots, ChargingStation),
        (told_of_the_whole, ChargingStation),
        (told_errors, ChargingStation),
        (told_heard_of, ChargingStation),
        (told_boots, Connector),
        (told_statuses, Connector),
        (told_boots, StationTransaction),
    ],
)
async def test_who_writes_to_many_rows_locks_them_in_one_order(csms, work, table):
    """Else two that meet lock each other out, and a thousand stations that boot at once often do.

    Rows lie and come in the opposite order, and are read so: only a sort has the least one first.
    """
    least, *others = ids = sorted(uuid4() for _ in range(12))
    async with csms.transaction() as db:
        for thing in (thing for one in reversed(ids) for thing in things_of(one)):
            db.add(thing)
            await db.flush()
    key = table.charging_station_id if table is Connector else table.id
    free = select(func.count()).select_from(
        select(table.id).where(key.in_(others)).with_for_update(key_share=True, skip_locked=True)
        .subquery()
    )  # fmt: skip
    async with asyncio.timeout(20), csms.transaction() as holding:
        await holding.execute(select(table.id).where(key == least).with_for_update(key_share=True))
        holder = await holding.scalar(select(func.pg_backend_pid()))

        async def working():
            async with csms.transaction() as db:
                for way in ("indexscan", "bitmapscan", "mergejoin"):
                    await db.execute(text(f"SET LOCAL enable_{way} = off"))
                await work(db, list(reversed(ids)))

        waiting = asyncio.create_task(working())
        async with csms.transaction() as db:
            while not await db.scalar(HELD_UP, {"holder": holder}):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert await db.scalar(free) == len(others)
    await waiting


HELD_UP = text(
    "SELECT EXISTS (SELECT FROM pg_locks"
    " WHERE NOT granted AND :holder = ANY(pg_blocking_pids(pid)))"
)


def things_of(station_id):
    """A station with a connector that told its status, and a transaction that runs."""
    long_ago = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    return [
        ChargingStation(id=station_id, station_id=f"CP-{station_id}", ocpp_version="OCPP_1_6"),
        Connector(
            charging_station_id=station_id,
            evse_number=1,
            connector_id=1,
            connector_type="UNKNOWN",
            configuration={"status_at": long_ago},
        ),
        StationTransaction(
            id=station_id, charging_station_id=station_id, transaction_id="1", session_id="S1"
        ),
    ]
