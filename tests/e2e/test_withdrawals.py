"""Locations that are published no longer: taken back from those who may not see them, and from them
only; whoever does not have one learns nothing of it (LOC-05).
"""

import asyncio

import pytest

from tests.helpers import documents_2_1_1 as old
from tests.helpers.documents import evse, location, token
from tests.helpers.faults import envelope, http, refuse
from tests.helpers.handshakes import rows
from tests.helpers.partner import FakePartner

V = "2.2.1"
LATER = "2025-09-01T00:00:00Z"
AFTER_THAT = "2025-10-01T00:00:00Z"
LET_IN = [{"group_id": "fleet-7"}]
PATH = "locations/NL/ONE/L1"


@pytest.fixture(params=["2.1.1", "2.2.1", "2.3.0"])
async def stranger(request, hub, partners) -> FakePartner:
    """FR*ZZZ, an eMSP of any version, whose tokens no location lets in."""
    versions = (request.param,)
    partner = await partners.enter_async_context(FakePartner("FR*ZZZ EMSP", versions=versions))
    await hub.connect(partner)
    return partner


@pytest.fixture
async def old_stranger(hub, partners) -> FakePartner:
    partner = await partners.enter_async_context(FakePartner("FR*OLD EMSP", versions=("2.1.1",)))
    await hub.connect(partner)
    return partner


@pytest.fixture
async def shown(hub, cpo, emsp) -> FakePartner:
    """The CPO, with a location that everybody has been told of. DE*TWO has a token of a fleet."""
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token(group_id="fleet-7"))
    assert (await cpo.put(PATH, location(version=V))).ok
    return cpo


def hidden(**fields):
    sent = {"publish": False, "publish_allowed_to": LET_IN, "last_updated": LATER} | fields
    return location(version=V, **sent)


def told(partner):
    """What was said of locations since, whatever the answer: method, path and body."""
    pushes = [one for one in partner.requests if one.module == "locations" and one.body]
    partner.requests.clear()
    return [(push.method, push.path, push.body) for push in pushes]


def taken_back(partner):
    """How a platform is told that it may not show the location any more."""
    if partner.version != "2.1.1":
        return [("PATCH", PATH, {"publish": False})]
    return [("PATCH", f"{PATH}/{uid}", {"status": "REMOVED"}) for uid in ("E1", "E2")]


def timeless(pushes):
    """Whatever their order; each says when, which is the location's time or a later one of it."""
    assert all(body["last_updated"] >= LATER for _, _, body in pushes)
    plain = [(method, path, without_time(body)) for method, path, body in pushes]
    return sorted(plain, key=lambda push: push[1])


def without_time(body):
    return {name: value for name, value in body.items() if name != "last_updated"}


async def open_setbacks(hub):
    return await rows(hub, "select object_ref, party from setbacks where settled_at is null")


async def test_LOC_05_a_location_that_is_hidden_is_taken_back_and_nothing_more_is_told(
    hub, shown, emsp, stranger
):
    await hub.deliver()
    assert [method for method, *_ in told(stranger)] == ["PUT"]
    told(emsp)

    await shown.put(PATH, hidden(name="Behind the fence"))
    await hub.deliver()

    assert timeless(told(stranger)) == taken_back(stranger)
    [(method, path, body)] = told(emsp)
    assert (method, path, body["name"]) == ("PUT", PATH, "Behind the fence")
    assert body["publish_allowed_to"] == LET_IN
    assert await open_setbacks(hub) == []


async def test_LOC_05_what_becomes_of_it_later_goes_to_the_admitted_alone(
    hub, shown, emsp, stranger
):
    await shown.put(PATH, hidden())
    await hub.deliver()
    told(stranger), told(emsp)

    await shown.patch(f"{PATH}/E1", {"status": "CHARGING", "last_updated": AFTER_THAT})
    await shown.put(PATH, hidden(name="Renamed", last_updated=AFTER_THAT))
    await hub.deliver()

    assert told(stranger) == []
    assert "Renamed" in {body.get("name") for _, _, body in told(emsp)}


async def test_LOC_05_a_partial_push_that_hides_it_is_enough(hub, shown, stranger):
    await hub.deliver()
    told(stranger)

    await shown.patch(PATH, {"publish": False, "last_updated": LATER})
    await hub.deliver()

    assert timeless(told(stranger)) == taken_back(stranger)


