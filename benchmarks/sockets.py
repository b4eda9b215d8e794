"""Stations as the benchmarks need them: they say what they are told to, and cost little."""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiohttp
from sqlalchemy import insert

from hub.db import Database
from hub.models.charging import AuthToken
from hub.models.stations import ChargingStation, Connector
from hub.models.tenants import Tenant
from hub.models.values import OCPPVersion
from hub.security import Keyring

PASSWORD = "benchmark-password"
TOKEN = "T"
SUBPROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1"}
CALL, CALLRESULT = 2, 3

Payload = dict[str, Any]


class Refused(Exception):
    """A station was answered with a CALLERROR, or not at all."""


async def add_stations(database_url: str, keys: str, count: int) -> None:
    """A tenant with so many stations of each version, ``A0…`` of 1.6 and ``B0…`` of 2.0.1, all of
    the same password, and a token that may charge.
    """
    database = Database(database_url)
    tenant = Tenant(
        id=uuid4(),
        name="Benchmark",
        country_code="NL",
        party_id="HUB",
        cpo_country_code="NL",
        cpo_party_id="OWN",
    )
    digest = Keyring.from_text(keys).digest(PASSWORD)
    async with database.transaction(tenant.id) as db:
        db.add(tenant)
        await db.flush()
        for letter, version in (("A", OCPPVersion.OCPP_1_6), ("B", OCPPVersion.OCPP_2_0_1)):
            made = await db.scalars(
                insert(ChargingStation).returning(ChargingStation.id),
                [
                    {
                        "station_id": f"{letter}{number}",
                        "ocpp_version": version,
                        "password_digest": digest,
                    }
                    for number in range(count)
                ],
            )
            plug = {"evse_number": 1, "connector_id": 1, "connector_type": "IEC_62196_T2"}
            rows = [{"charging_station_id": station_id, **plug} for station_id in made]
            await db.execute(insert(Connector), rows)
        db.add(AuthToken(token_type="TEST_TOKEN", token_value=TOKEN))
    await database.close()


class Socket:
    """One station's connection: a CALL, and its answer."""

    _ids = itertools.count()

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket

    async def ask(self, action: str, payload: Payload) -> Payload:
        """Raises Refused for anything but a CALLRESULT."""
        # As long as those of most stations.
        message_id = f"00000000-0000-4000-8000-{next(self._ids):012}"
        call = [CALL, message_id, action, payload]
        await self.websocket.send_str(json.dumps(call, separators=(",", ":")))
        message = await self.websocket.receive(timeout=60)
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise Refused(f"{action}: the connection ended ({message.type.name})")
        answer = json.loads(message.data)
        if answer[:2] != [CALLRESULT, message_id]:
            raise Refused(f"{action}: {message.data[:200]}")
        found: Payload = answer[2]
        return found


class Fleet:
    """Connects stations to a server on a port of this machine."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self.port = port

    async def connect(self, name: str, version: str = "1.6") -> Socket:
        secret = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
        websocket = await self._session.ws_connect(
            f"ws://127.0.0.1:{self.port}/ocpp/{name}",
            protocols=[SUBPROTOCOLS[version]],
            headers={"Authorization": f"Basic {secret}"},
        )
        return Socket(websocket)

    async def resident(self) -> int:
        async with self._session.get(f"http://127.0.0.1:{self.port}/resident") as answer:
            return int((await answer.json())["data"])


@asynccontextmanager
async def fleet(port: int) -> AsyncIterator[Fleet]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Fleet(session, port)


async def close(sockets: list[Socket]) -> None:
    await asyncio.gather(*(socket.websocket.close() for socket in sockets))


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
