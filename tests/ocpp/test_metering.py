"""Readings and what they add up to: anomalies, interpolation, periods (2.3)."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from hub.roaming.metering import metering
from hub.roaming.metering.crossings import Limits, limits_of
from hub.roaming.metering.progress import (
    CHARGING,
    PARKING,
    RESERVED,
    restore_progress,
    write_progress,
)
from hub.roaming.metering.readings import REGISTER, Figures, Reading, Sample, figures, number
from hub.roaming.projection.periods import periods

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(minutes):
    return NOON + timedelta(minutes=minutes)


def register(minutes, wh, **more):
    return Figures(at(minutes), register=Decimal(wh), **more)


def started(wh=1000, **more):
    return metering.begin(NOON, meter_start=Decimal(wh), most_power=22_000, **more)


def energies(progress):
    return [int(period.energy) for period in progress.periods]


def sample(value, **more):
    return Sample(number(value), **more)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([sample("1500")], {"register": 1500}),
        ([sample("1.5", unit="kWh")], {"register": 1500}),
        ([sample("0.15005000000000002", unit="kWh")], {"register": Decimal("150.05000000000002")}),
        ([sample("7", location="Inlet"), sample("9", location="Body")], {"register": None}),
        ([sample("1,5")], {"register": Decimal("1.5")}),
        (
            [sample("16", measurand="Current.Import", phase=f"L{n}") for n in (1, 2, 3)],
            {"current": 48},
        ),
        (
            [
                sample("11", measurand="Power.Active.Import", unit="kW"),
                sample("3", measurand="Power.Active.Import", unit="kW", phase="L1"),
            ],
            {"power": 11},
        ),
        ([sample("3680", measurand="Power.Active.Import")], {"power": Decimal("3.68")}),
        ([sample("57", measurand="SoC", location="EV", unit="Percent")], {"soc": 57}),
        ([sample("NaN"), sample("1e99")], {"register": None}),
    ],
)
def test_figures_are_made_of_samples_in_any_unit_and_phase(samples, expected):
    found = figures(Reading(NOON, tuple(samples)))
    for name, value in expected.items():
        assert getattr(found, name) == value


def test_energy_is_the_difference_of_registers_to_the_watt_hour():
    progress = started(wh=123_456)
    metering.read(progress, register(10, "124456.4"))
    metering.finish(progress, at(20), Decimal(125_789))

    assert progress.energy == 125_789 - 123_456
    assert sum(energies(progress)) == progress.energy


def test_periods_begin_at_quarters_of_an_hour_and_share_the_energy_by_time():
    """SES-15: often enough to show a driver, and not every minute."""
    progress = metering.begin(at(10), meter_start=Decimal(0), most_power=22_000)
    metering.read(progress, register(40, 3000))

    assert [period.start for period in progress.periods] == [at(10), at(15), at(30)]
    assert energies(progress) == [500, 1500, 1000]


def test_a_vehicle_that_does_not_charge_gets_no_energy():
    progress = started(wh=0)
    metering.change(progress, at(5), PARKING)
    metering.change(progress, at(10), CHARGING)
    metering.read(progress, register(15, 1000))

    assert [period.state for period in progress.periods] == [CHARGING, PARKING, CHARGING]
    assert energies(progress) == [500, 0, 500]


def test_the_time_reserved_is_a_period_without_energy():
    progress = started(wh=0, reserved_at=at(-20))
    metering.read(progress, register(10, 600))

    assert [period.state for period in progress.periods] == [RESERVED, CHARGING]
    assert energies(progress) == [0, 600]


def test_a_register_that_falls_once_is_left_out():
    progress = started()
    metering.read(progress, register(5, 2000))
    metering.read(progress, register(6, 1995))
    metering.read(progress, register(10, 3000))

    assert progress.energy == 2000
    assert progress.anomalies == ["a register that fell"]


def test_a_register_that_starts_again_keeps_what_was_counted():
    progress = started()
    metering.read(progress, register(5, 2000))
    metering.read(progress, register(10, 300))
    metering.finish(progress, at(15), Decimal(800))

    assert progress.energy == 1000 + 800
    assert "a register that started again" in progress.anomalies


def test_registers_of_the_session_only_do_not_disturb_those_of_start_and_stop():
    progress = started(wh=500_000)
    metering.read(progress, register(5, 0))
    metering.read(progress, register(10, 1200))
    metering.finish(progress, at(12), Decimal(501_500))

    assert progress.energy == 1500


def test_a_jump_beyond_what_the_connector_can_deliver_is_left_out():
    progress = started()
    metering.read(progress, register(5, 900_000))
    metering.read(progress, register(10, 2500))

    assert progress.energy == 1500
    assert "a register that jumped" in progress.anomalies


def test_kwh_labelled_as_wh_are_recognised():
    progress = started(wh=150_000)
    metering.read(progress, register(10, "151.25"))

    assert progress.energy == 1250
    assert "a register in kWh labelled as Wh" in progress.anomalies


def test_a_final_register_that_cannot_be_true_does_not_decide():
    for wrong in (0, 99_000_000):
        progress = started()
        metering.read(progress, register(10, 2500))
        metering.finish(progress, at(15), Decimal(wrong))

        assert progress.energy == 1500
        assert progress.anomalies


def test_a_final_register_below_the_last_sample_takes_energy_back():
    progress = started(wh=0)
    metering.read(progress, register(20, 4000))
    metering.finish(progress, at(20), Decimal(3990))

    assert progress.energy == sum(energies(progress)) == 3990


def test_readings_that_come_late_count_nothing():
    progress = started()
    metering.read(progress, register(10, 2000))
    metering.read(progress, register(5, 1500))

    assert progress.energy == 1000
    assert not progress.anomalies


def test_intervals_are_summed_when_there_is_no_register():
    progress = metering.begin(NOON, most_power=22_000)
    for minutes in (5, 10):
        metering.read(progress, Figures(at(minutes), interval=Decimal(250)))

    assert progress.energy == 500


def test_what_is_fed_back_is_taken_off():
    progress = started(wh=0)
    metering.read(progress, register(5, 1000, exported=Decimal(10)))
    metering.read(progress, register(10, 1500, exported=Decimal(210)))
    session = periods(progress, at(10), None, for_session=True)
    metering.finish(progress, at(10), Decimal(1500))

    assert progress.energy == 1300
    told = {one["type"]: one["volume"] for one in session[-1]["dimensions"]}
    totals = [told["ENERGY_IMPORT"], told["ENERGY_EXPORT"]]
    assert totals == [Decimal("1.5"), Decimal("0.2")]
    cdr = periods(progress, at(10), None, for_session=False)
    assert "ENERGY_EXPORT" not in str(cdr)
    assert restore_progress(json.loads(json.dumps(write_progress(progress)))) == progress


def test_progress_survives_being_written_down():
    progress = started(reserved_at=at(-5))
    metering.read(
        progress,
        register(7, "2000.5", power=Decimal("7.4"), current=Decimal(32), soc=Decimal(40)),
    )
    metering.change(progress, at(8), PARKING)

    again = restore_progress(json.loads(json.dumps(write_progress(progress))))

    assert again == progress


def test_a_month_at_the_cable_does_not_grow_without_bound():
    progress = started(wh=0)
    metering.finish(progress, NOON + timedelta(days=31), Decimal(4000))

    assert len(progress.periods) <= metering.MOST_PERIODS
    assert sum(energies(progress)) == 4000


def test_the_default_measurand_is_the_register():
    assert Sample(Decimal(1)).measurand == REGISTER


LIMITS = Limits(power=(Decimal(16), Decimal(32)))


def powers(progress):
    return [
        (period.start, period.power.low, period.power.high, int(period.energy))
        for period in progress.periods
    ]


def read_powers(*readings, limits=LIMITS):
    """(minute, kW, Wh) one after the other."""
    progress = started(0)
    for minutes, kilowatts, wh in readings:
        metering.read(progress, register(minutes, wh, power=Decimal(kilowatts)), limits)
    return progress


def test_a_period_begins_where_the_power_crosses_a_limit():
    """CDR-09: on the straight line between two readings, 6 kW became 26 kW; 16 kW lie between."""
    progress = read_powers((2, 6, 100), (4, 26, 500), (6, 27, 1400))

    assert powers(progress) == [
        (at(0), 6, 6, 300),
        (at(3), 16, 27, 1100),
    ]


def test_a_quarter_of_an_hour_that_begins_on_the_way_to_a_limit_has_its_power():
    """Without it no element that asks for power would price that part (PRICE-14)."""
    rising = read_powers((14, 12, 2800), (17, 18, 3550))
    falling = read_powers((14, 20, 2800), (18, 12, 3600))

    assert [period[:3] for period in powers(rising)] == [
        (at(0), 12, 12),
        (at(15), 14, 14),
        (at(16), 16, 18),
    ]
    assert [period[:3] for period in powers(falling)] == [
        (at(0), 20, 20),
        (at(15), 18, 18),
        (at(16), 12, 12),
    ]


def test_quarters_of_an_hour_without_a_reading_lie_on_the_straight_line():
    progress = read_powers((5, 1, 100), (65, 9, 5000), limits=Limits())

    assert [period[1] for period in powers(progress)] == [
        1, Decimal("2.333"), Decimal("4.333"), Decimal("6.333"), 9,
    ]  # fmt: skip


def test_a_band_that_was_passed_on_the_way_is_a_period_too():
    up = read_powers((2, 0, 0), (6, 48, 1200))
    down = read_powers((2, 48, 0), (6, 0, 1200))

    assert [period[:3] for period in powers(up)] == [
        (at(0), 0, 0),
        (at(2) + timedelta(seconds=80), 16, 16),
        (at(2) + timedelta(seconds=160), 32, 48),
    ]
    assert [period[:3] for period in powers(down)] == [
        (at(0), 48, 48),
        (at(2) + timedelta(seconds=80), 16, 16),
        (at(2) + timedelta(seconds=160), 0, 0),
    ]
    assert sum(energies(up)) == sum(energies(down)) == 1200


def test_power_that_reaches_a_limit_from_below_is_on_the_other_side():
    """PRICE-14: at least 16 kW, and less than 16 kW."""
    reached = read_powers((2, 15, 100), (4, 16, 200), (6, 16, 300))
    passed = read_powers((2, 15, 100), (4, 17, 200), (6, 15, 300))

    assert [period[1:3] for period in powers(reached)] == [(15, 15), (16, 16)]
    assert [period[1:3] for period in powers(passed)] == [(15, 15), (16, 17), (15, 15)]


def test_without_a_limit_power_divides_nothing():
    progress = read_powers((2, 6, 100), (4, 48, 500), limits=Limits())

    assert powers(progress) == [(at(0), 6, 48, 500)]


def test_current_has_limits_of_its_own():
    limits = Limits(current=(Decimal(32),))
    progress = started(0)
    for minutes, amperes in ((2, 16), (4, 48)):
        metering.read(progress, register(minutes, minutes * 100, current=Decimal(amperes)), limits)

    assert [(period.current.low, period.current.high) for period in progress.periods] == [
        (16, 16),
        (32, 48),
    ]


def test_the_limits_of_a_tariff_are_those_of_all_its_elements():
    tariff = {
        "elements": [
            {"restrictions": {"max_power": 16.5, "min_current": 6}},
            {"restrictions": {"min_power": 16.5, "max_power": 32, "max_kwh": 5}},
            {"restrictions": None},
            {},
        ]
    }

    assert limits_of([tariff, {}]) == Limits((Decimal("16.5"), Decimal(32)), (Decimal(6),))
    assert limits_of([]) == Limits()
