"""A CSMS side with a real database, and stations that are real OCPP clients on real sockets."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import insert, select

from hub import codec
from hub.keys import KEYRING
from hub.models.charging import AuthToken
from hub.models.objects import CDR, Location, Session, Tariff
from hub.models.ocpp import StationEVSE
from hub.models.stations import ChargingStation, Connector
from hub.models.transactions import StationTransaction
from hub.models.values import Party
from hub.ocpp.relay import Relay
from hub.ocpp.server import make_ocpp
from hub.ocpp.stations import Stations
from hub.ocpp.wire import Wire
from hub.roaming.modules import LOCATIONS, TARIFFS, TOKENS
from hub.roaming.ports import StationRef
from hub.roaming.stations import own_evses
from hub.roaming.store import objects
from hub.roaming.store.writes import Write
from hub.security import Keyring, new_key
from tests.e2e.conftest import hub, hub_settings
from tests.helpers.certificates import authority
from tests.helpers.charge_points import CLIENTS, PASSWORD, Socket, basic
from tests.helpers.tls import Secured

__all__ = ["hub", "hub_settings"]

OWNER = Party("NL", "OWN")
LOCATION = {
    "country_code": "NL",
    "party_id": "OWN",
    "id": "LOC1",
    "publish": True,
    "name": "Car park",
    "address": "Kerkstraat 1",
    "city": "Gent",
    "country": "BEL",
    "coordinates": {"latitude": "51.047599", "longitude": "3.729944"},
    "time_zone": "Europe/Brussels",
    "last_updated": "2026-01-01T00:00:00Z",
}
TARIFF = {
    "country_code": "NL",
    "party_id": "OWN",
    "id": "T1",
    "currency": "EUR",
    "tax_included": "NO",
    "elements": [{"price_components": [{"type": "ENERGY", "price": 0.25, "step_size": 1}]}],
    "last_updated": "2026-01-01T00:00:00Z",
}


@dataclass
class Made:
    """A station's record as a test made it."""

    ref: StationRef
    identity: str
    evse_uids: dict[int, str] = field(default_factory=dict)


