"""The story of one handshake, step by step, for whoever has to find out why it failed.

A trace says what was asked, what was answered and how long it took. It never holds a token: names
that mean one are masked, and so is every text in which one of this handshake's tokens turns up.
"""

import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, update

from hub import codec
from hub.db import Database
from hub.errors import HubError
from hub.masking import HIDDEN, mask, mask_text
from hub.models.partners import HandshakeTrace
from hub.ocpi.client import Answer
from hub.roaming.network.partners import Connection

log = structlog.get_logger()

REASON_LENGTH = 1000
DETAIL_LENGTH = 2000


class Trace:
    """Collects the steps of one handshake."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.steps: list[dict[str, Any]] = []
        self._hidden: set[str] = set()
        self._began = time.monotonic()

    def hide(self, token: str) -> None:
        """From now on this token appears in no step, however it is written."""
        encoded = base64.b64encode(token.encode()).decode()
        self._hidden |= {token, encoded, encoded.rstrip("=")}

    def note(self, step: str, message: str = "", **facts: Any) -> None:
        """One step. ``facts``: method, url, http_status, status_code, ms, detail."""
        detail = facts.pop("detail", None)
        if "url" in facts:
            # What a URL says behind its question mark is nobody's business.
            facts["url"] = str(facts["url"]).partition("?")[0]
        self.steps.append(
            {
                "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "step": step,
                "message": self.clean(message),
                **{name: self.clean(fact) for name, fact in facts.items() if fact is not None},
            }
        )
        if detail is not None:
            self.steps[-1]["detail"] = self.excerpt(detail)

    def answered(
        self, step: str, method: str, url: str, answer: Answer, *, began: float, request: Any = None
    ) -> None:
        self.note(
            step,
            "ok" if answer.ok else answer.reason,
            method=method,
            url=url,
            http_status=answer.http_status,
            status_code=answer.status_code,
            ms=round((time.monotonic() - began) * 1000),
            detail={
                "request": request,
                "answer": answer.json or answer.content.decode(errors="replace"),
            },
        )

    def clean(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        for token in sorted(self._hidden, key=len, reverse=True):
            value = value.replace(token, HIDDEN)
        return mask_text(value)

    def excerpt(self, value: Any) -> str:
        text = value if isinstance(value, str) else codec.write_text(mask("detail", value))
        return str(self.clean(text))[:DETAIL_LENGTH]


@asynccontextmanager
async def traced(database: Database, partner: Connection, kind: str) -> AsyncIterator[Trace]:
    """Keep the trace of what happens inside, however it ends; a crash leaves it RUNNING."""
    trace = Trace(kind)
    async with database.transaction(partner.tenant_id) as db:
        row = HandshakeTrace(partner_id=partner.id, kind=kind, outcome="RUNNING")
        db.add(row)
        await db.flush()
    try:
        yield trace
    except HubError as error:
        await finish(database, partner, trace, row.id, outcome="REFUSED", reason=str(error))
        log.warning("handshake failed", kind=kind, reason=trace.clean(str(error)))
        raise
    except BaseException:
        reason = "The hub itself failed."
        await finish(database, partner, trace, row.id, outcome="FAILED", reason=reason)
        raise
    await finish(database, partner, trace, row.id, outcome="DONE")
    log.info("handshake done", kind=kind, partner_name=partner.name)


async def finish(
    database: Database,
    partner: Connection,
    trace: Trace,
    trace_id: UUID,
    *,
    outcome: str,
    reason: str | None = None,
) -> None:
    async with database.transaction(partner.tenant_id) as db:
        await db.execute(
            update(HandshakeTrace)
            .where(HandshakeTrace.id == trace_id)
            .values(
                outcome=outcome,
                reason=trace.clean(reason)[:REASON_LENGTH] if reason else None,
                steps=trace.steps,
                finished_at=func.now(),
            )
        )
