"""What operators give to their stations: charging profiles, firmware; and what they fetch: logs."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Sequence,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import Audited, Base, TenantOwned, one_of
from hub.models.ocpp import PROFILE_SEQUENCE
from hub.models.stations import belongs_to_station
from hub.models.values import FileKind, ProfileKind, ProfilePurpose, Recurrency

# OCPP numbers what is asked for, so that reports of progress can be told apart.
REQUEST_SEQUENCE = Sequence("ocpp_request_seq", metadata=Base.metadata)


class ChargingProfileTemplate(Audited, Base):
    """A charging profile with a name, to be given to stations. ``number`` is OCPP's id of it.

    It keeps its number for ever, whatever stations it is given to and however it is changed, so
    that giving it again replaces it. ``periods`` are as in OCPI, with ``number_phases`` besides.
    """

    __tablename__ = "charging_profile_templates"
    __table_args__ = (
        UniqueConstraint("tenant_id", "name"),
        UniqueConstraint("tenant_id", "number"),
        one_of("purpose", ProfilePurpose),
        one_of("kind", ProfileKind),
        one_of("recurrency", Recurrency),
        CheckConstraint("name <> ''", name="name"),
        CheckConstraint("charging_rate_unit IN ('W', 'A')", name="charging_rate_unit"),
        CheckConstraint("stack_level >= 0", name="stack_level"),
        CheckConstraint("(kind = 'RECURRING') = (recurrency IS NOT NULL)", name="recurring"),
    )

    number: Mapped[int] = mapped_column(
        Integer, PROFILE_SEQUENCE, server_default=PROFILE_SEQUENCE.next_value()
    )
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(String(500))
    purpose: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(20))
    recurrency: Mapped[str | None] = mapped_column(String(10))
    stack_level: Mapped[int] = mapped_column(server_default="0")
    charging_rate_unit: Mapped[str] = mapped_column(String(1))
    start_date_time: Mapped[datetime | None]
    # Seconds.
    duration: Mapped[int | None]
    min_charging_rate: Mapped[Decimal | None] = mapped_column(Numeric(12, 1))
    periods: Mapped[list[Any]]
    valid_from: Mapped[datetime | None]
    valid_to: Mapped[datetime | None]


class AppliedProfile(TenantOwned, Base):
    """A template that a station has taken. ``evse_number`` 0 is the station as a whole."""

    __tablename__ = "applied_charging_profiles"
    __table_args__ = (
        belongs_to_station(ondelete="CASCADE"),
        ForeignKeyConstraint(
            ["tenant_id", "template_id"],
            ["charging_profile_templates.tenant_id", "charging_profile_templates.id"],
        ),
        UniqueConstraint(
            "tenant_id",
            "charging_station_id",
            "template_id",
            "evse_number",
            name="uq_applied_charging_profiles_place",
        ),
        Index(None, "tenant_id", "template_id"),
    )

    charging_station_id: Mapped[UUID]
    template_id: Mapped[UUID]
    evse_number: Mapped[int]
    applied_at: Mapped[datetime]
    # Of the template, when it was given: an older one is not what the template says now.
    template_version: Mapped[int] = mapped_column(BigInteger)


class StationFile(TenantOwned, Base):
    """Firmware for stations, or a log of one: its bytes are in ``station_file_parts``."""

    __tablename__ = "station_files"
    __table_args__ = (
        one_of("kind", FileKind),
        CheckConstraint("name <> ''", name="name"),
    )

    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(255))
    # Bytes, and their SHA-256; null until all of them are here.
    size: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))


class StationFilePart(TenantOwned, Base):
    """A megabyte of a file, or what is left of it."""

    __tablename__ = "station_file_parts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "file_id"],
            ["station_files.tenant_id", "station_files.id"],
            ondelete="CASCADE",
        ),
        UniqueConstraint("tenant_id", "file_id", "number"),
    )

    file_id: Mapped[UUID]
    number: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary)


class StationJob(TenantOwned, Base):
    """A firmware update or a log, from the order to its end.

    The station gets a URL of the hub that works once, for this job, and not for long (T-53): only
    its digest is kept. ``status`` is the station's own word.
    """

    __tablename__ = "station_jobs"
    __table_args__ = (
        belongs_to_station(ondelete="CASCADE"),
        ForeignKeyConstraint(
            ["tenant_id", "file_id"],
            ["station_files.tenant_id", "station_files.id"],
            ondelete="CASCADE",
        ),
        Index("uq_station_jobs_url", "url_digest", unique=True),
        Index(None, "tenant_id", "charging_station_id", "created_at"),
        one_of("kind", FileKind),
    )

    charging_station_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(10))
    request_id: Mapped[int] = mapped_column(
        Integer, REQUEST_SEQUENCE, server_default=REQUEST_SEQUENCE.next_value()
    )
    file_id: Mapped[UUID]
    url_digest: Mapped[bytes] = mapped_column(LargeBinary)
    url_expires_at: Mapped[datetime]
    url_used_at: Mapped[datetime | None]
    # What the station said to the order, and of its progress since.
    result: Mapped[str | None] = mapped_column(String(40))
    status: Mapped[str | None] = mapped_column(String(40))
    status_at: Mapped[datetime | None]
    finished: Mapped[bool] = mapped_column(server_default=text("false"))
