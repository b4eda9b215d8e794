"""Whose something is that went through the hub without being kept (HUB-35).

A CPO may push its sessions and locations to one eMSP by name; they are forwarded and not stored.
When that eMSP then sends a command without a receiver, whose they are must still be known.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from hub.background import Background
from hub.db import Database
from hub.models.routing import RouteHint
from hub.models.values import Party, RouteKind

KINDS: Mapping[str, RouteKind] = {
    "sessions": RouteKind.SESSION,
    "locations": RouteKind.LOCATION,
}
HELD_FOR = timedelta(days=30)
# A hint that was written so lately need not be written again.
RENEWED_AFTER = timedelta(days=1)
REMEMBERED = 20_000

Hint = tuple[UUID, RouteKind, str, Party, Party]


class Hints:
    """Written behind the caller's back: a forwarded push waits for nothing."""

    def __init__(self, database: Database, background: Background) -> None:
        self._database = database
        self._background = background
        self._written: OrderedDict[Hint, datetime] = OrderedDict()

    def note(
        self, tenant_id: UUID, module: str, object_id: str, *, owner: Party, counterpart: Party
    ) -> None:
        """One party has pushed an object to another."""
        if module not in KINDS:
            return
        hint = (tenant_id, KINDS[module], object_id.upper()[:80], owner, counterpart)
        now = datetime.now(UTC)
        if now - self._written.get(hint, now - HELD_FOR) < RENEWED_AFTER:
            return
        self._written[hint] = now
        if len(self._written) > REMEMBERED:
            self._written.popitem(last=False)
        self._background.spawn(self._write(hint))

    async def _write(self, hint: Hint) -> None:
        tenant_id, kind, key, owner, counterpart = hint
        values = {
            "kind": kind,
            "key": key,
            "owner_country_code": owner.country_code,
            "owner_party_id": owner.party_id,
            "counterpart_country_code": counterpart.country_code,
            "counterpart_party_id": counterpart.party_id,
        }
        until = {"expires_at": datetime.now(UTC) + HELD_FOR}
        async with self._database.transaction(tenant_id) as db:
            await db.execute(
                insert(RouteHint)
                .values(**values, **until)
                .on_conflict_do_update(index_elements=["tenant_id", *values], set_=until)
            )

    async def owners(
        self, tenant_id: UUID, module: str, object_id: str, parties: Collection[Party]
    ) -> list[Party]:
        """Who has pushed such an object to one of these parties."""
        if module not in KINDS:
            return []
        async with self._database.transaction(tenant_id) as db:
            found = await db.execute(
                select(
                    RouteHint.owner_country_code,
                    RouteHint.owner_party_id,
                    RouteHint.counterpart_country_code,
                    RouteHint.counterpart_party_id,
                ).where(
                    RouteHint.kind == KINDS[module],
                    RouteHint.key == object_id.upper(),
                    RouteHint.expires_at > func.now(),
                )
            )
            rows = found.all()
        return sorted({Party(row[0], row[1]) for row in rows if Party(row[2], row[3]) in parties})
