"""Invoice reconciliation (OCPI 2.3.0): which CDRs an invoice covers, told to the other side."""

import pytest
from sqlalchemy import select

from hub.errors import InvalidRequest, UnknownReceiver
from hub.keys import DIRECTORY, INTAKE
from hub.models.feed import QuarantinedObject
from hub.models.tenants import Tenant
from hub.models.values import Party
from hub.ocpi.schemas.invoicereconciliation import InvoiceReconciliationRecord
from hub.roaming.settlement import invoicing
from tests.contract.mutations import mutations
from tests.helpers import faults
from tests.helpers.documents import cdr, cdr_token, invoice_reconciliation
from tests.helpers.partner import FakePartner

MODULE = "invoicereconciliation"
PATH = f"{MODULE}/NL/ONE/R1"
EMSP = {"country_code": "DE", "party_id": "TWO"}


@pytest.fixture
async def cpo(hub, partners):
    partner = await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=("2.3.0",)))
    await hub.connect(partner)
    return partner


@pytest.fixture
async def emsp(hub, cpo, partners):
    """DE*TWO, to whom NL*ONE has billed the CDR C1."""
    partner = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=("2.3.0",)))
    await hub.connect(partner)
    assert (await cpo.post("cdrs", cdr())).status_code == 1000
    return partner


def told(partner):
    return [
        (push.method, push.path, push.body and push.body["invoice_id"])
        for push in partner.received
        if push.module == MODULE
    ]


async def test_a_new_record_is_posted_to_whom_the_cdrs_were_billed_INV_02_HUB_35(hub, cpo, emsp):
    record = invoice_reconciliation()

    answer = await cpo.post(MODULE, record)
    await hub.deliver()

    assert (answer.http_status, answer.status_code) == (201, 1000)
    assert (await cpo.get(answer.headers["Location"])).data == record
    [push] = [push for push in emsp.received if push.module == MODULE]
    assert (push.method, push.path, push.body) == ("POST", MODULE, record)
    assert push.headers["OCPI-to-party-id"] == "TWO"
    assert push.headers["OCPI-from-party-id"] == "ONE"


async def test_what_changes_is_put_and_what_was_wrong_is_deleted_INV_02(hub, cpo, emsp):
    await cpo.post(MODULE, invoice_reconciliation())
    await hub.deliver()

    later = {"last_updated": "2025-07-02T08:00:00Z"}
    put = await cpo.put(PATH, invoice_reconciliation(invoice_id="CHANGED", **later))
    await hub.deliver()
    gone = await cpo.delete(PATH)
    await hub.deliver()

    assert (put.http_status, gone.status_code) == (200, 1000)
    assert told(emsp) == [
        ("POST", MODULE, "2025-06-0001"),
        ("PUT", PATH, "CHANGED"),
        ("DELETE", PATH, None),
    ]
    assert (await cpo.get(PATH, side="RECEIVER")).http_status == 404
    assert (await emsp.get(MODULE)).data == []


async def test_reverse_billing_goes_to_the_cpo_whose_cdrs_they_are_INV_01(hub, cpo, emsp):
    record = invoice_reconciliation(**EMSP, cdrs=["c1"])

    answer = await emsp.post(MODULE, record)
    await hub.deliver()

    assert answer.http_status == 201
    assert told(cpo) == [("POST", MODULE, "2025-06-0001")]
    assert told(emsp) == []
    assert (await cpo.get(MODULE)).data == [record]


async def test_the_issuers_lists_are_for_the_two_parties_only_INV_02(hub, cpo, emsp, partners):
    stranger = await partners.enter_async_context(FakePartner("FR*ZZZ EMSP", versions=("2.3.0",)))
    await hub.connect(stranger)
    await cpo.post(MODULE, invoice_reconciliation())

    assert (await emsp.get(MODULE)).data == [invoice_reconciliation()]
    assert (await stranger.get(MODULE)).data == []
    dated = await emsp.get(MODULE, params={"date_to": "2025-07-01T08:00:00Z"})
    assert (dated.data, dated.headers["X-Total-Count"]) == ([], "0")
    assert (await stranger.get(PATH, side="RECEIVER")).http_status == 404
    assert (await emsp.get(PATH, side="RECEIVER")).data == invoice_reconciliation()


