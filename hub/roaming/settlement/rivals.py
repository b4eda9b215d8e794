"""CDRs that may bill what another one bills: the same session, driver or EVSE at the same time.

They are found by what their checks remember of them, so only CDRs that were checked before are
found; of two that bill the same, the later one is the duplicate.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import DateTime, String, Uuid

from hub.roaming.settlement.evidence import Case, Document, spelled

# Whoever sees so many that bill the same need not see them all: where one token or one EVSE is in
# every CDR, comparing all with all would take days.
MOST = 10

# Neither credits nor what a credit takes back bill anything (CDR-06).
COUNTS = (
    " and c.credit_reference_id is null and not exists (select from ocpi_cdrs as credit"
    " where credit.country_code = c.country_code and credit.party_id = c.party_id"
    " and upper(credit.credit_reference_id) = c.object_key)"
)
AT_THE_TIME = "k.ends_at > mine.starts_at and k.starts_at < mine.ends_at"


def some(condition: str, order: str = "") -> str:
    return (
        "(select c.country_code, c.party_id, c.object_id, k.cdr_id, k.session_ref, k.token_ref,"  # noqa: S608
        " k.evse_ref, k.starts_at, k.ends_at from cdr_checks as k join ocpi_cdrs as c"
        f" on c.id = k.cdr_id where k.cdr_id <> mine.cdr_id and {condition}{COUNTS}"
        f" {order} limit {MOST})"
    )


RIVALS = text(
    "with mine as (select * from unnest(:ids, :sessions, :tokens, :evses, :starts, :ends)"  # noqa: S608
    " as given(cdr_id, session, token, evse, starts_at, ends_at))"
    " select mine.cdr_id as rival_of, found.* from mine cross join lateral ("
    f"{some('k.session_ref = mine.session')}"
    f" union {some(f'k.token_ref = mine.token and {AT_THE_TIME}', 'order by k.ends_at')}"
    f" union {some(f'k.evse_ref = mine.evse and {AT_THE_TIME}', 'order by k.ends_at')}"
    ") as found"
).bindparams(
    bindparam("ids", type_=ARRAY(Uuid())),
    *(bindparam(part, type_=ARRAY(String())) for part in ("sessions", "tokens", "evses")),
    *(bindparam(part, type_=ARRAY(DateTime(timezone=True))) for part in ("starts", "ends")),
)


class Rivals:
    """Those that were checked before, by CDR; those of the same batch are added as they are judged,
    by what they have in common.
    """

    def __init__(self) -> None:
        self.earlier: dict[UUID, dict[UUID, Document]] = defaultdict(dict)
        self.judged: dict[str, dict[UUID, Document]] = defaultdict(dict)

    def of(self, case: Case) -> list[Document]:
        """Those checked before it; and from now on it is one of them."""
        found = dict(self.earlier[case.cdr_id])
        refs = (spelled(case.session), spelled(case.driver), spelled(case.evse))
        for kind, ref in zip(("session", "driver", "EVSE"), refs, strict=True):
            if ref is None:
                continue
            same = self.judged[f"{kind} {ref}"]
            found |= same
            if len(same) < MOST or case.credits:
                same[case.cdr_id] = case.document
        found.pop(case.cdr_id, None)
        return list(found.values())


async def of(db: AsyncSession, cases: Sequence[Case]) -> Rivals:
    rows = await db.execute(
        RIVALS,
        {
            "ids": [case.cdr_id for case in cases],
            "sessions": [spelled(case.session) for case in cases],
            "tokens": [spelled(case.driver) for case in cases],
            "evses": [spelled(case.evse) for case in cases],
            "starts": [case.starts_at for case in cases],
            "ends": [case.ends_at for case in cases],
        },
    )
    found = Rivals()
    for row in rows:
        found.earlier[row.rival_of][row.cdr_id] = shown(row)
    return found


def shown(row: Row[Any]) -> Document:
    """As much of a CDR as it takes to compare it."""
    country, party, uid = parts(row.token_ref)
    return {
        "country_code": row.country_code,
        "party_id": row.party_id,
        "id": row.object_id,
        "session_id": parts(row.session_ref)[2],
        "cdr_token": {"country_code": country, "party_id": party, "uid": uid},
        "cdr_location": {"evse_uid": parts(row.evse_ref)[2]},
        "start_date_time": row.starts_at and row.starts_at.isoformat(),
        "end_date_time": row.ends_at and row.ends_at.isoformat(),
    }


def parts(ref: str | None) -> tuple[str | None, str | None, str | None]:
    if ref is None:
        return None, None, None
    country, party, key = ref.split("/", 2)
    return country, party, key
