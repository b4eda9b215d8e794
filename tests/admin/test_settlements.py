"""Month close: what parties billed each other, from the hub's own store."""

import csv
import io
from decimal import Decimal

import pytest

from hub.ocpi.versions import same_since
from hub.roaming.store import objects
from hub.roaming.store.writes import Stored
from tests.e2e.test_cdr_checks import cdr
from tests.helpers import documents
from tests.helpers.documents import cdr_token
from tests.helpers.network import change
from tests.helpers.partner import FakePartner

ONE_TWO = "/settlements/2025-06/NL*ONE/DE*TWO"
WRONG = documents.price(4, 0.84)


def billed(name, issued="2025-06-01T09:16:00Z", **fields):
    return cdr(id=name, session_id=f"S-{name}", last_updated=issued, **fields)


def credit(name, credited, issued="2025-06-20T00:00:00Z", **fields):
    back = {"total_cost": documents.price(-4, -0.84)} | fields
    return billed(name, issued, credit=True, credit_reference_id=credited, **back)


@pytest.fixture
def keep(hub, tenant):
    """Keep CDRs as if their owners had posted them, and have them checked."""

    async def keep_all(*cdrs):
        async with hub.database.transaction(tenant.id) as db:
            writes = [change("cdrs", document) for document in cdrs]
            results = await objects.apply(db, writes, same_since=same_since)
        assert all(isinstance(result, Stored) for result in results), results
        await hub.check_cdrs()

    return keep_all


@pytest.fixture
async def june(keep):
    """A right one and a wrong one that was credited and billed anew; in Swedish money, in May and
    for somebody else as well.
    """
    somebody = cdr_token(country_code="FR", party_id="ELS")
    await keep(
        billed("C1"),
        billed("C2", total_cost=WRONG),
        credit("C2-C", "C2"),
        billed("C3", "2025-06-21T00:00:00Z"),
        billed("C4", currency="SEK", tariffs=[documents.tariff(currency="SEK")]),
        billed("C5", "2025-05-31T22:30:00Z"),
        billed("C6", cdr_token=somebody),
    )


async def test_the_list_says_who_billed_whom_how_much(operator, june):
    said = await operator.get("/settlements", month="2025-06")

    shown = [
        (row["recipient"], row["currency"], row["cdrs"], row["credit_cdrs"], row["before_taxes"])
        for row in said.body["items"]
    ]
    assert shown == [
        ("DE*TWO", "EUR", 3, 1, "6.75"),
        ("DE*TWO", "SEK", 1, 0, "3.375"),
        ("FR*ELS", "EUR", 1, 0, "3.375"),
    ]
    assert {row["issuer"] for row in said.body["items"]} == {"NL*ONE"}
    first = said.body["items"][0]
    assert (first["ok"], first["differs"], first["difference"]) == (3, 1, "0.625")


async def test_the_list_can_be_narrowed_to_a_party(operator, june):
    async def pairs(party):
        said = await operator.get("/settlements", month="2025-06", party=party)
        return {row["recipient"] for row in said.body["items"]}

    assert await pairs("FR*ELS") == {"FR*ELS"}
    assert await pairs("NL*ONE") == {"DE*TWO", "FR*ELS"}
    assert await pairs("XX*XXX") == set()


async def test_a_statement_holds_sums_differences_and_every_cdr(operator, june):
    said = (await operator.get(ONE_TWO)).body

    euro, crown = said["totals"]
    assert (euro["currency"], euro["cdrs"], euro["credit_cdrs"]) == ("EUR", 3, 1)
    assert (euro["before_taxes"], euro["after_taxes"], euro["difference"]) == (
        "6.75",
        "8.1676",
        "0.625",
    )
    assert euro["taxes"] == [{"name": "VAT", "percentage": None, "amount": "1.4176"}]
    assert euro["verdicts"] == {"differs": 1, "ok": 3}
    assert crown["before_taxes"] == "3.375"
    assert [entry["id"] for entry in said["cdrs"]] == ["C1", "C2", "C2-C", "C3", "C4"]
    assert said["remarks"] == []


async def test_list_and_statement_have_the_same_sums(operator, june):
    listed = (await operator.get("/settlements", month="2025-06", party="DE*TWO")).body["items"]
    stated = (await operator.get(ONE_TWO)).body["totals"]

    assert listed
    for row, total in zip(listed, stated, strict=True):
        for name in ("before_taxes", "difference"):
            assert Decimal(row[name]) == Decimal(total[name])
        assert (row["cdrs"], row["credit_cdrs"]) == (total["cdrs"], total["credit_cdrs"])


async def test_the_month_begins_at_midnight_of_the_zone(operator, june):
    """C5 was issued in the first half hour of June in Amsterdam, and in May in London."""
    said = await operator.get(ONE_TWO, time_zone="Europe/Amsterdam")

    assert said.body["cdrs"][0]["id"] == "C5"
    may = await operator.get("/settlements/2025-05/NL*ONE/DE*TWO")
    assert [entry["id"] for entry in may.body["cdrs"]] == ["C5"]


