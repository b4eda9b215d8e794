"""The admin API as an OpenAPI document."""

import inspect
import re
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import resolve_schema_cls
from marshmallow import Schema, fields

from hub import __version__
from hub.admin.agreements import Side
from hub.admin.api import ROOT, operations
from hub.admin.input import PartyField
from hub.admin.routes import Operation

ABOUT = """\
For operators and their programs. Show an API key as `Authorization: Bearer hubk_…`.

Every error is `{"error": {"code", "message", "field", "allowed", "next"}}`; members that do not
apply are left out. Lists come in pages: give `next` as `after`. What has a `version` shows it as
`ETag`; with `If-Match` a change is refused when somebody else was faster.
"""

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "description": "For programs; it does not change."},
                "message": {"type": "string"},
                "field": {"type": "string", "description": "What it is about."},
                "allowed": {"description": "What may stand there."},
                "next": {"type": "string", "description": "What to do about it."},
            },
        }
    },
}
BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
TENANT = {
    "name": "Hub-Tenant",
    "in": "header",
    "schema": {"type": "string"},
    "description": "Act in this tenant, an id or a domain; needs `system.execute`, or for reading"
    " `system.read`.",
}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": 'The version that was read, such as `"3"`; 412 if it is not the latest.',
}


def describe_admin() -> dict[str, Any]:
    plugin = MarshmallowPlugin(schema_name_resolver=name_of)
    spec = APISpec(
        "Roaming hub: admin API",
        __version__,
        "3.1.0",
        plugins=[plugin],
        info={"description": ABOUT, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        servers=[{"url": ROOT}],
        security=[{"key": []}],
    )
    for field in (PartyField, Side):
        plugin.map_to_openapi_type(field, "string", None)  # type: ignore[no-untyped-call]
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(examples)  # type: ignore[no-untyped-call]
    spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    spec.components.schema("Error", ERROR)
    tags: dict[str, None] = {}
    for tag, operation in operations():
        tags[tag] = None
        spec.path(
            re.sub(r":[^}]+}", "}", operation.path),
            operations={operation.method.lower(): describe(tag, operation)},
        )
    for tag in tags:
        spec.tag({"name": tag})
    return spec.to_dict()


def name_of(schema: Any) -> str:
    cls = resolve_schema_cls(schema)
    assert isinstance(cls, type)
    return cls.__name__


def examples(self: Any, field: fields.Field[Any], **_: Any) -> dict[str, Any]:
    """How a party is written."""
    return {"examples": ["NL*TNM"]} if isinstance(field, PartyField | Side) else {}


def describe(tag: str, operation: Operation) -> dict[str, Any]:
    summary, _, more = (inspect.getdoc(operation.handler) or "").partition("\n\n")
    needs = f"Needs the permission `{operation.permission}`." if operation.permission else ""
    described: dict[str, Any] = {
        "tags": [tag],
        "operationId": operation.handler.__name__,
        "summary": plain(summary).rstrip("."),
        "description": "\n\n".join(part for part in (more, needs) if part),
        "parameters": parameters(operation),
        "responses": responses(operation),
    }
    if operation.body:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": operation.body}},
        }
    if operation.takes_bytes:
        described["requestBody"] = {"required": True, "content": BYTES}
    return described


def plain(text: str) -> str:
    """A summary is no Markdown, other than a description."""
    return text.replace("\n", " ").replace("`", "")


def parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": path_schema(name, operation)}
        for name in re.findall(r"{(\w+)", operation.path)
    ]
    if operation.query:
        found.append({"in": "query", "schema": operation.query})
    if operation.method in {"PATCH", "DELETE"}:
        found.append(IF_MATCH)
    return [*found, TENANT]


def path_schema(name: str, operation: Operation) -> dict[str, Any]:
    if name == "id" and not operation.path.startswith(("/objects", "/cdrs")):
        return {"type": "string", "format": "uuid"}
    return {"type": "string"}


def responses(operation: Operation) -> dict[str, Any]:
    error = {
        "description": "It was not done; the error says why.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    if operation.gives_bytes:
        return {"200": {"description": "The bytes.", "content": BYTES}, "default": error}
    if operation.answer is None:
        return {"204": {"description": "Done."}, "default": error}
    answer: type[Schema] = operation.answer
    return {
        str(operation.status): {
            "description": "Done.",
            "content": {"application/json": {"schema": answer}},
        },
        "default": error,
    }
