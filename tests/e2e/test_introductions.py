"""Telling 2.3.0 partners of other parties by PUT credentials, seldom and safely (CRED-06)."""

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from hub.keys import DIRECTORY
from hub.models.partners import HandshakeTrace, Partner
from tests.helpers import faults
from tests.helpers.partner import FakePartner

JOB = "tell of changes"


@pytest.fixture
async def emsp(hub, partners):
    """DE*TWO, an eMSP that speaks 2.3.0, registered and told of nobody but NL*OWN."""
    partner = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=("2.3.0",)))
    await hub.connect(partner)
    # Its first own call: the token is proven.
    assert (await partner.get("tariffs")).ok
    return partner


@pytest.fixture
async def newcomer(hub, emsp, partners):
    """NL*ONE, a CPO, who came later."""
    partner = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    await hub.connect(partner)
    return partner


async def pass_time(hub, hours=2):
    """Everything that was exchanged or tried was so long ago."""
    async with hub.database.transaction(hub.tenant_id) as db:
        span = {"hours": hours}
        await db.execute(
            text(
                "update ocpi_partners set connected_at = connected_at"
                " - make_interval(hours => :hours)"
            ),
            span,
        )
        await db.execute(
            text(
                "update handshake_traces set created_at = created_at"
                " - make_interval(hours => :hours)"
            ),
            span,
        )
    hub.app[DIRECTORY].forget(hub.tenant_id)


def puts(partner):
    return [push for push in partner.handshakes if push.method == "PUT"]


def parties(credentials):
    return sorted(f"{one['country_code']}*{one['party_id']}" for one in credentials["roles"])


async def test_a_partner_is_told_of_a_newcomer_an_hour_after_the_last_exchange(hub, emsp, newcomer):
    """CRED-06, AMB-21."""
    await hub.run(JOB)
    assert puts(emsp) == []

    await pass_time(hub)
    old = emsp.tokens.to_hub
    await hub.run(JOB)
    await hub.run(JOB)

    [put] = puts(emsp)
    assert put.version == "2.3.0"
    assert parties(put.body) == ["NL*ONE", "NL*OWN"]
    assert emsp.tokens.to_hub != old
    assert (await emsp.get("tariffs")).ok
    assert parties((await emsp.get("credentials")).data) == ["NL*ONE", "NL*OWN"]


async def test_nobody_is_told_what_has_not_changed(hub, emsp, newcomer):
    await pass_time(hub)
    await hub.run(JOB)
    assert (await emsp.get("tariffs")).ok
    await pass_time(hub, 1000)
    newcomer.away = True
    async with hub.database.transaction(hub.tenant_id) as db:
        await db.execute(text("update ocpi_partners set last_seen_at = now() - interval '1 hour'"))
    await hub.run("still alive")
    await hub.run(JOB)

    assert len(puts(emsp)) == 1, "who is OFFLINE is still reachable later"


async def test_partners_of_older_versions_and_those_who_do_not_want_it_are_left_alone(
    hub, emsp, partners
):
    older = await partners.enter_async_context(FakePartner("FR*OLD EMSP"))
    quiet = await partners.enter_async_context(FakePartner("FR*QUI EMSP", versions=("2.3.0",)))
    await hub.connect(older)
    await hub.connect(quiet, credentials_update_minutes=0)
    for partner in (older, quiet):
        assert (await partner.get("tariffs")).ok
    newcomer = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    await hub.connect(newcomer)
    await pass_time(hub)

    await hub.run(JOB)

    assert puts(older) == puts(quiet) == puts(newcomer) == []
    assert len(puts(emsp)) == 1


async def test_a_setting_says_how_long_it_takes(hub, partners):
    swift = await partners.enter_async_context(FakePartner("FR*SWI EMSP", versions=("2.3.0",)))
    patient = await partners.enter_async_context(FakePartner("FR*PAT EMSP", versions=("2.3.0",)))
    await hub.connect(swift, credentials_update_minutes=1)
    await hub.connect(patient, credentials_update_minutes=1440)
    for partner in (swift, patient):
        assert (await partner.get("tariffs")).ok
    await pass_time(hub)

    await hub.run(JOB)

    assert (len(puts(swift)), len(puts(patient))) == (1, 0)


