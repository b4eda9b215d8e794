"""Statements of a month between two parties."""

import csv
import io
import json
import random
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from hub.models.values import Party
from hub.roaming.pricing.quantities import Unreadable
from hub.roaming.settlement.settlement import Checked, key, reconciliation, statements
from hub.roaming.settlement.statements import as_csv, as_html, as_json

JUNE = "2025-06"


def bill(name, before=10, tax=2, **fields):
    """A CDR of 20 kWh in an hour, of NL*ONE for DE*TWO, issued in June."""
    cost = {"before_taxes": before}
    if tax is not None:
        cost["taxes"] = [{"name": "VAT", "percentage": 20, "amount": tax}] if tax else []
    record = {
        "country_code": "NL",
        "party_id": "ONE",
        "id": name,
        "session_id": f"S-{name}",
        "start_date_time": "2025-06-10T08:00:00Z",
        "end_date_time": "2025-06-10T09:00:00Z",
        "cdr_token": {"country_code": "DE", "party_id": "TWO", "contract_id": "DE-TWO-C1"},
        "cdr_location": {"id": "L1"},
        "currency": "EUR",
        "total_cost": cost,
        "total_energy": 20,
        "total_time": 1,
        "last_updated": "2025-06-10T09:05:00Z",
    }
    return record | fields


def credit(name, of, before=-10, tax=-2, **fields):
    return bill(name, before, tax, credit=True, credit_reference_id=of, **fields)


def one(*cdrs, **options):
    [found] = statements(cdrs, JUNE, **options)
    return found


def test_a_statement_adds_up_what_was_billed():
    found = one(bill("A", 10, 2), bill("B", 5.55, 1.11), bill("C", 0.001, 0))

    [total] = found.totals
    assert (found.issuer, found.recipient) == (Party("NL", "ONE"), Party("DE", "TWO"))
    assert (total.cdrs, total.credits, total.energy, total.hours) == (3, 0, 60, 3)
    assert total.before == Decimal("15.551")
    assert total.after == Decimal("18.661")
    assert [(tax.name, tax.percentage, tax.amount) for tax in total.taxes] == [
        ("VAT", 20, Decimal("3.11"))
    ]


def test_each_pair_of_parties_has_its_own():
    other = {"country_code": "DE", "party_id": "OTH", "contract_id": "X"}
    cdrs = [
        bill("A"),
        bill("B", party_id="OTH"),
        bill("C", cdr_token=other),
        bill("a", party_id="oth"),
    ]

    found = statements(cdrs, JUNE)

    assert [(str(item.issuer), str(item.recipient), len(item.entries)) for item in found] == [
        ("NL*ONE", "DE*OTH", 1),
        ("NL*ONE", "DE*TWO", 1),
        ("NL*OTH", "DE*TWO", 2),
    ]


def test_a_cdr_belongs_to_the_month_in_which_it_was_issued():
    """In the time zone of the statement: 22:30 UTC on 31 May is June in Amsterdam."""
    cdrs = [
        bill("MAY", last_updated="2025-05-31T21:59:59Z"),
        bill("EDGE", last_updated="2025-05-31T22:30:00Z"),
        bill("JUNE", last_updated="2025-06-30T21:59:59Z"),
        bill("JULY", last_updated="2025-06-30T22:00:00Z"),
    ]

    local = one(*cdrs, time_zone="Europe/Amsterdam")
    universal = one(*cdrs)

    assert [item.id for item in local.entries] == ["EDGE", "JUNE"]
    assert [item.id for item in universal.entries] == ["JUNE", "JULY"]


def test_a_credit_takes_back_amount_tax_and_energy():
    """CDR-06: and the corrected CDR takes its place."""
    found = one(bill("A"), credit("A-C", "A"), bill("A2", 8, 1.6))

    [total] = found.totals
    assert (total.cdrs, total.credits) == (2, 1)
    assert (total.before, total.after) == (8, Decimal("9.6"))
    assert (total.energy, total.hours) == (20, 1)
    assert total.taxes[0].amount == Decimal("1.6")
    assert found.remarks == ()


