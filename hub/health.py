"""Whether the hub is alive and whether it can serve: for orchestrators and load balancers.

``/live`` says that the event loop turns. ``/ready`` says that requests can be served, with a reason
for each check that fails; a hub that is stopping is not ready, but finishes what it has begun.
"""

import asyncio
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import text

from hub import codec
from hub.db import Database
from hub.errors import Unavailable
from hub.keys import DATABASE

routes = web.RouteTableDef()

DATABASE_TIMEOUT = 3.0


@dataclass
class Health:
    """What the process knows of itself."""

    stopping: bool = False


HEALTH: web.AppKey[Health] = web.AppKey("health", Health)


@routes.get("/live")
async def live(request: web.Request) -> web.Response:
    return answer(200, {"status": "live"})


@routes.get("/ready")
async def ready(request: web.Request) -> web.Response:
    checks = {
        "serving": "the hub is stopping" if request.app[HEALTH].stopping else None,
        "database": await database_trouble(request.app[DATABASE]),
    }
    shown = {name: trouble or "ok" for name, trouble in checks.items()}
    if any(checks.values()):
        return answer(503, {"status": "not ready", "checks": shown})
    return answer(200, {"status": "ready", "checks": shown})


async def database_trouble(database: Database) -> str | None:
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT), database.platform() as db:
            await db.execute(text("SELECT 1"))
    except TimeoutError:
        return f"no answer within {DATABASE_TIMEOUT:.0f} s"
    except Unavailable as error:
        return str(error)
    return None


def answer(status: int, body: dict[str, object]) -> web.Response:
    return web.Response(
        status=status,
        body=codec.write(body),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
