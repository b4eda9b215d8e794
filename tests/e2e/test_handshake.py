"""A platform gets an invitation, calls the hub and is registered (flow f: they call us)."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from hub.errors import HubError
from hub.keys import DIRECTORY, KEYRING
from hub.models.values import Party, Role
from hub.ocpi.versions import VERSIONS
from hub.roaming.modules import MODULES
from hub.roaming.network import invitations, partners
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
from tests.helpers.partner import FakePartner, HandshakeError
from tests.helpers.wire import Answer

NL_ONE = Party("NL", "ONE")
Start = Callable[..., object]


@pytest.fixture
async def platform(partners: AsyncExitStack) -> FakePartner:
    """NL*ONE, a CPO that speaks 2.2.1; not registered anywhere."""
    return await partners.enter_async_context(FakePartner("NL*ONE CPO"))


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_invited_platform_registers_and_both_can_call(hub, partners, version):
    """CRED-10, CRED-11, CRED-12, CRED-13, CRED-28."""
    platform = await partners.enter_async_context(FakePartner(versions=(version,)))
    invitation = await hub.invite(platform)

    answer = await platform.register(invitation.versions_url, invitation.token)

    assert (answer.http_status, answer.status_code) == (200, 1000)
    assert [(r.method, r.path) for r in platform.handshakes] == [
        ("GET", "versions"),
        ("GET", version),
    ]
    there = await connection(hub, invitation.partner_id)
    assert (there.version, there.status, there.connection_status) == (
        version,
        "ACTIVE",
        "CONNECTED",
    )
    assert there.roles == {(NL_ONE, Role.CPO)}
    assert there.versions_url == platform.versions_url
    path = "tariffs" if version == "2.1.1" else "sender/tariffs"
    assert there.endpoint("tariffs", "SENDER").url.endswith(f"/{version}/{path}")
    assert platform.tokens.to_hub != invitation.token
    await assert_both_can_call(hub, platform, invitation.partner_id)


async def test_before_registration_the_partner_is_planned(hub, platform):
    """HCI-06."""
    invitation = await hub.invite(platform)

    there = await connection(hub, invitation.partner_id)

    assert (there.status, there.connection_status) == ("PENDING_VERIFICATION", "PLANNED")
    assert there.roles == frozenset()


async def test_token_a_is_burnt_by_the_registration(hub, platform):
    """CRED-13, T-07: neither versions nor a second POST are possible with it."""
    invitation = await hub.invite(platform)
    assert (await platform.register(invitation.versions_url, invitation.token)).ok

    with pytest.raises(HandshakeError) as refused:
        await platform.register(invitation.versions_url, invitation.token)

    assert refused.value.answer.http_status == 401
    url = platform.endpoints["credentials", "SENDER"]
    again = await platform.call("POST", url, body={}, token=invitation.token, routed=False)
    assert (again.http_status, again.status_code) == (401, 2000)


async def test_who_is_registered_is_told_to_put(hub, cpo):
    """CRED-17: POST again is 405, and Allow says what is possible. AMB-44."""
    body = cpo.credentials("another-token")

    again = await cpo.call("POST", cpo.endpoints["credentials", "SENDER"], body=body, routed=False)

    assert (again.http_status, again.status_code) == (405, 2000)
    assert again.headers["Allow"] == "GET, PUT, DELETE"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_who_is_not_registered_is_told_to_post(hub, platform, method):
    """CRED-17."""
    invitation = await hub.invite(platform)
    endpoints, _ = await platform.discover(invitation.versions_url, invitation.token)

    answer = await platform.call(
        method,
        endpoints["credentials", "SENDER"],
        body=platform.credentials("token-b") if method == "PUT" else None,
        token=invitation.token,
        routed=False,
    )

    assert (answer.http_status, answer.status_code) == (405, 2000)
    assert answer.headers["Allow"] == "GET, POST"


async def test_patch_is_not_offered(hub, cpo):
    """TRANSPORT-04: credentials have no PATCH."""
    answer = await cpo.patch("credentials", {}, side="SENDER")

    assert (answer.http_status, answer.status_code) == (405, 2000)


@pytest.mark.parametrize("on", ["GET versions", r"GET 2\.2\.1"])
@pytest.mark.parametrize(
    "fault",
    [
        faults.unavailable(),
        faults.refuse(2000, "no"),
        faults.refuse(3000, "no", http_status=500),
        faults.http(404),
        faults.html(),
        faults.rubbish(),
        faults.vanish(),
        faults.vanish_midway(),
        faults.redirect("http://127.0.0.1:1/elsewhere"),
        faults.answer({"nothing": "useful"}),
        faults.answer("text"),
        faults.answer([]),
    ],
    ids=[
        "unavailable", "refused", "broken", "not found", "login page", "rubbish", "vanished",
        "half", "redirect", "wrong object", "text", "empty",
    ],
)  # fmt: skip
async def test_a_platform_that_cannot_be_called_back_is_told_so_and_may_try_again(
    hub, platform, on, fault
):
    """CRED-14: 3001, nothing is registered, token A stays valid."""
    invitation = await hub.invite(platform)
    platform.fail(fault, on=on)

    refused = await platform.register(invitation.versions_url, invitation.token)

    assert (refused.http_status, refused.status_code) == (200, 3001)
    assert refused.message
    there = await connection(hub, invitation.partner_id)
    assert (there.status, there.registered) == ("PENDING_VERIFICATION", False)
    [trace] = await traces(hub, invitation.partner_id)
    assert (trace.outcome, trace.reason) == ("REFUSED", refused.message)

    platform.heal()
    assert (await platform.register(invitation.versions_url, invitation.token)).ok


async def test_a_platform_that_refuses_connections_is_told_so(hub, platform):
    """CRED-14: the platform gave a versions URL at which nobody listens."""
    invitation = await hub.invite(platform)
    nowhere = platform.versions_url.replace(str(platform.port), "1")

    answer = await platform.register(invitation.versions_url, invitation.token, url=nowhere)

    assert answer.status_code == 3001


async def test_the_version_of_the_endpoint_must_be_in_the_list(hub, platform):
    """CRED-16: 3002 when the sender does not list the version whose endpoint it called."""
    invitation = await hub.invite(platform)

    answer = await platform.register(invitation.versions_url, invitation.token, version="2.3.0")

    assert (answer.http_status, answer.status_code) == (200, 3002)
    assert "2.2.1" in answer.message


async def test_credentials_among_the_endpoints_are_required(hub, platform):
    """CRED-15."""
    platform.without_modules = {("credentials", "SENDER")}
    invitation = await hub.invite(platform)

    answer = await platform.register(invitation.versions_url, invitation.token)

    assert (answer.http_status, answer.status_code) == (200, 3003)
    assert "credentials" in answer.message


async def test_modules_that_the_operator_insists_on_are_required(hub, platform):
    """CRED-15."""
    platform.without_modules = {("locations", "SENDER")}
    invitation = await hub.invite(platform, required_modules=["locations:SENDER", "tariffs"])

    answer = await platform.register(invitation.versions_url, invitation.token)

    assert (answer.http_status, answer.status_code) == (200, 3003)
    assert "locations:SENDER" in answer.message
    assert "tariffs" not in answer.message


async def test_of_two_registrations_with_one_token_the_first_wins(hub, platform):
    """CRED-26: the second gets 405 or 401, and what the first agreed on stays."""
    invitation = await hub.invite(platform)
    endpoints, _ = await platform.discover(invitation.versions_url, invitation.token)
    platform.tokens.accepted |= {"token-b-1": "C", "token-b-2": "C"}

    async def post(token: str) -> Answer:
        return await platform.call(
            "POST",
            endpoints["credentials", "SENDER"],
            body=platform.credentials(token),
            token=invitation.token,
            routed=False,
        )

    answers = await asyncio.gather(post("token-b-1"), post("token-b-2"))

    assert sorted(answer.ok for answer in answers) == [False, True]
    [loser] = [answer for answer in answers if not answer.ok]
    assert loser.http_status in {401, 405}
    [winner] = [answer for answer in answers if answer.ok]
    platform.adopt(winner.data, endpoints, "2.2.1", keep=f"token-b-{answers.index(winner) + 1}")
    await assert_both_can_call(hub, platform, invitation.partner_id)


async def test_an_invitation_expires(hub, platform):
    """T-07: token A is good for seven days unless the operator says otherwise."""
    async with hub.database.transaction(hub.tenant_id) as db:
        invitation = await invitations.invite(
            db,
            hub.app[KEYRING],
            hub.url,
            "Too late",
            [(NL_ONE, Role.CPO)],
            valid_for=timedelta(seconds=-1),
        )

    with pytest.raises(HandshakeError) as refused:
        await platform.register(invitation.versions_url, invitation.token)

    assert refused.value.answer.http_status == 401


async def test_a_new_invitation_replaces_the_one_before(hub, platform):
    first = await hub.invite(platform)
    async with hub.database.transaction(hub.tenant_id) as db:
        second = await invitations.invite_again(db, hub.app[KEYRING], hub.url, first.partner_id)
    hub.app[DIRECTORY].forget(hub.tenant_id)

    with pytest.raises(HandshakeError):
        await platform.register(first.versions_url, first.token)

    assert (await platform.register(second.versions_url, second.token)).ok


async def test_a_registered_platform_that_lost_its_tokens_is_healed_by_a_new_invitation(hub, cpo):
    """Until the new registration has succeeded, the old one holds."""
    [(partner_id,)] = await rows(hub, "select id from ocpi_partners")
    async with hub.database.transaction(hub.tenant_id) as db:
        invitation = await invitations.invite_again(db, hub.app[KEYRING], hub.url, partner_id)
    hub.app[DIRECTORY].forget(hub.tenant_id)
    await assert_both_can_call(hub, cpo, partner_id)
    old = cpo.tokens.to_hub

    assert (await cpo.register(invitation.versions_url, invitation.token)).ok

    await assert_both_can_call(hub, cpo, partner_id)
    assert (await cpo.get("credentials", token=old)).http_status == 401


async def test_a_platform_unregisters(hub, cpo):
    """CRED-23: answered 200 and 1000, tokens of both sides are void, the data stays."""
    [(partner_id,)] = await rows(hub, "select id from ocpi_partners")

    answer = await cpo.unregister()

    assert (answer.http_status, answer.status_code) == (200, 1000)
    assert (await cpo.get("credentials")).http_status == 401
    there = await connection(hub, partner_id)
    assert (there.status, there.connection_status) == ("INACTIVE", "SUSPENDED")
    assert not there.registered
    assert there.roles == frozenset()
    [trace] = [t for t in await traces(hub, partner_id) if t.kind == "unregister"]
    assert trace.outcome == "DONE"


async def test_who_unregistered_may_be_invited_again(hub, cpo):
    """CRED-23."""
    [(partner_id,)] = await rows(hub, "select id from ocpi_partners")
    await cpo.unregister()
    async with hub.database.transaction(hub.tenant_id) as db:
        invitation = await invitations.invite_again(db, hub.app[KEYRING], hub.url, partner_id)
    hub.app[DIRECTORY].forget(hub.tenant_id)

    assert (await cpo.register(invitation.versions_url, invitation.token)).ok

    await assert_both_can_call(hub, cpo, partner_id)


async def test_credentials_can_be_read_with_either_token(hub, platform):
    """CRED-18: the object holds the caller's own token, our versions URL and our roles. AMB-45."""
    invitation = await hub.invite(platform)
    endpoints, _ = await platform.discover(invitation.versions_url, invitation.token)
    url = endpoints["credentials", "SENDER"]

    before = await platform.call("GET", url, token=invitation.token, routed=False)
    registered = await platform.register(invitation.versions_url, invitation.token)
    after = await platform.get("credentials")

    assert before.data["token"] == invitation.token
    assert after.data == registered.data
    assert after.data["url"] == hub.versions_url