def test_a_credit_of_an_earlier_month_is_linked_to_it():
    may = bill("A", last_updated="2025-05-10T09:00:00Z")

    linked = one(credit("A-C", "a"), earlier=[may])
    alone = one(credit("A-C", "A"))

    assert linked.remarks == ()
    assert [remark.code for remark in alone.remarks] == ["credits_unknown"]
    assert linked.totals[0].before == -10


def test_odd_credits_are_remarked_and_added_up_all_the_same():
    found = one(
        bill("A"),
        credit("C1", "A", -9, -1.8),
        credit("C2", "A", last_updated="2025-06-20T09:00:00Z"),
    )

    assert [(remark.cdr, remark.code) for remark in found.remarks] == [
        ("C1", "credits_other_amount"),
        ("C2", "credited_twice"),
    ]
    assert found.totals[0].before == -9


def test_currencies_are_never_added():
    found = one(bill("A"), bill("B", currency="SEK", before=100, tax=25), bill("C", currency="eur"))

    assert [(total.currency, total.cdrs, total.before) for total in found.totals] == [
        ("EUR", 2, 20),
        ("SEK", 1, 100),
    ]


def test_taxes_that_are_not_stated_make_the_total_unknown():
    """Not zero."""
    [total] = one(bill("A"), bill("B", tax=None)).totals

    assert (total.after, total.without_taxes, total.before) == (None, 1, 20)
    assert total.taxes[0].amount == 2


def test_taxes_are_added_by_name_and_rate():
    taxes = [
        {"name": "GST", "percentage": 5, "amount": 0.5},
        {"name": "QST", "percentage": 9.975, "amount": 1},
        {"name": "GST", "amount": 0.1},
        {"name": "GST", "percentage": 5.0, "amount": 0.2},
        {"name": "GST", "percentage": 0, "amount": 0},
    ]
    [total] = one(bill("A", total_cost={"before_taxes": 10, "taxes": taxes})).totals

    assert [(tax.name, tax.percentage, str(tax.amount)) for tax in total.taxes] == [
        ("GST", 5, "0.7"),
        ("GST", 0, "0"),
        ("GST", None, "0.1"),
        ("QST", Decimal("9.975"), "1"),
    ]


def test_a_2_2_1_cdr_has_vat_of_unknown_rate():
    [total] = one(bill("A", total_cost={"excl_vat": 10, "incl_vat": 12.1})).totals

    assert (total.before, total.after) == (10, Decimal("12.1"))
    assert [(tax.percentage, tax.amount) for tax in total.taxes] == [(None, Decimal("2.1"))]


def test_the_same_cdr_twice_counts_once_and_another_with_its_id_is_left_out():
    again = one(bill("A"), bill("A"))
    conflict = one(bill("A"), bill("a", 99))

    assert (again.totals[0].before, again.remarks) == (10, ())
    assert conflict.totals[0].cdrs == 1
    assert [remark.code for remark in conflict.remarks] == ["conflict"]


def test_verdicts_are_counted_and_differences_added():
    checks = {
        key(bill("A")): Checked("ok"),
        key(bill("B")): Checked("differs", Decimal("0.5")),
        key(bill("C")): Checked("differs", Decimal("-0.2")),
    }

    [total] = one(bill("A"), bill("B"), bill("C"), bill("D"), checks=checks).totals

    assert total.verdicts == (("differs", 2), ("ok", 1), ("unchecked", 1))
    assert total.difference == Decimal("0.3")


@pytest.mark.parametrize(
    "broken",
    [
        {"last_updated": None},
        {"last_updated": "soon"},
        {"total_cost": None},
        {"total_cost": {}},
        {"total_cost": {"before_taxes": 1, "taxes": [{"name": "VAT"}]}},
        {"total_energy": "much"},
        {"cdr_token": None},
        {"party_id": ""},
    ],
)
def test_a_cdr_that_cannot_be_settled_is_refused(broken):
    with pytest.raises(Unreadable):
        statements([bill("A") | broken], JUNE)


def everything():
    """A statement with a bit of everything, some of it hostile."""
    cdrs = [
        bill("A"),
        credit("A-C", "A"),
        bill("=1+1", 7.125, 1.425, session_id="@SUM(A1)"),
        bill("B", 100, 25, currency="SEK"),
        bill("<script>", tax=None, cdr_location={"id": '"><img src=x onerror=alert(1)>'}),
        bill("N", 3, 0, cdr_token=bill("A")["cdr_token"] | {"contract_id": " -2+3"}),
    ]
    return cdrs, {key(cdrs[2]): Checked("differs", Decimal("0.125"))}


