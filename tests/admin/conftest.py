"""A running hub, and operators of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from uuid import UUID

import pytest

from hub.models.commands import Command
from hub.models.feed import QuarantinedObject, Setback
from hub.models.operating import ChargingProfileTemplate, StationFile
from hub.models.partners import HandshakeTrace
from hub.models.tenants import Tenant
from hub.models.transactions import Reservation, StationTransaction
from tests.e2e.conftest import hub, hub_settings
from tests.helpers.hub import RunningHub
from tests.helpers.operator import Operator, api_key, every_permission
from tests.helpers.partner import FakePartner
from tests.helpers.rows import add_row

__all__ = ["hub", "hub_settings"]

MakeOperator = Callable[..., Awaitable[Operator]]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def make_operator(hub: RunningHub, tenant: Tenant, stack: AsyncExitStack) -> MakeOperator:
    """Somebody with exactly these permissions, in this test's tenant unless told otherwise."""

    async def make(*permissions: str, of: Tenant = tenant, acting_in: str = "", **columns):
        key = await api_key(hub, set(permissions), of.id, **columns)
        return await stack.enter_async_context(Operator(hub, key, tenant=acting_in))

    return make


@pytest.fixture
async def operator(hub: RunningHub, make_operator: MakeOperator) -> Operator:
    """Somebody who may do everything there is to do in the tenant."""
    return await make_operator(*await every_permission(hub.database))


@pytest.fixture
async def cpo(hub: RunningHub, stack: AsyncExitStack) -> FakePartner:
    """NL*ONE, a CPO, registered."""
    partner = await stack.enter_async_context(FakePartner("NL*ONE CPO", name="One"))
    partner.id = str(await hub.connect(partner))
    return partner


@pytest.fixture
async def emsp(hub: RunningHub, stack: AsyncExitStack) -> FakePartner:
    """DE*TWO, an eMSP, registered."""
    partner = await stack.enter_async_context(FakePartner("DE*TWO EMSP", name="Two"))
    partner.id = str(await hub.connect(partner))
    return partner


@pytest.fixture
async def things(
    hub: RunningHub, cpo: FakePartner, operator: Operator, tenant: Tenant
) -> dict[str, str]:
    """One of everything the tenant can have, by the first part of the path."""
    async with hub.database.transaction(tenant.id) as db:
        setback = Setback(
            partner_id=cpo.id,
            party="NL*ONE",
            module="tokens",
            object_ref="DE/TWO/X/RFID",
            reason="No",
        )
        bad = QuarantinedObject(
            partner_id=cpo.id,
            module="locations",
            kind="Location",
            ocpi_version="2.2.1",
            source="push",
            body="{}",
            errors=[],
        )
        db.add_all([setback, bad, HandshakeTrace(partner_id=cpo.id, kind="join", outcome="DONE")])
    user = await operator.post("/users", email="a@example.com")
    role = await operator.post("/roles", name="Readers", permissions=["partners.read"])
    key = await operator.post("/keys", name="Key", permissions=["partners.read"])
    agreement = await operator.post("/agreements", effect="BLOCK")
    station = (await operator.post("/stations", station_id="CP-1")).body["station"]
    token = await operator.post("/tokens", uid="TAG1")
    async with hub.database.transaction(tenant.id) as db:
        running = StationTransaction(
            charging_station_id=UUID(station["id"]), transaction_id="1", session_id="S1"
        )
        reservation = Reservation(
            country_code="NL",
            party_id="OWN",
            reservation_id="R1",
            reservation_key="R1",
            charging_station_id=UUID(station["id"]),
            token={"uid": "TAG1"},
            id_tag="TAG1",
            session_id="S2",
            expires_at=datetime.now(UTC),
        )
        asked = await add_row(db, Command.__table__)
        firmware = StationFile(kind="FIRMWARE", name="v2.bin", size=1, sha256="00")
        profile = ChargingProfileTemplate(
            name="night",
            purpose="TX_DEFAULT",
            kind="RELATIVE",
            charging_rate_unit="W",
            periods=[{"start_period": 0, "limit": 1}],
        )
        db.add_all([running, reservation, firmware, profile])
    return {
        "firmware": str(firmware.id),
        "charging-profiles": str(profile.id),
        "stations": station["id"],
        "tokens": token.body["id"],
        "transactions": str(running.id),
        "reservations": str(reservation.id),
        "commands": str(asked["id"]),
        "partners": cpo.id,
        "feed": cpo.id,
        "setbacks": str(setback.id),
        "quarantine": str(bad.id),
        "users": user.body["id"],
        "roles": role.body["id"],
        "keys": key.body["id"],
        "agreements": agreement.body["id"],
        "tenants": str(tenant.id),
    }
