"""Whose and which object it is, in URL and body; and rules that only one module has."""

import pytest

from tests.helpers import faults
from tests.helpers.documents import cdr, evse, location, session, tariff, token

V = "2.2.1"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("locations/NL/ONE/L2", location(version=V)),
        ("locations/NL/ONE/L1/E2", evse(version=V)),
        ("tariffs/NL/ONE/T2", tariff(version=V)),
        ("sessions/NL/ONE/S2", session(version=V)),
    ],
)
async def test_an_id_that_is_not_the_one_in_the_url_is_2001_MOD_03(cpo, path, body):
    await cpo.put("locations/NL/ONE/L1", location(version=V))

    answer = await cpo.put(path, body)

    assert (answer.http_status, answer.status_code) == (200, 2001)


async def test_a_uid_that_is_not_the_one_in_the_url_is_2001_MOD_03(emsp):
    answer = await emsp.put("tokens/DE/TWO/OTHER", token())

    assert (answer.http_status, answer.status_code) == (200, 2001)


@pytest.mark.parametrize(
    "patch", [{"id": "L9"}, {"country_code": "BE"}, {"party_id": "XXX"}], ids=str
)
async def test_what_an_object_is_found_by_does_not_change_LOC_08(cpo, emsp, patch):
    await cpo.put("locations/NL/ONE/L1", location(version=V))

    stamp = {"last_updated": "2026-01-01T00:00:00Z"}
    answer = await cpo.patch("locations/NL/ONE/L1", patch | stamp)

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert (await emsp.get("locations")).data == [location(version=V)]


async def test_evses_end_by_their_status_and_nothing_is_deleted_LOC_02(hub, cpo, emsp):
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    await hub.deliver()

    removed = {"status": "REMOVED", "last_updated": "2026-01-01T00:00:00Z"}
    answer = await cpo.patch("locations/NL/ONE/L1/E1", removed)
    await hub.deliver()
    deleted = [
        await cpo.delete(path)
        for path in ("locations/NL/ONE/L1", "locations/NL/ONE/L1/E1", "locations/NL/ONE/L1/E1/1")
    ]

    assert answer.status_code == 1000
    assert emsp.objects["locations/NL/ONE/L1"]["evses"][0]["status"] == "REMOVED"
    assert {one.http_status for one in deleted} == {405}
    assert len((await emsp.get("locations/L1")).data["evses"]) == 2


async def test_a_session_is_patched_as_a_whole_SES_13(cpo, emsp):
    await cpo.put("sessions/NL/ONE/S1", session(version=V))
    stamp = "2026-01-01T00:00:00Z"

    deeper = await cpo.patch("sessions/NL/ONE/S1/charging_periods", {"last_updated": stamp})
    dateless = await cpo.patch("sessions/NL/ONE/S1", {"kwh": 9})
    whole = await cpo.patch("sessions/NL/ONE/S1", {"kwh": 9, "last_updated": stamp})

    assert deeper.http_status == 404
    assert dateless.status_code == 2001
    assert whole.status_code == 1000


async def test_too_little_to_decide_on_is_relayed_as_2002_TOK_11(cpo, emsp):
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token())
    emsp.fail(faults.refuse(2002, "where?"), on="authorize")

    answer = await cpo.post(f"tokens/{token()['uid']}/authorize")

    assert (answer.http_status, answer.status_code) == (200, 2002)
    assert answer.message == "where?"


async def test_cdrs_have_36_characters_and_credits_three_more_CDR_07(cpo, emsp):
    long, longer = "C" * 36, "C" * 36 + "-CR"
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token())

    normal = await cpo.post("cdrs", cdr(version=V, id=long))
    credit = await cpo.post(
        "cdrs", cdr(version=V, id=longer, credit=True, credit_reference_id=long)
    )
    too_long = await cpo.post("cdrs", cdr(version=V, id="C" * 40))

    assert (normal.status_code, credit.status_code, too_long.status_code) == (1000, 1000, 2001)
    assert [one["id"] for one in (await emsp.get("cdrs")).data] == [long, longer]


async def test_neither_hours_nor_states_decide_about_a_token_TOK_13(cpo, emsp):
    """Where the hub decides in the place of an issuer that is silent."""
    shut = {"twentyfourseven": False, "regular_hours": [], "exceptional_closings": []}
    broken = evse(version=V, status="OUTOFORDER")
    closed = location(version=V, opening_times=shut, evses=[broken])
    await cpo.put("locations/NL/ONE/L1", closed)
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token(whitelist="ALLOWED_OFFLINE"))
    await emsp.stop_listening()

    asked = {"location_id": "L1", "evse_uids": ["E1"]}
    answer = await cpo.post(f"tokens/{token()['uid']}/authorize", asked)

    assert answer.data["allowed"] == "ALLOWED"


async def test_the_hubs_logo_is_large_enough_LOC_24(hub, cpo):
    url = cpo.hub_credentials["roles"][0]["business_details"]["logo"]["url"]

    answer = await cpo.call("GET", url, headers={"Authorization": None}, routed=False)

    assert 'width="512" height="512"' in answer.text
