"""What an operator changes or orders leaves an entry that says who it was: every route that is no
GET, in scenes that do what they list.
"""

import io
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from ocpp.v16 import call, call_result
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import create_async_engine

from hub.admin.api import operations
from hub.models.feed import QuarantinedObject
from hub.ocpi.versions import same_since
from hub.roaming.store import objects
from tests.e2e.test_cdr_checks import cdr
from tests.helpers import documents
from tests.helpers.certificates import signing_request
from tests.helpers.faults import refuse
from tests.helpers.network import change
from tests.helpers.operator import Operator, api_key, every_permission
from tests.helpers.partner import FakePartner
from tests.helpers.stations import OWN, PLUG, add, connected, place, put_place

V = "2.2.1"
ACM = [{"party": "NL*ACM", "role": "CPO"}]
LAT = [{"party": "NL*LAT", "role": "CPO"}]
C1 = "/cdrs/NL/ONE/C1"

SCENES = {
    "people": """
        POST /tenants
        PATCH /tenants/{id}
        POST /users
        PATCH /users/{id}
        DELETE /users/{id}
        POST /roles
        PATCH /roles/{id}
        DELETE /roles/{id}
        POST /keys
        DELETE /keys/{id}
        POST /agreements
        PATCH /agreements/{id}
        DELETE /agreements/{id}
        POST /tokens
        PATCH /tokens/{id}
        POST /tokens/{id}/block
        POST /tokens/{id}/unblock
        DELETE /tokens/{id}
    """,
    "partners": """
        POST /partners/invite
        POST /partners/{id}/invite
        POST /partners/join
        POST /partners/{id}/join
        PATCH /partners/{id}
        DELETE /partners/{id}
        POST /partners/{id}/suspend
        POST /partners/{id}/resume
        POST /partners/{id}/renew
        POST /partners/{id}/leave
        POST /partners/{id}/sync
        POST /partners/{id}/sync/cancel
        POST /partners/{id}/probe
        POST /feed/{id}/retry
        POST /setbacks/{id}/replay
        POST /quarantine/{id}/replay
        POST /quarantine/{id}/dismiss
    """,
    "CDRs": """
        POST /cdrs/{country_code}/{party_id}/{id:.+}/check
        POST /cdrs/check
        POST /cdrs/{country_code}/{party_id}/{id:.+}/release
        POST /cdrs/{country_code}/{party_id}/{id:.+}/notes
        POST /settlements/{month}/{issuer}/{recipient}/reconciliation
    """,
    "stations": """
        PUT /objects/{module}/{country_code}/{party_id}/{id:.+}
        DELETE /objects/{module}/{country_code}/{party_id}/{id:.+}
        POST /stations
        PATCH /stations/{id}
        DELETE /stations/{id}
        POST /stations/{id}/password
        PATCH /stations/{id}/evses/{number}
        POST /stations/{id}/certificates
        POST /stations/{id}/certificates/revoke
        POST /charging-profiles
        PATCH /charging-profiles/{id}
        DELETE /charging-profiles/{id}
        POST /firmware
        DELETE /firmware/{id}
    """,
    "what stations are told": """
        POST /stations/{id}/calls
        POST /stations/{id}/local-list
        POST /charging-profiles/{id}/apply
        POST /charging-profiles/{id}/clear
        POST /stations/{id}/firmware
        POST /stations/{id}/logs
        POST /transactions/{id}/close
        POST /transactions/{id}/stop
        POST /stations/{id}/start
        POST /reservations
        POST /reservations/{id}/cancel
    """,
}


def listed(scene):
    return {line.strip() for line in SCENES[scene].split("\n") if line.strip()}


CHANGING = {f"{one.method} {one.path}": one for _, one in operations() if one.method != "GET"}


def test_every_route_that_changes_something_is_in_a_scene():
    assert set.union(*map(listed, SCENES)) == set(CHANGING)


