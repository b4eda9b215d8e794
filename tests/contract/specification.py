"""The specification's own tables and examples, where they lie beside the repository.

They are not ours to ship, so tests that need them are skipped where they are absent.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"
TABLES = SHARED / "ocpi-schema.json"
EXAMPLES = SHARED / "ocpi-examples"
DATA = SHARED / "ocpi-data"


def need(path: Path) -> None:
    """Skip the whole module when a file of the specification is not here."""
    if not path.exists():
        pytest.skip(
            f"{path.name} is not in {path.parent}: it is not ours to ship", allow_module_level=True
        )


def tables(version: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(TABLES.read_text())
    return content[version]


@dataclass(frozen=True)
class Example:
    """One object of one example file. ``partial`` is a PATCH body."""

    version: str
    file: str
    kind: str
    body: Any
    partial: bool = False

    def __str__(self) -> str:
        return f"{self.version}-{self.file.removesuffix('.json')}-{self.kind}"


# What a file holds, by the beginning of its name; the longest beginning counts.
KINDS = {
    "cdr_example": "CDR",
    "credentials_example": "Credentials",
    "location_example": "Location",
    "location_hours": "Hours",
    "location_patch_example_location": "Location PATCH",
    "location_patch_example_remove_evse": "EVSE PATCH",
    "location_patch_example_status": "EVSE PATCH",
    "location_patch_example_tariff": "Connector PATCH",
    "location_put_example_add_evse": "EVSE",
    "location_energymix_example": "EnergyMix in energy_mix",
    "location_regularhours_example": "Hours in opening_times",
    "session_example": "Session",
    "session_patch_example": "Session PATCH",
    "tariff_": "Tariff",
    "tariffrestriction_example": "Tariff",
    "token_example": "Token",
    "token_put_example": "Token",
    "token_patch_example": "Token PATCH",
    "transport_and_format_error_response": "ResponseEnvelope",
    "transport_and_format_get_token_example": "ResponseEnvelope of Token",
    "transport_and_format_get_token_list": "ResponseEnvelope of Token",
    "transport_and_format_version_details": "ResponseEnvelope of VersionDetails",
    "transport_and_format_version_info": "ResponseEnvelope of Version",
    "type_displaytext": "DisplayText",
    "version_details": "VersionDetails",
    "versions_info": "Version",
}


def examples(version: str, kinds: dict[str, str] = KINDS) -> Iterator[Example]:
    """Every object of every example file of a version."""
    for path in sorted((EXAMPLES / version).glob("*.json")):
        start = max((start for start in kinds if path.name.startswith(start)), key=len)
        content = json.loads(path.read_text())
        kind, _, member = kinds[start].partition(" in ")
        outer, _, inner = kind.partition(" of ")
        kind, partial = outer.removesuffix(" PATCH"), outer.endswith(" PATCH")
        body = content[member] if member else content
        for item in body if isinstance(body, list) else [body]:
            yield Example(version, path.name, kind, item, partial)
        if inner:
            data = body["data"]
            for item in data if isinstance(data, list) else [data]:
                yield Example(version, path.name, inner, item)
