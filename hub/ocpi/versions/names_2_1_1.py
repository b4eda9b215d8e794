"""Where the objects of 2.1.1 name something by an id that does not say whose it is.

These ids may have to be others on the hub's other side (``roaming.aliases``). Here is only where
they stand, so that they can be collected from a body and replaced in it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hub.ocpi.versions.base import Document

EVERY = "*"
OF_CONNECTOR = {"tariff_id": "tariffs"}
OF_EVSE = {"uid": "evses", "connectors/*/tariff_id": "tariffs"}
OF_LOCATION = {"id": "locations", **{f"evses/*/{path}": kind for path, kind in OF_EVSE.items()}}
OF_REFERENCES = {"location_id": "locations", "evse_uids/*": "evses"}
OF_COMMAND = {
    "location_id": "locations",
    "evse_uid": "evses",
    "session_id": "sessions",
    "token/auth_id": "contracts",
}
IN_LOCATION = {f"location/{path}": kind for path, kind in OF_LOCATION.items()}

PLACES: Mapping[str, Mapping[str, str]] = {
    "Location": OF_LOCATION,
    "EVSE": OF_EVSE,
    "Connector": OF_CONNECTOR,
    "Tariff": {"id": "tariffs"},
    "Session": {"id": "sessions", "auth_id": "contracts", **IN_LOCATION},
    "CDR": {"id": "cdrs", "auth_id": "contracts", "tariffs/*/id": "tariffs", **IN_LOCATION},
    "Token": {"auth_id": "contracts"},
    "LocationReferences": OF_REFERENCES,
    "AuthorizationInfo": {f"location/{path}": kind for path, kind in OF_REFERENCES.items()},
    **dict.fromkeys(("StartSession", "ReserveNow", "StopSession", "UnlockConnector"), OF_COMMAND),
}

Names = set[tuple[str, str]]


def names_in(kind: str, body: Document) -> Names:
    """What is named in a body, valid or not: pairs of what it is and its id."""
    found: Names = set()
    for path, named in PLACES.get(kind, {}).items():

        def note(value: str, named: str = named) -> str:
            found.add((named, value))
            return value

        at(body, path.split("/"), note)
    return found


def renamed(kind: str, body: Document, names: Mapping[tuple[str, str], str]) -> Document:
    """The body with these ids instead; itself where nothing changes."""
    for path, named in PLACES.get(kind, {}).items():

        def replace(value: str, named: str = named) -> str:
            return names.get((named, value), value)

        body = at(body, path.split("/"), replace)
    return body


def at(value: Any, path: list[str], change: Callable[[str], str]) -> Any:
    """Apply a change to the strings at a path; what is not as the path says is left alone."""
    if not path:
        return change(value) if isinstance(value, str) else value
    step, *rest = path
    if step == EVERY:
        items = [at(item, rest, change) for item in value] if isinstance(value, list) else value
        return value if is_same(items, value) else items
    if not isinstance(value, dict) or step not in value:
        return value
    changed = at(value[step], rest, change)
    return value if changed is value[step] else value | {step: changed}


def is_same(items: Any, before: Any) -> bool:
    return items is before or all(new is old for new, old in zip(items, before, strict=True))
