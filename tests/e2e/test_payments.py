"""Payments (extension of OCPI 2.3.0): terminals and captured payments, provider and CPO."""

import pytest

from hub.ocpi.schemas.payments import FinancialAdviceConfirmation, Terminal
from tests.contract.mutations import mutations
from tests.helpers import faults
from tests.helpers.documents import (
    ABSENT,
    cdr,
    cdr_token,
    financial_advice_confirmation,
    location,
    session,
    terminal,
)
from tests.helpers.partner import FakePartner

TERMINALS = "payments/terminals"
ADVICE = "payments/financial-advice-confirmations"
TOKEN = cdr_token(country_code="FR", party_id="PTP")
NOBODY = {"country_code": ABSENT, "party_id": ABSENT, "location_ids": ABSENT}


@pytest.fixture
async def cpo(hub, partners):
    partner = await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=("2.3.0",)))
    await hub.connect(partner)
    return partner


@pytest.fixture
async def ptp(hub, cpo, partners):
    """FR*PTP, a provider of payment terminals."""
    partner = await partners.enter_async_context(FakePartner("FR*PTP PTP", versions=("2.3.0",)))
    await hub.connect(partner)
    return partner


def told(partner):
    return [
        (push.method, push.path, push.body)
        for push in partner.received
        if push.module == "payments"
    ]


def asked(partner):
    return [
        (push.method, push.path, push.body)
        for push in partner.requests
        if push.interface == "SENDER" and push.module == "payments" and push.method != "GET"
    ]


# Terminals, from the provider to the CPO.


async def test_a_terminal_is_told_to_the_cpo_that_it_names_PAY_02_PAY_10(hub, cpo, ptp):
    answer = await ptp.post(TERMINALS, terminal())
    await hub.deliver()

    assert (answer.http_status, answer.status_code) == (201, 1000)
    assert answer.headers["Location"].endswith("/ocpi/2.3.0/receiver/payments/terminals/P1")
    assert (await ptp.get(answer.headers["Location"])).data == terminal()
    assert told(cpo) == [("POST", TERMINALS, terminal())]
    [push] = [push for push in cpo.received if push.module == "payments"]
    assert (push.headers["OCPI-to-party-id"], push.headers["OCPI-from-party-id"]) == ("ONE", "PTP")


async def test_a_terminal_that_names_nobody_is_for_the_cpo_of_its_locations_HUB_35(hub, cpo, ptp):
    await cpo.put("locations/NL/ONE/L1", location())
    by_location = terminal(**NOBODY | {"location_ids": ["l1"]})
    by_evse = terminal(**NOBODY | {"evse_uids": ["E2"]}, terminal_id="P2")

    answers = [await ptp.post(TERMINALS, one) for one in (by_location, by_evse)]
    await hub.deliver()

    assert [answer.http_status for answer in answers] == [201, 201]
    assert [body["terminal_id"] for _, _, body in told(cpo)] == ["P1", "P2"]


async def test_a_terminal_of_which_nothing_tells_the_cpo_must_be_addressed_HUB_35(hub, cpo, ptp):
    bare = {"terminal_id": "P9"}

    unclear = await ptp.post(TERMINALS, bare)
    addressed = await ptp.post(TERMINALS, bare, to=cpo)

    assert unclear.status_code == 4001
    assert "OCPI-to" in unclear.message
    assert addressed.http_status == 201
    assert told(cpo) == [("POST", TERMINALS, bare)]


async def test_a_terminal_may_be_its_id_alone_and_changes_when_posted_again_PAY_02(hub, cpo, ptp):
    minimal = terminal(last_updated=ABSENT)
    first = await ptp.post(TERMINALS, minimal)
    await hub.deliver()

    later = {"terminal_id": "P1", "city": "Delft"}
    again = await ptp.post(TERMINALS, later)
    await hub.deliver()

    assert (first.http_status, again.http_status) == (201, 200)
    [(_, _, one), (_, _, two)] = told(cpo)
    assert (one["city"], two["city"]) == ("Utrecht", "Delft")
    assert one["last_updated"] <= two["last_updated"]
    assert (await cpo.get(TERMINALS)).data == [two]


async def test_a_cpo_that_knows_a_terminal_already_is_no_setback(hub, cpo, ptp):
    cpo.objects[f"{TERMINALS}/P1"] = {}

    await ptp.post(TERMINALS, terminal())
    await hub.deliver()
    await hub.retry_now()
    await hub.deliver()

    assert len(told(cpo)) == 1


async def test_lists_of_terminals_are_for_the_two_parties_only(hub, cpo, ptp, partners):
    other = await partners.enter_async_context(FakePartner("BE*OTH CPO", versions=("2.3.0",)))
    await hub.connect(other)
    await ptp.post(TERMINALS, terminal())

    assert (await cpo.get(TERMINALS)).data == [terminal()]
    assert (await cpo.get(f"{TERMINALS}/P1")).data == terminal()
    assert (await other.get(TERMINALS)).data == []
    assert (await other.get(f"{TERMINALS}/P1")).http_status == 404
    assert (await ptp.get(f"{TERMINALS}/NO", side="RECEIVER")).http_status == 404


