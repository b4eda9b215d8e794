"""Lists made to hurt whoever pulls them: the pull ends, and nothing else does (T-34).

Limits of time are those of the test; the limits of size and number are the hub's own.
"""

import asyncio
import gzip
import json

import pytest
from aiohttp import web

from hub.ocpi.outbound import MEGABYTE
from hub.ocpi.pulls.crawl import MOST_EMPTY, MOST_PAGES
from tests.helpers.documents import tariff, token
from tests.helpers.faults import answer, envelope, html, http, rubbish
from tests.helpers.network import Network
from tests.helpers.partner import FakePartner

LARGEST = 10 * MEGABYTE


@pytest.fixture
async def network(postgres, tenant):
    """Pulls with little patience for one page."""
    async with Network(postgres.url, tenant.id) as network:
        network.puller = network.another_puller(page_seconds=2)
        yield network


@pytest.fixture
async def mallory(network):
    """NL*ONE, a CPO that serves nothing but a list of tariffs."""
    async with FakePartner("NL*ONE CPO") as partner:
        partner.without_modules = {
            (module, "SENDER") for module in ("locations", "sessions", "cdrs", "tokens")
        }
        partner.id = await network.connect(partner)
        yield partner


async def state(network):
    [row] = await network.rows("select * from sync_states")
    return row


async def kept(network):
    rows = await network.rows("select object_id from tariffs order by object_id")
    return [row.object_id for row in rows]


def page(number, count=1):
    return [tariff(version="2.2.1", id=f"T{number}-{n}") for n in range(count)]


class Body:
    """Writes without end and counts how much of it was taken."""

    def __init__(self, chunk, *, pause=0.0, headers=()):
        self.chunk, self.pause, self.headers, self.taken = chunk, pause, dict(headers), 0

    async def __call__(self, request, proceed):
        response = web.StreamResponse(headers={"Content-Type": "application/json", **self.headers})
        await response.prepare(request)
        await response.write(b'{"status_code": 1000, "data": [')
        try:
            while True:
                await response.write(self.chunk)
                self.taken += len(self.chunk)
                await asyncio.sleep(self.pause)
        except (ConnectionError, asyncio.CancelledError):
            return response


async def test_a_body_without_end_is_left_after_ten_megabytes_T_34(network, mallory):
    endless = Body(b'{"id": "x"},' * 5000)
    mallory.fail(endless, on="tariffs")

    await network.pull()

    assert (await state(network)).last_error == f"the answer is larger than {LARGEST} bytes."
    assert endless.taken < 4 * LARGEST


async def test_a_body_in_drops_is_left_when_its_time_is_over_T_34(network, mallory):
    mallory.fail(Body(b" ", pause=0.05), on="tariffs")

    await network.pull()

    assert (await state(network)).last_error == "no answer within 2 s."


async def test_a_bomb_in_gzip_is_left_T_34(network, mallory):
    async def bomb(request, proceed):
        body = gzip.compress(b'{"status_code": 1000, "data": [' + b" " * (5 * LARGEST) + b"]}")
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        return web.Response(body=body, headers=headers)

    mallory.fail(bomb, on="tariffs")

    await network.pull()

    assert "larger than" in (await state(network)).last_error


async def test_pages_without_end_are_left_and_what_they_held_is_kept_T_34(network, mallory):
    async def endless(request, proceed):
        number = int(request.query.get("page", 0))
        following = request.url.update_query(page=number + 1)
        return envelope(page(number), headers={"Link": f'<{following}>; rel="next"'})

    mallory.fail(endless, on="tariffs")
    await network.run(
        "insert into sync_states (partner_id, module, started_at, next_url, progress)"
        " values (:partner, 'tariffs', now(), :url, cast(:progress as jsonb))",
        partner=mallory.id,
        url=f"{mallory.base_url}/2.2.1/sender/tariffs?page={MOST_PAGES - 3}",
        progress=json.dumps(
            {
                "kind": "full",
                "reason": "new",
                "since": None,
                "party": "NL*ONE",
                "waiting": [],
                "limit": 100,
                "counts": {},
                "crawl": {"pages": MOST_PAGES - 3},
            }
        ),
    )

    await network.pull()

    row = await state(network)
    assert row.last_error == f"the list goes on after {MOST_PAGES} pages."
    assert row.next_url is None
    assert len(await kept(network)) == 3


