"""Bookings (extension 1.1 of OCPI 2.3.0): published, asked for, answered now and later."""

import pytest

from hub.ocpi.schemas.bookings import Booking, BookingLocation, Calendar
from tests.contract.mutations import mutations
from tests.helpers import faults
from tests.helpers.documents import (
    ABSENT,
    BOOKING_TERMS,
    booking,
    booking_location,
    booking_request,
    calendar,
)
from tests.helpers.partner import FakePartner

PLACES = "bookings/booking_locations"
PLACE = "bookings/NL/ONE/booking_locations/BL1"
BOOKING = "bookings/NL/ONE/B1"
LATER = "2025-06-21T08:00:00Z"


@pytest.fixture
async def cpo(hub, partners):
    partner = await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=("2.3.0",)))
    await hub.connect(partner)
    name_by_path(partner)
    return partner


@pytest.fixture
async def emsp(hub, cpo, partners):
    partner = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=("2.3.0",)))
    await hub.connect(partner)
    name_by_path(partner)
    return partner


def name_by_path(partner):
    """The module is called Booking, and its paths bookings (BOOK-14)."""
    for side in ("SENDER", "RECEIVER"):
        partner.endpoints["bookings", side] = partner.endpoints["Booking", side]


async def ask(partner, request=None, **options):
    return await partner.post("bookings", request or booking_request(), side="SENDER", **options)


def told(partner):
    return [
        (push.method, push.path, push.body)
        for push in partner.received
        if push.module == "bookings"
    ]


def asked(partner):
    return [
        push for push in partner.requests if push.interface == "SENDER" and push.method == "POST"
    ]


# What can be booked.


async def test_a_booking_location_is_told_to_emsps_and_listed_BOOK_01(hub, cpo, emsp):
    answer = await cpo.put(PLACE, booking_location())
    await hub.deliver()

    assert (answer.http_status, answer.status_code) == (201, 1000)
    assert told(emsp) == [("PUT", PLACE, booking_location())]
    assert told(cpo) == []
    assert (await emsp.get(PLACES)).data == [booking_location()]
    assert (await emsp.get(f"{PLACES}/BL1")).data == booking_location()
    assert (await emsp.get(f"{PLACES}/bl1/k1")).data == calendar()
    assert (await cpo.get(PLACE, side="RECEIVER")).data == booking_location()
    assert (await cpo.get(f"{PLACE}/K1", side="RECEIVER")).data == calendar()


async def test_calendars_are_put_and_patched_by_themselves_BOOK_05(hub, cpo, emsp):
    await cpo.put(PLACE, booking_location())
    slot = {"start_date_time": "2025-07-05T08:00:00Z", "end_date_time": "2025-07-05T09:00:00Z"}

    new = await cpo.put(f"{PLACE}/K2", calendar(id="K2", last_updated=LATER))
    change = {"available_timeslots": [slot], "last_updated": "2025-06-22T08:00:00Z"}
    patched = await cpo.patch(f"{PLACE}/k1", change)
    late = await cpo.patch(f"{PLACE}/K1", {"timeslot_increment": 5, "last_updated": LATER})
    await hub.deliver()

    assert (new.status_code, patched.status_code) == (1000, 1000)
    assert late.message.endswith("older than stored")
    [kept] = (await emsp.get(PLACES)).data
    assert [one["id"] for one in kept["calendars"]] == ["K1", "K2"]
    assert kept["calendars"][0] == calendar() | change
    assert kept["last_updated"] == "2025-06-22T08:00:00Z"
    assert emsp.objects[PLACE] == kept


async def test_what_belongs_to_nothing_known_is_404(hub, cpo, emsp):
    await cpo.put(PLACE, booking_location())
    answers = [
        await cpo.put("bookings/NL/ONE/booking_locations/NO/K1", calendar()),
        await cpo.patch(f"{PLACE}/NO", {"timeslot_increment": 5, "last_updated": LATER}),
        await cpo.patch("bookings/NL/ONE/NO", {"last_updated": LATER}),
        await emsp.get(f"{PLACES}/NO"),
        await emsp.get(f"{PLACES}/BL1/NO"),
        await ask(emsp, booking_request(booking_location_id="NO")),
    ]

    assert {(answer.http_status, answer.status_code) for answer in answers} == {(404, 2001)}


