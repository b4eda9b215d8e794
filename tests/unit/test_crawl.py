"""Paging through lists that behave well, badly, or change while they are read (TRANSPORT-62)."""

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from hub.ocpi.pulls.crawl import MOST_EMPTY, MOST_PAGES, Crawl, Endless, Page

BASE = "https://cpo.example/ocpi/2.2.1/sender/locations"
ORIGINS = frozenset({"https://cpo.example"})


def start(limit=10, **filters):
    crawl = Crawl(BASE, filters, limit, ORIGINS)
    crawl.start()
    return crawl


def query(url):
    return dict(parse_qsl(urlsplit(url).query))


class Server:
    """A list as OCPI wants it: stable order, new objects at the end, Link, X-Total-Count, X-Limit.

    Each quirk is a change of one thing.
    """

    def __init__(self, items, *, limit=10):
        self.items, self.limit = list(items), limit

    def answer(self, url):
        asked = query(url)
        offset = int(asked.get("offset", 0))
        limit = min(int(asked.get("limit", self.limit)), self.limit)
        page = self.items[offset : offset + limit]
        headers = {"X-Total-Count": str(len(self.items)), "X-Limit": str(limit)}
        if offset + limit < len(self.items):
            following = asked | {"offset": str(offset + limit), "limit": str(limit)}
            headers["Link"] = f'<{BASE}?{urlencode(following)}>; rel="next"'
        return Page.of(page, self.change(headers, offset, limit))

    def change(self, headers, offset, limit):
        return headers


def read(server, crawl=None, *, most=200, between=lambda: None):
    """Everything that a crawl saw, and how many requests that took."""
    crawl = crawl or start()
    seen = []
    for turn in range(most):
        if crawl.url is None:
            return seen, turn, crawl
        page = server.answer(crawl.url)
        seen += page.items
        crawl.turn(page)
        between()
    raise AssertionError("the crawl does not end")


@pytest.mark.parametrize(
    "links",
    [
        ['<https://x.example/2>; rel="next"'],
        ["<https://x.example/2>;rel=next"],
        ['<https://x.example/2>; REL = "next"'],
        ['<https://x.example/1>; rel="prev", <https://x.example/2>; rel="next"'],
        ['<https://x.example/1>; rel="prev"', '<https://x.example/2>; rel="next"'],
        ["", '<https://x.example/2>; title="more"; rel="next"'],
    ],
)
def test_the_next_page_is_found_wherever_the_links_stand_TRANSPORT_58(links):
    headers = CIMultiDict(("link", link) for link in links)

    assert Page.of([], headers).link == "https://x.example/2"


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 30, 31])
def test_a_list_is_read_once_from_end_to_end(count):
    seen, requests, crawl = read(Server(range(count)))

    assert seen == list(range(count))
    assert requests == max(1, -(-count // 10))
    assert (crawl.complete, crawl.remarks) == (True, [])


def test_a_smaller_page_limit_of_theirs_is_fine():
    seen, _, crawl = read(Server(range(25), limit=4))

    assert seen == list(range(25))
    assert crawl.complete


def test_a_shrinking_list_is_read_again_from_one_before_TRANSPORT_62():
    server = Server(range(30))
    gone = iter([3])

    seen, _, crawl = read(server, between=lambda: [server.items.pop(n) for n in gone])

    assert set(seen) == set(range(30))
    assert crawl.complete


@given(
    count=st.integers(0, 60),
    limit=st.integers(1, 12),
    events=st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(1, 5)),
            st.tuples(st.just("remove"), st.lists(st.integers(0, 200), min_size=1, max_size=5)),
            st.none(),
        ),
        max_size=40,
    ),
)
@settings(max_examples=300, deadline=None)
def test_whatever_grows_or_shrinks_between_pages_is_seen_TRANSPORT_62(count, limit, events):
    """What was there from beginning to end is seen, in lists that grow at the end and shrink."""
    server, script, newest = Server(range(count), limit=limit), iter(events), [count]
    lasting = set(server.items)

    def between():
        event = next(script, None)
        if event is None:
            return
        what, how = event
        if what == "add":
            server.items += range(newest[0], newest[0] + how)
            newest[0] += how
        else:
            for place in how:
                if server.items:
                    lasting.discard(server.items.pop(place % len(server.items)))

    seen, _, crawl = read(server, start(limit=limit), most=1000, between=between)

    assert lasting <= set(seen)
    assert crawl.complete


