"""Certificates of stations (T-49).

Stations make their keys themselves: the hub signs requests and never sees a private key of theirs.
The common name must be the station's identity, or its serial number; the key must be strong. A
station is recognised by the fingerprint of its certificate, which its record names, so one of
somebody else's CA is worth nothing however valid it is.

While a new certificate is on its way to a station, its old one is good as well: what is lost on the
way locks nobody out. The first connection with the new one ends that.
"""

from asyncio import BaseTransport
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.models.certificates import StationCertificate
from hub.models.stations import ChargingStation, StationConfiguration
from hub.ocpp.identity import NEXT_CERTIFICATES, Record
from hub.ocpp.tls.authority import PublicKey, authority_of, fingerprint, to_pem
from hub.roaming.ports import StationRef
from hub.security import Keyring

STATION_DAYS = 365
LEAST_RSA_BITS = 2048
LEAST_CURVE_BITS = 256
# How many that a station has asked for and not yet used are good: its answer may get lost as well.
ON_THEIR_WAY = 3
CERTIFICATE_HEADER = "X-Client-Cert"
VERIFIED_HEADER = "X-Client-Verify"


class BadRequest(Exception):
    """A signing request that must not be signed; the message says why."""


@dataclass(frozen=True)
class Request:
    key: PublicKey
    common_name: str


def fingerprint_of_peer(transport: BaseTransport) -> str | None:
    """Of the client certificate this TLS connection was made with; the handshake verified it.

    But not again when a session was resumed: whether it has run out meanwhile is looked at here.
    """
    tls: Any = transport.get_extra_info("ssl_object")
    der = tls.getpeercert(binary_form=True) if tls is not None else None
    if not der:
        return None
    certificate = x509.load_der_x509_certificate(der)
    return fingerprint(certificate) if certificate.not_valid_after_utc > datetime.now(UTC) else None


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
    if not isinstance(key, PublicKey) or not is_strong(key):
        raise BadRequest("the key is too weak or of an unknown kind")
    names = csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if len(names) == 1 else ""
    if name not in {record.identity, serial_number}:
        raise BadRequest("the common name is not this station's")
    return Request(key, name)


def is_strong(key: PublicKey) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= LEAST_RSA_BITS
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key.curve.key_size >= LEAST_CURVE_BITS


async def serial_number_of(db: AsyncSession, ref: StationRef) -> str | None:
    """As the station told it when it booted."""
    found: str | None = await db.scalar(
        select(ChargingStation.serial_number).where(ChargingStation.id == ref.id)
    )
    return found


async def issue(db: AsyncSession, keyring: Keyring, ref: StationRef, request: Request) -> str:
    """Sign a request with the tenant's CA and note it down; returns the chain as PEM.

    The station may use the new certificate from now on, and its old one until it does.
    """
    authority = await authority_of(db, keyring)
    certificate = authority.sign_station(request.common_name, request.key, STATION_DAYS)
    pem, shown = to_pem(certificate), fingerprint(certificate)
    db.add(
        StationCertificate(
            kind="STATION",
            charging_station_id=ref.id,
            issuer_id=authority.row.id,
            serial_number=f"{certificate.serial_number:x}",
            fingerprint=shown,
            pem=pem,
            not_after=certificate.not_valid_after_utc,
        )
    )
    station = await locked(db, ref)
    if station.certificate_fingerprint is None:
        station.certificate_fingerprint = shown
        station.certificate_expires_at = certificate.not_valid_after_utc
    else:
        expect(station, [*expected(station), shown][-ON_THEIR_WAY:])
    await audit.record(
        db,
        "CONFIGURATION_CHANGED",
        "charging_station",
        ref.id,
        description="A certificate was issued to the station.",
        after={"certificate_fingerprint": shown},
    )
    return pem + authority.row.pem


async def locked(db: AsyncSession, ref: StationRef) -> ChargingStation:
    return await db.get_one(ChargingStation, (ref.tenant_id, ref.id), with_for_update=True)


def expected(station: ChargingStation) -> list[str]:
    """Fingerprints of what it was given and has not shown yet, oldest first."""
    security = (station.configuration or {}).get("security") or {}
    return list(security.get(NEXT_CERTIFICATES) or [])


def expect(station: ChargingStation, fingerprints: list[str]) -> None:
    configuration = station.configuration or StationConfiguration()
    security = {**(configuration.get("security") or {})}
    security.pop(NEXT_CERTIFICATES, None)
    if fingerprints:
        security[NEXT_CERTIFICATES] = fingerprints
    station.configuration = {**configuration, "security": security}


async def used(db: AsyncSession, ref: StationRef, shown: str) -> None:
    """The station has shown a certificate that was on its way: what it had before is taken back,
    and what was signed earlier and never shown.
    """
    station = await locked(db, ref)
    waiting = expected(station)
    if shown not in waiting:
        return
    newer = waiting[waiting.index(shown) + 1 :]
    row = await db.scalar(select(StationCertificate).where(StationCertificate.fingerprint == shown))
    station.certificate_fingerprint = shown
    station.certificate_expires_at = row.not_after if row is not None else None
    expect(station, newer)
    await take_back(db, ref, StationCertificate.fingerprint.not_in([shown, *newer]))
    await audit.record(db, "CONFIGURATION_CHANGED", "charging_station", ref.id,
                       description="The station uses its new certificate.",
                       after={"certificate_fingerprint": shown})  # fmt: skip


async def refused(db: AsyncSession, ref: StationRef, pem: str) -> None:
    """The station does not want the certificate that it was just given: it is worth nothing."""
    shown = fingerprint(x509.load_pem_x509_certificate(pem.encode()))
    station = await locked(db, ref)
    expect(station, [one for one in expected(station) if one != shown])
    await take_back(db, ref, StationCertificate.fingerprint == shown)


async def revoked(db: AsyncSession, shown: str) -> bool:
    """Whether one of our own certificates was taken back or has run out."""
    row = await db.scalar(select(StationCertificate).where(StationCertificate.fingerprint == shown))
    return row is not None and (row.revoked_at is not None or row.not_after <= datetime.now(UTC))


async def are_there(db: AsyncSession, station: ChargingStation) -> bool:
    """Whether any of its certificates would let it in."""
    for shown in (station.certificate_fingerprint, *expected(station)):
        if shown is not None and not await revoked(db, shown):
            return True
    return False


async def revoke(db: AsyncSession, ref: StationRef) -> int:
    """Take back all certificates of a station; its connection must then be closed."""
    count = await take_back(db, ref)
    await audit.record(
        db, "SECURITY_EVENT", "charging_station", ref.id,
        description=f"{count} certificates of the station were revoked.", severity="HIGH",
    )  # fmt: skip
    return count


async def take_back(db: AsyncSession, ref: StationRef, *which: Any) -> int:
    rows = await db.execute(
        update(StationCertificate)
        .where(
            StationCertificate.charging_station_id == ref.id,
            StationCertificate.revoked_at.is_(None),
            *which,
        )
        .values(revoked_at=datetime.now(UTC))
        .returning(StationCertificate.id)
    )
    return len(rows.all())
