"""The feed inside a whole hub: what is pushed to it goes out by itself."""

import asyncio

from tests.helpers.documents import cdr, location, session, tariff, token
from tests.helpers.faults import unavailable
from tests.helpers.partner import FakePartner

V = "2.2.1"


async def test_what_a_cpo_pushes_reaches_the_emsp_without_anybody_asking(cpo, emsp):
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    await cpo.patch(
        "locations/NL/ONE/L1/E1",
        {"status": "CHARGING", "last_updated": "2025-06-01T09:00:00Z"},
    )
    await emsp.until(lambda partner: any(push.path.endswith("/E1") for push in partner.received))

    [whole, part] = [emsp.received[0], emsp.received[-1]]
    assert whole.path == "locations/NL/ONE/L1"
    assert (part.method, part.body["status"]) == ("PUT", "CHARGING")


async def test_a_session_from_token_to_cdr(hub, cpo, emsp):
    """Each object reaches the other side, and nothing reaches anybody twice."""
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token())
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await cpo.put("sessions/NL/ONE/S1", session(version=V))
    await cpo.patch(
        "sessions/NL/ONE/S1",
        {"status": "COMPLETED", "last_updated": "2025-06-01T10:00:00Z"},
    )
    await cpo.post("cdrs", cdr(version=V))
    await hub.deliver()

    assert [push.module for push in cpo.received] == ["tokens"]
    modules = [push.module for push in emsp.received]
    assert sorted(set(modules)) == ["cdrs", "sessions", "tariffs"]
    sessions = [push.body["status"] for push in emsp.received if push.module == "sessions"]
    assert sessions[-1] == "COMPLETED"
    assert modules.count("cdrs") == modules.count("tariffs") == 1


async def test_a_partner_that_registers_is_told_what_there_is_and_the_others_of_it(
    hub, cpo, partners
):
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    late = await partners.enter_async_context(FakePartner("DE*SIX EMSP"))
    await hub.connect(late)
    await hub.deliver()

    assert [push.path for push in late.received] == ["tariffs/NL/ONE/T1"]
    assert "hubclientinfo/DE/SIX" in [push.path for push in cpo.client_info]


async def test_a_call_of_a_partner_that_was_away_brings_what_it_missed(cpo, emsp):
    """F-6: it starts within seconds, not when the next attempt would have been due."""
    emsp.fail(unavailable(), on="PUT")
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await emsp.until(lambda partner: any(r.path == "tariffs/NL/ONE/T1" for r in partner.requests))
    emsp.heal()

    async with asyncio.timeout(10):
        while not emsp.received:
            await emsp.get("locations")
            await asyncio.sleep(0.05)

    assert emsp.received[0].path == "tariffs/NL/ONE/T1"
