"""Certificates of the hub's own CA over its TLS listener: renewed, taken back (T-49)."""

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from ocpp.v16 import call, call_result
from sqlalchemy import update

from hub.keys import KEYRING
from hub.models.certificates import StationCertificate
from hub.models.stations import ChargingStation
from hub.ocpp.identity import Record
from hub.ocpp.listener import LOOK_EVERY
from hub.ocpp.relay import Relay, hang_up
from hub.ocpp.service import STATIONS
from hub.ocpp.tls import certificates
from hub.ocpp.tls.authority import authority_of
from hub.ocpp.upkeep import Upkeep
from hub.roaming import rekeying
from hub.roaming.ports import StationRef
from hub.security import Keyring
from hub.security import new_key as new_hub_key
from tests.helpers.certificates import (
    SERVERS,
    Issued,
    authority,
    client_context,
    issue,
    new_key,
    signing_request,
)
from tests.helpers.charge_points import PASSWORD, basic
from tests.helpers.hub import RunningHub, free_port
from tests.helpers.tls import UPGRADE, asked, leaf_of
from tests.ocpp.conftest import CSMS


async def test_a_station_renews_its_certificate_and_the_old_one_ends_with_the_first_use(secured):
    """T-49: a lost answer locks nobody out; what is not used any more opens nothing."""
    made = await secured.csms.add_station(security_profile=2)
    first = await secured.renewed(made)
    await secured.pin(made, first)
    second = await secured.renewed(made, shown=first)

    assert await secured.outcome(made, first, password=None) == 200
    assert await secured.outcome(made, second, password=None) == 200
    assert await secured.outcome(made, first, password=None) == 401
    third = await secured.renewed(made, shown=second)
    assert await secured.outcome(made, third, password=None) == 200
    assert await secured.outcome(made, second, password=None) == 401


async def test_of_several_certificates_on_their_way_each_is_good_until_a_newer_one_is_used(secured):
    made = await secured.csms.add_station(security_profile=2)
    first = await secured.renewed(made)
    await secured.pin(made, first)
    second = await secured.renewed(made, shown=first)
    third = await secured.renewed(made, shown=first)

    assert await secured.outcome(made, second, password=None) == 200
    assert await secured.outcome(made, first, password=None) == 401
    assert await secured.outcome(made, third, password=None) == 200
    assert await secured.outcome(made, second, password=None) == 401


async def test_a_certificate_that_the_station_refused_opens_nothing(secured):
    made = await secured.csms.add_station(security_profile=2)
    first = await secured.renewed(made)
    await secured.pin(made, first)
    key = new_key()
    async with secured.connect(made, first) as station:
        station.replies["CertificateSigned"] = call_result.CertificateSigned("Rejected")
        await station.ask(call.SignCertificate(signing_request(made.identity, key)))
        _, payload = await asked(station)
        await station.ask(call.Heartbeat())
    refused = Issued(leaf_of(payload["certificate_chain"]), key)

    async with asyncio.timeout(5):
        while not await is_revoked(secured, refused):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await secured.outcome(made, refused, password=None) == 401
    assert await secured.outcome(made, first, password=None) == 200


async def is_revoked(secured, issued):
    async with secured.csms.transaction() as db:
        return await certificates.revoked(db, issued.fingerprint)


async def test_a_station_is_certified_by_the_serial_number_it_boots_with(secured):
    """OCPP 2.x wants the serial number as common name."""
    made = await secured.csms.add_station(security_profile=2, serial_number="SN-4711")
    key = new_key()
    async with secured.connect(made) as station:
        answer = await station.ask(call.SignCertificate(signing_request("SN-4711", key)))
        assert answer.status == "Accepted"
        answer = await station.ask(call.SignCertificate(signing_request("SN-4712", key)))
        assert answer.status == "Rejected"


async def test_a_revoked_certificate_ends_the_connection_and_opens_none_T_49(secured):
    made = await secured.csms.add_station(security_profile=2)
    own = await secured.renewed(made)
    await secured.pin(made, own)
    relay = Relay(secured.csms.wire)
    await relay.start()
    await relay.ready.wait()
    async with secured.connect(made, own, password=None) as station:
        await station.boot()
        async with secured.csms.transaction() as db:
            assert await certificates.revoke(db, made.ref) == 1
            await hang_up(db, made.ref)
        async with asyncio.timeout(5):
            while not station._connection.socket.closed:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    await relay.stop()

    assert await secured.outcome(made, own, password=None) == 401


async def test_who_goes_over_to_profile_3_comes_with_its_certificate_before_its_record_asks_for_it(
    secured,
):
    """T-49: it is told at the station first; what was revoked leaves it its password."""
    made = await secured.csms.add_station(security_profile=2)
    own = await secured.renewed(made)

    assert await secured.outcome(made, own, password=None) == 200
    async with secured.csms.transaction() as db:
        assert await certificates.revoke(db, made.ref) == 1
    assert await secured.outcome(made, own, password=None) == 401
    assert await secured.outcome(made, own, password=PASSWORD) == 200


