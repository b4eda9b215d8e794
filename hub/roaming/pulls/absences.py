"""What is in no page of a partner's list any more (TRANSPORT-64).

OCPI says that it is no longer valid at its owner. But lists are wrong more often than objects
vanish, so nothing is taken away by one pull: an object that was missed is put on record, and only
when a later pull has not found it either is it to be withdrawn. Where more is missing than is
likely, somebody must look first. Tokens are never withdrawn: OCPI has its owner say that one is not
valid (TOK-01). Sessions and CDRs are past, and lists of them are always filtered.

What is pulled of locations that were withdrawn is kept as it is: whoever reads it finds a location
without EVSEs, which nobody shows (LOC-03). When it is listed again, they are back.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import String

from hub.models.routing import Absence
from hub.models.values import Party
from hub.roaming.modules import LOCATIONS, TARIFFS, TOKENS, Module
from hub.roaming.store.rows import Key

RECONCILED = (LOCATIONS, TARIFFS, TOKENS)
WITHDRAWN = (LOCATIONS, TARIFFS)
# Missed so often, and the first time so long ago, an object is to be withdrawn.
MISSES = 2
AT_LEAST = timedelta(days=1)
# More than this part of the objects, and more than so many, are not believed to be gone.
BELIEVABLE_PART = 0.2
BELIEVABLE = 10

KEYS = ("countries", "parties", "keys")


def texts(names: Iterable[str]) -> list[Any]:
    return [bindparam(name, type_=ARRAY(String())) for name in names]


MARK = {
    module.name: text(
        f"update {module.table_name} set listed_at = :at"  # noqa: S608 - table names are ours
        " where (country_code, party_id, object_key) in"
        " (select * from unnest(:countries, :parties, :keys)) and listed_at is distinct from :at"
    ).bindparams(*texts(KEYS))
    for module in RECONCILED
}
MISSING = {
    module.name: text(
        "select country_code, party_id, object_key from"  # noqa: S608 - table names are ours
        f" {module.table_name} where partner_id = :partner_id and deleted_at is null"
        " and (country_code, party_id) in (select * from unnest(:countries, :parties))"
        " and (listed_at is null or listed_at < :at) and received_at < :at and not exists"
        " (select from absences where absences.partner_id = :partner_id and module = :module"
        " and withdrawn_at is not null and object_ref"
        " = country_code || '/' || party_id || '/' || object_key)"
    ).bindparams(*texts(KEYS[:2]))
    for module in RECONCILED
}
COUNT = {
    module.name: text(
        f"select count(*) from {module.table_name} where partner_id = :partner_id"  # noqa: S608
        " and deleted_at is null and (country_code, party_id) in"
        " (select * from unnest(:countries, :parties))"
    ).bindparams(*texts(KEYS[:2]))
    for module in RECONCILED
}
FOUND = {
    module.name: text(
        f"delete from absences using {module.table_name} as kept"  # noqa: S608 - as above
        " where absences.partner_id = :partner_id and absences.module = :module"
        " and absences.object_ref = kept.country_code || '/' || kept.party_id || '/'"
        " || kept.object_key and kept.listed_at >= :at and kept.deleted_at is null"
    )
    for module in RECONCILED
}
NOTE = text(
    "insert into absences as known (partner_id, module, object_ref, first_missed_at, missed_at)"
    " select :partner_id, :module, ref, :at, :at from unnest(:refs) as ref"
    " on conflict (tenant_id, partner_id, module, object_ref) do update"
    " set missed = known.missed + 1, missed_at = excluded.missed_at"
    " where known.missed_at < excluded.missed_at"
).bindparams(*texts(["refs"]))


async def listed(db: AsyncSession, module: Module, keys: Iterable[Key], at: datetime) -> None:
    """These objects are in the list that a pull which began then goes through."""
    wanted = sorted(set(keys))
    columns = {name: [key[part] for key in wanted] for part, name in enumerate(KEYS)}
    await db.execute(MARK[module.name], {"at": at, **columns})


async def missing(
    db: AsyncSession, partner_id: UUID, module: Module, owners: Sequence[Party], at: datetime
) -> tuple[list[Key], int]:
    """What is kept of these parties and was in no page of that pull, and how many are kept."""
    values = {
        "partner_id": partner_id,
        "module": module.name,
        "countries": [owner.country_code for owner in owners],
        "parties": [owner.party_id for owner in owners],
    }
    gone = [Key(*row) for row in await db.execute(MISSING[module.name], {"at": at, **values})]
    return gone, await db.scalar(COUNT[module.name], values) or 0


def believable(gone: int, kept: int) -> bool:
    return gone <= max(BELIEVABLE, BELIEVABLE_PART * kept)


async def note(
    db: AsyncSession, partner_id: UUID, module: Module, refs: Sequence[str], at: datetime
) -> None:
    """Put on record what a pull missed; what it found again is no longer absent."""
    values = {"partner_id": partner_id, "module": module.name, "at": at}
    await db.execute(FOUND[module.name], values)
    await db.execute(NOTE, values | {"refs": list(refs)})


async def due(db: AsyncSession, partner_id: UUID, module: Module) -> list[str]:
    """The objects that were missed often and long enough to be withdrawn."""
    if module not in WITHDRAWN:
        return []
    found = await db.scalars(
        select(Absence.object_ref)
        .where(
            Absence.partner_id == partner_id,
            Absence.module == module.name,
            Absence.missed >= MISSES,
            Absence.first_missed_at <= Absence.missed_at - AT_LEAST,
            Absence.withdrawn_at.is_(None),
        )
        .order_by(Absence.object_ref)
    )
    return list(found)


async def withdrawn(db: AsyncSession, partner_id: UUID, module: Module, ref: str) -> None:
    await mark(db, partner_id, module, ref, withdrawn_at=func.now(), note=None)


async def kept(db: AsyncSession, partner_id: UUID, module: Module, ref: str, why: str) -> None:
    await mark(db, partner_id, module, ref, note=why[:300])


async def mark(
    db: AsyncSession, partner_id: UUID, module: Module, ref: str, **values: object
) -> None:
    await db.execute(
        update(Absence)
        .where(
            Absence.partner_id == partner_id,
            Absence.module == module.name,
            Absence.object_ref == ref,
        )
        .values(**values)
    )
