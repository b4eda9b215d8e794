"""The five modules as partners use them: push, read back, list, refuse."""

import json

import pytest
from sqlalchemy import select

from hub.models.feed import QuarantinedObject
from tests.helpers.documents import (
    ABSENT,
    cdr,
    connector,
    evse,
    location,
    session,
    tariff,
    token,
)
from tests.helpers.partner import FakePartner

V = "2.2.1"


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("locations/NL/ONE/L1", location(version=V)),
        ("tariffs/NL/ONE/T1", tariff(version=V)),
        ("sessions/NL/ONE/S1", session(version=V)),
    ],
)
async def test_a_push_is_created_then_replaced_and_reads_back_as_sent(cpo, emsp, path, document):
    """TRANSPORT-83: 201 for new, 200 for known."""
    first = await cpo.put(path, document)
    second = await cpo.put(path, document)
    back = await cpo.get(path, side="RECEIVER")

    assert (first.http_status, first.status_code) == (201, 1000)
    assert (second.http_status, second.status_code) == (200, 1000)
    assert back.data == document


async def test_an_emsp_pushes_tokens_and_finds_them_by_type_TOK_03(emsp):
    rfid, app = token(), token(type="APP_USER", whitelist="NEVER")
    uid = rfid["uid"]

    first = await emsp.put(f"tokens/DE/TWO/{uid}", rfid)
    second = await emsp.put(f"tokens/DE/TWO/{uid}", app, params={"type": "APP_USER"})
    contradiction = await emsp.put(f"tokens/DE/TWO/{uid}", app, params={"type": "RFID"})

    assert (first.http_status, second.http_status) == (201, 201)
    assert contradiction.status_code == 2001
    default = await emsp.get(f"tokens/DE/TWO/{uid}", side="RECEIVER")
    typed = await emsp.get(f"tokens/DE/TWO/{uid}", side="RECEIVER", params={"type": "APP_USER"})
    assert (default.data["type"], typed.data["type"]) == ("RFID", "APP_USER")


async def test_unknown_fields_and_stamps_survive_TRANSPORT_17_HUB_42(cpo, emsp):
    sent = location(
        version=V, favourite_colour={"name": "blue"}, last_updated="2024-02-03T04:05:06Z"
    )
    sent["evses"] = [evse(version=V, last_updated="2024-02-03T04:05:06Z", hue=7)]
    sent["evses"][0]["connectors"][0]["last_updated"] = "2024-02-03T04:05:06Z"

    await cpo.put("locations/NL/ONE/L1", sent)

    [seen] = (await emsp.get("locations")).data
    assert seen == sent


async def test_evses_and_connectors_have_urls_of_their_own(cpo, emsp):
    """LOC-01; LOC-13: a new uid is one more EVSE."""
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    new = evse(version=V, uid="E9", last_updated="2025-07-01T00:00:00Z")
    plug = connector(version=V, id="2", last_updated="2025-07-02T00:00:00Z")

    added = await cpo.put("locations/NL/ONE/L1/E9", new)
    status = {"status": "BLOCKED", "last_updated": "2025-07-03T00:00:00Z"}
    patched = await cpo.patch("locations/NL/ONE/L1/E9", status)
    plugged = await cpo.put("locations/NL/ONE/L1/E9/2", plug)

    assert (added.http_status, patched.status_code, plugged.status_code) == (201, 1000, 1000)
    assert (await emsp.get("locations/L1/E9")).data["status"] == "BLOCKED"
    assert (await emsp.get("locations/L1/E9/2")).data == plug
    assert (await cpo.get("locations/NL/ONE/L1/E9/2", side="RECEIVER")).data == plug
    assert (await emsp.get("locations/L1")).data["last_updated"] == "2025-07-03T00:00:00Z"


async def test_parts_of_what_is_unknown_are_404_and_2003_LOC_14(cpo):
    answers = [
        await cpo.put("locations/NL/ONE/NO/E1", evse(version=V)),
        await cpo.patch(
            "locations/NL/ONE/NO", {"name": "x", "last_updated": "2025-01-01T00:00:00Z"}
        ),
        await cpo.get("locations/NL/ONE/NO", side="RECEIVER"),
    ]

    assert {(answer.http_status, answer.status_code) for answer in answers} == {(404, 2003)}


