"""What the hub tells Prometheus and its load balancer about itself."""

import asyncio
import socket
import time
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text, update
from structlog.testing import capture_logs

from hub import health, jobs
from hub.db import Database
from hub.embedded import EmbeddedPostgres
from hub.keys import DATABASE, METRICS, PULLER, SENDER
from hub.lag import LAG, LoopLag
from hub.migrate import migrate
from hub.models.tenants import Tenant
from hub.scrape import SCRAPE, is_local
from tests.helpers.documents import evse, location, tariff
from tests.helpers.faults import http, refuse
from tests.helpers.hub import RunningHub
from tests.helpers.network import Network
from tests.helpers.partner import FakePartner

V = "2.2.1"
ODD_METHODS = ("PROPFIND", "MKCOL", "COPY", "MOVE", "LOCK", "SEARCH", "REPORT", "MERGE", "LINK")


async def get(hub, path, **headers):
    async with (
        aiohttp.ClientSession() as session,
        session.get(hub.url + path, headers=headers) as answer,
    ):
        return answer.status, await answer.text()


async def scrape(hub):
    """Every sample, by its name and the values of its labels in the order of their names."""
    hub.app[SCRAPE].forget()
    status, body = await get(hub, "/metrics")
    assert status == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


async def test_requests_are_counted_by_what_was_answered(hub, cpo):
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await cpo.put("tariffs/NL/ONE/T1", {"id": "T1"})
    await cpo.get("tariffs/NL/ONE/T1", side="RECEIVER")

    found = await scrape(hub)

    # By interface, method, module and status code.
    requests = "ocpi_hub_requests_total"
    assert found[requests, "RECEIVER", "PUT", "tariffs", "1000"] == 1
    assert found[requests, "RECEIVER", "PUT", "tariffs", "2001"] == 1
    assert found[requests, "RECEIVER", "GET", "tariffs", "1000"] == 1
    assert found[requests, "none", "POST", "credentials", "1000"] == 1
    assert found["ocpi_hub_request_seconds_count", "RECEIVER", "PUT", "tariffs"] == 2


async def test_what_a_caller_chooses_makes_no_series(hub):
    before = len(await scrape(hub))
    async with aiohttp.ClientSession() as session:
        for number, method in enumerate(ODD_METHODS):
            headers = {"Authorization": f"Token guess{number}"}
            url = f"{hub.url}/ocpi/2.2.{number}/nothing/{number}"
            await session.request(method, url, headers=headers)
            await session.get(f"{hub.url}/ocpi/{number}/receiver/tariffs/N{number}/X/1")

    found = await scrape(hub)

    assert found["ocpi_hub_requests_total", "none", "other", "other", "2000"] == len(ODD_METHODS)
    # Two routes that were asked for: a few counters, and their histograms' buckets.
    assert len(found) < before + 60
    assert not any("guess" in str(name) for name in found)


@pytest.mark.parametrize(("code", "shown"), [(2004, "2004"), (2999, "2xxx"), (-7, "other")])
async def test_status_codes_of_partners_are_bounded(hub, code, shown):
    hub.app[METRICS].answered("m", "i", "GET", status_code=code, seconds=0.1, partner=None)

    found = await scrape(hub)

    assert found["ocpi_hub_requests_total", "i", "GET", "m", shown] == 1


async def test_a_forwarded_answer_is_counted_with_its_own_code_and_a_lost_one_as_an_error(
    hub, cpo, emsp
):
    """HUB-45, HUB-47: 4001, 4002 and 4003 are told apart, by who asked."""
    cpo.fail(refuse(2003, "no such location"), on="sender/locations")
    relayed = await emsp.get("locations/L1", to="NL*ONE")
    await cpo.stop_listening()
    unreachable = await emsp.get("locations/L1", to="NL*ONE")
    unknown = await emsp.get("locations/L1", to="FR*NIL")
    assert (relayed.status_code, unreachable.status_code, unknown.status_code) == (2003, 4003, 4001)

    found = await scrape(hub)

    assert found["ocpi_hub_requests_total", "SENDER", "GET", "locations", "2003"] == 1
    errors = {key[1:]: value for key, value in found.items() if "forward_errors" in key[0]}
    async with hub.database.transaction(hub.tenant_id) as db:
        asker = await db.scalar(
            text("select partner_id from ocpi_partner_roles where party_id = 'TWO'")
        )
    assert errors == {(str(asker), "4003"): 1, (str(asker), "4001"): 1}