async def test_versions_and_details_open_with_token_a(hub, platform):
    """VER-01, VER-03, TRANSPORT-39, tolerance 17: no routing headers, absolute URLs."""
    invitation = await hub.invite(platform)

    versions = await platform.call(
        "GET", invitation.versions_url, token=invitation.token, routed=False
    )

    assert {entry["version"] for entry in versions.data} == set(VERSIONS)
    for entry in versions.data:
        assert entry["url"] == f"{hub.url}/ocpi/{entry['version']}"
        details = await platform.call("GET", entry["url"], token=invitation.token, routed=False)
        assert details.data["version"] == entry["version"]
        if entry["version"] == "2.1.1":
            continue  # test_peers.py
        served = {(e["identifier"], e["role"]): e["url"] for e in details.data["endpoints"]}
        assert served["credentials", "SENDER"] == f"{entry['url']}/credentials"
        for module in ("locations", "tariffs", "sessions", "cdrs", "tokens"):
            for interface in ("SENDER", "RECEIVER"):
                url = f"{entry['url']}/{interface.lower()}/{module}"
                assert served[module, interface] == url
        assert "OCPI-from-party-id" not in details.headers


async def test_urls_work_with_and_without_a_slash_at_the_end(hub, cpo):
    """TRANSPORT-22."""
    for url in (hub.versions_url, f"{hub.url}/ocpi/2.2.1", f"{hub.url}/ocpi/2.2.1/credentials"):
        for slash in ("", "/"):
            assert (await cpo.call("GET", url + slash, routed=False)).ok, url + slash


