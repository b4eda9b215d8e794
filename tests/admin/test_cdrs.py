"""What operators see of CDRs and do about them."""

import pytest

from hub.ocpi.versions import same_since
from hub.roaming.store import objects
from tests.e2e.test_cdr_checks import RIGHT, cdr
from tests.helpers import documents
from tests.helpers.network import change

V = "2.2.1"
WRONG = documents.price(4, 0.84, version=V)
C1 = "/cdrs/NL/ONE/c1"


def old(**fields):
    """A right CDR of 2.2.1, unless ``fields`` make it wrong."""
    right = {"total_cost": documents.price(3.375, 0.7088, version=V)}
    return documents.cdr(version=V, **RIGHT | right | fields)


async def post(hub, cpo, *cdrs):
    for document in cdrs:
        answer = await cpo.post("cdrs", document)
        assert answer.ok, answer.text
    await hub.check_cdrs()


def ids(said):
    return [item["id"] for item in said.body["items"]]


@pytest.fixture
async def three(hub, cpo, emsp):
    """One that is right, one that is a little too dear, one that is much too dear."""
    await post(
        hub,
        cpo,
        old(),
        old(id="C2", session_id="S2", total_cost=WRONG),
        old(id="C3", total_cost=documents.price(9, 1.89, version=V)),
    )


async def test_cdrs_are_listed_by_verdict_party_flag_and_amount(operator, cpo, three):
    async def listed(**query):
        return ids(await operator.get("/cdrs", **query))

    assert await listed() == ["C3", "C2", "C1"]
    assert await listed(verdict="OK") == ["C1"]
    assert await listed(verdict="DIFFERS", order="difference") == ["C3", "C2"]
    assert await listed(verdict="UNCHECKED") == []
    assert await listed(min_difference="1") == ["C3"]
    assert await listed(min_difference="0.625") == ["C3", "C2"]
    assert await listed(flag="duplicate_charging") == ["C3", "C2"]
    assert await listed(party="NL*ONE") == await listed(party="DE*TWO") == ["C3", "C2", "C1"]
    assert await listed(party="DE*XXX") == await listed(held="true") == []
    assert await listed(partner_id=cpo.id) == ["C3", "C2", "C1"]


@pytest.mark.parametrize("order", ["latest", "difference"])
async def test_a_list_comes_in_pages(operator, three, order):
    pages, after = [], {}
    while True:
        said = await operator.get("/cdrs", order=order, limit=1, **after)
        pages += ids(said)
        if said.body["next"] is None:
            break
        after = {"after": said.body["next"]}

    assert pages == ["C3", "C2", "C1"]


@pytest.mark.parametrize(
    "query",
    [
        {"after": "bm9uc2Vuc2U"},
        {"after": "TmFOfDE", "order": "difference"},
        {"min_difference": "-1"},
        {"min_difference": "NaN"},
        {"verdict": "GOOD"},
        {"order": "price"},
    ],
)
async def test_odd_questions_get_a_clear_answer(operator, query):
    said = await operator.get("/cdrs", **query)

    assert (said.status, said.error["field"]) == (400, next(iter(query)))


async def test_a_cdr_is_named_as_its_owner_writes_it(hub, operator, cpo, emsp):
    await post(hub, cpo, old(id="Cdr-1a"))

    assert (await operator.get("/cdrs/NL/ONE/CDR-1A")).body["ref"] == "NL/ONE/Cdr-1a"
    [listed] = (await operator.get("/objects/cdrs")).body["items"]
    assert listed["ref"] == "NL/ONE/Cdr-1a"


async def test_one_cdr_says_everything_that_led_to_its_verdict(operator, three):
    said = (await operator.get("/cdrs/nl/one/C2")).body

    assert (said["ref"], said["party"], said["receiver"]) == ("NL/ONE/C2", "NL*ONE", "DE*TWO")
    assert (said["verdict"], said["claimed"], said["expected"]) == ("DIFFERS", "4", "3.375")
    assert (said["difference"], said["net"], said["flags"]) == (
        "0.625",
        "4",
        ["duplicate_charging"],
    )
    assert said["report"]["mismatches"][0]["difference"] == "0.6250"
    assert said["report"]["explanation"][0]["why"] == (
        "element 2: unrestricted; not element 1 (time of day)"
    )
    assert said["notes"] == said["credited_by"] == []


async def test_a_cdr_that_is_not_there_is_not_found(operator):
    for path in ("/cdrs/NL/ONE/C9", "/cdrs/NL/ONE/a/b"):
        said = await operator.get(path)
        assert (said.status, said.error["next"]) == (404, "hub cdr list")


