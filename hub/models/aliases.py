"""Other names of objects, for versions of OCPI whose objects do not say whose they are."""

from enum import StrEnum

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import Base, TenantOwned, one_of


class Reader(StrEnum):
    """For whom a name is: the party that owns the object, or all others that speak 2.1.1."""

    OWNER = "OWNER"
    OTHERS = "OTHERS"


class Alias(TenantOwned, Base):
    """What partners that speak 2.1.1 call something.

    ``kind`` is a module, ``evses`` or ``contracts``; the object is known by its owner and
    ``object_key``, which is ``object_id`` in capitals. ``written`` never changes once it was told.
    ``written_key`` makes it unique: among all for OTHERS, without regard to case; among those of
    one owner for OWNER, as it is written.
    """

    __tablename__ = "id_aliases"
    __table_args__ = (
        Index(
            "uq_id_aliases_object",
            "tenant_id",
            "kind",
            "reader",
            "country_code",
            "party_id",
            "object_key",
            unique=True,
        ),
        Index("uq_id_aliases_written", "tenant_id", "kind", "reader", "written_key", unique=True),
        one_of("reader", Reader),
    )

    kind: Mapped[str] = mapped_column(String(20))
    reader: Mapped[str] = mapped_column(String(10))
    country_code: Mapped[str] = mapped_column(String(2))
    party_id: Mapped[str] = mapped_column(String(3))
    object_key: Mapped[str] = mapped_column(String(80))
    object_id: Mapped[str] = mapped_column(String(80))
    written: Mapped[str] = mapped_column(String(39))
    written_key: Mapped[str] = mapped_column(String(50))
