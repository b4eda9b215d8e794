"""TLS towards stations: what is offered, whom it trusts, and what it is made of.

A client certificate is asked for and not demanded, for stations of profile 2 have none; one that is
shown must be signed by a CA of the hub's or of the operator's, hold now, and be for clients.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hub.settings import Settings, SettingsError

# The first four and the last two are what OCPP demands (A00.FR.317 and A00.FR.318): stations with
# nothing better than the last two are out there. TLS 1.3 has suites of its own, all of them good.
SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
)
# No key of less than 112 bits of security, no SHA-1: of ours, of theirs, of any CA between.
SECURITY_LEVEL = 2

CERTIFICATE = "HUB_OCPP_TLS_CERTIFICATE"
KEY = "HUB_OCPP_TLS_KEY"
CLIENT_CA = "HUB_OCPP_TLS_CLIENT_CA"


@dataclass(frozen=True)
class Material:
    """Whatever a context is made of: with the same material it need not be made anew.

    ``certificate`` and ``key`` are files, their content beside them; ``trusted`` are CAs, PEM.
    """

    certificate: Path
    key: Path
    content: bytes = field(repr=False)
    operators: bytes | None = None
    trusted: tuple[str, ...] = ()

    @property
    def ends(self) -> datetime:
        return x509.load_pem_x509_certificate(self.content).not_valid_after_utc


def check(settings: Settings) -> None:
    """Settings of a listener that is not there would be kept in vain, and half a pair is none."""
    certificate, key = settings.ocpp_tls_certificate, settings.ocpp_tls_key
    given = {
        "HUB_OCPP_TLS_HOST": settings.ocpp_tls_host,
        CERTIFICATE: certificate,
        KEY: key,
        CLIENT_CA: settings.ocpp_tls_client_ca,
    }
    for variable, value in given.items():
        if value is not None and settings.ocpp_tls_port is None:
            raise SettingsError(f"{variable} is nothing without HUB_OCPP_TLS_PORT.")
    if (certificate is None) != (key is None):
        missing = CERTIFICATE if certificate is None else KEY
        raise SettingsError(f"{missing} is missing: set both {CERTIFICATE} and {KEY}, or neither.")


def read_material(
    settings: Settings, certificate: Path, key: Path, trusted: Sequence[str]
) -> Material:
    """What is in the files now. Raises SettingsError, which names the variable."""
    operators = None
    if settings.ocpp_tls_client_ca is not None:
        operators = read(CLIENT_CA, settings.ocpp_tls_client_ca)
    content = read(CERTIFICATE, certificate) + read(KEY, key)
    return Material(certificate, key, content, operators, tuple(trusted))


def read(variable: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{variable}: {path} cannot be read: {error.strerror}.") from None


def make_context(material: Material) -> ssl.SSLContext:
    """Raises SettingsError, which names the variable and says what is wrong with it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{':'.join(SUITES)}:@SECLEVEL={SECURITY_LEVEL}")
    # A client that asks for handshake after handshake costs us more than itself.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.verify_mode = ssl.CERT_OPTIONAL
    # The operator's file may hold an intermediate CA, or one station's own certificate.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_cert_chain(material.certificate, material.key, password=no_password)
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(why_not(material, error)) from None
    for pem in material.trusted:
        context.load_verify_locations(cadata=pem)
    for authority in operators_authorities(material):
        context.load_verify_locations(cadata=authority)
    return context


def operators_authorities(material: Material) -> list[bytes]:
    """DER, without whatever else is written in the file."""
    if material.operators is None:
        return []
    try:
        found = x509.load_pem_x509_certificates(material.operators)
    except ValueError:
        raise SettingsError(f"{CLIENT_CA} must name a file with certificates, PEM.") from None
    return [one.public_bytes(serialization.Encoding.DER) for one in found]


def no_password() -> str:
    raise SettingsError(f"{KEY} is encrypted: the hub has no password for it.")


def why_not(material: Material, error: OSError) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return f"{KEY} does not belong to {CERTIFICATE}: {material.key}, {material.certificate}."
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return (
        f"{CERTIFICATE} and {KEY} must name a certificate with its chain and its private key, PEM:"
        f" {material.certificate}, {material.key} ({reason or 'unreadable'})."
    )
