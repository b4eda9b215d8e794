"""The documentation page: RapiDoc over the OpenAPI documents, without a request to anybody else."""

import asyncio
import hashlib
import json
from functools import cache
from importlib.resources import files

from aiohttp import web

from hub import codec
from hub.openapi import SURFACES, document

routes = web.RouteTableDef()

STATIC = files("hub.admin") / "static"
# RapiDoc writes style attributes; scripts come from here and nowhere else.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<style>
nav a {{ color: inherit; white-space: nowrap }}
nav {{ padding: 8px; line-height: 1.6 }}
@media (min-width: 768px) {{ nav.narrow {{ display: none }} }}
@media (max-width: 767px) {{ rapi-doc::part(section-overview) {{ padding-left: 16px }} }}
</style>
<script type="module" src="/docs/rapidoc-min.js"></script>
<script type="module" src="/docs/theme.js"></script>
</head>
<body>
<rapi-doc spec-url="/docs/{surface}.json" load-fonts="false" render-style="read"
 show-header="false" schema-style="table" allow-spec-url-load="false"
 allow-spec-file-load="false" persist-auth="false" regular-font="sans-serif"
 mono-font="monospace">
<nav slot="nav-logo" style="color: #fff">{links}</nav>
<nav class="narrow">{links}</nav>
</rapi-doc>
</body>
</html>
"""
# RapiDoc has no theme that goes with the reader's; and where the sidebar has no room, it has gone.
THEME = """\
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () =>
  document.querySelector("rapi-doc").setAttribute("theme", dark.matches ? "dark" : "light");
follow();
dark.addEventListener("change", follow);
"""


def make_docs() -> web.Application:
    """The sub-application that is mounted at /docs. It knows nothing that is not in the source."""
    docs = web.Application()
    docs.add_routes(routes)
    return docs


@routes.get("/rapidoc-min.js")
async def show_script(request: web.Request) -> web.Response:
    return web.Response(
        body=await asyncio.to_thread(read, "rapidoc-min.js"),
        content_type="text/javascript",
        headers=HEADERS | {"Cache-Control": "max-age=86400"},
    )


@routes.get("/theme.js")
async def show_theme(request: web.Request) -> web.Response:
    return web.Response(text=THEME, content_type="text/javascript", headers=HEADERS)


@routes.get(r"/{surface}.json")
async def show_document(request: web.Request) -> web.Response:
    surface = request.match_info["surface"]
    if surface not in SURFACES:
        raise web.HTTPNotFound
    body = await asyncio.to_thread(as_json, surface)
    return web.Response(body=body, content_type="application/json", headers=HEADERS)


@cache
def as_json(surface: str) -> bytes:
    return codec.write(document(surface))


@routes.get("/")
async def show_without_slash(request: web.Request) -> web.Response:
    raise web.HTTPSeeOther("/docs")


@routes.get("")
@routes.get("/{surface}")
async def show_page(request: web.Request) -> web.Response:
    surface = request.match_info.get("surface", "admin")
    if surface not in SURFACES:
        raise web.HTTPNotFound
    links = " · ".join(f'<a href="/docs/{name}">{name}</a>' for name in SURFACES)
    page = PAGE.format(title=SURFACES[surface], surface=surface, links=links)
    return web.Response(text=page, content_type="text/html", headers=HEADERS)


@cache
def read(name: str) -> bytes:
    """A vendored file, if it still is what the manifest says (T-54)."""
    body = (STATIC / name).read_bytes()
    wanted = json.loads((STATIC / "MANIFEST.json").read_text())["files"][name]
    if hashlib.sha256(body).hexdigest() != wanted:
        raise RuntimeError(f"{name} is not the file that MANIFEST.json names.")
    return body
