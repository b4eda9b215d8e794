"""Commands and results that somebody made up: answers of OCPI, never a failure of the hub."""

import itertools

import pytest

from tests.helpers.commands import command

ODD = ["%00", "x" * 300, "%F0%9F%98%80", "a%2Fb", "%20", "'--", "{0}", "..%2f"]


def failed(answer):
    return answer.http_status >= 500 or answer.status_code in {None, 3000}


@pytest.mark.parametrize("to", [None, "NL*ONE", "NL*OWN"])
async def test_odd_urls_make_nothing_fail_T_24(cpo, emsp, to):
    url = emsp.response_url("X")
    profile = {"response_url": url, "charging_profile": {"charging_rate_unit": "A"}}
    active = {"start_date_time": "2026-01-01T00:00:00Z", **profile}
    wrong = {}
    for odd in ODD:
        path, query = f"chargingprofiles/{odd}", {"response_url": url, "duration": odd}
        answers = [
            await emsp.post(f"commands/{odd}", {"response_url": url, "location_id": "L1"}, to=to),
            await emsp.put(path, profile, to=to),
            await emsp.put(path, active, to=to, side="SENDER"),
            await emsp.get(path, side="RECEIVER", params=query, to=to),
            await emsp.delete(path, params=query, to=to),
        ]
        wrong |= {(odd, number): one for number, one in enumerate(answers) if failed(one)}

    assert wrong == {}


@pytest.mark.parametrize("to", [None, "NL*ONE", "NL*OWN"])
async def test_odd_bodies_make_nothing_fail_T_23(cpo, emsp, to):
    values = [None, True, 0, -1.5e300, "", "x" * 3000, [], {}, ["a"], {"party_id": 1}]
    members = ["token", "location_id", "session_id", "reservation_id", "expiry_date", "evse_uid"]
    wrong = {}
    for member, value in itertools.product(members, values):
        for name in ("HONK", "RESERVE_NOW", "STOP_SESSION"):
            body = command("RESERVE_NOW", emsp, **{member: value})
            answer = await emsp.post(f"commands/{name}", body, to=to)
            if failed(answer):
                wrong[member, str(value), name] = answer

    assert wrong == {}


async def test_odd_results_make_nothing_fail_T_33(hub, cpo, emsp):
    await emsp.post("commands/START_SESSION", command("START_SESSION", emsp), to=cpo)
    url = cpo.commands[0].body["response_url"]
    network, secret = url.rsplit("/", 2)[1:]
    base = url.removesuffix(f"/{network}/{secret}")
    wrong = {}
    for first, last in itertools.product((network, *ODD), (secret, *ODD)):
        for headers in ({}, {"Authorization": None}):
            if (first, last) != (network, secret):
                answer = await cpo.call(
                    "POST", f"{base}/{first}/{last}", body={"result": "FAILED"}, headers=headers
                )
                if failed(answer) or answer.ok:
                    wrong[first, last] = answer
    for body in (
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"result": 1}',
        b'{"result": "ACCEPTED", "message": 1}',
    ):
        answer = await cpo.call("POST", url, body=body)
        if failed(answer) or answer.ok:
            wrong[body] = answer

    assert wrong == {}
    assert (await cpo.send_result(cpo.commands[0])).status_code == 1000
