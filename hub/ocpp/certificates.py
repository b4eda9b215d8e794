"""Certificates of stations, and a small CA of the hub's own for tenants that have none (T-49).

Stations make their keys themselves: the hub signs requests and never sees a private key of theirs.
The common name must be the station's identity, or its serial number; the key must be strong. A
station is recognised by the fingerprint of its certificate, which its record names, so one of
somebody else's CA is worth nothing however valid it is.
"""

from asyncio import BaseTransport
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.models.ocpp import StationCertificate
from hub.models.stations import ChargingStation
from hub.ocpp.identity import Record
from hub.roaming.ports import StationRef
from hub.security import Keyring

CA_YEARS = 10
STATION_DAYS = 365
LEAST_RSA_BITS = 2048
LEAST_CURVE_BITS = 256
# A certificate is good a little earlier than now, for stations whose clocks are behind.
BACKDATED = timedelta(hours=1)
CERTIFICATE_HEADER = "X-Client-Cert"
VERIFIED_HEADER = "X-Client-Verify"


class BadRequest(Exception):
    """A signing request that must not be signed; the message says why."""


@dataclass(frozen=True)
class Request:
    csr: x509.CertificateSigningRequest
    common_name: str


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def fingerprint_of_peer(transport: BaseTransport) -> str | None:
    """Of the client certificate this TLS connection was made with; the handshake verified it."""
    tls: Any = transport.get_extra_info("ssl_object")
    der = tls.getpeercert(binary_form=True) if tls is not None else None
    return fingerprint(x509.load_der_x509_certificate(der)) if der else None


def fingerprint_from_proxy(headers: Mapping[str, str]) -> str | None:
    """Of the certificate a proxy of ours verified and passed on, as URL-encoded PEM."""
    if headers.get(VERIFIED_HEADER) != "SUCCESS":
        return None
    try:
        pem = unquote(headers.get(CERTIFICATE_HEADER, "")).encode()
        return fingerprint(x509.load_pem_x509_certificate(pem))
    except ValueError:
        return None


def read_request(pem: str, record: Record, *, serial_number: str | None = None) -> Request:
    """Check a request: its signature, its key, and that it is for this station and no other."""
    try:
        csr = x509.load_pem_x509_csr(pem.encode())
        key = csr.public_key()
    except (ValueError, TypeError) as error:
        raise BadRequest("not a certificate signing request") from error
    if not csr.is_signature_valid:
        raise BadRequest("the signature does not match")
    match key:
        case rsa.RSAPublicKey() if key.key_size >= LEAST_RSA_BITS:
            pass
        case ec.EllipticCurvePublicKey() if key.curve.key_size >= LEAST_CURVE_BITS:
            pass
        case _:
            raise BadRequest("the key is too weak or of an unknown kind")
    names = csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if len(names) == 1 else ""
    if name not in {record.identity, serial_number}:
        raise BadRequest("the common name is not this station's")
    return Request(csr, name)


async def issue(db: AsyncSession, keyring: Keyring, ref: StationRef, request: Request) -> str:
    """Sign a request with the tenant's CA and note it down; returns the chain as PEM.

    The station is known by the new certificate from now on, and by its old one until it has used
    the new one or the old one runs out: both are in ``station_certificates``.
    """
    authority_row, authority, key = await authority_of(db, keyring)
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(
            x509.Name(
                [
                    x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization(authority)),
                    x509.NameAttribute(NameOID.COMMON_NAME, request.common_name),
                ]
            )
        )
        .issuer_name(authority.subject)
        .public_key(request.csr.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=STATION_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = to_pem(certificate)
    db.add(
        StationCertificate(
            kind="STATION",
            charging_station_id=ref.id,
            issuer_id=authority_row.id,
            serial_number=f"{certificate.serial_number:x}",
            fingerprint=fingerprint(certificate),
            pem=pem,
            not_after=certificate.not_valid_after_utc,
        )
    )
    await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id == ref.id)
        .values(
            certificate_fingerprint=fingerprint(certificate),
            certificate_expires_at=certificate.not_valid_after_utc,
        )
    )
    await audit.record(
        db,
        "CONFIGURATION_CHANGED",
        "charging_station",
        ref.id,
        description="A certificate was issued to the station.",
        after={"certificate_fingerprint": fingerprint(certificate)},
    )
    return pem + authority_row.pem


def organization(authority: x509.Certificate) -> str:
    names = authority.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(names[0].value) if names else "Charging stations"


async def authority_of(
    db: AsyncSession, keyring: Keyring
) -> tuple[StationCertificate, x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The tenant's CA, made when first needed. Two who need it at once get the same one."""
    await db.execute(text("SELECT pg_advisory_xact_lock(hashtext('station ca'))"))
    row = await db.scalar(
        select(StationCertificate)
        .where(StationCertificate.kind == "CA", StationCertificate.revoked_at.is_(None))
        .order_by(StationCertificate.created_at.desc())
        .limit(1)
    )
    if row is None:
        row = new_authority(keyring)
        db.add(row)
        await db.flush()
    assert row.private_key is not None
    plain = keyring.decrypt(row.private_key, context=key_context(row.id))
    key = serialization.load_pem_private_key(plain.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return row, x509.load_pem_x509_certificate(row.pem.encode()), key


def key_context(row_id: UUID) -> str:
    return f"station_certificates.private_key.{row_id}"


def new_authority(keyring: Keyring) -> StationCertificate:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Charging stations"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Charging station CA"),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=365 * CA_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    row_id = uuid4()
    plain = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    return StationCertificate(
        id=row_id,
        kind="CA",
        serial_number=f"{certificate.serial_number:x}",
        fingerprint=fingerprint(certificate),
        pem=to_pem(certificate),
        private_key=keyring.encrypt(plain, context=key_context(row_id)),
        not_after=certificate.not_valid_after_utc,
    )


def to_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


async def revoked(db: AsyncSession, fingerprint_: str) -> bool:
    """Whether one of our own certificates was taken back or has run out."""
    row = await db.scalar(
        select(StationCertificate).where(StationCertificate.fingerprint == fingerprint_)
    )
    return row is not None and (row.revoked_at is not None or row.not_after <= datetime.now(UTC))


async def revoke(db: AsyncSession, ref: StationRef) -> int:
    """Take back all certificates of a station; its connection must then be closed."""
    rows = await db.execute(
        update(StationCertificate)
        .where(
            StationCertificate.charging_station_id == ref.id,
            StationCertificate.revoked_at.is_(None),
        )
        .values(revoked_at=datetime.now(UTC))
        .returning(StationCertificate.id)
    )
    count = len(rows.all())
    await audit.record(
        db, "SECURITY_EVENT", "charging_station", ref.id,
        description=f"{count} certificates of the station were revoked.", severity="HIGH",
    )  # fmt: skip
    return count
