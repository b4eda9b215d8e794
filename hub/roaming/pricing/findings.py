"""What ``lint`` has to say about a tariff.

An *error* makes a price wrong or impossible, a *warning* is probably not what its author meant,
*advice* is about what the OCPI text recommends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to say about a tariff; ``element`` is its place, from 1, if it is about one."""

    level: Level
    code: str
    text: str
    element: int | None = None


def as_json(finding: Finding) -> Mapping[str, Any]:
    return {
        "level": str(finding.level),
        "code": finding.code,
        "element": finding.element,
        "text": finding.text,
    }
