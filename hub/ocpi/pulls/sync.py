"""One run of a pull: page after page of one module of one partner, kept as they come.

    fetch a page      no transaction is open meanwhile
    keep its objects  by the same door as pushes, in groups
    note the place    where to go on; from here on a crash costs one page at most

The run ends at the end of the list, when its lease is lost or cancelled, or with ``Broken``: then
it goes on from the same page later. Objects are merged as pushes are, so a page that is read twice,
or is older than what was pushed meanwhile, does no harm.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

import structlog

from hub.db import Database
from hub.errors import HubError
from hub.models.values import InterfaceRole, Party
from hub.ocpi import translation
from hub.ocpi.client import Answer, Client, Refused, Unreachable, origins_of, url_at
from hub.ocpi.directory import Directory
from hub.ocpi.pulls.crawl import Crawl, Endless, Page
from hub.ocpi.pulls.pulled import Bad, Reader, text_of
from hub.ocpi.versions import VERSIONS
from hub.roaming.feed.changes import key_of
from hub.roaming.grouping import LARGEST_GROUP
from hub.roaming.modules import Module
from hub.roaming.network.partners import Connection
from hub.roaming.pulls import absences, sync_states
from hub.roaming.pulls.sync_states import Lease
from hub.roaming.pulls.sync_terms import owners
from hub.roaming.store import quarantine
from hub.roaming.store.intake import Intake
from hub.roaming.store.losses import Losses
from hub.roaming.store.rows import Key
from hub.roaming.store.writes import Stored, Write, object_ref

log = structlog.get_logger()

PAGE_SECONDS = 30.0
PAGE_LIMIT = 100
# A page may hold so much that the lease must be kept meanwhile.
NOTE_EVERY = 15.0
# Bad objects of one run that are kept in quarantine; the others are only counted.
MOST_KEPT_BAD = 500
PLACE_LOST = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class Broken(Exception):
    """The run cannot go on now. ``restart``: what was to come next leads nowhere any more."""

    def __init__(
        self, reason: str, *, retry_after: float = 0, restart: bool = False, gone: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.restart = restart
        self.gone = gone


@dataclass(frozen=True)
class Parts:
    """What a run needs of the application."""

    database: Database
    client: Client
    directory: Directory
    intake: Intake
    page_seconds: float = PAGE_SECONDS
    losses: Losses = field(default_factory=Losses)


@dataclass
class Run:
    """A pull under way. ``waiting`` are the parties whose lists come after ``party``'s.

    ``pushed``: the partner pushes the module, so what is new here was missed.
    """

    partner: Connection
    module: Module
    full: bool
    reason: str
    since: datetime | None
    party: Party
    waiting: list[Party]
    lease: Lease
    limit: int | None
    pushed: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    crawl: Crawl = field(init=False)
    noted_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.crawl = self.new_crawl()

    def new_crawl(self) -> Crawl:
        endpoint = self.partner.endpoint(self.module.name, InterfaceRole.SENDER)
        assert endpoint is not None
        moment = self.partner.quirks.moment
        filters = {"date_from": moment(self.since)} if self.since else {}
        url = url_at(self.partner, endpoint)
        crawl = Crawl(url, filters, self.limit, origins_of(self.partner))
        crawl.start()
        return crawl

    @property
    def routing(self) -> dict[str, Any]:
        """Whom the request is from and to, as ``Client.call`` wants it."""
        if self.partner.quirks.routing == "omit":
            return {}
        return {"to": self.party, "from_": self.partner.hub}

    @property
    def lists_everything(self) -> bool:
        """Whether what is in none of the pages is no longer valid at its owner (TRANSPORT-64)."""
        return self.full and self.since is None and self.module in absences.RECONCILED

    def progress(self) -> dict[str, Any]:
        """What is remembered with the lease, besides the next URL; shown to operators as well."""
        told = beginning(
            full=self.full,
            reason=self.reason,
            since=self.since,
            parties=[self.party, *self.waiting],
            limit=self.limit,
            pushed=self.pushed,
        )
        more = {"counts": dict(self.counts), "crawl": self.crawl.state()}
        return told | more

    def result(self, outcome: str) -> dict[str, Any]:
        """What is kept of the run when it has ended."""
        shown = ("kind", "reason", "since", "counts")
        told = {name: value for name, value in self.progress().items() if name in shown}
        return told | {
            "outcome": outcome,
            "started_at": self.lease.started_at.isoformat(),
            "complete": self.crawl.complete,
            "remarks": self.crawl.remarks,
        }


def parties_to_ask(partner: Connection, module: Module) -> list[Party]:
    """Each party has a list of its own, unless the platform brings all objects to whom it asks."""
    parties = owners(partner, module)
    return parties[:1] if partner.quirks.lists == "all_at_once" else parties


def page_limit(partner: Connection) -> int | None:
    limit = partner.quirks.page_limit
    if limit is None:
        return PAGE_LIMIT
    return limit or None


def beginning(
    *,
    full: bool,
    reason: str,
    since: datetime | None,
    parties: Sequence[Party],
    limit: int | None,
    pushed: bool = False,
) -> dict[str, Any]:
    """The progress of a run that has not begun yet. ``limit`` None: no page size is asked for.

    ``pushed``: the partner pushes the module, and nothing should be new.
    """
    party, *waiting = map(str, parties)
    return {
        "kind": "full" if full else "delta",
        "reason": reason,
        "since": since.isoformat() if since else None,
        "party": party,
        "waiting": waiting,
        "limit": limit,
        "pushed": pushed,
    }


def run_of(
    partner: Connection,
    module: Module,
    lease: Lease,
    *,
    progress: Mapping[str, Any],
    next_url: str | None = None,
) -> Run:
    """The run that a row of ``sync_states`` speaks of, where it was."""
    run = Run(
        partner=partner,
        module=module,
        full=progress["kind"] == "full",
        reason=progress["reason"],
        since=datetime.fromisoformat(progress["since"]) if progress["since"] else None,
        party=Party.parse(progress["party"]),
        waiting=[Party.parse(text) for text in progress["waiting"]],
        lease=lease,
        counts=Counter(progress.get("counts") or {}),
        limit=progress["limit"],
        pushed=progress.get("pushed", False),
    )
    if next_url:
        run.crawl.resume(next_url, progress.get("crawl") or {})
    return run


async def pull(parts: Parts, run: Run) -> None:
    """Go through the lists of all parties. Raises ``Broken`` and ``sync_states.Lost``."""
    while True:
        await crawl(parts, run)
        if not run.waiting:
            return
        run.party, *run.waiting = run.waiting
        complete, remarks = run.crawl.complete, run.crawl.remarks
        run.crawl = run.new_crawl()
        run.crawl.complete, run.crawl.remarks = complete, remarks
        await note(parts, run)


async def crawl(parts: Parts, run: Run) -> None:
    while run.crawl.url is not None:
        page = await fetch(parts, run, run.crawl.url)
        if not run.crawl.knows(page):
            await keep(parts, run, page.items)
        run.counts["pages"] += 1
        try:
            run.crawl.turn(page)
        except Endless as error:
            raise Broken(f"{error}.", restart=True) from None
        await note(parts, run)


async def note(parts: Parts, run: Run) -> None:
    run.noted_at = time.monotonic()
    async with parts.database.transaction(run.partner.tenant_id) as db:
        await sync_states.advance(db, run.lease, next_url=run.crawl.url, progress=run.progress())


async def fetch(parts: Parts, run: Run, url: str) -> Page:
    try:
        answer = await parts.client.call(
            run.partner,
            "GET",
            url,
            **run.routing,
            timeout=parts.page_seconds,
        )
    except (Refused, Unreachable) as error:
        raise Broken(f"{error.reason}.") from None
    if answer.ok:
        return Page.of(items_of(answer), answer.headers)
    first = run.crawl.pages == 0
    if first and run.limit is not None and complains(answer):
        # Some do not take a limit that is larger than their own.
        run.limit = None
        run.crawl = run.new_crawl()
        assert run.crawl.url is not None
        return await fetch(parts, run, run.crawl.url)
    raise Broken(
        answer.reason,
        retry_after=answer.retry_after or 0,
        restart=not first and answer.http_status in PLACE_LOST,
        gone=answer.gone,
    )


def complains(answer: Answer) -> bool:
    """Whether it says that something is wrong with the request, and not with the caller."""
    code = answer.status_code
    if code is not None:
        return 2000 <= code < 3000 and answer.http_status not in {401, 403, 404}  # noqa: PLR2004
    return answer.http_status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}


def items_of(answer: Answer) -> list[Any]:
    """The objects of a page: a list, or what comes in its place."""
    data = answer.data
    if data is None:
        return []
    if isinstance(data, list):
        wrapped = len(data) == 1 and isinstance(data[0], list)
        return data[0] if wrapped else data
    if isinstance(data, dict):
        return [data]
    raise Broken("The answer holds no list.")


async def keep(parts: Parts, run: Run, items: Sequence[Any]) -> None:
    """The objects of a page, in groups: others get their turn in between."""
    audience = await parts.directory.audience(run.partner.tenant_id)
    assert run.partner.version is not None
    version = VERSIONS[run.partner.version]
    reader = Reader(run.partner, run.party, run.module, version, audience)
    for start in range(0, len(items), LARGEST_GROUP):
        async with translation.looking_up(parts.database, run.partner.tenant_id, version) as db:
            found = await reader.read(db, items[start : start + LARGEST_GROUP])
        results = await parts.intake.keep_all(run.partner.tenant_id, found.writes)
        bad = list(found.bad)
        for write, result in zip(found.writes, results, strict=True):
            if isinstance(result, Stored):
                run.counts[result.outcome.name.lower()] += 1
            else:
                bad.append(contradiction(run, write, result))
        run.counts["objects"] += len(found.writes) + sum(found.ignored.values())
        run.counts.update(found.ignored)
        await set_aside(parts, run, bad)
        if lost := parts.losses.news(run.partner.tenant_id, found.lost):
            async with parts.database.transaction(run.partner.tenant_id) as db:
                await parts.losses.note(db, run.partner.tenant_id, lost)
        if run.lists_everything:
            await mark_listed(parts, run, found.writes, bad)
        if time.monotonic() - run.noted_at > NOTE_EVERY:
            await note(parts, run)


async def mark_listed(parts: Parts, run: Run, writes: Sequence[Write], bad: Sequence[Bad]) -> None:
    """What is listed is there, even if we would not take it."""
    refs = [one.object_ref for one in bad if one.object_ref and one.kind == run.module.kind]
    if unnamed := sum(one.object_ref is None for one in bad):
        run.counts["unnamed"] += unnamed
    keys = [write.key for write in writes] + [Key(*key_of(ref)) for ref in refs]
    async with parts.database.transaction(run.partner.tenant_id) as db:
        await absences.listed(db, run.module, keys, run.lease.started_at)


def contradiction(run: Run, write: Write, error: HubError) -> Bad:
    ref = object_ref(write.key)
    return Bad(run.module.kind, write.document, [{"field": "", "rule": str(error)}], ref)


async def set_aside(parts: Parts, run: Run, bad: Sequence[Bad]) -> None:
    if not bad:
        return
    room = max(0, MOST_KEPT_BAD - run.counts["bad"])
    run.counts["bad"] += len(bad)
    entries = [
        quarantine.entry(
            partner_id=run.partner.id,
            module=run.module.name,
            kind=one.kind,
            ocpi_version=run.partner.version or "",
            source="pull",
            body=text_of(one.item),
            errors=one.errors,
            object_ref=one.object_ref,
        )
        for one in bad[:room]
    ]
    async with parts.database.transaction(run.partner.tenant_id) as db:
        await quarantine.note_all(db, entries)
