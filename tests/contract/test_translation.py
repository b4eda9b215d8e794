"""Between 2.2.1 and 2.3.0: nothing is lost on the way up, and what is lost on the way down is told.

The documents in ``tests/data`` hold every field of their class; each in 2.2.1 is what a partner of
that version gets of the one in 2.3.0.
"""

import json
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marshmallow import fields

from hub.ocpi.schemas.compiled import validator
from hub.ocpi.versions import VERSIONS, same_since
from hub.ocpi.versions.base import Loss, NotExpressible
from tests.contract.generated import documents
from tests.helpers import documents as own

NEW, OLD = VERSIONS["2.3.0"], VERSIONS["2.2.1"]
DATA = Path(__file__).parents[1] / "data"
FILES = {
    "Location": "location",
    "Tariff": "tariff",
    "Session": "session",
    "CDR": "cdr",
    "Token": "token",
    "Credentials": "credentials",
}
LOSSES = {
    "Location": {
        "evses/0/connectors/0/capabilities",
        "evses/0/connectors/1",
        "evses/0/capabilities",
        "evses/0/parking_restrictions",
        "evses/0/parking",
        "evses/0/accepted_service_providers",
        "evses/1/connectors/0",
        "evses/1",
        "publish_allowed_to/1/type",
        "operator/logo/category",
        "facilities",
        "energy_mix/environ_impact/1",
        "parking_places",
        "help_phone",
    },
    "Tariff": {
        "tax_included",
        "elements/0/price_components/1/price",
        "energy_mix/environ_impact/0",
        "elements/2",
        "preauthorize_amount",
    },
    "Session": {"cdr_token/type", "total_cost/taxes"},
    "CDR": {
        "tariffs/0",
        "total_reservation_cost/taxes",
        "booking_id",
        "charging_periods/0/dimensions/2",
    },
    "Token": {"type"},
    "Credentials": {"roles", "roles/0/business_details/logo/category"},
}
TRANSLATED = [*FILES, "EVSE", "Connector", "AuthorizationInfo", "ReserveNow", "StartSession"]
UNTOUCHED = ["ClientInfo", "CommandResult", "SetChargingProfile", "CancelReservation"]

