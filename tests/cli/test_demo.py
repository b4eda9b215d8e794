"""``hub demo``: two platforms roam, also while the hub is killed under them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hub.demo import objects, story
from hub.demo.hub_process import HubProcess
from hub.demo.stations import Charged
from hub.demo.story import Story, is_intact, running, whole
from hub.demo.trace import Trace
from hub.simulator.station import SimulatedStation
from tests.cli.test_serve import clean
from tests.helpers.documents import location, tariff

DATA = Path(__file__).parents[3] / "shared" / "ocpi-data"


def demo(*options: str, timeout: float = 280) -> tuple[int, dict]:
    done = subprocess.run(
        [sys.executable, "-m", "hub", "demo", "--once", "--json", *options],
        env=clean(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_everything_arrives_intact():
    code, result = demo()

    assert code == 0
    assert result["intact"] is True
    assert result["refused"] == []
    told = {row["module"]: (row["sent"], row["intact"]) for row in result["modules"]}
    assert told == {
        "tariffs": (2, 2),
        "locations": (5, 5),
        "tokens": (1, 1),
        "sessions": (1, 1),
        "cdrs": (1, 1),
    }


def test_an_emsp_charges_at_stations_of_the_hubs_own():
    """Started, watched, ended and billed from outside, at stations of all versions."""
    code, result = demo("--stations", "5")

    assert code == 0
    stations = result["stations"]
    assert [one["version"] for one in stations] == ["1.6", "2.0.1", "2.1", "1.6", "2.0.1"]
    for one in stations:
        assert (one["start"], one["stop"], one["wrong"]) == ("ACCEPTED", "ACCEPTED", None)
        assert one["updates"] >= 3
        assert one["meter"] > 0
        assert one["session"] == one["cdr"] == pytest.approx(one["meter"], abs=0.001)


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ({}, ""),
        ({"cdrs": []}, "no CDR"),
        ({"kwh": 1.002}, "1.002 kWh were told"),
        ({"energy": 0.998}, "0.998 kWh were told"),
        ({"cost": 0.51}, "0.51 is not 0.49"),
        ({"twice": True}, "2 CDRs"),
    ],
)
def test_the_judge_of_the_stations_sees_what_is_wrong(told, wrong):
    station = SimulatedStation("ws://nowhere", "CP-1", "")
    station.register = 1000.0
    cdr = {
        "total_energy": told.get("energy", 1.0),
        "total_cost": {"excl_vat": told.get("cost", 0.49)},
    }
    cdrs = told.get("cdrs", [cdr, cdr] if told.get("twice") else [cdr])
    charged = Charged(station, session={"kwh": told.get("kwh", 1.0)}, cdrs=cdrs)

    assert charged.check().startswith(wrong)
    assert bool(charged.check()) is bool(wrong)


def test_what_the_hub_refuses_is_listed_with_field_and_rule(tmp_path):
    """The good ones arrive all the same (TRANSPORT-14)."""
    good = location(version="2.2.1")
    bad = location(version="2.2.1", id="L2", coordinates={"latitude": "north"})
    (tmp_path / "locations.json").write_text(json.dumps([good, bad]))
    (tmp_path / "tariffs.json").write_text(json.dumps([tariff(version="2.2.1")]))

    code, result = demo(
        "--locations", str(tmp_path / "locations.json"), "--tariffs", str(tmp_path / "tariffs.json")
    )

    assert code == 1
    assert {refusal["ref"] for refusal in result["refused"]} == {"NL/ONE/L2"}
    assert "coordinates/latitude" in {refusal["field"] for refusal in result["refused"]}
    assert all(refusal["rule"] for refusal in result["refused"])
    [row] = [row for row in result["modules"] if row["module"] == "locations"]
    assert (row["sent"], row["accepted"], row["intact"]) == (2, 1, 1)


@pytest.mark.parametrize("content", ["", "{}", "[1]", None])
def test_a_file_that_holds_no_objects_is_refused_at_once(tmp_path, content):
    path = tmp_path / "locations.json"
    if content is not None:
        path.write_text(content)

    code, result = demo("--locations", str(path))

    assert code == 2
    assert result["error"]["field"] == "--locations"


@pytest.mark.skipif(not DATA.exists(), reason="the real data is not beside the repository")
def test_the_real_data_arrives_intact():
    """Nulls for absent lists, dangling tariff ids, 97 elements: real feeds look so."""
    code, result = demo(
        "--locations",
        str(DATA / "locations.json"),
        "--tariffs",
        str(DATA / "tariffs.json"),
        timeout=900,
    )

    told = {row["module"]: (row["sent"], row["intact"]) for row in result["modules"]}
    assert told["locations"] == (1578, 1578)
    assert told["tariffs"] == (447, 447)
    assert (code, result["refused"]) == (0, [])


class Killed(Story):
    """The hub, or its database, dies whenever so many requests have come by."""

    deaths = ("hub", "database", "hub")
    every = 60

    async def put(self, *arguments, **options):
        await super().put(*arguments, **options)
        if self.deaths and self.trace.hops > self.every * (4 - len(self.deaths)):
            death, *self.deaths = self.deaths
            pid = self.hub.process.pid
            if death == "database":
                pid_file = self.hub.data_dir / "postgres" / "postmaster.pid"
                pid = int(pid_file.read_text().splitlines()[0])
            os.kill(pid, signal.SIGKILL)


async def test_killing_hub_and_database_loses_and_duplicates_nothing():
    """Three times in the middle of it: what was answered 1000 arrives, and arrives once."""
    events: list[str] = []
    trace = Trace(quiet=True)
    locations = [objects.location(1 + number % 5) | {"id": f"LOC{number}"} for number in range(150)]
    with TemporaryDirectory(prefix="hub-demo-") as directory:
        hub = HubProcess(Path(directory) / "data", events.append)
        await hub.start()
        try:
            async with (
                running("CPO", "CPO", ["NL*DCP"], trace) as cpo,
                running("eMSP", "EMSP", ["DE*DEM"], trace) as emsp,
            ):
                told = Killed(hub, cpo, emsp, trace, locations, objects.tariffs())
                await told.tell()
        finally:
            await hub.stop()

    assert told.deaths == []
    assert len([event for event in events if "died" in event]) == 2
    assert [one.path for one in told.sent.values() if not is_intact(one)] == []
    assert whole(told)
    assert len([path for module, path in emsp.kept if module == "locations"]) == 150
    assert len([path for module, path in emsp.kept if module == "cdrs"]) == 1


def test_what_is_not_as_it_was_sent_is_not_intact():
    """The judge itself: a changed, an added and a missing member are all told."""
    sent = {"id": "1", "name": "A", "images": None, "last_updated": "2025-01-01T00:00:00Z"}

    assert story.comparable(sent) == story.comparable(sent | {"directions": None})
    assert story.comparable(sent) != story.comparable(sent | {"name": "B"})
    assert story.comparable(sent) != story.comparable(sent | {"city": "C"})
    assert story.comparable(sent) != story.comparable(
        {name: value for name, value in sent.items() if name != "name"}
    )
    assert story.comparable(sent) != story.comparable(
        sent | {"last_updated": "2025-01-02T00:00:00Z"}
    )