async def test_empty_pages_without_end_are_left_T_34(network, mallory):
    async def empty(request, proceed):
        following = request.url.update_query(page=int(request.query.get("page", 0)) + 1)
        return envelope([], headers={"Link": f'<{following}>; rel="next"'})

    mallory.fail(empty, on="tariffs")

    await network.pull()

    assert (await state(network)).last_error == f"{MOST_EMPTY} pages in a row were empty."
    assert len(mallory.requests) == MOST_EMPTY + 1


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data?offset=100",
        "http://localhost:1/?offset=100",
        "file:///etc/passwd?offset=100",
        "gopher://x/?offset=100",
        "http://user:secret@127.0.0.1/?offset=100",
        "//evil.example/?offset=100",
        "\\\\evil.example\\?offset=100",
    ],
)
async def test_links_to_elsewhere_are_not_followed_T_30(network, mallory, target):
    async def elsewhere(request, proceed):
        link = {} if request.query.get("offset") == "100" else {"Link": f'<{target}>; rel="next"'}
        return envelope(page(request.query.get("offset", 0)), headers=link)

    mallory.fail(elsewhere, on="tariffs")

    await network.pull()

    own = mallory.base_url
    assert all(request.url.startswith(own) for request in mallory.requests)
    assert len(mallory.requests) <= 3
    row = await state(network)
    assert (row.started_at, row.last_error) == (None, None)


async def test_a_link_to_another_partner_is_not_followed_T_32(network, mallory):
    async with FakePartner("DE*TWO EMSP") as victim:
        victim.own["tokens"] = [token()]
        victim.without_modules = {("tokens", "SENDER")}
        await network.connect(victim)

        async def elsewhere(request, proceed):
            link = f'<{victim.base_url}/2.2.1/sender/tokens>; rel="next"'
            return envelope(page(0), headers={"Link": link})

        mallory.fail(elsewhere, on="tariffs")

        await network.pull()

        assert [request.path for request in victim.requests] == []


@pytest.mark.parametrize(
    "fault",
    [html(), rubbish(), http(302, headers={"Location": "http://127.0.0.1:1/"}), answer("text")],
    ids=["html", "half", "redirect", "no list"],
)
async def test_what_is_no_list_is_an_error_and_no_loop(network, mallory, fault):
    mallory.fail(fault, on="tariffs")

    await network.pull()

    row = await state(network)
    assert row.failures == 1
    assert row.last_error
    assert len(mallory.requests) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200 + "]" * 200,
        '{"status_code": 1000, "data": [' + "[" * 40 + "]" * 40 + "]}",
        '{"status_code": 1000, "data": [{"id": 1, "id": 2}]}',
        '{"status_code": 1000, "data": [{"id": "\\u0000"}]}',
        '{"status_code": 1000, "data": [{"price": NaN}]}',
        '{"status_code": 1000, "data": [' + "0," * 2_100_000 + "0]}",
    ],
    ids=["deep", "deep data", "twice", "NUL", "NaN", "two million numbers"],
)
async def test_dangerous_json_costs_the_page_and_nothing_else(network, mallory, text):
    mallory.fail(http(200, text, content_type="application/json"), on="tariffs")

    await network.pull()

    row = await state(network)
    assert "not an OCPI answer" in row.last_error
    assert await kept(network) == []


async def test_objects_of_anything_but_objects_are_set_aside(network, mallory):
    odd = [None, 1, "x", [], [[]], {}, {"id": None}, {"country_code": 1, "party_id": []}]
    mallory.own["tariffs"] = [*page(1)]
    mallory.fail(answer([*odd, *page(1)]), on="tariffs")

    await network.pull()

    row = await state(network)
    assert await kept(network) == ["T1-0"]
    assert (row.result["counts"]["bad"], row.result["counts"]["created"]) == (len(odd), 1)


async def test_a_thousand_bad_objects_do_not_fill_the_quarantine(network, mallory):
    mallory.fail(answer([{"id": str(n), **page(0)[0], "currency": 7} for n in range(1200)]))

    await network.pull()

    rows = await network.rows("select count(*) from quarantined_objects")
    assert rows[0][0] <= 500
    assert (await state(network)).result["counts"]["bad"] == 1200


async def test_objects_of_others_are_neither_kept_nor_set_aside_T_34(network, mallory):
    foreign = [{**one, "party_id": "TWO"} for one in page(1, 50)]
    mallory.fail(answer([*foreign, *page(2)]), on="tariffs")

    await network.pull()

    assert await kept(network) == ["T2-0"]
    assert (await state(network)).result["counts"]["foreign"] == 50
    assert await network.rows("select 1 from quarantined_objects") == []


async def test_a_total_that_lies_ends_all_the_same(network, mallory):
    totals = iter(range(10**9, 0, -1))

    async def lie(request, proceed):
        answered = await proceed()
        answered.headers["X-Total-Count"] = str(next(totals))
        return answered

    mallory.page_limit = 2
    mallory.own["tariffs"] = page(1, 6)
    mallory.fail(lie, on="tariffs")

    await network.pull()

    row = await state(network)
    assert row.started_at is None
    assert row.result["complete"] is False
    assert len(await kept(network)) == 6
