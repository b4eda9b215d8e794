"""New tokens for a running connection: nobody is locked out, whoever dies in between (T-17)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import UUID

import aiohttp
import pytest

from hub.errors import HubError
from hub.keys import CLIENT, DIRECTORY, KEYRING
from hub.models.values import Party, Role
from hub.roaming.cursors import RECORDS
from hub.roaming.modules import MODULES
from hub.roaming.network import invitations
from tests.helpers import faults
from tests.helpers.handshakes import (
    assert_both_can_call,
    connection,
    hub_can_call,
    renew,
    rows,
    traces,
)
from tests.helpers.hub import RunningHub
from tests.helpers.partner import FakePartner
from tests.helpers.wire import Answer

NL_ONE = Party("NL", "ONE")


@pytest.fixture
async def platform(hub: RunningHub, partners: AsyncExitStack) -> AsyncIterator[FakePartner]:
    """NL*ONE, registered in 2.2.1, and able to speak 2.3.0 as well."""
    platform = await partners.enter_async_context(FakePartner(versions=("2.2.1", "2.3.0")))
    invitation = await hub.invite(platform)
    answer = await platform.register(invitation.versions_url, invitation.token, version="2.2.1")
    assert answer.ok
    platform.requests.clear()
    return platform


@pytest.fixture
async def partner_id(hub: RunningHub, platform: FakePartner) -> UUID:
    [(found,)] = await rows(hub, "select id from ocpi_partners")
    return found


async def put(platform: FakePartner, hub: RunningHub, **changes: object) -> Answer:
    return await platform.renew(hub.versions_url, version=platform.version, **changes)


async def put_and_lose_the_answer(platform: FakePartner) -> None:
    """The platform renews, dies before the answer, and comes back as if it had never asked."""
    body = platform.credentials("new-token-of-the-platform")
    platform.tokens.accepted["new-token-of-the-platform"] = "C"
    url = platform.endpoints["credentials", "SENDER"]
    answer = await platform.call("PUT", url, body=body, routed=False)
    assert answer.ok
    del platform.tokens.accepted["new-token-of-the-platform"]


async def test_a_partner_renews_and_both_use_the_new_tokens(hub, platform, partner_id):
    """CRED-19, CRED-20, CRED-21."""
    old_here, [old_there] = platform.tokens.to_hub, platform.tokens.accepted

    answer = await put(platform, hub)

    assert (answer.http_status, answer.status_code) == (200, 1000)
    assert platform.tokens.to_hub != old_here
    assert old_there not in platform.tokens.accepted
    await assert_both_can_call(hub, platform, partner_id)


async def test_the_old_token_is_good_until_the_new_one_is_used(hub, platform, partner_id):
    """CRED-21: and not a moment longer; reading versions is not using it. AMB-46."""
    old = platform.tokens.to_hub
    await put(platform, hub)

    assert (await platform.get("credentials", token=old)).ok
    assert (await platform.call("GET", hub.versions_url, routed=False)).ok
    assert (await platform.get("credentials", token=old)).ok
    assert (await platform.get("credentials")).ok

    assert (await platform.get("credentials", token=old)).http_status == 401
    await assert_both_can_call(hub, platform, partner_id)


async def test_endpoints_are_read_again_even_if_the_version_is_the_same(hub, platform, partner_id):
    """CRED-19, VER-07."""
    platform.without_modules = {("tariffs", "SENDER")}
    assert (await connection(hub, partner_id)).endpoint("tariffs", "SENDER")

    await put(platform, hub)

    assert [request.path for request in platform.handshakes] == ["versions", "2.2.1"]
    assert (await connection(hub, partner_id)).endpoint("tariffs", "SENDER") is None


async def test_a_put_at_another_versions_endpoint_changes_the_version(hub, platform, partner_id):
    """CRED-19: up and down again; states are told anew, records are not."""
    await rows(hub, "update feed_cursors set xid = '5', seq = 5 returning id")

    assert (await platform.renew(hub.versions_url, version="2.3.0")).ok

    assert (await connection(hub, partner_id)).version == "2.3.0"
    assert platform.hub_credentials["hub_party_id"] == "NLHUB"
    restarted = await rows(hub, "select module from feed_cursors where xid = '0' order by module")
    assert [module for (module,) in restarted] == sorted(MODULES.keys() - RECORDS)
    await assert_both_can_call(hub, platform, partner_id)

    assert (await platform.renew(hub.versions_url, version="2.2.1")).ok
    assert (await connection(hub, partner_id)).version == "2.2.1"
    await assert_both_can_call(hub, platform, partner_id)


async def test_the_hub_renews_and_moves_to_the_newest_version(hub, platform, partner_id):
    """CRED-20, CRED-22: by the operator's word."""
    old_here, [old_there] = platform.tokens.to_hub, platform.tokens.accepted

    await renew(hub, partner_id)

    assert [(r.method, r.path) for r in platform.handshakes] == [
        ("GET", "versions"),
        ("GET", "2.3.0"),
        ("PUT", "credentials"),
    ]
    assert (await connection(hub, partner_id)).version == "2.3.0"
    assert platform.tokens.to_hub != old_here
    await assert_both_can_call(hub, platform, partner_id)
    assert old_there not in platform.tokens.accepted, "the hub never used the new token"
    assert (await platform.get("credentials", token=old_here)).http_status == 401


