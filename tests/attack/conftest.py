"""A running hub to attack, with limits out of the way; see tests/e2e for the partners."""

from typing import Any

import pytest

from tests.e2e.conftest import cpo, emsp, hub, partners
from tests.helpers.hub import UNLIMITED

__all__ = ["cpo", "emsp", "hub", "partners"]


@pytest.fixture
def hub_settings() -> dict[str, Any]:
    """As many requests as the attack takes are let through."""
    return UNLIMITED
