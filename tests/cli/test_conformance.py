"""``hub conformance``: tokens, exit codes, answers for people and for programs."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.helpers.exemplary import Exemplary
from tests.helpers.plants import header, is_unknown, says, when
from tests.helpers.replies import Plant

BROKEN = Plant("/tariffs", header("X-Limit"))
ADVISED = Plant("", when(is_unknown, says(2003, 200)))


@pytest.fixture
def conformance(run, monkeypatch, tmp_path) -> Callable[..., Awaitable[Any]]:
    """Examine a platform that has registered us; its token lies in the file ``token``."""

    async def call(*arguments, platform, allow="--allow-private"):
        (tmp_path / "token").write_text(platform.registered() + "\n")
        options = [allow, *arguments] if allow else arguments
        return await asyncio.to_thread(run, "conformance", platform.versions_url, *options)

    return call


async def test_a_good_platform_is_told_so(conformance):
    async with Exemplary() as platform:
        ended = await conformance("--token", "token", platform=platform)

    assert ended.code == 0
    assert ended.out.startswith(f"{platform.versions_url}: OCPI 2.2.1, reading only\n")
    assert "rules broken: 0, advice: 0, not checked: 1" in ended.out
    assert "lists" in ended.err


async def test_what_is_wrong_is_told_with_its_requirement_and_how_to_mend_it(conformance):
    async with Exemplary(plant=BROKEN) as platform:
        ended = await conformance("--token", "token", platform=platform)

    assert ended.code == 1
    assert (
        "MUST   TRANSPORT-58: Every page says X-Limit, the most that a page can hold." in ended.out
    )
    assert f"asked  GET {platform.url}/2.2.1/sender/tariffs" in ended.out
    assert "got    no X-Limit" in ended.out
    assert "mend   Send the size of a page as a number." in ended.out


async def test_json_has_all_of_it(conformance):
    async with Exemplary(plant=BROKEN) as platform:
        ended = await conformance("--token", "token", "--json", platform=platform)

    [finding] = ended.json["findings"]
    assert finding["requirements"] == ["TRANSPORT-58"]
    assert finding["weight"] == "must"
    assert ended.json["version"] == "2.2.1"
    assert len(ended.json["passed"]) > 40
    assert ended.json["not_checked"][0]["why"]


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--strict",), 1)])
async def test_advice_is_no_failure_unless_it_is_asked_for(conformance, options, code):
    async with Exemplary(plant=ADVISED) as platform:
        ended = await conformance("--token", "token", *options, platform=platform)

    assert ended.code == code
    assert "SHOULD TRANSPORT-82" in ended.out


async def test_the_token_comes_from_standard_input_or_the_environment(conformance, monkeypatch):
    async with Exemplary() as platform:
        token = platform.registered()
        monkeypatch.setattr(platform, "registered", lambda: token)
        monkeypatch.setattr("sys.stdin", io.StringIO(token + "\n"))
        piped = await conformance("--token", "-", platform=platform)
        monkeypatch.setenv("OCPI_TOKEN", token)
        inherited = await conformance(platform=platform)

    assert (piped.code, inherited.code) == (0, 0)
    assert token not in piped.out + piped.err


async def test_the_token_itself_is_refused_and_not_repeated(conformance):
    async with Exemplary() as platform:
        ended = await conformance("--token", "c2VjcmV0", platform=platform)

    assert ended.code == 2
    assert "never an argument" in ended.err
    assert "c2VjcmV0" not in ended.err


async def test_private_addresses_have_to_be_allowed(conformance):
    async with Exemplary() as platform:
        ended = await conformance("--token", "token", platform=platform, allow="")

    assert ended.code == 5
    assert "--allow-private" in ended.err
    assert platform.requests == []


async def test_a_token_that_is_unknown_is_told(conformance, tmp_path):
    async with Exemplary() as platform:
        (tmp_path / "other").write_text("unknown")
        ended = await conformance("--token", "other", platform=platform)

    assert ended.code == 5
    assert "does not know the token: HTTP 401" in ended.err


async def test_a_token_a_reads_versions_and_credentials_only(run, tmp_path):
    async with Exemplary() as platform:
        (tmp_path / "token").write_text(platform.token_a)
        ended = await asyncio.to_thread(
            run, "conformance", platform.versions_url, "--token", "token", "--allow-private"
        )

    assert ended.code == 0
    assert "it may be a token A, for registering only" in ended.out


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--ocpi-version", "2.0"), "--ocpi-version"),
        (("--role", "NLTST"), "--role"),
        (("--role", "NL*TST:KING"), "--role"),
        (("--role", "NL*TST:CPO", "--role", "NL*TWO:EMSP"), "--role"),
    ],
)
async def test_wrong_usage_is_explained(conformance, arguments, field):
    async with Exemplary() as platform:
        ended = await conformance("--token", "token", "--json", *arguments, platform=platform)

    assert ended.code == 2
    assert ended.json["error"]["field"] == field


async def test_a_version_that_is_not_offered_cannot_be_examined(conformance):
    async with Exemplary() as platform:
        ended = await conformance("--token", "token", "--ocpi-version", "2.3.0", platform=platform)

    assert ended.code == 5
    assert "no version that can be examined (2.2.1)" in ended.err


async def test_with_write_it_registers_and_leaves(run, tmp_path):
    async with Exemplary() as platform:
        (tmp_path / "token").write_text(platform.token_a)
        ended = await asyncio.to_thread(
            run,
            "conformance",
            platform.versions_url,
            *("--token", "token", "--allow-private", "--write", "--role", "NL*TST:CPO", "--json"),
        )

    assert ended.code == 0, ended.json["findings"]
    assert ended.json["wrote"] is True
    assert "registering" in ended.err
    assert platform.tokens == {}
    assert {"CRED-12", "CRED-23", "SES-14"} <= {
        one for passed in ended.json["passed"] for one in passed["requirements"]
    }


@pytest.mark.parametrize(
    ("arguments", "allow", "field"),
    [
        (("--write",), "", "--callback-url"),
        (("--write", "--listen", "9000"), "--allow-private", "--listen"),
        (("--write", "--listen", "127.0.0.1:99999"), "--allow-private", "--listen"),
    ],
)
async def test_call_backs_have_to_arrive(conformance, arguments, allow, field):
    async with Exemplary() as platform:
        ended = await conformance(
            "--token", "token", "--json", *arguments, platform=platform, allow=allow
        )

    assert ended.code == 2
    assert ended.json["error"]["field"] == field
    assert platform.requests == []


async def test_a_port_that_is_taken_is_told(conformance):
    async with Exemplary() as platform:
        taken = platform.url.removeprefix("http://")
        ended = await conformance(
            "--token", "token", "--write", "--listen", taken, platform=platform
        )

    assert ended.code == 5
    assert "--listen" in ended.err
