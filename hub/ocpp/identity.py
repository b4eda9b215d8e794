"""Which station is calling, decided before the WebSocket is opened (T-44 to T-49).

Every CSMS of the 2026 advisories let unknown stations in. Here nobody is created by calling, and an
unknown identity is answered like a wrong password: with the same words, after the same work.

A password is kept as one keyed digest and accepted in every form the field has for it: as the text
the operator gave, as the bytes whose hexadecimal form that is (J1.6 6.2.2), and as the hexadecimal
form of it. While a new password is being handed out, both are good until the new one is first used.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.stations import ChargingStation
from hub.models.tenants import Tenant
from hub.ocpp.conversation.frames import OCPPVersion
from hub.roaming.ports import StationRef
from hub.security import Keyring

# identifierString of OCPP 2.0.1 part 4, and what stations of 1.6 have besides.
IDENTITY = re.compile(r"[A-Za-z0-9*\-_=|.@+]{1,48}")
LONGEST_PASSWORD = 128
NOBODY = bytes(32)
# Records that the same secret opens: more than one is one too many, how many does not matter.
AMBIGUOUS = 2

# Security profiles from which on a connection must be encrypted, and show a certificate.
ENCRYPTED = 2
CERTIFICATE = 3

VERSIONS = {
    "OCPP_1_6": OCPPVersion.V16,
    "OCPP_2_0_1": OCPPVersion.V201,
    "OCPP_2_1": OCPPVersion.V21,
}

# Where a record keeps the fingerprints of certificates that are on their way to the station.
NEXT_CERTIFICATES = "next_certificates"

# The other way round: how the tables name a version.
NAMES = {version: name for name, version in VERSIONS.items()}


@dataclass(frozen=True)
class Record:
    """A station's record, as far as its connection is concerned."""

    ref: StationRef
    identity: str
    versions: tuple[OCPPVersion, ...]
    security_profile: int = 1
    status: str = "ACTIVE"
    strict: bool = False
    answers_pings: bool = True
    password_digest: bytes | None = field(default=None, repr=False)
    next_password_digest: bytes | None = field(default=None, repr=False)
    certificate_fingerprint: str | None = None
    next_certificates: tuple[str, ...] = ()
    # How far its clock was ahead of ours when that was last known.
    clock_offset: timedelta | None = None


@dataclass(frozen=True)
class Caller:
    """What a connecting station shows of itself."""

    identity: str
    tenant: str | None = None
    password: bytes | None = field(default=None, repr=False)
    encrypted: bool = False
    # SHA-256 of a client certificate that was verified, here or by the proxy in front.
    fingerprint: str | None = None


def readable(identity: str) -> bool:
    """Whether a decoded path segment can be an identity at all; nothing else is ever looked up."""
    return IDENTITY.fullmatch(identity) is not None and identity not in {".", ".."}


def basic_password(header: str | None, identity: str) -> bytes | None:
    """The password of a Basic header, as bytes: it need not be text. None unless it is for us.

    The user name must be the identity; the password may itself contain colons and binary zeros.
    """
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    name, colon, password = decoded.partition(b":")
    if not colon or not hmac.compare_digest(name, identity.encode()):
        return None
    return password if 0 < len(password) <= LONGEST_PASSWORD else None


UNKNOWN = Record(StationRef(UUID(int=0), UUID(int=0)), "", ())


def readings(password: bytes) -> list[str]:
    """The texts that a password may have been given to us as."""
    text = password.decode("latin-1")
    found = [text, password.hex(), password.hex().upper()]
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", text):
        found.append(bytes.fromhex(text).decode("latin-1"))
    return found


def digests(keyring: Keyring, password: bytes) -> list[bytes]:
    """Everything that may be kept of this password."""
    return [made for text in readings(password) for made in keyring.digests(text)]


def matches(shown: Sequence[bytes], digest: bytes | None) -> bool:
    """Compare in constant time; takes as long when there is nothing to compare with."""
    good = False
    for made in shown:
        good |= hmac.compare_digest(made, digest or NOBODY)
    return good and digest is not None


@dataclass(frozen=True)
class Found:
    """Whose record it is, and what of that which was on its way has arrived."""

    record: Record
    new_password: bool = False
    new_certificate: bool = False
    # Whether its certificate is one of its record.
    certified: bool = False


