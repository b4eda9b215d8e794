"""The server of a fake partner: versions, credentials, Receiver and Sender interfaces."""

import itertools
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.helpers import partner_extensions
from tests.helpers.faults import Proceed, envelope, hang_up
from tests.helpers.wire import PARTNER, PEER_TO_PEER, PUSH, Push, interface_of, read_json

if TYPE_CHECKING:
    from tests.helpers.partner import FakePartner

FUNCTIONAL = ("locations", "tariffs", "sessions", "cdrs", "tokens", "commands", "chargingprofiles")
# What only platforms of OCPI 2.3.0 serve.
NEWER = ("invoicereconciliation", "payments", "bookings")
# What a module is called in the version details where that is not its path.
IDENTIFIERS = {"bookings": "Booking"}
INTERFACES = [
    *itertools.product(FUNCTIONAL, ("SENDER", "RECEIVER")),
    ("hubclientinfo", "RECEIVER"),
    ("credentials", "SENDER"),
]


def interfaces(version: str) -> list[tuple[str, str]]:
    """What a well-equipped platform of that version serves."""
    newer = itertools.product(NEWER, ("SENDER", "RECEIVER")) if version == "2.3.0" else ()
    return [*INTERFACES, *newer]


# Modules whose objects the client owns and names in the path.
OWNED = ("locations", "tariffs", "sessions", "tokens", "hubclientinfo")

routes = web.RouteTableDef()


def make_app(partner: "FakePartner") -> web.Application:
    app = web.Application(middlewares=[keep_and_misbehave, check_token], client_max_size=16 * 2**20)
    app[PARTNER] = partner
    app.add_routes(partner_extensions.routes)
    app.add_routes(routes)
    return app


@web.middleware
async def keep_and_misbehave(request: web.Request, handler: Any) -> web.StreamResponse:
    partner = request.app[PARTNER]
    await note(request)

    async def proceed() -> web.StreamResponse:
        return await handler(request)

    for plan in list(partner.plans):
        if plan.applies(request):
            if plan.times is not None:
                plan.times -= 1
            return await misbehave(plan.fault, request, proceed)
    return await handler(request)


async def misbehave(fault: Any, request: web.Request, proceed: Proceed) -> web.StreamResponse:
    try:
        return await fault(request, proceed)
    except ConnectionError:
        return hang_up(request)


async def note(request: web.Request) -> None:
    parts = request.path.removeprefix("/ocpi/").rstrip("/").split("/")
    version, interface, path = parts[0], "", "/".join(parts[1:])
    if len(parts) > 2 and parts[1] in {"sender", "receiver"}:
        interface, path = parts[1].upper(), "/".join(parts[2:])
    elif version == PEER_TO_PEER and parts[1:2] != ["credentials"] and len(parts) > 1:
        interface = interface_of(parts[1], request.app[PARTNER].roles[0][2])
    text = await request.text()
    request[PUSH] = Push(
        method=request.method,
        path=path or version,
        headers=request.headers.copy(),
        body=read_json(text),
        text=text,
        query=dict(request.query),
        interface=interface,
        version=version,
        url=str(request.url),
    )
    request.app[PARTNER].note(request[PUSH])


@web.middleware
async def check_token(request: web.Request, handler: Any) -> web.StreamResponse:
    """Token A opens versions and credentials only."""
    tokens, header = request.app[PARTNER].tokens, request.headers.get("Authorization", "")
    kind = tokens.kind(header)
    functional = bool(request[PUSH].interface)
    if kind is None or (kind == "A" and functional):
        return envelope(status_code=2000, message="Invalid token", http_status=401)
    if functional:
        tokens.used(header)
    return await handler(request)


def single(partner: "FakePartner", data: Any, **options: Any) -> web.Response:
    return envelope([data] if partner.wraps_in_list else data, **options)


@routes.get("/ocpi/versions{slash:/?}")
async def get_versions(request: web.Request) -> web.Response:
    partner = request.app[PARTNER]
    slash = "/" if partner.trailing_slash else ""
    return envelope(
        [
            {"version": version, "url": f"{partner.base_url}/{version}{slash}"}
            for version in partner.versions
        ]
    )


@routes.get(r"/ocpi/{version:\d[^/]*}{slash:/?}")
async def get_details(request: web.Request) -> web.Response:
    partner, version = request.app[PARTNER], request.match_info["version"]
    slash = "/" if partner.trailing_slash else ""
    endpoints = []
    if version == PEER_TO_PEER:
        return single(partner, {"version": version, "endpoints": peer_endpoints(partner, slash)})
    for module, interface in [*interfaces(version), *sorted(partner.more_modules)]:
        if (module, interface) in partner.without_modules:
            continue
        path = module if module == "credentials" else f"{interface.lower()}/{module}"
        url = f"{partner.base_url}/{version}/{path}{slash}"
        identifier = IDENTIFIERS.get(module, module)
        endpoints.append({"identifier": identifier, "role": interface, "url": url})
    if partner.endpoint_changes:
        endpoints = partner.endpoint_changes(endpoints)
    return single(partner, {"version": version, "endpoints": endpoints})