async def test_an_unknown_version_is_not_found(hub, cpo):
    answer = await cpo.call("GET", f"{hub.url}/ocpi/9.9", routed=False)

    assert answer.http_status == 404
    assert answer.status_code in {2000, 2001}


async def test_modules_that_are_not_agreed_on_are_not_shown(hub, platform):
    """VER-06: tailored to the partner, but credentials are always there."""
    invitation = await hub.invite(platform, supported_modules=["locations"])
    await platform.register(invitation.versions_url, invitation.token)

    assert {module for module, _ in platform.endpoints} == {"credentials", "locations"}


async def test_in_2_2_1_the_hub_is_a_party_with_role_hub_and_lists_nobody_else(hub, cpo, emsp):
    """CRED-03; website and logo are always there (tolerance 2).

    AMB-23: not even its own stations; HUB-03.
    """
    credentials = (await emsp.get("credentials")).data

    [role] = credentials["roles"]
    assert (role["role"], role["country_code"], role["party_id"]) == ("HUB", "NL", "HUB")
    assert "hub_party_id" not in credentials
    assert role["business_details"]["website"]
    logo = role["business_details"]["logo"]
    assert logo["type"] == "svg"
    shown = await emsp.call("GET", logo["url"], headers={"Authorization": None}, routed=False)
    assert (shown.http_status, shown.headers["Content-Type"]) == (
        200,
        "image/svg+xml; charset=utf-8",
    )
    assert shown.text.startswith("<svg")