async def test_deliveries_and_what_is_owed_are_told_by_partner(hub, partners):
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    giver, taker = str(await hub.connect(cpo)), str(await hub.connect(emsp))
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await hub.deliver()
    emsp.fail(http(503))
    await cpo.put("tariffs/NL/ONE/T2", tariff(version=V, id="T2"))
    await cpo.put("locations/NL/ONE/L1", location(version=V, evses=[evse(version=V)]))
    await hub.deliver()

    found = await scrape(hub)

    assert found["ocpi_hub_deliveries_total", "taken", taker, "tariffs"] == 1
    assert [
        key
        for key in found
        if key[0] == "ocpi_hub_deliveries_total" and key[1] in {"busy", "failing"}
    ]
    lag, age = "ocpi_hub_delivery_lag_objects", "ocpi_hub_delivery_oldest_age_seconds"
    assert found[lag, "tariffs", taker] == 1
    # One request tells of a location and its EVSEs.
    assert found[lag, "locations", taker] == 1
    assert 0 < found[age, "tariffs", taker] < 60
    # A CPO takes no tariffs, and tokens there are none.
    assert found.get((lag, "tariffs", giver), 0) == 0
    assert found[age, "tokens", giver] == 0


async def test_the_age_is_that_of_the_oldest_change_that_concerns_the_partner(hub, cpo, emsp):
    emsp.fail(http(503))
    for name in ("T1", "T2"):
        await cpo.put(f"tariffs/NL/ONE/{name}", tariff(version=V, id=name))
    await hub.deliver()
    async with hub.database.transaction(hub.tenant_id) as db:
        await db.execute(
            text("update tariffs set updated_at = now() - interval '1 h' where object_id = 'T1'")
        )

    found = await scrape(hub)

    ages = [
        value
        for key, value in found.items()
        if key[:2] == ("ocpi_hub_delivery_oldest_age_seconds", "tariffs")
    ]
    assert 3600 <= max(ages) < 3700


async def test_setbacks_quarantine_and_held_deliveries_are_counted(hub, partners):
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    giver, taker = str(await hub.connect(cpo)), str(await hub.connect(emsp))
    emsp.fail(refuse(2001, "not like this"), on="PUT 2.2.1/receiver/tariffs")
    emsp.fail(http(401), on="PUT 2.2.1/receiver/locations")
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    bad = evse(version=V, uid="E2", status="BROKEN DOWN")
    await cpo.put("locations/NL/ONE/L1", location(version=V, evses=[evse(version=V), bad]))
    await hub.deliver()

    found = await scrape(hub)

    assert found["ocpi_hub_setbacks_open", "tariffs", taker] == 1
    assert found["ocpi_hub_quarantined_open", "locations", giver] == 1
    async with asyncio.timeout(10):
        while not found["ocpi_hub_deliveries_held", "locations", taker]:
            found = await scrape(hub)


async def test_partners_are_counted_by_connection_status_and_gone_ones_leave(hub, partners):
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    partner = str(await hub.connect(cpo))
    before = await scrape(hub)
    await cpo.unregister()

    after = await scrape(hub)

    connected = ("ocpi_hub_partners", "CONNECTED")
    assert after[connected] == before[connected] - 1
    lag = ("ocpi_hub_delivery_lag_objects", "tokens", partner)
    assert lag in before
    assert lag not in after


async def test_one_tenant_that_cannot_be_measured_does_not_hide_the_others(
    hub, cpo, emsp, make_tenant
):
    nameless = await make_tenant(country_code=None, party_id=None)
    async with Network(hub.database_url, nameless.id) as other:
        await other.connect(FakePartner("FR*TEN EMSP"))
    with capture_logs() as logged:
        found = await scrape(hub)
    # Jobs of tests to come go through all tenants.
    async with hub.database.transaction(nameless.id) as db:
        await db.execute(update(Tenant).values(country_code="NL", party_id="HUB"))

    assert len([key for key in found if key[0] == "ocpi_hub_delivery_lag_objects"]) > 0
    assert found["ocpi_hub_database_up",] == 1
    assert "tenant could not be measured" in [entry["event"] for entry in logged]


