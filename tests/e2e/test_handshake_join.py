"""An operator got a versions URL and a token A: the hub registers there (flow f: we call them)."""

from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from hub.errors import HubError
from hub.keys import DIRECTORY
from hub.models.values import Party, Role
from hub.ocpi.handshake import handshake, joining
from hub.roaming.network import invitations
from tests.helpers import faults
from tests.helpers.handshakes import (
    assert_both_can_call,
    connection,
    everything_kept,
    leave,
    rows,
    traces,
)
from tests.helpers.hub import RunningHub, roles_of
from tests.helpers.partner import FakePartner


@pytest.fixture
async def platform(partners: AsyncExitStack) -> FakePartner:
    """NL*ONE, a CPO that speaks both versions; not registered anywhere."""
    return await partners.enter_async_context(FakePartner(versions=("2.2.1", "2.3.0")))


async def introduced(hub: RunningHub, platform: FakePartner, **configuration: object) -> UUID:
    async with hub.database.transaction(hub.tenant_id) as db:
        partner_id = await invitations.introduce(
            db, platform.name, roles_of(platform), configuration=configuration
        )
    hub.app[DIRECTORY].forget(hub.tenant_id)
    return partner_id


async def join(hub: RunningHub, partner_id: UUID, versions_url: str, token: str) -> None:
    parts = handshake.Parts.of(hub.app)
    await joining.join(parts, hub.tenant_id, partner_id, versions_url, token)


async def refused_join(hub: RunningHub, platform: FakePartner, **configuration: object) -> str:
    """Join, expect that it fails, and return what the operator reads."""
    partner_id = await introduced(hub, platform, **configuration)
    with pytest.raises(HubError) as refused:
        await join(hub, partner_id, *platform.invite())
    there = await connection(hub, partner_id)
    assert (there.status, there.registered) == ("PENDING_VERIFICATION", False)
    assert await rows(hub, "select 1 from ocpi_partner_tokens") == [], "a token was left behind"
    [trace] = await traces(hub, partner_id)
    assert (trace.outcome, trace.reason) == ("REFUSED", str(refused.value))
    return str(refused.value)


async def test_the_hub_joins_a_platform_in_the_newest_version_both_know(hub, platform):
    """CRED-11, CRED-28, VER-08: versions, details, POST, in this order; then it is registered."""
    platform.versions = ("2.0", "2.2.1", "2.3.0", "9.9")

    partner_id = await hub.join(platform)

    there = await connection(hub, partner_id)
    assert (there.version, there.status, there.connection_status) == (
        "2.3.0",
        "ACTIVE",
        "CONNECTED",
    )
    assert [(r.method, r.path) for r in platform.handshakes] == [
        ("GET", "versions"),
        ("GET", "2.3.0"),
        ("POST", "credentials"),
    ]
    posted = platform.handshakes[-1].body
    assert posted["url"] == hub.versions_url
    assert posted["hub_party_id"] == "NLHUB"
    await assert_both_can_call(hub, platform, partner_id)


async def test_the_hub_joins_a_platform_with_several_parties(hub, partners):
    platform = await partners.enter_async_context(FakePartner("NL*ONE CPO", "BE*TWO EMSP"))

    partner_id = await hub.join(platform)

    assert (await connection(hub, partner_id)).roles == {
        (Party("NL", "ONE"), Role.CPO),
        (Party("BE", "TWO"), Role.EMSP),
    }


async def test_token_a_is_not_used_any_more(hub, platform):
    """CRED-13: after success the hub uses the token from the answer."""
    versions_url, token = platform.invite()
    partner_id = await introduced(hub, platform)
    await join(hub, partner_id, versions_url, token)

    await assert_both_can_call(hub, platform, partner_id)
    assert token not in platform.tokens.accepted


async def test_the_form_of_the_token_is_found_by_trying(hub, platform):
    """TRANSPORT-35: base64 first, and once more raw after a 401. AMB-02."""
    platform.tokens.form_wanted = "raw"

    partner_id = await hub.join(platform)

    assert (await connection(hub, partner_id)).token_form_sent == "raw"
    assert [request.path for request in platform.handshakes[:2]] == ["versions", "versions"]
    await assert_both_can_call(hub, platform, partner_id)