async def test_in_2_3_0_the_hub_names_itself_and_lists_who_can_be_reached(hub, cpo, partners):
    """CRED-04, CRED-05: hub_party_id, the parties behind the hub and its own stations."""
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=("2.3.0",)))
    await hub.connect(emsp)

    credentials = (await emsp.get("credentials")).data

    assert credentials["hub_party_id"] == "NLHUB"
    assert {(r["role"], r["country_code"], r["party_id"]) for r in credentials["roles"]} == {
        ("CPO", "NL", "ONE"),
        ("CPO", "NL", "OWN"),
    }
    VERSIONS["2.3.0"].check("Credentials", credentials)


async def test_parties_that_no_agreement_lets_through_are_not_listed(hub, cpo, partners):
    """CRED-05, HUB-52."""
    for giver, taker in (("NL*ONE", "DE*TWO"), ("DE*TWO", "NL*ONE")):
        (giver_country, giver_id), (taker_country, taker_id) = giver.split("*"), taker.split("*")
        await rows(
            hub,
            "insert into agreements (from_country_code, from_party_id, to_country_code,"
            " to_party_id, effect) values (:a, :b, :c, :d, 'BLOCK') returning id",
            a=giver_country,
            b=giver_id,
            c=taker_country,
            d=taker_id,
        )
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=("2.3.0",)))
    await hub.connect(emsp)

    roles = (await emsp.get("credentials")).data["roles"]

    assert [role["party_id"] for role in roles] == ["OWN"]