class Watched(Operator):
    """Whatever it changes must succeed, and be in the audit log in its name."""

    async def watch(self, log):
        self.log, self.done = log, set()
        self.id = (await self.get("/me")).body["id"]
        return self

    async def ask(self, method, path, **options):
        if method == "GET":
            return await super().ask(method, path, **options)
        before = await self.entries()
        said = await super().ask(method, path, **options)
        route = next(name for name in CHANGING if re.fullmatch(pattern(name), f"{method} {path}"))
        assert said.status < 300, (route, said.body)
        assert await self.entries() > before, f"{route} is not in the audit log"
        self.done.add(route)
        return said

    async def entries(self):
        """Of all tenants: a new one has the first entry of its own."""
        mine = text("SELECT count(*) FROM audit_logs WHERE user_id = :who")
        return await self.log.scalar(mine, {"who": self.id})


def pattern(route):
    return re.sub(r"{\w+(:[^}]*)?}", lambda found: ".+" if found[1] else "[^/]+", route)


@pytest.fixture
async def ada(hub, postgres, stack):
    """Who may do everything, everywhere."""
    everything = await every_permission(hub.database, beyond_the_tenant=True)
    key = await api_key(hub, everything, hub.tenant_id)
    engine = create_async_engine(postgres.url_of("postgres", "hub"), isolation_level="AUTOCOMMIT")
    stack.push_async_callback(engine.dispose)
    log = await stack.enter_async_context(engine.connect())
    return await (await stack.enter_async_context(Watched(hub, key))).watch(log)


async def test_people(ada, tenant):
    await ada.post("/tenants", name="Other", party="BE*HUB")
    await ada.patch(f"/tenants/{tenant.id}", name="Renamed")
    for path, made, changed in (
        ("/users", {"email": "a@example.com"}, {"first_name": "Ada"}),
        ("/roles", {"name": "Readers", "permissions": ["feed.read"]}, {"description": "They look"}),
        ("/keys", {"name": "Key", "permissions": ["feed.read"]}, None),
        ("/agreements", {"effect": "BLOCK"}, {"effect": "ALLOW"}),
        ("/tokens", {"uid": "TAG1"}, {"group_id": "G1"}),
    ):
        this = f"{path}/{(await ada.post(path, **made)).body['id']}"
        if changed:
            await ada.patch(this, **changed)
        if path == "/tokens":
            await ada.post(f"{this}/block")
            await ada.post(f"{this}/unblock")
        await ada.delete(this)

    assert ada.done == listed("people")


async def test_partners(hub, ada, cpo, emsp, stack):
    acme = await stack.enter_async_context(FakePartner("NL*ACM CPO", name="Acme"))
    invited = (await ada.post("/partners/invite", name="Later", roles=LAT)).body["partner"]
    await ada.post(f"/partners/{invited['id']}/invite")
    await ada.patch(f"/partners/{invited['id']}", name="Never")
    await ada.delete(f"/partners/{invited['id']}")
    versions_url, token = acme.invite()
    joined = await ada.post(
        "/partners/join", name="Acme", roles=ACM, versions_url=versions_url, token=token
    )
    this = f"/partners/{joined.body['id']}"
    for what in ("probe", "sync", "sync/cancel", "suspend", "resume", "renew", "leave"):
        await ada.post(f"{this}/{what}")
    versions_url, token = acme.invite()
    await ada.post(f"{this}/join", versions_url=versions_url, token=token)

    emsp.fail(refuse(2001, "No such currency"), on="tariffs", times=1)
    await cpo.put("tariffs/NL/ONE/T1", documents.tariff(version=V))
    await hub.deliver()
    await ada.post(f"/feed/{emsp.id}/retry")
    [setback] = (await ada.get("/setbacks")).body["items"]
    await ada.post(f"/setbacks/{setback['id']}/replay")
    for number in "23":
        bad = documents.tariff(version=V, id=f"T{number}", currency="EURO")
        await cpo.put(f"tariffs/NL/ONE/T{number}", bad)
    first, second = (await ada.get("/quarantine")).body["items"]
    async with hub.database.transaction(hub.tenant_id) as db:
        good = json.dumps(documents.tariff(version=V, id="T3"))
        await db.execute(update(QuarantinedObject).values(body=good))
    await ada.post(f"/quarantine/{first['id']}/replay")
    await ada.post(f"/quarantine/{second['id']}/dismiss")

    assert ada.done == listed("partners")


