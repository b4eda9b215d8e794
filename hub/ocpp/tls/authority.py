"""A small CA of each tenant's own, for stations and for the hub's TLS listener (T-49).

Each has a name and a key identifier of its own: whoever trusts several of them must find the one
that signed. Its private key is encrypted and bound to its row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.certificates import StationCertificate, key_place
from hub.models.tenants import Tenant
from hub.security import Keyring

CA_YEARS = 10
# A certificate is good a little earlier than now, for stations whose clocks are behind.
BACKDATED = timedelta(hours=1)
# What a name in a certificate may have at most (RFC 5280, ub-organization-name).
LONGEST_NAME = 64
# Processes that listen with TLS are told that there is one more CA to be trusted.
NEW_AUTHORITY = "hub_station_authorities"

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


@dataclass(frozen=True)
class Authority:
    row: StationCertificate
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def organization(self) -> str:
        [name] = self.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        return str(name.value)

    def sign_station(self, name: str, key: PublicKey, days: int) -> x509.Certificate:
        return self.sign(name, key, days, [], ExtendedKeyUsageOID.CLIENT_AUTH)

    def sign_server(self, names: Sequence[str], key: PublicKey, days: int) -> x509.Certificate:
        """For a server that is called by these names and addresses."""
        return self.sign(names[0], key, days, names, ExtendedKeyUsageOID.SERVER_AUTH)

    def sign(
        self,
        name: str,
        key: PublicKey,
        days: int,
        alternatives: Sequence[str],
        usage: x509.ObjectIdentifier,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject(self.organization, name))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(uses("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        if alternatives:
            found = x509.SubjectAlternativeName([alternative(one) for one in alternatives])
            builder = builder.add_extension(found, critical=False)
        return builder.sign(self.key, hashes.SHA256())


async def authority_of(db: AsyncSession, keyring: Keyring) -> Authority:
    """The tenant's CA, made when first needed. Two who need it at once get the same one."""
    await db.execute(text("SELECT pg_advisory_xact_lock(hashtext('station ca'))"))
    row = await db.scalar(
        select(StationCertificate)
        .where(StationCertificate.kind == "CA", StationCertificate.revoked_at.is_(None))
        .order_by(StationCertificate.created_at.desc())
        .limit(1)
    )
    if row is None:
        row = new_authority(keyring, await db.scalar(select(Tenant.name)))
        db.add(row)
        await db.flush()
        await db.execute(text("SELECT pg_notify(:channel, '')"), {"channel": NEW_AUTHORITY})
    assert row.private_key is not None
    plain = keyring.decrypt(row.private_key, context=key_place(row.id))
    key = serialization.load_pem_private_key(plain.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Authority(row, x509.load_pem_x509_certificate(row.pem.encode()), key)


def new_authority(keyring: Keyring, operator: str | None) -> StationCertificate:
    key = ec.generate_private_key(ec.SECP256R1())
    now, serial = datetime.now(UTC), x509.random_serial_number()
    name = subject(operator or "Charging stations", f"Charging station CA {serial:x}"[:32])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=365 * CA_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(uses("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    row_id = uuid4()
    return StationCertificate(
        id=row_id,
        kind="CA",
        serial_number=f"{serial:x}",
        fingerprint=fingerprint(certificate),
        pem=to_pem(certificate),
        private_key=keyring.encrypt(key_to_pem(key), context=key_place(row_id)),
        not_after=certificate.not_valid_after_utc,
    )


def subject(organization: str, name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization[:LONGEST_NAME]),
            x509.NameAttribute(NameOID.COMMON_NAME, name[:LONGEST_NAME]),
        ]
    )


def alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def uses(*named: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in named for name in USES})


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def to_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def key_to_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