@pytest.mark.parametrize("status", [200, 201])
async def test_both_ways_to_say_created_are_taken(hub, platform, status):
    """Tolerance 6."""
    platform.registered_status = status

    partner_id = await hub.join(platform)

    await assert_both_can_call(hub, platform, partner_id)


async def test_answers_wrapped_in_lists_are_taken(hub, platform):
    """Tolerance 5: version details and credentials."""
    platform.wraps_in_list = True

    partner_id = await hub.join(platform)

    await assert_both_can_call(hub, platform, partner_id)


async def test_a_slash_at_the_end_is_kept_or_followed(hub, platform):
    """Tolerance 7, TRANSPORT-22."""
    platform.trailing_slash = True
    platform.fail(faults.redirect("/ocpi/versions", 308), on="GET versions/$")

    partner_id = await hub.join(platform)

    await assert_both_can_call(hub, platform, partner_id)


@pytest.mark.parametrize("status", [405, 409])
async def test_a_platform_that_remembers_the_hub_is_asked_to_update_instead(hub, platform, status):
    """Tolerance 6: 405 and 409 mean "already registered"."""
    platform.fail(faults.refuse(2000, "registered already", http_status=status), on="POST")
    platform.takes_put_with_token_a = True

    partner_id = await hub.join(platform)

    assert [r.method for r in platform.handshakes[-2:]] == ["POST", "PUT"]
    await assert_both_can_call(hub, platform, partner_id)


@pytest.mark.parametrize("status", [405, 409])
async def test_the_operator_is_told_to_have_an_old_registration_removed(hub, platform, status):
    """Tolerance 6."""
    fault = faults.refuse(2000, "you again", http_status=status)
    platform.fail(fault, on="credentials")

    told = await refused_join(hub, platform)

    assert "registered already" in told
    assert "you again" in told


async def test_nothing_is_posted_where_endpoints_are_missing(hub, platform):
    """CRED-15: the sender does not POST; the operator reads which are missing."""
    platform.without_modules = {("tokens", "RECEIVER"), ("tokens", "SENDER")}

    told = await refused_join(hub, platform, required_modules=["tokens", "locations"])

    assert "tokens" in told
    assert "locations" not in told
    assert {request.method for request in platform.handshakes} == {"GET"}


async def test_without_a_common_version_nothing_is_posted(hub, platform):
    """VER-08."""
    platform.versions = ("2.0", "9.9")

    told = await refused_join(hub, platform)

    assert "2.0, 9.9" in told
    assert {request.method for request in platform.handshakes} == {"GET"}


@pytest.mark.parametrize(
    ("fault", "on", "told"),
    [
        (faults.unavailable(), "GET versions", "HTTP 503: down for maintenance"),
        (faults.http(401, '{"detail": "Bad key"}'), "GET versions", "HTTP 401: Bad key"),
        (faults.http(500, '{"errors": [], "message": "Oops"}'), "GET 2.3.0", "HTTP 500: Oops"),
        (faults.html(), "GET versions", "HTTP 200, not an OCPI answer: Sign in"),
        (faults.rubbish(), "GET 2.3.0", "not an OCPI answer"),
        (faults.vanish(), "POST", "closed without an answer"),
        (faults.refuse(3001, "Cannot reach you"), "POST", "OCPI 3001: Cannot reach you"),
        (faults.refuse(2001, "roles?"), "POST", "HTTP 200, OCPI 2001: roles?"),
        (faults.http(502, "<h1>Bad gateway</h1>"), "POST", "HTTP 502: Bad gateway"),
        (faults.answer({"token": "x"}), "POST", "not valid"),
        (faults.answer(None), "POST", "not valid"),
        (faults.answer([]), "POST", "not valid"),
    ],
)
async def test_the_operator_reads_why_it_failed(hub, platform, fault, on, told):
    """Tolerance 8: also where the platform's errors are no OCPI envelopes."""
    platform.fail(fault, on=on)

    assert told in await refused_join(hub, platform)


