"""Keys and tokens: what must not be readable in the database, in a log or in a backup.

Tokens that are only checked (partners' tokens at the hub, API keys) are long and random, so a keyed
digest is enough and is found by an index. Tokens the hub sends to others are encrypted and bound to
their row.
"""

import base64
import binascii
import hmac
import os
import re
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.settings import Settings, SettingsError

KEY_BYTES = 32
NONCE_BYTES = 12
SHORTEST = 2 + NONCE_BYTES + 16  # format, length of the key id, nonce, tag
# A key with fewer different bytes was typed by hand or left at some default, not drawn.
LEAST_DISTINCT_BYTES = 12
FORMAT = b"\x01"
KEY_FILE = "secret-keys"
KEYS_WANTED = (
    "one or more keys, each an id, a colon and 32 random bytes in base64, separated by commas "
    'or new lines; the first encrypts. Make one with: echo "k1:$(openssl rand -base64 32)"'
)
TOKEN_CHARACTERS = re.compile(r"[\x21-\x7e]{1,64}")  # TRANSPORT-37
LONGEST_HEADER = 256


class Undecipherable(Exception):
    """Encrypted data cannot be read: its key is missing, or it was changed or moved."""


class Keyring:
    """Several keys by id. The first one encrypts and makes digests; all of them are understood."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        self.key_id = next(iter(keys))
        self._ciphers = {
            key_id: AESGCM(derive(key, b"hub encrypt")) for key_id, key in keys.items()
        }
        self._digest_keys = [derive(key, b"hub digest") for key in keys.values()]
        self._seal_keys = {key_id: derive(key, b"hub seal") for key_id, key in keys.items()}

    @classmethod
    def from_text(cls, text: str, *, source: str = "HUB_SECRET_KEYS") -> "Keyring":
        """Read `kid:base64` entries; raises `SettingsError` that names `source`."""
        keys: dict[str, bytes] = {}
        for entry in re.split(r"[,\s]+", text.strip()):
            key_id, colon, encoded = entry.partition(":")
            if not colon or not re.fullmatch(r"[A-Za-z0-9_-]{1,16}", key_id):
                raise SettingsError(f"{source} must hold {KEYS_WANTED}.")
            if key_id in keys:
                raise SettingsError(f"{source} holds two keys called {key_id}; ids must differ.")
            keys[key_id] = read_key(encoded, f"{source}: key {key_id}")
        if len(set(keys.values())) < len(keys):
            raise SettingsError(f"{source} holds the same key under two ids; keys must differ.")
        return cls(keys)

    @classmethod
    def load(cls, settings: Settings) -> "Keyring":
        """From HUB_SECRET_KEYS, else from a file in the data directory, made when absent."""
        if settings.secret_keys is not None:
            return cls.from_text(settings.secret_keys)
        path = settings.data_dir / KEY_FILE
        return cls.from_text(read_or_make_key_file(path), source=str(path))

    @property
    def head(self) -> bytes:
        """What everything begins with that the first key has encrypted."""
        return FORMAT + bytes([len(self.key_id)]) + self.key_id.encode()

    def encrypt(self, plain: str, *, context: str) -> bytes:
        """`context` says where the result is kept, such as table, column, row: it opens only there.

        The result is 0x01, length of the key id, key id, nonce, ciphertext with tag.
        """
        head = self.head
        nonce = os.urandom(NONCE_BYTES)
        bound = head + context.encode()
        return head + nonce + self._ciphers[self.key_id].encrypt(nonce, plain.encode(), bound)

    def decrypt(self, data: bytes, *, context: str) -> str:
        key_id, head, rest = split(data)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise Undecipherable(f"the key {key_id} is not in the keyring")
        try:
            plain = cipher.decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], head + context.encode())
        except (InvalidTag, ValueError):
            raise Undecipherable(f"not encrypted with this key {key_id} for this place") from None
        return plain.decode()

    def digest(self, token: str) -> bytes:
        """32 bytes to store and to look up by; worthless without the key."""
        return hmac.digest(self._digest_keys[0], token.encode(), "sha256")

    def digests(self, token: str) -> list[bytes]:
        """With every key, the primary first: for look-ups while keys are being rotated."""
        return [hmac.digest(key, token.encode(), "sha256") for key in self._digest_keys]

    def seal(self, data: bytes) -> bytes:
        """32 bytes that only who has the primary key can make of this."""
        return hmac.digest(self._seal_keys[self.key_id], data, "sha256")

    def is_sealed(self, data: bytes, key_id: str, seal: bytes) -> bool | None:
        """Whether the seal was made of this with that key; None: the key is not here."""
        key = self._seal_keys.get(key_id)
        return None if key is None else hmac.compare_digest(hmac.digest(key, data, "sha256"), seal)


def derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)


def split(data: bytes) -> tuple[str, bytes, bytes]:
    """Key id, head (which is authenticated), nonce and ciphertext."""
    if len(data) < SHORTEST or data[:1] != FORMAT or len(data) < SHORTEST + data[1]:
        raise Undecipherable("not encrypted by this hub")
    end = 2 + data[1]
    return data[2:end].decode("ascii", "replace"), data[:end], data[end:]


def read_key(encoded: str, where: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise SettingsError(f"{where} is not base64. Wanted are {KEYS_WANTED}.") from None
    if len(key) != KEY_BYTES:
        raise SettingsError(
            f"{where} has {len(key)} bytes, must have exactly {KEY_BYTES}. "
            f"Wanted are {KEYS_WANTED}."
        )
    if len(set(key)) < LEAST_DISTINCT_BYTES:
        raise SettingsError(f"{where} is not random. Wanted are {KEYS_WANTED}.")
    return key


def new_key(key_id: str | None = None) -> str:
    """A fresh `kid:base64` entry for a keyring."""
    key = base64.b64encode(os.urandom(KEY_BYTES)).decode()
    return f"{key_id or 'k' + secrets.token_hex(4)}:{key}"


def read_or_make_key_file(path: Path) -> str:
    """The file appears whole or not at all, and of several hubs starting at once one makes it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            make_private_file(path, new_key() + "\n")
        status = path.stat()
        if status.st_mode & 0o077:
            raise SettingsError(
                f"{path} can be read by others than its owner. Run: chmod 600 {path}"
            )
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The secret keys cannot be kept in {path}: {error}. Set HUB_DATA_DIR to a directory "
            "that the hub may write, or HUB_SECRET_KEYS."
        ) from None


