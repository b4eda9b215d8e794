"""A platform that speaks 2.1.1 by a library that is not ours meets a 2.3.0 one through the hub.

The library, ``extrawest-ocpi``, runs in a process and an environment of its own (``make peer``);
see ``tests/helpers/independent.py``.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Self

import aiohttp
import pytest

from hub.keys import DIRECTORY
from hub.models.values import Party, Role
from hub.ocpi.handshake import handshake, joining
from hub.roaming.network import invitations
from tests.helpers import documents_2_1_1 as old
from tests.helpers.documents import ABSENT, cdr, location, session, tariff, token
from tests.helpers.handshakes import connection
from tests.helpers.hub import RunningHub, free_port
from tests.helpers.partner import FakePartner

PEER = Path(f"{sys.prefix}-peer") / "bin" / "python"
PROGRAM = Path(__file__).parent.parent / "helpers" / "independent.py"
UID = "04AB12CD34EF80"
NEW = "2.3.0"

pytestmark = pytest.mark.skipif(
    not PEER.exists(), reason="the independent platform is not installed: make peer"
)


class Independent:
    """The platform's process, and what a test tells it."""

    def __init__(self, role: str, party: Party) -> None:
        self.role, self.party = role, party
        self.port, self.token_a = free_port(), token_urlsafe(24)

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession(f"http://127.0.0.1:{self.port}")
        self.process = await asyncio.create_subprocess_exec(
            # -P: what lies beside the program is not for it.
            *(str(PEER), "-P", str(PROGRAM), str(self.port), self.role),
            *(self.party.country_code, self.party.party_id, self.token_a),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await self.until(lambda state: True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
        if self.process.returncode is None:
            self.process.terminate()
        await self.process.wait()

    @property
    def versions_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ocpi/versions"

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        async with self.session.request(method, path, json=body, headers=headers) as response:
            return await response.json()

    async def state(self) -> Any:
        return await self.ask("GET", "/control/state")

    async def until(self, condition: Any, within: float = 60) -> Any:
        """Its state, once something is true of it."""
        async with asyncio.timeout(within):
            while True:
                assert self.process.returncode is None, "it did not start"
                try:
                    if condition(state := await self.state()):
                        return state
                except aiohttp.ClientConnectionError:
                    pass
                await asyncio.sleep(0.05)

    async def push(self, hub: RunningHub, module: str, document: Any) -> Any:
        """Have the library push an object of its own to the hub."""
        state = await self.state()
        await self.ask("POST", f"/control/own/{module}", document)
        receiver = {"endpoints_url": f"{hub.url}/ocpi/2.1.1", "auth_token": state["hub"]["token"]}
        body = {
            "module_id": module,
            "object_id": document["uid" if module == "tokens" else "id"],
            "receivers": [receiver],
        }
        told = await self.ask("POST", "/push/2.1.1", body, Authorization=f"Token {state['token']}")
        [answer] = told["receiver_responses"]
        return answer

    async def call(self, method: str, url: str, body: Any = None) -> Any:
        return await self.ask("POST", "/control/call", {"method": method, "url": url, "body": body})


async def join(hub: RunningHub, platform: Independent) -> None:
    """The hub registers there, with the token A that the platform gave."""
    async with hub.database.transaction(hub.tenant_id) as db:
        roles = [(platform.party, Role(platform.role))]
        partner_id = await invitations.introduce(db, "Independent", roles)
    hub.app[DIRECTORY].forget(hub.tenant_id)
    parts = handshake.Parts.of(hub.app)
    await joining.join(parts, hub.tenant_id, partner_id, platform.versions_url, platform.token_a)
    there = await connection(hub, partner_id)
    assert (there.version, there.connection_status) == ("2.1.1", "CONNECTED")


@pytest.fixture
async def independent_cpo(hub: RunningHub) -> AsyncIterator[Independent]:
    async with Independent("CPO", Party("NL", "XTR")) as platform:
        await join(hub, platform)
        yield platform


@pytest.fixture
async def independent_emsp(hub: RunningHub) -> AsyncIterator[Independent]:
    async with Independent("EMSP", Party("DE", "XTR")) as platform:
        await join(hub, platform)
        yield platform


async def test_an_independent_cpo_of_2_1_1_roams_with_an_emsp_of_2_3_0(
    hub, partners, independent_cpo
):
    """Registers, gets tokens, pushes everything, authorizes, and carries out a command."""
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=(NEW,)))
    await hub.connect(emsp)
    await emsp.put(f"tokens/DE/TWO/{UID}", token())
    emsp.own["tokens"] = [token()]
    await hub.deliver()
    received = (await independent_cpo.state())["received"]
    assert received["tokens"][UID]["auth_id"] == "DE-TWO-C00000001-X"

    place, used = old.location(energy_mix=ABSENT), old.used_location()
    del used["energy_mix"]
    for module, document in [
        ("tariffs", old.tariff()),
        ("locations", place),
        ("sessions", old.session(location=used)),
    ]:
        answer = await independent_cpo.push(hub, module, document)
        assert answer["status_code"] in {200, 201}, answer
        assert answer["response"]["status_code"] == 1000, answer
    assert (await independent_cpo.push(hub, "cdrs", old.cdr(location=used)))["status_code"] == 201
    await hub.deliver()

    told = {push.path: push.body for push in emsp.received}
    assert told["tariffs/NL/XTR/T1"]["elements"][1]["price_components"][0]["price"] == 0.45
    assert told["locations/NL/XTR/L1"]["evses"][0]["connectors"][0]["tariff_ids"] == ["T1"]
    assert told["sessions/NL/XTR/S1"]["cdr_token"]["uid"] == UID
    assert told["cdrs"]["total_cost"] == {"before_taxes": 3.625}

    authorize = f"{hub.url}/ocpi/2.1.1/tokens/{UID}/authorize"
    allowed = await independent_cpo.call("POST", authorize, {"location_id": "L1"})
    assert allowed["json"]["data"]["allowed"] == "ALLOWED"

    stop = {"response_url": emsp.response_url("STOP_SESSION"), "session_id": "S1"}
    answer = await emsp.post("commands/STOP_SESSION", stop)
    assert answer.data["result"] == "ACCEPTED", answer.text
    state = await independent_cpo.until(lambda state: state["commands"])
    assert state["commands"][0]["session_id"] == "S1"
    hub.app[DIRECTORY].forget(hub.tenant_id)
    await result_of(hub, emsp)
    assert emsp.results[0].body["result"] == "ACCEPTED"


