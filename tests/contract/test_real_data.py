"""Real locations and tariffs, as a national access point publishes them: nulls, gaps and all.

Each is accepted or refused with the field and the rule; what is accepted survives the way up
and down.
"""

import json
import sys
from collections import Counter

import pytest

from hub.errors import InvalidRequest
from hub.ocpi.schemas.compiled import check, split
from hub.ocpi.versions import VERSIONS
from tests.contract import specification

specification.need(specification.DATA)

NEW, OLD = VERSIONS["2.3.0"], VERSIONS["2.2.1"]
FILES = {"Location": ("locations.json", 1578), "Tariff": ("tariffs.json", 447)}


@pytest.mark.parametrize("kind", FILES)
def test_real_objects_are_accepted_or_refused_with_field_and_rule(kind, capsys):
    name, expected = FILES[kind]
    objects = json.loads((specification.DATA / name).read_text())
    assert len(objects) == expected
    accepted, refused = [], Counter()
    for body in objects:
        try:
            accepted.append((body, OLD.read(kind, body)))
        except InvalidRequest as error:
            refused.update((told["field"], told["rule"]) for told in error.data["errors"])

    with capsys.disabled():
        sys.stdout.write(f" {kind}: {len(accepted)} of {expected} accepted {dict(refused)} ")
    assert len(accepted) == expected
    for body, canonical in accepted:
        NEW.check(kind, canonical)
        again = OLD.downgrade(kind, canonical)
        assert again == check(OLD.schemas[kind], body)
        assert without_nulls(again) == without_nulls(body)


def without_nulls(value):
    """Null for an optional member is absence (TRANSPORT-98); nothing else may change."""
    if isinstance(value, dict):
        return {name: without_nulls(v) for name, v in value.items() if v is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def test_one_bad_evse_never_loses_the_location():
    locations = json.loads((specification.DATA / "locations.json").read_text())
    body = max(locations, key=lambda location: len(location["evses"]))
    evses = [dict(evse) for evse in body["evses"]]
    evses[1] |= {"status": "BROKEN"}
    evses[3] |= {"uid": None, "connectors": []}

    good, removed = split("2.2.1", "Location", body | {"evses": evses})

    assert len(OLD.read("Location", good)["evses"]) == len(evses) - 2
    assert [(part.path, part.item) for part in removed] == [
        ("evses/1", evses[1]),
        ("evses/3", evses[3]),
    ]
    assert [error["field"] for part in removed for error in part.errors] == [
        "evses/1/status",
        "evses/3/uid",
        "evses/3/connectors",
    ]
