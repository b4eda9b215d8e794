"""Writing down what came of a batch: one transaction for all batches that end at the same time.

On the good path that is one statement for all of them. Everything else (a partner away, an object
refused, something lost in an older version) is written when it happens, and only then.
"""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from hub.ocpi.delivery.courier import Report, Run
from hub.ocpi.delivery.delivery import Outcome, Verdict
from hub.roaming import cursors
from hub.roaming.feed import setbacks
from hub.roaming.store.losses import Losses, Lost

log = structlog.get_logger()

# Seconds: what was set aside must not hold up for long what is new.
BRIEFLY = 30.0


class Ledger:
    """Writes as the worker that holds the leases."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._losses = Losses()

    async def write(self, db: AsyncSession, results: Sequence[tuple[Run, Report]]) -> None:
        good = [report.move for _, report in results if report.away is None]
        await cursors.advance(db, good, self.owner)
        for run, report in results:
            if report.away is not None:
                await self._leave_alone(db, run, report, report.away)
            await self._set_aside(db, run, report)
            await setbacks.settle(db, report.settled)
            if run.source.settle is not None:
                await run.source.settle(db, taken(run))
        await self._record_losses(db, results)

    async def _leave_alone(self, db: AsyncSession, run: Run, report: Report, away: Verdict) -> None:
        # A partner that has just registered may not have read our token yet: one 401 proves little.
        early = away.locked_out and not run.standing.failures
        held = away.outcome in {Outcome.SHUT, Outcome.GONE} and not early
        seconds = (
            cursors.HELD_FOR if held else cursors.delay(run.standing.failures, away.retry_after)
        )
        if report.brief and not held:
            seconds = min(seconds, BRIEFLY)
        await cursors.back_off(
            db, report.move, self.owner, reason=away.reason, seconds=seconds, held=held
        )
        where = {"partner": str(run.connection.id), "module": run.source.name}
        if not held and not run.standing.failures:
            log.warning("partner is away", reason=away.reason, **where)
        if held and not run.standing.held:
            log.error("deliveries are held until somebody mends this", reason=away.reason, **where)
        if away.locked_out and held:
            await cursors.hold(db, run.connection.id, away.reason)

    async def _set_aside(self, db: AsyncSession, run: Run, report: Report) -> None:
        for refusal, attempts in report.refusals:
            given_up = await setbacks.set_aside(db, refusal, attempts=attempts)
            say = log.error if given_up and run.source.record else log.info
            say(
                "object set aside",
                partner=str(refusal.partner_id),
                party=str(refusal.party),
                module=refusal.source,
                object_ref=refusal.ref,
                reason=refusal.reason,
                attempts=attempts,
                tried_again=not given_up,
            )

    async def _record_losses(self, db: AsyncSession, results: Sequence[tuple[Run, Report]]) -> None:
        """Once per object and version, whatever the number of partners that got it."""
        found: defaultdict[UUID, list[Lost]] = defaultdict(list)
        for run, _ in results:
            for entry in run.entries:
                if lost := entry.message.lost(run.source.name, run.connection.version or ""):
                    found[run.connection.tenant_id].append(lost)
        for tenant_id, losses in found.items():
            news = self._losses.news(tenant_id, losses, thorough=True)
            await self._losses.note(db, tenant_id, news)


def taken(run: Run) -> list[UUID]:
    return [
        entry.message.change.row_id
        for entry in run.entries
        if entry.verdict is not None and entry.verdict.outcome is Outcome.TAKEN
    ]