def peer_endpoints(partner: "FakePartner", slash: str) -> list[dict[str, Any]]:
    """Each module once, and nothing said of interfaces."""
    role = partner.roles[0][2]
    return [
        {"identifier": module, "url": f"{partner.base_url}/{PEER_TO_PEER}/{module}{slash}"}
        for module in ("credentials", *FUNCTIONAL[:-1])
        if (module, interface_of(module, role)) not in partner.without_modules
    ]


CREDENTIALS = r"/ocpi/{version:\d[^/]*}/credentials{slash:/?}"


@routes.get(CREDENTIALS)
async def get_credentials(request: web.Request) -> web.Response:
    partner = request.app[PARTNER]
    return single(partner, partner.credentials(next(iter(partner.tokens.accepted))))


@routes.post(CREDENTIALS)
@routes.put(CREDENTIALS)
async def take_credentials(request: web.Request) -> web.Response:
    """The hub registers or renews: call it back with the token it sent, answer with a new one."""
    partner, body = request.app[PARTNER], await request.json()
    kind = partner.tokens.kind(request.headers["Authorization"])
    if (request.method == "POST") != (kind == "A") and not partner.takes_put_with_token_a:
        message = "POST needs token A and PUT the current token"
        return envelope(status_code=2000, message=message, http_status=405)
    version = request.match_info["version"]
    try:
        endpoints, _ = await partner.discover(body["url"], body["token"], version)
    except Exception as error:  # noqa: BLE001 - whatever it is, that is what 3001 says
        return envelope(status_code=3001, message=f"Could not use your API: {error}")
    new = token_urlsafe(32)
    old = {} if partner.tokens.forgetful else dict.fromkeys(partner.tokens.accepted, "C")
    old = old if request.method == "PUT" else {}
    partner.adopt(body, endpoints, version, keep=new)
    partner.tokens.accepted = old | partner.tokens.accepted
    credentials = partner.credentials(new, version=version)
    return single(partner, credentials, http_status=partner.registered_status)


@routes.delete(CREDENTIALS)
async def drop_credentials(request: web.Request) -> web.Response:
    partner = request.app[PARTNER]
    if partner.tokens.kind(request.headers["Authorization"]) == "A":
        return envelope(status_code=2000, message="Not registered", http_status=405)
    partner.tokens.accepted.clear()
    partner.tokens.to_hub = None
    return envelope()


RECEIVER = "/ocpi/{version}/receiver/{module}"
SENDER = "/ocpi/{version}/sender/{module}"


@routes.route("*", RECEIVER + "/{path:.*}")
@routes.route("*", RECEIVER)
async def receive(request: web.Request) -> web.Response:
    """All Receiver interfaces: client-owned objects, CDRs and commands."""
    partner, module = request.app[PARTNER], request.match_info["module"]
    push, method = request[PUSH], request.method
    if method == "GET" and module != "chargingprofiles":
        return get_object(partner, push.path)
    match module:
        case "hubclientinfo":
            partner.client_info.append(push)
        case "commands" | "chargingprofiles":
            partner.commands.append(push)
            return envelope(partner.command_response)
        case _:
            partner.received.append(push)
    if module in NEWER:
        return keep_newer(partner, method, push.path, push.body)
    if module == "cdrs":
        return keep_cdr(partner, push.body, str(request.url)) if method == "POST" else not_allowed()
    if module not in OWNED or method not in {"PUT", "PATCH", "DELETE"}:
        return not_allowed()
    return keep(partner, method, push.path, push.body)


def keep_newer(partner: "FakePartner", method: str, path: str, body: Any) -> web.Response:
    """POST is for what is new and nothing else, PUT for what is known."""
    if method == "POST":
        owner = () if path.startswith("payments") else ("country_code", "party_id")
        object_id = body.get("terminal_id") or body["id"]
        path = "/".join([path, *(body[name] for name in owner), object_id])
        if path in partner.objects:
            return envelope(status_code=2001, message="It exists already: PUT it")
        partner.objects[path] = body
        return envelope(http_status=201)
    if path not in partner.objects and not path.startswith("bookings"):
        return envelope(status_code=2001, message=f"No {path}", http_status=404)
    return keep(partner, method, path, body)


def get_object(partner: "FakePartner", path: str) -> web.Response:
    found = partner.objects.get(path)
    if found is None:
        return envelope(status_code=2001, message=f"No {path}", http_status=404)
    return single(partner, found)


def keep_cdr(partner: "FakePartner", cdr: Any, url: str) -> web.Response:
    owner = [cdr[name] for name in ("country_code", "party_id") if name in cdr]
    path = "/".join(["cdrs", *owner, cdr["id"]])
    partner.objects[path] = cdr
    location = f"{url.rstrip('/')}/{path.removeprefix('cdrs/')}"
    return envelope(http_status=201, headers={"Location": location})