async def test_a_hub_alone_in_its_network_still_has_a_role_to_show(
    postgres, data_dir, make_tenant, partners
):
    """CRED-05: at least one role is required, even where nobody can be reached."""
    tenant = await make_tenant(cpo_country_code=None, cpo_party_id=None)
    hub = await RunningHub(postgres.url, data_dir, tenant.id).start()
    partners.push_async_callback(hub.stop)
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=("2.3.0",)))

    await hub.connect(emsp)

    assert [role["role"] for role in emsp.hub_credentials["roles"]] == ["OTHER"]


async def test_one_platform_hosts_several_parties_in_several_roles(hub, partners):
    """CRED-01, HUB-01: the same role for several parties, several roles for one."""
    platform = await partners.enter_async_context(
        FakePartner("NL*ONE CPO", "NL*ONE EMSP", "BE*TWO CPO")
    )

    partner_id = await hub.connect(platform)

    there = await connection(hub, partner_id)
    assert there.roles == {
        (NL_ONE, Role.CPO),
        (NL_ONE, Role.EMSP),
        (Party("BE", "TWO"), Role.CPO),
    }


async def test_parties_are_compared_without_case(hub, partners):
    """Tolerance 3: NL*one is NL*ONE."""
    platform = await partners.enter_async_context(FakePartner("nl*one CPO"))

    partner_id = await hub.connect(platform)

    assert (await connection(hub, partner_id)).roles == {(NL_ONE, Role.CPO)}


async def test_a_platform_may_play_fewer_roles_than_approved(hub, platform):
    invitation = await hub.invite(platform)
    async with hub.database.transaction(hub.tenant_id) as db:
        await invitations.approve(db, invitation.partner_id, [(NL_ONE, Role.EMSP)])

    assert (await platform.register(invitation.versions_url, invitation.token)).ok

    assert (await connection(hub, invitation.partner_id)).roles == {(NL_ONE, Role.CPO)}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"token": None}, "token"),
        ({"token": "with blank"}, "token"),
        ({"token": "x" * 65}, "token"),
        ({"token": "späte"}, "token"),
        ({"url": "not a url"}, "url"),
        ({"url": "ftp://127.0.0.1/"}, "url"),
        ({"url": "http://127.0.0.1/" + "x" * 255}, "url"),
        ({"roles": []}, "roles"),
        ({"roles": [{"role": "CPO"}]}, "roles"),
    ],
)
async def test_credentials_that_are_not_valid_are_refused_by_field(hub, platform, changes, field):
    """TRANSPORT-37, TRANSPORT-81: HTTP 200 and 2001, and the field is named."""
    invitation = await hub.invite(platform)

    answer = await platform.register(invitation.versions_url, invitation.token, **changes)

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert field in answer.message
    assert not platform.handshakes


async def test_a_role_that_is_listed_twice_is_refused(hub, platform):
    """CRED-01."""
    platform.roles *= 2
    invitation = await hub.invite(platform)

    answer = await platform.register(invitation.versions_url, invitation.token)

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert "roles/1" in answer.message


