"""Disputes about CDRs: notes beside them, each of which may bring the dispute to another state.

    OPEN        somebody thinks that the CDR is not right
    ACCEPTED    its owner agrees, and owes a credit CDR
    REJECTED    it is right after all, or nobody insists
    SETTLED     a credit, or whatever was agreed, has put an end to it

Notes are only ever added, so they are the history of the dispute: who, when, why. The state of the
last one lies beside the verdict. A CDR that is held goes on when its dispute has ended.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.cdr_checks import CDRCheck, CDRNote
from hub.models.objects import CDR
from hub.models.values import Dispute

UNSETTLED = (Dispute.OPEN, Dispute.ACCEPTED)

# From which states a dispute comes to another one. None: there is no dispute yet.
BEFORE: Mapping[Dispute, frozenset[Dispute | None]] = {
    Dispute.OPEN: frozenset({None, Dispute.REJECTED, Dispute.SETTLED}),
    Dispute.ACCEPTED: frozenset({Dispute.OPEN}),
    Dispute.REJECTED: frozenset({Dispute.OPEN, Dispute.ACCEPTED}),
    Dispute.SETTLED: frozenset({Dispute.OPEN, Dispute.ACCEPTED}),
}


class NotPossible(ValueError):
    """The dispute cannot come to that state from where it is."""


async def write(
    db: AsyncSession, check: CDRCheck, note: str, dispute: Dispute | None = None
) -> None:
    """Add a note; with a state, move the dispute there. Raises NotPossible."""
    if dispute is not None:
        now = None if check.dispute is None else Dispute(check.dispute)
        if now not in BEFORE[dispute]:
            raise NotPossible(
                f"A dispute that is {now} cannot become {dispute}."
                if now
                else f"There is no dispute that could become {dispute}: open one first."
            )
        check.dispute = dispute
    db.add(CDRNote(cdr_id=check.cdr_id, dispute=dispute, note=note))
    await db.flush()


async def settle_credited(db: AsyncSession, taken_back: Mapping[tuple[str, str, str], str]) -> None:
    """Settle the disputes about CDRs that were taken back: by key, the id of the credit CDR."""
    for (country_code, party_id, key), credit_id in taken_back.items():
        credited = select(CDR.id).where(
            CDR.country_code == country_code, CDR.party_id == party_id, CDR.object_key == key
        )
        settled: Sequence[UUID] = (
            await db.scalars(
                update(CDRCheck)
                .where(CDRCheck.cdr_id.in_(credited), CDRCheck.dispute.in_(UNSETTLED))
                .values(dispute=Dispute.SETTLED)
                .returning(CDRCheck.cdr_id)
            )
        ).all()
        for cdr_id in settled:
            note = f"Credited by CDR {credit_id}."
            values = {"cdr_id": cdr_id, "dispute": Dispute.SETTLED, "note": note}
            await db.execute(insert(CDRNote).values(values))