async def test_terms_and_options_are_patched_in_part_BOOK_17(hub, cpo, emsp):
    await cpo.put(PLACE, booking_location())

    terms = await cpo.patch(PLACE, {"booking_terms": {"noshow_timeout": 5}, "last_updated": LATER})
    cleared = await cpo.patch(
        PLACE, {"booking_option": {"drive_through": None}, "last_updated": LATER}
    )
    older_form = await cpo.patch(PLACE, {"evse_uid": "E2", "last_updated": LATER})
    broken = await cpo.patch(
        PLACE, {"booking_terms": {"cancel_until_minutes": None}, "last_updated": LATER}
    )

    assert {one.status_code for one in (terms, cleared, older_form)} == {1000}
    assert (broken.status_code, "cancel_until_minutes" in broken.message) == (2001, True)
    [kept] = (await emsp.get(PLACES)).data
    assert kept["booking_terms"] == BOOKING_TERMS | {"noshow_timeout": 5}
    assert kept["booking_option"] == {"evse_uid": "E2", "vehicle_types": ["TRUCK"]}


async def test_the_urls_of_the_examples_are_taken_too_BOOK_12(cpo, emsp):
    base = "bookings/bookinglocations/NL/ONE/BL1"

    put = await cpo.put(base, booking_location())
    patched = await cpo.patch(f"{base}/K1", {"timeslot_increment": 5, "last_updated": LATER})

    assert (put.http_status, patched.status_code) == (201, 1000)
    assert (await cpo.get(base, side="RECEIVER")).data["id"] == "BL1"
    assert (await emsp.get(f"{PLACES}/BL1/K1")).data["timeslot_increment"] == 5


async def test_lists_can_be_narrowed_to_timeslots_and_the_next_page_too_BOOK_11(cpo, emsp):
    for day in (1, 2, 3):
        slot = {
            "start_date_time": f"2025-07-0{day}T08:00:00Z",
            "end_date_time": f"2025-07-0{day}T09:00:00Z",
        }
        days = [calendar(available_timeslots=[slot])]
        path = f"bookings/NL/ONE/booking_locations/D{day}"
        await cpo.put(path, booking_location(id=f"D{day}", calendars=days))
    await cpo.put(PLACE, booking_location(calendars=ABSENT))

    async def ids(**params):
        found, url = [], PLACES
        while url:
            page = await emsp.get(url, params=params or None)
            found += [one["id"] for one in page.data]
            url, params = page.headers.get("Link", "").split(">")[0].lstrip("<") or None, {}
        return found

    assert await ids() == ["D1", "D2", "D3", "BL1"]
    span = {"timeslot_from": "2025-07-01T08:00:00Z", "timeslot_to": "2025-07-03T08:00:00Z"}
    assert await ids(**span) == ["D1", "D2"]
    assert await ids(**span, limit=1) == ["D1", "D2"]
    assert await ids(timeslot_from="2025-07-02T08:00:00Z") == ["D2", "D3"]
    assert await ids(timeslot_to="2025-07-01T08:00:00Z") == []
    bad = await emsp.get(PLACES, params={"timeslot_from": "soon"})
    assert (bad.status_code, "timeslot_from" in bad.message) == (2001, True)


# Bookings.


async def test_a_request_finds_the_cpo_and_its_result_comes_later_BOOK_02_BOOK_16(hub, cpo, emsp):
    await cpo.put(PLACE, booking_location())
    cpo.book = lambda request: booking(request=request)

    answer = await ask(emsp)
    reserved = booking(state="RESERVED", last_updated=LATER)
    put = await cpo.put(BOOKING, reserved)
    await hub.deliver()

    assert answer.data == booking()
    assert answer.headers["OCPI-from-party-id"] == "ONE"
    [request] = asked(cpo)
    assert request.body == booking_request()
    assert (request.headers["OCPI-to-party-id"], request.headers["OCPI-from-party-id"]) == (
        "ONE",
        "TWO",
    )
    assert put.http_status == 200, "the hub knows it from the answer"
    assert [one for one in told(emsp) if one[1] == BOOKING] == [("PUT", BOOKING, reserved)]
    assert (await emsp.get("bookings")).data == [reserved]


async def test_a_result_may_be_a_patch_of_what_only_went_by_BOOK_02(hub, cpo, emsp):
    await cpo.put(PLACE, booking_location())
    cpo.book = lambda request: booking(request=request)
    await ask(emsp)
    await hub.deliver()
    emsp.received.clear()

    patch = await cpo.patch(BOOKING, {"reservation_status": "RESERVED", "last_updated": LATER})
    by_request = await cpo.patch(
        "bookings/NL/ONE/q1",
        {"reservation_status": "FULFILLED", "last_updated": "2025-07-01T10:00:00Z"},
    )
    await hub.deliver()

    assert (patch.status_code, by_request.status_code) == (1000, 1000)
    assert [body["reservation_status"] for _, _, body in told(emsp)][-1] == "FULFILLED"
    assert (await cpo.get(BOOKING, side="RECEIVER")).data["reservation_status"] == "FULFILLED"


