"""The schemas are the specification's tables, class by class and field by field."""

from typing import Any

import pytest
from marshmallow import fields

from hub.ocpi.schemas.commands import COMMAND_TYPE
from hub.ocpi.schemas.compiled import SCHEMAS
from hub.ocpi.schemas.enums import Enum, OneOf
from hub.ocpi.schemas.fields import Integer, Value
from hub.ocpi.schemas.objects import Object
from hub.ocpi.schemas.sessions import CHARGING_PREFERENCES_RESPONSE
from tests.contract import specification

specification.need(specification.TABLES)

VERSIONS = ("2.3.0", "2.2.1", "2.1.1")

# Where the schemas say something else on purpose: (version, class, field) and what they say.
FIELD_DEVIATIONS: dict[tuple[str, str, str], dict[str, Any]] = {
    # The ids of credit CDRs have 39 characters (INV-06, AMB-27).
    ("2.3.0", "InvoiceReconciliationRecord", "cdrs"): {"max": 39},
    # A capture that failed has none, as the example shows (PAY-08).
    ("2.3.0", "FinancialAdviceConfirmation", "eft_data"): {"card": "*"},
    # The table says Role, its link says InterfaceRole: both are taken (AMB-33).
    # Either opening hours or this, says the text beside the table.
    ("2.1.1", "Hours", "twentyfourseven"): {"card": "?"},
    ("2.3.0", "Cancellation", "who_canceled"): {"type": "WhoCanceled"},
}
# Values beyond the table: the Payments extension names a role that it forgot to add (PAY-09).
MORE_VALUES = {("2.3.0", "Role"): {"PTP"}}
# Enumerations that are wider than in the table: a platform lists versions and modules that
# older ones do not know (VER-05, VER-08).
ENUM_DEVIATIONS = {
    (version, name) for version in ("2.2.1", "2.1.1") for name in ("ModuleID", "VersionNumber")
}
# A path segment and an answer: the type of no field, and the same values in all versions.
NOT_IN_A_FIELD = {enum.name: enum for enum in (COMMAND_TYPE, CHARGING_PREFERENCES_RESPONSE)}

CLASSES = [
    (version, name) for version in VERSIONS for name in specification.tables(version)["classes"]
]
ENUMS = [(version, name) for version in VERSIONS for name in specification.tables(version)["enums"]]


def members(schema: type[Object]) -> dict[str, fields.Field[Any]]:
    return schema().fields


def single(field: fields.Field[Any]) -> fields.Field[Any]:
    return field.inner if isinstance(field, fields.List) else field


def row(name: str, field: fields.Field[Any]) -> dict[str, Any]:
    """A field as a row of the specification's table."""
    item = single(field)
    described = {"name": name, "type": type_of(item), "card": cardinality(field)}
    length = item.digits if isinstance(item, Integer) else getattr(item, "maximum", None)
    if length is not None and described["type"] not in {"URL", "DateTime"}:
        described["max"] = length
    return described


def type_of(field: fields.Field[Any]) -> str:
    match field:
        case fields.Nested():
            return field.nested.__name__
        case OneOf():
            return field.enum.name
        case Value():
            return field.spec_type
    raise AssertionError(field)


def cardinality(field: fields.Field[Any]) -> str:
    required = field.required or getattr(field, "assume", None) is not None
    if isinstance(field, fields.List):
        return "+" if required else "*"
    return "1" if required else "?"


@pytest.mark.parametrize(("version", "name"), CLASSES, ids=lambda value: value)
def test_a_class_has_the_fields_of_the_table(version, name):
    expected = [
        field | FIELD_DEVIATIONS.get((version, name, field["name"]), {})
        for field in specification.tables(version)["classes"][name]["fields"]
    ]

    rows = [row(*member) for member in members(SCHEMAS[version][name]).items()]

    assert sorted(rows, key=lambda r: r["name"]) == sorted(expected, key=lambda r: r["name"])


@pytest.mark.parametrize(("version", "name"), CLASSES, ids=lambda value: value)
def test_nested_classes_are_those_of_the_same_version(version, name):
    for field in members(SCHEMAS[version][name]).values():
        if isinstance(single(field), fields.Nested):
            nested = single(field).nested
            assert SCHEMAS[version][nested.__name__] is nested


@pytest.mark.parametrize("version", VERSIONS)
def test_there_is_no_class_that_the_version_does_not_have(version):
    assert set(SCHEMAS[version]) == set(specification.tables(version)["classes"])


def enums(version: str) -> dict[str, Enum]:
    found: dict[str, Enum] = {}
    for schema in SCHEMAS[version].values():
        for field in members(schema).values():
            if isinstance(single(field), OneOf):
                enum = single(field).enum
                assert found.setdefault(enum.name, enum) == enum, "one name, one enumeration"
    return found


@pytest.mark.parametrize(("version", "name"), ENUMS, ids=lambda value: value)
def test_an_enumeration_has_the_values_of_the_table_and_is_as_open(version, name):
    table = specification.tables(version)["enums"][name]
    enum = NOT_IN_A_FIELD.get(name) or enums(version)[name]

    if name in NOT_IN_A_FIELD:
        assert set(enum.values) - set(table["values"]) <= {"CANCEL_RESERVATION"}
    elif (version, name) in ENUM_DEVIATIONS:
        assert set(enum.values) >= set(table["values"])
        assert enum.open
        assert not table["open"]
    else:
        expected = set(table["values"]) | MORE_VALUES.get((version, name), set())
        assert (set(enum.values), enum.open) == (expected, table["open"])


@pytest.mark.parametrize("key", FIELD_DEVIATIONS, ids="-".join)
def test_a_deviation_is_still_one(key):
    version, class_name, field_name = key
    table = specification.tables(version)["classes"][class_name]["fields"]
    field = next(field for field in table if field["name"] == field_name)

    assert field | FIELD_DEVIATIONS[key] != field
