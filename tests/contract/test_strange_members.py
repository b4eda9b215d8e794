"""Members that another version defines, sent by somebody who does not speak it (TRANSPORT-16).

They are unknown where they come from, so they may hold anything. What the hub makes of them must be
valid in every version all the same.
"""

from collections.abc import Iterator
from copy import deepcopy
from itertools import product

import pytest
from marshmallow import fields

from hub.ocpi.schemas.objects import Object, instance, nested
from hub.ocpi.versions import VERSIONS
from hub.ocpi.versions.base import NotExpressible
from tests.contract.test_translation_2_1_1 import KNOWN
from tests.helpers import documents as own
from tests.helpers import documents_2_1_1 as old

URL = "https://emsp.example/1"
JUNK = (5, -1.5, True, "x", "1", "2025-01-01T00:00:00Z", [], [5], ["x"], {}, {"a": 1}, [{"a": 1}])
RESERVATION = {"response_url": URL, "expiry_date": own.MOMENT, "location_id": "L1"}


def elements(**component: object) -> list[dict]:
    component |= {"type": "ENERGY", "price": 0.2, "step_size": 1}
    return [{"price_components": [component], "restrictions": {"min_kwh": 1}}]


OLD_TARIFF = old.tariff(elements=elements())
MIX = {"is_green_energy": True, "environ_impact": [{"source": "NUCLEAR_WASTE", "amount": 1}]}
NEWER_MIX = MIX | {"environ_impact": [{"category": "NUCLEAR_WASTE", "amount": 1}]}


def tariff(version: str) -> dict:
    limit = "excl_vat" if version == "2.2.1" else "before_taxes"
    return own.tariff(version=version, elements=elements(vat=20), min_price={limit: 1})


SENT = [
    ("2.1.1", "Location", old.location(energy_mix=MIX)),
    ("2.1.1", "Tariff", OLD_TARIFF),
    ("2.1.1", "Session", old.session()),
    ("2.1.1", "CDR", old.cdr(tariffs=[OLD_TARIFF])),
    ("2.1.1", "Token", old.token()),
    ("2.1.1", "ReserveNow", RESERVATION | {"token": old.token(), "reservation_id": 7}),
    ("2.1.1", "AuthorizationInfo", {"allowed": "ALLOWED", "location": {"location_id": "L1"}}),
    ("2.1.1", "CommandResponse", {"result": "ACCEPTED"}),
    ("2.1.1", "CommandResult", {"result": "ACCEPTED"}),
    *(
        (version, kind, document)
        for version in ("2.2.1", "2.3.0")
        for kind, document in (
            ("Location", own.location(version=version, energy_mix=NEWER_MIX)),
            ("Tariff", tariff(version)),
            ("Session", own.session(version=version)),
            ("CDR", own.cdr(version=version, tariffs=[tariff(version)])),
            ("Token", own.token()),
            ("ReserveNow", RESERVATION | {"token": own.token(), "reservation_id": "7"}),
            ("AuthorizationInfo", {"allowed": "ALLOWED", "token": own.token()}),
        )
    ),
]
# Classes that are called otherwise in another version.
ALSO_CALLED = {"PriceLimit": "Price"}


def parts(schema: type[Object], document: dict, path: tuple = ()) -> Iterator[tuple]:
    """Every object in a document: where it is, and its class."""
    yield path, schema
    for name, field in instance(schema).fields.items():
        value = document.get(name)
        if isinstance(field, fields.Nested) and isinstance(value, dict):
            yield from parts(nested(field), value, (*path, name))
        elif isinstance(field, fields.List) and isinstance(field.inner, fields.Nested):
            for index, item in enumerate(value or ()):
                yield from parts(nested(field.inner), item, (*path, name, index))


def strangers(schema: type[Object]) -> set[str]:
    """What other versions have in objects of this class."""
    names = {schema.__name__, ALSO_CALLED.get(schema.__name__, "")}
    classes = [v.schemas[name] for v in VERSIONS.values() for name in names & v.schemas.keys()]
    return {name for one in classes for name in instance(one).fields} - instance(
        schema
    ).fields.keys()


def with_stranger(document: dict, path: tuple, name: str, value: object) -> dict:
    changed = deepcopy(document)
    part = changed
    for step in path:
        part = part[step]
    part[name] = value
    return changed


@pytest.mark.parametrize(("number", "kind", "document"), SENT)
def test_what_another_version_would_say_by_them_makes_nothing_invalid(number, kind, document):
    version = VERSIONS[number]
    places = [
        (path, name)
        for path, schema in parts(version.schemas[kind], document)
        for name in sorted(strangers(schema))
    ]
    assert places or kind in {"AuthorizationInfo", "Token", "ReserveNow"}

    for (path, name), junk in product(places, JUNK):
        canonical = version.read(kind, with_stranger(document, path, name, junk), known=KNOWN)

        for other in VERSIONS.values():
            try:
                written = other.downgrade(kind, canonical, known=KNOWN)
            except NotExpressible:
                continue
            other.check(kind, written)


@pytest.mark.parametrize(("number", "kind", "document"), SENT)
def test_nothing_keeps_the_name_that_another_version_has_for_it(number, kind, document):
    canonical = VERSIONS[number].read(kind, document, known=KNOWN)

    for other in VERSIONS.values():
        try:
            written = other.downgrade(kind, canonical, known=KNOWN)
        except NotExpressible:
            continue
        schema = other.schemas[kind]
        for path, part_schema in parts(schema, written):
            part = written
            for step in path:
                part = part[step]
            assert strangers(part_schema).isdisjoint(part), path


def test_a_tariff_of_2_1_1_that_has_a_type_of_its_own_is_a_tariff_for_everybody():
    body = old.tariff(type="default", min_price=0.5, start_date_time="always")

    for version in VERSIONS.values():
        written = version.downgrade("Tariff", VERSIONS["2.1.1"].read("Tariff", body, known=KNOWN))

        assert not {"type", "min_price", "start_date_time"} & written.keys()


def test_only_the_taxes_of_2_3_0_say_what_a_price_is_with_them():
    price = {"before_taxes": 10, "taxes": [{"name": "VAT", "amount": 2}], "incl_vat": 11}

    written = VERSIONS["2.2.1"].downgrade("Session", own.session(total_cost=price))

    assert written["total_cost"] == {"excl_vat": 10, "incl_vat": 12}
