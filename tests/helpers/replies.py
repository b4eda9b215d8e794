"""Answers of an exemplary platform, before they are written, and faults planted in them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

JSON = dict[str, Any]
NOW = "2025-11-01T12:00:00Z"


@dataclass
class Reply:
    """An answer before it is written; ``text`` instead of the envelope, if given."""

    data: Any = None
    status_code: Any = 1000
    http_status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    envelope: JSON = field(default_factory=dict)
    content_type: str = "application/json"
    text: str | None = None

    def write(self) -> web.Response:
        body: JSON = {"status_code": self.status_code, "timestamp": NOW} | self.envelope
        if self.data is not None:
            body["data"] = self.data
        text = json.dumps(body) if self.text is None else self.text
        response = web.Response(status=self.http_status, headers=self.headers, text=text)
        response.headers["Content-Type"] = self.content_type
        return response


Change = Callable[[Reply, web.Request], Reply]


@dataclass(frozen=True)
class Plant:
    """``change`` is applied to answers where ``on`` is found in "GET /2.2.1/sender/tariffs?…"."""

    on: str
    change: Change


def refuse(status_code: int, http_status: int = 200) -> Reply:
    return Reply(status_code=status_code, http_status=http_status)


def party_in(request: web.Request, direction: str) -> tuple[str | None, str | None]:
    part = f"OCPI-{direction}-"
    return request.headers.get(part + "country-code"), request.headers.get(part + "party-id")


def swapped(request: web.Request) -> dict[str, str]:
    """Whoever asked is answered, by whoever was asked."""
    turned = {"from": "to", "to": "from"}
    return {
        f"OCPI-{turned[direction]}-{part}": request.headers[f"OCPI-{direction}-{part}"]
        for direction in turned
        for part in ("country-code", "party-id")
        if f"OCPI-{direction}-{part}" in request.headers
    }
