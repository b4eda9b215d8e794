"""What can go wrong, and what a partner is told about it.

HubError                     3000  the hub itself failed
├── InvalidRequest           2001  parameters missing or malformed
├── UnknownLocation          2003  HTTP 404
├── UnknownToken             2004  HTTP 404
├── NotFound                 2001  HTTP 404
├── MalformedRequest         2000  HTTP 400, the body is not JSON
├── Unauthorized             2000  HTTP 401
├── Forbidden                2001  HTTP 403, known but not for this partner
├── MethodNotAllowed         2000  HTTP 405
├── TooLarge                 2000  HTTP 413
├── TooManyRequests          2000  HTTP 429
├── Unavailable              3000  HTTP 503, nothing was kept: send it again
├── UnusableClient           3001  the partner's own API could not be used
├── UnsupportedVersion       3002
├── MissingEndpoints         3003
└── RoutingError             4000  the hub could not pass a message on
    ├── UnknownReceiver      4001
    ├── ReceiverTimeout      4002
    └── ReceiverUnreachable  4003

The HTTP status follows the decision table of OCPI status codes (TRANSPORT-80 … 86): a request that
reached the OCPI layer is answered with 200 unless the table says otherwise.
"""

from collections.abc import Mapping
from typing import Any


class HubError(Exception):
    """Base class; the class attributes are what goes over the wire.

    ``data`` is returned in the envelope's ``data``; ``headers`` are added to the response.
    """

    status_code = 3000
    http_status = 200

    def __init__(
        self,
        message: str = "",
        *,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or type(self).__name__)
        self.data = data
        self.headers = dict(headers or {})


class InvalidRequest(HubError):
    status_code = 2001


class NotFound(HubError):
    status_code = 2001
    http_status = 404


class UnknownLocation(NotFound):
    status_code = 2003


class UnknownToken(NotFound):
    status_code = 2004


class MalformedRequest(HubError):
    status_code = 2000
    http_status = 400


class Unauthorized(HubError):
    status_code = 2000
    http_status = 401


class Forbidden(HubError):
    status_code = 2001
    http_status = 403


class MethodNotAllowed(HubError):
    status_code = 2000
    http_status = 405


class TooLarge(HubError):
    status_code = 2000
    http_status = 413


class TooManyRequests(HubError):
    status_code = 2000
    http_status = 429


class Unavailable(HubError):
    http_status = 503


class UnusableClient(HubError):
    status_code = 3001


class UnsupportedVersion(HubError):
    status_code = 3002


class MissingEndpoints(HubError):
    status_code = 3003


class RoutingError(HubError):
    status_code = 4000


class UnknownReceiver(RoutingError):
    status_code = 4001


class ReceiverTimeout(RoutingError):
    status_code = 4002


class ReceiverUnreachable(RoutingError):
    status_code = 4003