async def test_roles_that_are_no_longer_declared_end_and_new_ones_begin(hub, platform, partner_id):
    """CRED-24: as far as the operator approved them."""
    async with hub.database.transaction(hub.tenant_id) as db:
        await invitations.approve(db, partner_id, [(Party("BE", "TWO"), Role.EMSP)])
    before = await rows(hub, "select connection_changed_at from ocpi_partners")
    platform.roles = [("BE", "TWO", "EMSP")]

    assert (await put(platform, hub)).ok

    assert (await connection(hub, partner_id)).roles == {(Party("BE", "TWO"), Role.EMSP)}
    assert await rows(hub, "select connection_changed_at from ocpi_partners") > before
    assert await rows(
        hub, "select party_id, approved, declared from ocpi_partner_roles order by party_id"
    ) == [("ONE", True, False), ("TWO", True, True)]


FAILURES = [
    (faults.unavailable(), "GET"),
    (faults.vanish(), "GET versions"),
    (faults.vanish_after(), "GET versions"),
    (faults.vanish(), "GET 2"),
    (faults.vanish_midway(), "GET 2"),
    (faults.html(), "GET 2"),
    (faults.http(401), "GET"),
]


@pytest.mark.parametrize(("fault", "on"), FAILURES)
async def test_a_partners_renewal_that_fails_leaves_everything_as_it_was(
    hub, platform, partner_id, fault, on
):
    """CRED-21, T-17: 3001, the old tokens work on, and a later try succeeds."""
    before = await connection(hub, partner_id)
    platform.fail(fault, on=on)

    answer = await put(platform, hub)

    assert (answer.http_status, answer.status_code) == (200, 3001)
    after = await connection(hub, partner_id)
    assert (after.version, after.endpoints, after.roles) == (
        before.version,
        before.endpoints,
        before.roles,
    )
    platform.heal()
    await assert_both_can_call(hub, platform, partner_id)
    assert (await put(platform, hub)).ok
    await assert_both_can_call(hub, platform, partner_id)


async def test_a_partner_that_never_got_the_answer_goes_on_with_its_old_tokens(
    hub, platform, partner_id
):
    """T-17: both ways, as often as it happens, and a renewal that succeeds clears it up."""
    for _ in range(3):
        await put_and_lose_the_answer(platform)
        await assert_both_can_call(hub, platform, partner_id)

    assert (await put(platform, hub)).ok
    await assert_both_can_call(hub, platform, partner_id)
    assert (await connection(hub, partner_id)).previous_token is None


async def test_a_partner_that_adopts_its_new_token_late_is_called_with_it(
    hub, platform, partner_id
):
    """T-17: until then with the old one, without asking twice each time."""
    await put_and_lose_the_answer(platform)
    assert await hub_can_call(hub, platform, partner_id)
    platform.requests.clear()
    assert await hub_can_call(hub, platform, partner_id)
    assert [request.path for request in platform.requests].count("tariffs") == 1

    platform.tokens.accepted = {"new-token-of-the-platform": "C"}

    assert await hub_can_call(hub, platform, partner_id)


