"""Probing partners: how each wants to be spoken to, found out once and remembered.

A partner is probed when it has registered, or has changed its version, and whenever an operator
asks. What was found is kept with the partner: its quirks are used by every call from then on, the
report is for people (``conformance.probe``). An operator's settings go before what was found.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, or_, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.background import ended
from hub.conformance.probe import PartnerCaller, probe
from hub.conformance.subject import Subject, Unusable
from hub.db import Database
from hub.errors import Unavailable
from hub.models.partners import Partner
from hub.models.values import ConnectionStatus, Role
from hub.ocpi import presence
from hub.ocpi.client import origins_of
from hub.ocpi.directory import Directory
from hub.ocpi.outbound import Outbound, Refused, Unreachable
from hub.ocpi.versions import VERSIONS
from hub.roaming.network.partners import Connection, token_place
from hub.roaming.pulls.sync_terms import reachable
from hub.security import Keyring, Undecipherable

log = structlog.get_logger()

# Seconds for one request, and for everything.
REQUEST = 10.0
EVERYTHING = 100.0
MOST_AT_ONCE = 4
# A probe that ended without a report was cut off: after this it is begun again.
FORGOTTEN = "interval '1 hour'"


class Prober:
    """One per process; of all processes one probes a partner."""

    def __init__(
        self, database: Database, outbound: Outbound, keyring: Keyring, directory: Directory
    ) -> None:
        self._database = database
        self._outbound = outbound
        self._keyring = keyring
        self._directory = directory
        self._tasks: set[asyncio.Task[None]] = set()

    async def look(self, *tenant_ids: UUID) -> None:
        """Begin to probe those who have not been, in these tenants or in all."""
        wanted = tenant_ids or await presence.tenants(self._database, ConnectionStatus.CONNECTED)
        for tenant_id in wanted:
            for partner in await self._directory.connections(tenant_id):
                if len(self._tasks) >= MOST_AT_ONCE:
                    return
                if partner.settings.probe and reachable(partner) and await self._claim(partner):
                    task = asyncio.create_task(self._probe(partner))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        await ended(*self._tasks)

    async def probe(self, partner: Connection, *, whole: bool) -> dict[str, Any]:
        """Probe a partner now and keep what was found. What went wrong is in ``error``."""
        try:
            async with asyncio.timeout(EVERYTHING):
                profile = await self._examine(partner, whole=whole)
        except (Unusable, Refused, Unreachable, Undecipherable) as error:
            profile = {"error": f"{error}", "whole": whole}
        except TimeoutError:
            profile = {"error": f"It took longer than {EVERYTHING:g} s.", "whole": whole}
        profile.setdefault("at", datetime.now(UTC).isoformat(timespec="seconds"))
        async with self._database.transaction(partner.tenant_id) as db:
            await keep(db, partner.id, profile)
        self._directory.forget(partner.tenant_id)
        return profile

    async def _claim(self, partner: Connection) -> bool:
        if partner.version not in VERSIONS:
            return False
        unprobed = or_(
            Partner.probed_at.is_(None),
            Partner.profile.is_(None) & (Partner.probed_at < func.now() - text(FORGOTTEN)),
        )
        async with self._database.transaction(partner.tenant_id) as db:
            claimed = await db.scalar(
                update(Partner)
                .where(Partner.id == partner.id, unprobed)
                # No change of the partner: everything that is cached of it stays true.
                .values(probed_at=func.now(), updated_at=Partner.updated_at)
                .returning(Partner.id)
            )
        return claimed is not None

    async def _probe(self, partner: Connection) -> None:
        try:
            profile = await self.probe(partner, whole=False)
        except Unavailable:
            log.warning("probe could not be kept and is made again", partner=str(partner.id))
        except Exception:
            log.exception("probe failed", partner=str(partner.id))
        else:
            log.info(
                "partner probed",
                partner=str(partner.id),
                quirks=profile.get("quirks"),
                findings=len(profile.get("findings", ())),
                error=profile.get("error"),
            )

    async def _examine(self, partner: Connection, *, whole: bool) -> dict[str, Any]:
        if partner.token_to_send is None or partner.versions_url is None:
            raise Unusable(f"{partner.name} is not registered.")
        caller = PartnerCaller(
            self._outbound, timeout=REQUEST, origins=origins_of(partner), pool=str(partner.id)
        )
        subject = Subject(
            caller=caller,
            versions_url=partner.versions_url,
            token_a=self._keyring.decrypt(partner.token_to_send, context=token_place(partner.id)),
            party=partner.hub,
            roles=(Role.HUB,),
            routed=True,
            form=partner.token_form_sent,
        )
        return await probe(subject, caller, version=partner.version, whole=whole)


async def keep(db: AsyncSession, partner_id: UUID, profile: dict[str, Any]) -> None:
    """A probe that found nothing out does not forget what was found before."""
    values: dict[str, Any] = {"profile": profile, "probed_at": func.now()}
    if "quirks" in profile:
        values |= {"quirks": profile["quirks"], "version": Partner.version + 1}
    await db.execute(update(Partner).where(Partner.id == partner_id).values(**values))
