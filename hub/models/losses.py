"""What older OCPI versions could not carry."""

from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import Base, TenantOwned


class Loss(TenantOwned, Base):
    """What was left out when an object was last written in an older version than it has.

    One row per object and version, for all partners who speak it get the same bytes.
    """

    __tablename__ = "losses"
    __table_args__ = (
        Index("uq_losses_object", "tenant_id", "module", "object_ref", "ocpi_version", unique=True),
    )

    module: Mapped[str] = mapped_column(String(50))
    # As in ``setbacks``: "CC/PID/KEY", for an EVSE "CC/PID/LOCATION/EVSE".
    object_ref: Mapped[str] = mapped_column(String(200))
    ocpi_version: Mapped[str] = mapped_column(String(10))
    # A list of {"path": "evses/0/parking", "reason": "…"}.
    losses: Mapped[list[Any]]
