"""HubClientInfo pulled by clients, and told to us by another hub (HCI-02 … HCI-11)."""

import pytest
from sqlalchemy import select, text

from hub.keys import DIRECTORY
from hub.models.partners import PartnerRole
from hub.models.values import Party, Role
from hub.roaming.network import invitations
from tests.helpers.documents import tariff, token
from tests.helpers.partner import FakePartner

V = "2.2.1"
OWN = ("NL*OWN", "CPO", "CONNECTED")
MOMENT = "2025-06-01T08:00:00Z"


async def listed(partner, **options):
    answer = await partner.get("hubclientinfo", **options)
    assert answer.status_code == 1000, answer.text
    return sorted(map(said, answer.data))


def said(info):
    return f"{info['country_code']}*{info['party_id']}", info["role"], info["status"]


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
async def test_the_list_names_everybody_else_without_routing_headers_HCI_02_HUB_12(
    hub, cpo, partners, version
):
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=(version,)))
    await hub.connect(emsp)

    answer = await emsp.get("hubclientinfo", to="NL*ONE", routed=True)

    assert sorted(map(said, answer.data)) == [("NL*ONE", "CPO", "CONNECTED"), OWN]
    assert answer.headers["X-Total-Count"] == "2"
    assert [name for name in answer.headers if name.lower().startswith("ocpi-")] == []
    assert await listed(cpo) == [("DE*TWO", "EMSP", "CONNECTED"), OWN]


async def test_the_list_is_paged_and_filtered_by_date_HCI_02(hub, cpo, emsp):
    seen, url, params = [], "hubclientinfo", {"limit": 1}
    while url:
        page = await emsp.get(url, params=params, routed=False)
        seen += [said(info)[0] for info in page.data]
        url, params = page.headers.get("Link", "").split(">")[0].lstrip("<") or None, None
    now = max(info["last_updated"] for info in (await emsp.get("hubclientinfo")).data)

    assert sorted(seen) == ["NL*ONE", "NL*OWN"]
    assert await listed(emsp, params={"date_to": "2020-01-01T00:00:00Z"}) == []
    assert [one[0] for one in await listed(emsp, params={"date_from": now})] == ["NL*ONE"]
    bad = await emsp.get("hubclientinfo", params={"date_from": "yesterday"})
    assert bad.status_code == 2001


async def test_each_status_has_its_meaning_HCI_06(hub, cpo, emsp, partners):
    invited = await partners.enter_async_context(FakePartner("FR*INV EMSP"))
    gone = await partners.enter_async_context(FakePartner("FR*GON EMSP"))
    away = await partners.enter_async_context(FakePartner("FR*AWY EMSP"))
    await hub.invite(invited)
    for partner in (gone, away):
        await hub.connect(partner)
    await gone.unregister()
    away.away = True
    await partner_row(hub, away, "last_seen_at = now() - interval '1 hour'")
    await hub.run("still alive")

    assert await listed(cpo) == [
        ("DE*TWO", "EMSP", "CONNECTED"),
        ("FR*AWY", "EMSP", "OFFLINE"),
        ("FR*GON", "EMSP", "SUSPENDED"),
        ("FR*INV", "EMSP", "PLANNED"),
        OWN,
    ]


async def partner_row(hub, partner, change):
    async with hub.database.transaction(hub.tenant_id) as db:
        await db.execute(
            text(f"update ocpi_partners set {change} where name = :name"), {"name": partner.name}
        )
    hub.app[DIRECTORY].forget(hub.tenant_id)


async def test_the_list_the_pushes_and_the_roles_agree_on_who_is_there_HCI_11_HUB_52(
    hub, cpo, partners
):
    other = await partners.enter_async_context(FakePartner("BE*OTH CPO"))
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=("2.3.0",)))
    await hub.connect(other)
    await hub.agree("BE*OTH", "DE*TWO", effect="BLOCK")
    await hub.connect(emsp)
    await hub.deliver()

    roles = (await emsp.get("credentials")).data["roles"]

    expected = ["NL*ONE", "NL*OWN"]
    assert sorted(f"{one['country_code']}*{one['party_id']}" for one in roles) == expected
    assert [one[0] for one in await listed(emsp)] == expected
    assert sorted(said(push.body)[0] for push in emsp.client_info) == expected
    await hub.agree("NL*ONE", "DE*TWO", "hubclientinfo", effect="BLOCK")
    assert await listed(emsp) == [OWN]


