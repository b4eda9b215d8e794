"""Platforms that speak 2.1.1: one party in one role, raw tokens, and URLs without interfaces."""

from contextlib import AsyncExitStack
from uuid import UUID

import pytest
from sqlalchemy import select

from hub.errors import HubError
from hub.keys import DIRECTORY, KEYRING
from hub.models.partners import Partner
from hub.models.values import Party, Role
from hub.ocpi.handshake import handshake, joining
from hub.roaming.network import invitations
from tests.helpers.handshakes import assert_both_can_call, connection, leave, renew, traces
from tests.helpers.hub import RunningHub, roles_of
from tests.helpers.partner import FakePartner

OLD = "2.1.1"
MODULES = {"credentials", "locations", "sessions", "cdrs", "tariffs", "tokens"}


@pytest.fixture
async def old_cpo(partners: AsyncExitStack) -> FakePartner:
    """NL*ONE, a CPO that speaks 2.1.1 and nothing else; not registered anywhere."""
    return await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=(OLD,)))


@pytest.fixture
async def old_emsp(partners: AsyncExitStack) -> FakePartner:
    return await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=(OLD,)))


async def test_CRED_07_TRANSPORT_32_a_platform_registers_with_a_raw_token(hub, old_cpo):
    """VER-04, HUB-06: the hub is one party, too, and no endpoint has a role."""
    invitation = await hub.invite(old_cpo)
    answer = await old_cpo.register(invitation.versions_url, invitation.token)

    assert answer.ok, answer.text
    ours = answer.data
    assert (ours["country_code"], ours["party_id"]) == ("NL", "HUB")
    assert ours["business_details"]["name"]
    assert ours["url"] == hub.versions_url
    assert not {"roles", "hub_party_id"} & ours.keys()
    there = await connection(hub, invitation.partner_id)
    assert (there.version, there.token_form_sent) == (OLD, "raw")
    assert there.roles == {(Party("NL", "ONE"), Role.CPO)}
    await assert_both_can_call(hub, old_cpo, invitation.partner_id)


async def test_VER_04_details_list_each_module_once_and_without_a_role(hub, old_cpo):
    invitation = await hub.invite(old_cpo)
    for token in (invitation.token, None):
        if token is None:
            await old_cpo.register(invitation.versions_url, invitation.token)
        details = await old_cpo.call("GET", f"{hub.url}/ocpi/{OLD}", token=token)
        endpoints = details.data["endpoints"]
        assert all(endpoint.keys() == {"identifier", "url"} for endpoint in endpoints)
        served = {endpoint["identifier"]: endpoint["url"] for endpoint in endpoints}
        assert len(served) == len(endpoints)
        assert served.keys() >= MODULES
        assert all(url == f"{hub.url}/ocpi/{OLD}/{name}/" for name, url in served.items())


async def test_TRANSPORT_34_35_the_form_of_the_token_is_learnt_in_2_1_1_too(hub, partners):
    """Some platforms that speak 2.1.1 want base64."""
    odd = await partners.enter_async_context(FakePartner("NL*ODD CPO", versions=(OLD,)))
    odd.tokens.form_wanted = odd.tokens.form_sent = "base64"

    partner_id = await hub.connect(odd)

    assert (await connection(hub, partner_id)).token_form_sent == "base64"
    await assert_both_can_call(hub, odd, partner_id)
    odd.requests.clear()
    await renew(hub, partner_id)
    [trace] = (await traces(hub, partner_id))[1:]
    assert [step for step in trace.steps if step.get("http_status") == 401] == []


async def test_BRIDGE_the_endpoints_of_a_platform_are_those_of_its_role(hub, old_cpo, old_emsp):
    for partner, sends in ((old_cpo, "locations"), (old_emsp, "tokens")):
        there = await connection(hub, await hub.connect(partner))
        assert there.endpoint(sends, "SENDER") is not None
        assert there.endpoint(sends, "RECEIVER") is None
        receives = "tokens" if sends == "locations" else "locations"
        assert there.endpoint(receives, "RECEIVER") is not None
        assert there.endpoint(receives, "SENDER") is None