async def test_posted_twice_is_fine_and_with_other_content_it_is_not_INV_05(hub, cpo, emsp):
    await cpo.post(MODULE, invoice_reconciliation())

    again = await cpo.post(MODULE, invoice_reconciliation())
    other = await cpo.post(MODULE, invoice_reconciliation(invoice_id="ANOTHER"))

    assert (again.http_status, again.status_code) == (200, 1000)
    assert (other.http_status, other.status_code) == (200, 2001)
    assert "PUT" in other.message
    assert [one["invoice_id"] for one in (await emsp.get(MODULE)).data] == ["2025-06-0001"]


async def test_a_put_of_what_is_unknown_creates_it_INV_05(hub, cpo, emsp):
    answer = await cpo.put(PATH, invoice_reconciliation())
    await hub.deliver()

    assert answer.http_status == 201
    assert told(emsp) == [("POST", MODULE, "2025-06-0001")]


async def test_a_receiver_that_missed_the_first_or_knows_it_is_told_the_other_way(hub, cpo, emsp):
    """Who was away when it was new gets it by POST, who has it already by PUT."""
    emsp.fail(faults.unavailable(), on="invoicereconciliation")
    await cpo.post(MODULE, invoice_reconciliation())
    later = {"last_updated": "2025-07-02T08:00:00Z"}
    await cpo.put(PATH, invoice_reconciliation(invoice_id="CHANGED", **later))
    await hub.deliver()
    emsp.heal()
    emsp.objects[f"{MODULE}/NL/ONE/R2"] = {}
    await cpo.post(MODULE, invoice_reconciliation(id="R2"))
    await hub.retry_now()
    await hub.deliver()

    assert emsp.objects[PATH]["invoice_id"] == "CHANGED"
    assert emsp.objects[f"{MODULE}/NL/ONE/R2"]["id"] == "R2"
    assert {method for method, _, _ in told(emsp)} == {"POST", "PUT"}


async def test_cdrs_that_nobody_here_knows_tell_no_receiver_HUB_35(hub, cpo, emsp):
    unknown = await cpo.post(MODULE, invoice_reconciliation(cdrs=["NO-SUCH"]))
    addressed = await cpo.post(MODULE, invoice_reconciliation(cdrs=["NO-SUCH"]), to=emsp)

    assert (unknown.http_status, unknown.status_code) == (200, 4001)
    assert "OCPI-to" in unknown.message
    assert addressed.http_status == 201
    assert told(emsp) == [("POST", MODULE, "2025-06-0001")]
    assert (await emsp.get(MODULE)).data == [], "what is addressed is passed on, not kept"


async def test_one_owner_is_told_by_all_cdrs_together_and_never_guessed_HUB_35(
    hub, cpo, emsp, partners
):
    other = await partners.enter_async_context(FakePartner("BE*OTH CPO", versions=("2.3.0",)))
    await hub.connect(other)
    owner = {"country_code": "BE", "party_id": "OTH"}
    await other.post("cdrs", cdr(**owner))
    await other.post("cdrs", cdr(**owner, id="C2"))

    unclear = await emsp.post(MODULE, invoice_reconciliation(**EMSP))
    clear = await emsp.post(MODULE, invoice_reconciliation(**EMSP, cdrs=["C1", "C2"]))
    await hub.deliver()

    assert unclear.status_code == 4000
    assert "BE*OTH, NL*ONE" in unclear.message
    assert clear.http_status == 201
    assert (told(cpo), len(told(other))) == ([], 1)


async def test_cdrs_of_several_receivers_are_on_no_invoice_together_INV_04(
    hub, cpo, emsp, partners
):
    other = await partners.enter_async_context(FakePartner("BE*SIX EMSP", versions=("2.3.0",)))
    await hub.connect(other)
    token = cdr_token(country_code="BE", party_id="SIX")
    await cpo.post("cdrs", cdr(id="C8", cdr_token=token))

    answer = await cpo.post(MODULE, invoice_reconciliation(cdrs=["C1", "C8"]))

    assert answer.status_code == 4000
    assert "any of BE*SIX, DE*TWO" in answer.message


async def test_a_receiver_that_cannot_have_it_is_said_at_once_HUB_54(hub, cpo, partners):
    older = await partners.enter_async_context(FakePartner("FR*OLD EMSP"))
    await hub.connect(older)
    token = cdr_token(country_code="FR", party_id="OLD")
    await cpo.post("cdrs", cdr(id="C9", cdr_token=token))

    open_routing = await cpo.post(MODULE, invoice_reconciliation(cdrs=["C9"]))
    addressed = await cpo.post(MODULE, invoice_reconciliation(cdrs=["C9"]), to=older)

    assert (open_routing.status_code, addressed.status_code) == (4001, 4001)
    assert "2.2.1" in open_routing.message
    assert (MODULE, "RECEIVER") not in older.endpoints
    missing = await older.call("POST", f"{hub.url}/ocpi/2.2.1/receiver/{MODULE}", body={})
    assert (missing.http_status, missing.status_code) == (404, 2001)


