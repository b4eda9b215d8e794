"""The audit log: who did what, when, and what it was before."""

from datetime import UTC
from typing import Any

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import select

from hub.admin.auth import transaction
from hub.admin.output import PageQuery, page, page_of
from hub.admin.routes import QUERY, Routes
from hub.models.audit import AuditLog
from hub.models.values import AuditAction, AuditSeverity

routes = Routes("Audit")


class AuditQuery(PageQuery):
    action = fields.String(validate=validate.OneOf(list(AuditAction)))
    severity = fields.String(validate=validate.OneOf(list(AuditSeverity)))
    entity_type = fields.String(validate=validate.Length(1, 100))
    entity_id = fields.UUID()
    user_id = fields.UUID(metadata={"description": "Who did it: a user, a key or a partner."})
    since = fields.AwareDateTime(default_timezone=UTC)
    until = fields.AwareDateTime(default_timezone=UTC)


class AuditEntry(Schema):
    id = fields.UUID()
    timestamp = fields.AwareDateTime()
    action = fields.String(validate=validate.OneOf(list(AuditAction)))
    severity = fields.String(validate=validate.OneOf(list(AuditSeverity)))
    entity_type = fields.String(allow_none=True)
    entity_id = fields.UUID(allow_none=True)
    user_id = fields.UUID(allow_none=True)
    description = fields.String(allow_none=True)
    old_values = fields.Dict(allow_none=True)
    new_values = fields.Dict(allow_none=True)
    details = fields.Dict(allow_none=True)


AuditPage: type[Schema] = page_of(AuditEntry)
EQUAL = ("action", "severity", "entity_type", "entity_id", "user_id")


@routes.get("/audit", permission="audit.read", query=AuditQuery, answer=AuditPage)
async def search_audit(request: web.Request) -> Any:
    """Entries that fit everything that is asked for, newest first."""
    query = request[QUERY]
    found = select(AuditLog)
    for name in EQUAL:
        if name in query:
            found = found.where(getattr(AuditLog, name) == query[name])
    if "since" in query:
        found = found.where(AuditLog.timestamp >= query["since"])
    if "until" in query:
        found = found.where(AuditLog.timestamp < query["until"])
    async with transaction(request) as db:
        return await page(db, found, AuditLog, query, by="timestamp")
