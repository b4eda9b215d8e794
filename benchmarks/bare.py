"""The yardstick: an aiohttp server that reads the body and answers OCPI's envelope.

python -m benchmarks.bare PORT
"""

import sys
from datetime import UTC, datetime

from aiohttp import web


async def answer(request: web.Request) -> web.Response:
    await request.read()
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = f'{{"status_code":1000,"status_message":"Success","timestamp":"{moment}"}}'
    return web.Response(body=body.encode(), content_type="application/json")


def main() -> None:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
