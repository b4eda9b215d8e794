"""Who may charge: whitelists, issuers, own tokens and their restrictions (TOK-05, TOK-16)."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from ocpp.v16 import call

from hub.models.partners import Agreement
from hub.models.values import Party
from hub.roaming.authorization.token_restrictions import distance_km, time_allowed
from hub.roaming.stations.local_lists import wanted


class Issuer:
    """An eMSP that answers, or does not."""

    def __init__(self, allowed="ALLOWED", *, silent=False, delay=0.0):
        self.allowed = allowed
        self.silent = silent
        self.delay = delay
        self.asked = []

    async def authorize(self, tenant_id, issuer, token_uid, token_type, **more):
        self.asked.append((issuer, token_uid, token_type))
        await asyncio.sleep(self.delay)
        if self.silent:
            return None
        return {"allowed": self.allowed, "token": {}, "authorization_reference": "AR-7"}


async def answer_to(csms, made, tag):
    async with csms.connect(made) as station:
        return (await station.ask(call.Authorize(tag))).id_tag_info["status"]


@pytest.mark.parametrize(
    ("whitelist", "valid", "silent", "asked", "status"),
    [
        ("ALWAYS", True, True, False, "Accepted"),
        ("ALLOWED", True, True, False, "Accepted"),
        ("ALLOWED_OFFLINE", True, False, True, "Accepted"),
        ("ALLOWED_OFFLINE", True, True, True, "Accepted"),
        ("NEVER", True, False, True, "Accepted"),
        ("NEVER", True, True, True, "Invalid"),
        ("ALWAYS", False, False, False, "Blocked"),
        # Whether it is still valid, its issuer knows best.
        ("ALLOWED_OFFLINE", False, False, True, "Accepted"),
        ("ALLOWED_OFFLINE", False, True, True, "Blocked"),
        ("NEVER", False, False, True, "Accepted"),
        ("NEVER", False, True, True, "Invalid"),
    ],
)
async def test_the_whitelist_decides_who_is_asked_TOK_05_TOK_06(  # noqa: PLR0917
    csms, whitelist, valid, silent, asked, status
):
    csms.wire.issuers = issuer = Issuer(silent=silent)
    made = await csms.add_station()
    await csms.add_token("TAG1", whitelist=whitelist, valid=valid)

    assert await answer_to(csms, made, "tag1") == status
    assert issuer.asked == ([(Party("BE", "MSP"), "TAG1", "RFID")] if asked else [])


async def test_a_token_whose_uid_has_a_slash_is_known_by_all_of_it_TOK_02(csms):
    """Its key has the type behind another one."""
    made = await csms.add_station()
    await csms.add_token("A/B")

    assert await answer_to(csms, made, "a/b") == "Accepted"
    assert await answer_to(csms, made, "A") == "Invalid"


async def test_a_uid_that_begins_another_with_a_slash_is_its_own_token_TOK_02(csms):
    made = await csms.add_station()
    await csms.add_token("A/B")
    await csms.add_token("A", valid=False)

    assert await answer_to(csms, made, "A") == "Blocked"
    assert await answer_to(csms, made, "A/B") == "Accepted"


@pytest.mark.parametrize("whitelist", ["ALWAYS", "NEVER"])
async def test_tokens_of_a_party_without_an_agreement_are_nobodys_HUB_52(csms, whitelist):
    csms.wire.issuers = issuer = Issuer()
    made = await csms.add_station()
    await csms.add_token("TAG1", whitelist=whitelist)
    async with csms.transaction() as db:
        db.add(Agreement(from_country_code="BE", from_party_id="MSP", effect="BLOCK"))
        assert await wanted(db, made.ref, longest_uid=20, most=10) == []

    assert await answer_to(csms, made, "TAG1") == "Invalid"
    assert issuer.asked == []

    async with csms.transaction() as db:
        agreed = {"from_party_id": "MSP", "to_country_code": "NL", "to_party_id": "OWN"}
        db.add(Agreement(from_country_code="BE", module="tokens", effect="ALLOW", **agreed))
        listed = await wanted(db, made.ref, longest_uid=20, most=10)

    assert await answer_to(csms, made, "TAG1") == "Accepted"
    assert [entry.uid for entry in listed] == (["TAG1"] if whitelist == "ALWAYS" else [])


@pytest.mark.parametrize(
    ("allowed", "status"),
    [
        ("ALLOWED", "Accepted"),
        ("BLOCKED", "Blocked"),
        ("EXPIRED", "Expired"),
        ("NO_CREDIT", "Blocked"),
        ("NOT_ALLOWED", "Invalid"),
    ],
)
async def test_what_the_issuer_says_is_what_the_station_is_told(csms, allowed, status):
    csms.wire.issuers = Issuer(allowed)
    made = await csms.add_station()
    await csms.add_token("TAG1", whitelist="NEVER")

    assert await answer_to(csms, made, "TAG1") == status


async def test_the_reference_of_the_issuer_is_in_session_and_cdr_SES_05_CDR_11(csms):
    csms.wire.issuers = Issuer()
    made = await csms.add_station()
    await csms.add_token("TAG1", whitelist="NEVER")
    now = datetime.now(UTC).isoformat()
    async with csms.connect(made) as station:
        begun = await station.ask(call.StartTransaction(1, "TAG1", 0, now))
        [session] = await csms.sessions()
        await station.ask(call.StopTransaction(10, now, begun.transaction_id))

    [cdr] = await csms.cdrs()
    for told in (session, cdr):
        assert (told["auth_method"], told["authorization_reference"]) == ("AUTH_REQUEST", "AR-7")


YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).strftime("%A").upper()


@pytest.mark.parametrize(
    ("columns", "status"),
    [
        ({}, "Accepted"),
        ({"is_blocked": True}, "Blocked"),
        ({"is_active": False}, "Blocked"),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "Expired"),
        ({"restrictions": {"allowed_stations": ["CP-other"]}}, "Invalid"),
        ({"restrictions": {"allowed_groups": ["depot"]}}, "Invalid"),
        ({"restrictions": {"geographic": {"allowed_countries": ["BEL"]}}}, "Accepted"),
        ({"restrictions": {"geographic": {"allowed_countries": ["NLD"]}}}, "Invalid"),
        (
            {
                "restrictions": {
                    "geographic": {"latitude": 51.05, "longitude": 3.72, "radius_km": 5}
                }
            },
            "Accepted",
        ),
        (
            {"restrictions": {"geographic": {"latitude": 52.37, "longitude": 4.9, "radius_km": 5}}},
            "Invalid",
        ),
        ({"restrictions": {"time_restriction": {"allowed_days": [YESTERDAY]}}}, "Invalid"),
        ({"restrictions": {"usage": {"max_sessions_per_day": 0}}}, "Blocked"),
        ({"restrictions": {"usage": {"max_amount_per_month": "0"}}}, "Blocked"),
    ],
)
async def test_own_tokens_hold_where_and_when_they_may(csms, columns, status):
    made = await csms.add_station()
    await csms.add_own_token("OWN1", **columns)

    assert await answer_to(csms, made, "own1") == status


@pytest.mark.parametrize(
    ("hour", "start", "end", "allowed"),
    [(9, "08:00", "18:00", True), (18, "08:00", "18:00", False), (23, "22:00", "06:00", True)],
)
def test_a_window_of_time_may_pass_midnight(hour, start, end, allowed):
    window = {"start_time": start, "end_time": end, "timezone": "UTC"}
    assert time_allowed(window, datetime(2026, 3, 2, hour, tzinfo=UTC)) is allowed


def test_windows_are_local():
    window = {"start_time": "08:00", "end_time": "09:00", "timezone": "Europe/Brussels"}
    assert time_allowed(window, datetime(2026, 7, 1, 6, 30, tzinfo=UTC))
    assert not time_allowed(window, datetime(2026, 7, 1, 8, 30, tzinfo=UTC))


def test_distances_are_those_of_a_map():
    assert distance_km(52.37, 4.90, 51.05, 3.72) == pytest.approx(168, abs=3)
