"""What could not be carried from one OCPI version to another."""

from enum import StrEnum
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import Base, TenantOwned, one_of


class Direction(StrEnum):
    """READ: the version is the sender's; WRITTEN: it is the receivers'."""

    READ = "READ"
    WRITTEN = "WRITTEN"


class Loss(TenantOwned, Base):
    """What was left out of an object when it was last read or written in a version.

    One row per object and version, for all partners who speak it get the same bytes.
    """

    __tablename__ = "losses"
    __table_args__ = (
        Index(
            "uq_losses_object",
            "tenant_id",
            "module",
            "object_ref",
            "ocpi_version",
            "direction",
            unique=True,
        ),
        one_of("direction", Direction),
    )

    module: Mapped[str] = mapped_column(String(50))
    # As in ``setbacks``: "CC/PID/KEY", for an EVSE "CC/PID/LOCATION/EVSE".
    object_ref: Mapped[str] = mapped_column(String(200))
    ocpi_version: Mapped[str] = mapped_column(String(10))
    direction: Mapped[str] = mapped_column(String(10), server_default=Direction.WRITTEN)
    # A list of {"path": "evses/0/parking", "reason": "…"}; of an object that cannot be said at all,
    # one with an empty path.
    losses: Mapped[list[Any]]
