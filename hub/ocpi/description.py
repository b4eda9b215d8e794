"""What the hub serves in one OCPI version, as an OpenAPI document."""

import copy
import inspect
import re
from typing import Any

from hub import __version__
from hub.models.values import Role
from hub.ocpi.api import ENDPOINTS
from hub.ocpi.endpoints import credentials, results, versions
from hub.ocpi.operation import Operation
from hub.ocpi.operations import OPERATIONS, endpoint_path
from hub.ocpi.routing.callbacks import LONGEST_URL, RESPONSE_URL, RESULTS_PATH
from hub.ocpi.schemas import compiled
from hub.ocpi.versions import VERSIONS
from hub.ocpi.versions.base import Version
from hub.ocpi.versions.ownership_2_1_1 import interface_of, opposite

JSON = dict[str, Any]

ABOUT = """\
OCPI {number} as this hub serves it, made from the rows that serve it. A partner registers at
`/{number}/credentials` with the token A it was given; everything else needs the token it got there.

Requests with `OCPI-to-country-code` and `OCPI-to-party-id` of another party are forwarded to it;
those to the hub's own party, or to nobody, are served from what the hub keeps.

Modules that OCPI does not define are at `/{number}/sender/…` and `/{number}/receiver/…` where the
version details list them: they are passed on as they are.
"""

HEADERS: dict[str, str] = {
    "X-Request-ID": "Unique for this request.",
    "X-Correlation-ID": "The same on all requests that belong together.",
    "OCPI-from-country-code": "Who sends it: a party of the caller's platform.",
    "OCPI-from-party-id": "Who sends it.",
    "OCPI-to-country-code": "Who is to get it; left out for Open Routing.",
    "OCPI-to-party-id": "Who is to get it.",
}
PAGING: dict[str, JSON] = {
    "date_from": {"type": "string", "format": "date-time"},
    "date_to": {"type": "string", "format": "date-time"},
    "offset": {"type": "integer", "minimum": 0},
    "limit": {"type": "integer", "minimum": 1},
}
PAGE_HEADERS: dict[str, JSON] = {
    "Link": {"description": 'The next page: <…>; rel="next".', "schema": {"type": "string"}},
    "X-Total-Count": {"description": "Objects in all pages.", "schema": {"type": "integer"}},
    "X-Limit": {"description": "Objects a page can have.", "schema": {"type": "integer"}},
}
ENVELOPE: JSON = {
    "type": "object",
    "required": ["status_code", "timestamp"],
    "properties": {
        "status_code": {"type": "integer", "description": "1000 is success; else see the message."},
        "status_message": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
    },
}
WRITTEN = {
    "base64": "`Token `, then the credentials token in base64.",
    "raw": "`Token `, then the credentials token as it is.",
}
NOT_DONE = "Not done; the status code and message say why."
CREATED_BY = {"PUT", "POST"}


ABOUT_PEERS = """\
OCPI {number} as this hub serves it, made from the rows that serve it. A partner registers at
`/{number}/credentials` with the token A it was given, as one party in one role; everything else
needs the token it got there.

Which of the requests a partner can make follows from its role; each says who makes it. Every
request is served from what the hub keeps, or goes to whom it concerns.
"""


def describe_ocpi(number: str) -> JSON:
    version = VERSIONS[number]
    operations = [operation for operation in OPERATIONS if operation.is_in(number)]
    schemas = compiled.components(number)
    schemas["Envelope"] = ENVELOPE
    for kind in {operation.body: None for operation in operations if operation.partial}:
        assert kind is not None
        schemas[f"{kind}Patch"] = patch_of(schemas[kind], version.schema(kind).in_every_patch)
    paths: dict[str, JSON] = {}
    for path, method, described in [
        *configuration(number),
        *functional(operations, version),
        *results_of(operations, version),
    ]:
        add(paths, path, method, described)
    about = ABOUT_PEERS if version.peer_to_peer else ABOUT
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Roaming hub: OCPI {number}",
            "version": __version__,
            "description": about.format(number=number),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/ocpi"}],
        "security": [{"token": []}],
        "tags": [{"name": name} for name in tags(operations)],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": WRITTEN[version.token_form],
                }
            },
            "parameters": {name: header(name, HEADERS[name]) for name in headers(version)},
            "schemas": schemas,
        },
    }


