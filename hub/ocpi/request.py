"""What the middlewares learn about a request and the endpoints read: ``request[PARTNER]``."""

from aiohttp import web

from hub.models.values import Party
from hub.ocpi.operation import Operation
from hub.ocpi.versions.base import Version
from hub.roaming.network.audience import Audience
from hub.roaming.network.partners import Connection

PARTNER: web.RequestKey[Connection] = web.RequestKey("partner", Connection)
VERSION: web.RequestKey[Version] = web.RequestKey("version", Version)
OPERATION: web.RequestKey[Operation] = web.RequestKey("operation", Operation)
AUDIENCE: web.RequestKey[Audience] = web.RequestKey("audience", Audience)
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
CORRELATION_ID: web.RequestKey[str] = web.RequestKey("correlation_id", str)
# The parties a functional request runs between; TO is None for Open Routing.
TO: web.RequestKey[Party | None] = web.RequestKey("to")
FROM: web.RequestKey[Party | None] = web.RequestKey("from")
# Whose object an id means that a version without owners names (2.1.1), where that is known.
OWNER: web.RequestKey[Party] = web.RequestKey("owner", Party)
# The type of the token in the URL, where the caller's version does not say it and it is known.
TOKEN_TYPE: web.RequestKey[str] = web.RequestKey("token_type", str)
# Who answers: the party that the response headers name as sender (HUB-14, HUB-33).
ANSWERED_BY: web.RequestKey[Party] = web.RequestKey("answered_by", Party)