async def test_it_can_be_tried_again_after_a_failure(hub, platform):
    partner_id = await introduced(hub, platform)
    versions_url, token = platform.invite()
    platform.fail(faults.unavailable(), on="POST")
    with pytest.raises(HubError):
        await join(hub, partner_id, versions_url, token)

    platform.heal()
    await join(hub, partner_id, versions_url, token)

    await assert_both_can_call(hub, platform, partner_id)
    assert [trace.outcome for trace in await traces(hub, partner_id)] == ["REFUSED", "DONE"]


async def test_a_role_without_approval_is_not_granted_and_put_on_record(hub, partners):
    """CRED-24: the approved one is; the registration at the other side is not lost over it."""
    platform = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    partner_id = await introduced(hub, platform)
    platform.roles.append(("DE", "TWO", "EMSP"))

    await join(hub, partner_id, *platform.invite())

    assert (await connection(hub, partner_id)).roles == {(Party("NL", "ONE"), Role.CPO)}
    [(event,)] = await rows(
        hub, "select description from audit_logs where action = 'SECURITY_EVENT'"
    )
    assert "DE*TWO EMSP" in event


async def test_where_no_role_is_approved_the_registration_is_undone(hub, platform):
    """CRED-24."""
    partner_id = await introduced(hub, platform)
    platform.roles = [("DE", "TWO", "EMSP")]

    with pytest.raises(HubError, match="None of the roles"):
        await join(hub, partner_id, *platform.invite())

    assert platform.handshakes[-1].method == "DELETE"
    assert platform.tokens.accepted == {}
    assert not (await connection(hub, partner_id)).registered


async def test_the_trace_tells_every_step_without_any_token(hub, platform):
    """What was asked, what was answered, how long it took; tokens nowhere (T-16)."""
    partner_id = await introduced(hub, platform)
    # Short enough that nothing about it looks like a secret.
    versions_url, token = platform.invite("letmein")
    told = f"who is {token}?"
    platform.fail(faults.refuse(2001, told), on="POST", times=1)
    with pytest.raises(HubError):
        await join(hub, partner_id, versions_url, token)
    await join(hub, partner_id, versions_url, token)

    failed, done = await traces(hub, partner_id)
    assert failed.reason == "POST credentials was refused: HTTP 200, OCPI 2001: who is ***?."
    assert (done.kind, done.outcome) == ("join", "DONE")
    assert done.finished_at is not None
    assert [(step["method"], step["http_status"], step["message"]) for step in done.steps] == [
        ("GET", 200, "ok"),
        ("GET", 200, "ok"),
        ("POST", 200, "ok"),
    ]
    assert all(step["ms"] >= 0 and step["at"].endswith("Z") for step in done.steps)
    assert '"hub_party_id":"NLHUB"' in done.steps[2]["detail"]
    kept = await everything_kept(hub)
    for secret in (token, platform.tokens.to_hub, *platform.tokens.accepted):
        assert secret not in kept
        assert platform.tokens.header(secret).removeprefix("Token ") not in kept


async def test_the_hub_leaves(hub, platform):
    """CRED-23: the platform is told, and here nothing is valid any more."""
    partner_id = await hub.join(platform)

    assert await leave(hub, partner_id)

    assert (platform.handshakes[-1].method, platform.handshakes[-1].path) == (
        "DELETE",
        "credentials",
    )
    there = await connection(hub, partner_id)
    assert (there.status, there.connection_status) == ("INACTIVE", "SUSPENDED")
    assert await rows(hub, "select 1 from ocpi_partner_tokens") == []


@pytest.mark.parametrize(
    "fault", [faults.unavailable(), faults.vanish(), faults.refuse(2000, "no", http_status=405)]
)
async def test_the_hub_leaves_also_where_nobody_answers(hub, platform, fault):
    partner_id = await hub.join(platform)
    token = platform.tokens.to_hub
    platform.fail(fault)

    assert not await leave(hub, partner_id)

    assert not (await connection(hub, partner_id)).registered
    platform.tokens.to_hub = token
    assert (await platform.get("credentials")).http_status == 401


async def test_an_invitation_that_was_not_used_is_withdrawn_by_leaving(hub, platform):
    invitation = await hub.invite(platform)

    assert not await leave(hub, invitation.partner_id)

    assert not platform.handshakes
    url = hub.versions_url
    answer = await platform.call("GET", url, token=invitation.token, routed=False)
    assert answer.http_status == 401
