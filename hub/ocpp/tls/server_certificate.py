"""The TLS listener's own certificate, where the operator gives none.

The CA of the hub's first tenant signs it, for the host of HUB_PUBLIC_URL: stations that trust that
CA (``hub certificate ca``) know the hub by it. It lies in HUB_DATA_DIR with its key and is made
anew in time, or when the host or the CA has changed.
"""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select

from hub.db import Database
from hub.models.tenants import Tenant
from hub.ocpp.tls.authority import Authority, alternative, authority_of, key_to_pem, to_pem
from hub.security import Keyring, Undecipherable, make_private_file
from hub.settings import Settings, SettingsError

FILE = "ocpp-tls.pem"
DAYS = 90
RENEWED_BEFORE = timedelta(days=30)


async def keep_own(database: Database, keyring: Keyring, settings: Settings) -> Path:
    """The file with certificate, CA and key, made or made anew where that is due."""
    async with database.platform() as db:
        tenant_id: UUID | None = await db.scalar(
            select(Tenant.id).order_by(Tenant.created_at, Tenant.id).limit(1)
        )
    if tenant_id is None:
        raise SettingsError("HUB_OCPP_TLS_CERTIFICATE is needed: there is no tenant to sign one.")
    try:
        async with database.transaction(tenant_id) as db:
            authority = await authority_of(db, keyring)
    except Undecipherable as error:
        raise SettingsError(
            f"The hub's own CA cannot be used: {error}. Put that key back into HUB_SECRET_KEYS, or"
            " set HUB_OCPP_TLS_CERTIFICATE and HUB_OCPP_TLS_KEY."
        ) from None
    path, names = settings.data_dir / FILE, names_of(settings)
    if not still_good(path, authority, names):
        write(path, authority, names)
    return path


def names_of(settings: Settings) -> list[str]:
    """What stations call the hub by."""
    host = urlsplit(settings.public_url).hostname or "localhost"
    found = [host]
    if settings.ocpp_tls_host and is_address(settings.ocpp_tls_host):
        found.append(settings.ocpp_tls_host)
    if host == "localhost" or (is_address(host) and ip_address(host).is_loopback):
        found += ["localhost", "127.0.0.1", "::1"]
    return list(dict.fromkeys(found))


def is_address(host: str) -> bool:
    try:
        return not ip_address(host).is_unspecified
    except ValueError:
        return False


def still_good(path: Path, authority: Authority, names: list[str]) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        certificate.verify_directly_issued_by(authority.certificate)
        told = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    wanted = [alternative(name) for name in names]
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    return left > RENEWED_BEFORE and list(told.value) == wanted


def write(path: Path, authority: Authority, names: list[str]) -> None:
    """In one step: whoever reads it meanwhile finds a certificate and its key, old or new."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority.sign_server(names, key.public_key(), DAYS)
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    make_private_file(draft, to_pem(certificate) + authority.row.pem + key_to_pem(key))
    draft.replace(path)