async def test_credentials_wrapped_in_a_list_are_taken(hub, platform):
    """Tolerance 5: in the request, and in what the platform itself answers."""
    platform.wraps_in_list = True
    invitation = await hub.invite(platform)
    endpoints, _ = await platform.discover(invitation.versions_url, invitation.token)
    platform.tokens.accepted["token-b"] = "C"

    answer = await platform.call(
        "POST",
        endpoints["credentials", "SENDER"],
        body=[platform.credentials("token-b")],
        token=invitation.token,
        routed=False,
    )

    assert answer.ok, answer.text


async def test_a_redirect_that_only_adds_a_slash_is_followed(hub, platform):
    """Tolerance 7."""
    invitation = await hub.invite(platform)
    platform.fail(faults.redirect("/ocpi/versions/", 301), on=r"GET versions$")

    assert (await platform.register(invitation.versions_url, invitation.token)).ok


async def test_endpoints_with_a_slash_at_the_end_are_taken(hub, platform):
    """TRANSPORT-22."""
    platform.trailing_slash = True

    partner_id = await hub.connect(platform)

    await assert_both_can_call(hub, platform, partner_id)


@pytest.mark.parametrize("sent", ["base64", "raw"])
@pytest.mark.parametrize("wanted", ["base64", "raw"])
async def test_the_form_of_the_token_is_learned_in_both_directions(hub, platform, sent, wanted):
    """TRANSPORT-30 to TRANSPORT-36, tolerance 1: what they send is read, what they want is sent.

    TRANSPORT-33, AMB-01.
    """
    platform.tokens.form_sent, platform.tokens.form_wanted = sent, wanted

    partner_id = await hub.connect(platform)

    await assert_both_can_call(hub, platform, partner_id)
    await hub.app[DIRECTORY].close()
    there = await connection(hub, partner_id)
    assert there.token_form_sent == wanted
    seen = await rows(hub, "select token_form_seen from ocpi_partners")
    assert seen == [(sent,)]


async def test_the_operator_can_fix_the_form_of_the_token(hub, platform):
    """TRANSPORT-35: a configured form is the only one tried."""
    platform.tokens.form_wanted = "raw"
    invitation = await hub.invite(platform, token_form="base64")

    answer = await platform.register(invitation.versions_url, invitation.token)

    assert answer.status_code == 3001
    assert len(platform.handshakes) == 1


@pytest.mark.parametrize("suffix", ["\n", "\r\n"])
async def test_a_token_that_was_encoded_with_its_newline_is_read(hub, cpo, suffix):
    """TRANSPORT-36: what ``echo | base64`` makes of it."""
    header = cpo.tokens.header(cpo.tokens.to_hub + suffix)

    answer = await cpo.get("credentials", headers={"Authorization": header})

    assert answer.ok
    lower = await cpo.get("credentials", headers={"Authorization": "t" + header[1:]})
    assert lower.ok, "the scheme is compared without case (TRANSPORT-40)"


@pytest.mark.parametrize("header", [None, "", "Token", "Token ", "Bearer abc", "Token nonsense"])
async def test_without_a_known_token_the_answer_is_401(hub, cpo, header):
    """TRANSPORT-38: an envelope with 2xxx and no data."""
    answer = await cpo.call(
        "GET", hub.versions_url, headers={"Authorization": header}, routed=False
    )

    assert (answer.http_status, answer.status_code) == (401, 2000)
    assert answer.data is None


async def test_message_ids_are_sent_and_given_back(hub, platform):
    """CRED-27, TRANSPORT-45 to -48: on configuration modules too, which have no routing headers."""
    invitation = await hub.invite(platform)
    ids = {"X-Request-ID": "request-1", "X-Correlation-ID": "correlation-1"}

    answer = await platform.call(
        "GET", invitation.versions_url, token=invitation.token, headers=ids, routed=False
    )
    await platform.register(invitation.versions_url, invitation.token)

    assert {name: answer.headers[name] for name in ids} == ids
    called_back = [request.headers for request in platform.handshakes]
    assert len({headers["X-Request-ID"] for headers in called_back}) == len(called_back)
    assert all("X-Correlation-ID" in headers for headers in called_back)
    assert not any(name.startswith("OCPI-") for headers in called_back for name in headers)