async def test_a_patch_must_say_when_TRANSPORT_11(cpo):
    await cpo.put("locations/NL/ONE/L1", location(version=V))

    answer = await cpo.patch("locations/NL/ONE/L1/E1", {"status": "CHARGING"})

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert "last_updated" in answer.message


async def test_a_patch_may_not_clear_what_is_required_TRANSPORT_10(cpo):
    """AMB-09."""
    await cpo.put("locations/NL/ONE/L1", location(version=V))

    stamp = {"last_updated": "2026-01-01T00:00:00Z"}
    required = await cpo.patch("locations/NL/ONE/L1", {"city": None} | stamp)
    optional = await cpo.patch("locations/NL/ONE/L1", {"name": None} | stamp)

    assert required.status_code == 2001
    assert optional.status_code == 1000
    kept = (await cpo.get("locations/NL/ONE/L1", side="RECEIVER")).data
    assert "name" not in kept
    assert kept["city"] == "Utrecht"


async def test_session_patches_append_and_puts_replace_SES_12_SES_14(cpo, emsp):
    await cpo.put("sessions/NL/ONE/S1", session(version=V))
    more = {
        "start_date_time": "2025-06-01T08:30:00Z",
        "dimensions": [{"type": "ENERGY", "volume": 2}],
    }

    patch = {"kwh": 9.5, "charging_periods": [more], "last_updated": "2025-06-01T09:20:00Z"}
    await cpo.patch("sessions/NL/ONE/S1", patch)
    appended = (await cpo.get("sessions/NL/ONE/S1", side="RECEIVER")).data
    later = session(version=V, charging_periods=ABSENT, last_updated="2025-06-01T09:30:00Z")
    await cpo.put("sessions/NL/ONE/S1", later)
    replaced = (await cpo.get("sessions/NL/ONE/S1", side="RECEIVER")).data

    assert [period["start_date_time"] for period in appended["charging_periods"]] == [
        "2025-06-01T08:00:00Z",
        "2025-06-01T08:30:00Z",
    ]
    assert "charging_periods" not in replaced


async def test_a_cdr_is_posted_and_read_from_where_the_hub_says_CDR_03(hub, cpo, emsp):
    answer = await cpo.post("cdrs", cdr(version=V))

    assert (answer.http_status, answer.status_code) == (201, 1000)
    url = answer.headers["Location"]
    assert url.startswith(hub.url)
    assert (await cpo.get(url)).data == cdr(version=V)
    [listed] = (await emsp.get("cdrs")).data
    assert listed == cdr(version=V)


async def test_a_repeated_cdr_is_fine_and_a_contradicting_one_is_not_CDR_04(cpo, emsp):
    """AMB-25."""
    first = await cpo.post("cdrs", cdr(version=V))
    again = await cpo.post("cdrs", cdr(version=V, id="c1"))
    other = await cpo.post("cdrs", cdr(version=V, total_energy=9.99))

    assert (again.http_status, again.status_code) == (200, 1000)
    assert again.headers["Location"].lower() == first.headers["Location"].lower()
    assert (other.http_status, other.status_code) == (200, 2001)
    [kept] = (await emsp.get("cdrs")).data
    assert kept["total_energy"] == cdr()["total_energy"]


async def test_sessions_and_cdrs_are_for_their_two_parties_only_HUB_23(hub, cpo, emsp, partners):
    """CDR-19, SES-17, TRANSPORT-15."""
    stranger = await partners.enter_async_context(FakePartner("FR*ZZZ EMSP"))
    await hub.connect(stranger)
    await cpo.put("sessions/NL/ONE/S1", session(version=V))
    posted = await cpo.post("cdrs", cdr(version=V))

    since = {"date_from": "2020-01-01T00:00:00Z"}
    assert (await stranger.get("sessions", params=since)).data == []
    assert (await stranger.get("cdrs")).data == []
    assert (await stranger.get(posted.headers["Location"])).http_status == 404
    assert len((await emsp.get("sessions", params=since)).data) == 1


