"""What a page of a partner's list holds: writes for the hub, and what is none of them.

Each object is judged by itself, so a bad one costs nobody else (TRANSPORT-14): it goes into
quarantine with field and rule. What belongs to a party of another platform is not this partner's to
tell and is ignored (T-34); so are sessions and CDRs for parties that are not here, since a list may
hold the business that its owner does with others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.errors import InvalidRequest
from hub.models.losses import Direction
from hub.models.values import Party
from hub.ocpi import translation
from hub.ocpi.endpoints.pushes import UNFINDABLE
from hub.ocpi.schemas.compiled import Removed, split
from hub.ocpi.versions.base import Loss, Version
from hub.roaming.modules import TOKENS, Module
from hub.roaming.network.audience import Audience
from hub.roaming.network.partners import Connection
from hub.roaming.store.losses import Lost, Place
from hub.roaming.store.writes import RFID, Write

NOT_AN_OBJECT: Sequence[Mapping[str, str]] = ({"field": "", "rule": "Not an object."},)


@dataclass(frozen=True)
class Bad:
    """An object, or an EVSE of one, that cannot be taken, and why."""

    kind: str
    item: Any
    errors: Sequence[Mapping[str, Any]]
    object_ref: str | None = None


@dataclass
class Read:
    """What was read of some items. ``ignored`` counts why others were left out."""

    writes: list[Write] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Reader:
    """Reads objects of one module as one partner's, in the version it speaks.

    ``party`` is the one whose list it is.
    """

    connection: Connection
    party: Party
    module: Module
    version: Version
    audience: Audience

    async def read(self, db: AsyncSession | None, items: Sequence[Any]) -> Read:
        """``db`` is for versions that leave out what must be looked up (``translation``)."""
        found = Read()
        for item in items:
            await self._read_one(db, item, found)
        return found

    async def _read_one(self, db: AsyncSession | None, item: Any, found: Read) -> None:
        kind = self.module.kind
        if not isinstance(item, dict):
            found.bad.append(Bad(kind, item, NOT_AN_OBJECT))
            return
        owner = self._owner(item)
        if not self._owns(owner):
            found.ignored["foreign"] += 1
            return
        try:
            body, removed = split(self.version.number, kind, item)
            losses: list[Loss] = []
            document = await translation.read(
                db, self.version, kind, body, partner=self.connection, owner=owner, losses=losses
            )
            object_id = self._object_id(document)
        except InvalidRequest as error:
            ref = self._ref(owner, item)
            errors = (error.data or {}).get("errors") or [{"field": "", "rule": str(error)}]
            found.bad.append(Bad(kind, item, errors, ref))
            return
        document.setdefault("country_code", owner.country_code)
        document.setdefault("party_id", owner.party_id)
        if reason := self._not_for_us(owner, document):
            found.ignored[reason] += 1
            return
        found.bad += (self._bad_evse(part, self._ref(owner, item)) for part in removed)
        if (ref := self._ref(owner, document)) is not None:
            place = Place(self.module.name, ref, self.version.number, Direction.READ)
            found.lost.append(Lost(place, translation.parts_of(losses)))
        found.writes.append(
            Write(
                self.module,
                "POST" if self.module.record else "PUT",
                owner,
                object_id,
                document,
                token_type=document.get("type", RFID) if self.module is TOKENS else RFID,
                partner_id=self.connection.id,
                broadcast=not self.module.private,
                by_contract=self.version.peer_to_peer,
            )
        )

    def _bad_evse(self, removed: Removed, location: str | None) -> Bad:
        uid = removed.item.get("uid") if isinstance(removed.item, dict) else None
        ref = f"{location}/{str(uid).upper()}" if uid else None
        return Bad("EVSE", removed.item, removed.errors, ref)

    def _owner(self, item: Mapping[str, Any]) -> Party:
        """Whose object it says it is; where it does not say, it is the party's that was asked."""
        country_code, party_id = item.get("country_code"), item.get("party_id")
        if self.version.peer_to_peer:
            return self.party
        if isinstance(country_code, str) and isinstance(party_id, str):
            return Party.of(country_code, party_id)
        return self.party

    def _owns(self, owner: Party) -> bool:
        return bool(self.connection.roles_of(owner) & self.module.owner_roles)

    def _object_id(self, document: Mapping[str, Any]) -> str:
        name = self.module.id_field
        object_id = str(document[name])
        if object_id in UNFINDABLE:
            rule = f"{object_id!r} cannot be part of a URL."
            raise InvalidRequest(
                f"{name}: {rule}", data={"errors": [{"field": name, "rule": rule}]}
            )
        return object_id

    def _not_for_us(self, owner: Party, document: dict[str, Any]) -> str | None:
        if self.module.receiver_in is None:
            return None
        receiver = self.module.receiver_in(document)
        if not self.audience.hosts(receiver):
            return "for others"
        if not self.audience.allows(owner, receiver, self.module.name):
            return "not agreed"
        return None

    def _ref(self, owner: Party, item: Mapping[str, Any]) -> str | None:
        object_id = item.get(self.module.id_field)
        if not isinstance(object_id, str) or not object_id:
            return None
        return f"{owner.country_code}/{owner.party_id}/{object_id.upper()}"


def text_of(item: Any) -> str:
    return codec.write_text(item)