@pytest.mark.parametrize("write", [as_json, as_csv, as_html])
def test_the_same_cdrs_give_the_same_bytes_in_any_order(write):
    cdrs, checks = everything()
    shuffled = [dict(reversed(list(cdr.items()))) for cdr in cdrs]
    random.Random(1).shuffle(shuffled)

    assert write(one(*cdrs, checks=checks)) == write(one(*shuffled, checks=checks))


def test_json_holds_totals_and_every_cdr():
    cdrs, checks = everything()

    found = json.loads(as_json(one(*cdrs, checks=checks)))

    euro, krona = found["totals"]
    assert euro == {
        "currency": "EUR",
        "cdrs": 4,
        "credit_cdrs": 1,
        "energy_kwh": "60",
        "hours": "3",
        "before_taxes": "20.125",
        "taxes": [{"name": "VAT", "percentage": "20", "amount": "1.425"}],
        "after_taxes": None,
        "cdrs_without_taxes": 1,
        "verdicts": {"differs": 1, "unchecked": 4},
        "difference": "0.125",
    }
    assert krona["before_taxes"] == "100.00"
    assert [item["id"] for item in found["cdrs"]] == ["<script>", "=1+1", "A", "A-C", "N", "B"]
    assert found["cdrs"][3]["before_taxes"] == "-10.00"
    assert found["cdrs"][3]["credits"] == "A"


def test_csv_is_harmless_to_spreadsheets():
    """T-26: what a partner writes is never computed; numbers stay numbers."""
    cdrs, checks = everything()

    text = as_csv(one(*cdrs, checks=checks)).decode()

    rows = {row["cdr_id"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}
    assert set(rows) == {"'=1+1", "A", "A-C", "<script>", "N", "B"}
    assert rows["'=1+1"]["session_id"] == "'@SUM(A1)"
    assert rows["N"]["contract_id"] == "' -2+3"
    assert rows["A-C"]["before_taxes"] == "-10.00"
    assert rows["A-C"]["energy_kwh"] == "-20"
    assert (rows["A"]["taxes"], rows["<script>"]["taxes"]) == ("2.00", "")
    assert rows["'=1+1"]["difference"] == "0.125"
    assert text.endswith("\r\n")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, attrs))

    def handle_data(self, data):
        self.text.append(data)


def test_html_stands_for_itself_and_escapes_everything():
    cdrs, checks = everything()
    page = Tags()

    page.feed(as_html(one(*cdrs, checks=checks)).decode())

    tags = {tag for tag, _ in page.found}
    assert tags <= {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p"} | {
        *("table", "thead", "tbody", "tr", "th", "td")
    }
    assert not {name for _, attrs in page.found for name, _ in attrs} & {"src", "href", "onerror"}
    assert "<script>" in page.text
    assert "Statement 2025-06: NL*ONE to DE*TWO" in page.text
    assert "A-C (credits A)" in page.text
    assert "20.125" in page.text


def test_html_shows_remarks():
    page = as_html(one(credit("A-C", "A"))).decode()

    assert "The CDR it credits is not known." in page


def test_reconciliation_records_cover_the_same_cdrs():
    """INV-04: one per currency, and as immutable as the statement."""
    cdrs, _ = everything()
    found = one(*cdrs)

    records = reconciliation(found, invoice_ids={"EUR": "2025-0815"})

    assert records == [
        {
            "country_code": "NL",
            "party_id": "ONE",
            "id": "NLONE-DETWO-2025-06-EUR",
            "invoice_id": "2025-0815",
            "cdrs": ["<script>", "=1+1", "A", "A-C", "N"],
            "last_updated": "2025-06-10T09:05:00Z",
        },
        {
            "country_code": "NL",
            "party_id": "ONE",
            "id": "NLONE-DETWO-2025-06-SEK",
            "invoice_id": "NLONE-DETWO-2025-06-SEK",
            "cdrs": ["B"],
            "last_updated": "2025-06-10T09:05:00Z",
        },
    ]


def test_a_month_without_cdrs_has_no_statement():
    assert statements([], JUNE) == []
    assert statements([bill("A")], "2025-07") == []