async def test_cdrs(hub, ada, stack, tenant):
    receiver = await stack.enter_async_context(FakePartner("DE*TWO EMSP", versions=("2.3.0",)))
    await hub.connect(receiver)
    await by_the_way(ada, "/agreements", effect="ALLOW", hold=True)
    wrong = documents.price(4, 0.84)
    async with hub.database.transaction(tenant.id) as db:
        writes = [change("cdrs", cdr(id="C1", total_cost=wrong)), change("cdrs", cdr(**OWN))]
        await objects.apply(db, writes, same_since=same_since)
    await hub.check_cdrs()

    await ada.post(f"{C1}/check")
    await ada.post("/cdrs/check")
    await ada.post(f"{C1}/notes", note="Too much")
    await ada.post(f"{C1}/release", note="They asked for it")
    await ada.post("/settlements/2025-06/NL*OWN/DE*TWO/reconciliation")

    assert ada.done == listed("CDRs")


async def by_the_way(ada, path, **body):
    """What belongs to another scene."""
    await ada.post(path, **body)
    ada.done.remove(f"POST {path}")


async def test_stations(ada):
    await put_place(ada)
    await ada.delete("/objects/tariffs/NL/OWN/T1")
    station = await add(ada)
    this = f"/stations/{station['id']}"
    await ada.patch(this, name="At the gate")
    await place(ada, station)
    await ada.post(f"{this}/password", how="replace")
    await ada.post(f"{this}/certificates", csr=signing_request("CP-1"))
    await ada.post(f"{this}/certificates/revoke")
    await ada.delete(this)
    limit = {"charging_rate_unit": "W", "periods": [{"start_period": 0, "limit": 1380}]}
    profile = (await ada.post("/charging-profiles", name="night", **limit)).body
    await ada.patch(f"/charging-profiles/{profile['id']}", name="day")
    await ada.delete(f"/charging-profiles/{profile['id']}")
    file = io.BytesIO(b"firmware")
    firmware = (await ada.ask("POST", "/firmware", params={"name": "v2.bin"}, data=file)).body
    await ada.delete(f"/firmware/{firmware['id']}")

    assert ada.done == listed("stations")


async def test_what_stations_are_told(hub, ada, operator):
    await put_place(operator)
    station = await add(operator, ocpp_versions=["1.6"])
    await place(operator, station, connectors=[PLUG | {"tariff_id": "T1"}])
    await operator.post("/tokens", uid="TAG1")
    limit = {"charging_rate_unit": "W", "periods": [{"start_period": 0, "limit": 1380}]}
    profile = (await operator.post("/charging-profiles", name="night", **limit)).body
    file = {"params": {"name": "v2.bin"}, "data": io.BytesIO(b"firmware")}
    firmware = (await operator.ask("POST", "/firmware", **file)).body
    this, that = f"/stations/{station['id']}", f"/charging-profiles/{profile['id']}"
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    async with connected(hub, station) as client:
        await client.boot()
        client.replies["SendLocalList"] = call_result.SendLocalList("Accepted")
        client.replies["UpdateFirmware"] = call_result.UpdateFirmware()
        client.replies["GetDiagnostics"] = call_result.GetDiagnostics("log.txt")
        await ada.post(f"{this}/calls", action="ClearCache")
        await ada.post(f"{this}/local-list")
        await ada.post(f"{that}/apply", station_id=station["id"])
        await ada.post(f"{that}/clear", station_id=station["id"])
        await ada.post(f"{this}/firmware", firmware_id=firmware["id"])
        await ada.post(f"{this}/logs")
        place_kept = {"station_id": station["id"], "uid": "TAG1", "expires_at": soon}
        kept = (await ada.post("/reservations", **place_kept)).body
        await ada.post(f"/reservations/{kept['id']}/cancel")
        await ada.post(f"{this}/start", uid="TAG1")
        begun = datetime.now(UTC).isoformat()
        await client.ask(call.StartTransaction(1, "TAG1", 0, begun))
        [running] = (await ada.get("/transactions")).body["items"]
        await ada.post(f"/transactions/{running['id']}/stop")
        await ada.post(f"/transactions/{running['id']}/close")

    assert ada.done == listed("what stations are told")
