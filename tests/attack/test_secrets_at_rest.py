"""Secrets in the hands of somebody who reads or writes the database (T-12, T-13, T-15, T-17)."""

import ast
import base64
from pathlib import Path

import pytest

import hub
from hub.security import Keyring, Undecipherable, authorization, new_key, new_token, token_readings

OLD, NEW = new_key("old"), new_key("new")


def forms(secret):
    raw = secret.encode()
    yield from (raw, base64.b64encode(raw), base64.urlsafe_b64encode(raw), raw.hex().encode())
    # In the middle of a longer base64 text a secret is shifted by one or two bytes.
    for shift in (1, 2):
        yield base64.b64encode(b"x" * shift + raw)[4:-4]


def test_a_dump_holds_nothing_that_opens_anything():
    """T-12: whatever is stored is searched for every token, in every form."""
    keyring = Keyring.from_text(OLD)
    tokens = [new_token() for _ in range(50)]
    dump = b"".join(
        keyring.digest(token) + keyring.encrypt(token, context="partners") for token in tokens
    )
    dump += dump.hex().encode() + base64.b64encode(dump)

    found = [form for token in tokens for form in forms(token) if form in dump]

    assert found == []


def test_a_digest_cannot_be_made_without_the_key():
    """An attacker who may write to the database still cannot plant a token that works."""
    token = new_token()

    assert Keyring.from_text(OLD).digest(token) not in Keyring.from_text(NEW).digests(token)


@pytest.mark.parametrize(
    ("kept", "opened"),
    [("partners/1/token", "partners/2/token"), ("a", ""), ("a", "A"), ("a/b", "a/b/")],
)
def test_an_encrypted_token_opens_only_in_its_own_row(kept, opened):
    """Else one partner's token could be copied over another's, and sent to the wrong platform."""
    keyring = Keyring.from_text(OLD)
    data = keyring.encrypt("token", context=kept)

    with pytest.raises(Undecipherable):
        keyring.decrypt(data, context=opened)


def test_every_changed_byte_is_noticed():
    keyring = Keyring.from_text(f"{OLD},{NEW}")
    data = keyring.encrypt("token", context="c")

    for place in range(len(data)):
        for flip in (0x01, 0x80):
            changed = data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :]
            with pytest.raises(Undecipherable):
                keyring.decrypt(changed, context="c")
    for cut in range(len(data)):
        with pytest.raises(Undecipherable):
            keyring.decrypt(data[:cut], context="c")
    with pytest.raises(Undecipherable):
        keyring.decrypt(data + b"\0", context="c")


def test_the_key_id_of_one_key_cannot_be_put_on_the_data_of_another():
    keyring = Keyring.from_text(f"{OLD},{NEW}")
    data = keyring.encrypt("token", context="c")

    with pytest.raises(Undecipherable):
        keyring.decrypt(data.replace(b"old", b"new", 1), context="c")


def test_a_key_of_the_same_name_but_other_bytes_opens_nothing():
    data = Keyring.from_text(OLD).encrypt("token", context="c")

    with pytest.raises(Undecipherable):
        Keyring.from_text(new_key("old")).decrypt(data, context="c")


def test_a_token_that_is_base64_of_another_is_not_taken_for_it():
    """T-15: each of the pair authenticates as itself, in the form that the standard asks for."""
    keyring = Keyring.from_text(OLD)
    inner = "first-token-of-a-pair"
    outer = base64.b64encode(inner.encode()).decode()
    stored = {keyring.digest(inner): "inner", keyring.digest(outer): "outer"}

    def who(header):
        for _, token in token_readings(header):
            if (name := stored.get(keyring.digest(token))) is not None:
                return name
        return None

    assert who(authorization(inner, "base64")) == "inner"
    assert who(authorization(inner, "raw")) == "inner"
    assert who(authorization(outer, "base64")) == "outer"
    twice = authorization(base64.b64encode(outer.encode()).decode(), "base64")
    assert who(twice) is None


def test_no_pair_of_our_own_tokens_can_be_confused():
    """T-15, by construction: what the hub issues is never base64 of anything."""
    for _ in range(1000):
        token = new_token()
        assert [form for form, _ in token_readings(authorization(token, "raw"))] == ["raw"]


def test_secrets_are_never_compared_with_equality_signs():
    """T-13: `==` on a digest or token ends at the first difference, which can be measured."""
    secrets = {"token_hash", "password_hash", "password", "secret", "api_key"}
    found = []
    for path in Path(hub.__file__).parent.rglob("*.py"):
        # Elsewhere a digest is that of a document or a message.
        of_tokens = path.name in {"security.py", "directory.py"} or path.parent.name == "admin"
        suspicious = secrets | {"digest"} if of_tokens else secrets
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                names = {
                    side.attr if isinstance(side, ast.Attribute) else side.id
                    for side in (node.left, *node.comparators)
                    if isinstance(side, ast.Attribute | ast.Name)
                }
                if names & suspicious:
                    found.append(f"{path.name}:{node.lineno} {ast.unparse(node)}")

    assert found == []
