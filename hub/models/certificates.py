"""Certificates that the hub's own CAs have issued, and the CAs themselves."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import Base, TenantOwned
from hub.models.stations import belongs_to_station


class StationCertificate(TenantOwned, Base):
    """A certificate the hub's own CA has issued to a station, or one of its CAs (no private key).

    A CA's private key is encrypted and bound to this row; stations make their keys themselves.
    """

    __tablename__ = "station_certificates"
    __table_args__ = (
        belongs_to_station(ondelete="CASCADE"),
        Index("uq_station_certificates_fingerprint", "tenant_id", "fingerprint", unique=True),
        CheckConstraint("kind IN ('CA', 'STATION')", name="kind"),
        ForeignKeyConstraint(
            ["tenant_id", "issuer_id"],
            ["station_certificates.tenant_id", "station_certificates.id"],
        ),
    )

    kind: Mapped[str] = mapped_column(String(10))
    charging_station_id: Mapped[UUID | None]
    issuer_id: Mapped[UUID | None]
    serial_number: Mapped[str] = mapped_column(String(64))
    fingerprint: Mapped[str] = mapped_column(String(64))
    pem: Mapped[str] = mapped_column(Text)
    private_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    not_after: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


def key_place(row_id: UUID) -> str:
    """What the encryption of a ``private_key`` is bound to."""
    return f"station_certificates.private_key.{row_id}"