async def test_an_agreement_decides_whether_records_pass_HUB_52(hub, cpo, emsp):
    await hub.agree("NL*ONE", module=MODULE, effect="BLOCK")

    answer = await cpo.post(MODULE, invoice_reconciliation())

    assert answer.status_code == 4000
    assert "No agreement" in answer.message


async def test_broadcasting_a_record_is_refused_HUB_23(cpo, emsp):
    answer = await cpo.post(MODULE, invoice_reconciliation(), to="NL*HUB")

    assert answer.status_code == 2001


async def test_nobody_issues_records_for_somebody_else_T_02(cpo, emsp):
    for answer in (
        await emsp.post(MODULE, invoice_reconciliation()),
        await emsp.put(PATH, invoice_reconciliation()),
        await emsp.delete(PATH),
    ):
        assert (answer.http_status, answer.status_code) == (404, 2001)


async def test_ids_of_cdrs_as_objects_and_with_39_characters_are_read_INV_06(hub, cpo, emsp):
    await cpo.post("cdrs", cdr(id="C" * 39))
    sent = invoice_reconciliation(cdrs=[{"id": "C" * 39}, "C1"])

    answer = await cpo.post(MODULE, sent)

    assert answer.http_status == 201
    assert (await emsp.get(MODULE)).data == [sent | {"cdrs": ["C" * 39, "C1"]}]


async def test_every_broken_record_is_2001_names_its_field_and_is_quarantined(hub, cpo, emsp):
    broken = [
        one
        for one in mutations(InvoiceReconciliationRecord, invoice_reconciliation())
        if one.field not in {"country_code", "party_id"}
    ]
    for mutation in broken:
        answer = await cpo.put(PATH, mutation.body)

        assert (answer.http_status, answer.status_code) == (200, 2001), mutation
        assert mutation.field in answer.message, mutation
    wrong_url = await cpo.put(f"{MODULE}/NL/ONE/OTHER", invoice_reconciliation())
    assert wrong_url.status_code == 2001
    assert (await emsp.get(MODULE)).data == []
    async with hub.database.transaction(hub.tenant_id) as db:
        entries = list(await db.scalars(select(QuarantinedObject)))
    assert {entry.module for entry in entries} == {MODULE}


async def test_there_is_no_patch_INV_02(cpo):
    answer = await cpo.call("PATCH", f"{cpo.endpoints[MODULE, 'RECEIVER']}/NL/ONE/R1", body={})

    assert answer.http_status == 405


# The hub's own charging stations have invoices too.


async def publish(hub, receiver="DE*TWO", **fields):
    async with hub.database.transaction(hub.tenant_id) as db:
        tenant = (await db.scalars(select(Tenant).where(Tenant.id == hub.tenant_id))).one()
    record = invoice_reconciliation(**{"party_id": "OWN"} | fields)
    audience = await hub.app[DIRECTORY].audience(hub.tenant_id)
    receiver = Party.parse(receiver)
    return await invoicing.publish(hub.app[INTAKE], audience, tenant, record, receiver)


async def test_the_hubs_own_records_are_delivered_like_anybodys(hub, emsp):
    first = await publish(hub)
    await hub.deliver()
    await publish(hub)
    await hub.deliver()
    await publish(hub, invoice_id="CHANGED", last_updated="2025-08-01T08:00:00Z")
    await hub.deliver()

    assert first.created
    assert told(emsp) == [
        ("POST", MODULE, "2025-06-0001"),
        ("PUT", f"{MODULE}/NL/OWN/R1", "CHANGED"),
    ]
    assert [one["party_id"] for one in (await emsp.get(MODULE)).data] == ["OWN"]


async def test_the_hub_publishes_its_own_records_only_and_to_who_can_have_them(hub, emsp, partners):
    older = await partners.enter_async_context(FakePartner("FR*OLD EMSP"))
    await hub.connect(older)

    with pytest.raises(InvalidRequest, match=r"NL\*ONE"):
        await publish(hub, party_id="ONE")
    with pytest.raises(UnknownReceiver, match=r"2\.2\.1"):
        await publish(hub, "FR*OLD")
    with pytest.raises(UnknownReceiver):
        await publish(hub, "FR*NIX")
