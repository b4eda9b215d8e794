"""The whole corpus of JSON at every route that reads a body: never a 5xx, nothing kept (T-20)."""

import asyncio
import re
import time

from sqlalchemy import text

from hub.ocpi.api import make_api
from tests.helpers.hostile import ODD, REFUSED

WRITING = {"POST", "PUT", "PATCH"}
VALUES = {"country_code": "NL", "party_id": "ONE", "slash": "", "version": "2.2.1"}
ROUTES = sorted(
    {
        (route.method, route.resource.canonical)
        for route in make_api().router.routes()
        if route.method in WRITING and route.resource is not None
    }
)
TABLES = ("locations", "evses", "sessions", "cdrs", "tariffs", "tokens")
# An empty body is what some requests may have.
NOTHING = {"nothing", "blanks", "null", "an empty object"}


def filled(path):
    return "/ocpi" + re.sub(
        r"\{(\w+)[^}]*\}", lambda found: VALUES.get(found[1], f"X-{found[1]}"), path
    )


async def kept(hub):
    """How many objects of partners there are."""
    async with hub.database.transaction(hub.tenant_id) as db:
        names = await db.scalars(
            text(
                "select table_name from information_schema.columns"
                " where column_name = 'document' and table_schema = current_schema()"
                # The hub itself tells there who is connected.
                " and table_name <> 'ocpi_clientinfo'"
            )
        )
        return {
            name: (await db.execute(text(f'select count(*) from "{name}"'))).scalar_one()
            for name in sorted(names)
        }


def test_the_routes_are_found():
    assert len(ROUTES) > 10
    assert ("PUT", filled("/{version}/credentials")) in {
        (method, filled(path)) for method, path in ROUTES
    }


async def test_no_json_makes_the_hub_fail(hub, cpo):
    before = await kept(hub)
    wrong = {}

    for method, path in ROUTES:
        for name, body in (REFUSED | ODD).items():
            answer = await cpo.call(method, hub.url + filled(path), body=body)
            refused = isinstance(answer.status_code, int) and answer.status_code >= 2000
            passes = name in NOTHING and answer.status_code == 1000
            if answer.http_status >= 500 or not (refused or passes):
                wrong[method, path, name] = (answer.http_status, answer.text[:200])

    assert wrong == {}
    assert before
    assert await kept(hub) == before


async def test_others_are_served_meanwhile(hub, cpo, emsp):
    """One partner sends what costs most to refuse; another asks for a list all the while."""
    bombs = [REFUSED[name] for name in ("100 000 values", "60 000 names", "arrays 100 000 deep")]
    location = f"{hub.url}/ocpi/2.2.1/receiver/locations/NL/ONE/X1"
    slow, stop = [], asyncio.Event()

    async def attack():
        while not stop.is_set():
            for bomb in bombs:
                await cpo.call("PUT", location, body=bomb)

    attacks = [asyncio.create_task(attack()) for _ in range(3)]
    for _ in range(50):
        started = time.monotonic()
        answer = await emsp.get("locations")
        slow.append(time.monotonic() - started)
        assert answer.status_code == 1000
    stop.set()
    await asyncio.gather(*attacks)

    assert sorted(slow)[len(slow) // 2] < 0.5
