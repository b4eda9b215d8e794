"""What a write says, what becomes of it, and how an object is found and put together again."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from uuid import UUID

from hub.models.values import Party
from hub.roaming.merging import MEMBER_OF_TIME, Document
from hub.roaming.modules import TOKENS, Module
from hub.roaming.store.rows import Key

RFID = "RFID"


class Outcome(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    STALE = "older than stored"
    DELETED = "deleted"


@dataclass(frozen=True)
class Stored:
    outcome: Outcome
    module: Module
    owner: Party
    object_id: str
    # Of private objects: the party they are for.
    receiver: Party | None = None

    @property
    def created(self) -> bool:
        return self.outcome is Outcome.CREATED

    @property
    def passed_on(self) -> bool:
        """Whether the write has a place in the feed."""
        return self.outcome in {Outcome.CREATED, Outcome.CHANGED, Outcome.DELETED}

    @property
    def message(self) -> str:
        """What the partner is told: a push that changed nothing is no error (MOD-05)."""
        return "Success" if self.passed_on else f"Success: {self.outcome}"


@dataclass(frozen=True)
class Write:
    """One change to one object. ``document`` is canonical; for a PATCH, the members that change,
    of which the time may be missing.

    ``evse_uid`` and ``connector_id`` address a part of a location, ``calendar_id`` one of a booking
    location. ``partner_id`` is where it came from, None for the hub's own stations; ``broadcast``
    is False for Open Routing (HUB-33). ``for_us``: pushed to the party of our own stations alone,
    so it goes to nobody else. ``receiver`` is whom a private object is for, where the object does
    not say. ``all_periods``: the charging periods of a PATCH are all there are, unless they come
    after those that are kept. ``by_contract``: of the token and the session only the contract was
    told, the rest was looked up.
    """

    module: Module
    method: str
    owner: Party
    object_id: str
    document: Document = field(default_factory=dict)
    evse_uid: str | None = None
    connector_id: str | None = None
    calendar_id: str | None = None
    token_type: str = RFID
    partner_id: UUID | None = None
    broadcast: bool = True
    for_us: bool = False
    receiver: Party | None = None
    all_periods: bool = False
    by_contract: bool = False

    @cached_property
    def key(self) -> Key:
        return object_key(self.module, self.owner, self.object_id, self.token_type)


def object_key(module: Module, owner: Party, object_id: str, token_type: str = RFID) -> Key:
    """How an object is found: without case, tokens by uid and type (TOK-02)."""
    key = object_id.upper()
    return Key(
        owner.country_code, owner.party_id, f"{key}/{token_type}" if module is TOKENS else key
    )


def compose(document: str, last_updated: str, evses: Iterable[str] | None = None) -> str:
    """Put back into a document's text what is kept beside it. Pure text: nothing is parsed.

    A ``last_updated`` was checked when it came: there is nothing in it to be escaped.
    """
    more = f'"{MEMBER_OF_TIME}":"{last_updated}"'
    if evses is not None:
        more += f',"evses":[{",".join(evses)}]'
    return f"{document[:-1]}{'' if document == '{}' else ','}{more}}}"


def object_ref(key: Key) -> str:
    """``CC/PID/KEY``: how setbacks name an object."""
    return f"{key.country_code}/{key.party_id}/{key.object_key}"