def keep(partner: "FakePartner", method: str, path: str, body: Any) -> web.Response:
    """PUT replaces, PATCH merges, DELETE removes; EVSEs and connectors go into their parents."""
    objects, parts = partner.objects, path.split("/")
    if parts[0] == "locations" and len(parts) > 4:
        return keep_below_location(partner, method, parts, body)
    known = path in objects
    if method == "PUT":
        objects[path] = body
        return envelope(http_status=200 if known else 201)
    if not known:
        return envelope(status_code=2001, message=f"No {path}", http_status=404)
    if method == "DELETE":
        del objects[path]
    else:
        objects[path] = objects[path] | body
    return envelope()


def keep_below_location(
    partner: "FakePartner", method: str, parts: list[str], body: Any
) -> web.Response:
    parent = partner.objects.get("/".join(parts[:4]))
    for key, members, name in zip(("uid", "id"), ("evses", "connectors"), parts[4:], strict=False):
        if parent is None:
            return envelope(status_code=2003, message="No such location", http_status=404)
        children = parent.setdefault(members, [])
        found = next((child for child in children if child[key] == name), None)
        if name is parts[-1] and members == ("evses", "connectors")[len(parts) - 5]:
            return keep_child(method, children, found, body)
        parent = found
    return not_allowed()


def keep_child(method: str, children: list[Any], found: Any, body: Any) -> web.Response:
    if method == "PUT":
        if found is None:
            children.append(body)
            return envelope(http_status=201)
        children[children.index(found)] = body
        return envelope()
    if found is None or method == "DELETE":
        return envelope(status_code=2003, message="No such EVSE", http_status=404)
    found.update(body)
    return envelope()


@routes.route("*", f"/ocpi/{{version:{PEER_TO_PEER}}}/{{module:[a-z]+}}{{path:(?:/.*)?}}")
async def serve_peer(request: web.Request) -> web.StreamResponse:
    """2.1.1: the URL says the module, our role which interface that is."""
    push, path = request[PUSH], request.match_info["path"].strip("/")
    if push.interface == "RECEIVER" and request.method != "GET":
        return await receive(request)
    if push.interface == "RECEIVER":
        return get_object(request.app[PARTNER], push.path)
    if request.method != "GET":
        request.match_info["uid"] = path.partition("/")[0]
        return await (authorize if path.endswith("/authorize") else take_result)(request)
    request.match_info["id"] = path.partition("/")[0]
    return await (get_own if path else get_list)(request)


@routes.get(SENDER)
@routes.get(SENDER + "/")
async def get_list(request: web.Request) -> web.Response:
    """Our own objects, paged; ``date_from`` and ``date_to`` as OCPI has them."""
    partner, module = request.app[PARTNER], request.match_info["module"]
    query = request.query
    date_from, date_to = query.get("date_from", ""), query.get("date_to", "~")
    found = [o for o in partner.own[module] if date_from <= updated(o) < date_to]
    offset = int(query.get("offset", 0))
    limit = min(int(query.get("limit", partner.page_limit)), partner.page_limit)
    headers = {"X-Total-Count": str(len(found)), "X-Limit": str(limit)}
    if offset + limit < len(found):
        following = request.url.update_query(offset=offset + limit, limit=limit)
        headers["Link"] = f'<{following}>; rel="next"'
    return envelope(found[offset : offset + limit], headers=headers)


def updated(document: Any) -> str:
    return document.get("last_updated", "") if isinstance(document, dict) else ""


@routes.get(SENDER + "/{id}{more:.*}")
async def get_own(request: web.Request) -> web.Response:
    partner, module = request.app[PARTNER], request.match_info["module"]
    for document in [*partner.own[module], *partner.unlisted[module]]:
        if document.get("uid" if module == "tokens" else "id") == request.match_info["id"]:
            return single(partner, document)
    return envelope(status_code=2001, message="Unknown", http_status=404)


@routes.post(SENDER + "/{uid}/authorize")
async def authorize(request: web.Request) -> web.Response:
    partner, uid = request.app[PARTNER], request.match_info["uid"]
    if request.match_info["module"] != "tokens":
        return not_allowed()
    peer = request[PUSH].version == PEER_TO_PEER
    if uid in partner.authorizations:
        return envelope(partner.authorizations[uid])
    for token in partner.own["tokens"]:
        if token["uid"] == uid:
            allowed = "ALLOWED" if token["valid"] else "BLOCKED"
            return envelope({"allowed": allowed} | ({} if peer else {"token": token}))
    code = 2001 if peer else 2004
    return envelope(status_code=code, message="Unknown token", http_status=404)


@routes.post(SENDER + "/{path:.*}")
@routes.put(SENDER + "/{path:.*}")
async def take_result(request: web.Request) -> web.Response:
    """Results of commands and charging profiles; charging preferences."""
    partner, module = request.app[PARTNER], request.match_info["module"]
    push = request[PUSH]
    if module == "sessions" and request.path.rstrip("/").endswith("charging_preferences"):
        partner.received.append(push)
        return envelope("ACCEPTED")
    if module in {"commands", "chargingprofiles"}:
        partner.results.append(push)
        return envelope()
    return not_allowed()


def not_allowed() -> web.Response:
    return envelope(status_code=2000, message="Method not allowed", http_status=405)
