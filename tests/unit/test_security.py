"""Keys and tokens."""

import base64
import hmac
import os
import re
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from hub.security import (
    Keyring,
    Undecipherable,
    authorization,
    new_key,
    new_token,
    read_or_make_key_file,
    token_readings,
)
from hub.settings import Settings, SettingsError

FIRST, SECOND = new_key("first"), new_key("second")


def test_what_was_encrypted_is_decrypted():
    keyring = Keyring.from_text(FIRST)

    data = keyring.encrypt("their token ü", context="partners/1")

    assert keyring.decrypt(data, context="partners/1") == "their token ü"
    assert b"their" not in data


def test_the_same_text_never_encrypts_to_the_same_bytes():
    keyring = Keyring.from_text(FIRST)

    assert len({keyring.encrypt("x", context="c") for _ in range(100)}) == 100


def test_the_first_key_encrypts_and_all_decrypt():
    old, both, new = (Keyring.from_text(text) for text in (FIRST, f"{SECOND},{FIRST}", SECOND))
    data = old.encrypt("token", context="c")

    assert both.decrypt(data, context="c") == "token"
    assert both.key_id == "second"
    renewed = both.encrypt("token", context="c")
    assert new.decrypt(renewed, context="c") == "token"
    with pytest.raises(Undecipherable, match="the key first is not in the keyring"):
        new.decrypt(data, context="c")


def test_digests_are_made_with_every_key_the_primary_first():
    old, both = Keyring.from_text(FIRST), Keyring.from_text(f"{SECOND}\n{FIRST}\n")

    assert both.digests("token") == [both.digest("token"), old.digest("token")]
    assert len(both.digest("token")) == 32
    assert both.digest("token") != both.digest("Token")


def test_the_keys_for_digests_and_for_encryption_differ_from_the_key_itself():
    raw = base64.b64decode(FIRST.split(":")[1])

    assert Keyring.from_text(FIRST).digest("token") != hmac.digest(raw, b"token", "sha256")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "each an id, a colon"),
        ("   ", "each an id, a colon"),
        ("only-an-id", "each an id, a colon"),
        ("id with blanks:AAAA", "each an id, a colon"),
        (":" + "A" * 44, "each an id, a colon"),
        ("a" * 17 + FIRST[5:], "each an id, a colon"),
        ("k1:", "has 0 bytes, must have exactly 32"),
        ("k1:AAAA", "has 3 bytes, must have exactly 32"),
        ("k1:" + base64.b64encode(os.urandom(31)).decode(), "has 31 bytes"),
        ("k1:" + base64.b64encode(os.urandom(64)).decode(), "has 64 bytes"),
        ("k1:this is not base64!", "each an id, a colon"),
        ("k1:not-base64!", "is not base64"),
        ("k1:" + base64.b64encode(bytes(32)).decode(), "is not random"),
        ("k1:" + base64.b64encode(b"changeme" * 4).decode(), "is not random"),
        (f"{FIRST},{FIRST}", "two keys called first"),
        (f"{FIRST},again:{FIRST.split(':')[1]}", "the same key under two ids"),
    ],
    ids=count(),
)
def test_a_wrong_key_is_refused_with_what_is_wanted(text, reason):
    with pytest.raises(SettingsError, match=re.escape(reason)) as caught:
        Keyring.load(Settings(secret_keys=text))

    assert "HUB_SECRET_KEYS" in str(caught.value)
    secret = text.partition(":")[2]
    assert not secret or secret not in str(caught.value)


def test_without_keys_a_file_is_made_that_only_its_owner_reads(tmp_path):
    settings = Settings(data_dir=tmp_path / "new" / "data")

    first, again = Keyring.load(settings), Keyring.load(settings)

    file = settings.data_dir / "secret-keys"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
    assert [path.name for path in settings.data_dir.iterdir()] == ["secret-keys"]
    assert again.decrypt(first.encrypt("x", context="c"), context="c") == "x"


def test_several_hubs_that_start_at_once_agree_on_the_file(tmp_path):
    at_once = threading.Barrier(8)

    def start(_):
        at_once.wait()
        return read_or_make_key_file(tmp_path / "secret-keys")

    with ThreadPoolExecutor(8) as threads:
        texts = set(threads.map(start, range(8)))

    assert len(texts) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret-keys"]


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    Keyring.load(Settings(data_dir=tmp_path))
    (tmp_path / "secret-keys").chmod(0o640)

    with pytest.raises(SettingsError, match="chmod 600"):
        Keyring.load(Settings(data_dir=tmp_path))


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff\xfe", b"k1:AAAA"])
def test_a_damaged_key_file_is_named_and_left_alone(tmp_path, content):
    file = tmp_path / "secret-keys"
    file.write_bytes(content)
    file.chmod(0o600)

    with pytest.raises(SettingsError, match="secret-keys"):
        Keyring.load(Settings(data_dir=tmp_path))

    assert file.read_bytes() == content


def test_a_data_directory_that_cannot_be_made_is_explained(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="HUB_DATA_DIR"):
        Keyring.load(Settings(data_dir=tmp_path / "file" / "data"))


def test_new_tokens_are_long_printable_and_never_base64():
    tokens = {new_token() for _ in range(1000)}

    assert len(tokens) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)
    assert all(token_readings(f"Token {token}") == [("raw", token)] for token in tokens)


def test_both_forms_are_understood():
    """TRANSPORT-34: many platforms send the token as it is."""
    token = new_token()

    assert token_readings(authorization(token, "raw")) == [("raw", token)]
    assert token_readings(authorization(token, "base64"))[0] == ("base64", token)


def test_a_newline_that_was_encoded_along_is_dropped():
    """TRANSPORT-36: the specification's own example decodes to `example-token` and a newline."""
    assert token_readings("Token ZXhhbXBsZS10b2tlbgo=")[0] == ("base64", "example-token")
    assert token_readings("Token ZXhhbXBsZS10b2tlbg0K")[0] == ("base64", "example-token")


@pytest.mark.parametrize("header", ["token abc", "TOKEN abc", "  Token   abc  ", "tOKEN abc"])
def test_the_scheme_is_compared_without_case(header):
    """TRANSPORT-40."""
    assert token_readings(header) == [("raw", "abc")]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Token",
        "Token ",
        "abc",
        "Bearer abc",
        "Basic YTpi",
        "Tokenabc",
        "Token a b",
        "Token a\tb",
        "Token é",
        "Token " + "a" * 65,
        "Token " + base64.b64encode(b"a" * 65).decode(),
        "Token " + "a" * 10_000,
        "Token \x00",
    ],
)
def test_what_is_no_token_is_not_read(header):
    assert token_readings(header) == []


@pytest.mark.parametrize("inner", [b"\xff\xfe", b"a b", b"", b"a\nb", "ü".encode(), b"\x00"])
def test_base64_of_what_is_no_token_is_not_decoded(inner):
    encoded = base64.b64encode(inner).decode()

    assert [form for form, _ in token_readings(f"Token {encoded}")] in ([], ["raw"])


def test_authorization_knows_two_forms():
    assert authorization("abc", "base64") == "Token YWJj"
    assert authorization("abc", "raw") == "Token abc"
    with pytest.raises(ValueError, match="base64 or raw"):
        authorization("abc", "hex")
