"""What sessions of our own stations cost: while they run, and in their CDRs."""

from datetime import UTC, datetime

import pytest
from ocpp.v16 import call
from sqlalchemy import select

from hub.models.cdr_checks import CDRCheck
from hub.roaming.modules import TARIFFS
from hub.roaming.settlement import checking
from hub.roaming.store import objects
from hub.roaming.store.writes import Write
from tests.ocpp.conftest import OWNER, TARIFF
from tests.ocpp.test_transactions_16 import begin, iso, meter
from tests.pricing.documents import element, part


async def station_with(csms, *elements, **fields):
    """A station whose tariff has these elements."""
    made = await csms.add_station()
    await csms.add_token("TAG1")
    changed = TARIFF | {"elements": list(elements), "last_updated": iso(-60)} | fields
    async with csms.transaction() as db:
        await objects.apply(db, [Write(TARIFFS, "PUT", OWNER, "T1", changed)])
    return made


async def charge(csms, made, *readings, start=-14, stop=-4):
    """Charge from a register of 1000 Wh on; readings are (minute, Wh), the last is the end."""
    costs = []
    async with csms.connect(made) as station:
        number, _ = await begin(station, minutes=start)
        costs.append((await csms.sessions())[0].get("total_cost"))
        for minute, wh in readings[:-1]:
            await station.ask(call.MeterValues(1, [meter(minute, wh)], number))
            costs.append((await csms.sessions())[0].get("total_cost"))
        await station.ask(call.StopTransaction(readings[-1][1], iso(stop), number))
        costs.append((await csms.sessions())[0].get("total_cost"))
    [cdr] = await csms.cdrs()
    return cdr, costs


async def verdict(csms):
    async with csms.transaction() as db:
        await checking.check_next(db)
        return await db.scalar(select(CDRCheck))


async def test_the_running_cost_is_told_with_every_reading(csms):
    """PRICE-46, SES: the start fee already when it begins, the energy as it flows."""
    fees = element(part("FLAT", 0.5, 1, 20), part("ENERGY", 0.25, 1, 10))
    made = await station_with(csms, fees)

    cdr, costs = await charge(csms, made, (-9, 2000), (-4, 3000))

    assert [cost["before_taxes"] for cost in costs] == [0.5, 0.75, 1.0]
    taxes = [sum(tax["amount"] for tax in cost["taxes"]) for cost in costs]
    assert taxes == pytest.approx([0.1, 0.13, 0.15])
    assert cdr["total_cost"] == costs[-1]
    assert cdr["total_fixed_cost"]["before_taxes"] == 0.5
    assert ((await verdict(csms)).verdict, (await verdict(csms)).flags) == ("OK", [])


async def test_a_cdr_has_a_period_more_where_a_limit_of_energy_was_reached(csms):
    """CDR-09: 1 kWh at 0.10, then 0.50."""
    cheap = element(part("ENERGY", 0.1), max_kwh=1)
    made = await station_with(csms, cheap, element(part("ENERGY", 0.5)))

    cdr, _ = await charge(csms, made, (-4, 4000))

    volumes = [
        dimension["volume"]
        for period in cdr["charging_periods"]
        for dimension in period["dimensions"]
        if dimension["type"] == "ENERGY"
    ]
    assert sum(volumes) == pytest.approx(3)
    assert any(sum(volumes[: place + 1]) == pytest.approx(1) for place in range(len(volumes)))
    assert cdr["total_cost"]["before_taxes"] == 1.1
    found = await verdict(csms)
    assert (found.verdict, found.flags) == ("OK", [])


async def test_a_cdr_has_a_period_more_where_a_limit_of_time_was_reached(csms):
    """CDR-09: five minutes for free."""
    free = element(part("TIME", 0), max_duration=300)
    made = await station_with(csms, free, element(part("TIME", 6)))

    cdr, _ = await charge(csms, made, (-4, 4000))

    assert cdr["total_cost"]["before_taxes"] == 0.5
    found = await verdict(csms)
    assert (found.verdict, found.flags) == ("OK", [])


async def test_without_taxes_that_are_told_nothing_is_charged_by_guesswork(csms):
    """PRICE-42."""
    made = await station_with(csms, element(part("ENERGY", 0.25)), tax_included="YES")

    cdr, costs = await charge(csms, made, (-9, 3000), (-4, 5000))

    assert costs == [None, None, None]
    assert cdr["total_cost"] == {"before_taxes": 0}
    assert cdr["remark"].endswith("Not priced: The tariff includes taxes it does not tell.")


def minutes_since_quarter():
    now = datetime.now(UTC)
    return now.minute % 15 + now.second / 60 + now.microsecond / 60_000_000


@pytest.mark.parametrize("on_the_way", [False, True])
async def test_a_cdr_has_a_period_more_where_the_power_crossed_a_limit(csms, on_the_way):
    """CDR-09, PRICE-14: below 11 kW 0.20, from there on 0.50; also where a quarter of an hour
    begins on the way to the limit.
    """
    quarter = -15 - minutes_since_quarter()
    crossed = quarter + (0.75 if on_the_way else 3)
    slow = element(part("ENERGY", 0.2), max_power=11)
    made = await station_with(csms, slow, element(part("ENERGY", 0.5), min_power=11))
    power = {"measurand": "Power.Active.Import", "unit": "W"}

    def reading(at, wh, watts):
        values = [{"value": str(wh)}, {"value": str(watts), **power}]
        return {"timestamp": at, "sampledValue": values}

    async with csms.connect(made) as station:
        number, _ = await begin(station, minutes=crossed - 5)
        # All of one moment, however long the messages are under way.
        begun, still, at, ended = (iso(crossed + after) for after in (-5, -1, 0, 4))
        told = ((begun, 1000, 7000), (still, 1500, 7000), (at, 1700, 15000))
        for one in (*told, (ended, 2700, 15000)):
            await station.ask(call.MeterValues(1, [reading(*one)], number))
        await station.ask(call.StopTransaction(2700, ended, number))

    [cdr] = await csms.cdrs()
    sides = {
        dimension["volume"] >= 11
        for period in cdr["charging_periods"]
        for dimension in period["dimensions"]
        if dimension["type"] in {"MIN_POWER", "MAX_POWER"}
    }
    # 200 Wh flowed in the minute in which it crossed, half of that below the limit.
    assert sides == {True, False}
    assert cdr["total_cost"]["before_taxes"] == pytest.approx(0.6 * 0.2 + 1.1 * 0.5, abs=0.01)
    found = await verdict(csms)
    assert (found.verdict, found.flags) == ("OK", [])