@pytest.mark.parametrize(
    "fault",
    [
        faults.http(500, "no"),
        faults.refuse(3000, "not now"),
        faults.http(405, "no such method"),
        faults.vanish(),
        faults.html(),
        faults.late(faults.vanish()),
        faults.late(faults.http(502, "gateway")),
    ],
    ids=["500", "3000", "405", "vanish", "html", "late vanish", "late 502"],
)
async def test_whatever_the_partner_does_nobody_is_locked_out_CRED_21(hub, emsp, newcomer, fault):
    await pass_time(hub)
    emsp.fail(fault, on="PUT 2.3.0/credentials")

    await hub.run(JOB)
    emsp.heal()

    assert (await emsp.get("tariffs")).ok
    assert (await newcomer.get("locations", to=emsp)).status_code in {1000, 4001}
    answer = await newcomer.get("tokens", to=emsp)
    assert answer.status_code == 1000, "the hub still gets in"


async def test_who_does_not_answer_is_asked_less_and_less_often(hub, emsp, newcomer):
    await pass_time(hub)
    emsp.fail(faults.http(405, "no such method"), on="PUT 2.3.0/credentials")

    attempts, now = {}, 0
    for hour in (0, 1, 2, 5, 6, 13, 14):
        await pass_time(hub, hour - now)
        await hub.run(JOB)
        attempts[hour], now = len(puts(emsp)), hour

    assert attempts == {0: 1, 1: 1, 2: 2, 5: 2, 6: 3, 13: 3, 14: 4}
    async with hub.database.transaction(hub.tenant_id) as db:
        [trace] = await db.scalars(
            select(HandshakeTrace).where(HandshakeTrace.kind == "reintroduce").limit(1)
        )
    assert (trace.outcome, "405" in trace.reason) == ("REFUSED", True)


async def test_no_second_put_before_the_first_is_known_to_have_arrived_CRED_21(
    hub, emsp, newcomer, partners
):
    await pass_time(hub)
    await hub.run(JOB)
    another = await partners.enter_async_context(FakePartner("NL*TRE CPO"))
    await hub.connect(another)
    await pass_time(hub)

    await hub.run(JOB)
    assert len(puts(emsp)) == 1, "it has not used its new token yet"
    assert (await emsp.get("tariffs")).ok
    await hub.run(JOB)

    assert len(puts(emsp)) == 2


async def test_one_partner_that_hangs_or_breaks_keeps_no_other_from_being_told(
    hub, emsp, newcomer, partners
):
    other = await partners.enter_async_context(FakePartner("FR*OTH EMSP", versions=("2.3.0",)))
    await hub.connect(other)
    assert (await other.get("tariffs")).ok
    await pass_time(hub)
    emsp.fail(faults.rubbish())
    late = await partners.enter_async_context(FakePartner("NL*TRE CPO"))
    await hub.connect(late)

    await hub.run(JOB)

    assert len(puts(other)) == 1


async def test_a_partner_that_changed_what_it_plays_meanwhile_is_judged_as_ever_CRED_24(
    hub, emsp, newcomer
):
    """Its answer to the PUT names a party that nobody approved: that one does not count."""
    await pass_time(hub)
    emsp.roles.append(("FR", "BAD", "EMSP"))

    await hub.run(JOB)

    async with hub.database.transaction(hub.tenant_id) as db:
        row = await db.scalar(select(Partner).where(Partner.name == emsp.name))
    assert row.status == "ACTIVE"
    audience = await hub.app[DIRECTORY].audience(hub.tenant_id)
    assert "BAD" not in {party.party_id for one in audience.connections for party in one.parties}


async def test_tokens_that_are_a_month_old_are_reminded_of_CRED_22(hub, emsp):
    async with hub.database.transaction(hub.tenant_id) as db:
        partner_id = str(await db.scalar(select(Partner.id)))

    async def reminded():
        with capture_logs() as logged:
            await hub.run("remind of renewals")
        return [entry["partner_name"] for entry in logged if entry.get("partner") == partner_id]

    assert await reminded() == []
    await pass_time(hub, 31 * 24)
    assert await reminded() == [emsp.name]
    shown = (await emsp.call("GET", f"{hub.url}/metrics", routed=False)).text
    name = f'ocpi_hub_credentials_age_seconds{{partner="{partner_id}"}}'
    [line] = [one for one in shown.splitlines() if one.startswith(name)]
    assert float(line.rpartition(" ")[2]) == pytest.approx(31 * 86400, abs=3600)
