"""The OCPI objects the hub keeps: one row each, the canonical (2.3.0) document as it lies.

``document`` is the truth. The columns beside it are what the database must search, sort or compare
by; what can be computed from the document PostgreSQL does compute, so nothing is written twice.
Generated columns do it, each of which reads the document by itself; for a location, which would
have ten, a trigger reads it once.

Two members are kept out of the document's text, because children change them without the document
being rewritten: a location's ``evses`` (rows of their own) and ``last_updated``. ``compose`` in
``roaming/store/writes.py`` puts them back.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Computed,
    Index,
    LargeBinary,
    Numeric,
    Sequence,
    String,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from hub.models.base import (
    OFTEN_UPDATED,
    Base,
    DocumentText,
    TenantOwned,
    TransactionId,
    one_of,
)
from hub.models.partners import belongs_to_partner
from hub.models.values import TariffStatus

FEED_SEQUENCE = Sequence("feed_seq", metadata=Base.metadata)
PAGE_SEQUENCE = Sequence("page_seq", metadata=Base.metadata)


class InFeed:
    """A row that has a place in the feed; every change that matters moves it to the end."""

    changed_xid: Mapped[int] = mapped_column(
        TransactionId, server_default=text("pg_current_xact_id()")
    )
    changed_seq: Mapped[int] = mapped_column(
        BigInteger, FEED_SEQUENCE, server_default=FEED_SEQUENCE.next_value()
    )


class OwnedObject(InFeed, TenantOwned):
    """What every object has: an owner, an id, a document.

    ``object_key`` is ``object_id`` in upper case (CiString), for tokens with ``/TYPE`` behind it.
    ``page_seq`` is the order of creation, in which lists are paged (TRANSPORT-61).
    """

    partner_id: Mapped[UUID | None]
    country_code: Mapped[str] = mapped_column(String(2))
    party_id: Mapped[str] = mapped_column(String(3))
    object_key: Mapped[str] = mapped_column(String(80))
    object_id: Mapped[str] = mapped_column(String(39))
    document: Mapped[str] = mapped_column(DocumentText)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    # As the owner wrote it, and as an instant to compare by. The hub never changes it (HUB-42).
    last_updated_text: Mapped[str] = mapped_column(String(40))
    last_updated: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    # Which member was written when, where that is not ``last_updated``: see roaming/merging.py.
    stamps: Mapped[str | None] = mapped_column(DocumentText)
    # The oldest OCPI version in which the document reads the same: it may go out unparsed.
    same_since: Mapped[str] = mapped_column(String(5), server_default="2.3.0")
    # Pushed to the hub's own party (Broadcast Push) or without receiver (Open Routing): decides the
    # OCPI-from headers of what goes out (HUB-20, HUB-33).
    broadcast: Mapped[bool] = mapped_column(server_default=text("true"))
    # Pushed to the party of our own stations alone: nobody else is told or shown it.
    for_us: Mapped[bool] = mapped_column(server_default=text("false"))
    deleted_at: Mapped[datetime | None]
    page_seq: Mapped[int] = mapped_column(
        BigInteger, PAGE_SEQUENCE, server_default=PAGE_SEQUENCE.next_value()
    )

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        return object_indexes(cls.__tablename__)  # type: ignore[attr-defined]


def object_indexes(
    table: str, *more: Any, key: tuple[str, ...] = ("object_key",)
) -> tuple[Any, ...]:
    return (
        belongs_to_partner(),
        Index(
            f"uq_{table}_object",
            "tenant_id",
            "country_code",
            "party_id",
            *key,
            unique=True,
        ),
        Index(f"ix_{table}_feed", "tenant_id", "changed_xid", "changed_seq"),
        Index(f"ix_{table}_page", "tenant_id", "page_seq"),
        Index(f"ix_{table}_updated", "tenant_id", "last_updated"),
        *more,
    )


def from_document(member: str) -> Mapped[Any]:
    """A column that PostgreSQL computes from the document; text, for open enums have no length."""
    return mapped_column(Text, Computed(f"document ->> '{member}'", persisted=True))


class Listed:
    """What its owner lists for as long as it is there (TRANSPORT-64)."""

    # The last pull of everything in which it was, by when that began.
    listed_at: Mapped[datetime | None]


class Withdrawn:
    """A part of what was published and no longer is, with the place in the feed of that.

    Null for what is published, and for what never was.
    """

    withdrawn_xid: Mapped[int | None] = mapped_column(TransactionId)
    withdrawn_seq: Mapped[int | None] = mapped_column(BigInteger)


def withdrawn_index(table: str) -> Index:
    return Index(
        f"ix_{table}_withdrawn",
        "tenant_id",
        "withdrawn_xid",
        "withdrawn_seq",
        postgresql_where=text("withdrawn_xid IS NOT NULL"),
    )


class Location(Withdrawn, Listed, OwnedObject, Base):
    """A location without its EVSEs. ``last_updated`` is never older than any EVSE's (LOC-12)."""

    __tablename__ = "ocpi_locations"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        return object_indexes("ocpi_locations", withdrawn_index("ocpi_locations"), OFTEN_UPDATED)

    # The trigger ``ocpi_locations_columns`` sets these from the document.
    publish: Mapped[bool] = mapped_column(server_default=text("true"))
    name: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    city: Mapped[str | None] = mapped_column(Text)
    postal_code: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str | None] = mapped_column(Text)
    country: Mapped[str | None] = mapped_column(Text)
    time_zone: Mapped[str | None] = mapped_column(Text)
    latitude: Mapped[str | None] = mapped_column(Text)
    longitude: Mapped[str | None] = mapped_column(Text)