async def test_CRED_11_the_hub_joins_a_platform_that_speaks_2_1_1_only(hub, old_emsp):
    partner_id = await hub.join(old_emsp)

    there = await connection(hub, partner_id)
    assert (there.version, there.token_form_sent) == (OLD, "raw")
    assert there.roles == {(Party("DE", "TWO"), Role.EMSP)}
    assert old_emsp.hub_credentials["party_id"] == "HUB"
    assert "roles" not in old_emsp.hub_credentials
    await assert_both_can_call(hub, old_emsp, partner_id)


async def test_CRED_19_CRED_23_renewing_and_leaving(hub, old_cpo):
    partner_id = await hub.connect(old_cpo)
    before = old_cpo.tokens.to_hub

    answer = await old_cpo.renew(hub.versions_url)
    assert answer.ok, answer.text
    await assert_both_can_call(hub, old_cpo, partner_id)
    await renew(hub, partner_id)
    await assert_both_can_call(hub, old_cpo, partner_id)
    assert old_cpo.tokens.to_hub != before

    got = await old_cpo.call("GET", f"{hub.url}/ocpi/{OLD}/credentials")
    assert (got.data["token"], got.data["party_id"]) == (old_cpo.tokens.to_hub, "HUB")
    assert await leave(hub, partner_id)
    assert (await old_cpo.get("locations", side="RECEIVER")).http_status == 401


@pytest.mark.parametrize("newer", ["2.2.1", "2.3.0"])
async def test_CRED_19_a_platform_changes_from_2_1_1_to_a_newer_version_and_back(
    hub, partners, newer
):
    platform = await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=(OLD, newer)))
    invitation = await hub.invite(platform)
    first = await platform.register(invitation.versions_url, invitation.token, version=OLD)
    assert first.ok, first.text

    for version in (newer, OLD):
        answer = await platform.renew(hub.versions_url, version=version)
        assert answer.ok, answer.text
        there = await connection(hub, invitation.partner_id)
        assert there.version == platform.version == version
        assert there.roles == {(Party("NL", "ONE"), Role.CPO)}
        assert (there.endpoint("locations", "RECEIVER") is None) is (version == OLD)
        await assert_both_can_call(hub, platform, invitation.partner_id)


async def test_CRED_20_the_hub_chooses_the_version_an_operator_wants(hub, partners):
    platform = await partners.enter_async_context(
        FakePartner("NL*ONE CPO", versions=(OLD, "2.2.1"))
    )
    partner_id = await hub.join(platform)
    assert (await connection(hub, partner_id)).version == "2.2.1"

    for version in (OLD, None):
        await joining.renew(handshake.Parts.of(hub.app), hub.tenant_id, partner_id, version=version)
        assert (await connection(hub, partner_id)).version == version or "2.2.1"
        await assert_both_can_call(hub, platform, partner_id)


async def test_CRED_24_only_the_party_that_was_invited_may_register(hub, old_cpo):
    invitation = await hub.invite(old_cpo)

    answer = await old_cpo.register(invitation.versions_url, invitation.token, party_id="EVL")

    assert answer.status_code == 2001
    assert "NL*EVL CPO is not approved" in answer.message
    assert (await old_cpo.register(invitation.versions_url, invitation.token)).ok


async def test_HUB_06_a_party_in_two_roles_needs_a_registration_for_each(hub, partners):
    """VER-04: which of the two a 2.1.1 platform is here cannot be told from what it says."""
    both = await partners.enter_async_context(
        FakePartner("NL*ONE CPO", "NL*ONE EMSP", versions=(OLD,))
    )
    invitation = await hub.invite(both)

    answer = await both.register(invitation.versions_url, invitation.token)

    assert answer.status_code == 2001
    assert "NL*ONE CPO, NL*ONE EMSP" in answer.message
    with pytest.raises(HubError, match="once for each"):
        await join_again(hub, invitation.partner_id, both)


async def join_again(hub: RunningHub, partner_id: UUID, partner: FakePartner) -> None:
    versions_url, token = partner.invite()
    parts = handshake.Parts.of(hub.app)
    await joining.join(parts, hub.tenant_id, partner_id, versions_url, token)