def find(caller: Caller, records: Sequence[Record], keyring: Keyring) -> Found | None:
    """The record whose secret the caller knows.

    The same identity may exist in several tenants (T-51): the password says which one is meant, and
    when two would match, neither is. A certificate is as good wherever a password would be enough:
    a station that goes over to profile 3 comes with it before its record asks for it.
    """
    found = []
    shown = digests(keyring, caller.password or b"")
    for record in records or [UNKNOWN]:
        current = matches(shown, record.password_digest)
        newer = matches(shown, record.next_password_digest)
        known = caller.fingerprint is not None and hmac.compare_digest(
            caller.fingerprint, record.certificate_fingerprint or ""
        )
        arrived = caller.fingerprint in record.next_certificates
        certified = known or arrived
        good = certified or ((current or newer) and record.security_profile < CERTIFICATE)
        if good and (caller.encrypted or record.security_profile < ENCRYPTED):
            found.append(Found(record, newer and not current, arrived, certified))
    return found[0] if len(found) == 1 else None


def why_not(caller: Caller, records: Sequence[Record]) -> str:
    """For the log, and never for the caller: why none of these records, which are those that its
    password or certificate is of, lets it in.
    """
    if len(records) > 1:
        return "stations of several tenants have this identity and password: its URL names none"
    if records and records[0].security_profile >= ENCRYPTED and not caller.encrypted:
        return f"without TLS, but its record has security profile {records[0].security_profile}"
    if records:
        return f"without certificate, but its record has security profile {CERTIFICATE}"
    if caller.password is not None:
        return "unknown identity, or wrong password"
    if caller.fingerprint is not None:
        return "unknown identity, or a certificate that is not in its record"
    return "neither a certificate, nor a password with its identity as the user name"


async def candidates(db: AsyncSession, caller: Caller, keyring: Keyring) -> list[Record]:
    """The records with this identity that what the caller shows may open, in whatever tenant, or in
    the one that the path names. Platform transaction.

    Many tenants may have a station of the same name, so the database sorts out whose it is.
    """
    shown = digests(keyring, caller.password or b"")
    security = ChargingStation.configuration["security"]
    following = security["next_password_digest"].astext
    query = select(ChargingStation).where(
        ChargingStation.station_id == caller.identity,
        or_(
            ChargingStation.password_digest.in_(shown),
            following.in_([digest.hex() for digest in shown]),
            ChargingStation.certificate_fingerprint == (caller.fingerprint or ""),
            security[NEXT_CERTIFICATES].contains([caller.fingerprint or ""]),
        ),
    )
    if caller.tenant is not None:
        query = query.join(Tenant, Tenant.id == ChargingStation.tenant_id).where(
            Tenant.domain == caller.tenant
        )
    return [record_of(station) for station in await db.scalars(query.limit(AMBIGUOUS))]


def record_of(station: ChargingStation) -> Record:
    configuration: Mapping[str, Any] = station.configuration or {}
    security = configuration.get("security") or {}
    network = configuration.get("network") or {}
    following = security.get("next_password_digest")
    offset = station.clock_offset
    return Record(
        ref=StationRef(UUID(str(station.tenant_id)), station.id),
        identity=station.station_id,
        versions=allowed_versions(station.ocpp_version, network.get("ocpp_versions")),
        security_profile=station.security_profile,
        status=station.status,
        strict=bool(security.get("strict")),
        answers_pings=bool(network.get("answers_pings", True)),
        password_digest=station.password_digest,
        next_password_digest=bytes.fromhex(following) if following else None,
        certificate_fingerprint=station.certificate_fingerprint,
        next_certificates=tuple(security.get(NEXT_CERTIFICATES) or ()),
        clock_offset=None if offset is None else timedelta(seconds=offset),
    )


def allowed_versions(version: str, listed: Sequence[str] | None) -> tuple[OCPPVersion, ...]:
    """What the operator listed; else the version of the record, and 2.0.1 beside 2.1."""
    if listed:
        return tuple(OCPPVersion(name) for name in listed)
    if version == "OCPP_2_1":
        return (OCPPVersion.V21, OCPPVersion.V201)
    return (VERSIONS[version],)


def chosen_version(offered: Sequence[str], allowed: Sequence[OCPPVersion]) -> OCPPVersion | None:
    """The first the station offers that its record allows."""
    for name in offered:
        for version in allowed:
            if name.strip().lower() == version.subprotocol:
                return version
    return None
