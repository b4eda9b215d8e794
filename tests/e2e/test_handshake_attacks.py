"""Platforms that claim to be others, lead the hub astray, or use tokens that are not theirs."""

import asyncio
import base64
import re
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from hub.errors import HubError, InvalidRequest, Unauthorized
from hub.keys import DATABASE, DIRECTORY, KEYRING
from hub.models.partners import PartnerToken
from hub.models.values import Party, Role
from hub.ocpi.directory import Directory
from hub.ocpi.operations import OPERATIONS
from hub.ocpi.versions import VERSIONS
from hub.roaming.network import invitations
from hub.roaming.network.partners import touch
from tests.helpers import faults
from tests.helpers.handshakes import (
    assert_both_can_call,
    connection,
    everything_kept,
    partner_can_call,
    rows,
    traces,
)
from tests.helpers.partner import FakePartner

NL_ONE = Party("NL", "ONE")


@pytest.fixture
async def mallory(partners: AsyncExitStack) -> FakePartner:
    """BE*MAL, a CPO with bad intentions; not registered."""
    return await partners.enter_async_context(FakePartner("BE*MAL CPO"))


async def events(hub) -> list[str]:
    found = await rows(
        hub,
        "select description from audit_logs where action = 'SECURITY_EVENT' and severity = 'HIGH'",
    )
    return [row[0] for row in found]


@pytest.mark.parametrize(
    "claim",
    [("NL", "ONE", "CPO"), ("nl", "one", "CPO"), ("BE", "MAL", "EMSP"), ("FR", "NEW", "CPO")],
)
async def test_a_platform_cannot_register_as_somebody_it_was_not_approved_to_be(
    hub, cpo, mallory, claim
):
    """T-03, CRED-24: refused with the reason and put on record; token A stays for an honest try."""
    invitation = await hub.invite(mallory)
    honest = list(mallory.roles)
    mallory.roles.append(claim)

    with capture_logs() as logs:
        answer = await mallory.register(invitation.versions_url, invitation.token)

    spelled = f"{claim[0]}*{claim[1]} {claim[2]}".upper()
    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert spelled in answer.message
    assert "BE*MAL CPO" in answer.message
    there = await connection(hub, invitation.partner_id)
    assert (there.status, there.registered) == ("PENDING_VERIFICATION", False)
    [event] = await events(hub)
    assert spelled in event
    assert any(log["event"] == "party claimed without approval" for log in logs)
    [trace] = await traces(hub, invitation.partner_id)
    assert spelled in trace.reason
    assert not mallory.handshakes, "it was called back although it was not who it said"
    assert await partner_can_call(cpo)

    mallory.roles = honest
    assert (await mallory.register(invitation.versions_url, invitation.token)).ok
    assert (await connection(hub, invitation.partner_id)).roles == {(Party("BE", "MAL"), Role.CPO)}


async def test_a_registered_platform_cannot_add_a_role_by_renewing(hub, emsp, mallory):
    """T-03: PUT with a role of somebody else changes nothing; the old credentials stay valid."""
    partner_id = await hub.connect(mallory)
    mallory.roles.append(("DE", "TWO", "EMSP"))

    answer = await mallory.renew(hub.versions_url)

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert len(await events(hub)) == 1
    mallory.roles.pop()
    there = await connection(hub, partner_id)
    assert there.roles == {(Party("BE", "MAL"), Role.CPO)}
    await assert_both_can_call(hub, mallory, partner_id)


async def test_a_party_belongs_to_one_platform_only(hub, cpo, mallory):
    """CRED-24: the operator cannot approve it for a second one by mistake."""
    mallory.roles = [("NL", "ONE", "CPO")]

    with pytest.raises(InvalidRequest, match=re.escape("NL*ONE CPO belongs to")):
        await hub.invite(mallory)