class CSMS:
    """The hub's side of OCPP, served on a real port."""

    def __init__(self, database, tenant):
        self.database = database
        self.tenant = tenant
        self.keyring = Keyring.from_text(new_key())
        self.wire = Wire(database, self.keyring, provisioning=False)
        # Each reading is seen in the session at once.
        self.wire.policy = replace(self.wire.policy, show_every=timedelta(0))
        self.plain = make_ocpp(self.wire)
        self.moved = []
        self.wire.on_change = lambda tenant_id, moved: self.moved.extend(moved)
        self.server = None
        self.session = None

    def transaction(self):
        return self.database.transaction(self.tenant.id)

    @asynccontextmanager
    async def another_process(self, **options):
        """A second process of the hub, as far as stations go: no socket, the same database."""
        wire = Wire(self.database, self.keyring)
        here, there = Relay(self.wire), Relay(wire, **options)
        await here.start()
        await there.start()
        await asyncio.gather(here.ready.wait(), there.ready.wait())
        try:
            yield Stations(wire, there)
        finally:
            await here.stop()
            await there.stop()

    async def add_station(self, version="OCPP_1_6", *, identity=None, evses=1, placed=True, **more):
        """A station with ``evses`` EVSEs of one described connector each, at a location."""
        identity = identity or f"CP-{uuid4().hex[:10]}"
        async with self.transaction() as db:
            location_id = await db.scalar(select(Location.id).where(Location.object_id == "LOC1"))
            if location_id is None:
                await objects.apply(
                    db,
                    [
                        Write(LOCATIONS, "PUT", OWNER, "LOC1", dict(LOCATION)),
                        Write(TARIFFS, "PUT", OWNER, "T1", dict(TARIFF)),
                    ],
                )
                location_id = await db.scalar(select(Location.id))
            tariff_id = await db.scalar(select(Tariff.id))
            station = ChargingStation(
                station_id=identity,
                ocpp_version=version,
                location_id=location_id if placed else None,
                password_digest=self.keyring.digest(PASSWORD),
                **more,
            )
            db.add(station)
            await db.flush()
            made = Made(StationRef(self.tenant.id, station.id), identity)
            for number in range(1, evses + 1):
                uid = made.evse_uids[number] = str(uuid4())
                db.add(
                    StationEVSE(
                        charging_station_id=station.id,
                        evse_number=number,
                        evse_uid=uid,
                        evse_id=f"NL*OWN*E{number}",
                        published=True,
                    )
                )
                db.add(
                    Connector(
                        charging_station_id=station.id,
                        evse_number=number,
                        connector_id=1,
                        connector_type="IEC_62196_T2",
                        max_power=22_000,
                        max_current=32,
                        voltage=230,
                        number_of_phases=3,
                        tariff_id=tariff_id,
                    )
                )
        async with self.transaction() as db:
            await own_evses.publish(db, made.ref)
        return made

    async def add_own_token(self, uid, **more):
        async with self.transaction() as db:
            await db.execute(
                insert(AuthToken).values(token_type="RFID_ISO14443", token_value=uid, **more)
            )

    async def add_token(self, uid, *, whitelist="ALWAYS", valid=True, kind="RFID", **more):
        """A token of the eMSP BE*MSP."""
        document = {
            "country_code": "BE",
            "party_id": "MSP",
            "uid": uid,
            "type": kind,
            "contract_id": f"C-{uid}"[:36],
            "issuer": "MSP",
            "valid": valid,
            "whitelist": whitelist,
            "last_updated": "2026-01-01T00:00:00Z",
            **more,
        }
        write = Write(TOKENS, "PUT", Party("BE", "MSP"), uid, document, token_type=kind)
        async with self.transaction() as db:
            await objects.apply(db, [write])

    def headers(self, made, password=PASSWORD):
        return basic(made.identity, password)

    def url(self, path):
        return self.server.make_url(f"/ocpp/{path}")

    @asynccontextmanager
    async def connect(self, made, version="1.6", *, password=PASSWORD, url=None):
        """A station of the ``ocpp`` library, connected; it answers what it is asked."""
        async with self.session.ws_connect(
            url or self.url(made.identity),
            protocols=[f"ocpp{version}"],
            headers=basic(made.identity, password),
            compress=15 if version != "1.6" else 0,
        ) as socket:
            client = CLIENTS[version](made.identity, Socket(socket))
            async with client.running():
                yield client

    async def documents(self, table):
        async with self.transaction() as db:
            rows = await db.scalars(select(table).order_by(table.page_seq))
            return [objects_document(row) for row in rows]

    async def sessions(self):
        return await self.documents(Session)

    async def cdrs(self):
        return await self.documents(CDR)

    async def shown(self, made, number, status):
        """Wait until OCPI shows this status of the EVSE; flapping ones are merged for a while."""
        async with asyncio.timeout(10):
            while await self.status_of(made, number) != status:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def status_of(self, made, number):
        async with self.transaction() as db:
            return (await own_evses.shown_evse(db, made.evse_uids[number]))["status"]

    async def transactions(self, made):
        async with self.transaction() as db:
            rows = await db.scalars(
                select(StationTransaction)
                .where(StationTransaction.charging_station_id == made.ref.id)
                .order_by(StationTransaction.number)
            )
            return list(rows)


def objects_document(row):
    return codec.read_stored(row.document)


@pytest.fixture
async def csms(database, tenant, aiohttp_server):
    csms = CSMS(database, tenant)
    app = web.Application()
    app.add_subapp("/ocpp", csms.plain)
    csms.server = await aiohttp_server(app)
    async with aiohttp.ClientSession() as csms.session:
        yield csms
        await csms.wire.close()


@pytest.fixture
async def able(csms):
    """What the hub may ask of stations, in the process that holds their sockets."""
    return Stations(csms.wire, Relay(csms.wire))


@pytest.fixture
async def own(csms, hub):
    """The stations' side of the running hub, in place of the one that ``csms`` serves."""
    csms.keyring = hub.app[KEYRING]
    csms.url = lambda path: f"{hub.url}/ocpp/{path}"
    return csms


@pytest.fixture(scope="session")
def operators():
    """The CA of the operator's own PKI."""
    return authority("Operator's CA")


@pytest.fixture
async def secured(csms, tmp_path, operators):
    """The TLS listener beside the plain one."""
    secured = Secured(csms, tmp_path, operators)
    await secured.listener.start()
    yield secured
    await csms.wire.registry.close()
    await secured.listener.stop()