# Terminals, from the CPO to the provider.


async def test_what_a_cpo_assigns_reaches_the_provider_and_is_listed_PAY_02_PAY_11(hub, cpo, ptp):
    ptp.own["terminals"] = [terminal()]
    await ptp.post(TERMINALS, terminal())
    change = {"location_ids": ["L1", "L2"]}

    answer = await cpo.patch(f"{TERMINALS}/P1", change, side="SENDER")
    await hub.deliver()

    assert answer.status_code == 1000
    assert answer.headers["OCPI-from-party-id"] == "PTP"
    assert asked(ptp) == [("PATCH", f"{TERMINALS}/P1", change)]
    [listed] = (await cpo.get(TERMINALS)).data
    assert listed["location_ids"] == ["L1", "L2"]
    assert listed["last_updated"] > terminal()["last_updated"]
    assert (await cpo.get(TERMINALS, to=ptp)).data == ptp.own["terminals"]
    # Its own change is not told back to it.
    assert [one for _, _, one in told(cpo) if one["location_ids"] != ["L1"]] == []


async def test_a_put_replaces_or_if_it_says_little_only_that_PAY_02(hub, cpo, ptp):
    ptp.own["terminals"] = [terminal()]
    await ptp.post(TERMINALS, terminal())
    little = {"customer_reference": "Two", "last_updated": "2025-06-02T00:00:00Z"}
    whole = terminal(city="Delft", reference="S-1", last_updated="2025-06-03T00:00:00Z")

    await cpo.put(f"{TERMINALS}/P1", little, side="SENDER")
    [first] = (await cpo.get(TERMINALS)).data
    await cpo.put(f"{TERMINALS}/P1", whole, side="SENDER")
    [second] = (await cpo.get(TERMINALS)).data

    assert first == terminal() | little
    assert second == whole
    assert [method for method, _, _ in asked(ptp)] == ["PUT", "PUT"]


async def test_what_the_provider_refuses_changes_nothing(hub, cpo, ptp):
    await ptp.post(TERMINALS, terminal())
    ptp.fail(faults.refuse(2001, "not yours"), on="PATCH")

    answer = await cpo.patch(f"{TERMINALS}/P1", {"city": "Delft"}, side="SENDER")

    assert (answer.status_code, answer.message) == (2001, "not yours")
    assert (await cpo.get(TERMINALS)).data == [terminal()]


async def test_activation_goes_to_the_only_provider_or_the_one_that_is_named_PAY_03(
    hub, cpo, ptp, partners
):
    order = {"reference": "Term-1", "location_ids": ["L1"], "last_updated": "2025-06-01T00:00:00Z"}

    alone = await cpo.post(f"{TERMINALS}/activate", order, side="SENDER")
    other = await partners.enter_async_context(FakePartner("FR*PT2 PTP", versions=("2.3.0",)))
    await hub.connect(other)
    unclear = await cpo.post(f"{TERMINALS}/activate", order, side="SENDER")
    named = await cpo.post(f"{TERMINALS}/activate", order, side="SENDER", to=other)

    assert [one.status_code for one in (alone, unclear, named)] == [1000, 4000, 1000]
    assert asked(ptp) == [("POST", f"{TERMINALS}/activate", order)]
    assert asked(other) == asked(ptp)


async def test_without_a_provider_nothing_is_activated_PAY_03(hub, cpo):
    answer = await cpo.post(f"{TERMINALS}/activate", {"reference": "T"}, side="SENDER")

    assert answer.status_code == 4001


async def test_deactivation_goes_to_the_owner_of_the_terminal_PAY_03(hub, cpo, ptp, partners):
    other = await partners.enter_async_context(FakePartner("FR*PT2 PTP", versions=("2.3.0",)))
    await hub.connect(other)
    await ptp.post(TERMINALS, terminal())

    answer = await cpo.post(f"{TERMINALS}/P1/deactivate", side="SENDER")
    unknown = await cpo.post(f"{TERMINALS}/NO/deactivate", side="SENDER")

    assert answer.status_code == 1000
    assert asked(ptp) == [("POST", f"{TERMINALS}/P1/deactivate", None)]
    assert asked(other) == []
    assert (unknown.http_status, unknown.status_code) == (404, 2001)


# Captured payments.


async def test_a_capture_finds_the_cpo_by_its_session_or_cdr_PAY_05_PAY_06(hub, cpo, ptp):
    reference = {"authorization_reference": "pp-100"}
    await cpo.put("sessions/NL/ONE/S1", session(cdr_token=TOKEN, **reference))
    await cpo.post("cdrs", cdr(cdr_token=TOKEN, authorization_reference="pp-200"))

    first = await ptp.post(ADVICE, financial_advice_confirmation())
    by_cdr = financial_advice_confirmation(id="F2", authorization_reference="pp-200")
    second = await ptp.post(ADVICE, by_cdr)
    await hub.deliver()

    assert (first.http_status, second.http_status) == (201, 201)
    assert told(cpo) == [
        ("POST", ADVICE, financial_advice_confirmation()),
        ("POST", ADVICE, by_cdr),
    ]
    assert (await cpo.get(ADVICE)).data == [financial_advice_confirmation(), by_cdr]
    assert (await cpo.get(f"{ADVICE}/F1")).data == financial_advice_confirmation()
    assert (await ptp.get(f"{ADVICE}/F1", side="RECEIVER")).data["id"] == "F1"


