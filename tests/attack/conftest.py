"""A running hub to attack, with limits out of the way; see tests/e2e for the partners."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.embedded import EmbeddedPostgres
from hub.models.tenants import Tenant
from tests.e2e.conftest import cpo, emsp, partners
from tests.helpers.hub import RunningHub

__all__ = ["cpo", "emsp", "hub", "partners"]


@pytest.fixture
async def hub(
    postgres: EmbeddedPostgres, data_dir: Path, tenant: Tenant
) -> AsyncIterator[RunningHub]:
    """As in tests/e2e, but as many requests as the attack takes are let through."""
    running = RunningHub(
        postgres.url, data_dir, tenant.id, requests_per_second=1e6, request_burst=1_000_000
    )
    await running.start()
    yield running
    await running.stop()
