"""A station of our own and an eMSP, with the whole hub between them."""

import asyncio

import aiohttp
import pytest
from ocpp.v16 import call

from hub import log
from hub.ocpp.server import WIRE
from hub.roaming.authorization.authorization import Shown, authorize
from hub.settings import Settings
from tests.helpers import faults
from tests.helpers.charge_points import PASSWORD, basic, iso
from tests.helpers.partner import FakePartner
from tests.helpers.waiting import until

RFID = {
    "country_code": "DE",
    "party_id": "TWO",
    "uid": "CARD1",
    "type": "RFID",
    "contract_id": "DE-TWO-C1",
    "issuer": "Two",
    "valid": True,
    "whitelist": "NEVER",
    "last_updated": "2026-01-01T00:00:00Z",
}


def pushed(emsp, prefix):
    return [push for push in emsp.received if push.path.startswith(prefix)]


async def test_a_card_of_an_emsp_charges_at_our_station(hub, own):
    """Authorised by its issuer in real time, seen as a session, billed by one priced CDR."""
    async with FakePartner("DE*TWO EMSP") as emsp:
        await hub.connect(emsp)
        answer = await emsp.put("tokens/DE/TWO/CARD1", RFID)
        assert answer.ok, answer.text
        emsp.authorizations["CARD1"] = {
            "allowed": "ALLOWED",
            "token": RFID,
            "authorization_reference": "AR-1",
        }
        made = await own.add_station()
        async with own.connect(made) as station:
            await station.boot()
            answer = await station.ask(call.Authorize("CARD1"))
            assert answer.id_tag_info["status"] == "Accepted"
            begun = await station.ask(call.StartTransaction(1, "CARD1", 1000, iso(-2)))
            await until(lambda: pushed(emsp, "sessions/"))
            await station.ask(call.StopTransaction(2500, iso(), begun.transaction_id))
            await until(lambda: pushed(emsp, "cdrs"))

    session = pushed(emsp, "sessions/")[-1].body
    [cdr] = [push.body for push in pushed(emsp, "cdrs")]
    assert session["authorization_reference"] == "AR-1"
    assert (cdr["total_energy"], cdr["total_cost"]) == (1.5, {"excl_vat": 0.38})
    assert made.identity not in str([push.body for push in emsp.received])


def shown_at(hub, own, made, kind=None):
    return authorize(own.database, hub.app[WIRE].issuers, made.ref, Shown("CARD1", kind))


def asked(emsp):
    return [push for push in emsp.requests if push.path.endswith("authorize")]


@pytest.mark.parametrize("version", ["2.1.1", "2.2.1"])
async def test_a_token_that_its_issuer_does_not_know_is_not_good_offline_TOK_20(hub, own, version):
    """The issuer was there and said no. In 2.1.1 it has no word for it but HTTP's 404."""
    made = await own.add_station()
    async with FakePartner("DE*TWO EMSP", versions=(version,)) as emsp:
        await hub.connect(emsp)
        mine = RFID | {"whitelist": "ALLOWED_OFFLINE", "auth_id": "DE-TWO-C1"}
        assert (await emsp.put("tokens/DE/TWO/CARD1", mine)).ok

        decision = await shown_at(hub, own, made)

        assert (decision.allowed, decision.method) == ("NOT_ALLOWED", "AUTH_REQUEST")


@pytest.mark.parametrize("version", ["2.1.1", "2.2.1"])
async def test_the_issuer_is_told_where_the_driver_is_and_may_let_in_elsewhere_TOK_10(
    hub, own, version
):
    made = await own.add_station(evses=2)
    first, second = made.evse_uids.values()
    place = {"location_id": "LOC1", "evse_uids": [first, second]}
    async with FakePartner("DE*TWO EMSP", versions=(version,)) as emsp:
        await hub.connect(emsp)
        assert (await emsp.put("tokens/DE/TWO/CARD1", RFID | {"auth_id": "DE-TWO-C1"})).ok
        for uids, allowed in (
            (None, "ALLOWED"),
            ([], "ALLOWED"),
            ([second.upper()], "ALLOWED"),
            (["ANOTHER"], "NOT_ALLOWED"),
        ):
            told = {"location_id": "LOC1", "evse_uids": uids}
            info = {"allowed": "ALLOWED", "token": RFID} | (
                {} if uids is None else {"location": told}
            )
            emsp.authorizations["CARD1"] = info

            assert (await shown_at(hub, own, made)).allowed == allowed

        assert [push.body for push in asked(emsp)] == [place] * 4


async def test_an_issuer_is_asked_in_the_words_of_its_version(hub, own):
    """2.1.1 knows no APP_USER; some answer with a list."""
    made = await own.add_station()
    async with FakePartner("DE*TWO EMSP", versions=("2.1.1",)) as emsp:
        await hub.connect(emsp)
        mine = RFID | {"type": "OTHER", "auth_id": "DE-TWO-C1"}
        assert (await emsp.put("tokens/DE/TWO/CARD1", mine)).ok
        await hub.sql(
            "update ocpi_tokens set document = jsonb_set(document::jsonb, '{type}', '\"APP_USER\"')"
        )
        emsp.fail(faults.answer([{"allowed": "ALLOWED"}]), on="authorize")

        decision = await shown_at(hub, own, made, "Central")

        assert decision.accepted
        assert asked(emsp)[0].query["type"] == "OTHER"


@pytest.mark.parametrize(("whitelist", "allowed"), [("NEVER", False), ("ALLOWED_OFFLINE", True)])
async def test_only_the_issuer_s_own_time_is_limited_TOK_05(hub, own, own_log, whitelist, allowed):
    """F-17: in a storm, drivers would be decided as if nobody answered for them.

    Without any time, it is the call that comes too late, not what the hub looks up before.
    """
    made = await own.add_station()
    async with FakePartner("DE*TWO EMSP") as emsp:
        await hub.connect(emsp)
        answer = await emsp.put("tokens/DE/TWO/CARD1", RFID | {"whitelist": whitelist})
        assert answer.ok, answer.text
        log.configure(Settings(log_level="INFO"), stream=own_log)
        decision = await authorize(
            own.database, hub.app[WIRE].issuers, made.ref, Shown("CARD1"), within=0
        )

    assert decision.accepted is allowed
    assert "issuer not reached" in own_log.getvalue()


async def test_the_hub_sends_its_stations_away_when_it_stops(hub, own):
    made = await own.add_station()
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(
            own.url(made.identity), protocols=["ocpp1.6"], headers=basic(made.identity, PASSWORD)
        ) as socket:
            stopping = asyncio.create_task(hub.stop())
            while (await socket.receive(10)).type is aiohttp.WSMsgType.TEXT:
                pass
            assert socket.close_code == 1001
        await stopping