async def test_a_dispute_from_its_opening_to_the_credit(hub, cpo, operator, three):
    """CDR-06: the credit settles it, and what remains is nothing."""
    c2 = "/cdrs/NL/ONE/C2"
    opened = await operator.post(f"{c2}/notes", dispute="OPEN", note="62 cents too much")
    again = await operator.post(f"{c2}/notes", dispute="OPEN", note="And again")
    accepted = await operator.post(f"{c2}/notes", dispute="ACCEPTED", note="They agree")
    await operator.post(f"{c2}/notes", note="A credit was promised for Friday")
    credit = {"credit": True, "credit_reference_id": "C2"}
    await post(hub, cpo, old(id="C2-C", total_cost=documents.price(-4, -0.84, version=V), **credit))

    said = (await operator.get(c2)).body
    assert (opened.body["dispute"], accepted.body["dispute"]) == ("OPEN", "ACCEPTED")
    assert (again.status, again.error["field"]) == (409, "dispute")
    assert (said["dispute"], said["net"]) == ("SETTLED", "0")
    assert said["credited_by"] == [{"id": "C2-C", "claimed": "-4", "verdict": "OK"}]
    assert [(note["dispute"], note["note"]) for note in said["notes"]] == [
        ("OPEN", "62 cents too much"),
        ("ACCEPTED", "They agree"),
        (None, "A credit was promised for Friday"),
        ("SETTLED", "Credited by CDR C2-C."),
    ]
    assert said["notes"][0]["created_by"]
    assert said["notes"][0]["by"].startswith("key ")
    assert (said["notes"][3]["created_by"], said["notes"][3]["by"]) == (None, None)
    assert ids(await operator.get("/cdrs", dispute="SETTLED")) == ["C2"]
    told = (await operator.get("/audit", entity_type="CDR", action="UPDATE")).body["items"]
    assert "NL/ONE/C2: Dispute OPEN: 62 cents too much" in {entry["description"] for entry in told}


@pytest.mark.parametrize("state", ["ACCEPTED", "REJECTED", "SETTLED"])
async def test_what_was_not_opened_cannot_go_on(operator, three, state):
    said = await operator.post(f"{C1}/notes", dispute=state, note="?")

    assert said.status == 409
    assert "open one first" in said.error["message"]


async def test_a_held_cdr_is_seen_by_its_owner_and_the_operator_only(hub, cpo, emsp, operator):
    """Not pushed, not listed, not found; until somebody releases it."""
    parties = {"from": "NL*ONE", "to": "DE*TWO", "module": "cdrs"}
    agreed = await operator.post("/agreements", effect="ALLOW", hold=True, **parties)
    await post(hub, cpo, old(total_cost=WRONG))
    await hub.deliver()

    listed = await operator.get("/cdrs", held="true")
    [delivery] = (await operator.get("/objects/cdrs/NL/ONE/C1")).body["deliveries"]
    own = await cpo.get("cdrs/NL/ONE/C1", side="RECEIVER")
    early = await emsp.get("cdrs")
    nothing = await emsp.get("cdrs/C1")
    released = await operator.post(f"{C1}/release", note="They asked for it on the phone")
    twice = await operator.post(f"{C1}/release", note="Again")
    await hub.deliver()
    late = await emsp.get("cdrs")

    assert agreed.body["hold"] is True
    assert ids(listed) == ["C1"]
    assert own.data["id"] == "C1"
    assert (delivery["party"], delivery["state"]) == ("DE*TWO", "HELD")
    assert (early.data, early.headers["X-Total-Count"]) == ([], "0")
    assert (nothing.http_status, nothing.status_code) == (404, 2000)
    assert (released.status, released.body["held_at"]) == (200, None)
    assert released.body["notes"][0]["note"] == "They asked for it on the phone"
    assert twice.status == 409
    assert [found["id"] for found in late.data] == ["C1"]
    assert [push.body["id"] for push in emsp.received] == ["C1"]


async def test_a_held_cdr_that_is_right_goes_on_by_itself(hub, cpo, emsp, operator):
    await operator.post("/agreements", effect="ALLOW", hold=True)

    await post(hub, cpo, old())
    await hub.deliver()

    assert [push.body["id"] for push in emsp.received] == ["C1"]


async def test_whoever_asks_for_a_check_gets_one(hub, cpo, emsp, operator):
    await post(hub, cpo, old(tariffs=documents.ABSENT))
    before = (await operator.get(C1)).body
    await cpo.put("tariffs/NL/ONE/T1", documents.tariff(version=V))

    said = await operator.post(f"{C1}/check")
    everything = await operator.post("/cdrs/check")

    assert before["awaits"] == ["tariffs/NL/ONE/T1"]
    assert (said.body["verdict"], said.body["awaits"]) == ("OK", [])
    assert (everything.status, everything.body) == (200, {"checking": "all"})


async def test_metrics_count_what_is_held_and_disputed(hub, cpo, operator, three):
    await operator.post("/cdrs/NL/ONE/C2/notes", dispute="OPEN", note="Too much")
    async with operator.session.get(f"{hub.url}/metrics") as response:
        text = await response.text()

    assert f'ocpi_hub_cdr_disputes{{partner="{cpo.id}"}} 1.0' in text
    assert 'ocpi_hub_cdrs_checked_total{verdict="OK"} 1.0' in text
    assert 'ocpi_hub_cdrs_checked_total{verdict="DIFFERS"} 2.0' in text


async def test_the_clock_checks_what_nobody_woke_the_checker_for(hub, tenant, operator):
    """As after a crash between the commit and the check."""
    async with hub.database.transaction(tenant.id) as db:
        await objects.apply(db, [change("cdrs", cdr())], same_since=same_since)
    assert ids(await operator.get("/cdrs", verdict="UNCHECKED")) == ["C1"]

    await hub.run("check cdrs")

    assert ids(await operator.get("/cdrs", verdict="OK")) == ["C1"]