class EVSE(Withdrawn, OwnedObject, Base):
    """An EVSE with its connectors. ``object_key`` is the EVSE's uid."""

    __tablename__ = "ocpi_evses"

    location_key: Mapped[str] = mapped_column(String(80))
    status: Mapped[str | None] = from_document("status")
    evse_id: Mapped[str | None] = from_document("evse_id")

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        return object_indexes(
            "ocpi_evses",
            withdrawn_index("ocpi_evses"),
            OFTEN_UPDATED,
            key=("location_key", "object_key"),
        )


class Tariff(Listed, OwnedObject, Base):
    """Tariffs of partners and, without a partner, of the hub's own charging stations."""

    __tablename__ = "tariffs"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        return object_indexes(
            "tariffs",
            Index("ix_tariffs_status", "tenant_id", "status"),
            Index("ix_tariffs_validity", "tenant_id", "valid_from", "valid_to"),
            one_of("status", TariffStatus),
        )

    name: Mapped[str | None] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(String(1000))
    status: Mapped[str] = mapped_column(String(20), server_default=TariffStatus.ACTIVE)
    currency: Mapped[str | None] = from_document("currency")
    type: Mapped[str | None] = from_document("type")
    valid_from: Mapped[datetime | None]
    valid_to: Mapped[datetime | None]


class ForReceiver:
    """An object meant for one party: of a session or CDR, the one that issued the token in
    ``cdr_token`` (SES-17, CDR-19).
    """

    receiver_country_code: Mapped[str] = mapped_column(String(2))
    receiver_party_id: Mapped[str] = mapped_column(String(3))


def authorized_by(table: str) -> Index:
    """By what a payment is matched with the session it was for (PAY-06)."""
    reference = "document ->> 'authorization_reference'"
    return Index(
        f"ix_{table}_authorization",
        "tenant_id",
        text(f"({reference})"),
        postgresql_where=text(f"({reference}) IS NOT NULL"),
    )


class Session(ForReceiver, OwnedObject, Base):
    __tablename__ = "ocpi_sessions"

    status: Mapped[str | None] = from_document("status")
    location_id: Mapped[str | None] = from_document("location_id")

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        return object_indexes(
            "ocpi_sessions",
            Index(
                "ix_ocpi_sessions_receiver",
                "tenant_id",
                "receiver_country_code",
                "receiver_party_id",
                "page_seq",
            ),
            authorized_by("ocpi_sessions"),
        )


class CDR(ForReceiver, OwnedObject, Base):
    __tablename__ = "ocpi_cdrs"

    session_id: Mapped[str | None] = from_document("session_id")
    currency: Mapped[str | None] = from_document("currency")
    total_energy: Mapped[Any | None] = mapped_column(
        Numeric, Computed("(document ->> 'total_energy')::numeric", persisted=True)
    )
    credit_reference_id: Mapped[str | None] = from_document("credit_reference_id")
    # Since when its receiver must wait for it, where the parties agreed that it may have to.
    held_at: Mapped[datetime | None]

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        return object_indexes(
            "ocpi_cdrs",
            Index(
                "ix_ocpi_cdrs_receiver",
                "tenant_id",
                "receiver_country_code",
                "receiver_party_id",
                "page_seq",
            ),
            authorized_by("ocpi_cdrs"),
            Index(
                "ix_ocpi_cdrs_held",
                "tenant_id",
                "page_seq",
                postgresql_where=text("held_at IS NOT NULL"),
            ),
            Index(
                "ix_ocpi_cdrs_credits",
                "tenant_id",
                "country_code",
                "party_id",
                text("upper(credit_reference_id)"),
                postgresql_where=text("credit_reference_id IS NOT NULL"),
            ),
            # Invoices name CDRs, but not always whose (INV-01).
            Index("ix_ocpi_cdrs_key", "tenant_id", "object_key"),
        )


class Token(Listed, OwnedObject, Base):
    """Drivers' tokens of partners. ``object_key`` is ``UID/TYPE``: the pair is unique (TOK-02)."""

    __tablename__ = "ocpi_tokens"

    type: Mapped[str | None] = from_document("type")
    valid: Mapped[bool] = mapped_column(
        Computed("coalesce(document ->> 'valid', 'false') = 'true'", persisted=True)
    )
    whitelist: Mapped[str | None] = from_document("whitelist")
    contract_id: Mapped[str | None] = from_document("contract_id")

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        return object_indexes(
            "ocpi_tokens",
            Index("ix_ocpi_tokens_key", "tenant_id", "object_key"),
            Index("ix_ocpi_tokens_contract", "tenant_id", "contract_id"),
        )
