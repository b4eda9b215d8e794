"""What the hub must remember about conversations with its own charging stations.

The seed's entities (``stations.py``) say what a station is; these rows say what OCPI calls its
EVSEs, what was asked of it and what it reported, and which profiles and lists it was given. What it
says of transactions is in ``transactions.py``.
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
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import Base, TenantOwned
from hub.models.stations import belongs_to_station

# Ids that OCPP wants as integers.
PROFILE_SEQUENCE = Sequence("ocpp_profile_seq", metadata=Base.metadata)


class StationEVSE(TenantOwned, Base):
    """An EVSE of one of our stations as OCPI will know it.

    ``evse_uid`` is made up: the OCPP identity of a station is nobody else's business (T-47), and a
    uid must survive the hardware (LOC-09). ``published`` is set when the operator has said what and
    where it is; one that merely appeared on the wire stays pending.
    """

    __tablename__ = "station_evses"
    __table_args__ = (
        belongs_to_station(ondelete="CASCADE"),
        UniqueConstraint("tenant_id", "charging_station_id", "evse_number"),
        UniqueConstraint("tenant_id", "evse_uid"),
    )

    charging_station_id: Mapped[UUID]
    evse_number: Mapped[int]
    evse_uid: Mapped[str] = mapped_column(String(36))
    # The eMI3 id, and what is painted on the ground: the operator's data.
    evse_id: Mapped[str | None] = mapped_column(String(48))
    physical_reference: Mapped[str | None] = mapped_column(String(16))
    published: Mapped[bool] = mapped_column(server_default=text("false"))
    # What the operator wants shown instead of what the station says: PLANNED, REMOVED, INOPERATIVE.
    shown_as: Mapped[str | None] = mapped_column(String(20))
    # EVSEs that share one power unit: while one is in use, the others are not (LOC-21).
    power_group: Mapped[str | None] = mapped_column(String(36))
    # The instant of the last status accepted, by the station's clock.
    status_at: Mapped[datetime | None]


class StationCall(TenantOwned, Base):
    """A CALL for a station, on its way to the process that holds the socket, and what came of it.

    ``state``: WAITING, SENT (never sent again, whatever happens), ANSWERED, REFUSED (a CALLERROR),
    SILENT (no answer in time), BROKEN (an answer nobody can read), OFFLINE (never sent).

    ``payload`` is what an operator may see of it. Where that is not all, ``sealed`` holds what is
    to be sent, encrypted and bound to this row, until the call is finished.
    """

    __tablename__ = "station_calls"
    __table_args__ = (
        belongs_to_station(ondelete="CASCADE"),
        Index(None, "tenant_id", "charging_station_id", "created_at"),
        Index("ix_station_calls_waiting", "tenant_id", postgresql_where=text("state = 'WAITING'")),
        CheckConstraint(
            "state IN ('WAITING', 'SENT', 'ANSWERED', 'REFUSED', 'SILENT', 'OFFLINE', 'BROKEN')",
            name="state",
        ),
    )

    charging_station_id: Mapped[UUID]
    action: Mapped[str] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(10), server_default=text("'WAITING'"))
    answer: Mapped[dict[str, Any] | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_description: Mapped[str | None] = mapped_column(Text)
    deadline_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class StationReport(TenantOwned, Base):
    """Something a station reported to its operator: an event, a limit, a part of an answer.

    ``payload`` is the message as operators may see it. ``request_id`` joins the parts of what was
    asked for; ``severity`` is OCPP's, from 0 (danger) to 9 (debug).
    """

    __tablename__ = "station_reports"
    __table_args__ = (
        belongs_to_station(ondelete="CASCADE"),
        Index(None, "tenant_id", "charging_station_id", "created_at"),
    )

    charging_station_id: Mapped[UUID]
    action: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    request_id: Mapped[int | None] = mapped_column(BigInteger)
    severity: Mapped[int | None]
    payload: Mapped[dict[str, Any]]


class StationProfile(TenantOwned, Base):
    """A charging profile that a station was given: for a session, or by the operator's template."""

    __tablename__ = "station_profiles"
    __table_args__ = (
        belongs_to_station(ondelete="CASCADE"),
        UniqueConstraint("tenant_id", "number"),
        Index(None, "tenant_id", "session_id"),
    )

    number: Mapped[int] = mapped_column(
        Integer, PROFILE_SEQUENCE, server_default=PROFILE_SEQUENCE.next_value()
    )
    charging_station_id: Mapped[UUID]
    session_id: Mapped[str | None] = mapped_column(String(36))
    # As OCPI has it.
    profile: Mapped[dict[str, Any]]
    cleared_at: Mapped[datetime | None]


class StationLocalList(TenantOwned, Base):
    """The local authorisation list a station holds: its version, and a digest of what is in it."""

    __tablename__ = "station_local_lists"
    __table_args__ = (
        belongs_to_station(ondelete="CASCADE"),
        UniqueConstraint("tenant_id", "charging_station_id"),
    )

    charging_station_id: Mapped[UUID]
    list_version: Mapped[int]
    entries: Mapped[dict[str, Any]]
    sent_at: Mapped[datetime]
