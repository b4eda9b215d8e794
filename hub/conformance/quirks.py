"""Which way of asking a platform understands, where it does not understand OCPI's."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.conformance.caller import Exchange
from hub.conformance.rules.lists import number_in, objects_of, page
from hub.conformance.rules.single import NOWHERE
from hub.conformance.subject import SENDER, Subject
from hub.models.values import Party
from hub.ocpi.outbound import Refused, Unreachable

# What a pull asks for, and what every list should grant.
USUAL_LIMIT = 100
DATE_FORMS = {
    "seconds": "%Y-%m-%dT%H:%M:%SZ",
    "milliseconds": "%Y-%m-%dT%H:%M:%S.000Z",
    "no_zone": "%Y-%m-%dT%H:%M:%S",
}

Finder = Callable[[Subject], Awaitable[Any]]


async def find_quirks(subject: Subject, redirected: set[str]) -> dict[str, Any]:
    """Only what differs from what OCPI says; empty for most platforms."""
    found: dict[str, Any] = {}
    for name, finder in FINDERS.items():
        try:
            value = await finder(subject)
        except (Refused, Unreachable):
            continue
        if value is not None:
            found[name] = value
    if slash := slash_of(redirected):
        found["slash"] = slash
    return found


def slash_of(redirected: set[str]) -> str | None:
    """Redirects that only add or drop a slash are followed, but each costs a request."""
    if not redirected:
        return None
    without = [url for url in redirected if not url.partition("?")[0].endswith("/")]
    return "add" if without else "drop"


def listing(subject: Subject) -> str | None:
    """A module whose list can be asked for, by preference one that holds something."""
    answered = [name for name, pages in subject.pages.items() if pages[0].answer.ok]
    return max(answered, key=lambda name: len(subject.objects[name]), default=None)


async def page_limit(subject: Subject) -> int | None:
    module = listing(subject)
    if module is None:
        return None
    asked = await page(subject, module, limit=USUAL_LIMIT, offset=0)
    if asked.answer.ok:
        return None
    bare = await page(subject, module)
    if not bare.answer.ok:
        return None
    theirs = number_in(bare, "X-Limit")
    if theirs and (await page(subject, module, limit=theirs, offset=0)).answer.ok:
        return theirs
    return 0


async def date_form(subject: Subject) -> str | None:
    module = listing(subject)
    if module is None:
        return None
    moment = datetime.now(UTC) - timedelta(hours=1)
    for form, pattern in DATE_FORMS.items():
        asked = await page(subject, module, date_from=moment.strftime(pattern), limit=1)
        if asked.answer.ok:
            return None if form == "seconds" else form
    return None


async def routing(subject: Subject) -> str | None:
    """Whether lists are only answered without routing headers."""
    refused = [name for name, pages in refused_lists(subject)]
    if not refused or subject.is_old or not subject.routed:
        return None
    subject.routed = False
    try:
        asked = await page(subject, refused[0])
    finally:
        subject.routed = True
    return "omit" if asked.answer.ok else None


def refused_lists(subject: Subject) -> list[tuple[str, list[Exchange]]]:
    return [(name, pages) for name, pages in subject.pages.items() if not pages[0].answer.ok]


async def lists(subject: Subject) -> str | None:
    """Whether a request to one party brings the objects of the platform's others as well."""
    asked_for = subject.theirs
    others = {party for party, _ in subject.parties if party != asked_for}
    if asked_for is None or not others:
        return None
    for module in subject.pages:
        for one in objects_of(subject.pages[module][0]):
            if owner_of(one) in others:
                return "all_at_once"
    return None


def owner_of(one: Any) -> Party | None:
    if not isinstance(one, dict):
        return None
    country_code, party_id = one.get("country_code"), one.get("party_id")
    if isinstance(country_code, str) and isinstance(party_id, str):
        return Party.of(country_code, party_id)
    return None


async def slash(subject: Subject) -> str | None:
    """What a URL below an endpoint must end with, where the wrong end is not even OCPI."""
    if not subject.serves("locations", SENDER):
        return None
    plain = await subject.module("GET", "locations", SENDER, NOWHERE)
    if plain.answer.envelope is not None:
        return None
    closed = await subject.get(plain.url + "/", functional=True)
    return "add" if closed.answer.envelope is not None else None


FINDERS: dict[str, Finder] = {
    "routing": routing,
    "page_limit": page_limit,
    "date_form": date_form,
    "lists": lists,
    "slash": slash,
}
