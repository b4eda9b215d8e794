"""The command ``hub``, called as from a shell but in this process."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hub.cli import main
from hub.models.tenants import Tenant
from tests.e2e.conftest import hub, hub_settings
from tests.helpers.hub import RunningHub
from tests.helpers.operator import api_key, every_permission
from tests.helpers.partner import FakePartner

__all__ = ["hub", "hub_settings"]

URL = "http://hub.test"


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ended]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """``run("partner", "list")``, in an environment where nothing is set but the hub and a key."""
    for variable in ("HUB_API_KEY_FILE", "HUB_DATA_DIR", "HUB_PORT", "HUB_TENANT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HUB_URL", URL)
    monkeypatch.setenv("HUB_API_KEY", "hubk_test")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Ended:
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as ended:  # argparse's own
            code = int(ended.code or 0)
        shown = capsys.readouterr()
        return Ended(code, shown.out, shown.err)

    return call


@pytest.fixture
async def command(
    hub: RunningHub, tenant: Tenant, run: Run, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Awaitable[Ended]]:
    """The same against a real hub, with a key that may do everything."""
    everything = await every_permission(hub.database, beyond_the_tenant=True)
    monkeypatch.setenv("HUB_URL", hub.url)
    monkeypatch.setenv("HUB_API_KEY", await api_key(hub, everything, tenant.id))

    async def call(*arguments: str) -> Ended:
        return await asyncio.to_thread(run, *arguments)

    return call


@pytest.fixture
async def acme() -> AsyncIterator[FakePartner]:
    """NL*ACM, a CPO that knows nothing of the hub yet."""
    async with FakePartner("NL*ACM CPO", name="Acme") as partner:
        yield partner