async def test_a_session_for_a_token_of_nobody_here_is_refused_HUB_35(cpo):
    answer = await cpo.put("sessions/NL/ONE/S1", session(version=V))

    assert (answer.http_status, answer.status_code) == (200, 4001)
    assert (await cpo.get("sessions/NL/ONE/S1", side="RECEIVER")).http_status == 404


async def test_a_deleted_tariff_is_gone_TAR_02(cpo, emsp):
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))

    deleted = await cpo.delete("tariffs/NL/ONE/T1")
    again = await cpo.delete("tariffs/NL/ONE/T1")

    assert (deleted.http_status, deleted.status_code) == (200, 1000)
    assert (again.http_status, again.status_code) == (404, 2001)
    assert (await emsp.get("tariffs")).data == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"status": "BUSY"}, "evses/0/status"),
        ({"uid": ABSENT}, "evses/0/uid"),
        ({"connectors": []}, "evses/0/connectors"),
        ({"floor_level": -1}, "evses/0/floor_level"),
    ],
)
async def test_one_bad_evse_does_not_cost_the_location(hub, cpo, emsp, change, field):
    """TRANSPORT-14: the good ones are kept, the bad one is named and quarantined."""
    sent = location(version=V, evses=[evse(version=V, **change), evse(version=V, uid="E2")])

    answer = await cpo.put("locations/NL/ONE/L1", sent)

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert answer.message.startswith(field)
    [kept] = (await emsp.get("locations")).data
    assert [part["uid"] for part in kept["evses"]] == ["E2"]


async def test_what_is_bad_beside_its_evses_is_quarantined_whole_TRANSPORT_14(hub, cpo, emsp):
    """Nothing of it is kept, so nothing of it may be missing from what was refused."""
    bad = evse(version=V, status="BUSY")
    sent = location(version=V, country="Netherlands", evses=[bad, evse(version=V, uid="E2")])

    answer = await cpo.put("locations/NL/ONE/L1", sent)

    assert [error["field"] for error in answer.data["errors"]] == ["country"]
    assert (await emsp.get("locations")).data == []
    async with hub.database.transaction(hub.tenant_id) as db:
        [entry] = await db.scalars(select(QuarantinedObject))
    assert json.loads(entry.body) == sent


async def test_a_bad_object_is_refused_with_field_and_rule_and_quarantined(hub, cpo):
    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V, currency="EURO"))

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert "currency: " in answer.message
    assert answer.data["errors"][0]["field"] == "currency"
    async with hub.database.transaction(hub.tenant_id) as db:
        [entry] = await db.scalars(select(QuarantinedObject))
    assert (entry.module, entry.object_ref, entry.source) == ("tariffs", "NL/ONE/T1", "push")
    assert entry.errors[0]["field"] == "currency"


async def test_lists_are_paged_with_links_that_lead_to_the_end_TRANSPORT_58(cpo, emsp):
    """AMB-06: the smaller limit is the one that is told."""
    for n in range(7):
        await cpo.put(f"tariffs/NL/ONE/T{n}", tariff(version=V, id=f"T{n}"))

    seen, url, params = [], "tariffs", {"limit": 3, "date_from": "2020-01-01T00:00:00Z"}
    pages = 0
    while url:
        answer = await emsp.get(url, params=params)
        seen += [one["id"] for one in answer.data]
        assert answer.headers["X-Total-Count"] == "7"
        assert answer.headers["X-Limit"] == "3"
        url, params = next_of(answer), None
        pages += 1
        if url:
            assert "date_from=2020" in url
            assert f"offset={3 * pages}" in url

    assert seen == [f"T{n}" for n in range(7)]
    assert pages == 3


def next_of(answer):
    link = answer.headers.get("Link", "")
    return link.split(">")[0].lstrip("<") if 'rel="next"' in link else None