async def test_of_two_invitations_for_one_party_at_once_one_is_made(hub):
    """T-03: the database decides."""

    async def invite(name: str) -> object:
        async with hub.database.transaction(hub.tenant_id) as db:
            return await invitations.introduce(db, name, [(NL_ONE, Role.CPO)])

    made = await asyncio.gather(invite("one"), invite("two"), return_exceptions=True)

    assert sorted(isinstance(result, HubError) for result in made) == [False, True]


@pytest.mark.parametrize("party", ["HUB", "OWN"])
async def test_nobody_can_be_approved_as_the_hub_or_its_stations(hub, mallory, party):
    """HUB-07. AMB-22."""
    mallory.roles = [("NL", party, "CPO")]

    with pytest.raises(InvalidRequest, match="own party"):
        await hub.invite(mallory)


@pytest.mark.parametrize(
    ("versions", "changes"),
    [
        (("2.3.0",), {"hub_party_id": "NLHUB"}),
        (("2.3.0",), {"hub_party_id": "nlhub"}),
        (("2.3.0",), {"hub_party_id": "NLONE"}),
        (("2.3.0",), {"hub_party_id": "N*ONE"}),
        (("2.2.1",), {"hub": ("NL", "ONE", "HUB")}),
        (("2.2.1",), {"hub": ("NL", "HUB", "HUB")}),
    ],
)
async def test_nobody_becomes_a_hub_by_saying_so(hub, cpo, partners, versions, changes):
    """T-03, CRED-08: neither this hub, nor one with the party of another platform."""
    mallory = await partners.enter_async_context(FakePartner("BE*MAL CPO", versions=versions))
    invitation = await hub.invite(mallory)
    if "hub" in changes:
        mallory.roles.append(changes.pop("hub"))

    answer = await mallory.register(invitation.versions_url, invitation.token, **changes)

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert not (await connection(hub, invitation.partner_id)).registered


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_token_a_opens_no_functional_module(hub, mallory, operation):
    """T-07, TRANSPORT-39: 401, whatever is asked, and nothing is written."""
    invitation = await hub.invite(mallory)
    path = re.sub(r"\{country_code\}", "BE", re.sub(r"\{party_id\}", "MAL", operation.path))
    path = re.sub(r"\{[a-z_]+\}", "X", path)
    for version in filter(operation.is_in, VERSIONS):
        # The URLs of 2.1.1 name no interface.
        part = "" if VERSIONS[version].peer_to_peer else f"{operation.interface.lower()}/"
        url = f"{hub.url}/ocpi/{version}/{part}{operation.module}{path}"
        for slash in ("", "/"):
            answer = await mallory.call(
                operation.method,
                url + slash,
                body=None if operation.reads else {},
                token=invitation.token,
            )
            assert (answer.http_status, answer.status_code) == (401, 2000), url
            assert answer.data is None


async def test_token_a_of_a_partner_that_is_registered_already_opens_nothing_either(hub, cpo):
    """T-07: a second invitation is for registering anew, no key to the connection there is."""
    [(partner_id,)] = await rows(hub, "select id from ocpi_partners")
    async with hub.database.transaction(hub.tenant_id) as db:
        invitation = await invitations.invite_again(db, hub.app[KEYRING], hub.url, partner_id)
    hub.app[DIRECTORY].forget(hub.tenant_id)

    answer = await cpo.get("locations", token=invitation.token)

    assert answer.http_status == 401


@pytest.mark.parametrize("path", ["/ocpi/versions", "/ocpi/2.2.1", "/elsewhere"])
async def test_the_hub_does_not_register_with_itself(hub, mallory, path):
    """T-08."""
    invitation = await hub.invite(mallory)

    answer = await mallory.register(invitation.versions_url, invitation.token, url=hub.url + path)

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert "own address" in answer.message


@pytest.mark.parametrize("path", ["/ocpi/2.2.1/receiver/tariffs", "/ocpi/versions"])
async def test_an_endpoint_cannot_be_the_hub_itself(hub, mallory, path):
    """T-08."""
    mallory.endpoint_changes = lambda endpoints: [
        {**endpoints[0], "url": hub.url + path},
        *endpoints[1:],
    ]
    invitation = await hub.invite(mallory)

    answer = await mallory.register(invitation.versions_url, invitation.token)

    assert (answer.http_status, answer.status_code) == (200, 3001)
    assert not (await connection(hub, invitation.partner_id)).registered


