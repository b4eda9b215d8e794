"""Certificates: signed only for whom they are, and worth something only while they hold (T-49)."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from urllib.parse import quote

import pytest
from aiohttp import WSServerHandshakeError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from ocpp.v16 import call
from sqlalchemy import select, update

from hub.models.certificates import StationCertificate
from hub.ocpp.server import PROXIES
from hub.ocpp.tls import certificates
from tests.helpers.certificates import signing_request
from tests.helpers.charge_points import basic


async def certified(csms, made):
    """The chain the station got for its request."""
    async with csms.connect(made) as station:
        answer = await station.ask(call.SignCertificate(signing_request(made.identity)))
        assert answer.status == "Accepted"
        while not station.asked:
            await station.ask(call.Heartbeat())
    [(action, payload)] = station.asked
    assert action == "CertificateSigned"
    return payload["certificate_chain"]


async def test_a_station_gets_a_certificate_for_its_own_key(csms):
    made = await csms.add_station()
    chain = await certified(csms, made)

    leaf, authority = x509.load_pem_x509_certificates(chain.encode())
    leaf.verify_directly_issued_by(authority)
    [name] = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == made.identity
    assert leaf.not_valid_after_utc < datetime.now(UTC) + timedelta(days=400)
    async with csms.transaction() as db:
        rows = (await db.scalars(select(StationCertificate))).all()
    assert {row.kind for row in rows} == {"CA", "STATION"}
    assert all(row.private_key is None or b"PRIVATE" not in row.private_key for row in rows)


@pytest.mark.parametrize(
    "csr",
    [
        "no request at all",
        signing_request("another-station"),
        signing_request("CP", rsa.generate_private_key(public_exponent=65537, key_size=1024)),
    ],
)
async def test_requests_that_must_not_be_signed_are_rejected(csms, csr):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        answer = await station.ask(call.SignCertificate(csr))
    assert answer.status == "Rejected"
    async with csms.transaction() as db:
        assert await db.scalar(select(StationCertificate)) is None


async def connects(csms, made, chain, *, verified="SUCCESS", trusted=True):
    """Whether a proxy's word about this certificate lets the station in."""
    app = csms.server.app._subapps[0]
    app[PROXIES][:] = [ip_network("127.0.0.0/8")] if trusted else []
    headers = {
        **basic(made.identity, "no-password-at-all"),
        "X-Forwarded-Proto": "https",
        "X-Client-Verify": verified,
        "X-Client-Cert": quote(chain),
    }
    try:
        async with csms.session.ws_connect(
            csms.url(made.identity), protocols=["ocpp1.6"], headers=headers
        ):
            return True
    except WSServerHandshakeError as error:
        return error.status != 401


async def test_profile_3_lets_in_who_has_the_certificate_and_nobody_else(csms):
    made = await csms.add_station()
    other = await csms.add_station()
    chain, foreign = await certified(csms, made), await certified(csms, other)
    leaf = chain.split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    async with csms.transaction() as db:
        await db.execute(
            update(certificates.ChargingStation)
            .where(certificates.ChargingStation.id == made.ref.id)
            .values(security_profile=3)
        )

    assert await connects(csms, made, leaf)
    assert not await connects(csms, made, foreign)
    assert not await connects(csms, made, "rubbish")
    assert not await connects(csms, made, leaf, verified="FAILED")
    assert not await connects(csms, made, leaf, trusted=False)
    async with csms.transaction() as db:
        assert await certificates.revoke(db, made.ref) == 1
    assert not await connects(csms, made, leaf)
