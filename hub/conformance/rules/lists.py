"""Lists of the Sender interfaces: pages, links, filters by date."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urljoin

from hub.conformance.caller import Exchange
from hub.conformance.checks import Checks, Fault, Faults, NotChecked, Weight
from hub.conformance.documents import is_moment
from hub.conformance.subject import SENDER, UNAUTHORIZED, Subject
from hub.ocpi.outbound import Refused, Unreachable
from hub.ocpi.routing.links import next_link

CHECKS = check = Checks()

# Module to the class of its objects and what comes behind its endpoint.
LISTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "locations": ("Location", ()),
    "tariffs": ("Tariff", ()),
    "sessions": ("Session", ()),
    "cdrs": ("CDR", ()),
    "tokens": ("Token", ()),
    "hubclientinfo": ("ClientInfo", ()),
    "invoicereconciliation": ("InvoiceReconciliationRecord", ()),
    "bookings": ("BookingLocation", ("booking_locations",)),
    "payments": ("Terminal", ("terminals",)),
}
# Enough to see how it pages, and no burden to the platform.
MOST_PAGES = 5
LONG_AGO = "2010-01-01T00:00:00Z"


async def read_lists(subject: Subject) -> None:
    """Read the beginning of every list, for the rules that look at it."""
    for module in LISTS:
        if subject.serves(module, SENDER):
            try:
                await read_list(subject, module)
            except (Refused, Unreachable) as error:
                subject.unanswered[module] = error.reason


async def read_list(subject: Subject, module: str) -> None:
    asked = await page(subject, module)
    if asked.answer.http_status == UNAUTHORIZED:
        return
    subject.has_access = True
    if subject.is_old and not asked.answer.ok:
        # An endpoint without a role, which is a Receiver's.
        return
    subject.pages[module], subject.objects[module] = [asked], objects_of(asked)
    while (url := next_link(asked.answer.headers)) and len(subject.pages[module]) < MOST_PAGES:
        try:
            following = urljoin(asked.url, url)
            asked = await subject.get(following, functional=asked.functional, to=None)
        except (Refused, ValueError):
            # A Link to somebody else, or to nothing: what it ought to be is another check.
            return
        subject.pages[module].append(asked)
        subject.objects[module] += objects_of(asked)


async def page(subject: Subject, module: str, **params: Any) -> Exchange:
    """One page. A list of sessions wants to know from when (TRANSPORT-57)."""
    if module == "sessions":
        params.setdefault("date_from", LONG_AGO)
    path = LISTS[module][1]
    query = {name: str(value) for name, value in params.items() if value is not None}
    return await subject.module("GET", module, SENDER, *path, params=query)


def objects_of(asked: Exchange) -> list[Any]:
    return list(asked.data) if isinstance(asked.data, list) else []


def need_lists(subject: Subject, *, least: int = 0) -> list[str]:
    """The modules with lists of at least so many objects."""
    if not subject.has_access:
        raise NotChecked("the token opens no module: it may be a token A, for registering only")
    found = [module for module in subject.objects if len(subject.objects[module]) >= least]
    if not found:
        few = {0: "no lists", 1: "no list with an object in it"}
        raise NotChecked(f"it has {few.get(least, f'no list with {least} objects')}")
    return found


async def every_page(subject: Subject) -> AsyncIterator[tuple[str, Exchange]]:
    for module in need_lists(subject):
        for asked in subject.pages[module]:
            if asked.answer.ok:
                yield module, asked


def number_in(asked: Exchange, header: str) -> int | None:
    value = str(asked.answer.headers.get(header, ""))
    return int(value) if value.isascii() and value.isdigit() else None


def is_absolute(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def shown(asked: Exchange, header: str) -> str:
    return f"{header}: {asked.answer.headers[header]}" if header in asked.answer.headers else ""


@check("TRANSPORT-70", "A list is answered with 1000 and a list in `data`.")
async def lists_are_lists(subject: Subject) -> Faults:
    for module, why in subject.unanswered.items():
        yield Fault(None, "Answer at the URL that the version details name.", f"{module}: {why}")
    for module in need_lists(subject):
        for asked in subject.pages[module]:
            if not asked.answer.ok or not isinstance(asked.data, list):
                yield Fault(asked, "Let `data` be a list, an empty one if there is nothing.")


@check("TRANSPORT-58", "Every page says X-Total-Count, the number of objects in all pages.")
async def total_is_told(subject: Subject) -> Faults:
    async for module, asked in every_page(subject):
        total, got = number_in(asked, "X-Total-Count"), len(subject.objects[module])
        told = shown(asked, "X-Total-Count") or "no X-Total-Count"
        whole = not next_link(subject.pages[module][-1].answer.headers)
        if total is None or (total < got and whole):
            yield Fault(asked, "Count what the filters match.", f"{told}, {got} objects")


@check("TRANSPORT-58", "Every page says X-Limit, the most that a page can hold.")
async def limit_is_told(subject: Subject) -> Faults:
    async for _, asked in every_page(subject):
        if number_in(asked, "X-Limit") is None:
            told = shown(asked, "X-Limit") or "no X-Limit"
            yield Fault(asked, "Send the size of a page as a number.", told)


@check("TRANSPORT-59", "No page holds more than X-Limit says.")
async def pages_keep_to_the_limit(subject: Subject) -> Faults:
    async for _, asked in every_page(subject):
        limit, got = number_in(asked, "X-Limit"), len(objects_of(asked))
        if limit is not None and got > limit:
            yield Fault(asked, "Send X-Limit as you apply it.", f"X-Limit: {limit}, {got} objects")


@check("TRANSPORT-58", "Every page but the last has a Link to the next one.")
async def next_is_linked(subject: Subject) -> Faults:
    for module in need_lists(subject, least=2):
        asked = await page(subject, module, limit=1)
        if not asked.answer.ok or len(objects_of(asked)) != 1:
            continue
        url = next_link(asked.answer.headers)
        if not url:
            mend = 'Send `Link: <URL>; rel="next"` as long as there is more.'
            yield Fault(asked, mend, shown(asked, "Link") or "no Link")
        elif not is_absolute(url):
            yield Fault(asked, "Send an absolute URL.", shown(asked, "Link"))


@check("TRANSPORT-60", "The Link repeats the filters of the request.")
async def link_keeps_filters(subject: Subject) -> Faults:
    for module in need_lists(subject, least=2):
        asked = await page(subject, module, limit=1, date_from=LONG_AGO)
        url = next_link(asked.answer.headers)
        query = parse_qs(url.partition("?")[2])
        # A link that says nothing of offsets leads to the rest in a way of its own.
        if "offset" in query and "date_from" not in query:
            yield Fault(asked, "Repeat date_from and date_to.", shown(asked, "Link"))


@check("TRANSPORT-61", "No object is listed twice.", weight=Weight.SHOULD)
async def nothing_comes_twice(subject: Subject) -> Faults:
    for module in need_lists(subject, least=2):
        keys = [key_of(module, one) for one in subject.objects[module]]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            mend = "Keep the order of pages stable, oldest first, and ids unique."
            yield Fault(subject.pages[module][-1], mend, f"twice: {', '.join(twice[:3])}")


def key_of(module: str, one: Any) -> str:
    """What an object is told from others by, without regard to case."""
    if not isinstance(one, dict):
        return str(one)
    names = ["country_code", "party_id", "uid" if module == "tokens" else "id"]
    if module in {"tokens", "hubclientinfo"}:
        names.append("type" if module == "tokens" else "role")
    if module == "payments":
        names.append("terminal_id")
    return "/".join(str(one[name]).upper() for name in names if name in one)


@check("TRANSPORT-55", "`limit` is obeyed.")
async def limit_is_obeyed(subject: Subject) -> Faults:
    for module in need_lists(subject, least=2):
        asked = await page(subject, module, limit=1)
        got = len(objects_of(asked))
        if not asked.answer.ok or got > 1:
            yield Fault(asked, "Answer with no more than the client asks for.", f"{got} objects")


@check("TRANSPORT-55", "`offset` is obeyed.")
async def offset_is_obeyed(subject: Subject) -> Faults:
    for module in need_lists(subject, least=2):
        asked = await page(subject, module, offset=1, limit=1)
        got, expected = objects_of(asked), subject.objects[module][1]
        if got and key_of(module, got[0]) != key_of(module, expected):
            mend = "Leave out the first `offset` objects, in the order of the whole list."
            yield Fault(asked, mend, f"{key_of(module, got[0])} at offset 1")


@check("TRANSPORT-56", "`date_from` includes what was last updated at that very moment.")
async def date_from_includes(subject: Subject) -> Faults:
    for module, moment in moments(subject):
        asked = await page(subject, module, date_from=moment)
        stamps = [stamp_of(one) for one in objects_of(asked)]
        if asked.answer.ok and moment not in stamps:
            mend = "Compare with >=, so that nothing falls between two pulls."
            yield Fault(asked, mend, f"nothing from {moment}")


@check("TRANSPORT-56", "`date_from` leaves out what is older.")
async def date_from_leaves_out(subject: Subject) -> Faults:
    for module, moment in moments(subject):
        later = read(moment) + timedelta(seconds=1)
        asked = await page(subject, module, date_from=later.strftime("%Y-%m-%dT%H:%M:%SZ"))
        older = [one for one in map(stamp_of, objects_of(asked)) if one and read(one) < later]
        if asked.answer.ok and older:
            mend = "Compare last_updated with date_from; ignoring it makes every pull a full one."
            yield Fault(asked, mend, f"an object of {older[0]}")


@check("TRANSPORT-56", "`date_to` leaves out what was last updated at that very moment.")
async def date_to_excludes(subject: Subject) -> Faults:
    for module, moment in moments(subject):
        asked = await page(subject, module, date_to=moment)
        newer = [
            one for one in map(stamp_of, objects_of(asked)) if one and read(one) >= read(moment)
        ]
        if asked.answer.ok and newer:
            yield Fault(asked, "Compare with <.", f"an object of {newer[0]}")


def moments(subject: Subject) -> list[tuple[str, str]]:
    """Per module, when the newest of its objects was last updated."""
    found = []
    for module in need_lists(subject, least=1):
        stamps = [stamp for stamp in map(stamp_of, subject.objects[module]) if stamp]
        if stamps:
            found.append((module, max(stamps, key=read)))
    return found


def stamp_of(one: Any) -> str | None:
    stamp = one.get("last_updated") if isinstance(one, dict) else None
    return stamp if isinstance(stamp, str) and is_moment(stamp) else None


def read(stamp: str) -> datetime:
    moment = datetime.fromisoformat(stamp)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@check("TRANSPORT-57", "A list of sessions without date_from is refused.", weight=Weight.SHOULD)
async def sessions_need_date_from(subject: Subject) -> Faults:
    if "sessions" not in need_lists(subject):
        raise NotChecked("it lists no sessions")
    asked = await subject.module("GET", "sessions", SENDER)
    if asked.answer.ok:
        yield Fault(asked, "Answer 2001: date_from is required for sessions.")


@check("TRANSPORT-81", "A date that is none gets HTTP 200 and 2001.")
async def odd_dates_are_refused(subject: Subject) -> Faults:
    module = need_lists(subject)[0]
    asked = await page(subject, module, date_from="yesterday")
    if asked.answer.http_status >= 400 or asked.answer.ok:  # noqa: PLR2004
        yield Fault(asked, "Answer HTTP 200 with status_code 2001, and name the parameter.")
