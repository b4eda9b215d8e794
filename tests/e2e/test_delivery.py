"""What one party owns, the others get: the requests as they arrive at real partners."""

import pytest

from hub.models.values import ConnectionStatus, PartnerStatus
from tests.helpers.documents import cdr, cdr_token, evse, location, session, tariff, token
from tests.helpers.faults import http, refuse
from tests.helpers.network import change, paths
from tests.helpers.partner import FakePartner

V = "2.2.1"
UID = token()["uid"]


@pytest.fixture
async def emsp(network, partners):
    """DE*TWO, an eMSP that speaks 2.2.1."""
    partner = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    await network.connect(partner)
    return partner


@pytest.fixture
async def cpo(network, partners):
    """NL*ONE, a CPO that speaks 2.2.1."""
    partner = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    partner.id = await network.connect(partner)
    return partner


def routing(push):
    names = ("from-country-code", "from-party-id", "to-country-code", "to-party-id")
    return "*".join(push.headers.get(f"OCPI-{name}", "-") for name in names)


@pytest.mark.parametrize(
    ("module", "document", "method", "path"),
    [
        ("locations", location, "PUT", "locations/NL/ONE/L1"),
        ("tariffs", tariff, "PUT", "tariffs/NL/ONE/T1"),
        ("sessions", session, "PUT", "sessions/NL/ONE/S1"),
        ("cdrs", cdr, "POST", "cdrs"),
    ],
)
async def test_a_change_is_told_to_the_emsp_in_its_version(
    *, network, emsp, module, document, method, path
):
    """MOD-01, MOD-02, CDR-03: client-owned objects by PUT below their owner, CDRs by POST."""
    await network.put(module, document())
    await network.deliver()

    [push] = emsp.received
    assert (push.method, push.path) == (method, path)
    assert push.body == document(version=V)


async def test_a_partner_of_the_newest_version_gets_the_document_as_it_lies(network, partners):
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=("2.3.0",)))
    await network.connect(emsp, version="2.3.0")

    await network.put("locations", location())
    await network.deliver()

    assert emsp.received[0].body == location()
    assert await network.rows("select * from losses") == []


async def test_stamps_and_unknown_fields_are_not_the_hubs_to_change_HUB_42(network, emsp):
    sent = tariff(last_updated="2019-03-04T05:06:07.089Z", colour={"name": "blue"})
    await network.put("tariffs", sent)
    await network.deliver()

    assert emsp.received[0].body["last_updated"] == "2019-03-04T05:06:07.089Z"
    assert emsp.received[0].body["colour"] == {"name": "blue"}


async def test_tokens_are_told_to_cpos_by_uid_and_type_TOK_03(network, cpo, emsp):
    await network.put("tokens", token())
    await network.put("tokens", token(type="APP_USER", whitelist="NEVER"))
    await network.deliver()

    assert emsp.received == []
    assert [(push.path, push.query) for push in cpo.received] == [
        (f"tokens/DE/TWO/{UID}", {"type": "RFID"}),
        (f"tokens/DE/TWO/{UID}", {"type": "APP_USER"}),
    ]


async def test_a_deleted_tariff_is_deleted_everywhere_HUB_29(network, emsp):
    """AMB-51."""
    await network.put("tariffs", tariff())
    await network.deliver()
    await network.write(change("tariffs", tariff(), method="DELETE"))
    await network.deliver()

    [_, push] = emsp.received
    assert (push.method, push.path, push.body) == ("DELETE", "tariffs/NL/ONE/T1", None)


async def test_what_the_receiver_never_had_counts_as_deleted_TAR_02(network, emsp):
    await network.put("tariffs", tariff())
    await network.write(change("tariffs", tariff(), method="DELETE"))
    await network.deliver()

    assert [push.method for push in emsp.received] == ["DELETE"]
    assert await network.setbacks() == []


# Who gets it, and who it comes from.


async def test_a_broadcast_comes_from_the_hub_and_names_the_owner_in_its_path_HUB_20_HUB_24(
    network, emsp
):
    await network.put("tariffs", tariff())
    await network.deliver()

    assert routing(emsp.received[0]) == "NL*HUB*DE*TWO"
    assert emsp.received[0].path == "tariffs/NL/ONE/T1"


async def test_what_was_sent_without_receiver_comes_from_its_owner_HUB_33(network, emsp):
    await network.put("sessions", session(), broadcast=False)
    await network.deliver()

    assert routing(emsp.received[0]) == "NL*ONE*DE*TWO"


