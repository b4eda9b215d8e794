"""Charging stations that an operator adds to a running hub, and clients that connect as them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.helpers.charge_points import CLIENTS, Socket, basic
from tests.helpers.documents import ABSENT, location, tariff
from tests.helpers.hub import RunningHub
from tests.helpers.operator import Operator

OWN = {"country_code": "NL", "party_id": "OWN"}
PLUG = {"id": 1, "standard": "IEC_62196_T2", "max_voltage": 230, "max_amperage": 32, "phases": 3}


async def put(operator: Operator, module: str, document: dict[str, Any], **query: str) -> Any:
    """An object of the tenant's own, as its operator puts it."""
    path = f"/objects/{module}/NL/OWN/{document['id']}"
    return await operator.ask("PUT", path, json=document, params=query)


async def put_place(operator: Operator, location_id: str = "LOC1") -> None:
    """A location without EVSEs, and the tariff T1."""
    for module, document in (
        ("locations", location(**OWN, id=location_id, evses=ABSENT)),
        ("tariffs", tariff(**OWN, id="T1")),
    ):
        said = await put(operator, module, document)
        assert said.status == 200, said.body


async def add(operator: Operator, station_id: str = "CP-1", **more: Any) -> dict[str, Any]:
    """A station's record, with its password."""
    made = await operator.post("/stations", station_id=station_id, **more)
    assert made.status == 201, made.body
    return {**made.body["station"], "password": made.body["password"], "url": made.body["url"]}


async def place(operator: Operator, station: dict[str, Any], number: int = 1, **more: Any) -> Any:
    """Publish an EVSE with one plug at LOC1."""
    wanted = {"published": True, "location_id": "LOC1", "connectors": [PLUG]} | more
    said = await operator.patch(f"/stations/{station['id']}/evses/{number}", **wanted)
    assert said.status == 200, said.body
    return said.body


@asynccontextmanager
async def connected(
    hub: RunningHub, station: dict[str, Any], version: str = "1.6", *, password: str | None = None
) -> AsyncIterator[Any]:
    """The station, on a socket: a charge point of the ``ocpp`` library."""
    identity = station["station_id"]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"{hub.url}/ocpp/{identity}",
            protocols=[f"ocpp{version}"],
            headers=basic(identity, password or station["password"]),
        ) as socket,
    ):
        client = CLIENTS[version](identity, Socket(socket))
        client.socket = socket
        async with client.running():
            yield client
