"""A station of our own and an eMSP, with the whole hub between them."""

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from ocpp.v16 import call

from hub import log
from hub.ocpp.server import WIRE
from hub.roaming.authorization import Shown, authorize
from hub.settings import Settings
from tests.helpers.charge_points import PASSWORD, basic
from tests.helpers.partner import FakePartner

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


def iso(minutes=0):
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


async def until(found, seconds=20):
    async with asyncio.timeout(seconds):
        while not (value := found()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return value


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