async def test_a_new_partner_gets_a_place_at_the_start_of_every_feed(hub, cpo):
    places = await rows(hub, "select module, xid::text, seq from feed_cursors order by module")

    assert places == [(module, "0", 0) for module in sorted(MODULES)]


async def test_a_new_partner_that_wants_only_what_is_new_starts_at_the_end(hub, platform):
    """Records are owed all the same."""
    [(now,)] = await rows(hub, "select pg_snapshot_xmin(pg_current_snapshot())::text")

    await hub.connect(platform, delivery="live_only")

    places = await rows(
        hub,
        "select module, xid >= cast(cast(:now as text) as xid8) from feed_cursors"
        " where module in ('cdrs', 'locations', 'sessions', 'tariffs', 'tokens') order by module",
        now=now,
    )
    assert places == [
        ("cdrs", False),
        ("locations", True),
        ("sessions", True),
        ("tariffs", True),
        ("tokens", True),
    ]


async def test_a_partner_that_was_offline_is_connected_when_it_calls(hub, cpo):
    """HCI-06: any request ends OFFLINE and the waiting of its deliveries."""
    [(partner_id,)] = await rows(hub, "select id from ocpi_partners")
    async with hub.database.transaction(hub.tenant_id) as db:
        await partners.connection_changed(db, partner_id, "OFFLINE")
    await rows(
        hub,
        "update feed_cursors set failures = 3, next_attempt_at = now() + interval '1 hour'"
        " returning id",
    )
    hub.app[DIRECTORY].forget(hub.tenant_id)

    await cpo.get("credentials")

    there = await connection(hub, partner_id)
    assert there.connection_status == "CONNECTED"
    waiting = "select module from feed_cursors where next_attempt_at > now()"
    assert await rows(hub, waiting) == []


async def test_a_suspended_partner_is_shut_out_and_resumed_without_a_handshake(hub, cpo):
    [(partner_id,)] = await rows(hub, "select id from ocpi_partners")
    async with hub.database.transaction(hub.tenant_id) as db:
        await invitations.suspend(db, partner_id, reason="Unpaid bills")
    hub.app[DIRECTORY].forget(hub.tenant_id)

    refused = await cpo.get("credentials")

    assert (refused.http_status, refused.status_code) == (403, 2001)
    async with hub.database.transaction(hub.tenant_id) as db:
        await invitations.resume(db, partner_id)
    hub.app[DIRECTORY].forget(hub.tenant_id)
    await assert_both_can_call(hub, cpo, partner_id)
    told = await rows(hub, "select description from audit_logs order by timestamp desc limit 2")
    assert told == [("Resumed",), ("Unpaid bills",)]


async def test_the_hub_is_not_locked_out_by_a_restart(hub, cpo):
    [(partner_id,)] = await rows(hub, "select id from ocpi_partners")
    await hub.stop()
    await hub.start()

    await assert_both_can_call(hub, cpo, partner_id)
    assert await hub_can_call(hub, cpo, partner_id)


async def test_a_partner_that_is_suspended_while_it_registers_stays_suspended(hub, platform):
    """The operator's word is not undone by a handshake that was under way."""
    invitation = await hub.invite(platform)
    answering = asyncio.Event()
    platform.fail(faults.hold(answering), on="GET versions", times=1)
    registering = asyncio.create_task(platform.register(invitation.versions_url, invitation.token))
    await platform.until(lambda p: p.handshakes)
    async with hub.database.transaction(hub.tenant_id) as db:
        await invitations.suspend(db, invitation.partner_id)

    answering.set()
    answer = await registering

    assert (answer.http_status, answer.status_code) == (403, 2001)
    there = await connection(hub, invitation.partner_id)
    assert (there.status, there.registered) == ("SUSPENDED", False)
    with pytest.raises(HubError, match="resume it first"):
        await renew(hub, invitation.partner_id)