@pytest.mark.parametrize(("fault", "on"), FAILURES)
async def test_the_hubs_renewal_that_fails_early_leaves_everything_as_it_was(
    hub, platform, partner_id, fault, on
):
    """T-17: nothing was said to the other side yet."""
    tokens = await rows(hub, "select id from ocpi_partner_tokens")
    platform.fail(fault, on=on)

    with pytest.raises(HubError):
        await renew(hub, partner_id)

    assert await rows(hub, "select id from ocpi_partner_tokens") == tokens
    platform.heal()
    await assert_both_can_call(hub, platform, partner_id)


@pytest.mark.parametrize(
    "fault",
    [
        faults.refuse(2001, "not your roles"),
        faults.refuse(3001, "cannot call you back"),
        faults.refuse(2000, "not registered", http_status=405),
        faults.http(403, "no"),
        faults.html(),
        faults.vanish(),
        faults.unavailable(),
        faults.http(500),
    ],
)
async def test_a_renewal_that_the_other_side_refuses_is_rolled_back(
    hub, platform, partner_id, fault
):
    """T-17: the other side did not take the new token; the old ones work on, both ways."""
    platform.fail(fault, on="PUT")

    with pytest.raises(HubError):
        await renew(hub, partner_id)

    platform.heal()
    await assert_both_can_call(hub, platform, partner_id)
    assert [trace.outcome for trace in await traces(hub, partner_id)][-1] == "REFUSED"
    await renew(hub, partner_id)
    await assert_both_can_call(hub, platform, partner_id)


async def test_a_renewal_is_rolled_back_when_the_other_side_cannot_call_the_hub(
    hub, platform, partner_id
):
    """T-17: the call back with the new token fails in the middle of their PUT."""
    platform.fail(faults.refuse(3001, "no way"), on="PUT")
    with pytest.raises(HubError, match="no way"):
        await renew(hub, partner_id)

    assert len(await rows(hub, "select id from ocpi_partner_tokens")) == 1
    platform.heal()
    await assert_both_can_call(hub, platform, partner_id)


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        # A PUT that gets no answer at all is sent once more by the HTTP library.
        (faults.vanish_after(), 2),
        (faults.late(faults.http(504)), 1),
        (faults.late(faults.vanish_midway()), 1),
    ],
    ids=["lost", "gateway gave up", "half"],
)
async def test_a_renewal_whose_answer_is_lost_works_on_with_either_token(
    hub, platform, partner_id, fault, times
):
    """T-17: they use the new token already, the hub still calls with the old one."""
    platform.fail(fault, on="PUT", times=times)
    old = platform.tokens.to_hub

    with pytest.raises(HubError):
        await renew(hub, partner_id)

    assert platform.tokens.to_hub != old
    assert (await platform.get("credentials", token=old)).ok, "nothing newer was used yet"
    await assert_both_can_call(hub, platform, partner_id)
    await renew(hub, partner_id)
    await assert_both_can_call(hub, platform, partner_id)


async def test_a_forgetful_partner_whose_answer_is_lost_still_reaches_the_hub(
    hub, platform, partner_id
):
    """T-17: it threw the hub's old token away, so the hub is locked out until a new invitation."""
    platform.tokens.forgetful = True
    platform.fail(faults.vanish_after(), on="PUT", times=1)

    with pytest.raises(HubError):
        await renew(hub, partner_id)

    assert (await platform.get("credentials")).ok
    assert not await hub_can_call(hub, platform, partner_id)
    async with hub.database.transaction(hub.tenant_id) as db:
        invitation = await invitations.invite_again(db, hub.app[KEYRING], hub.url, partner_id)
    hub.app[DIRECTORY].forget(hub.tenant_id)
    assert (await platform.register(invitation.versions_url, invitation.token)).ok
    await assert_both_can_call(hub, platform, partner_id)


@pytest.mark.parametrize("on", ["GET versions", r"GET 2\.2\.1"])
async def test_the_hub_dies_while_a_partner_renews(hub, platform, partner_id, on):
    """T-17: in the middle of its calls back; the partner gets no answer and keeps what it has."""
    answering = asyncio.Event()
    platform.fail(faults.hold(answering), on=on, times=1)
    renewing = asyncio.create_task(put(platform, hub))
    await platform.until(lambda p: any(r.method == "GET" for r in p.handshakes))

    await kill(hub)
    answering.set()
    with pytest.raises((aiohttp.ClientError, OSError)):
        await renewing
    await hub.start()

    await assert_both_can_call(hub, platform, partner_id)