@given(
    items=st.lists(st.integers(0, 5), max_size=8),
    links=st.lists(
        st.one_of(
            st.just(""),
            st.just("/"),
            st.just("?offset=0"),
            st.just("http://[bad"),
            st.integers(0, 30).map(lambda n: f"{BASE}?offset={n}"),
            st.integers(0, 30).map(lambda n: f"https://other.example/x?offset={n}"),
            st.text(max_size=8),
        ),
        min_size=1,
        max_size=6,
    ),
    totals=st.lists(st.one_of(st.none(), st.integers(-5, 60)), min_size=1, max_size=6),
)
@settings(max_examples=300, deadline=None)
def test_whatever_a_server_answers_the_crawl_ends_and_stays_with_it_T_34(items, links, totals):
    crawl = start(limit=3)
    for turn in range(MOST_PAGES + 1):
        if crawl.url is None:
            return
        assert crawl.url.startswith("https://cpo.example/")
        link, total = links[turn % len(links)], totals[turn % len(totals)]
        headers = {"Link": f'<{link}>; rel="next"'} if link else {}
        if total is not None:
            headers["X-Total-Count"] = str(total)
        try:
            crawl.turn(Page.of(items, headers))
        except Endless:
            return
    raise AssertionError("the crawl does not end")


class WithoutLinks(Server):
    def change(self, headers, offset, limit):
        del headers["X-Limit"]
        headers.pop("Link", None)
        return headers


def test_a_list_without_links_is_read_by_its_total():
    seen, _, crawl = read(WithoutLinks(range(25)))

    assert seen == list(range(25))
    assert crawl.complete
    assert crawl.remarks == ["There was no Link, though X-Total-Count says that there is more."]


def test_a_total_that_no_page_comes_up_to_is_told():
    server = Server(range(15))
    server.change = lambda headers, offset, limit: headers | {"X-Total-Count": "20"}

    seen, requests, crawl = read(server)

    assert (seen, requests) == (list(range(15)), 3)
    assert not crawl.complete


class WithoutHeaders(Server):
    def change(self, headers, offset, limit):
        return {}


@pytest.mark.parametrize("count", [0, 5, 10, 25, 30])
def test_a_list_without_any_headers_is_read_until_a_page_is_not_full(count):
    seen, _, crawl = read(WithoutHeaders(range(count)))

    assert seen == list(range(count))
    assert crawl.complete


class WithoutPages(Server):
    """All there is, whatever is asked for."""

    def answer(self, url):
        return Page.of(self.items, {})


def test_a_platform_that_does_not_page_is_asked_once_more_and_no_further():
    seen, requests, crawl = read(WithoutPages(range(25)))

    assert (set(seen), requests) == (set(range(25)), 2)
    assert crawl.complete


class RelativeLinks(Server):
    def change(self, headers, offset, limit):
        if "Link" in headers:
            headers["Link"] = headers["Link"].replace(BASE, "")
        return headers


class UnquotedLinks(Server):
    def change(self, headers, offset, limit):
        if "Link" in headers:
            link = headers["Link"].replace('rel="next"', "REL=next")
            headers["Link"] = f'<{BASE}?offset=0>; rel="first", {link}'
        return headers


class EmptyLinks(Server):
    def change(self, headers, offset, limit):
        return {"Link": ""} | headers


@pytest.mark.parametrize("kind", [RelativeLinks, UnquotedLinks, EmptyLinks])
def test_links_in_other_forms_are_followed(kind):
    seen, _, crawl = read(kind(range(25)))

    assert seen == list(range(25))
    assert (crawl.complete, crawl.remarks) == (True, [])


class LinksElsewhere(Server):
    """As a platform sends them that does not know its name outside."""

    def change(self, headers, offset, limit):
        if "Link" in headers:
            headers["Link"] = headers["Link"].replace(BASE, "http://10.0.0.7:8080/internal")
        return headers


def test_a_link_to_another_host_is_not_followed_there_T_34():
    seen, _, crawl = read(LinksElsewhere(range(25)))

    assert seen == list(range(25))
    assert crawl.remarks == ["A Link leads to another host; only its query was used."]


