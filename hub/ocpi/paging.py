"""Paged lists: reading ``offset``, ``limit``, ``date_from``, ``date_to``; writing Link and X-*
headers.

Our Link keeps offset and limit visible, since some clients rebuild them, and adds the place
(``after``) by which the next page is found without counting (TRANSPORT-58 … 66).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from aiohttp import web

from hub.errors import InvalidRequest
from hub.keys import SETTINGS
from hub.ocpi.request import PARTNER
from hub.roaming.merging import instant

# What a list may be narrowed by; the next Link repeats it (TRANSPORT-60).
FILTERS = ("date_from", "date_to", "timeslot_from", "timeslot_to")
FURTHEST_OFFSET = 10_000_000
# Digits that fit a bigint.
LONGEST_NUMBER = 18


@dataclass(frozen=True)
class Page:
    """What was asked for. ``limit`` is the smaller of the client's and ours (AMB-06)."""

    offset: int
    limit: int
    after: int | None
    date_from: datetime | None
    date_to: datetime | None
    timeslot_from: datetime | None
    timeslot_to: datetime | None
    filters: Mapping[str, str]


def requested(request: web.Request) -> Page:
    """Read the query; InvalidRequest names what is wrong with it (TRANSPORT-65)."""
    query = {name.lower(): value for name, value in request.query.items()}
    ours = request.config_dict[SETTINGS].page_limit
    filters = {name: query[name] for name in FILTERS if query.get(name)}
    return Page(
        offset=whole(query, "offset", 0, FURTHEST_OFFSET) or 0,
        limit=min(whole(query, "limit", 1, None) or ours, ours),
        after=whole(query, "after", 0, None),
        date_from=moment(filters, "date_from"),
        date_to=moment(filters, "date_to"),
        timeslot_from=moment(filters, "timeslot_from"),
        timeslot_to=moment(filters, "timeslot_to"),
        filters=filters,
    )


def whole(query: Mapping[str, str], name: str, low: int, high: int | None) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > LONGEST_NUMBER:
        raise InvalidRequest(f"{name} must be a whole number, not {text[:40]!r}.")
    value = int(text)
    if value < low or (high is not None and value > high):
        raise InvalidRequest(
            f"{name} must be at least {low}" + (f" and at most {high}." if high else ".")
        )
    return value


def moment(filters: Mapping[str, str], name: str) -> datetime | None:
    text = filters.get(name)
    if text is None:
        return None
    try:
        # A "+" that was not percent-encoded arrives as a blank.
        return instant(
            text.strip().replace(" ", "+") if text.count(" ") and "T" in text else text.strip()
        )
    except (ValueError, OverflowError):
        raise InvalidRequest(
            f"{name} must be a DateTime such as 2025-01-31T12:00:00Z, not {text[:40]!r}."
        ) from None


def headers(
    request: web.Request, page: Page, *, total: int, shown: int, next_after: int | None
) -> dict[str, str]:
    """X-Total-Count, X-Limit and, where ``next_after`` says that more follows, Link."""
    ours = request.config_dict[SETTINGS].page_limit
    told = ours if request[PARTNER].settings.x_limit == "server" else page.limit
    answer = {"X-Total-Count": str(total), "X-Limit": str(told)}
    if next_after is not None:
        query = {
            **page.filters,
            "offset": page.offset + shown,
            "limit": page.limit,
            "after": next_after,
        }
        path = request.rel_url.raw_path
        url = f"{request.config_dict[SETTINGS].public_url}{path}?{urlencode(query)}"
        answer["Link"] = f'<{url}>; rel="next"'
    return answer