async def test_who_was_away_is_told_once_and_none_of_what_came_after(hub, shown, stranger):
    await hub.deliver()
    told(stranger)
    stranger.away = True
    await shown.put(PATH, hidden())
    await hub.deliver()
    await shown.put(PATH, hidden(name="Renamed", last_updated=AFTER_THAT))
    await hub.deliver()

    stranger.away = False
    stranger.requests.clear()
    await hub.retry_now()
    await hub.deliver()
    await hub.retry_now()
    await hub.deliver()

    assert timeless(told(stranger)) == taken_back(stranger)


@pytest.mark.parametrize(
    "lacks_it",
    [
        refuse(2003, "Unknown location", http_status=404),
        refuse(2003, "Unknown location"),
        refuse(2000, "No such thing", http_status=404),
        http(404),
    ],
    ids=["404-2003", "200-2003", "404-2000", "404"],
)
async def test_who_does_not_have_it_learns_nothing_of_it(hub, shown, stranger, lacks_it):
    """Elsewhere who lacks the location is told it whole (LOC-14): here never."""
    await hub.deliver()
    told(stranger)
    stranger.objects.clear()
    stranger.fail(lacks_it, on="locations")

    await shown.put(PATH, hidden())
    await hub.deliver()
    await hub.retry_now()
    await hub.deliver()

    assert timeless(told(stranger)) == taken_back(stranger)
    assert await open_setbacks(hub) == []
    assert await rows(hub, "select 1 from feed_cursors where failures > 0") == []


async def test_what_was_refused_while_it_was_public_is_not_told_again_when_it_is_hidden(
    hub, shown, stranger
):
    """Its next attempt would bring the location as it is then."""
    stranger.fail(http(500), on="locations", times=1)
    other = location(version=V, id="L2")
    await shown.put("locations/NL/ONE/L2", other)
    await hub.deliver()
    await hub.deliver()
    stranger.objects.clear()
    told(stranger)
    await hub.sql("update setbacks set settled_at = null, next_attempt_at = now()")

    for id_ in ("L1", "L2"):
        await shown.put(f"locations/NL/ONE/{id_}", hidden(id=id_, name="Behind the fence"))
    await hub.retry_now()
    await hub.deliver()

    bodies = [body for _, _, body in told(stranger)]
    assert bodies
    assert all(body.keys() <= {"publish", "status", "last_updated"} for body in bodies)
    assert await open_setbacks(hub) == []


async def test_a_location_hidden_while_its_evse_is_on_its_way_is_not_told_whole(
    hub, shown, stranger
):
    """The receiver lacks the location, and when the hub looks, the location is hidden (LOC-14)."""
    await hub.deliver()
    told(stranger)
    asked, answer = asyncio.Event(), asyncio.Event()

    async def unknown_in_the_end(request, proceed):
        asked.set()
        await answer.wait()
        return envelope(status_code=2003, message="Unknown location", http_status=404)

    stranger.fail(unknown_in_the_end, on="E1", times=1)
    await shown.patch(f"{PATH}/E1", {"status": "CHARGING", "last_updated": LATER})
    delivering = asyncio.create_task(hub.deliver())
    await asked.wait()
    await shown.put(PATH, hidden(name="Behind the fence", last_updated=AFTER_THAT))
    answer.set()
    await delivering
    await hub.deliver()

    evse_first, *then = told(stranger)
    assert evse_first[2]["status"] == "CHARGING"
    assert timeless(then) == taken_back(stranger)


async def test_what_was_never_published_is_taken_back_from_nobody(hub, cpo, emsp, stranger):
    await cpo.put(PATH, hidden())
    await cpo.put(PATH, hidden(publish_allowed_to=[], last_updated=AFTER_THAT))
    await hub.deliver()

    assert told(stranger) == []


async def test_who_comes_later_is_not_told_of_what_it_never_saw(hub, shown, partners):
    await shown.put(PATH, hidden())
    await shown.put("locations/NL/ONE/L2", location(version=V, id="L2"))
    await hub.deliver()

    for number, version in enumerate(("2.1.1", "2.2.1", "2.3.0")):
        late = FakePartner(f"FR*ZZ{number} EMSP", versions=(version,))
        await partners.enter_async_context(late)
        await hub.connect(late)
        await hub.deliver()
        assert [(method, path) for method, path, _ in told(late)] == [
            ("PUT", "locations/NL/ONE/L2")
        ]


