"""What the hub tells partners about each other."""

from sqlalchemy.orm import Mapped

from hub.models.base import Base
from hub.models.objects import OwnedObject, from_document


class ClientInfo(OwnedObject, Base):
    """A party in one role and whether it can be reached (HubClientInfo).

    It follows from the partner's row and roles, but is a row of its own: so it has a place in the
    feed, and a party that is gone can still be told to be SUSPENDED (HCI-03). ``object_key`` is the
    role (HCI-07), ``partner_id`` the platform that hosts the party, null for the hub's own.
    """

    __tablename__ = "ocpi_clientinfo"

    status: Mapped[str | None] = from_document("status")
