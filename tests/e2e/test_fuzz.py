"""Anything the OCPI surfaces' own descriptions allow, and much that they do not, from a partner.

Whatever comes: never HTTP 5xx, always an envelope, and an answer within seconds.
"""

import asyncio
import re
import warnings
from dataclasses import dataclass, field

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from hub.conformance.subject import KNOWN
from hub.ocpi.versions import VERSIONS
from hub.openapi import document
from tests.contract.generated import documents
from tests.contract.mutations import mutations
from tests.helpers.hub import UNLIMITED
from tests.helpers.partner import FakePartner

with warnings.catch_warnings():
    # What the libraries below it have deprecated of each other.
    warnings.simplefilter("ignore", DeprecationWarning)
    import schemathesis
    from schemathesis import GenerationMode

EXAMPLES = 5
# Seconds for one request; nothing here should take one.
PATIENCE = 20
OURS = {"country_code": "NL", "party_id": "ONE"}
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass
class Said:
    """What was asked and answered."""

    asked: tuple
    http_status: int
    headers: dict
    envelope: object = field(repr=False)

    @property
    def status_code(self):
        return self.envelope.get("status_code") if isinstance(self.envelope, dict) else None

    def wrong(self):
        """What OCPI forbids in any answer; empty if there is nothing."""
        if self.http_status >= 500 or not isinstance(self.status_code, int):
            return "no OCPI answer"
        if not STAMP.fullmatch(self.envelope.get("timestamp", "")):
            return "no timestamp"
        if not {"x-request-id", "x-correlation-id"} <= self.headers.keys():
            return "no message ids"
        return ""


@pytest.fixture
def hub_settings():
    return UNLIMITED


# The hub runs in this process and draws numbers of its own while Hypothesis draws its examples.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("version", VERSIONS)
async def test_no_partner_makes_the_hub_fail_TRANSPORT_07_TRANSPORT_81(hub, version, mode):
    """T-20, T-23, T-24: wrong types, odd texts, too much and too little of everything."""
    roles = ["NL*ONE CPO"] if version == "2.1.1" else ["NL*ONE CPO", "NL*ONE EMSP"]
    async with FakePartner(*roles, versions=(version,)) as partner:
        await hub.connect(partner)

        answers = await asyncio.to_thread(fuzz, hub, partner, mode)

    assert [(said.wrong(), said) for said in answers if said.wrong()] == []
    assert len(answers) > 100
    told = {said.status_code for said in answers}
    assert {1000, 2001} <= told if mode is GenerationMode.POSITIVE else 2001 in told


def fuzz(hub, partner, mode):
    answers = []
    surface = f"ocpi-{partner.version}"
    for found in schemathesis.openapi.from_dict(document(surface)).get_all_operations():
        operation = found.ok()
        if operation.method == "delete" and operation.path.endswith("/credentials"):
            # It would be the end of all that follows.
            continue
        try:
            strategy = operation.as_strategy(generation_mode=mode)
            run(strategy, f"{hub.url}/ocpi", partner, answers)
        except (schemathesis.errors.SchemathesisError, Unsatisfiable):
            # Nothing can be wrong where nothing is asked for.
            assert mode is GenerationMode.NEGATIVE
    return answers


def run(strategy, url, partner, answers):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy, st.booleans(), st.booleans())
    def call(case, ours, routed):
        case.headers = {
            name: value
            for name, value in (case.headers or {}).items()
            if name != "Authorization" and (routed or not name.startswith("OCPI-"))
        }
        if ours:
            make_ours(case)
        token = partner.tokens.header(partner.tokens.to_hub)
        answer = case.call(base_url=url, headers={"Authorization": token}, timeout=PATIENCE)
        try:
            envelope = answer.json()
        except ValueError:
            envelope = answer.content
        asked = (case.method, case.formatted_path, case.query, case.body, answer.text[:300])
        answers.append(Said(asked, answer.status_code, dict(answer.headers), envelope))

    call()


def make_ours(case):
    """The URL and the body name a party of the caller and one object: so far the hub lets it in."""
    path = case.path_parameters or {}
    path |= {name: value for name, value in OURS.items() if name in path}
    if not isinstance(case.body, dict):
        return
    named = OURS | ({"id": path["id"], "uid": path["id"]} if "id" in path else {})
    case.body |= {name: value for name, value in named.items() if name in case.body}


PUSHED = {
    "locations": ("Location", "CPO"),
    "tariffs": ("Tariff", "CPO"),
    "tokens": ("Token", "EMSP"),
}


@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.parametrize("module", PUSHED)
@pytest.mark.parametrize("version", VERSIONS)
async def test_what_is_valid_is_taken_and_what_is_not_is_2001_with_its_field_TRANSPORT_81(
    hub, version, module
):
    kind, role = PUSHED[module]
    async with FakePartner(f"NL*ONE {role}", versions=(version,)) as partner:
        await hub.connect(partner)

        said = await asyncio.to_thread(push_generated, partner, module, KNOWN[version].schema(kind))

    assert [answer for answer in said if answer.expected not in answer.told] == []
    assert len(said) > EXAMPLES


@dataclass
class Verdict:
    """What was to be said of a body, and what was."""

    expected: str
    told: list
    body: dict


def push_generated(partner, module, schema):
    said = []
    name = "uid" if module == "tokens" else "id"
    url = f"{partner.endpoints[module, 'RECEIVER'].rstrip('/')}/NL/ONE/X1"
    headers = {"Authorization": partner.tokens.header(partner.tokens.to_hub)}

    def push(body):
        params = {"type": body["type"]} if module == "tokens" and "type" in body else {}
        answer = requests.put(url, json=body, headers=headers, params=params, timeout=PATIENCE)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(documents(schema, unknown=False), st.randoms(use_true_random=False))
    def call(body, dice):
        # From the country follows the time zone that a location of 2.1.1 may leave out.
        meant = OURS | {name: "X1", "country": "DEU"}
        body |= {field: value for field, value in meant.items() if field in body}
        told = push(body)
        said.append(Verdict("1000", [str(told["status_code"]), told.get("status_message")], body))
        broken = [one for one in mutations(schema, body) if one.field not in {*OURS, name, "type"}]
        for one in dice.sample(broken, min(3, len(broken))):
            told = push(one.body)
            fields = [error["field"] for error in (told.get("data") or {}).get("errors", [])]
            said.append(Verdict(one.field, fields if told["status_code"] == 2001 else [], one.body))

    call()
    return said