async def test_a_platform_with_three_parties_gets_three_requests_HUB_26(network, partners):
    platform = FakePartner("DE*TWO EMSP", "DE*SIX EMSP", "FR*TEN NSP", "FR*CPO CPO")
    await partners.enter_async_context(platform)
    await network.connect(platform)

    await network.put("tariffs", tariff())
    await network.deliver()

    assert sorted(map(routing, platform.received)) == [
        "NL*HUB*DE*SIX",
        "NL*HUB*DE*TWO",
        "NL*HUB*FR*TEN",
    ]


async def test_nothing_goes_back_to_where_it_came_from_HUB_26(network, partners):
    platform = FakePartner("NL*ONE CPO", "DE*TWO EMSP")
    await partners.enter_async_context(platform)
    origin = await network.connect(platform)

    await network.put("tariffs", tariff(), partner_id=origin)
    await network.deliver()

    assert platform.received == []


async def test_sessions_and_cdrs_are_for_the_issuer_of_the_token_alone_HUB_23(
    network, emsp, partners
):
    other = await partners.enter_async_context(FakePartner("DE*SIX EMSP"))
    await network.connect(other)

    await network.put("sessions", session())
    await network.put("cdrs", cdr())
    await network.deliver()

    assert sorted(paths(emsp)) == ["cdrs", "sessions/NL/ONE/S1"]
    assert other.received == []


async def test_parties_that_agreed_to_keep_apart_are_not_told_HUB_52(network, emsp, partners):
    other = await partners.enter_async_context(FakePartner("DE*SIX EMSP"))
    await network.connect(other)
    await network.agree(
        from_country_code="NL",
        from_party_id="ONE",
        to_country_code="DE",
        to_party_id="TWO",
        effect="BLOCK",
    )

    await network.put("tariffs", tariff())
    await network.deliver()

    assert (paths(emsp), paths(other)) == ([], ["tariffs/NL/ONE/T1"])


@pytest.mark.parametrize(
    "columns",
    [
        {"connection_status": ConnectionStatus.OFFLINE},
        {"connection_status": ConnectionStatus.PLANNED},
        {"connection_status": ConnectionStatus.SUSPENDED},
        {"status": PartnerStatus.SUSPENDED},
    ],
    ids=lambda columns: " ".join(columns.values()),
)
async def test_partners_that_are_not_connected_are_left_alone_HUB_28(network, partners, columns):
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    await network.connect(emsp, **columns)

    await network.put("tariffs", tariff())
    await network.put("cdrs", cdr())
    await network.deliver()

    assert emsp.requests == []


async def test_a_platform_without_the_receiver_interface_is_not_asked_HUB_26(network, partners):
    emsp = FakePartner("DE*TWO EMSP")
    emsp.without_modules = {("tariffs", "RECEIVER")}
    await partners.enter_async_context(emsp)
    await network.connect(emsp)

    await network.put("tariffs", tariff())
    await network.put("locations", location())
    await network.deliver()

    assert paths(emsp) == ["locations/NL/ONE/L1"]


async def test_all_legs_of_a_fan_out_share_the_correlation_id_TRANSPORT_51(network, emsp, partners):
    other = await partners.enter_async_context(FakePartner("DE*SIX EMSP"))
    await network.connect(other)

    await network.put("tariffs", tariff())
    await network.deliver()

    [one], [two] = emsp.received, other.received
    assert one.headers["X-Correlation-ID"] == two.headers["X-Correlation-ID"]
    assert one.headers["X-Request-ID"] != two.headers["X-Request-ID"]


# Locations and EVSEs.


async def test_an_evse_that_changed_is_told_as_that_evse(network, emsp):
    place = location()
    await network.put("locations", place)
    await network.deliver()
    await network.put_evse(place, evse(status="CHARGING", last_updated="2025-06-01T09:00:00Z"))
    await network.deliver()

    [whole, part] = emsp.received
    assert [part.method, part.path] == ["PUT", "locations/NL/ONE/L1/E1"]
    assert part.body == evse(version=V, status="CHARGING", last_updated="2025-06-01T09:00:00Z")
    assert [e["uid"] for e in whole.body["evses"]] == ["E1", "E2"]


async def test_a_location_that_changed_says_all_about_its_evses(network, emsp):
    place = location()
    await network.put("locations", place)
    await network.deliver()
    await network.put_evse(place, evse(status="CHARGING", last_updated="2025-06-01T09:00:00Z"))
    later = location(name="New market", last_updated="2025-06-01T09:30:00Z")
    later["evses"][0] = evse(status="CHARGING", last_updated="2025-06-01T09:00:00Z")
    await network.put("locations", later)
    await network.put_evse(later, evse(status="RESERVED", last_updated="2025-06-01T10:00:00Z"))
    await network.deliver()

    [_, push] = emsp.received
    assert push.path == "locations/NL/ONE/L1"
    assert push.body["name"] == "New market"
    assert [e["status"] for e in push.body["evses"]] == ["RESERVED", "AVAILABLE"]


