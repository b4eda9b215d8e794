"""Certificates of the hub's own CA over its TLS listener: renewed, taken back (T-49)."""

import asyncio

from ocpp.v16 import call, call_result
from sqlalchemy import update

from hub.models.ocpp import StationCertificate
from hub.models.stations import ChargingStation
from hub.ocpp import certificates
from hub.ocpp.identity import Record
from hub.ocpp.relay import Relay, hang_up
from hub.roaming.ports import StationRef
from tests.helpers.certificates import Issued, new_key, signing_request
from tests.helpers.tls import asked, leaf_of


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