def headers(version: Version, operation: Operation | None = None) -> list[str]:
    routed = not version.peer_to_peer and (operation is None or operation.routed)
    return [name for name in HEADERS if routed or not name.startswith("OCPI")]


def add(paths: dict[str, JSON], path: str, method: str, described: JSON) -> None:
    """Where a URL means different things to callers in different roles, it is told once for all."""
    shape = re.sub(r"{\w+}", "{}", path)
    known = next((one for one in paths if re.sub(r"{\w+}", "{}", one) == shape), path)
    there = paths.setdefault(known, {})
    if known != path:
        described["parameters"] = [
            *path_parameters(known),
            *(one for one in described["parameters"] if one.get("in") != "path"),
        ]
    there[method] = either(there[method], described) if method in there else described


def either(one: JSON, other: JSON) -> JSON:
    """One request that is made by two roles and answered with different things."""
    data = [
        operation["responses"]["200"]["content"]["application/json"]["schema"]
        for operation in (one, other)
    ]
    content = {"application/json": {"schema": {"anyOf": data}}}
    about = "\n\n".join(f"{each['summary']}. {each['description']}" for each in (one, other))
    answered = one["responses"]["200"] | {"content": content}
    return one | {
        "description": about,
        "responses": one["responses"] | {"200": answered},
    }


def tags(operations: list[Operation]) -> list[str]:
    return ["versions", "credentials", *dict.fromkeys(one.module for one in operations)]


def patch_of(schema: JSON, required: tuple[str, ...]) -> JSON:
    """The same with nothing required but the time of the change, if even that."""
    partial = copy.deepcopy(schema)
    partial["required"] = list(required)
    partial["description"] = "The members that change, and when."
    return partial


def header(name: str, about: str) -> JSON:
    return {"name": name, "in": "header", "description": about, "schema": {"type": "string"}}


def functional(operations: list[Operation], version: Version) -> list[tuple[str, str, JSON]]:
    return [
        (
            "/"
            + endpoint_path(version, operation.interface, operation.module).removesuffix("/")
            + operation.path,
            operation.method.lower(),
            describe(operation, version),
        )
        for operation in operations
    ]


def results_of(operations: list[Operation], version: Version) -> list[tuple[str, str, JSON]]:
    """Where the results of requests come that are answered later: one URL for each request."""
    kinds: dict[str, dict[str, None]] = {}
    for operation in operations:
        if operation.calls_back is not None:
            kinds.setdefault(operation.module, {})[operation.calls_back.result] = None
    found = []
    for module, names in kinds.items():
        given = {"version": version.number, "module": module}
        path = RESULTS_PATH.format_map({"network": "{network}", "secret": "{secret}"} | given)
        described = operation_of(module, f"post_result_{module}", results.take_result)
        described["security"] = [{"token": []}, {}]
        described["parameters"] = [
            *path_parameters(path),
            *({"$ref": f"#/components/parameters/{name}"} for name in headers(version)),
        ]
        bodies = [reference(name) for name in names]
        described["requestBody"] = body_of(bodies[0] if len(bodies) == 1 else {"anyOf": bodies})
        described["responses"] = {
            "200": answer("Kept.", None, None),
            "default": answer(NOT_DONE, None, None),
        }
        found.append((path, "post", described))
    return found


