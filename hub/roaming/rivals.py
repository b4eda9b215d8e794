"""CDRs that may bill what another one bills: the same session, driver or EVSE at the same time.

They are found by what their checks remember of them, so only CDRs that were checked before are
found; of two that bill the same, the later one is the duplicate.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import DateTime, String

from hub.roaming.evidence import Case, Document, spelled

FOUND = "select k.cdr_id, session_ref, token_ref, evse_ref, k.starts_at, k.ends_at from mine"
AT_THE_TIME = "k.ends_at > mine.starts_at and k.starts_at < mine.ends_at"
RIVALS = text(
    "with mine as (select * from unnest(:sessions, :tokens, :evses, :starts, :ends)"  # noqa: S608
    " as given(session, token, evse, starts_at, ends_at))"
    " select c.country_code, c.party_id, c.object_id, c.credit_reference_id, found.* from ("
    f"{FOUND} join cdr_checks as k on k.session_ref = mine.session"
    f" union {FOUND} join cdr_checks as k on k.token_ref = mine.token and {AT_THE_TIME}"
    f" union {FOUND} join cdr_checks as k on k.evse_ref = mine.evse and {AT_THE_TIME}"
    ") as found join ocpi_cdrs as c on c.id = found.cdr_id"
).bindparams(
    *(bindparam(part, type_=ARRAY(String())) for part in ("sessions", "tokens", "evses")),
    *(bindparam(part, type_=ARRAY(DateTime(timezone=True))) for part in ("starts", "ends")),
)


class Rivals:
    """By what they have in common; those of the same batch are added as they are judged."""

    def __init__(self) -> None:
        self.known: dict[str, dict[UUID, Document]] = {}

    def add(self, cdr_id: UUID, refs: Iterable[str | None], document: Document) -> None:
        for kind, ref in zip(("session", "driver", "EVSE"), refs, strict=True):
            if ref is not None:
                self.known.setdefault(f"{kind} {ref}", {})[cdr_id] = document

    def of(self, case: Case) -> list[Document]:
        """Those checked before it; and from now on it is one of them."""
        found: dict[UUID, Document] = {}
        refs = [spelled(case.session), spelled(case.driver), spelled(case.evse)]
        for kind, ref in zip(("session", "driver", "EVSE"), refs, strict=True):
            found |= self.known.get(f"{kind} {ref}", {})
        found.pop(case.cdr_id, None)
        self.add(case.cdr_id, refs, case.document)
        return list(found.values())


async def of(db: AsyncSession, cases: Sequence[Case]) -> Rivals:
    rows = await db.execute(
        RIVALS,
        {
            "sessions": [spelled(case.session) for case in cases],
            "tokens": [spelled(case.driver) for case in cases],
            "evses": [spelled(case.evse) for case in cases],
            "starts": [case.starts_at for case in cases],
            "ends": [case.ends_at for case in cases],
        },
    )
    found = Rivals()
    for row in rows:
        found.add(row.cdr_id, (row.session_ref, row.token_ref, row.evse_ref), shown(row))
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
        "credit": row.credit_reference_id is not None,
        "credit_reference_id": row.credit_reference_id,
    }


def parts(ref: str | None) -> tuple[str | None, str | None, str | None]:
    if ref is None:
        return None, None, None
    country, party, key = ref.split("/", 2)
    return country, party, key