async def test_an_empty_list_has_no_link_TRANSPORT_65(emsp):
    answer = await emsp.get("tariffs")

    assert (answer.http_status, answer.data) == (200, [])
    assert answer.headers["X-Total-Count"] == "0"
    assert "Link" not in answer.headers


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "many"},
        {"offset": "-1"},
        {"offset": "1.5"},
        {"offset": "9" * 30},
        {"date_from": "yesterday"},
        {"date_to": "2025-13-01T00:00:00Z"},
    ],
)
async def test_a_bad_page_request_is_2001_and_names_the_parameter_TRANSPORT_65(emsp, params):
    answer = await emsp.get("tariffs", params=params)

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert next(iter(params)) in answer.message


async def test_a_list_of_sessions_needs_date_from_TRANSPORT_57_SES_08(emsp):
    answer = await emsp.get("sessions")

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert "date_from" in answer.message


async def test_dates_are_from_inclusive_to_exclusive_TRANSPORT_56(cpo, emsp):
    for day in (1, 2, 3):
        sent = tariff(version=V, id=f"T{day}", last_updated=f"2025-03-0{day}T00:00:00Z")
        await cpo.put(f"tariffs/NL/ONE/T{day}", sent)

    span = {"date_from": "2025-03-01T00:00:00Z", "date_to": "2025-03-03T00:00:00Z"}
    answer = await emsp.get("tariffs", params=span)

    assert [one["id"] for one in answer.data] == ["T1", "T2"]
    assert answer.headers["X-Total-Count"] == "2"


LET_IN = {
    "uid": {"uid": token()["uid"].lower(), "type": "RFID"},
    "visual number": {"visual_number": token()["visual_number"], "issuer": token()["issuer"]},
    "group": {"group_id": "FLEET-7"},
}
KEPT_OUT = {
    "another uid": {"uid": "0011", "type": "RFID"},
    "another type": {"uid": token()["uid"], "type": "APP_USER"},
    "another issuer": {"visual_number": token()["visual_number"], "issuer": "Somebody"},
    "one of two": {"uid": token()["uid"], "type": "RFID", "group_id": "OTHERS"},
}


@pytest.mark.parametrize("entry", LET_IN.values(), ids=LET_IN)
async def test_an_unpublished_location_is_for_the_tokens_it_lets_in_LOC_05(
    hub, cpo, emsp, partners, entry
):
    stranger = await partners.enter_async_context(FakePartner("FR*ZZZ EMSP"))
    await hub.connect(stranger)
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token(group_id="fleet-7"))

    others = {"uid": "X", "type": "RFID"}
    sent = location(version=V, publish=False, publish_allowed_to=[others, entry])
    await cpo.put("locations/NL/ONE/L1", sent)
    await cpo.patch(
        "locations/NL/ONE/L1/E1", {"status": "CHARGING", "last_updated": "2025-09-01T00:00:00Z"}
    )
    await hub.deliver()

    assert [one["id"] for one in (await emsp.get("locations")).data] == ["L1"]
    assert (await emsp.get("locations/L1")).http_status == 200
    assert {push.module for push in emsp.received} == {"locations"}
    listed = await stranger.get("locations")
    assert (listed.data, listed.headers["X-Total-Count"]) == ([], "0")
    assert (await stranger.get("locations/L1")).http_status == 404
    assert stranger.received == []
    assert (await cpo.get("locations/NL/ONE/L1", side="RECEIVER")).data["id"] == "L1"


@pytest.mark.parametrize("entry", KEPT_OUT.values(), ids=KEPT_OUT)
async def test_an_unpublished_location_is_for_no_other_token_LOC_05(hub, cpo, emsp, entry):
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token(group_id="FLEET-7"))

    await cpo.put(
        "locations/NL/ONE/L1", location(version=V, publish=False, publish_allowed_to=[entry])
    )
    await hub.deliver()

    assert (await emsp.get("locations")).data == []
    assert [push for push in emsp.received if push.module == "locations"] == []