def make_private_file(path: Path, text: str) -> None:
    """Write a file that only its owner can read; one that is there already is left alone."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def new_token() -> str:
    """43 characters, 256 bits. The length is no multiple of four, so it is never valid base64.

    A token that were base64 of another one could be taken for it, as both forms are accepted.
    """
    return secrets.token_urlsafe(32)


def token_readings(header: str) -> list[tuple[str, str]]:
    """What an Authorization header may mean: (form, token), most likely first.

    Many platforms send the token raw (TRANSPORT-34), some encode it with the newline that `echo`
    added (TRANSPORT-36). Nothing is returned for a header that cannot be ours.
    """
    if len(header) > LONGEST_HEADER:
        return []
    scheme, _, value = header.strip().partition(" ")
    value = value.strip()
    if scheme.lower() != "token":  # TRANSPORT-40
        return []
    readings = []
    try:
        decoded = base64.b64decode(value, validate=True).decode("ascii").rstrip("\r\n")
        if TOKEN_CHARACTERS.fullmatch(decoded):
            readings.append(("base64", decoded))
    except (binascii.Error, ValueError):
        pass
    if TOKEN_CHARACTERS.fullmatch(value):
        readings.append(("raw", value))
    return readings


def authorization(token: str, form: str) -> str:
    """The value of the Authorization header; `form` is base64 (OCPI 2.2.1 and later) or raw."""
    match form:
        case "base64":
            return "Token " + base64.b64encode(token.encode()).decode()
        case "raw":
            return "Token " + token
    raise ValueError(f"a token is sent as base64 or raw, not {form}")
