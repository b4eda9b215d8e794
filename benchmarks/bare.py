"""The yardstick: an aiohttp server that reads the body and answers OCPI's envelope. To stations,
on a WebSocket, it answers every CALL with the same small CALLRESULT.

python -m benchmarks.bare PORT
"""

import sys
from datetime import UTC, datetime
from typing import Any

from aiohttp import web


async def answer(request: web.Request) -> web.Response:
    await request.read()
    return answered()


def answered() -> web.Response:
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = f'{{"status_code":1000,"status_message":"Success","timestamp":"{moment}"}}'
    return web.Response(body=body.encode(), content_type="application/json")


async def echo(request: web.Request) -> web.StreamResponse:
    """``[2,"id",…]`` to ``[3,"id",{}]``, without a look at the rest."""
    response = web.WebSocketResponse(protocols=("ocpp1.6", "ocpp2.0.1"), compress=False)
    await response.prepare(request)
    async for message in response:
        _, message_id, _ = message.data.split('"', 2)
        await response.send_str(f'[3,"{message_id}",{{}}]')
    return response


def envelope(data: Any) -> dict[str, Any]:
    return {"data": data, "status_code": 1000, "timestamp": "2025-01-01T00:00:00Z"}


def main() -> None:
    app = web.Application()
    app.router.add_get("/ocpp/{name}", echo)
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
