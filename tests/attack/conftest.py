"""A running hub to attack, with limits out of the way; see tests/e2e for the partners."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

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
    if not structlog.is_configured():
        # Thousands of refusals are not worth a line each.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    running = RunningHub(
        postgres.url, data_dir, tenant.id, requests_per_second=1e6, request_burst=1_000_000
    )
    await running.start()
    yield running
    await running.stop()
    structlog.reset_defaults()
