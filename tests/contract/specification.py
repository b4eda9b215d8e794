"""The specification's own tables and examples, where they lie beside the repository.

They are not ours to ship, so tests that need them are skipped where they are absent.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
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


EXTENSIONS = ("2.3.0-bookings", "2.3.0-payments")


@cache
def tables(version: str) -> dict[str, Any]:
    """Classes and enumerations; those of 2.3.0 with what its extensions add to it."""
    content: dict[str, Any] = json.loads(TABLES.read_text())
    merged = content[version]
    for extension in EXTENSIONS if version == "2.3.0" else ():
        for name, table in content[extension]["classes"].items():
            known = merged["classes"].setdefault(name, table)["fields"]
            names = {field["name"] for field in known}
            known += [field for field in table["fields"] if field["name"] not in names]
        for name, table in content[extension]["enums"].items():
            known = merged["enums"].setdefault(name, table)["values"]
            known += [value for value in table["values"] if value not in known]
    return merged


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
    "booking_example": "Booking",
    "booking_location_example": "BookingLocation",
    "booking_location_patch_example_calendar": "Calendar PATCH",
    "booking_location_patch_example_terms": "BookingLocation PATCH",
    "booking_patch_example": "Booking PATCH",
    "booking_request_patch_example": "BookingRequest PATCH",
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
    "payment_financial_advice": "FinancialAdviceConfirmation",
    "payment_terminal": "Terminal",
    "payment_terminal_location_assignment": "Terminal PATCH",
    "payment_terminal_put_update": "Terminal PATCH",
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
    # 2.1.1, where the examples have names of ours.
    "credentials__": "Credentials",
    "mod_cdrs__": "CDR",
    "mod_locations__01": "EVSE PATCH",
    "mod_locations__02": "Location PATCH",
    "mod_locations__03": "Connector PATCH",
    "mod_locations__04": "EVSE",
    "mod_locations__05": "EVSE PATCH",
    "mod_locations__06": "Location",
    "mod_sessions__01": "Session PATCH",
    "mod_sessions__": "Session",
    "mod_tariffs__": "Tariff",
    "mod_tariffs__02": "Tariff PATCH",
    "mod_tokens__": "Token",
    "mod_tokens__02": "Token PATCH",
    "transport_and_format__01": "ResponseEnvelope of Version",
    "transport_and_format__02": "ResponseEnvelope of VersionDetails",
    "transport_and_format__03": "ResponseEnvelope of Token",
    "transport_and_format__04": "ResponseEnvelope of Token",
    "transport_and_format__05": "ResponseEnvelope",
    "types__": "DisplayText",
    "version_information_endpoint__01": "Version",
    "version_information_endpoint__02": "VersionDetails",
    "version_details": "VersionDetails",
    "versions_info": "Version",
}


def files(version: str) -> list[Path]:
    """The example files of a version; those of 2.3.0 with what its extensions add to it."""
    found = sorted((EXAMPLES / version).glob("*.json"))
    if version == "2.3.0":
        found += sorted((EXAMPLES / "2.3.0-bookings").glob("booking_*.json"))
        found += sorted((EXAMPLES / "2.3.0-payments").glob("payment_*.json"))
    return found


def examples(version: str) -> Iterator[Example]:
    """Every object of every example file of a version."""
    for path in files(version):
        start = max((start for start in KINDS if path.name.startswith(start)), key=len)
        content = json.loads(path.read_text())
        kind, _, member = KINDS[start].partition(" in ")
        outer, _, inner = kind.partition(" of ")
        kind, partial = outer.removesuffix(" PATCH"), outer.endswith(" PATCH")
        body = content[member] if member else content
        for item in body if isinstance(body, list) else [body]:
            yield Example(version, path.name, kind, item, partial)
        if inner:
            data = body["data"]
            for item in data if isinstance(data, list) else [data]:
                yield Example(version, path.name, inner, item)
