"""Every CDR is checked when it is kept: the verdict, what led to it, and what it lacked."""

import json
from decimal import Decimal

import pytest
from sqlalchemy import text

from hub.models.values import Place
from hub.roaming.settlement import checking, rivals
from tests.helpers import documents
from tests.helpers.documents import ABSENT
from tests.helpers.network import Network

PLACE = documents.cdr()["cdr_location"]
RIGHT = {"total_cost": documents.price(3.375, 0.7088), "total_fixed_cost": ABSENT}


def cdr(**fields):
    """7.5 kWh at 0.45, in the morning: right unless ``fields`` make it wrong."""
    return documents.cdr(**RIGHT | fields)


async def check(network: Network) -> None:
    while True:
        async with network.database.transaction(network.tenant_id) as db:
            found = await checking.check_next(db)
            found += await checking.check_again(db)
        if not found.verdicts:
            return


async def checks(network: Network) -> dict[str, object]:
    rows = await network.rows(
        "select c.object_id, k.* from cdr_checks k join ocpi_cdrs c on c.id = k.cdr_id"
    )
    return {row.object_id: row for row in rows}


async def verdict(network: Network, cdr_id: str = "C1") -> object:
    await check(network)
    return (await checks(network))[cdr_id]


async def test_a_right_cdr_is_ok_and_says_how_it_was_computed(network):
    await network.put("cdrs", cdr())

    found = await verdict(network)

    assert (found.verdict, found.flags, found.awaits) == ("OK", [], [])
    assert (found.claimed, found.expected, found.currency) == (
        Decimal("3.375"),
        Decimal("3.375"),
        "EUR",
    )
    report = json.loads(found.report)
    assert report["verdict"] == "ok"
    assert [step["element"] for step in report["explanation"]][:2] == [2, None]


def priced_by_power(*limits: int) -> list[documents.Document]:
    """The price of a CDR below each limit of power in kW, and 0.45 beyond them all."""
    energy = {"type": "ENERGY", "price": 0.45, "vat": 21, "step_size": 1}
    limited = [
        {"price_components": [energy | {"price": 0.1}], "restrictions": {"max_power": limit}}
        for limit in limits
    ]
    return [documents.tariff(elements=[*limited, {"price_components": [energy]}])]


async def test_a_cdr_that_the_average_power_proves_right_is_ok(network):
    """PRICE-15: 7.5 kWh in 75 minutes are 6 kW, though nobody stated it."""
    cheap = documents.price(0.75, 0.1575)
    below = {"total_cost": cheap, "total_energy_cost": cheap, "tariffs": priced_by_power(7)}
    await network.put("cdrs", cdr(id="RIGHT", **below))
    other = below | {"total_cost": documents.price(2, 0.42), "session_id": "S2"}
    await network.put("cdrs", cdr(id="UNPROVEN", **other))
    await check(network)

    found = await checks(network)

    assert (found["RIGHT"].verdict, found["UNPROVEN"].verdict) == ("OK", "CANNOT_TELL")
    report = json.loads(found["RIGHT"].report)
    assert [note["code"] for note in report["notes"]] == ["power_estimated"]


async def test_a_cdr_that_would_take_too_long_to_check_holds_nobody_up(network):
    """1000 periods under 1100 elements: the others are checked all the same."""
    period = documents.charging_period(dimensions=[{"type": "ENERGY", "volume": 0.0125}])
    await network.put(
        "cdrs",
        cdr(id="VAST", charging_periods=[period] * 1000, tariffs=priced_by_power(*range(1100))),
    )
    await network.put("cdrs", cdr(session_id="S2"))
    await check(network)

    found = await checks(network)

    assert (found["VAST"].verdict, found["C1"].verdict) == ("CANNOT_TELL", "OK")
    [reason] = json.loads(found["VAST"].report)["reasons"]
    assert "too long" in reason


async def test_a_wrong_total_differs_by_so_much(network):
    await network.put("cdrs", cdr(total_cost=documents.price(4, 0.84)))

    found = await verdict(network)

    assert (found.verdict, found.difference) == ("DIFFERS", Decimal("0.625"))


async def test_the_cdr_itself_is_never_touched(network):
    """CDR-02."""
    await network.put("cdrs", cdr(total_cost=documents.price(4, 0.84)))
    before = await network.rows("select * from ocpi_cdrs")

    await check(network)

    assert await network.rows("select * from ocpi_cdrs") == before


async def test_a_tariff_that_comes_later_is_waited_for(network):
    """The verdict is given when it is possible."""
    await network.put("cdrs", cdr(tariffs=ABSENT))
    early = await verdict(network)
    assert (early.verdict, early.awaits) == ("CANNOT_TELL", ["tariffs/NL/ONE/T1"])
    assert early.flags == ["unknown_tariff"]

    await network.put("tariffs", documents.tariff())

    found = await verdict(network)
    assert (found.verdict, found.flags, found.awaits) == ("OK", [], [])