async def test_a_change_and_a_cancellation_go_the_same_way_BOOK_03(cpo, emsp):
    await cpo.put(PLACE, booking_location())
    cpo.book = lambda request: booking(request=request, state="RESERVED")
    await ask(emsp)
    canceled = {"cancellation_reason": "TRAFFIC", "who_canceled": "EMSP"}

    await ask(emsp, booking_request(power_required=50))
    answer = await ask(emsp, booking_request(canceled=canceled))

    assert answer.data["booking_requests"][0]["booking_request"]["canceled"] == canceled
    assert [push.body.get("power_required") for push in asked(cpo)] == [100, 50, 100]
    [listed] = (await emsp.get("bookings")).data
    assert listed["booking_requests"][0]["booking_request"]["canceled"] == canceled


async def test_what_is_sent_by_name_is_not_told_twice_but_listed_as_it_is_now(hub, cpo, emsp):
    cpo.book = lambda request: booking(request=request)
    answer = await ask(emsp, to=cpo)
    reserved = booking(state="RESERVED", last_updated=LATER)

    put = await cpo.put(BOOKING, reserved, to=emsp)
    changed = {"reservation_status": "NO_SHOW", "last_updated": "2025-07-01T10:00:00Z"}
    patched = await cpo.patch(BOOKING, changed, to=emsp)
    await hub.deliver()

    assert [one.status_code for one in (answer, put, patched)] == [1000, 1000, 1000]
    assert [method for method, _, _ in told(emsp)] == ["PUT", "PATCH"]
    assert (await emsp.get("bookings")).data == [reserved | changed]


@pytest.mark.parametrize("url", ["B1", "q1"])
async def test_what_is_sent_by_name_may_name_the_request_and_say_a_part_BOOK_12_BOOK_17(
    cpo, emsp, url
):
    """BOOK-02: both sides know it then, so the hub must not list what is no longer true."""
    cpo.book = lambda request: booking(request=request)
    await ask(emsp, to=cpo)
    reserved = booking(state="RESERVED", last_updated=LATER)
    part = {"booking_terms": {"noshow_fee": True}, "last_updated": "2025-07-01T10:00:00Z"}

    put = await cpo.put(f"bookings/NL/ONE/{url}", reserved, to=emsp)
    patched = await cpo.patch(f"bookings/NL/ONE/{url}", part, to=emsp)

    assert [one.status_code for one in (put, patched)] == [1000, 1000]
    [listed] = (await emsp.get("bookings")).data
    assert listed["reservation_status"] == "RESERVED"
    assert listed["booking_terms"] == BOOKING_TERMS | part["booking_terms"]


async def test_a_put_may_name_the_request_in_its_url_BOOK_12(hub, cpo, emsp):
    answer = await cpo.put("bookings/NL/ONE/Q1", booking(state="RESERVED"))
    await hub.deliver()

    assert answer.http_status == 201
    assert [path for _, path, _ in told(emsp)] == [BOOKING]


async def test_an_emsp_that_was_away_gets_the_result_when_it_is_back_BOOK_02(hub, cpo, emsp):
    await cpo.put(PLACE, booking_location())
    cpo.book = lambda request: booking(request=request)
    await ask(emsp)
    emsp.away = True
    for moment, state in (
        ("2025-06-21T08:00:00Z", "RESERVED"),
        ("2025-06-22T08:00:00Z", "CANCELED"),
    ):
        await cpo.put(BOOKING, booking(state=state, last_updated=moment))
    await hub.deliver()
    emsp.away = False
    await hub.retry_now()
    await hub.deliver()

    assert emsp.objects[BOOKING]["reservation_status"] == "CANCELED"


async def test_an_answer_that_is_no_booking_is_passed_on_and_not_kept(cpo, emsp):
    await cpo.put(PLACE, booking_location())
    cpo.book = lambda request: {"id": "B1"}

    answer = await ask(emsp)

    assert answer.data == {"id": "B1"}
    assert (await emsp.get("bookings")).data == []


async def test_a_booking_answered_in_a_list_is_kept_as_well(cpo, emsp):
    await cpo.put(PLACE, booking_location())
    cpo.book = lambda request: [booking(request=request)]

    assert (await ask(emsp)).data == [booking()]
    assert (await emsp.get("bookings")).data == [booking()]


