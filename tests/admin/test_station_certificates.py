"""Certificates of stations at the operator's desk: signed, looked at, taken back (T-49)."""

import pytest
from cryptography import x509

from tests.helpers.certificates import signing_request
from tests.helpers.stations import add, connected
from tests.helpers.waiting import until


@pytest.fixture
async def station(operator):
    return await add(operator)


async def sign(operator, station, csr):
    return await operator.post(f"/stations/{station['id']}/certificates", csr=csr)


async def test_a_request_that_was_brought_by_hand_is_signed(operator, station):
    authority = (await operator.get("/certificate-authority")).body
    signed = await sign(operator, station, signing_request("CP-1"))
    [kept] = (await operator.get(f"/stations/{station['id']}/certificates")).body["items"]
    shown = (await operator.get(f"/stations/{station['id']}")).body

    leaf, issuer = x509.load_pem_x509_certificates(signed.body["chain"].encode())
    leaf.verify_directly_issued_by(issuer)
    assert signed.body["chain"].endswith(authority["pem"])
    assert shown["certificate_fingerprint"] == kept["fingerprint"]
    assert "PRIVATE KEY" not in str(authority) + str(signed.body) + str(kept)


@pytest.mark.parametrize("csr", ["nothing of the kind", signing_request("CP-2")])
async def test_what_is_not_its_own_is_not_signed(operator, station, csr):
    said = await sign(operator, station, csr)

    assert (said.status, said.error["field"]) == (400, "csr")
    assert (await operator.get(f"/stations/{station['id']}/certificates")).body["items"] == []


async def test_what_was_taken_back_opens_nothing(hub, operator, station):
    path = f"/stations/{station['id']}/certificates/revoke"
    none = await operator.post(path)
    await sign(operator, station, signing_request("CP-1"))
    async with connected(hub, station) as client:
        await client.boot()
        revoked = await operator.post(path)
        await until(lambda: client.socket.closed)

    [kept] = (await operator.get(f"/stations/{station['id']}/certificates")).body["items"]
    assert (none.status, revoked.body) == (409, {"revoked": 1})
    assert kept["revoked_at"] is not None
    security = (await operator.get("/audit", action="SECURITY_EVENT")).body["items"]
    assert len(security) == 1


async def test_profile_3_wants_a_certificate_first(operator, station):
    """Else nothing would let it in any more, and nobody would have said so."""
    path = f"/stations/{station['id']}"
    early = await operator.patch(path, security_profile=3)
    await sign(operator, station, signing_request("CP-1"))
    ready = await operator.patch(path, security_profile=3)
    await operator.patch(path, security_profile=2)
    await operator.post(f"{path}/certificates/revoke")
    late = await operator.patch(path, security_profile=3)

    assert [early.status, ready.status, late.status] == [409, 200, 409]
    assert early.error["next"] == "hub certificate renew CP-1"


async def test_a_fingerprint_may_be_written_as_openssl_writes_it(operator, station):
    path = f"/stations/{station['id']}"
    changed = await operator.patch(path, certificate_fingerprint=":".join(["AB"] * 32))
    short = await operator.patch(path, certificate_fingerprint=":".join(["AB"] * 31))

    assert changed.body["certificate_fingerprint"] == "ab" * 32
    assert short.error["field"] == "certificate_fingerprint"