async def test_HUB_06_one_platform_registers_once_for_each_of_its_parties(hub, partners):
    """Both registrations are at one address, which takes the operator's word for it."""
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=(OLD,)))
    partner_id = await hub.connect(cpo)
    emsp = await partners.enter_async_context(FakePartner("NL*ONE EMSP", versions=(OLD,)))
    proxied = cpo.versions_url.replace("/ocpi/", "/emsp/")
    strange = await hub.invite(emsp)
    refused = await emsp.register(strange.versions_url, strange.token, url=proxied)
    assert "operator of the hub must allow" in refused.message

    async with hub.database.transaction(hub.tenant_id) as db:
        row = (await db.scalars(select(Partner).where(Partner.id == strange.partner_id))).one()
        row.configuration = {"beside": str(partner_id)}
    hub.app[DIRECTORY].forget(hub.tenant_id)
    beside = await emsp.register(strange.versions_url, strange.token, url=proxied)

    # Now it is asked at that address, where this fake has nothing.
    assert (beside.status_code, "HTTP 4" in beside.message) == (3001, True)


async def test_HUB_06_urls_of_interfaces_are_no_urls_of_2_1_1(hub, old_cpo):
    await hub.connect(old_cpo)
    for path in (f"{OLD}/receiver/locations/NL/ONE/L1", f"{OLD}/sender/tokens"):
        answer = await old_cpo.call("GET", f"{hub.url}/ocpi/{path}")
        assert (answer.http_status, answer.status_code) == (404, 2001)
    answer = await old_cpo.call("PUT", f"{hub.url}/ocpi/2.2.1/locations/NL/ONE/L1", body={})
    assert answer.http_status == 404


async def test_TRANSPORT_04_the_role_decides_what_a_url_allows(hub, old_cpo, old_emsp):
    await hub.connect(old_cpo)
    await hub.connect(old_emsp)
    base = f"{hub.url}/ocpi/{OLD}"

    answer = await old_cpo.call("POST", f"{base}/locations/NL/ONE/L1", body={})
    assert (answer.http_status, answer.status_code) == (405, 2000)
    assert answer.headers["Allow"] == "GET, PATCH, PUT"
    assert (await old_emsp.call("PUT", f"{base}/locations/NL/ONE/L1", body={})).http_status == 405
    assert (await old_cpo.call("GET", f"{base}/locations")).http_status == 404
    assert (await old_emsp.call("GET", f"{base}/locations")).ok
    assert (await old_cpo.call("GET", f"{base}/tokens/")).ok
    assert (await old_emsp.call("GET", f"{base}/bookings")).http_status == 404
    assert (await old_cpo.call("GET", f"{base}/hubclientinfo")).http_status == 404


async def test_HUB_06_who_registered_with_a_newer_version_must_change_to_2_1_1_first(hub, cpo):
    answer = await cpo.call("GET", f"{hub.url}/ocpi/{OLD}/tokens")

    assert (answer.http_status, answer.status_code) == (403, 2001)
    assert "registered with OCPI 2.2.1" in answer.message


async def test_TRANSPORT_50_answers_have_ids_and_no_routing_headers(hub, old_cpo):
    await hub.connect(old_cpo)

    answer = await old_cpo.get("tokens")

    assert answer.headers["X-Request-ID"]
    assert not [name for name in answer.headers if name.lower().startswith("ocpi-")]


async def test_T_07_token_a_opens_no_module_of_2_1_1(hub, old_cpo):
    invitation = await hub.invite(old_cpo)
    for module in ("locations", "tokens", "tariffs/NL/ONE/T1"):
        for slash in ("", "/"):
            url = f"{hub.url}/ocpi/{OLD}/{module}{slash}"
            answer = await old_cpo.call("GET", url, token=invitation.token)
            assert (answer.http_status, answer.status_code) == (401, 2000), url


async def test_CRED_07_the_invitation_names_one_party_and_role(hub, old_emsp):
    async with hub.database.transaction(hub.tenant_id) as db:
        made = await invitations.invite(
            db, hub.app[KEYRING], hub.url, "Two", roles_of(old_emsp), configuration={}
        )
    assert made.versions_url == hub.versions_url
