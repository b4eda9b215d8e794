"""After everything was pulled: what becomes of objects that were in no page (TRANSPORT-64).

The rules are in ``roaming.absences``. Here is what needs the other side and the door in: a location
is asked for by itself before it is withdrawn, for its owner may list only some; and withdrawing is
a write like any other, so that everybody concerned is told.
"""

from dataclasses import replace
from http import HTTPStatus

import structlog

from hub import codec
from hub.models.values import InterfaceRole, Party
from hub.ocpi.client import Answer, Refused, Unreachable, url_at
from hub.ocpi.pulls.sync import Parts, Run
from hub.roaming.feed.changes import key_of
from hub.roaming.modules import LOCATIONS
from hub.roaming.pulls import absences
from hub.roaming.pulls.sync_terms import Terms, owners
from hub.roaming.store import listing
from hub.roaming.store.rows import Key
from hub.roaming.store.writes import Stored, Write

log = structlog.get_logger()

GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
NOT_BELIEVED = "{gone} of {kept} objects are in no page: too many to be believed."


async def reconcile(parts: Parts, run: Run) -> None:
    """Put on record what is missing, and withdraw what was missed before."""
    if not run.lists_everything or not run.crawl.complete or run.counts["unnamed"]:
        return
    partner, module, at = run.partner, run.module, run.lease.started_at
    async with parts.database.transaction(partner.tenant_id) as db:
        gone, kept = await absences.missing(db, partner.id, module, owners(partner, module), at)
        refs = ["/".join(key) for key in gone]
        await absences.note(db, partner.id, module, refs, at)
        due = await absences.due(db, partner.id, module)
    if gone:
        run.counts["missing"] = len(gone)
        log.info("objects are listed no longer", partner=str(partner.id), module=module.name)
    if not absences.believable(len(gone), kept):
        run.crawl.remarks.append(NOT_BELIEVED.format(gone=len(gone), kept=kept))
        log.warning("too much is missing", partner=str(partner.id), module=module.name)
        return
    if not Terms.of(partner, module).withdraw:
        return
    for ref in due:
        await withdraw(parts, run, ref)


async def withdraw(parts: Parts, run: Run, ref: str) -> None:
    key = Key(*key_of(ref))
    if run.module is LOCATIONS and (why := await still_there(parts, run, key)):
        async with parts.database.transaction(run.partner.tenant_id) as db:
            await absences.kept(db, run.partner.id, run.module, ref, why)
        return
    write = await withdrawal(parts, run, key)
    if write is None:
        return
    [result] = await parts.intake.keep_all(run.partner.tenant_id, [write])
    async with parts.database.transaction(run.partner.tenant_id) as db:
        if isinstance(result, Stored):
            run.counts["withdrawn"] += 1
            await absences.withdrawn(db, run.partner.id, run.module, ref)
        else:
            await absences.kept(db, run.partner.id, run.module, ref, str(result))


async def still_there(parts: Parts, run: Run, key: Key) -> str | None:
    """Why a location is not to be taken for gone: only an answer that says so will do."""
    endpoint = run.partner.endpoint(run.module.name, InterfaceRole.SENDER)
    object_id = await object_id_of(parts, run, key)
    if endpoint is None or object_id is None:
        return "It cannot be asked for by itself."
    try:
        answer = await parts.client.call(
            run.partner,
            "GET",
            url_at(run.partner, endpoint, object_id),
            **(run.routing and {**run.routing, "to": Party(key.country_code, key.party_id)}),
            timeout=parts.page_seconds,
        )
    except (Refused, Unreachable) as error:
        return f"Asked for by itself: {error.reason}."
    if says_gone(answer):
        return None
    return f"Asked for by itself, the answer was {answer.reason if not answer.ok else 'OK'}."


def says_gone(answer: Answer) -> bool:
    """404 is how OCPI says it (TRANSPORT-82); some say it in HTTP 200, with code 2003."""
    return answer.http_status in GONE or answer.status_code == 2003  # noqa: PLR2004


async def object_id_of(parts: Parts, run: Run, key: Key) -> str | None:
    async with parts.database.transaction(run.partner.tenant_id) as db:
        kept = await listing.get(db, run.module, key)
    return kept.object_id if kept else None


async def withdrawal(parts: Parts, run: Run, key: Key) -> Write | None:
    """The write that takes the object away: a tariff is deleted, a location loses its EVSEs."""
    async with parts.database.transaction(run.partner.tenant_id) as db:
        kept = await listing.get(db, run.module, key)
    if kept is None:
        return None
    write = Write(
        run.module,
        "DELETE",
        Party(key.country_code, key.party_id),
        kept.object_id,
        partner_id=run.partner.id,
    )
    if run.module is not LOCATIONS:
        return write
    document = codec.read_stored(kept.text)
    return replace(write, method="PUT", document={**document, "evses": []})
