"""Where OCPI says nothing, or two things: what this hub does, one test for each (AMB-*).

docs/ocpi-support.md has the table. What other files show is not repeated here.
"""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest

from hub.errors import InvalidRequest
from hub.models.values import Party, Role
from hub.ocpi.schemas import compiled
from hub.roaming.network import invitations
from tests.helpers import documents_2_1_1
from tests.helpers.documents import (
    cdr,
    evse,
    location,
    parking,
    price,
    session,
    tariff,
    token,
)
from tests.helpers.faults import hold
from tests.helpers.partner import FakePartner

V = "2.2.1"


@pytest.fixture
async def old_emsp(hub, partners):
    """DE*OLD, an eMSP that speaks 2.1.1, registered."""
    partner = await partners.enter_async_context(FakePartner("DE*OLD EMSP", versions=("2.1.1",)))
    await hub.connect(partner)
    return partner


@pytest.fixture
async def old_cpo(hub, partners):
    """NL*OLD, a CPO that speaks 2.1.1, registered."""
    partner = await partners.enter_async_context(FakePartner("NL*OLD CPO", versions=("2.1.1",)))
    await hub.connect(partner)
    return partner


def error_fields(answer):
    return {error["field"] for error in answer.data["errors"]}


# How requests and answers are written.


async def test_tokens_are_read_in_base64_and_as_they_are_AMB_01(cpo):
    for form in ("base64", "raw"):
        cpo.tokens.form_sent = form
        assert (await cpo.get("tokens")).ok


async def test_the_first_request_tries_base64_and_then_raw_AMB_02(hub, partners):
    platform = await partners.enter_async_context(FakePartner("NL*RAW CPO"))
    platform.tokens.form_wanted = "raw"

    await hub.join(platform)

    first, second, *rest = (r.headers["Authorization"] for r in platform.handshakes)
    assert base64.b64decode(first.removeprefix("Token ")).decode() == second.removeprefix("Token ")
    assert second in rest or rest


async def test_what_is_wrong_with_an_object_is_no_error_of_http_AMB_03(cpo):
    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V, currency="EURO"))

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert error_fields(answer) == {"currency"}


async def test_404_is_meant_where_something_is_not_there_AMB_04(cpo, emsp):
    unknown = await cpo.post("tokens/NOBODY/authorize")
    foreign = await cpo.put("tariffs/DE/TWO/T1", tariff(version=V))
    preferences = await emsp.put("sessions/NOWHERE/charging_preferences", {"profile_type": "GREEN"})

    assert (unknown.http_status, unknown.status_code) == (404, 2004)
    assert (foreign.http_status, foreign.status_code) == (404, 2001)
    assert (preferences.http_status, preferences.status_code) == (404, 2001)


async def test_errors_of_routing_are_http_200_and_3000_in_2_1_1_AMB_05(hub, emsp, cpo):
    nobody = await emsp.get("tariffs", to="XX*XXX")
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))

    assert (nobody.http_status, nobody.status_code) == (200, 4001)


async def test_x_limit_is_the_size_of_the_page_or_of_the_server_AMB_06(hub, cpo, emsp):
    for number in range(3):
        await cpo.put(f"tariffs/NL/ONE/T{number}", tariff(version=V, id=f"T{number}"))

    usual = await emsp.get("tariffs", params={"limit": "2"})
    await hub.configure(emsp.name, x_limit="server")
    other = await emsp.get("tariffs", params={"limit": "2"})

    assert (usual.headers["X-Limit"], len(usual.data)) == ("2", 2)
    assert (other.headers["X-Limit"], len(other.data)) == ("100", 2)
    assert "limit=2" in other.headers["Link"]


async def test_2_1_1_pages_and_dates_as_later_versions_do_AMB_07_AMB_08(cpo, old_emsp):
    stamps = ("2025-06-01T08:00:00Z", "2025-06-01T09:00:00Z")
    for number, stamp in enumerate(stamps):
        body = tariff(version=V, id=f"T{number}", last_updated=stamp)
        del body["min_price"], body["max_price"]
        await cpo.put(f"tariffs/NL/ONE/T{number}", body)

    limited = await old_emsp.get("tariffs", params={"limit": "1"})
    since = await old_emsp.get("tariffs", params={"date_from": stamps[1]})
    before = await old_emsp.get("tariffs", params={"date_to": stamps[1]})

    assert (limited.headers["X-Limit"], limited.headers["X-Total-Count"]) == ("1", "2")
    assert [one["id"] for one in since.data] == ["T1"]
    assert [one["id"] for one in before.data] == ["T0"]