async def test_a_capture_for_nobodys_or_somebody_elses_session_tells_no_cpo_PAY_06(
    hub, cpo, ptp, partners
):
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=("2.3.0",)))
    await hub.connect(emsp)
    await cpo.put("sessions/NL/ONE/S1", session(authorization_reference="pp-100"))

    answer = await ptp.post(ADVICE, financial_advice_confirmation())

    assert answer.status_code == 4001
    assert (await ptp.post(ADVICE, financial_advice_confirmation(), to=cpo)).http_status == 201


async def test_a_capture_is_final_PAY_05(hub, cpo, ptp):
    await cpo.put("sessions/NL/ONE/S1", session(cdr_token=TOKEN, authorization_reference="pp-100"))
    await ptp.post(ADVICE, financial_advice_confirmation())

    again = await ptp.post(ADVICE, financial_advice_confirmation())
    other = await ptp.post(ADVICE, financial_advice_confirmation(currency="USD"))
    await hub.deliver()

    assert (again.http_status, again.status_code) == (200, 1000)
    assert (other.http_status, other.status_code) == (200, 2001)
    assert len(told(cpo)) == 1


async def test_captures_are_owed_while_the_cpo_is_away(hub, cpo, ptp):
    await cpo.put("sessions/NL/ONE/S1", session(cdr_token=TOKEN, authorization_reference="pp-100"))
    cpo.away = True
    await ptp.post(ADVICE, financial_advice_confirmation())
    await hub.deliver()
    cpo.away = False
    await hub.retry_now()
    await hub.deliver()

    assert [body["id"] for _, _, body in told(cpo)][-1] == "F1"


async def test_the_forms_of_the_examples_are_read_and_told_as_2_3_0_PAY_08(hub, cpo, ptp):
    await cpo.put("sessions/NL/ONE/S1", session(cdr_token=TOKEN, authorization_reference="pp-100"))
    failed = financial_advice_confirmation(
        total_costs={"excl_vat": 4.0, "incl_vat": 4.4},
        eft_data=ABSENT,
        capture_status_code="FAILED",
    )

    answer = await ptp.post(ADVICE, failed)
    await hub.deliver()

    assert answer.http_status == 201
    [(_, _, body)] = told(cpo)
    assert body["total_costs"] == {
        "before_taxes": 4.0,
        "taxes": [{"name": "VAT", "amount": 0.4}],
    }
    assert "eft_data" not in body


# Who may, and in which version.


async def test_only_a_provider_has_terminals_and_only_its_own_party_speaks_PAY_01(hub, cpo, ptp):
    by_cpo = await cpo.post(TERMINALS, terminal())
    for_others = await ptp.post(TERMINALS, terminal(), from_="NL*ONE")

    assert (by_cpo.http_status, by_cpo.status_code) == (404, 2001)
    assert for_others.http_status == 403


async def test_older_versions_have_no_payments_PAY_01(hub, cpo, ptp, partners):
    older = await partners.enter_async_context(FakePartner("BE*OLD CPO"))
    await hub.connect(older)

    answer = await ptp.post(TERMINALS, terminal(country_code="BE", party_id="OLD"))
    missing = await older.call("GET", f"{hub.url}/ocpi/2.2.1/sender/payments/terminals")

    assert (answer.status_code, "2.2.1" in answer.message) == (4001, True)
    assert (missing.http_status, missing.status_code) == (404, 2001)
    assert not [name for name, _ in older.endpoints if name == "payments"]


async def test_the_party_of_our_own_stations_is_told_like_any_cpo_HUB_07(hub, ptp):
    addressed = await ptp.post(TERMINALS, {"terminal_id": "P1"}, to="NL*OWN")
    named = await ptp.post(TERMINALS, terminal(terminal_id="P2", party_id="OWN"))

    assert (addressed.http_status, named.http_status) == (201, 201)
    assert (await ptp.get(f"{TERMINALS}/P1", side="RECEIVER")).data["terminal_id"] == "P1"


@pytest.mark.parametrize("kind", ["terminal", "advice"])
async def test_what_is_broken_is_2001_and_names_the_field(cpo, ptp, kind):
    path, schema, valid = BREAKABLE[kind]
    broken = [one for one in mutations(schema, valid) if one.what != "missing"]
    assert len(broken) > 20
    for mutation in broken:
        answer = await ptp.post(path, mutation.body)

        assert (answer.http_status, answer.status_code) == (200, 2001), mutation
        assert mutation.field in answer.message, mutation
    assert told(cpo) == []


BREAKABLE = {
    "terminal": (TERMINALS, Terminal, terminal()),
    "advice": (ADVICE, FinancialAdviceConfirmation, financial_advice_confirmation()),
}