async def test_published_again_it_is_told_whole_to_everybody_and_can_be_hidden_again(
    hub, shown, stranger
):
    await hub.deliver()
    await shown.put(PATH, hidden())
    await hub.deliver()
    told(stranger)

    await shown.put(PATH, location(version=V, last_updated=AFTER_THAT))
    await hub.deliver()
    [(method, path, body)] = told(stranger)
    assert (method, path, len(body["evses"])) == ("PUT", PATH, 2)
    assert {one["status"] for one in body["evses"]} == {"AVAILABLE"}

    once_more = "2025-11-01T00:00:00Z"
    await shown.put(PATH, hidden(last_updated=once_more))
    await hub.deliver()
    assert timeless(told(stranger)) == taken_back(stranger)


async def test_who_sleeps_through_hiding_and_publishing_is_told_the_location_alone(
    hub, shown, stranger, old_stranger
):
    """One is at the end of the feed, so what is to be told is remembered; the other is behind."""
    await hub.deliver()
    stranger.away = True
    await shown.put(PATH, hidden())
    await hub.deliver()
    told(old_stranger)

    await shown.put(PATH, location(version=V, last_updated=AFTER_THAT))
    stranger.away = False
    stranger.requests.clear()
    await hub.retry_now()
    await hub.deliver()

    for partner in (stranger, old_stranger):
        assert [(method, path) for method, path, _ in told(partner)] == [("PUT", PATH)]


# OCPI 2.1.1, where EVSEs are removed instead.


async def test_LOC_02_for_2_1_1_the_evses_that_were_shown_are_removed_and_no_others(
    hub, shown, old_stranger
):
    """Neither one that came with the hiding nor one that came later was ever shown."""
    await hub.deliver()
    told(old_stranger)

    await shown.put(PATH, hidden(evses=[evse(version=V), evse(version=V, uid="E3")]))
    new = evse(version=V, uid="E4", last_updated=AFTER_THAT)
    await shown.put(f"{PATH}/E4", new)
    await hub.deliver()

    assert timeless(told(old_stranger)) == taken_back(old_stranger)


async def test_LOC_02_what_was_removed_before_is_not_removed_again(hub, shown, old_stranger):
    gone = evse(version=V, uid="E2", status="REMOVED")
    await shown.put(f"{PATH}/E2", gone)
    await hub.deliver()
    told(old_stranger)

    await shown.put(PATH, hidden())
    await hub.deliver()

    assert [path for _, path, _ in told(old_stranger)] == [f"{PATH}/E1"]


async def test_LOC_02_a_location_of_many_evses_is_taken_back_in_as_many_batches_as_it_takes(
    hub, cpo, old_stranger
):
    many = [evse(version=V, uid=f"E{number}") for number in range(250)]
    await cpo.put(PATH, location(version=V, evses=many))
    await hub.deliver()
    told(old_stranger)
    old_stranger.fail(http(503), on="E77", times=1)

    await cpo.patch(PATH, {"publish": False, "last_updated": LATER})
    await hub.deliver()
    await hub.retry_now()
    await hub.deliver()

    removed = [path for _, path, body in told(old_stranger) if body["status"] == "REMOVED"]
    assert len(set(removed)) == 250
    assert removed.count(f"{PATH}/E77") == 2
    assert await open_setbacks(hub) == []


async def test_BRIDGE_05_to_2_1_1_it_is_taken_back_by_the_name_that_was_told(
    hub, cpo, partners, old_stranger
):
    six = await partners.enter_async_context(FakePartner("NL*SIX CPO"))
    await hub.connect(six)
    await cpo.put(PATH, location(version=V))
    await six.put("locations/NL/SIX/L1", location(version=V, party_id="SIX"))
    await hub.deliver()
    told(old_stranger)

    await six.patch("locations/NL/SIX/L1", {"publish": False, "last_updated": LATER})
    await hub.deliver()

    paths = sorted(path for _, path, _ in told(old_stranger))
    assert paths == [f"locations/NL/SIX/NL*SIX*L1/{uid}" for uid in ("E1", "E2")]


async def test_in_2_1_1_nothing_is_hidden_so_nothing_is_taken_back(hub, partners, emsp):
    """A location of 2.1.1 is always published (BRIDGE-02)."""
    cpo = await partners.enter_async_context(FakePartner("NL*OLD CPO", versions=("2.1.1",)))
    await hub.connect(cpo)
    await cpo.put("locations/NL/OLD/L1", old.location())
    await cpo.patch("locations/NL/OLD/L1", {"name": "Renamed"})
    await hub.deliver()

    assert {method for method, *_ in told(emsp)} == {"PUT"}
