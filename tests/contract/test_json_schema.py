"""The JSON Schemas that go into the OpenAPI documents say what the hub accepts and sends."""

import jsonschema
import jsonschema_rs
import pytest

from hub.ocpi.schemas.compiled import SCHEMAS, components, json_schema
from tests.helpers.documents_2_1_1 import own_document


def references(value):
    if isinstance(value, dict):
        yield from [value["$ref"]] if "$ref" in value else []
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


@pytest.mark.parametrize("version", SCHEMAS)
def test_components_are_valid_and_refer_to_each_other_only(version):
    schemas = components(version)

    assert set(SCHEMAS[version]) <= set(schemas)
    known = {f"#/components/schemas/{name}" for name in schemas}
    for name, schema in schemas.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert set(references(schema)) <= known, name
    assert schemas["Status"]["enum"][0] == "AVAILABLE"
    assert "#/components/schemas/EVSE" in references(schemas["Location"])


@pytest.mark.parametrize("version", SCHEMAS)
@pytest.mark.parametrize("kind", ["Location", "CDR", "Session", "Token"])
def test_a_class_on_its_own_decides_as_any_validator_of_json_schema_does(version, kind):
    schema = json_schema(version, kind)
    body = own_document(version, kind)

    for validator in (jsonschema.Draft202012Validator, jsonschema_rs.Draft202012Validator):
        assert validator(schema).is_valid(body)
        assert not validator(schema).is_valid(body | {"last_updated": "yesterday"})
        assert not validator(schema).is_valid({})


def test_an_open_enumeration_names_its_values_without_closing_the_door():
    assert "MCS" in components("2.3.0")["ConnectorType"]["examples"]
    assert "enum" not in components("2.3.0")["ConnectorType"]
    assert "MCS" not in components("2.2.1")["ConnectorType"]["enum"]