def describe(operation: Operation, version: Version) -> JSON:
    described = operation_of(
        operation.module,
        f"{operation.method}_{operation.interface}_{operation.module}{operation.path}",
        ENDPOINTS[operation.endpoint],
    )
    described["parameters"] = [
        *path_parameters(operation.path),
        *(
            {"name": name, "in": "query", "schema": schema}
            | ({"required": True} if name in {RESPONSE_URL, *operation.params} else {})
            for name, schema in query_of(operation).items()
        ),
        *({"$ref": f"#/components/parameters/{name}"} for name in headers(version, operation)),
    ]
    if version.peer_to_peer:
        of_cpo = interface_of(operation.module, Role.CPO) is opposite(operation.interface)
        caller = "For CPOs." if of_cpo else "For eMSPs."
        described["description"] = f"{caller} {described.get('description', '')}".strip()
    if operation.body:
        kind = f"{operation.body}Patch" if operation.partial else operation.body
        described["requestBody"] = body_of(reference(kind), required=not operation.body_optional)
    described["responses"] = responses(operation)
    return described


def operation_of(tag: str, name: str, function: Any) -> JSON:
    summary, _, more = (inspect.getdoc(function) or "").partition("\n\n")
    described: JSON = {
        "tags": [tag],
        "operationId": re.sub(r"\W+", "_", name).strip("_").lower(),
        "summary": summary.replace("\n", " ").rstrip(".") or name_of(function),
    }
    return described | ({"description": more} if more else {})


def name_of(function: Any) -> str:
    """What a function's name says, for one that needs no further words."""
    return str(function.__name__).replace("_", " ").capitalize()


def query_of(operation: Operation) -> dict[str, JSON]:
    if operation.many:
        return PAGING
    if operation.module == "tokens":
        return {"type": {"type": "string", "default": "RFID"}}
    query: dict[str, JSON] = {name: {"type": "integer"} for name in operation.params}
    if operation.calls_back is not None and operation.calls_back.url_in == "query":
        query[RESPONSE_URL] = {"type": "string", "format": "uri", "maxLength": LONGEST_URL}
    return query


def path_parameters(path: str) -> list[JSON]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def reference(kind: str) -> JSON:
    return {"$ref": f"#/components/schemas/{kind}"}


def body_of(schema: JSON, *, required: bool = True) -> JSON:
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def responses(operation: Operation) -> JSON:
    data = reference(operation.answer) if operation.answer else None
    if operation.words:
        data = {"type": "string", "enum": list(operation.words)}
    if data and operation.many:
        data = {"type": "array", "items": data}
    answers = {"200": answer("Done.", data, PAGE_HEADERS if operation.many else None)}
    if operation.method in CREATED_BY and operation.body and not data:
        answers["201"] = answer("Done: the object is new.", None, None)
    return answers | {"default": answer(NOT_DONE, None, None)}


def answer(about: str, data: JSON | None, headers: JSON | None) -> JSON:
    schema: JSON = reference("Envelope")
    if data:
        schema = {"allOf": [schema, {"type": "object", "properties": {"data": data}}]}
    described: JSON = {
        "description": about,
        "content": {"application/json": {"schema": schema}},
    }
    return described | ({"headers": headers} if headers else {})


def configuration(number: str) -> list[tuple[str, str, JSON]]:
    """Versions and credentials, which are not rows of the module tables."""
    listed: JSON = {"type": "array", "items": reference("Version")}
    details, ours = reference("VersionDetails"), reference("Credentials")
    path = f"/{number}/credentials"
    return [
        ("/versions", "get", configured("versions", versions.get_versions, None, listed)),
        (f"/{number}", "get", configured("versions", versions.get_details, None, details)),
        (path, "get", configured("credentials", credentials.get_credentials, None, ours)),
        (path, "post", configured("credentials", credentials.post_credentials, ours, ours)),
        (path, "put", configured("credentials", credentials.put_credentials, ours, ours)),
        (path, "delete", configured("credentials", credentials.delete_credentials, None, None)),
    ]


def configured(tag: str, function: Any, body: JSON | None, data: JSON | None) -> JSON:
    described = operation_of(tag, function.__name__, function)
    described["parameters"] = [
        {"$ref": f"#/components/parameters/{name}"} for name in ("X-Request-ID", "X-Correlation-ID")
    ]
    if body:
        described["requestBody"] = body_of(body)
    described["responses"] = {
        "200": answer("Done.", data, None),
        "default": answer(NOT_DONE, None, None),
    }
    return described