async def test_a_certificate_of_ours_that_ran_out_opens_nothing_T_49(secured):
    made = await secured.csms.add_station(security_profile=2)
    own = await secured.renewed(made)
    await secured.pin(made, own)
    async with secured.csms.transaction() as db:
        await db.execute(
            update(StationCertificate)
            .where(StationCertificate.fingerprint == own.fingerprint)
            .values(not_after=own.certificate.not_valid_before_utc)
        )

    assert await secured.outcome(made, own, password=None) == 401


async def test_the_ca_of_one_tenant_says_nothing_about_stations_of_another_T_51(
    secured, make_tenant
):
    made = await secured.csms.add_station(security_profile=2)
    own = await secured.renewed(made)
    await secured.pin(made, own)
    other_tenant = await make_tenant()
    async with secured.csms.database.transaction(other_tenant.id) as db:
        theirs = ChargingStation(
            station_id=made.identity, ocpp_version="OCPP_1_6", security_profile=3
        )
        db.add(theirs)
        await db.flush()
        ref = StationRef(other_tenant.id, theirs.id)
        record = Record(ref, made.identity, ())
        key = new_key()
        wanted = certificates.read_request(signing_request(made.identity, key), record)
        chain = await certificates.issue(db, secured.csms.keyring, ref, wanted)
    foreign = Issued(leaf_of(chain), key)
    await secured.listener.look()

    async with secured.connect(made, foreign, password=None) as station:
        await station.boot()
        assert secured.csms.wire.registry.get(ref.id) is not None
        assert secured.csms.wire.registry.get(made.ref.id) is None
    async with secured.csms.transaction() as db:
        assert not await certificates.revoked(db, foreign.fingerprint)
    assert await secured.outcome(made, own, password=None) == 200


async def test_a_ca_of_the_hub_stays_readable_when_its_keys_are_changed(csms):
    old, new = new_hub_key(), new_hub_key()
    async with csms.transaction() as db:
        before = await authority_of(db, Keyring.from_text(old))
    both = Keyring.from_text(f"{new},{old}")
    async with csms.transaction() as db:
        assert await rekeying.rekey(db, both) == 1
    async with csms.transaction() as db:
        after = await authority_of(db, Keyring.from_text(new))

    assert after.certificate == before.certificate
    assert after.key.private_numbers() == before.key.private_numbers()


async def ends(secured, made, left):
    async with secured.csms.transaction() as db:
        await db.execute(
            update(ChargingStation)
            .where(ChargingStation.id == made.ref.id)
            .values(certificate_expires_at=datetime.now(UTC) + left)
        )


@pytest.mark.parametrize(
    ("version", "action", "message"),
    [
        ("1.6", "ExtendedTriggerMessage", "SignChargePointCertificate"),
        ("2.0.1", "TriggerMessage", "SignChargingStationCertificate"),
        ("2.1", "TriggerMessage", "SignChargingStationCertificate"),
    ],
)
async def test_a_station_whose_certificate_ends_soon_is_asked_for_a_new_one_once_T_49(
    secured, version, action, message
):
    names = {"1.6": "OCPP_1_6", "2.0.1": "OCPP_2_0_1", "2.1": "OCPP_2_1"}
    made = await secured.csms.add_station(names[version], security_profile=2)
    own = await secured.renewed(made, version=version)
    await secured.pin(made, own)
    upkeep = Upkeep(secured.csms.wire)
    async with secured.connect(made, own, password=None, version=version) as station:
        await upkeep.renew_certificates()
        await secured.csms.wire.background.close()
        assert station.asked == []
        await ends(secured, made, timedelta(days=29))
        for _ in range(2):
            await upkeep.renew_certificates()
            await secured.csms.wire.background.close()

    assert station.asked == [(action, {"requested_message": message})]


async def test_who_does_not_depend_on_a_certificate_is_not_asked_for_one(secured):
    made = await secured.csms.add_station(security_profile=2)
    own = await secured.renewed(made)
    await ends(secured, made, timedelta(days=1))
    async with secured.connect(made, own) as station:
        await Upkeep(secured.csms.wire).renew_certificates()
        await secured.csms.wire.background.close()
        await station.boot()
        assert station.asked == []


