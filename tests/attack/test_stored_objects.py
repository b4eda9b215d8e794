"""Attacks by what is pushed: columns as members, SQL as ids, replays. T-10, T-22, T-24, T-25."""

from urllib.parse import quote

import pytest
from sqlalchemy import text

from hub.models.all import Base
from hub.ocpi.schemas.v2_2_1 import Tariff
from tests.helpers.documents import cdr, tariff

V = "2.2.1"

SQL = [
    "' or '1'='1",
    "'; drop table tariffs; --",
    '" or ""="',
    "1); delete from ocpi_partners; --",
    "%' and pg_sleep(5) and '%'='",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "\\'; select 1; --",
    "$1",
    ":name",
    "%(name)s",
]


async def test_a_member_named_like_a_column_changes_no_column_T_22(hub, cpo):
    names = {column.name for table in Base.metadata.tables.values() for column in table.columns}
    odd = dict.fromkeys(names - set(Tariff().fields), "00000000-0000-0000-0000-000000000000")

    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V) | odd)

    assert answer.status_code == 1000, answer.text
    async with hub.database.transaction(hub.tenant_id) as db:
        row = (
            await db.execute(
                text(
                    "select tenant_id, partner_id, object_id, status, deleted_at, broadcast,"
                    " name, page_seq > 0 as paged from tariffs"
                )
            )
        ).one()
    assert row.tenant_id == hub.tenant_id
    assert str(row.partner_id) != odd["partner_id"]
    assert (row.object_id, row.status, row.deleted_at, row.name) == ("T1", "ACTIVE", None, None)
    assert row.paged
    back = await cpo.get("tariffs/NL/ONE/T1", side="RECEIVER")
    assert back.data == tariff(version=V) | odd


@pytest.mark.parametrize("attack", SQL)
async def test_sql_in_ids_and_queries_is_only_text_T_24(cpo, emsp, attack):
    path = f"tariffs/NL/ONE/{quote(attack, safe='')}"

    put = await cpo.put(path, tariff(version=V, id=attack))
    listed = await emsp.get("tariffs", params={"date_from": attack})
    paged = await emsp.get("tariffs", params={"limit": attack, "offset": attack, "after": attack})
    typed = await emsp.get(
        f"tokens/DE/TWO/{quote(attack, safe='')}", side="RECEIVER", params={"type": attack}
    )

    assert put.status_code in {1000, 2001}
    assert {listed.status_code, paged.status_code} == {2001}
    assert (typed.http_status, typed.status_code) == (404, 2004)
    expected = [attack] if put.status_code == 1000 else []
    assert [one["id"] for one in (await emsp.get("tariffs")).data] == expected


async def test_replayed_requests_change_nothing_T_10(hub, cpo, emsp):
    """The same bytes again, later: stored once, delivered once."""
    first = tariff(version=V, last_updated="2025-01-01T00:00:00Z")
    second = tariff(version=V, currency="CHF", last_updated="2025-01-02T00:00:00Z")
    for body in (first, second):
        await cpo.put("tariffs/NL/ONE/T1", body)
    await hub.deliver()
    before = len(emsp.received)

    for body in (first, second) * 10:
        answer = await cpo.put("tariffs/NL/ONE/T1", body)
        assert (answer.http_status, answer.status_code) == (200, 1000)
    await hub.deliver()

    assert len(emsp.received) == before
    assert (await emsp.get("tariffs")).data == [second]


async def test_a_huge_limit_gets_the_hubs_own_T_25(hub, emsp):
    answer = await emsp.get("tariffs", params={"limit": 10**9})

    assert answer.headers["X-Limit"] == str(hub.settings.page_limit)


@pytest.mark.parametrize("id_", [".", ".."])
async def test_an_id_that_no_url_can_hold_is_refused(cpo, emsp, id_):
    answer = await cpo.post("cdrs", cdr(version=V, id=id_))

    assert answer.status_code == 2001
    assert "id" in answer.message
