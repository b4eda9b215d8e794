"""The months of a tenant's store, as statements (``settlement``).

    summaries    who billed whom how much in a month, a row per pair and currency
    statement    one pair's month, with every CDR

Both read what the CDRs claim and what the checks of them found. Nothing is stored: the same CDRs
and verdicts give the same bytes whenever they are asked for.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import DateTime

from hub import codec
from hub.models.values import CDRVerdict, Party
from hub.roaming.merging import instant
from hub.roaming.settlement import settlement
from hub.roaming.settlement.disputes import UNSETTLED
from hub.roaming.settlement.settlement import UNCHECKED, Checked, Document, Remark, Statement

VERDICTS = {verdict: verdict.lower().replace("_", " ") for verdict in CDRVerdict}

PERIOD = "c.last_updated >= :since and c.last_updated < :until and c.deleted_at is null"
TIMES = tuple(bindparam(name, type_=DateTime(timezone=True)) for name in ("since", "until"))
CHECKED = "left join cdr_checks as k on k.cdr_id = c.id"
# As much of a CDR as a statement needs; the rest is a hundred times that.
SHORT = (
    "json_build_object('country_code', c.country_code, 'party_id', c.party_id,"
    " 'id', c.object_id, 'session_id', c.document -> 'session_id',"
    " 'start_date_time', c.document -> 'start_date_time',"
    " 'end_date_time', c.document -> 'end_date_time', 'cdr_token', c.document -> 'cdr_token',"
    " 'cdr_location', json_build_object('id', c.document #> '{cdr_location,id}'),"
    " 'currency', c.document -> 'currency', 'total_cost', c.document -> 'total_cost',"
    " 'total_energy', c.document -> 'total_energy', 'total_time', c.document -> 'total_time',"
    " 'credit', c.document -> 'credit',"
    " 'credit_reference_id', c.document -> 'credit_reference_id')::text as short"
)
PAIR = (
    "c.country_code = :country_code and c.party_id = :party_id"
    " and c.receiver_country_code = :receiver_country_code"
    " and c.receiver_party_id = :receiver_party_id"
)
MONTH = text(
    f"select {SHORT}, c.last_updated, c.last_updated_text, c.held_at is not null as held,"  # noqa: S608
    " k.verdict, k.difference, k.dispute"
    f" from ocpi_cdrs as c {CHECKED} where {PAIR} and {PERIOD}"
).bindparams(*TIMES)
# What credits of the month may take back.
CREDITED = text(
    f"select {SHORT}, c.last_updated, c.last_updated_text from ocpi_cdrs as c where {PAIR}"  # noqa: S608
    " and c.object_key in (select upper(credit.credit_reference_id) from ocpi_cdrs as credit"
    f" where {PAIR.replace('c.', 'credit.')} and {PERIOD.replace('c.', 'credit.')}"
    " and credit.credit_reference_id is not null)"
).bindparams(*TIMES)
SUMMARIES = text(
    "select c.country_code, c.party_id, c.receiver_country_code, c.receiver_party_id,"  # noqa: S608
    " upper(c.currency) as currency,"
    " count(*) filter (where c.credit_reference_id is null) as cdrs,"
    " count(c.credit_reference_id) as credit_cdrs,"
    " sum(coalesce(k.claimed, (c.document #>> '{total_cost,before_taxes}')::numeric)) as before,"
    " sum(k.difference) filter (where k.verdict = 'DIFFERS') as difference,"
    " count(*) filter (where k.verdict = 'OK') as ok,"
    " count(*) filter (where k.verdict = 'DIFFERS') as differs,"
    " count(*) filter (where k.verdict = 'CANNOT_TELL') as cannot_tell,"
    " count(*) filter (where k.verdict is null) as unchecked,"
    " count(*) filter (where c.held_at is not null) as held,"
    " count(*) filter (where k.dispute in ('OPEN', 'ACCEPTED')) as disputed"
    f" from ocpi_cdrs as c {CHECKED} where {PERIOD}"
    " group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5"
).bindparams(*TIMES)


def bounds(month: str, time_zone: str) -> dict[str, datetime]:
    """The first moment of a month, written 2025-06, and that of the next one."""
    year, number = int(month[:4]), int(month[5:])
    following = (year, number + 1) if number < 12 else (year + 1, 1)  # noqa: PLR2004 - December
    zone = ZoneInfo(time_zone)
    return {
        "since": datetime(year, number, 1, tzinfo=zone).astimezone(UTC),
        "until": datetime(*following, 1, tzinfo=zone).astimezone(UTC),
    }


async def summaries(db: AsyncSession, month: str, time_zone: str) -> Sequence[Row[Any]]:
    return (await db.execute(SUMMARIES, bounds(month, time_zone))).all()


async def statement(
    db: AsyncSession, issuer: Party, recipient: Party, month: str, time_zone: str
) -> Statement | None:
    """What the issuer billed the recipient in a month; None for nothing."""
    values = bounds(month, time_zone) | {
        "country_code": issuer.country_code,
        "party_id": issuer.party_id,
        "receiver_country_code": recipient.country_code,
        "receiver_party_id": recipient.party_id,
    }
    rows = (await db.execute(MONTH, values)).all()
    credited = (await db.execute(CREDITED, values)).all() if rows else []
    return await asyncio.to_thread(made_of, rows, credited, month, time_zone)


def made_of(
    rows: Sequence[Row[Any]], credited: Sequence[Row[Any]], month: str, time_zone: str
) -> Statement | None:
    """The statement of these rows. For a thread of its own: a month may be large."""
    cdrs, checks, pending = [], {}, []
    for row in rows:
        cdr = short(row)
        cdrs.append(cdr)
        checks[settlement.key(cdr)] = checked(row)
        pending += still_open(cdr, row)
    found = settlement.statements(
        cdrs,
        month,
        time_zone=time_zone,
        checks=checks,
        earlier=[short(row) for row in credited],
    )
    if not found:
        return None
    [one] = found
    pending.sort(key=lambda remark: (remark.cdr, remark.code))
    return replace(one, remarks=(*one.remarks, *pending))


def short(row: Row[Any]) -> Document:
    """A CDR, issued when it was ordered by: a clock that is ahead does not move it into a month to
    come.
    """
    cdr: dict[str, Any] = codec.read_stored(row.short)
    told = row.last_updated_text
    issued = told if instant(told) == row.last_updated else row.last_updated.isoformat()
    return {name: value for name, value in cdr.items() if value is not None} | {
        "last_updated": issued
    }


def checked(row: Row[Any]) -> Checked:
    if row.verdict is None:
        return Checked(UNCHECKED)
    differs = row.verdict == CDRVerdict.DIFFERS and row.difference is not None
    difference = row.difference.normalize() if differs else Decimal(0)
    return Checked(VERDICTS[CDRVerdict(row.verdict)], difference or Decimal(0))


def still_open(cdr: Document, row: Row[Any]) -> list[Remark]:
    """What is not decided yet; the sums hold it all the same."""
    name = str(cdr["id"])
    found = []
    if row.held:
        found.append(Remark(name, "held", "It is held: its recipient does not have it yet."))
    if row.dispute in UNSETTLED:
        found.append(Remark(name, "disputed", f"It is disputed: {row.dispute}."))
    return found
