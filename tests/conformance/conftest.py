"""Examining platforms: a good one, and such with one fault each."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hub.conformance.examine import Plan, examine
from hub.conformance.report import Report
from hub.models.values import Party
from tests.helpers.exemplary import Exemplary

Examine = Callable[..., Awaitable[Report]]


@pytest.fixture
def read() -> Examine:
    """Read what a platform of a version offers; ``options`` are those of ``Exemplary``."""

    async def run(version: str, **options: Any) -> Report:
        async with Exemplary(version, **options) as platform:
            token = platform.registered()
            plan = Plan(platform.versions_url, token, party=Party("NL", "TST"), allow_private=True)
            return await examine(plan)

    return run