async def test_a_station_that_answers_nothing_is_cut_off_all_the_same_T_49(secured):
    """Neither the message at work nor its silence keeps a revoked station connected."""
    made = await secured.csms.add_station(security_profile=2)
    own = await secured.renewed(made)
    await secured.pin(made, own)
    wire, begun = secured.csms.wire, asyncio.Event()

    async def never(*_):
        begun.set()
        await asyncio.Event().wait()

    wire.vendors = {"slow": never}
    async with secured.csms.session.ws_connect(
        secured.url(f"/ocpp/{made.identity}"),
        protocols=["ocpp1.6"],
        ssl=client_context(secured.root.pem, secured.folder, own),
        autoclose=False,
    ) as connection:
        await connection.send_str('[2,"1","DataTransfer",{"vendorId":"slow"}]')
        await begun.wait()
        wire.registry.hang_up(made.ref.id)
        async with asyncio.timeout(5):
            while wire.registry.get(made.ref.id) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


@pytest.fixture
async def listening(postgres, data_dir, tenant, tmp_path):
    """A whole hub with a TLS listener, whose certificate is signed by ``root``."""
    root = authority("Root of the server")
    server = issue("localhost", root, usage=SERVERS, names=["localhost"])
    certificate, private_key = server.write(tmp_path, "server")
    hub = RunningHub(
        postgres.url,
        data_dir,
        tenant.id,
        ocpp_tls_host="127.0.0.1",
        ocpp_tls_port=free_port(),
        ocpp_tls_certificate=certificate,
        ocpp_tls_key=private_key,
    )
    await hub.start()
    csms = CSMS(hub.database, tenant)
    csms.keyring = hub.app[KEYRING]
    hub.root, hub.server, hub.csms = root, server, csms
    yield hub
    await hub.stop()


@asynccontextmanager
async def connection(hub, made, context):
    """A socket of a station that has nothing but its certificate."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"https://localhost:{hub.settings.ocpp_tls_port}/ocpp/{made.identity}",
            protocols=["ocpp1.6"],
            ssl=context,
        ) as socket,
    ):
        yield socket


async def lets_in(hub, made, context):
    try:
        async with connection(hub, made, context) as socket:
            return not socket.closed
    except aiohttp.ClientError:
        return False


async def test_the_first_certificate_of_a_tenant_opens_the_door_at_once(listening, tmp_path):
    """The CA was made a moment ago, maybe by another process: whoever listens is told."""
    hub = listening
    made = await hub.csms.add_station(security_profile=3)
    await hub.app[STATIONS].relay.ready.wait()
    key = new_key()
    wanted = certificates.Request(key.public_key(), made.identity)
    async with hub.csms.transaction() as db:
        chain = await certificates.issue(db, hub.csms.keyring, made.ref, wanted)
    context = client_context(hub.root.pem, tmp_path, Issued(leaf_of(chain), key))

    # Well before anybody looks by the clock.
    async with asyncio.timeout(LOOK_EVERY / 2):
        while not await lets_in(hub, made, context):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_hub_that_stops_sends_stations_away_over_tls_too(listening):
    made = await listening.csms.add_station(security_profile=2)
    async with aiohttp.ClientSession() as session:
        station = await session.ws_connect(
            f"https://localhost:{listening.settings.ocpp_tls_port}/ocpp/{made.identity}",
            protocols=["ocpp1.6"],
            headers=basic(made.identity, PASSWORD),
            ssl=client_context(listening.root.pem),
        )
        stopping = asyncio.create_task(listening.stop())
        message = await station.receive(timeout=10)
        await stopping

    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.GOING_AWAY)


async def test_the_end_of_the_listeners_certificate_is_measured(listening):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{listening.url}/metrics") as response,
    ):
        lines = (await response.text()).splitlines()
    name = "ocpi_hub_ocpp_tls_certificate_end_timestamp_seconds"
    [told] = [line for line in lines if line.startswith(f"{name} ")]

    assert float(told.split()[1]) == listening.server.certificate.not_valid_after_utc.timestamp()


def resumed(secured, made, context, session=None):
    """The status a station gets, with the session it had before: (status, whether it was, session).

    TLS 1.2, for there the session is known before anything was said.
    """
    lines = [f"GET /ocpp/{made.identity} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in UPGRADE.items()]
    address = ("127.0.0.1", secured.settings.ocpp_tls_port)
    with (
        socket.create_connection(address, timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as tls,
    ):
        tls.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(tls.recv(12).split()[1]), tls.session_reused, tls.session


async def test_a_resumed_session_is_no_way_around_a_revoked_certificate_T_49(secured):
    made = await secured.csms.add_station(security_profile=2)
    own = await secured.renewed(made)
    await secured.pin(made, own)
    context = client_context(secured.root.pem, secured.folder, own)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    status, _, session = await asyncio.to_thread(resumed, secured, made, context)
    again, was_resumed, session = await asyncio.to_thread(resumed, secured, made, context, session)
    async with secured.csms.transaction() as db:
        await certificates.revoke(db, made.ref)
    after, still_resumed, _ = await asyncio.to_thread(resumed, secured, made, context, session)

    assert (status, again, after) == (101, 101, 401)
    assert was_resumed
    assert still_resumed