async def test_failed_handshakes_are_counted(hub, partners):
    platform = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    invitation = await hub.invite(platform)
    refused = await platform.register(
        invitation.versions_url, invitation.token, url="http://127.0.0.1:1/none"
    )
    assert not refused.ok

    found = await scrape(hub)

    assert found["ocpi_hub_handshakes_failed", str(invitation.partner_id)] == 1


async def test_jobs_are_counted_and_so_are_their_failures(hub):
    async def fail(app):
        raise RuntimeError("on purpose")

    await hub.run("forget routes")
    assert not await jobs.run(hub.app, jobs.Job("broken", 1, fail))

    found = await scrape(hub)

    assert found["ocpi_hub_job_runs_total", "forget routes"] == 1
    assert found["ocpi_hub_job_last_success_timestamp_seconds", "forget routes"] > 0
    assert found["ocpi_hub_job_failures_total", "broken"] == 1


async def test_the_database_is_asked_once_however_many_scrape(hub):
    await scrape(hub)
    first = (await get(hub, "/metrics"))[1]
    async with hub.database.transaction(hub.tenant_id) as db:
        await db.execute(text("update tenants set name = 'Another'"))

    await asyncio.gather(*(get(hub, "/metrics") for _ in range(5)))
    again = (await get(hub, "/metrics"))[1]

    took = "ocpi_hub_scrape_seconds "
    assert line(took, first) == line(took, again)


def line(start, body):
    return next(one for one in body.splitlines() if one.startswith(start))


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"],
)
async def test_what_came_through_a_proxy_gets_no_metrics(hub, header):
    status, body = await get(hub, "/metrics", **{header: "127.0.0.1"})

    assert status == 404
    assert "ocpi_hub" not in body


async def test_an_address_that_is_not_loopback_gets_no_metrics(hub):
    address = own_address()
    if address is None:
        pytest.skip("this machine has no address but loopback")
    site = web.TCPSite(hub._runner, address, hub.port)
    await site.start()

    async with aiohttp.ClientSession() as session:
        live = await session.get(f"http://{address}:{hub.port}/live")
        metrics = await session.get(f"http://{address}:{hub.port}/metrics")

    assert (live.status, metrics.status) == (200, 404)


