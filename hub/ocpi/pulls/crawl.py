"""From page to page through a partner's list, whatever its paging is like (TRANSPORT-58 … 62).

OCPI says: follow ``Link`` until there is none. Real lists shrink while they are read, repeat pages,
forget the header or send one that leads elsewhere or in circles. ``Crawl`` decides where to go next
and nothing else: it asks nobody, so every sequence of answers can be tried on it.

Whatever the other side does, a crawl makes progress and ends: a URL is not asked twice, pages that
repeat are left after a few, and there is a most of everything (T-34). ``remarks`` say what was odd;
``complete`` is whether the list was seen whole, which alone allows to conclude from what is absent.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from hub import codec
from hub.ocpi.egress import Refused, origin
from hub.ocpi.routing.links import next_link

MOST_PAGES = 10_000
# A list may shrink once for every page, for a while; then it is not waited for any longer.
MOST_STEPS_BACK = 100
# Pages in a row that bring nothing: the same objects again, or none.
MOST_REPEATS = 3
MOST_EMPTY = 50
MOST_REMARKS = 20


class Endless(Exception):
    """The list does not end: the crawl is given up."""


@dataclass(frozen=True)
class Page:
    """What one request brought: the items, and the paging headers as far as they can be read."""

    items: list[Any] = field(repr=False)
    link: str = ""
    total: int | None = None
    limit: int | None = None

    @classmethod
    def of(cls, items: list[Any], headers: Mapping[str, str]) -> "Page":
        return cls(
            items,
            link=next_link(headers),
            total=whole(headers.get("X-Total-Count")),
            limit=whole(headers.get("X-Limit")),
        )

    @cached_property
    def digest(self) -> bytes:
        return blake2b(codec.write(self.items), digest_size=16).digest()


def whole(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None  # noqa: PLR2004


@dataclass
class Crawl:
    """``url`` is what to ask for next, None at the end.

    ``base`` is the endpoint, ``filters`` narrow the list, ``limit`` is the page size asked for
    (None: the other side's own). ``origins`` are where a Link may lead.
    """

    base: str
    filters: Mapping[str, str]
    limit: int | None
    origins: frozenset[str]
    url: str | None = None
    pages: int = 0
    objects: int = 0
    total: int | None = None
    steps_back: int = 0
    complete: bool = True
    remarks: list[str] = field(default_factory=list)
    _visited: set[str] = field(default_factory=set, repr=False)
    _digests: set[bytes] = field(default_factory=set, repr=False)
    _fruitless: int = 0
    _empty: int = 0
    _guessed: bool = False

    def start(self) -> None:
        query = dict(self.filters)
        if self.limit is not None:
            query |= {"offset": "0", "limit": str(self.limit)}
        self.url = with_query(self.base, query)

    def turn(self, page: Page) -> None:
        """A page was read: decide what comes next. Raises ``Endless``."""
        assert self.url is not None
        here = self.url
        self.pages += 1
        self._visited.add(here)
        offset = offset_of(here)
        position = (self.objects if offset is None else offset) + len(page.items)
        self.objects += len(page.items)
        lost = self._lost(page)
        self.total = page.total if page.total is not None else self.total
        self.url = self._step_back(here, offset, lost) or self._step_on(here, page, position)
        if self.url is None and page.total is not None and position < page.total:
            self._remark("X-Total-Count promises more than the pages hold.", complete=False)
        if self.url is not None and self.pages >= MOST_PAGES:
            raise Endless(f"the list goes on after {MOST_PAGES} pages")

    def knows(self, page: Page) -> bool:
        """Whether this very page was read before, so that there is nothing in it to be kept."""
        return bool(page.items) and page.digest in self._digests

    def _lost(self, page: Page) -> int:
        if page.total is None or self.total is None:
            return 0
        return max(0, self.total - page.total)

    def _step_back(self, here: str, offset: int | None, lost: int) -> str | None:
        """Objects left the list, so the rest moved up: read again what may have been passed by."""
        if not lost or offset == 0:
            return None
        if offset is None:
            self._remark("The list shrank, and its pages have no offset.", complete=False)
            return None
        if self.steps_back >= MOST_STEPS_BACK:
            self._remark("The list never stopped shrinking.", complete=False)
            return None
        self.steps_back += 1
        self._visited.clear()
        self._digests.clear()
        return with_query(here, {"offset": str(max(0, offset - lost))})

    def _step_on(self, here: str, page: Page, position: int) -> str | None:
        if not self._goes_on(page):
            return None
        return self._follow(here, page) or self._guess(position, page)

    def _goes_on(self, page: Page) -> bool:
        """Whether the page brought anything new, or may be followed by one that does."""
        if not page.items:
            self._empty += 1
            if self._empty > MOST_EMPTY:
                raise Endless(f"{MOST_EMPTY} pages in a row were empty")
            return bool(page.link)
        self._empty = 0
        digest = page.digest
        if digest not in self._digests:
            self._digests.add(digest)
            self._fruitless = 0
            return True
        self._fruitless += 1
        if self._guessed:
            # There was no Link, and it seems rightly so: the offset is not even looked at.
            return False
        self._remark("A page was repeated.", complete=False)
        return self._fruitless < MOST_REPEATS

    def _follow(self, here: str, page: Page) -> str | None:
        """To where the Link leads, if it leads somewhere new."""
        if not page.link:
            return None
        target = self._resolve(here, page.link)
        if target in self._visited:
            self._remark("A Link leads back to where it came from.", complete=False)
            return None
        self._guessed = False
        return target

    def _resolve(self, here: str, link: str) -> str:
        """The Link as a URL of this partner's.

        One that names another host, as platforms behind a proxy send, is never followed there: its
        query is taken to our own endpoint. Filters that it forgot are put back (TRANSPORT-60),
        unless it has a form of its own.
        """
        target = joined(here, link, self.origins)
        if target is None:
            self._remark("A Link leads to another host; only its query was used.")
            target = with_query(self.base, dict(parse_qsl(query_of(link))))
        if offset_of(target) is None:
            return target
        present = {name.lower() for name, _ in parse_qsl(urlsplit(target).query)}
        forgotten = {name: value for name, value in self.filters.items() if name not in present}
        if forgotten:
            self._remark("A Link left out the filters of the request.")
        return with_query(target, forgotten) if forgotten else target

    def _guess(self, position: int, page: Page) -> str | None:
        """No usable Link: see whether there is more all the same."""
        size = page.limit or self.limit
        if page.total is not None:
            more = position < page.total
        else:
            more = size is not None and 0 < size <= len(page.items)
        if not more or not page.items:
            return None
        query = {**self.filters, "offset": str(position)}
        if size is not None:
            query["limit"] = str(size)
        target = with_query(self.base, query)
        if target in self._visited:
            return None
        self._guessed = True
        if page.total is not None:
            self._remark("There was no Link, though X-Total-Count says that there is more.")
        return target

    def _remark(self, text: str, *, complete: bool = True) -> None:
        self.complete = self.complete and complete
        if text not in self.remarks and len(self.remarks) < MOST_REMARKS:
            self.remarks.append(text)

    # A crawl that is broken off goes on where it was.

    def state(self) -> dict[str, Any]:
        """What must be remembered besides ``url``."""
        return {name: getattr(self, name) for name in REMEMBERED}

    def resume(self, url: str, state: Mapping[str, Any]) -> None:
        for name in REMEMBERED:
            if name in state:
                setattr(self, name, state[name])
        self.url = url


REMEMBERED = ("pages", "objects", "total", "steps_back", "complete", "remarks")


def joined(here: str, link: str, origins: frozenset[str]) -> str | None:
    """The URL that a Link found at ``here`` means, if it is at one of these origins."""
    with suppress(Refused, ValueError):
        target = urljoin(here, link)
        if origin(target) in origins:
            return target
    return None


def offset_of(url: str) -> int | None:
    query = {name.lower(): value for name, value in parse_qsl(urlsplit(url).query)}
    return whole(query.get("offset"))


def query_of(link: str) -> str:
    try:
        return urlsplit(link).query
    except ValueError:
        return ""


def with_query(url: str, changes: Mapping[str, str]) -> str:
    """The URL with these parameters set, whatever case it has them in; the others stay."""
    parts = urlsplit(url)
    kept = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name.lower() not in changes
    ]
    return urlunsplit(parts._replace(query=urlencode([*kept, *changes.items()])))
