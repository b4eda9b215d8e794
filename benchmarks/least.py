"""The least that a durable write costs on this machine: an aiohttp server that reads the body,
parses it, keeps its text in one row of one table, and answers when that is committed.

    python -m benchmarks.least PORT DATABASE_URL

It knows no partner, checks nothing, compares nothing and tells nobody. Each request is a
transaction of its own, as in a hub that does not group them.
"""

import sys
from collections.abc import AsyncIterator

import asyncpg
import orjson
from aiohttp import web

from benchmarks.bare import answered

POOL = web.AppKey("pool", asyncpg.Pool)
TABLE = "create table if not exists kept (path text primary key, document json not null)"
KEEP = """
insert into kept values ($1, $2) on conflict (path) do update set document = excluded.document
"""


async def keep(request: web.Request) -> web.Response:
    body = await request.read()
    orjson.loads(body)
    await request.app[POOL].execute(KEEP, request.path, body.decode())
    return answered()


async def connect(app: web.Application) -> AsyncIterator[None]:
    async with asyncpg.create_pool(sys.argv[2], min_size=8, max_size=8) as pool:
        await pool.execute(TABLE)
        app[POOL] = pool
        yield


def main() -> None:
    app = web.Application()
    app.cleanup_ctx.append(connect)
    app.router.add_route("*", "/{path:.*}", keep)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
