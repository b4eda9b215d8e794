"""Checking CDRs and closing a month at the command line."""

import json

import pytest

from tests.helpers import documents
from tests.helpers.partner import FakePartner

V = "2.2.1"
RIGHT = {
    "total_cost": documents.price(3.375, 0.7088, version=V),
    "total_fixed_cost": documents.ABSENT,
}
WRONG = documents.price(4, 0.84, version=V)


def cdr(**fields):
    return documents.cdr(version=V, **RIGHT | fields)


@pytest.fixture
async def cpo(hub):
    async with FakePartner("NL*ONE CPO", name="One") as cpo, FakePartner("DE*TWO EMSP") as emsp:
        await hub.connect(cpo)
        await hub.connect(emsp)
        cpo.emsp = emsp
        yield cpo


async def test_a_disputed_cdr_from_its_check_to_the_month_close(command, hub, cpo, tmp_path):
    await command("agreement", "allow", "--to", "DE*TWO", "--module", "cdrs", "--hold")
    await cpo.post("cdrs", cdr())
    await cpo.post("cdrs", cdr(id="C2", session_id="S2", total_cost=WRONG))
    await hub.check_cdrs()

    agreements = await command("agreement", "list")
    differing = await command("cdr", "list", "--verdict", "DIFFERS", "--by-difference")
    held = (await command("cdr", "list", "--held", "--json")).json["items"]
    opened = await command("cdr", "dispute", "NL/ONE/C2", "open", "--note", "62 cents too much")
    noted = await command("cdr", "note", "NL/ONE/C2", "They look into it")
    released = await command("cdr", "release", "NL/ONE/C2", "--note", "Pay under reserve")
    again = await command("cdr", "release", "NL/ONE/C2", "--note", "Again")
    shown = await command("cdr", "show", "NL/ONE/C2")
    checked = await command("cdr", "check", "NL/ONE/C1", "--json")
    everything = await command("cdr", "check", "--all")

    assert "ALLOW, HOLD" in agreements.out
    assert "NL/ONE/C2" in differing.out
    assert "0.625" in differing.out
    assert "NL/ONE/C1" not in differing.out
    assert [row["id"] for row in held] == ["C2"]
    assert "OPEN" in opened.out
    assert "They look into it" in noted.out
    assert (released.code, again.code) == (0, 4)
    assert "element 2: unrestricted" in shown.out
    assert "total_cost (excl_vat): 4.0000 claimed, 3.3750 computed" in shown.out
    assert "Pay under reserve" in shown.out
    assert checked.json["verdict"] == "OK"
    assert (everything.code, "checked again" in everything.err) == (0, True)

    listed = await command("settlement", "list", "2025-06")
    stated = await command("settlement", "show", "2025-06", "NL*ONE", "DE*TWO")
    page = tmp_path / "june.html"
    written = await command(
        *("settlement", "show", "2025-06", "NL*ONE", "DE*TWO"),
        *("--format", "html", "--output", str(page)),
    )

    assert "7.375" in listed.out
    assert json.loads(stated.out)["totals"][0]["before_taxes"] == "7.375"
    assert (written.code, page.read_bytes()[:15]) == (0, b"<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cdr", "show", "C1"), "names no CDR"),
        (("cdr", "check"), "say --all"),
        (("cdr", "check", "NL/ONE/C1", "--all"), "say --all"),
        (("settlement", "list", "june"), "Not a month"),
        (
            ("settlement", "reconcile", "2025-06", "NL*OWN", "DE*TWO", "--invoice", "1"),
            "no invoice",
        ),
        (("settlement", "reconcile", "2025-06", "NL*OWN", "DE*TWO"), "billed"),
        (("settlement", "show", "2025-06", "NL*ONE", "DE*TWO", "--output", "/nowhere/x"), "billed"),
    ],
)
async def test_wrong_usage_says_what_to_write(command, arguments, said):
    ended = await command(*arguments)

    assert ended.code in {2, 3}
    assert said in ended.err
