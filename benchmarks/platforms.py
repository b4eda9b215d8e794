"""Partner platforms by the dozen in one process: each below a path of its own, all equally quick.

    python -m benchmarks.platforms PORT

They take whatever is pushed and count it (``GET /counted``). Those called ``quiet…`` have no
Receiver interfaces: nothing is pushed to them.
"""

import sys
from typing import Any

from aiohttp import web

from benchmarks.bare import answer, envelope

VERSION = "2.2.1"
MODULES = ("locations", "tariffs", "sessions", "cdrs", "tokens")
COUNTED: web.AppKey[dict[str, int]] = web.AppKey("counted", dict)


async def versions(request: web.Request) -> web.Response:
    return told([{"version": VERSION, "url": f"{base(request)}/{VERSION}"}])


async def details(request: web.Request) -> web.Response:
    url = f"{base(request)}/{VERSION}"
    endpoints = [{"identifier": "credentials", "role": "SENDER", "url": f"{url}/credentials"}]
    if not request.match_info["name"].startswith("quiet"):
        endpoints += [
            {"identifier": module, "role": "RECEIVER", "url": f"{url}/{module}"}
            for module in MODULES
        ]
    return told({"version": VERSION, "endpoints": endpoints})


async def take(request: web.Request) -> web.Response:
    request.app[COUNTED]["pushes"] += 1
    return await answer(request)


async def counted(request: web.Request) -> web.Response:
    return told(request.app[COUNTED]["pushes"])


def base(request: web.Request) -> str:
    return f"http://{request.host}/{request.match_info['name']}"


def told(data: Any) -> web.Response:
    return web.json_response(envelope(data))


def main() -> None:
    app = web.Application()
    app[COUNTED] = {"pushes": 0}
    app.router.add_get("/counted", counted)
    app.router.add_get("/{name}/versions", versions)
    app.router.add_get(f"/{{name}}/{VERSION}", details)
    app.router.add_route("*", f"/{{name}}/{VERSION}/{{path:.*}}", take)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