async def test_without_a_zone_the_location_is_waited_for(network):
    """PRICE-08: there is no telling what time it was in a country of many zones."""
    american = PLACE | {"country": "USA"}
    await network.put("cdrs", cdr(cdr_location=american))
    early = await verdict(network)
    assert (early.verdict, early.awaits) == ("CANNOT_TELL", ["locations/NL/ONE/L1"])

    await network.put("locations", documents.location(country="USA"))

    assert (await verdict(network)).verdict == "OK"


async def test_a_tariff_that_changed_since_proves_nothing(network):
    tariff = documents.tariff(last_updated="2025-06-02T00:00:00Z")
    await network.put("tariffs", tariff)
    wrong = cdr(tariffs=ABSENT, total_cost=documents.price(4, 0.84))
    await network.put("cdrs", wrong)

    found = await verdict(network)

    assert (found.verdict, found.difference) == ("CANNOT_TELL", Decimal("0.625"))
    assert "changed since" in json.loads(found.report)["reasons"][0]


async def test_the_tariff_of_the_connector_does_when_the_cdr_names_none(network):
    """PRICE-01."""
    await network.put("tariffs", documents.tariff())
    connector = documents.connector(tariff_ids=["T1"])
    place = documents.location(evses=[documents.evse(connectors=[connector])])
    await network.put("locations", place)
    period = documents.charging_period(tariff_id=ABSENT)
    await network.put("cdrs", cdr(tariffs=ABSENT, charging_periods=[period]))

    assert (await verdict(network)).verdict == "OK"


async def test_a_deleted_tariff_still_prices(network):
    """TAR-02."""
    await network.put("tariffs", documents.tariff())
    await network.put("tariffs", documents.tariff(), method="DELETE")
    await network.put("cdrs", cdr(tariffs=ABSENT))

    assert (await verdict(network)).verdict == "OK"


async def test_what_the_hub_knows_besides_finds_faults(network):
    connector = documents.connector(max_electric_power=3000)
    evses = [documents.evse(connectors=[connector])]
    await network.put("locations", documents.location(evses=evses))
    await network.put("tokens", documents.token(uid="ANOTHER"))
    ended = documents.session(
        kwh=8, status="COMPLETED", end_date_time="2025-06-01T09:00:00Z", charging_periods=ABSENT
    )
    await network.put("sessions", ended)
    element = documents.tariff()["elements"][0]
    await network.put("tariffs", documents.tariff(elements=[element]))

    await network.put("cdrs", cdr())

    assert sorted((await verdict(network)).flags) == [
        "energy_beyond_power",
        "falling_totals",
        "period_outside_session",
        "tariff_not_as_published",
        "unknown_token",
    ]


async def test_a_token_of_a_party_that_tells_none_is_not_unknown(network):
    await network.put("cdrs", cdr())

    assert (await verdict(network)).flags == []


@pytest.mark.parametrize(
    ("fields", "is_duplicate"),
    [
        ({}, True),
        ({"session_id": "S2"}, True),
        ({"session_id": "S2", "cdr_token": documents.cdr_token(uid="OTHER")}, True),
        (
            {
                "session_id": "S2",
                "cdr_token": documents.cdr_token(uid="OTHER"),
                "cdr_location": PLACE | {"evse_uid": "E9"},
            },
            False,
        ),
        (
            {
                "session_id": "S2",
                "start_date_time": "2025-06-02T08:00:00Z",
                "end_date_time": "2025-06-02T09:15:00Z",
                "charging_periods": [
                    documents.charging_period(start_date_time="2025-06-02T08:00:00Z")
                ],
            },
            False,
        ),
    ],
)
async def test_charging_billed_twice_is_found(network, fields, is_duplicate):
    """The same session; the same driver or EVSE at the same time. In one batch or in two."""
    await network.put("cdrs", cdr())
    await network.put("cdrs", cdr(id="C2", **fields))
    await check(network)
    await network.put("cdrs", cdr(id="C3", **fields))
    await check(network)

    found = await checks(network)

    flags = ["duplicate_charging"] if is_duplicate else []
    assert found["C1"].flags == []
    assert found["C2"].flags == flags
    assert found["C3"].flags == ["duplicate_charging"]


async def test_a_credit_takes_back_what_was_billed_right_or_wrong(network):
    """CDR-06."""
    wrong, taken_back = documents.price(4, 0.84), documents.price(-4, -0.84)
    credit = {"credit": True, "credit_reference_id": "c1"}
    await network.put("cdrs", cdr(total_cost=wrong))
    await network.put("cdrs", cdr(id="C1-C", total_cost=taken_back, **credit))
    await network.put("cdrs", cdr(id="C2"))
    await network.put("cdrs", cdr(id="C1-D", total_cost=taken_back, **credit))
    other = credit | {"credit_reference_id": "C7"}
    await network.put("cdrs", cdr(id="C7-C", total_cost=taken_back, **other))

    await check(network)

    found = {name: (row.verdict, row.flags) for name, row in (await checks(network)).items()}
    assert found == {
        "C1": ("DIFFERS", []),
        "C1-C": ("OK", ["credited_twice"]),
        "C2": ("OK", []),
        "C1-D": ("OK", ["credited_twice"]),
        "C7-C": ("DIFFERS", ["credits_unknown"]),
    }


