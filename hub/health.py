"""Whether the hub is alive and whether it can serve: for orchestrators and load balancers.

``/live`` says that the event loop turns. ``/ready`` says that requests can be served, with a reason
for each check that fails; a hub that is stopping is not ready, but finishes what it has begun.
"""

import asyncio
from dataclasses import dataclass
from functools import cache

from aiohttp import web
from sqlalchemy import text

from hub import codec
from hub.db import Database
from hub.errors import Unavailable
from hub.keys import DATABASE, SENDER
from hub.lag import LAG
from hub.migrate import directory

routes = web.RouteTableDef()

DATABASE_TIMEOUT = 3.0
# Seconds by which the event loop is late, on average, when others had better be asked instead.
OVERLOADED = 1.0


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
    app = request.app
    lag = app[LAG].average
    checks = {
        "serving": "the hub is stopping" if app[HEALTH].stopping else None,
        "database": await database_trouble(app[DATABASE]),
        "sender": None if app[SENDER].running else "the sender does not run",
        "event_loop": f"it is {lag:.1f} s late" if lag > OVERLOADED else None,
    }
    shown = {name: trouble or "ok" for name, trouble in checks.items()}
    if any(checks.values()):
        return answer(503, {"status": "not ready", "checks": shown})
    return answer(200, {"status": "ready", "checks": shown})


async def database_trouble(database: Database) -> str | None:
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT), database.platform() as db:
            migrated = await db.scalar(text("SELECT max(version_num) FROM alembic_version"))
    except TimeoutError:
        return f"no answer within {DATABASE_TIMEOUT:.0f} s"
    except Unavailable as error:
        return str(error)
    if migrated is None or migrated < newest_migration():
        return f"the schema is at {migrated}, this release needs {newest_migration()}: hub migrate"
    return None


@cache
def newest_migration() -> str:
    """What this release needs. A newer one is fine: it was run ahead of the next release."""
    return max(path.name.split("_")[0] for path in directory().glob("versions/[0-9]*.py"))


def answer(status: int, body: dict[str, object]) -> web.Response:
    return web.Response(
        status=status,
        body=codec.write(body),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
