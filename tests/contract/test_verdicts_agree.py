"""The compiled validator and marshmallow, which words its refusals, never disagree."""

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.ocpi.schemas.compiled import SCHEMAS, optional_in_patch, validator
from hub.ocpi.schemas.fields import (
    URL,
    CiString,
    Date,
    Latitude,
    Longitude,
    String,
    Text,
    TimeOfDay,
    Timestamp,
    Visible,
)
from hub.ocpi.schemas.objects import instance
from hub.ocpi.schemas.tidying import tidied
from tests.contract.generated import JUNK, documents
from tests.contract.mutations import mutations
from tests.helpers.documents_2_1_1 import own_document

# A class that two versions share is tried once.
CLASSES = {
    schema: (version, name) for version in SCHEMAS for name, schema in SCHEMAS[version].items()
}
PATTERNS = (CiString, Date, Latitude, Longitude, String, Text, TimeOfDay, Timestamp, URL, Visible)
KINDS = ("Location", "Tariff", "Session", "CDR", "Token", "Credentials")

every_class = pytest.mark.parametrize(("version", "name"), CLASSES.values(), ids="{}".format)
generously = settings(
    max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


def compiled_says(schema, body, *, exact=False, partial=False):
    return validator(schema, exact=exact, partial=partial).is_valid(body)


def marshmallow_says(schema, body, *, partial=False):
    told = instance(schema).validate(body, partial=optional_in_patch(schema) if partial else None)
    return not told


@every_class
@generously
@given(data=st.data())
def test_of_whatever_is_sent(version, name, data):
    schema = SCHEMAS[version][name]
    partial = data.draw(st.booleans(), "partial")
    body = data.draw(documents(schema, tolerated=True, junk=True, partial=partial) | JUNK, "body")

    assert compiled_says(schema, body, partial=partial) == marshmallow_says(
        schema, body, partial=partial
    )


@every_class
@generously
@given(data=st.data())
def test_of_what_is_valid(version, name, data):
    schema = SCHEMAS[version][name]
    partial = data.draw(st.booleans(), "partial")
    body = data.draw(documents(schema, partial=partial), "body")

    assert compiled_says(schema, body, exact=True, partial=partial)
    assert compiled_says(schema, body, partial=partial)
    assert marshmallow_says(schema, body, partial=partial)
    assert tidied(schema, body, partial=partial) == body


@every_class
@generously
@given(data=st.data())
def test_of_what_is_tolerated_and_then_put_right(version, name, data):
    schema = SCHEMAS[version][name]
    body = data.draw(documents(schema, tolerated=True), "body")
    assert compiled_says(schema, body)
    assert marshmallow_says(schema, body)

    document = tidied(schema, body)

    assert compiled_says(schema, document, exact=True)
    strangers = {key: value for key, value in body.items() if key.startswith("x_")}
    assert {key: value for key, value in document.items() if key.startswith("x_")} == strangers


@pytest.mark.parametrize("kind", PATTERNS)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data())
def test_of_strings_that_nearly_match(kind, data):
    field = kind(required=True)
    text = data.draw(st.from_regex(kind.pattern, fullmatch=True), "text")
    place = data.draw(st.integers(0, len(text)), "place")
    length = data.draw(st.integers(0, 2), "length")
    more = data.draw(
        st.sampled_from(["", "\n", " ", "0", "9", "٣", "Z", "z", "-", ".", "\x7f", "é"])
    )
    text = text[:place] + more + text[place + length :]

    compiled = jsonschema_rs.Draft202012Validator(
        field.json_schema(exact=False), pattern_options=jsonschema_rs.RegexOptions()
    )

    assert compiled.is_valid(text) == (field.wrong(text) is None)


@pytest.mark.parametrize("version", SCHEMAS)
@pytest.mark.parametrize("kind", KINDS)
def test_of_every_mutation_of_our_own_documents(version, kind):
    schema = SCHEMAS[version][kind]
    body = own_document(version, kind)
    assert compiled_says(schema, body, exact=True)
    assert marshmallow_says(schema, body)

    for partial in (False, True):
        for mutation in mutations(schema, body, partial=partial):
            assert not compiled_says(schema, mutation.body, partial=partial), mutation.field
            assert not marshmallow_says(schema, mutation.body, partial=partial), mutation.field