async def test_in_a_closed_network_those_know_of_each_other_who_may_deal_with_each_other_HUB_52(
    hub, cpo, emsp
):
    await hub.close_network()
    assert await listed(emsp) == []
    await hub.agree("NL*ONE", "DE*TWO", "tariffs")

    assert await listed(emsp) == [("NL*ONE", "CPO", "CONNECTED")]
    assert await listed(cpo) == [("DE*TWO", "EMSP", "CONNECTED")]


async def test_a_role_that_2_2_1_does_not_know_is_told_as_other_PAY_09(hub, cpo, partners):
    terminals = await partners.enter_async_context(FakePartner("FR*PTP PTP", versions=("2.3.0",)))
    newer = await partners.enter_async_context(FakePartner("DE*NEW EMSP", versions=("2.3.0",)))
    for partner in (terminals, newer):
        await hub.connect(partner)
    await hub.deliver()

    assert ("FR*PTP", "OTHER", "CONNECTED") in await listed(cpo)
    assert ("FR*PTP", "OTHER", "CONNECTED") in [said(push.body) for push in cpo.client_info]
    assert ("FR*PTP", "PTP", "CONNECTED") in await listed(newer)


# Another hub.


@pytest.fixture
async def peer(hub, partners):
    """BE*HBB, a hub that speaks 2.2.1; behind it BE*AAA (approved) and BE*BBB (not)."""
    peer = await partners.enter_async_context(FakePartner("BE*HBB HUB"))
    invitation = await hub.invite(peer)
    async with hub.database.transaction(hub.tenant_id) as db:
        await invitations.approve(
            db,
            invitation.partner_id,
            [(Party("BE", "AAA"), Role.CPO), (Party("BE", "AAA"), Role.EMSP)],
        )
    assert (await peer.register(invitation.versions_url, invitation.token)).ok
    return peer


def client(party, role="CPO", status="CONNECTED", **more):
    country_code, party_id = party.split("*")
    return {
        "country_code": country_code,
        "party_id": party_id,
        "role": role,
        "status": status,
        "last_updated": MOMENT,
    } | more


async def test_a_party_that_a_peer_hub_announces_roams_HCI_09_HUB_44(hub, peer, emsp):
    put = await peer.put("hubclientinfo/BE/AAA", client("BE*AAA"))
    price = tariff(version=V, country_code="BE", party_id="AAA")

    as_itself = await peer.put("tariffs/BE/AAA/T1", price, from_="BE*AAA")
    as_the_hub = await peer.put(
        "tariffs/BE/AAA/T2", price | {"id": "T2"}, from_="BE*HBB", to="NL*HUB"
    )
    forwarded = await emsp.get("tariffs", to="BE*AAA")
    await hub.deliver()

    assert (put.status_code, put.message) == (1000, "Success")
    assert (as_itself.http_status, as_the_hub.http_status) == (201, 201)
    assert sorted(push.path for push in emsp.received) == ["tariffs/BE/AAA/T1", "tariffs/BE/AAA/T2"]
    assert forwarded.status_code == 1000
    assert ("BE*AAA", "CPO", "CONNECTED") in await listed(emsp)


async def test_what_is_told_to_the_parties_behind_a_peer_names_each_HUB_26(hub, peer, emsp):
    await peer.put("hubclientinfo/BE/AAA", client("BE*AAA"))
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token())
    await hub.deliver()

    [push] = [push for push in peer.received if push.module == "tokens"]
    assert push.headers["OCPI-to-party-id"] == "AAA"


async def test_a_party_behind_a_peer_that_nobody_approved_does_not_count_T_03(hub, peer, emsp):
    answer = await peer.put("hubclientinfo/BE/BBB", client("BE*BBB"))
    price = tariff(version=V, country_code="BE", party_id="BBB")
    push = await peer.put("tariffs/BE/BBB/T1", price, from_="BE*HBB")

    assert answer.status_code == 1000
    assert "not approved" in answer.message
    assert (push.http_status, push.status_code) == (404, 2001)
    assert {one[0]: one[2] for one in await listed(emsp)} == {
        "BE*AAA": "PLANNED",
        "NL*OWN": "CONNECTED",
    }


@pytest.mark.parametrize(
    ("status", "told"), [("OFFLINE", "OFFLINE"), ("SUSPENDED", "SUSPENDED"), ("PLANNED", "PLANNED")]
)
async def test_how_a_party_behind_a_peer_is_connected_is_passed_on_HCI_06(
    hub, peer, emsp, status, told
):
    await peer.put("hubclientinfo/BE/AAA", client("BE*AAA"))
    await peer.put("hubclientinfo/BE/AAA", client("BE*AAA", status=status))

    assert ("BE*AAA", "CPO", told) in await listed(emsp)
    reachable = (await emsp.get("tariffs", to="BE*AAA")).status_code
    assert reachable == (1000 if status == "OFFLINE" else 4003)