async def test_a_patch_replaces_members_whole_AMB_09(cpo):
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    moment = {"last_updated": "2025-06-02T08:00:00Z"}

    part = await cpo.patch("locations/NL/ONE/L1", {"coordinates": {"latitude": "1.00000"}} | moment)
    whole = await cpo.patch("locations/NL/ONE/L1", {"operator": {"name": "New"}} | moment)
    kept = await cpo.get("locations/NL/ONE/L1", side="RECEIVER")

    assert (part.status_code, error_fields(part)) == (2001, {"coordinates/longitude"})
    assert whole.ok
    assert kept.data["operator"] == {"name": "New"}
    assert kept.data["coordinates"] == location(version=V)["coordinates"]


async def test_a_patch_of_2_1_1_need_not_say_when_AMB_10(hub, old_cpo):
    await old_cpo.put("locations/NL/OLD/L1", documents_2_1_1.location())

    answer = await old_cpo.patch("locations/NL/OLD/L1/E1", {"status": "CHARGING"})

    assert answer.ok
    rows = await hub.sql(
        "select status, last_updated > now() - interval '1 minute' from ocpi_evses"
    )
    assert ("CHARGING", True) in [tuple(row) for row in rows]


async def test_a_session_of_2_1_1_is_for_who_issued_its_contract_AMB_49(hub, old_cpo, emsp):
    await emsp.put("tokens/DE/TWO/04AB12CD34EF80", token())

    known = await old_cpo.put("sessions/NL/OLD/S1", documents_2_1_1.session())
    nobodys = await old_cpo.put("sessions/NL/OLD/S2", documents_2_1_1.session(auth_id="?", id="S2"))
    await hub.deliver()

    assert (known.ok, nobodys.ok) == (True, False)
    [push] = [one for one in emsp.received if one.module == "sessions"]
    assert push.body["cdr_token"]["contract_id"] == "DE-TWO-C00000001-X"
    assert push.body["cdr_token"]["uid"] == "04AB12CD34EF80"


async def test_the_status_of_a_reservation_is_that_of_the_enum_AMB_11(cpo, emsp):
    text = await cpo.put("sessions/NL/ONE/S1", session(version=V, status="RESERVED"))
    enum = await cpo.put("sessions/NL/ONE/S1", session(version=V, status="RESERVATION"))

    assert (text.status_code, error_fields(text)) == (2001, {"status"})
    assert enum.ok


async def test_a_sender_interface_may_receive_AMB_12(hub, cpo, emsp):
    await cpo.put("sessions/NL/ONE/S1", session(version=V))

    answer = await emsp.put("sessions/S1/charging_preferences", {"profile_type": "GREEN"})

    assert (answer.ok, answer.data) == (True, "ACCEPTED")
    [push] = cpo.received
    assert (push.interface, push.path) == ("SENDER", "sessions/S1/charging_preferences")


async def test_urls_in_what_goes_through_lead_to_the_hub_AMB_13(hub, cpo, emsp):
    cpo.page_limit = 1
    cpo.own["tariffs"] = [tariff(version=V, id=f"T{n}") for n in range(2)]

    first = await emsp.get("tariffs", to=cpo)
    following = first.headers["Link"].partition("<")[2].partition(">")[0]
    second = await emsp.call("GET", following, to=cpo)

    assert following.startswith(hub.url)
    assert [one["id"] for one in first.data + second.data] == ["T0", "T1"]


async def test_errors_of_the_hub_come_from_the_hub_AMB_14(emsp):
    answer = await emsp.get("tariffs", to="XX*XXX")

    names = ("from-country-code", "from-party-id", "to-country-code", "to-party-id")
    assert [answer.headers[f"OCPI-{name}"] for name in names] == ["NL", "HUB", "DE", "TWO"]


async def test_a_broadcast_is_answered_before_others_are_told_AMB_15(hub, cpo, emsp):
    go = asyncio.Event()
    emsp.fail(hold(go), on="PUT .*tariffs")

    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to="NL*HUB")
    told = list(emsp.received)
    go.set()
    await hub.deliver()

    assert (answer.http_status, told) == (201, [])
    assert [push.path for push in emsp.received] == ["tariffs/NL/ONE/T1"]


async def test_broadcasts_reach_access_points_but_no_smart_charging_AMB_16(hub, cpo, partners):
    nap = await partners.enter_async_context(FakePartner("NL*NAP NAP"))
    scsp = await partners.enter_async_context(FakePartner("DE*SCS SCSP"))
    for partner in (nap, scsp):
        await hub.connect(partner)

    await cpo.put("locations/NL/ONE/L1", location(version=V), to="NL*HUB")
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to="NL*HUB")
    await hub.deliver()

    assert sorted(push.module for push in nap.received) == ["locations", "tariffs"]
    assert scsp.received == []