@pytest.mark.parametrize("fault", ["before", "after"])
async def test_the_hub_dies_while_it_renews(hub, platform, partner_id, fault):
    """T-17: between its PUT and the answer, before or after the other side took the new token."""
    answering = asyncio.Event()

    async def before(request, proceed):
        await answering.wait()
        return faults.hang_up(request)

    async def after(request, proceed):
        response = await proceed()
        platform.note(platform.handshakes[-1])
        await answering.wait()
        return response

    platform.fail(before if fault == "before" else after, on="PUT", times=1)
    renewing = asyncio.create_task(renew(hub, partner_id))
    old = platform.tokens.to_hub
    await platform.until(
        lambda p: (
            p.handshakes
            and p.handshakes[-1].method == "PUT"
            and (fault == "before" or p.tokens.to_hub != old)
        )
    )

    renewing.cancel()
    await kill(hub)
    answering.set()
    await asyncio.gather(renewing, return_exceptions=True)
    await hub.start()

    await assert_both_can_call(hub, platform, partner_id)


async def kill(hub: RunningHub) -> None:
    """As near to kill -9 as a test in one process gets: handlers are cancelled where they are."""
    await hub.stop()


async def test_two_renewals_at_once_leave_a_connection_that_works(hub, platform, partner_id):
    """CRED-26: whichever the partner takes for the last one."""
    first, second = platform.credentials("token-1"), platform.credentials("token-2")
    platform.tokens.accepted |= {"token-1": "C", "token-2": "C"}
    url = platform.endpoints["credentials", "SENDER"]

    answers = await asyncio.gather(
        *(platform.call("PUT", url, body=body, routed=False) for body in (first, second))
    )

    assert [answer.ok for answer in answers] == [True, True]
    for answer in answers[::-1]:
        assert (await platform.get("credentials", token=answer.data["token"])).http_status in {
            200,
            401,
        }
    assert any(
        [(await platform.get("credentials", token=answer.data["token"])).ok for answer in answers]
    )
    assert await hub_can_call(hub, platform, partner_id)


@pytest.mark.parametrize("who", ["partner", "hub"])
async def test_renewals_lose_no_request_of_a_busy_connection(hub, platform, partner_id, who):
    """T-17, CRED-21: traffic in both directions goes on while tokens are renewed five times.

    A request that was under way with the token before may be answered 401; with the token that is
    current at that moment it gets through.
    """
    running, calls = True, {"in": 0, "out": 0}

    async def partner_calls() -> None:
        while running:
            token = platform.tokens.to_hub
            answer = await platform.get("credentials", token=token)
            if answer.http_status == 401 and token != platform.tokens.to_hub:
                continue
            assert answer.ok, answer.text
            calls["in"] += 1

    async def hub_calls() -> None:
        while running:
            there = await connection(hub, partner_id)
            url = f"{platform.base_url}/{there.version}/sender/tariffs"
            answer = await hub.app[CLIENT].call(there, "GET", url)
            if answer.http_status == 401:
                there = await connection(hub, partner_id)
                answer = await hub.app[CLIENT].call(there, "GET", url)
            assert answer.ok, answer.reason
            calls["out"] += 1

    traffic = [asyncio.create_task(call()) for call in (partner_calls, partner_calls, hub_calls)]
    for _ in range(5):
        counted = dict(calls)
        if who == "partner":
            assert (await put(platform, hub)).ok
        else:
            await renew(hub, partner_id)
        async with asyncio.timeout(20):
            while not (calls["in"] > counted["in"] + 1 and calls["out"] > counted["out"] + 1):
                assert not any(task.done() for task in traffic), "traffic came to a halt"
                await asyncio.sleep(0.01)
    running = False

    await asyncio.gather(*traffic)
    await assert_both_can_call(hub, platform, partner_id)
    assert len(await rows(hub, "select id from ocpi_partner_tokens")) == 1