async def test_an_endpoint_cannot_be_on_somebody_elses_host(hub, emsp, mallory):
    """T-32: the victim is not called once, and the operator can read what was tried."""
    emsp.requests.clear()
    mallory.endpoint_changes = lambda endpoints: [
        *endpoints,
        {"identifier": "sneaky", "role": "RECEIVER", "url": f"{emsp.base_url}/2.2.1/receiver/x"},
    ]
    invitation = await hub.invite(mallory)

    answer = await mallory.register(invitation.versions_url, invitation.token)

    assert (answer.http_status, answer.status_code) == (200, 3001)
    assert "sneaky" in answer.message
    assert not emsp.handshakes
    [trace] = await traces(hub, invitation.partner_id)
    assert any("needs the operator's approval" in step["message"] for step in trace.steps)


async def test_version_details_cannot_be_on_somebody_elses_host(hub, emsp, mallory):
    """T-32."""
    emsp.requests.clear()
    invitation = await hub.invite(mallory)
    astray = [{"version": "2.2.1", "url": f"{emsp.base_url}/2.2.1"}]
    mallory.fail(faults.answer(astray), on="GET versions")

    answer = await mallory.register(invitation.versions_url, invitation.token)

    assert (answer.http_status, answer.status_code) == (200, 3001)
    assert not emsp.handshakes


async def test_the_versions_url_of_another_partner_is_not_called(hub, emsp, mallory):
    """T-32: two partners share an origin only with the operator's approval."""
    emsp.requests.clear()
    invitation = await hub.invite(mallory)

    answer = await mallory.register(
        invitation.versions_url, invitation.token, url=emsp.versions_url
    )

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert not emsp.handshakes


async def test_an_origin_that_the_operator_allowed_is_called(hub, emsp, mallory):
    """T-32: a provider with several hosts, or several platforms on one."""
    mallory.endpoint_changes = lambda endpoints: [
        *endpoints,
        {"identifier": "payments", "role": "SENDER", "url": f"{emsp.base_url}/2.2.1/sender/x"},
    ]

    partner_id = await hub.connect(mallory, allowed_origins=[emsp.base_url.removesuffix("/ocpi")])

    assert (await connection(hub, partner_id)).endpoint("payments", "SENDER")


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.1.2.3/ocpi/versions",
        "http://[::ffff:10.1.2.3]/ocpi/versions",
        "http://user:password@127.0.0.1:8/versions",
        "http://127.0.0.1:5432/versions#x",
        "http://2130706433/versions",
        "file:///etc/passwd",
        "http://127.0.0.1:22/versions",
    ],
)
async def test_the_hub_cannot_be_sent_to_forbidden_addresses(hub, mallory, url):
    """T-30, CRED-25: refused without a hint at what is there."""
    invitation = await hub.invite(mallory)

    answer = await mallory.register(invitation.versions_url, invitation.token, url=url)

    assert answer.http_status == 200
    assert answer.status_code in {2001, 3001}
    assert "HUB_EGRESS" not in answer.message
    assert not (await connection(hub, invitation.partner_id)).registered