async def test_the_same_store_gives_the_same_bytes(hub, operator, june):
    async def read(form):
        url = f"{hub.url}/admin/v1{ONE_TWO}"
        headers = {"Authorization": f"Bearer {operator.key}"}
        async with operator.session.get(url, params={"format": form}, headers=headers) as response:
            assert response.status == 200
            return response.headers, await response.read()

    for form, media_type in (("json", "application/json"), ("csv", "text/csv")):
        (headers, first), (_, second) = await read(form), await read(form)
        assert first == second
        assert headers["Content-Type"].startswith(media_type)
    headers, page = await read("html")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert b"Statement 2025-06: NL*ONE to DE*TWO" in page
    _, table = await read("csv")
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    assert [row["cdr_id"] for row in rows] == ["C1", "C2", "C2-C", "C3", "C4"]


async def test_what_is_not_decided_yet_is_remarked(keep, operator, june):
    await operator.post("/agreements", effect="ALLOW", hold=True, module="cdrs")
    await keep(billed("C7", total_cost=WRONG))
    await operator.post("/cdrs/NL/ONE/C1/notes", dispute="OPEN", note="Never was there")

    said = (await operator.get(ONE_TWO)).body
    [row, *_] = (await operator.get("/settlements", month="2025-06")).body["items"]

    assert [(remark["cdr"], remark["code"]) for remark in said["remarks"]] == [
        ("C1", "disputed"),
        ("C7", "held"),
    ]
    assert (row["held"], row["disputed"]) == (1, 1)


async def test_a_credit_of_the_month_before_is_linked(keep, operator):
    await keep(billed("C1", "2025-05-20T00:00:00Z", total_cost=WRONG), credit("C1-C", "C1"))
    await keep(credit("C9-C", "C9"))

    said = (await operator.get(ONE_TWO)).body

    assert [(remark["cdr"], remark["code"]) for remark in said["remarks"]] == [
        ("C9-C", "credits_unknown")
    ]


async def test_a_clock_that_is_ahead_moves_nothing_into_a_month_to_come(keep, operator):
    await keep(billed("C1", "2099-01-01T00:00:00Z"))

    assert (await operator.get("/settlements/2099-01/NL*ONE/DE*TWO")).status == 404
    assert (await operator.get("/settlements", month="2099-01")).body == {"items": []}


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/settlements", {"month": "2025-13"}, "month"),
        ("/settlements", {"month": "2025-06", "time_zone": "Mars/Phobos"}, "time_zone"),
        ("/settlements/june/NL*ONE/DE*TWO", {}, "month"),
        ("/settlements/2025-06/ONE/DE*TWO", {}, "issuer"),
        (ONE_TWO, {"format": "pdf"}, "format"),
        (ONE_TWO, {"time_zone": "../../etc/passwd"}, "time_zone"),
    ],
)
async def test_odd_questions_get_a_clear_answer(operator, path, query, field):
    said = await operator.get(path, **query)

    assert (said.status, said.error["field"]) == (400, field)


async def test_a_month_in_which_nothing_was_billed_has_no_statement(operator):
    said = await operator.get(ONE_TWO)

    assert (said.status, said.error["next"]) == (404, "hub settlement list 2025-06")


OWN = {"country_code": "NL", "party_id": "OWN"}
OWN_TWO = "/settlements/2025-06/NL*OWN/DE*TWO"


@pytest.fixture
async def payer(hub, stack):
    """DE*TWO, an eMSP that speaks 2.3.0."""
    partner = await stack.enter_async_context(FakePartner("DE*TWO EMSP", versions=("2.3.0",)))
    await hub.connect(partner)
    return partner


def records(partner):
    return [push.body for push in partner.received if "invoicereconciliation" in push.path]


async def test_own_invoices_are_told_with_the_cdrs_of_the_statement(hub, payer, keep, operator):
    """INV-02, INV-04: one record per currency, the same CDRs; what changed is told again."""
    await keep(billed("C1", **OWN), billed("C2", currency="SEK", **OWN))
    number = {"invoices": {"EUR": "2025-0017"}}

    first = await operator.post(f"{OWN_TWO}/reconciliation", **number)
    await hub.deliver()
    again = await operator.post(f"{OWN_TWO}/reconciliation", **number)
    await keep(billed("C3", **OWN))
    later = await operator.post(f"{OWN_TWO}/reconciliation", **number)
    await hub.deliver()

    told = {record["id"]: (record["invoice_id"], record["cdrs"]) for record in records(payer)}
    assert told == {
        "NLOWN-DETWO-2025-06-EUR": ("2025-0017", ["C1", "C3"]),
        "NLOWN-DETWO-2025-06-SEK": ("NLOWN-DETWO-2025-06-SEK", ["C2"]),
    }
    outcomes = [[item["outcome"] for item in said.body["items"]] for said in (first, again, later)]
    assert outcomes == [["created"] * 2, ["unchanged"] * 2, ["changed", "unchanged"]]
    stated = (await operator.get(OWN_TWO)).body
    assert [entry["id"] for entry in stated["cdrs"]] == ["C1", "C3", "C2"]


async def test_only_own_invoices_can_be_told_and_only_to_who_reads_them(emsp, keep, operator):
    """INV-07: a 2.2.1 partner has no such module."""
    await keep(billed("C1"), billed("C2", **OWN))

    foreign = await operator.post(f"{ONE_TWO}/reconciliation")
    older = await operator.post(f"{OWN_TWO}/reconciliation")

    assert (foreign.status, older.status) == (400, 409)
    assert "not the party of this network" in foreign.error["message"]
    assert "has no InvoiceReconciliationRecord" in older.error["message"]