async def test_a_cdr_the_engine_fails_at_holds_up_no_other(network):
    await network.put("cdrs", cdr())
    await network.put("cdrs", cdr(id="C2", session_id="S2"))
    await network.run(
        "update ocpi_cdrs set document = (document::jsonb || '{\"charging_periods\": 5}')::json"
        " where object_id = 'C1'"
    )

    await check(network)

    assert {name: row.verdict for name, row in (await checks(network)).items()} == {
        "C1": "CANNOT_TELL",
        "C2": "OK",
    }


async def test_a_batch_that_was_not_committed_is_checked_again(network):
    """Killed in the middle: nothing is left out, nothing is half done."""
    await network.put("cdrs", cdr())
    async with network.database.transaction(network.tenant_id) as db:
        assert (await checking.check_next(db)).verdicts == ["OK"]
        await db.rollback()
    assert await checks(network) == {}

    assert (await verdict(network)).verdict == "OK"


async def test_two_processes_do_not_check_the_same(network):
    await check(network)
    await network.put("cdrs", cdr())

    async with (
        network.database.transaction(network.tenant_id) as one,
        network.database.transaction(network.tenant_id) as two,
    ):
        first = await checking.check_next(one)
        second = await checking.check_next(two)

    assert (first.verdicts, second.verdicts) == (["OK"], [])


async def test_all_can_be_checked_again(network):
    await network.put("cdrs", cdr())
    before = await verdict(network)

    async with network.database.transaction(network.tenant_id) as db:
        await checking.reset(db)

    assert (await verdict(network)).checked_at > before.checked_at


async def test_drivers_whose_token_an_older_version_hid_are_not_one_and_the_same(network):
    """AMB-49: 2.1.1 names the contract only."""
    await network.put("tokens", documents.token(uid="ANOTHER"))
    for number, contract in enumerate(("C-1", "C-2", "C-1"), 1):
        hidden = documents.cdr_token(uid="#NA", type="OTHER", contract_id=contract)
        place = PLACE | {"evse_uid": f"E{number}"}
        document = cdr(id=f"C{number}", session_id=f"S{number}", cdr_token=hidden)
        await network.put("cdrs", document | {"cdr_location": place})

    await check(network)

    found = {name: row.flags for name, row in (await checks(network)).items()}
    assert found == {"C1": [], "C2": [], "C3": ["duplicate_charging"]}


async def test_of_very_many_that_bill_the_same_only_some_are_told(network):
    """One token in every CDR of a partner: each is checked all the same, and soon."""
    for number in range(rivals.MOST + 3):
        place = PLACE | {"evse_uid": f"E{number}"}
        other = cdr(id=f"C{number}", session_id=f"S{number}", cdr_location=place)
        await network.put("cdrs", other)
        await check(network)

    found = await checks(network)

    last = json.loads(found[f"C{rivals.MOST + 2}"].report)
    told = {fault["text"] for fault in last["faults"]}
    assert len(told) == rivals.MOST
    assert found[f"C{rivals.MOST + 2}"].flags == ["duplicate_charging"]


async def test_who_begins_anew_is_not_overruled_by_a_batch_under_way(network):
    await network.put("cdrs", cdr())
    await check(network)
    async with network.database.transaction(network.tenant_id) as db:
        since = await checking.place_of_cursor(db)
        async with network.database.transaction(network.tenant_id) as other:
            await checking.reset(other)
        await checking.move_cursor(db, since, Place(since.xid + 1))

    async with network.database.transaction(network.tenant_id) as db:
        assert await checking.place_of_cursor(db) == Place(0)


async def test_a_batch_under_way_holds_nobodys_feed_back(network):
    """A transaction with a place in the feed would, until it ends."""
    await check(network)
    await network.put("cdrs", cdr())
    async with network.database.transaction(network.tenant_id) as db:
        await db.execute(checking.ALONE)
        await checking.place_of_cursor(db)

        assert await db.scalar(text("select pg_current_xact_id_if_assigned()")) is None


async def test_a_batch_that_takes_too_long_is_done_in_parts(network):
    """The server ends transactions that wait for too long; then nobody would ever get on."""
    for number in range(5):
        await network.put("cdrs", cdr(id=f"C{number}"))

    judged = []
    for _ in range(6):
        async with network.database.transaction(network.tenant_id) as db:
            judged.append(len((await checking.check_next(db, seconds=0)).verdicts))

    assert judged == [1, 1, 1, 1, 1, 0]
    assert {row.verdict for row in (await checks(network)).values()} == {"OK"}
