"""Transactions, reservations and tokens as our own charging stations know them.

The seed's entities (``charging.py``) say what a session is; these rows say how it is known on the
wire: which transaction id means which session, which message was already worked on, which alias
stands for which token.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import Base, DocumentText, TenantOwned
from hub.models.stations import belongs_to_station

# Ids that OCPP wants as integers. They are never started again: a station may come back after years
# with a transaction it could not report.
TRANSACTION_SEQUENCE = Sequence("ocpp_transaction_seq", metadata=Base.metadata)
RESERVATION_SEQUENCE = Sequence("ocpp_reservation_seq", metadata=Base.metadata)


class StationTransaction(TenantOwned, Base):
    """A transaction as one station knows it, whatever order its messages come in.

    ``transaction_id`` is the station's own in OCPP 2; in 1.6 the hub hands out ``number``.
    ``natural_key`` tells a repeated StartTransaction from a new one. ``progress`` is what
    ``roaming/metering/metering.py`` has made of the readings so far. A ``stub`` was seen before its
    start.
    """

    __tablename__ = "station_transactions"
    __table_args__ = (
        belongs_to_station(ondelete="CASCADE"),
        UniqueConstraint("tenant_id", "charging_station_id", "transaction_id"),
        Index(
            "uq_station_transactions_natural_key",
            "tenant_id",
            "charging_station_id",
            "natural_key",
            unique=True,
        ),
        Index(
            "ix_station_transactions_open",
            "tenant_id",
            "charging_station_id",
            "evse_number",
            postgresql_where=text("state = 'OPEN'"),
        ),
        Index(None, "tenant_id", "session_id"),
        Index(
            "ix_station_transactions_doubt",
            "tenant_id",
            "doubt_due_at",
            postgresql_where=text("doubt_due_at IS NOT NULL"),
        ),
        Index(
            "ix_station_transactions_show",
            "tenant_id",
            "show_due_at",
            postgresql_where=text("show_due_at IS NOT NULL"),
        ),
        CheckConstraint("state IN ('OPEN', 'LOST', 'ENDED', 'ORPHAN')", name="state"),
    )

    charging_station_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(
        BigInteger, TRANSACTION_SEQUENCE, server_default=TRANSACTION_SEQUENCE.next_value()
    )
    transaction_id: Mapped[str] = mapped_column(String(64))
    natural_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    evse_number: Mapped[int | None]
    connector_id: Mapped[int | None]
    # OPEN; LOST: taken for ended without a word from the station; ENDED; ORPHAN: a stop of nothing.
    state: Mapped[str] = mapped_column(String(10), server_default=text("'OPEN'"))
    stub: Mapped[bool] = mapped_column(server_default=text("false"))
    # The OCPI id, and the row in ``charging_sessions``; null while the connector is unknown.
    session_id: Mapped[str] = mapped_column(String(36))
    charging_session_id: Mapped[UUID | None]
    session_created_at: Mapped[datetime | None]
    id_tag: Mapped[str | None] = mapped_column(String(255))
    # The CdrToken, and how it was accepted; null when nobody will pay.
    cdr_token: Mapped[dict[str, Any] | None]
    auth_method: Mapped[str | None] = mapped_column(String(20))
    authorization_reference: Mapped[str | None] = mapped_column(String(36))
    remote_start_id: Mapped[int | None] = mapped_column(BigInteger)
    reservation_id: Mapped[UUID | None]
    started_at: Mapped[datetime | None]
    # As the station wrote it, when its clock was plainly wrong.
    started_at_told: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    stop_reason: Mapped[str | None] = mapped_column(String(40))
    offline: Mapped[bool] = mapped_column(server_default=text("false"))
    charging_state: Mapped[str | None] = mapped_column(String(20))
    progress: Mapped[dict[str, Any] | None]
    # Location, EVSE, connector and tariff as they were when it started (CDR-08).
    circumstances: Mapped[dict[str, Any] | None]
    notes: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    # Why it may have ended without a word, since when, and when that is to be looked into.
    doubt: Mapped[str | None] = mapped_column(String(100))
    doubted_at: Mapped[datetime | None]
    doubt_due_at: Mapped[datetime | None]
    # When OCPI was told of it last, and when there is something new to tell.
    shown_at: Mapped[datetime | None]
    show_due_at: Mapped[datetime | None]
    # When the CDR of a transaction that never ended is due, and which CDRs went out, in order.
    cdr_due_at: Mapped[datetime | None]
    cdr_ids: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))


class StationEvent(TenantOwned, Base):
    """A message about a transaction that was worked on: the same again changes nothing.

    Known by content, for neither message ids nor ``seqNo`` identify anything in the field. ``raw``
    is kept where money or a signature hangs on it.
    """

    __tablename__ = "station_events"
    __table_args__ = (
        Index(
            "uq_station_events_digest", "tenant_id", "station_transaction_id", "digest", unique=True
        ),
    )

    station_transaction_id: Mapped[UUID]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    kind: Mapped[str] = mapped_column(String(30))
    at: Mapped[datetime]
    sequence_number: Mapped[int | None] = mapped_column(BigInteger)
    raw: Mapped[str | None] = mapped_column(DocumentText)


class TokenAlias(TenantOwned, Base):
    """A stand-in for a token that does not fit into OCPP, one per START_SESSION or reservation.

    OCPP 1.6 takes 20 characters where OCPI uids have 36. The alias also tells which command a
    transaction came from, which 1.6 cannot say otherwise.
    """

    __tablename__ = "token_aliases"
    __table_args__ = (
        UniqueConstraint("tenant_id", "alias"),
        Index(None, "tenant_id", "token_key"),
        Index(None, "tenant_id", "remote_start_id"),
    )

    alias: Mapped[str] = mapped_column(String(20))
    charging_station_id: Mapped[UUID]
    # The canonical Token that came with the command.
    token: Mapped[dict[str, Any]]
    token_key: Mapped[str] = mapped_column(String(80))
    remote_start_id: Mapped[int] = mapped_column(
        BigInteger, TRANSACTION_SEQUENCE, server_default=TRANSACTION_SEQUENCE.next_value()
    )
    command_id: Mapped[UUID | None]
    authorization_reference: Mapped[str | None] = mapped_column(String(36))
    expires_at: Mapped[datetime]


class Reservation(TenantOwned, Base):
    """A reservation at one of our stations. OCPI's id is text, OCPP's a number."""

    __tablename__ = "reservations"
    __table_args__ = (
        belongs_to_station(ondelete="CASCADE"),
        Index(
            "uq_reservations_reservation_id",
            "tenant_id",
            "country_code",
            "party_id",
            "reservation_key",
            unique=True,
        ),
        UniqueConstraint("tenant_id", "number"),
        Index(None, "tenant_id", "charging_station_id", "state"),
        CheckConstraint(
            "state IN ('REQUESTED', 'ACTIVE', 'USED', 'CANCELED', 'EXPIRED', 'REFUSED')",
            name="state",
        ),
    )

    number: Mapped[int] = mapped_column(
        Integer, RESERVATION_SEQUENCE, server_default=RESERVATION_SEQUENCE.next_value()
    )
    # Whose reservation it is, and what they call it (upper case: CiString).
    country_code: Mapped[str] = mapped_column(String(2))
    party_id: Mapped[str] = mapped_column(String(3))
    reservation_id: Mapped[str] = mapped_column(String(36))
    reservation_key: Mapped[str] = mapped_column(String(36))
    charging_station_id: Mapped[UUID]
    evse_number: Mapped[int | None]
    connector_id: Mapped[int | None]
    token: Mapped[dict[str, Any]]
    id_tag: Mapped[str] = mapped_column(String(36))
    state: Mapped[str] = mapped_column(String(10), server_default=text("'REQUESTED'"))
    session_id: Mapped[str] = mapped_column(String(36))
    authorization_reference: Mapped[str | None] = mapped_column(String(36))
    command_id: Mapped[UUID | None]
    reserved_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