def own_address():
    """An address of this machine that others use; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = probe.getsockname()[0]
    return None if address.startswith("127.") else address


@pytest.mark.parametrize(
    ("remote", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("", False),
        (None, False),
    ],
)
async def test_only_loopback_is_this_machine(remote, local):
    request = make_mocked_request("GET", "/metrics").clone(remote=remote)

    assert is_local(request) is local


async def test_a_hub_with_a_working_database_is_ready(hub):
    status, body = await get(hub, "/ready")

    assert status == 200, body
    assert '"sender":"ok"' in body
    assert '"event_loop":"ok"' in body
    assert (await get(hub, "/live"))[0] == 200


async def test_each_reason_not_to_be_ready_is_told(hub):
    hub.app[health.HEALTH].stopping = True
    await hub.app[SENDER].stop()
    for _ in range(10):
        hub.app[LAG]._readings.append(7.5)

    status, body = await get(hub, "/ready")

    assert status == 503
    assert "the hub is stopping" in body
    assert "the sender does not run" in body
    assert "it is 7.5 s late" in body


async def test_a_schema_older_than_the_release_is_not_ready_and_a_newer_one_is(postgres, own_dir):
    postgres.make_database("older")
    await migrate(postgres.url_of("hub_owner", "older"))
    postgres.run_sql("older", "UPDATE alembic_version SET version_num = '0001'")
    database = Database(postgres.url_of("hub", "older"))

    behind = await health.database_trouble(database)
    postgres.run_sql("older", "UPDATE alembic_version SET version_num = '9999'")
    ahead = await health.database_trouble(database)

    await database.close()
    assert "0001" in behind
    assert "hub migrate" in behind
    assert ahead is None


async def test_without_its_database_the_hub_lives_says_why_and_comes_back(own_dir):
    server = EmbeddedPostgres.start(own_dir)
    await migrate(server.admin_url)
    tenant = Tenant(id=uuid4(), name="T", country_code="NL", party_id="HUB")
    database = Database(server.url)
    async with database.transaction(tenant.id) as db:
        db.add(tenant)
    await database.close()
    hub = RunningHub(server.url, own_dir, tenant.id)
    await hub.start()
    try:
        assert (await get(hub, "/ready"))[0] == 200
        await asyncio.to_thread(server.stop)

        assert (await get(hub, "/live"))[0] == 200
        status, body = await get(hub, "/ready")
        assert status == 503
        assert "cannot reach its database" in body
        found = await scrape(hub)
        assert found["ocpi_hub_database_up",] == 0
        assert not [key for key in found if key[0] == "ocpi_hub_partners"]

        server = await asyncio.to_thread(EmbeddedPostgres.start, own_dir)
        assert (await get(hub, "/ready"))[0] == 200
        assert (await scrape(hub))["ocpi_hub_database_up",] == 1
    finally:
        await hub.stop()
        await asyncio.to_thread(server.stop)


async def test_a_blocked_event_loop_shows():
    lag = LoopLag()
    task = asyncio.create_task(lag.measure())
    await asyncio.sleep(0)

    time.sleep(0.9)  # noqa: ASYNC251 - what must not happen is what is measured
    async with asyncio.timeout(5):
        while not lag.worst:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)

    task.cancel()
    assert 0.3 < lag.worst < 5
    assert lag.average < lag.worst


async def test_the_pool_is_shown_as_it_is(hub):
    async with hub.app[DATABASE].transaction(hub.tenant_id):
        found = await scrape(hub)

    assert found["ocpi_hub_database_pool_size",] == 10
    assert found["ocpi_hub_database_pool_in_use",] >= 1


async def test_data_that_has_stopped_flowing_is_measured(hub, cpo):
    cpo.own["tariffs"] = [tariff(version=V)]
    await hub.pull()
    # What is due must not be fetched by the clock between this and the look at it.
    await hub.app[PULLER].stop()
    fresh = await scrape(hub)
    async with hub.database.transaction(hub.tenant_id) as db:
        await db.execute(
            text(
                "update sync_states set full_at = now() - interval '9 days', delta_at = null,"
                " arrived_at = now() - interval '8 days' where module = 'tariffs'"
            )
        )
    await hub.run("watch freshness")
    stale = await scrape(hub)

    [partner] = {key[2] for key in fresh if key[0] == "ocpi_hub_data_stale"}
    assert fresh["ocpi_hub_data_stale", "tariffs", partner] == 0
    assert 0 <= fresh["ocpi_hub_data_age_seconds", "tariffs", partner] < 60
    assert fresh["ocpi_hub_pulled_total", "tariffs", "created", partner] == 1
    assert stale["ocpi_hub_data_stale", "tariffs", partner] == 1
    assert stale["ocpi_hub_data_age_seconds", "tariffs", partner] > 7 * 86400


async def test_certificates_of_stations_that_end_soon_are_counted_T_49(hub):
    before = await scrape(hub)
    ends = [(3, "-1 hours"), (3, "20 hours"), (3, "6 days"), (3, "29 days"), (3, "31 days")]
    # Nobody is locked out who has a password, or is not in use any more.
    for number, (profile, left) in enumerate([*ends, (2, "1 hours")]):
        await hub.sql(
            "insert into charging_stations"
            " (station_id, ocpp_version, security_profile, certificate_expires_at)"
            " values (:id, 'OCPP_1_6', :profile, now() + cast(:left as text)::interval)",
            id=f"CP-{number}",
            profile=profile,
            left=left,
        )
    await hub.sql(
        "insert into charging_stations"
        " (station_id, ocpp_version, security_profile, certificate_expires_at, status)"
        " values ('CP-X', 'OCPP_1_6', 3, now(), 'DECOMMISSIONED')"
    )
    after = await scrape(hub)

    name = "ocpi_hub_station_certificates_ending"
    more = {days: after[name, days] - before[name, days] for days in ("1", "7", "30")}
    assert more == {"1": 2, "7": 3, "30": 4}