kinds = pytest.mark.parametrize("kind", FILES)
generously = settings(
    max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


def document(version, kind):
    return json.loads((DATA / f"ocpi-{version}" / f"{FILES[kind]}.json").read_text())


def is_exact(version, kind, body):
    return validator(version.schemas[kind], exact=True, partial=False).is_valid(body)


def seen(schema, value):
    """The class and name of every field that a document gives, and of every field it could."""
    given, possible = set(), set()
    for name, field in schema().fields.items():
        possible.add((schema.__name__, name))
        if value.get(name) is None:
            continue
        given.add((schema.__name__, name))
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            for item in value[name] if isinstance(value[name], list) else [value[name]]:
                deeper, further = seen(inner.nested, item)
                given |= deeper
                possible |= further
    return given, possible


def test_the_documents_of_our_own_have_every_field_of_their_classes():
    found = [seen(NEW.schemas[kind], document("2.3.0", kind)) for kind in FILES]

    assert set().union(*(given for given, _ in found)) == set().union(*(all_ for _, all_ in found))


@kinds
def test_a_partner_of_2_2_1_gets_what_it_can_express_and_the_rest_is_told(kind):
    canonical = document("2.3.0", kind)
    assert is_exact(NEW, kind, canonical)
    before = deepcopy(canonical)
    losses = []

    body = OLD.downgrade(kind, canonical, losses)

    assert body == document("2.2.1", kind)
    assert is_exact(OLD, kind, body)
    assert {loss.path for loss in losses} == LOSSES[kind]
    assert all(loss.reason for loss in losses)
    assert canonical == before, "a translator never changes what it is given"


@kinds
def test_a_document_of_2_2_1_comes_back_as_it_was(kind):
    body = document("2.2.1", kind)
    before, losses = deepcopy(body), []

    canonical = OLD.read(kind, body)

    assert OLD.downgrade(kind, canonical, losses) == before == body
    assert losses == []
    if kind != "Credentials":  # a hub's only role has no place among the roles of 2.3.0
        assert is_exact(NEW, kind, canonical)


@pytest.mark.parametrize("kind", TRANSLATED + UNTOUCHED)
@generously
@given(data=st.data())
def test_any_document_of_2_2_1_comes_back_as_it_was(kind, data):
    body = data.draw(documents(OLD.schemas[kind]), "body")
    before, losses = deepcopy(body), []

    canonical = OLD.upgrade(kind, body, losses)

    assert OLD.downgrade(kind, canonical, losses) == before == body
    assert losses == []
    if kind not in {"Credentials", "ClientInfo"}:
        assert is_exact(NEW, kind, canonical)


@pytest.mark.parametrize("kind", [kind for kind in TRANSLATED if kind != "Credentials"])
@generously
@given(data=st.data())
def test_any_patch_of_2_2_1_comes_back_as_it_was(kind, data):
    body = data.draw(documents(OLD.schemas[kind], partial=True, tolerated=True), "body")
    told = {name for name in body if not name.startswith("x_")}

    canonical = OLD.read(kind, body, partial=True)
    again = OLD.downgrade(kind, canonical)

    assert told == {name for name in again if not name.startswith("x_")}
    NEW.check(kind, canonical, partial=True)


@pytest.mark.parametrize("kind", TRANSLATED)
@generously
@given(data=st.data())
def test_any_canonical_document_is_valid_in_2_2_1_or_not_sent_at_all(kind, data):
    canonical = data.draw(documents(NEW.schemas[kind]), "document")
    before, losses = deepcopy(canonical), []

    try:
        body = OLD.downgrade(kind, canonical, losses)
    except NotExpressible:
        return

    assert canonical == before
    assert is_exact(OLD, kind, body)
    strangers = {key: value for key, value in canonical.items() if key.startswith("x_")}
    assert {key: value for key, value in body.items() if key.startswith("x_")} == strangers
    if not losses and kind != "Credentials":
        assert without_empty_taxes(OLD.upgrade(kind, body)) == without_empty_taxes(canonical)


def without_empty_taxes(value):
    if isinstance(value, dict):
        return {
            name: without_empty_taxes(member)
            for name, member in value.items()
            if not (name == "taxes" and member == [])
        }
    return [without_empty_taxes(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ({"excl_vat": 1}, {"before_taxes": 1}),
        (
            {"excl_vat": 1.0, "incl_vat": 1.21},
            {"before_taxes": 1.0, "taxes": [{"name": "VAT", "amount": 0.21}]},
        ),
        (
            {"excl_vat": 0.1, "incl_vat": 0.3},
            {"before_taxes": 0.1, "taxes": [{"name": "VAT", "amount": 0.2}]},
        ),
        (
            {"excl_vat": 5, "incl_vat": 5},
            {"before_taxes": 5, "taxes": [{"name": "VAT", "amount": 0}]},
        ),
        (
            {"excl_vat": -8.25, "incl_vat": -9.9825, "note": "credit"},
            {
                "before_taxes": -8.25,
                "taxes": [{"name": "VAT", "amount": -1.7325}],
                "note": "credit",
            },
        ),
    ],
)
def test_the_difference_of_prices_with_and_without_vat_is_one_exact_tax(price, expected):
    session = own.session(version="2.2.1", total_cost=price)

    canonical = OLD.read("Session", session)

    assert canonical["total_cost"] == expected
    assert OLD.downgrade("Session", canonical) == session


def test_prices_too_far_apart_for_one_number_still_come_back():
    price = {"excl_vat": 10**15, "incl_vat": 1e-5}
    session = own.session(version="2.2.1", total_cost=price)

    assert OLD.downgrade("Session", OLD.read("Session", session))["total_cost"] == price


def test_several_taxes_become_one_sum():
    taxes = [{"name": "GST", "amount": 0.1}, {"name": "PST", "amount": 0.2}]
    losses = []

    body = OLD.downgrade(
        "Session", own.session(total_cost={"before_taxes": 1, "taxes": taxes}), losses
    )

    assert body["total_cost"] == {"excl_vat": 1, "incl_vat": 1.3}
    assert losses == [Loss("total_cost/taxes", "this version knows one VAT only")]


def components(*prices):
    return [
        {
            "price_components": [
                {"type": "ENERGY", "price": price, "step_size": 1}
                | ({} if vat is None else {"vat": vat})
                for price, vat in prices
            ]
        }
    ]


def test_prices_that_include_tax_are_said_without_it():
    """BRIDGE, Tariff: YES is price/(1+vat/100) when every component has vat."""
    tariff = own.tariff(tax_included="YES", elements=components((1.21, 21), (0.5, 0), (0.333, 19)))
    losses = []

    [element] = OLD.downgrade("Tariff", tariff, losses)["elements"]

    assert [c["price"] for c in element["price_components"]] == [1, 0.5, 0.2798]
    assert [c["vat"] for c in element["price_components"]] == [21, 0, 19]
    assert [loss.path for loss in losses] == [
        "tax_included",
        "elements/0/price_components/2/price",
    ]


def test_an_element_for_bookings_is_left_out_whole_and_with_the_last_one_the_tariff():
    """Without its restriction the element would always apply."""
    for_bookings = {**components((5, 21))[0], "restrictions": {"booking": "BOOKING"}}
    always = components((0.4, 21))[0]

    body = OLD.downgrade("Tariff", own.tariff(elements=[for_bookings, always]))

    assert body["elements"] == [always]
    with pytest.raises(NotExpressible, match="nothing is left of elements"):
        OLD.downgrade("Tariff", own.tariff(elements=[for_bookings]))


def test_a_charging_period_never_loses_its_last_dimension():
    period = own.charging_period(dimensions=[{"type": "RESERVATION_EXPIRES", "volume": 1}])

    [older] = OLD.downgrade("Session", own.session(charging_periods=[period]))["charging_periods"]

    assert older["dimensions"] == [{"type": "TIME", "volume": 0}]


@pytest.mark.parametrize("vat", [None, -100, -250])
def test_a_tariff_whose_net_prices_nobody_knows_is_not_sent(vat):
    tariff = own.tariff(tax_included="YES", elements=components((1.21, 21), (0.5, vat)))

    with pytest.raises(NotExpressible, match="not every component names its VAT"):
        OLD.downgrade("Tariff", tariff)


def test_such_a_tariff_does_not_hold_back_the_cdr_that_has_it():
    """The record is owed; only its copy of the tariff cannot be said."""
    bad = own.tariff(id="T2", tax_included="YES", elements=components((0.5, None)))
    losses = []

    body = OLD.downgrade("CDR", own.cdr(tariffs=[own.tariff(), bad]), losses)

    assert [tariff["id"] for tariff in body["tariffs"]] == ["T1"]
    assert [loss.path for loss in losses] == ["tariffs/1"]


def test_where_no_taxes_apply_no_vat_is_named():
    tariff = own.tariff(tax_included="N/A", elements=components((0.5, 21), (0.6, None)))

    [element] = OLD.downgrade("Tariff", tariff)["elements"]

    assert [sorted(c) for c in element["price_components"]] == [["price", "step_size", "type"]] * 2


def test_a_tariff_of_2_2_1_excludes_tax_whatever_else_it_says():
    """TAR-08: 2.2.1 prices exclude VAT; a member that 2.2.1 does not have changes nothing."""
    losses = []

    canonical = OLD.upgrade("Tariff", own.tariff(version="2.2.1", tax_included="YES"), losses)

    assert canonical["tax_included"] == "NO"
    assert [loss.path for loss in losses] == ["tax_included"]


def test_a_location_whose_every_evse_is_inexpressible_is_not_sent():
    megawatt = own.evse(connectors=[own.connector(standard="MCS")])

    with pytest.raises(NotExpressible, match="nothing is left of evses"):
        OLD.downgrade("Location", own.location(evses=[megawatt]))
    with pytest.raises(NotExpressible, match="nothing is left of connectors"):
        OLD.downgrade("EVSE", megawatt)
    with pytest.raises(NotExpressible, match="MCS"):
        OLD.downgrade("Connector", own.connector(standard="MCS"))


def test_a_location_without_evses_is_sent_without_evses():
    for evses in (own.ABSENT, [], None):
        older = OLD.downgrade("Location", own.location(evses=evses))

        assert older.get("evses") == (None if evses is own.ABSENT else evses)


def test_a_cdr_keeps_to_the_truth_about_its_connector():
    cdr = own.cdr()
    cdr["cdr_location"] |= {"connector_standard": "MCS"}

    with pytest.raises(NotExpressible, match="MCS"):
        OLD.downgrade("CDR", cdr)


def test_members_sent_ahead_of_their_version_stay_if_they_mean_the_same():
    sensible = own.location(version="2.2.1", help_phone="+31301234567", parking_places=None)
    senseless = own.location(version="2.2.1", help_phone=["ask", "inside"])
    losses = []

    assert OLD.upgrade("Location", sensible, losses)["help_phone"] == "+31301234567"
    assert "parking_places" not in OLD.upgrade("Location", sensible, losses)
    assert losses == []
    assert "help_phone" not in OLD.upgrade("Location", senseless, losses)
    assert [loss.path for loss in losses] == ["help_phone"]


def test_members_with_names_of_the_other_version_do_not_confuse_a_price():
    losses = []
    price = {"excl_vat": 1, "before_taxes": 2, "taxes": "none"}
    limit = {"excl_vat": 1, "before_taxes": 2}

    session = OLD.upgrade("Session", own.session(version="2.2.1", total_cost=price), losses)
    tariff = OLD.upgrade("Tariff", own.tariff(version="2.2.1", min_price=limit), losses)

    assert session["total_cost"] == tariff["min_price"] == {"before_taxes": 1}
    assert {loss.path for loss in losses} == {
        "total_cost/before_taxes",
        "total_cost/taxes",
        "min_price/before_taxes",
    }


def test_a_hub_of_2_2_1_is_a_hub_party_of_2_3_0():
    """AMB-20: 2.2.1 shows role HUB, 2.3.0 shows hub_party_id and the parties it can reach."""
    hub, cpo = (
        {"role": role, "business_details": {"name": role}, "country_code": "NL", "party_id": party}
        for role, party in (("HUB", "HUB"), ("CPO", "ONE"))
    )
    for roles in ([hub], [cpo, hub], [hub, cpo]):
        body = own.credentials(roles=roles)

        canonical = OLD.read("Credentials", body)

        assert canonical["hub_party_id"] == "NLHUB"
        assert canonical["roles"] == [role for role in roles if role is not hub]
        assert OLD.downgrade("Credentials", canonical) == body


@pytest.mark.parametrize("change", [{"total_cost": None}, {"charging_periods": None}, {"kwh": 3}])
def test_a_patch_is_translated_without_inventing_members(change):
    patch = change | {"last_updated": own.MOMENT}

    assert OLD.downgrade("Session", OLD.read("Session", patch, partial=True)) == patch


def test_a_patch_of_a_tariff_says_nothing_of_taxes_unless_it_has_prices():
    patch = {"currency": "EUR", "last_updated": own.MOMENT}

    assert OLD.read("Tariff", patch, partial=True) == patch
    assert NEW.read("Tariff", patch, partial=True) == patch


@pytest.mark.parametrize(
    ("kind", "canonical", "expected"),
    [
        ("Token", own.token(), "2.2.1"),
        ("Token", own.token(type="EMAID"), "2.3.0"),
        ("Location", own.location(version="2.2.1"), "2.2.1"),
        ("Location", own.location(), "2.3.0"),
        ("Connector", own.connector(standard="MCS"), "2.3.0"),
        ("Tariff", own.tariff(), "2.3.0"),
        ("Session", own.session(), "2.3.0"),
        ("Session", own.session(total_cost=own.ABSENT), "2.2.1"),
    ],
)
def test_it_is_known_since_when_a_document_reads_the_same(kind, canonical, expected):
    assert same_since(kind, canonical) == expected