async def test_a_list_without_receiver_is_get_all_AMB_17(cpo, emsp):
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))

    unaddressed, addressed = await emsp.get("tariffs"), await emsp.get("tariffs", to="NL*HUB")

    assert unaddressed.data == addressed.data != []
    assert unaddressed.headers["OCPI-from-party-id"] == "HUB"


# Who is who.


async def test_nobody_else_may_be_the_hubs_own_party_AMB_22(hub):
    for party in ("HUB", "OWN"):
        with pytest.raises(InvalidRequest, match="this hub's own party"):
            async with hub.database.transaction(hub.tenant_id) as db:
                await invitations.introduce(db, "Mallory", [(Party("NL", party), Role.CPO)])


async def test_a_hub_with_stations_of_its_own_is_a_hub_in_2_2_1_AMB_23(cpo):
    roles = [(role["party_id"], role["role"]) for role in cpo.hub_credentials["roles"]]

    assert roles == [("HUB", "HUB")]


# Objects and their lives.


async def test_what_came_late_is_found_by_who_asks_for_it_AMB_24_HUB_43(hub, cpo, emsp):
    """The specification's date_from compares last_updated and nothing else; a setting adds what
    reached the hub since. An EVSE that came late counts as its location.
    """
    now = datetime.now(UTC)
    since = (now - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    await cpo.put("locations/NL/ONE/L1", location(version=V, last_updated="2025-06-03T00:00:00Z"))
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await hub.sql("update ocpi_locations set received_at = now() - interval '1 day'")
    await hub.sql("update ocpi_evses set received_at = now() - interval '1 day'")
    late = evse(version=V, status="CHARGING", last_updated="2025-06-02T00:00:00Z")
    await cpo.put("locations/NL/ONE/L1/E1", late)

    strict = [await emsp.get(m, params={"date_from": since}) for m in ("tariffs", "locations")]
    await hub.configure(emsp.name, late_objects=True)
    lenient = [await emsp.get(m, params={"date_from": since}) for m in ("tariffs", "locations")]

    assert [answer.data for answer in strict] == [[], []]
    assert [[one["id"] for one in answer.data] for answer in lenient] == [["T1"], ["L1"]]
    assert [answer.headers["X-Total-Count"] for answer in lenient] == ["1", "1"]
    assert lenient[0].data[0]["last_updated"] == tariff()["last_updated"]


async def test_the_same_cdr_again_is_fine_and_another_of_its_id_is_not_AMB_25(cpo, emsp):
    first = await cpo.post("cdrs", cdr(version=V))
    again = await cpo.post("cdrs", cdr(version=V))
    other = await cpo.post("cdrs", cdr(version=V, total_energy=8))

    assert (first.http_status, again.http_status) == (201, 200)
    assert first.headers["Location"] == again.headers["Location"]
    assert other.status_code == 2001


@pytest.mark.parametrize(("length", "valid"), [(36, True), (39, True), (40, False)])
@pytest.mark.parametrize("member", ["id", "credit_reference_id"])
def test_ids_of_cdrs_have_up_to_39_characters_AMB_27(member, length, valid):
    credit = cdr(version=V, **{"credit": True, "credit_reference_id": "C0", member: "C" * length})

    assert compiled.is_valid(compiled.SCHEMAS[V]["CDR"], credit) is valid


def test_a_credit_may_take_back_parts_as_well_AMB_26():
    negative = price(-3.625, -0.7613, version=V)
    credit = cdr(
        version=V,
        credit=True,
        credit_reference_id="C0",
        total_cost=negative,
        total_energy_cost=negative,
    )

    assert compiled.is_valid(compiled.SCHEMAS[V]["CDR"], credit)


async def test_the_role_of_terminals_is_told_and_taken_AMB_31(hub, partners):
    terminals = await partners.enter_async_context(FakePartner("NL*PTP PTP", versions=("2.3.0",)))

    await hub.connect(terminals)

    rows = await hub.sql("select role, declared from ocpi_partner_roles")
    assert [(row.role, row.declared) for row in rows] == [("PTP", True)]


async def test_invoice_reconciliation_is_listed_though_no_table_names_it_AMB_34(hub, partners):
    emsp = await partners.enter_async_context(FakePartner("DE*NEW EMSP", versions=("2.3.0",)))
    await hub.connect(emsp)

    assert {module for module, _ in emsp.endpoints} >= {"invoicereconciliation"}


def test_a_date_that_is_none_is_read_AMB_38():
    """As the note on CDRs gives it for a start that is not known."""
    odd = cdr(version=V, start_date_time="1970-1-1T00:00:00Z")

    read = compiled.check(compiled.SCHEMAS[V]["CDR"], odd)

    assert read["start_date_time"] == "1970-01-01T00:00:00Z"


async def test_a_token_is_of_the_type_it_says_unless_the_url_says_otherwise_AMB_40(emsp):
    app = token(type="APP_USER", uid="A1")

    unsaid = await emsp.put("tokens/DE/TWO/A1", app)
    contrary = await emsp.put("tokens/DE/TWO/A1", app, params={"type": "RFID"})
    kept = await emsp.get("tokens/DE/TWO/A1", side="RECEIVER", params={"type": "APP_USER"})

    assert (unsaid.ok, contrary.status_code) == (True, 2001)
    assert kept.data["type"] == "APP_USER"


async def test_one_uid_may_be_used_by_two_types_AMB_41(emsp):
    for type_ in ("RFID", "APP_USER"):
        await emsp.put("tokens/DE/TWO/A1", token(uid="A1", type=type_), params={"type": type_})

    kept = [
        (await emsp.get("tokens/DE/TWO/A1", side="RECEIVER", params=query)).data["type"]
        for query in ({}, {"type": "APP_USER"})
    ]

    assert kept == ["RFID", "APP_USER"]


async def test_hubclientinfo_goes_where_the_partner_lists_it_AMB_43(hub, emsp, partners):
    def elsewhere(endpoints):
        return [
            one | {"url": one["url"].replace("/hubclientinfo", "/tokens/clientinfo")}
            if one["identifier"] == "hubclientinfo"
            else one
            for one in endpoints
        ]

    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    cpo.endpoint_changes = elsewhere
    await hub.connect(cpo)
    await hub.deliver()

    told = [r.path for r in cpo.requests if r.path.startswith("tokens/clientinfo/DE/TWO")]
    assert told


# Registering.


async def test_registering_again_is_405_and_a_used_invitation_401_AMB_44(hub, partners):
    platform = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    invitation = await hub.invite(platform)
    await platform.register(invitation.versions_url, invitation.token)
    url = platform.endpoints["credentials", "SENDER"]
    body = platform.credentials("x" * 20)

    known = await platform.call("POST", url, body=body, routed=False)
    used = await platform.call("POST", url, body=body, token=invitation.token, routed=False)

    assert (known.http_status, known.headers["Allow"]) == (405, "GET, PUT, DELETE")
    assert used.http_status == 401


async def test_credentials_are_shown_to_who_is_invited_AMB_45(hub, partners):
    platform = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    invitation = await hub.invite(platform)
    url = f"{hub.url}/ocpi/2.2.1/credentials"

    shown = await platform.call("GET", url, token=invitation.token, routed=False)

    assert shown.ok
    assert shown.data["token"] == invitation.token


async def test_the_old_token_holds_until_the_new_one_is_used_AMB_46(hub, cpo, emsp):
    old = cpo.tokens.to_hub
    await cpo.renew(hub.versions_url)

    overlap = await cpo.get("tokens", token=old)
    await cpo.get("tokens")
    after = await cpo.get("tokens", token=old)

    assert (overlap.ok, after.http_status) == (True, 401)


async def test_answers_repeat_the_ids_of_their_requests_AMB_47(cpo):
    ids = {"X-Request-ID": "request-1", "X-Correlation-ID": "correlation-1"}

    for path in ("tokens", "tokens/XX/XXX/nobody"):
        answer = await cpo.get(path, headers=ids)
        assert {name: answer.headers[name] for name in ids} == ids


async def test_bodies_are_not_compressed_and_floods_are_slowed_down_AMB_50(hub, cpo):
    packed = await cpo.put(
        "tariffs/NL/ONE/T1", tariff(version=V), headers={"Content-Encoding": "gzip"}
    )

    assert packed.http_status == 400


@pytest.mark.parametrize("ways", [("NL*HUB", None), (None, "NL*HUB")])
async def test_a_deletion_is_broadcast_like_a_put_AMB_51(hub, cpo, emsp, ways):
    """HUB-29: from the hub if it was addressed to it, else from the owner, however the PUT was."""
    put, deletion = ways
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to=put)
    await hub.deliver()

    answer = await cpo.delete("tariffs/NL/ONE/T1", to=deletion)
    await hub.deliver()

    assert answer.ok
    assert [push.method for push in emsp.received] == ["PUT", "DELETE"]
    told_by = [push.headers["OCPI-from-party-id"] for push in emsp.received]
    assert told_by == ["HUB" if way else "ONE" for way in ways]


@pytest.mark.parametrize("vehicles", [["DISABLED"], ["PERSONAL_VEHICLE", "DISABLED"]])
def test_parking_places_need_no_sizes_whatever_stands_there_AMB_53(vehicles):
    body = location(parking_places=[parking(vehicle_types=vehicles)])

    assert compiled.is_valid(compiled.SCHEMAS["2.3.0"]["Location"], body)