class WithoutFilters(Server):
    asked = ()

    def answer(self, url):
        self.asked = (*self.asked, query(url).get("date_from"))
        return super().answer(url)

    def change(self, headers, offset, limit):
        if "Link" in headers:
            headers["Link"] = headers["Link"].replace("date_from=", "forgotten=")
        return headers


def test_filters_that_a_link_forgot_are_put_back_TRANSPORT_60():
    server = WithoutFilters(range(25))

    seen, _, _ = read(server, start(date_from="2026-01-01T00:00:00Z"))

    assert seen == list(range(25))
    assert server.asked == ("2026-01-01T00:00:00Z",) * 3


class Cursors(Server):
    """Links with a place of their own in place of offset and limit."""

    def answer(self, url):
        place = int(query(url).get("cursor", 0))
        page = self.items[place : place + 10]
        headers = {"X-Total-Count": str(len(self.items))}
        if place + 10 < len(self.items):
            headers["Link"] = f'<{BASE}?cursor={place + 10}>; rel="next"'
        return Page.of(page, headers)


def test_links_with_a_place_of_their_own_are_followed_as_they_are():
    seen, _, crawl = read(Cursors(range(35)), start(date_from="2026-01-01T00:00:00Z"))

    assert seen == list(range(35))
    assert (crawl.complete, crawl.remarks) == (True, [])


def test_where_such_a_list_shrinks_nothing_is_concluded_from_what_is_absent():
    server = Cursors(range(35))
    gone = iter([0])

    _, _, crawl = read(server, between=lambda: [server.items.pop(n) for n in gone])

    assert not crawl.complete


class Circle(Server):
    def change(self, headers, offset, limit):
        headers["Link"] = f'<{BASE}?offset=0&limit=10>; rel="next"'
        return headers


class SamePage(Server):
    """The offset is ignored, and the Link always goes on."""

    turn = 0

    def answer(self, url):
        self.turn += 1
        link = f'<{BASE}?offset={self.turn * 10}&limit=10>; rel="next"'
        return Page.of(self.items[:10], {"Link": link, "X-Total-Count": "1000000"})


@pytest.mark.parametrize("kind", [Circle, SamePage])
def test_circles_and_repeated_pages_are_left(kind):
    seen, requests, crawl = read(kind(range(25)))

    assert set(seen) >= set(range(10))
    assert requests < 10
    assert not crawl.complete


class OnePageTwice(Server):
    turn = 0

    def answer(self, url):
        self.turn += 1
        return super().answer(url if self.turn != 2 else f"{BASE}?offset=0&limit=10&again=1")


def test_one_page_that_comes_twice_does_not_end_the_list():
    seen, _, crawl = read(OnePageTwice(range(35)), start())

    assert set(seen) == set(range(35))
    assert not crawl.complete


class Endlessly(Server):
    turn = 0

    def answer(self, url):
        self.turn += 1
        link = f'<{BASE}?offset={self.turn}>; rel="next"'
        return (
            Page.of(self.items or [], {"Link": link})
            if not self.items
            else (Page.of([self.turn], {"Link": link}))
        )


def test_a_list_of_empty_pages_is_given_up_T_34():
    with pytest.raises(Endless):
        read(Endlessly([]), most=MOST_EMPTY + 10)


def test_a_list_that_never_ends_is_given_up_T_34():
    with pytest.raises(Endless):
        read(Endlessly([1]), most=MOST_PAGES + 10)


def test_a_list_that_shrinks_for_ever_is_read_on_all_the_same():
    server = Server(range(60))
    totals = iter(range(10_000, 0, -1))
    server.change = lambda headers, offset, limit: headers | {"X-Total-Count": str(next(totals))}

    seen, _, crawl = read(server, start(limit=10), most=5000)

    assert set(seen) == set(range(60))
    assert not crawl.complete


def test_a_crawl_goes_on_elsewhere_where_it_was():
    server = Server(range(35))
    crawl = start()
    seen = []
    for _ in range(2):
        page = server.answer(crawl.url)
        seen += page.items
        crawl.turn(page)

    another = start()
    another.resume(crawl.url, crawl.state())
    rest, _, another = read(server, another)

    assert seen + rest == list(range(35))
    assert (another.pages, another.objects) == (4, 35)