async def test_what_the_cpo_says_no_to_is_not_kept(cpo, emsp):
    await cpo.put(PLACE, booking_location())
    cpo.fail(faults.refuse(2002, "say more"), on="sender/bookings")

    answer = await ask(emsp)

    assert (answer.status_code, answer.message) == (2002, "say more")
    assert (await emsp.get("bookings")).data == []


async def test_a_booking_is_for_who_asked_and_nobody_else_BOOK_16(hub, cpo, emsp, partners):
    stranger = await partners.enter_async_context(FakePartner("FR*ZZZ EMSP", versions=("2.3.0",)))
    await hub.connect(stranger)
    name_by_path(stranger)
    await cpo.put(BOOKING, booking())
    await hub.deliver()

    assert (await stranger.get("bookings")).data == []
    assert (await stranger.get(BOOKING, side="RECEIVER")).http_status == 404
    assert told(stranger) == []
    assert len(told(emsp)) == 1


@pytest.mark.parametrize("by_name", [True, False])
async def test_nobody_books_in_somebody_elses_name_T_02(cpo, emsp, by_name):
    await cpo.put(PLACE, booking_location())
    cpo.book = lambda request: booking(request=request)

    answer = await ask(emsp, booking_request(party_id="SIX"), to=cpo if by_name else None)

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert answer.message == "party_id: the object says 'SIX', whoever sends it is TWO."
    assert asked(cpo) == []


async def test_a_request_is_checked_before_anybody_is_asked_BOOK_02(cpo, emsp):
    await cpo.put(PLACE, booking_location())

    answer = await ask(emsp, booking_request(period=ABSENT))
    broadcast = await ask(emsp, to="NL*HUB")

    assert (answer.status_code, "period" in answer.message) == (2001, True)
    assert broadcast.status_code == 2001
    assert asked(cpo) == []


async def test_our_own_stations_cannot_be_booked_HUB_07(emsp):
    answer = await ask(emsp, to="NL*OWN")

    assert answer.status_code == 4001


async def test_only_a_cpo_publishes_and_only_its_own_T_02(cpo, emsp):
    by_emsp = await emsp.put("bookings/DE/TWO/booking_locations/BL1", booking_location())
    for_others = await emsp.put(PLACE, booking_location())

    assert {(one.http_status, one.status_code) for one in (by_emsp, for_others)} == {(404, 2001)}


# Names and versions.


async def test_the_module_is_called_booking_unless_a_partner_wants_it_otherwise_BOOK_14(
    hub, cpo, partners
):
    other = await partners.enter_async_context(FakePartner("DE*SIX EMSP", versions=("2.3.0",)))
    other.endpoint_changes = lambda endpoints: [
        one | {"identifier": "BOOKINGS"} if one["identifier"] == "Booking" else one
        for one in endpoints
    ]
    await hub.connect(other, module_names={"bookings": "bookings"})
    await cpo.put(PLACE, booking_location())
    await hub.deliver()

    assert [name for name, _ in cpo.endpoints if name == "Booking"] != []
    assert [name for name, _ in other.endpoints if "ooking" in name] == ["bookings", "bookings"]
    assert told(other) == [("PUT", PLACE, booking_location())]


async def test_older_versions_have_no_bookings(hub, cpo, emsp, partners):
    older = await partners.enter_async_context(FakePartner("FR*OLD EMSP"))
    older.more_modules |= {("Booking", "RECEIVER")}
    await hub.connect(older)
    request = booking_request(country_code="FR", party_id="OLD")

    await cpo.put(PLACE, booking_location())
    result = await cpo.put(BOOKING, booking(request=request))
    await hub.deliver()

    assert (result.status_code, "2.2.1" in result.message) == (4001, True)
    assert told(older) == []
    missing = await older.call("GET", f"{hub.url}/ocpi/2.2.1/sender/bookings")
    assert (missing.http_status, missing.status_code) == (404, 2001)


BREAKABLE = {
    "location": (PLACE, BookingLocation, booking_location()),
    "calendar": (f"{PLACE}/K1", Calendar, calendar()),
    "booking": (BOOKING, Booking, booking()),
}


@pytest.mark.parametrize("kind", BREAKABLE)
async def test_what_is_broken_is_2001_and_names_the_field(cpo, emsp, kind):
    path, schema, valid = BREAKABLE[kind]
    assert (await cpo.put(PLACE, booking_location())).http_status == 201
    broken = list(mutations(schema, valid))
    # Enough of each; all are tried without the hub (contract tests).
    for mutation in broken[:: max(1, len(broken) // 40)]:
        answer = await cpo.put(path, mutation.body)

        assert (answer.http_status, answer.status_code) == (200, 2001), mutation
        assert mutation.field in answer.message, mutation