async def test_an_evse_that_is_gone_is_told_by_the_location_without_it(network, emsp):
    await network.put("locations", location())
    await network.deliver()
    await network.put("locations", location(evses=[evse()], last_updated="2025-06-01T09:00:00Z"))
    await network.deliver()

    [_, push] = emsp.received
    assert push.path == "locations/NL/ONE/L1"
    assert [e["uid"] for e in push.body["evses"]] == ["E1"]


async def test_an_evse_waits_for_a_location_that_was_read_before_it_changed(network, emsp):
    """Both are new to this partner; the location was read for others before the EVSE changed."""
    place = location()
    emsp.fail(http(503), on="PUT .*locations", times=1)
    await network.put("locations", place)
    await network.deliver()
    await network.put_evse(place, evse(status="CHARGING", last_updated="2025-06-01T09:00:00Z"))
    await network.retry_now()
    await network.deliver()

    [whole, part] = emsp.received[-2:]
    assert [whole.path, part.path] == ["locations/NL/ONE/L1", "locations/NL/ONE/L1/E1"]
    assert part.body["status"] == "CHARGING"


async def test_a_receiver_that_lacks_the_location_of_an_evse_gets_it_whole_LOC_14(network, emsp):
    """TRANSPORT-12: what could not be changed in part is sent as a whole."""
    place = location()
    await network.put("locations", place)
    await network.deliver()
    emsp.objects.clear()
    await network.put_evse(place, evse(status="CHARGING", last_updated="2025-06-01T09:00:00Z"))
    await network.deliver()

    assert paths(emsp)[1:] == ["locations/NL/ONE/L1/E1", "locations/NL/ONE/L1"]
    assert emsp.objects["locations/NL/ONE/L1"]["evses"][0]["status"] == "CHARGING"
    assert await network.setbacks() == []


async def test_ids_are_written_as_their_owner_writes_them_and_encoded(network, emsp):
    await network.put("tariffs", tariff(id="t/1 ü?#"))
    await network.deliver()

    assert emsp.received[0].path == "tariffs/NL/ONE/t/1 ü?#"
    assert emsp.received[0].url.endswith("/t%2F1%20%C3%BC%3F%23")


# Versions.


async def test_partners_of_one_version_get_the_same_bytes_and_the_loss_is_noted_once(
    network, emsp, partners
):
    other = await partners.enter_async_context(FakePartner("DE*SIX EMSP"))
    await network.connect(other)

    await network.put("locations", location())
    await network.deliver()

    assert emsp.received[0].body == other.received[0].body
    [loss] = await network.rows("select object_ref, ocpi_version, losses from losses")
    assert (loss.object_ref, loss.ocpi_version) == ("NL/ONE/L1", "2.2.1")
    assert "parking_places" in {entry["path"] for entry in loss.losses}


async def test_what_an_older_version_cannot_say_is_set_aside_with_the_reason(
    network, emsp, partners
):
    newest = await partners.enter_async_context(FakePartner("DE*SIX EMSP", versions=("2.3.0",)))
    await network.connect(newest, version="2.3.0")
    unsayable = tariff(tax_included="YES")
    del unsayable["elements"][0]["price_components"][0]["vat"]

    await network.put("tariffs", unsayable)
    await network.put("tariffs", tariff(id="T2"))
    await network.deliver()

    assert paths(emsp) == ["tariffs/NL/ONE/T2"]
    assert paths(newest) == ["tariffs/NL/ONE/T1", "tariffs/NL/ONE/T2"]
    [setback] = await network.setbacks()
    assert (setback.party, setback.object_ref) == ("DE*TWO", "NL/ONE/T1")
    assert setback.reason.startswith("OCPI 2.2.1 cannot say it: prices include taxes")


async def test_a_setback_is_settled_when_the_object_has_changed_and_is_taken(network, emsp):
    emsp.fail(refuse(2001, "no elements?"), on="tariffs", times=1)
    await network.put("tariffs", tariff())
    await network.deliver()
    await network.put("tariffs", tariff(currency="SEK", last_updated="2025-06-02T00:00:00Z"))
    await network.deliver()

    assert [push.body["currency"] for push in emsp.received] == ["SEK"]
    [setback] = await network.setbacks()
    assert setback.settled_at is not None


async def test_cdr_tokens_of_other_parties_do_not_confuse_the_audience(network, emsp, partners):
    other = await partners.enter_async_context(FakePartner("DE*SIX EMSP"))
    await network.connect(other)

    await network.put("cdrs", cdr())
    await network.put("cdrs", cdr(id="C2", cdr_token=cdr_token(party_id="SIX")))
    await network.deliver()

    assert [push.body["id"] for push in emsp.received] == ["C1"]
    assert [push.body["id"] for push in other.received] == ["C2"]