async def test_a_token_that_is_the_base64_of_another_authenticates_only_as_itself(hub, cpo, emsp):
    """T-15: the crafted pair t1 and t2 = base64(t1)."""
    first = "a-token-of-27-characters-xx"
    second = base64.b64encode(first.encode()).decode()
    ids = {
        name: (
            await rows(hub, "select id from ocpi_partners where name like :name", name=f"{name}%")
        )[0][0]
        for name in ("NL*ONE", "DE*TWO")
    }
    keyring, directory = hub.app[KEYRING], hub.app[DIRECTORY]
    async with hub.database.transaction(hub.tenant_id) as db:
        for partner_id, token in zip(ids.values(), (first, second), strict=True):
            row = PartnerToken(
                partner_id=partner_id,
                digest=keyring.digest(token),
                key_id=keyring.key_id,
                kind="C",
                hint="",
            )
            db.add(row)
            await touch(db, partner_id)
    directory.forget(hub.tenant_id)

    async def who(value: str) -> object:
        return (await directory.authenticate(f"Token {value}")).id

    assert await who(base64.b64encode(first.encode()).decode()) == ids["NL*ONE"]
    assert await who(first) == ids["NL*ONE"]
    assert await who(base64.b64encode(second.encode()).decode()) == ids["DE*TWO"]
    thrice = base64.b64encode(base64.b64encode(second.encode())).decode()
    with pytest.raises(Unauthorized):
        await who(thrice)


async def test_a_token_that_is_revoked_by_another_process_is_void_within_a_second(hub, cpo):
    """T-18: at once in the process that revoked it."""
    other = Directory(hub.app[DATABASE], hub.app[KEYRING])
    header = cpo.tokens.header(cpo.tokens.to_hub)
    assert (await other.authenticate(header)).roles == {(NL_ONE, Role.CPO)}

    await cpo.unregister()

    assert not await partner_can_call(cpo)
    async with asyncio.timeout(3):
        while True:
            try:
                await other.authenticate(header)
            except Unauthorized:
                break
            await asyncio.sleep(0.05)


async def test_a_token_that_is_minted_by_another_process_is_known_at_once(hub, mallory):
    other = Directory(hub.app[DATABASE], hub.app[KEYRING])
    with pytest.raises(Unauthorized):
        await other.authenticate("Token unknown")
    await other.connections(hub.tenant_id)

    invitation = await hub.invite(mallory)

    assert (await other.authenticate(f"Token {invitation.token}")).invited


async def test_tokens_of_one_tenant_say_nothing_in_another(hub, cpo, make_tenant):
    """The tenant comes from the token: the same party may be connected to two networks."""
    other = await make_tenant(country_code="BE", party_id="HUB")
    async with hub.database.transaction(other.id) as db:
        invitation = await invitations.invite(
            db, hub.app[KEYRING], hub.url, "NL*ONE again", [(NL_ONE, Role.CPO)]
        )

    found = await hub.app[DIRECTORY].authenticate(f"Token {invitation.token}")

    assert (found.tenant_id, found.hub) == (other.id, Party("BE", "HUB"))
    known = await hub.app[DIRECTORY].authenticate(cpo.tokens.header(cpo.tokens.to_hub))
    assert known.tenant_id == hub.tenant_id


async def test_no_token_is_kept_in_the_clear(hub, mallory):
    """T-12, T-16: neither in partners, nor in traces, nor in the audit log."""
    invitation = await hub.invite(mallory)
    await mallory.register(invitation.versions_url, invitation.token)
    used = [invitation.token, mallory.tokens.to_hub, *mallory.tokens.accepted]
    await mallory.renew(hub.versions_url)
    used += [mallory.tokens.to_hub, *mallory.tokens.accepted]

    kept = await everything_kept(hub)

    assert str(invitation.partner_id) in kept
    for token in used:
        for form in (token, base64.b64encode(token.encode()).decode(), token.encode().hex()):
            assert form not in kept


async def test_a_partner_whose_answer_repeats_our_token_does_not_get_it_into_the_trace(
    hub, mallory
):
    """T-16."""

    async def blab(request, proceed):
        message = f"What is {request.headers['Authorization']}?"
        return faults.envelope(status_code=2000, message=message)

    invitation = await hub.invite(mallory)
    mallory.fail(blab, on="GET versions")

    answer = await mallory.register(invitation.versions_url, invitation.token)

    assert answer.status_code == 3001
    [trace] = await traces(hub, invitation.partner_id)
    sent = mallory.handshakes[0].headers["Authorization"].removeprefix("Token ")
    assert sent not in str(trace.steps)
    assert sent not in trace.reason
