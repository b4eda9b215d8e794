"""HubClientInfo: how the parties behind a hub are connected. As of OCPI 2.3.0."""

from hub.ocpi.schemas.enums import OneOf, closed
from hub.ocpi.schemas.fields import CiString, Timestamp
from hub.ocpi.schemas.objects import Object
from hub.ocpi.schemas.types import ROLE

CONNECTION_STATUS = closed("ConnectionStatus", "CONNECTED", "OFFLINE", "PLANNED", "SUSPENDED")


class ClientInfo(Object):
    party_id = CiString(3, key=True, required=True)
    country_code = CiString(2, key=True, required=True)
    role = OneOf(ROLE, required=True)
    status = OneOf(CONNECTION_STATUS, required=True)
    last_updated = Timestamp(required=True)
