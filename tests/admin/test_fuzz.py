"""Anything the admin API's own description allows, and much that it does not: never a 5xx."""

import asyncio
import warnings

import pytest
from hypothesis import HealthCheck, given, settings

from hub.openapi import document
from tests.helpers.operator import api_key, every_permission

with warnings.catch_warnings():
    # What the libraries below it have deprecated of each other.
    warnings.simplefilter("ignore", DeprecationWarning)
    import schemathesis
    from schemathesis import GenerationMode

EXAMPLES = 12
# The partner's side fails where a generated address leads nowhere: that is no fault of the hub.
OUTSIDE = {502}


# The hub runs in this process and draws numbers of its own while Hypothesis draws its examples.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_no_input_makes_the_hub_fail(hub, tenant, mode):
    """T-20, T-23, T-24: wrong types, odd texts, too much and too little of everything."""
    key = await api_key(hub, await every_permission(hub.database), tenant.id)

    answered = await asyncio.to_thread(fuzz, hub.url, key, mode)

    assert [said for status, said in answered if status >= 500 and status not in OUTSIDE] == []
    assert len(answered) > 200
    wanted = {200, 404} if mode is GenerationMode.POSITIVE else {400}
    assert wanted <= {status for status, _ in answered}


def fuzz(url, key, mode):
    """What the hub answered: status, and what to."""
    answered = []
    schema = schemathesis.openapi.from_dict(document("admin"))
    for found in schema.get_all_operations():
        operation = found.ok()
        try:
            strategy = operation.as_strategy(generation_mode=mode)
            run(strategy, f"{url}/admin/v1", key, answered)
        except schemathesis.errors.SchemathesisError:
            # Nothing can be wrong where nothing is asked for.
            assert mode is GenerationMode.NEGATIVE
    return answered


def run(strategy, url, key, answered):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def call(case):
        # The tenant header leads elsewhere, which is another test.
        case.headers = {
            name: value
            for name, value in (case.headers or {}).items()
            if name not in {"Hub-Tenant", "Authorization"}
        }
        answer = case.call(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        asked = (case.method, case.path, case.body, case.query, answer.text[:300])
        answered.append((answer.status_code, asked))

    call()