async def result_of(hub: RunningHub, emsp: FakePartner) -> None:
    async with asyncio.timeout(30):
        while not emsp.results:
            await hub.deliver()
            await asyncio.sleep(0.05)


async def test_an_independent_emsp_of_2_1_1_roams_with_a_cpo_of_2_3_0(
    hub, partners, independent_emsp
):
    """Registers, pushes a token, gets everything, answers an authorization, reads lists."""
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=(NEW,)))
    await hub.connect(cpo)
    answer = await independent_emsp.push(hub, "tokens", old.token(auth_id="DE-XTR-C1"))
    assert answer["response"]["status_code"] == 1000, answer
    await hub.deliver()
    [push] = cpo.received
    assert (push.path, push.body["contract_id"]) == (f"tokens/DE/XTR/{UID}", "DE-XTR-C1")

    card = {
        "country_code": "DE",
        "party_id": "XTR",
        "uid": UID,
        "type": "RFID",
        "contract_id": "DE-XTR-C1",
    }
    sent = [
        await cpo.put("tariffs/NL/ONE/T1", tariff()),
        # The library wants more of an energy mix than OCPI does.
        await cpo.put("locations/NL/ONE/L1", location(energy_mix=ABSENT)),
        await cpo.put("sessions/NL/ONE/S1", session(cdr_token=card)),
        await cpo.post("cdrs", cdr(cdr_token=card)),
    ]
    assert [answer.status_code for answer in sent] == [1000] * 4
    await hub.deliver()

    received = (await independent_emsp.state())["received"]
    assert received["tariffs"]["T1"]["elements"][0]["price_components"][0]["price"] == 0.25
    assert received["locations"]["L1"]["evses"][0]["connectors"][0]["voltage"] == 230
    assert received["sessions"]["S1"]["auth_id"] == "DE-XTR-C1"
    assert received["sessions"]["S1"]["location"]["id"] == "L1"
    # Identifiers of CDRs are case-insensitive, and the library keeps them so.
    assert received["cdrs"]["c1"]["total_cost"] == 3.625
    status = {"status": "CHARGING", "last_updated": "2025-06-01T09:00:00Z"}
    assert (await cpo.patch("locations/NL/ONE/L1/E1", status)).ok
    await hub.deliver()
    received = (await independent_emsp.state())["received"]
    evses = {evse["uid"]: evse["status"] for evse in received["locations"]["L1"]["evses"]}
    assert evses == {"E1": "CHARGING", "E2": "AVAILABLE"}

    asked = await cpo.post(f"tokens/{UID}/authorize", {"location_id": "L1"})
    assert asked.data["allowed"] == "ALLOWED", asked.text
    assert asked.data["token"]["contract_id"] == "DE-XTR-C1"
    listed = await independent_emsp.call("GET", f"{hub.url}/ocpi/2.1.1/locations/?limit=1")
    assert [one["id"] for one in listed["json"]["data"]] == ["L1"]
