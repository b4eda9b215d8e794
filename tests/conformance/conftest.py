"""Examining platforms: a good one, and such with one fault each."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hub.conformance.callbacks import Callbacks
from hub.conformance.examine import Plan, examine
from hub.conformance.report import Report
from hub.models.values import Party, Role
from tests.e2e.conftest import hub, hub_settings
from tests.helpers.exemplary import Exemplary

__all__ = ["hub", "hub_settings"]

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


@pytest.fixture
def write() -> Examine:
    """Register, push, ask, renew and leave."""

    async def run(version: str, **options: Any) -> Report:
        async with Exemplary(version, **options) as platform:
            plan = Plan(
                platform.versions_url,
                platform.token_a,
                roles=roles(version, **options),
                allow_private=True,
                callbacks=Callbacks(),
            )
            return await examine(plan)

    return run


def roles(version: str, *, emsp: bool = False, **others: Any) -> tuple[Role, ...]:
    """In 2.1.1 one is what the other side is not."""
    if version == "2.1.1":
        return (Role.CPO,) if emsp else (Role.EMSP,)
    return Role.CPO, Role.EMSP


def ids_of(report: Report) -> set[str]:
    return {one for finding in report.findings for one in finding.ids}
