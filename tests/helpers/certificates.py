"""CAs, certificates and what is wrong with them, made with ``cryptography``."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENTS, SERVERS = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
DAY = timedelta(days=1)


@dataclass
class Issued:
    """A certificate, its key, and whatever lies between it and its root."""

    certificate: x509.Certificate
    key: object
    chain: tuple = ()

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self):
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    @property
    def fingerprint(self):
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def write(self, folder, name):
        """Its files: certificate with chain, and key."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_text(self.pem + "".join(one.pem for one in self.chain))
        key.write_text(self.key_pem)
        return certificate, key


def name(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def authority(common="Test CA", by=None):
    return issue(common, by, ca=True, usage=None)


def issue(
    common, by=None, *, key=None, ca=False, usage=CLIENTS, start=-DAY, end=DAY, names=(),
    more=(),
):  # fmt: skip
    """Signed by ``by``, or by itself; good from ``start`` to ``end``, seen from now."""
    key = key or new_key()
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common))
        .issuer_name(by.certificate.subject if by else name(common))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + start)
        .not_valid_after(now + end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
        builder = builder.add_extension(alternatives, critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=True)
    signer = by.key if by else key
    chain = (by, *by.chain) if by and by.certificate.issuer != by.certificate.subject else ()
    return Issued(builder.sign(signer, hashes.SHA256()), key, chain)


def signing_request(common, key=None):
    """As a station sends one, PEM."""
    csr = x509.CertificateSigningRequestBuilder().subject_name(name(common))
    signed = csr.sign(key or new_key(), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def client_context(root, folder=None, shown=None):
    """Of a station that knows the hub by ``root`` (PEM) and shows a certificate, if it has one."""
    context = ssl.create_default_context(cadata=root)
    # Otherwise a station with a weak key would refuse itself.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if shown is not None:
        context.load_cert_chain(*shown.write(folder, "station"))
    return context
