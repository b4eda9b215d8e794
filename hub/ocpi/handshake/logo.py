"""The hub's logo, for the business details in its credentials: open to everybody, like any logo."""

from aiohttp import web

routes = web.RouteTableDef()

PATH = "/logo.svg"

# A hub and its spokes.
LOGO = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="512" height="512">
<g fill="none" stroke="#0b6e4f" stroke-width="4"><circle cx="32" cy="32" r="10"/>
<path d="M32 22V8M32 42v14M22 32H8M42 32h14"/></g>
<g fill="#0b6e4f"><circle cx="32" cy="6" r="5"/><circle cx="32" cy="58" r="5"/>
<circle cx="6" cy="32" r="5"/><circle cx="58" cy="32" r="5"/></g></svg>
"""


@routes.get(PATH)
async def get_logo(request: web.Request) -> web.Response:
    return web.Response(
        text=LOGO,
        content_type="image/svg+xml",
        headers={"Cache-Control": "public, max-age=86400"},
    )
