"""Pages of lists: where they begin and end, and what their headers say."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.helpers.documents import tariff
from tests.helpers.hub import RunningHub
from tests.helpers.partner import FakePartner

V = "2.2.1"


@pytest.fixture
async def small_network(postgres, data_dir, tenant):
    """A hub with three objects to a page, a CPO with five tariffs and an eMSP."""
    hub = RunningHub(postgres.url, data_dir, tenant.id, page_limit=3)
    await hub.start()
    async with FakePartner("NL*ONE CPO") as cpo, FakePartner("DE*TWO EMSP") as emsp:
        await hub.connect(cpo)
        await hub.connect(emsp)
        for n in range(5):
            sent = tariff(version=V, id=f"T{n}", last_updated=f"2025-03-0{n + 1}T00:00:00Z")
            await cpo.put(f"tariffs/NL/ONE/T{n}", sent)
        yield cpo, emsp
    await hub.stop()


@pytest.fixture
def small(small_network):
    return small_network[1]


def ids(answer):
    return [one["id"] for one in answer.data]


async def test_a_page_begins_and_ends_where_it_is_asked_to_TRANSPORT_55(small):
    assert ids(await small.get("tariffs")) == ["T0", "T1", "T2"]
    assert ids(await small.get("tariffs", params={"offset": 3})) == ["T3", "T4"]
    assert ids(await small.get("tariffs", params={"offset": 1, "limit": 2})) == ["T1", "T2"]
    assert ids(await small.get("tariffs", params={"offset": 9})) == []


async def test_the_limit_told_is_the_hubs_where_more_is_asked_for_TRANSPORT_59(small):
    """Also when fewer are left; the Link keeps to it."""
    first = await small.get("tariffs", params={"limit": 1000})
    last = await small.get("tariffs", params={"limit": 1000, "offset": 4})

    assert (len(first.data), first.headers["X-Limit"]) == (3, "3")
    assert (len(last.data), last.headers["X-Limit"]) == (1, "3")
    assert query_of(first)["limit"] == ["3"]


async def test_the_link_repeats_the_filters_TRANSPORT_60(small):
    span = {"date_from": "2025-03-02T00:00:00Z", "date_to": "2025-03-05T00:00:00Z"}
    answer = await small.get("tariffs", params=span | {"limit": 2})

    assert ids(answer) == ["T1", "T2"]
    query = query_of(answer)
    assert {name: query[name] for name in span} == {name: [span[name]] for name in span}
    assert (query["offset"], query["limit"]) == (["2"], ["2"])
    following = await small.get(url_of(answer))
    assert ids(following) == ["T3"]
    assert "Link" not in following.headers


def url_of(answer):
    return answer.headers["Link"].split(">")[0].lstrip("<")


def query_of(answer):
    return parse_qs(urlsplit(url_of(answer)).query)


async def test_links_lead_to_the_public_url_whoever_the_caller_takes_it_for_TRANSPORT_66(small):
    answer = await small.get("tariffs", headers={"Host": "elsewhere.example"})

    assert urlsplit(url_of(answer)).netloc == urlsplit(small.endpoints["tariffs", "SENDER"]).netloc


@pytest.mark.parametrize("jumps", [(4, 1, 3, 0, 2), (0, 1, 2, 3, 4), (4, 3, 2, 1, 0)])
async def test_offsets_may_be_asked_for_in_any_order_TRANSPORT_55(small, jumps):
    for offset in jumps:
        answer = await small.get("tariffs", params={"offset": offset, "limit": 2})

        assert ids(answer) == [f"T{n}" for n in range(5)][offset : offset + 2]


async def test_who_pages_by_offset_misses_nothing_when_something_goes_TRANSPORT_61(small_network):
    """An object before the place goes meanwhile: by counting, the client would miss the next."""
    cpo, emsp = small_network
    first = await emsp.get("tariffs", params={"limit": 3})
    await cpo.delete("tariffs/NL/ONE/T0")

    following = await emsp.get("tariffs", params={"offset": 3, "limit": 3})

    assert ids(first) + ids(following) == ["T0", "T1", "T2", "T3", "T4"]