async def test_what_a_peer_announced_outlives_a_renewal_but_not_the_registration_CRED_24(
    hub, peer, emsp
):
    await peer.put("hubclientinfo/BE/AAA", client("BE*AAA"))
    assert (await peer.renew(hub.versions_url)).ok
    assert ("BE*AAA", "CPO", "CONNECTED") in await listed(emsp)

    await peer.unregister()

    assert ("BE*AAA", "CPO", "SUSPENDED") in await listed(emsp)


async def test_a_list_of_roles_is_one_client_each_and_a_get_answers_with_the_best_HCI_07(
    hub, peer, emsp
):
    """Tolerance 11."""
    await peer.put("hubclientinfo/BE/AAA", client("BE*AAA", role=["CPO", "EMSP"]))
    await peer.put("hubclientinfo/BE/AAA", client("BE*AAA", role="CPO", status="SUSPENDED"))

    read = await peer.get("hubclientinfo/BE/AAA", side="RECEIVER")

    assert [one for one in await listed(emsp) if one[0] == "BE*AAA"] == [
        ("BE*AAA", "CPO", "SUSPENDED"),
        ("BE*AAA", "EMSP", "CONNECTED"),
    ]
    assert said(read.data) == ("BE*AAA", "EMSP", "CONNECTED")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"status": "AWAY"}, "status"),
        ({"role": "DRIVER"}, "role"),
        ({"role": []}, "role"),
        ({"party_id": "BBB"}, "party_id"),
        ({"last_updated": "yesterday"}, "last_updated"),
    ],
)
async def test_a_bad_clientinfo_names_the_field_TRANSPORT_14(peer, change, field):
    answer = await peer.put("hubclientinfo/BE/AAA", client("BE*AAA") | change)

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert answer.message.partition(":")[0].endswith(field)


async def test_only_a_hub_tells_of_others_HCI_09(cpo, emsp):
    put = await cpo.put("hubclientinfo/DE/TWO", client("DE*TWO", "EMSP", "SUSPENDED"))
    read = await cpo.get("hubclientinfo/DE/TWO", side="RECEIVER")

    assert (put.http_status, put.status_code) == (403, 2001)
    assert (read.http_status, read.status_code) == (404, 2001)
    assert ("DE*TWO", "EMSP", "CONNECTED") in await listed(cpo)


async def test_nothing_goes_back_to_the_peer_it_came_from_HUB_49(hub, peer, partners):
    await peer.put("hubclientinfo/BE/AAA", client("BE*AAA"))

    answer = await peer.get("tariffs", side="SENDER", from_="BE*HBB", to="BE*AAA")

    assert (answer.http_status, answer.status_code) == (200, 4001)
    assert [push for push in peer.requests if push.path.startswith("tariffs")] == []


async def test_the_parties_behind_a_newer_hub_are_its_roles_CRED_08(hub, emsp, partners):
    peer = await partners.enter_async_context(
        FakePartner("BE*AAA CPO", "BE*BBB CPO", versions=("2.3.0",))
    )
    peer.hub_party_id = "BEHBB"
    invitation = await hub.invite(peer)
    async with hub.database.transaction(hub.tenant_id) as db:
        await invitations.approve(db, invitation.partner_id, [(Party("BE", "HBB"), Role.HUB)])
    assert (await peer.register(invitation.versions_url, invitation.token)).ok
    price = tariff(country_code="BE", party_id="AAA")

    pushed = await peer.put("tariffs/BE/AAA/T1", price, from_="BE*HBB", to="NL*HUB")
    assert (await peer.renew(hub.versions_url, roles=peer.credentials("x")["roles"][:1])).ok

    assert pushed.http_status == 201
    assert [one[:1] + one[2:] for one in await listed(emsp)] == [
        ("BE*AAA", "CONNECTED"),
        ("BE*BBB", "PLANNED"),
        ("NL*OWN", "CONNECTED"),
    ]


async def test_peers_are_kept_in_their_tenant(hub, peer, make_tenant):
    other = await make_tenant()
    await peer.put("hubclientinfo/BE/AAA", client("BE*AAA"))

    async with hub.database.transaction(other.id) as db:
        assert list(await db.scalars(select(PartnerRole))) == []
