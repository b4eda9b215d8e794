"""Tariffs as they are published, and made-up CDRs whose totals somebody else computed."""

import json
import subprocess
import sys

import pytest

from hub.roaming.pricing.check import Outcome, check
from hub.roaming.pricing.engine import price
from tests.pricing.documents import SHARED, cdr

DATA = SHARED / "ocpi-data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the data is not here (../shared)")


def test_every_real_tariff_gives_a_price():
    """One to 97 elements, nulls everywhere, VAT or none, 23:59 and 00:00."""
    documents = json.loads((DATA / "tariffs.json").read_text())
    rows = [
        (90, {"TIME": 1.5, "ENERGY": 20, "MAX_POWER": 16}),
        (600, {"TIME": 10, "ENERGY": 30, "MAX_POWER": 5}),
        (120, {"PARKING_TIME": 2}),
    ]
    record = cdr("2026-06-06T20:30", rows)

    totals = {
        price([item], record, time_zone="Europe/Amsterdam").total.before for item in documents
    }

    assert len(documents) > 400
    assert len(totals) > 20
    assert all(total >= 0 for total in totals)


def test_made_up_cdrs_are_right(tmp_path):
    """Another program computed their totals: energy, night prices, fees, parking, three currencies.

    Their parking is billed in steps of a minute and takes whole ones; their times say so in hours.
    """
    command = [sys.executable, str(DATA / "generate.py"), "--seed", "7", "--sessions", "400"]
    subprocess.run([*command, "--out", str(tmp_path)], check=True, capture_output=True)
    cdrs = json.loads((tmp_path / "cdrs.json").read_text())
    zones = {
        location["id"]: location["time_zone"]
        for location in json.loads((tmp_path / "locations.json").read_text())
    }

    wrong = []
    for record in cdrs:
        verdict = check(record, time_zone=zones[record["cdr_location"]["id"]], ocpi_version="2.2.1")
        if verdict.outcome is not Outcome.OK or verdict.faults:
            wrong.append((record["id"], verdict.outcome, verdict.mismatches, verdict.faults))

    assert len(cdrs) > 300
    assert wrong == []
