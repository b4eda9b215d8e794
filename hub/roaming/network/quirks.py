"""What a partner wants said differently: found by a probe, or set by the operator.

A quirk is not a fault the hub could tolerate in silence, but one in which the hub must take the
other side's way to be understood at all. Each has a value for "as OCPI says".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

SLASHES = ("as_listed", "add", "drop")
DATE_FORMS = ("seconds", "milliseconds", "no_zone")
ROUTING = ("send", "omit")
LISTS = ("by_party", "all_at_once")


@dataclass(frozen=True)
class Quirks:
    """How to speak to one partner.

    ``slash``: what its URLs end with. ``date_form``: how dates in queries are written.
    ``page_limit``: the largest page to ask for; 0: none must be named. ``routing``: whether its
    lists are asked for with routing headers. ``lists``: ``all_at_once`` where a request to one of
    its parties brings the objects of all. ``short_addresses``: whether it takes addresses of
    locations of 45 characters only, as older editions of the specification have it (AMB-28).
    """

    slash: str = "as_listed"
    date_form: str = "seconds"
    page_limit: int | None = None
    routing: str = "send"
    lists: str = "by_party"
    short_addresses: bool = False

    @classmethod
    def of(cls, *told: Mapping[str, Any] | None) -> "Quirks":
        """Read what is stored, the last word counting most; unknown names do no harm."""
        merged: dict[str, Any] = {}
        for one in told:
            merged |= {name: value for name, value in (one or {}).items() if value is not None}
        return cls(**{name: merged[name] for name in cls.__dataclass_fields__ if name in merged})

    def url(self, url: str) -> str:
        """The URL of an endpoint, or of something below one, as the partner serves it."""
        if self.slash == "as_listed":
            return url
        parts = urlsplit(url)
        path = parts.path.rstrip("/") + ("/" if self.slash == "add" else "")
        return urlunsplit(parts._replace(path=path))

    def moment(self, moment: datetime) -> str:
        """A DateTime in a query."""
        plain = moment.astimezone(UTC).replace(tzinfo=None)
        match self.date_form:
            case "milliseconds":
                return plain.isoformat(timespec="milliseconds") + "Z"
            case "no_zone":
                return plain.isoformat(timespec="seconds")
        return plain.isoformat(timespec="seconds") + "Z"
