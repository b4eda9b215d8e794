"""The audit log: who did what, when, and what it was before."""

from datetime import UTC
from typing import Any

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import select

from hub import audit_chain
from hub.admin.auth import transaction
from hub.admin.authors import did, name_authors
from hub.admin.input import Input
from hub.admin.output import PageQuery, page, page_of
from hub.admin.routes import QUERY, Routes
from hub.keys import KEYRING
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
    user_id = fields.UUID(
        allow_none=True, metadata={"description": "The user, or the key where it is nobody's."}
    )
    key_id = fields.UUID(allow_none=True, metadata={"description": "The API key that was used."})
    by = fields.String(
        allow_none=True,
        metadata={"description": "Who did it, by name: a user, a key that is nobody's, a partner."},
    )
    key = fields.String(allow_none=True, metadata={"description": "What the key is called."})
    ip_address = fields.String(
        allow_none=True, metadata={"description": "Where the request came from, of operators."}
    )
    user_agent = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    old_values = fields.Dict(allow_none=True)
    new_values = fields.Dict(allow_none=True)
    details = fields.Dict(allow_none=True)


AuditPage: type[Schema] = page_of(AuditEntry)
EQUAL = ("action", "severity", "entity_type", "entity_id")


class VerifyQuery(Input):
    after = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 2**63 - 1),
        metadata={"description": "`next` of the part before; 0 begins at the beginning."},
    )
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class FaultShown(Schema):
    segment = fields.Integer(metadata={"description": "The link of the chain."})
    entry = fields.UUID(allow_none=True)
    what = fields.String()


class Verification(Schema):
    """What came of a part of the chain."""

    segments = fields.Integer(metadata={"description": "Links that are as they were sealed."})
    entries = fields.Integer(metadata={"description": "Entries in them, compared one by one."})
    purged = fields.Integer(
        metadata={"description": "Entries in links whose entries were kept long enough and went."}
    )
    fault = fields.Nested(FaultShown, allow_none=True, metadata={"description": "The first one."})
    next = fields.Integer(
        allow_none=True, metadata={"description": "Give it as `after`; null at the end."}
    )
    head = fields.String(
        metadata={"description": "The digest of the last link that was looked at, in hex."}
    )
    unsealed = fields.Integer(
        metadata={"description": "Entries behind the end of the chain, of the last minutes."}
    )
    sealed = fields.Boolean(
        metadata={"description": "Whether a seal held. It proves every link before it, too."}
    )
    unknown_keys = fields.List(
        fields.String(),
        metadata={"description": "Keys of the seals behind that one, which the hub has not."},
    )


@routes.get("/audit/verification", permission="audit.read", query=VerifyQuery, answer=Verification)
async def verify_audit(request: web.Request) -> Any:
    """Whether entries of the audit log were changed, removed or added afterwards.

    Entries are chained a few minutes after they were written. That the newest links of the chain
    were removed shows when `head` of an earlier time is not among them any more.
    """
    query = request[QUERY]
    async with transaction(request) as db:
        found = await audit_chain.examine(
            db, request.config_dict[KEYRING], after=query["after"], limit=query["limit"]
        )
    return {
        "segments": found.segments,
        "entries": found.entries,
        "purged": found.purged,
        "fault": found.fault,
        "next": found.after,
        "head": found.digest.hex(),
        "unsealed": found.unsealed,
        "sealed": found.proof.sealed,
        "unknown_keys": sorted(found.proof.unknown),
    }


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
        if "user_id" in query:
            found = found.where(await did(db, query["user_id"]))
        entries = await page(db, found, AuditLog, query, by="timestamp")
        await name_authors(db, entries["items"])
    return entries
