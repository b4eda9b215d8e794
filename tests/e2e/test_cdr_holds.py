"""CDRs that wait for their check, where the parties agreed on that: visible, and never lost."""

import pytest
from sqlalchemy import select

from hub.models.cdr_checks import CDRCheck
from hub.models.values import Dispute
from hub.roaming.settlement import disputes
from hub.roaming.store import holding
from tests.e2e.test_cdr_checks import cdr, check
from tests.helpers import documents
from tests.helpers.network import CPO, EMSP
from tests.helpers.partner import FakePartner

WRONG = documents.price(4, 0.84)
BACK = documents.price(-4, -0.84)
CREDIT = {"id": "C1-C", "total_cost": BACK, "credit": True, "credit_reference_id": "C1"}


@pytest.fixture
async def held(network, partners):
    """An eMSP, DE*TWO, whose CDRs from NL*ONE are held."""
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    await network.connect(emsp)
    await network.agree(
        from_country_code=CPO.country_code,
        from_party_id=CPO.party_id,
        to_country_code=EMSP.country_code,
        to_party_id=EMSP.party_id,
        effect="ALLOW",
        hold=True,
    )
    return emsp


def got(partner):
    return [push.body["id"] for push in partner.received if "cdrs" in push.path]


async def waiting(network):
    rows = await network.rows("select object_id from ocpi_cdrs where held_at is not null")
    return [row.object_id for row in rows]


async def test_a_right_cdr_is_delivered_when_it_has_been_checked(network, held):
    await network.put("cdrs", cdr())
    await network.deliver()
    assert (got(held), await waiting(network)) == ([], ["C1"])

    await check(network)
    await network.deliver()

    assert (got(held), await waiting(network)) == (["C1"], [])


async def test_a_wrong_cdr_waits_and_holds_up_no_other(network, held):
    await network.put("cdrs", cdr(total_cost=WRONG))
    await network.put("cdrs", cdr(id="C2", session_id="S2"))

    await check(network)
    await network.deliver()

    assert (got(held), await waiting(network)) == (["C2"], ["C1"])


async def test_without_such_an_agreement_nothing_waits(network, partners):
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    await network.connect(emsp)

    await network.put("cdrs", cdr(total_cost=WRONG))
    await network.deliver()

    assert got(emsp) == ["C1"]


async def test_what_is_released_is_delivered_though_the_cursor_went_past(network, held):
    await network.put("cdrs", cdr(total_cost=WRONG))
    await network.put("cdrs", cdr(id="C2", session_id="S2"))
    await check(network)
    await network.deliver()

    async with network.database.transaction(network.tenant_id) as db:
        [row] = await db.execute(holding.HELD)
        assert await holding.release(db, [row.id]) == [row.id]
        assert await holding.release(db, [row.id]) == []
    await network.deliver()

    assert got(held) == ["C2", "C1"]


@pytest.mark.parametrize("end", [Dispute.REJECTED, Dispute.SETTLED])
async def test_the_end_of_a_dispute_lets_it_go(network, held, end):
    await network.put("cdrs", cdr(total_cost=WRONG))
    await check(network)

    for state in (Dispute.OPEN, Dispute.ACCEPTED, end):
        await network.deliver()
        assert got(held) == []
        async with network.database.transaction(network.tenant_id) as db:
            row = await db.scalar(select(CDRCheck))
            await disputes.write(db, row, "We have spoken.", state)
            await holding.let_go(db)
    await network.deliver()

    assert got(held) == ["C1"]


async def test_a_credit_settles_it_and_follows_what_it_credits(network, held):
    """CDR-06: both are delivered, in this order."""
    await network.put("cdrs", cdr(total_cost=WRONG))
    await check(network)
    async with network.database.transaction(network.tenant_id) as db:
        row = await db.scalar(select(CDRCheck))
        await disputes.write(db, row, "4.00 instead of 3.38", Dispute.OPEN)

    await network.put("cdrs", cdr(**CREDIT))
    await network.put("cdrs", cdr(id="C2"))
    await check(network)
    await network.deliver()

    assert sorted(got(held)) == ["C1", "C1-C", "C2"]
    assert got(held).index("C1") < got(held).index("C1-C")
    [told] = await network.rows("select note from cdr_notes where dispute = 'SETTLED'")
    assert told.note == "Credited by CDR C1-C."


async def test_a_wrong_credit_waits_with_what_it_credits(network, held):
    await network.put("cdrs", cdr(total_cost=WRONG))
    await network.put("cdrs", cdr(**CREDIT | {"total_cost": documents.price(-1, -0.21)}))

    await check(network)
    await network.deliver()

    assert (got(held), await waiting(network)) == ([], ["C1", "C1-C"])


async def test_when_the_agreement_ends_what_waited_goes_on(network, held):
    await network.put("cdrs", cdr(total_cost=WRONG))
    await check(network)
    await network.run("delete from agreements")

    await check(network)
    await network.deliver()

    assert got(held) == ["C1"]


async def test_the_most_specific_agreement_decides(network, held):
    await network.agree(
        from_country_code=CPO.country_code,
        from_party_id=CPO.party_id,
        to_country_code=EMSP.country_code,
        to_party_id=EMSP.party_id,
        module="cdrs",
        effect="ALLOW",
    )

    await network.put("cdrs", cdr(total_cost=WRONG))
    await network.deliver()

    assert got(held) == ["C1"]


async def test_a_cdr_that_waits_for_its_tariff_goes_when_that_has_come(network, held):
    await network.put("cdrs", cdr(tariffs=documents.ABSENT))
    await check(network)
    await network.deliver()
    assert got(held) == []

    await network.put("tariffs", documents.tariff())
    await check(network)
    await network.deliver()

    assert got(held) == ["C1"]
