"""A day at the command line with charging stations of one's own."""

import json

import pytest

from tests.helpers.documents import ABSENT, location, tariff
from tests.helpers.stations import OWN, connected

PLUG = ("--standard", "IEC_62196_T2", "--voltage", "230", "--amperage", "32", "--phases", "3")


@pytest.fixture
def files(tmp_path):
    """An own location and an own tariff, in files."""
    documents = {
        "location": location(**OWN, id="LOC1", evses=ABSENT, last_updated=ABSENT),
        "tariff": tariff(**OWN, id="T1"),
    }
    for name, document in documents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    return {name: str(tmp_path / f"{name}.json") for name in documents}


async def test_from_the_first_station_to_its_removal(command, hub, files):
    added = await command("station", "add", "CP-1", "--name", "Front door", "--json")
    await command("object", "put", "locations", files["location"])
    await command("object", "put", "tariffs", files["tariff"])
    placed = await command(
        *("station", "place", "CP", "1", "--location", "LOC1", "--tariff", "T1", *PLUG)
    )
    made = added.json["station"] | {"password": added.json["password"]}
    async with connected(hub, made) as client:
        await client.boot()
        await client.status(1, "Available")
        listed = await command("station", "list", "--connected")
        shown = await command("station", "show", "CP-1")
        evses = await command("station", "evses", "CP-1")
        sent = await command("station", "password", "CP-1")
    planned = await command("station", "describe", "CP-1", "1", "--shown-as", "planned", "--json")
    withdrawn = await command("station", "withdraw", "CP-1", "1", "--json")
    edited = await command("station", "edit", "CP-1", "--version", "1.6", "--group", "fleet")
    deleted = await command("object", "delete", "tariffs", "T1", "--yes")
    removed = await command("station", "remove", "CP-1", "--yes")

    assert "LOC1" in placed.out
    assert "CP-1" in listed.out
    assert "yes, since" in shown.out
    assert "AVAILABLE" in evses.out
    assert "The station has it" in sent.err
    assert planned.json["status"] == "PLANNED"
    assert withdrawn.json["published"] is False
    assert "fleet" in edited.out
    assert (deleted.code, "CP-1 has this tariff" in deleted.err) == (4, True)
    assert removed.code == 0
    assert (await command("station", "list")).out == ""
    assert made["password"] not in shown.out + listed.out


async def test_a_password_of_ones_own_and_one_to_type_in(command, tmp_path):
    (tmp_path / "password").write_text("a-password-of-1234\n")

    added = await command(
        *("station", "add", "CP-1", "--json"), *("--password-file", str(tmp_path / "password"))
    )
    away = await command("station", "password", "CP-1")
    typed = await command("station", "password", "CP-1", "--show", "--json")

    assert added.json["password"] is None
    assert (away.code, "--show" in away.err) == (4, True)
    assert len(typed.json["password"]) == 32


async def test_what_is_wrong_is_told_with_an_exit_code(command, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "nameless.json").write_text("{}")
    await command("station", "add", "CP-1")
    await command("station", "add", "CP-2")

    wrong = {
        ("station", "show", "CP"): 2,
        ("station", "show", "CP-3"): 3,
        ("station", "add", "CP-1"): 4,
        ("station", "add", "no/slash"): 2,
        ("station", "place", "CP-1", "1"): 2,
        ("object", "put", "locations", str(tmp_path / "broken.json")): 2,
        ("object", "put", "locations", str(tmp_path / "nameless.json")): 2,
        ("object", "put", "locations", str(tmp_path / "absent.json")): 2,
        ("object", "delete", "locations", "LOC1", "--yes"): 2,
        ("object", "delete", "tariffs", "T9", "--yes"): 3,
    }
    for arguments, code in wrong.items():
        ended = await command(*arguments)
        assert (ended.code, ended.out) == (code, ""), arguments
        assert ended.err
