"""Every class of every version: valid is taken, mutilated is 2001 and its field is named."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.conformance.subject import KNOWN
from hub.errors import InvalidRequest
from tests.contract.generated import documents
from tests.contract.mutations import mutations

CLASSES = [(number, name) for number, version in KNOWN.items() for name in version.schemas]


@pytest.mark.parametrize(("version", "name"), CLASSES, ids="{}".format)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_valid_is_taken_and_mutilated_is_2001_with_the_field_TRANSPORT_81(version, name, data):
    schema = KNOWN[version].schemas[name]
    partial = data.draw(st.booleans(), "partial")
    body = data.draw(documents(schema, partial=partial), "body")
    KNOWN[version].check(name, body, partial=partial)

    faults = list(mutations(schema, body, partial=partial))
    for fault in data.draw(st.lists(st.sampled_from(faults), max_size=8)) if faults else []:
        with pytest.raises(InvalidRequest) as refused:
            KNOWN[version].check(name, fault.body, partial=partial)

        assert refused.value.status_code == 2001
        assert fault.field in {error["field"] for error in refused.value.data["errors"]}, fault
