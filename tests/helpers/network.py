"""The sending half of a hub: a tenant, partners that are registered, and what they are to be told.

Partners are written into the database, so that tests of deliveries need neither the hub's own HTTP
side nor a handshake. Several senders on one database stand for several processes.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Self
from uuid import UUID

from sqlalchemy import text

from hub.db import Database
from hub.models.partners import Agreement, Partner, PartnerEndpoint, PartnerRole
from hub.models.values import ConnectionStatus, PartnerStatus, Party
from hub.ocpi.client import Client
from hub.ocpi.delivery.sender import Sender
from hub.ocpi.directory import Directory
from hub.ocpi.outbound import Outbound
from hub.ocpi.pulls.puller import Puller
from hub.ocpi.pulls.sync import Parts
from hub.ocpi.versions import same_since
from hub.roaming.modules import MODULES
from hub.roaming.network.partners import token_place
from hub.roaming.store import objects
from hub.roaming.store.intake import Intake
from hub.roaming.store.writes import Stored, Write
from hub.security import Keyring, new_key
from hub.settings import Settings
from tests.helpers.partner import FakePartner
from tests.helpers.partner_server import INTERFACES

ROOT = Path(__file__).parents[2]

CPO = Party("NL", "ONE")
EMSP = Party("DE", "TWO")
# Seconds: longer than a busy machine lets a well-behaved partner wait.
PATIENCE = 20.0


class Network:
    """``sender`` does not run by itself: ``deliver`` has it send everything that is due."""

    def __init__(
        self, database_url: str, tenant_id: UUID, *, keys: str | None = None, **settings: Any
    ) -> None:
        self.database_url, self.tenant_id = database_url, tenant_id
        self.keys = keys or new_key()
        self.settings = replace(
            Settings(
                egress_allow_cidrs=(ip_network("127.0.0.0/8"),),
                egress_allow_http=True,
                forward_timeout=PATIENCE,
            ),
            **settings,
        )
        self._close: list[Callable[[], Awaitable[None]]] = []

    @asynccontextmanager
    async def process(self, module: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """One more process, which runs a module of ours; killed at the end, if it still lives."""
        arguments = (self.database_url, str(self.tenant_id), self.keys)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *arguments), cwd=ROOT
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def start(self) -> Self:
        self.database = Database(self.database_url)
        self._close.append(self.database.close)
        self.keyring = Keyring.from_text(self.keys)
        self.outbound = Outbound(self.settings)
        self._close.append(self.outbound.close)
        self.client = Client(self.outbound, self.keyring, self.settings)
        self.directory = Directory(self.database, self.keyring, max_age=0)
        self.sender = self.another_sender()
        self.puller = self.another_puller()
        return self

    async def stop(self) -> None:
        for close in reversed(self._close):
            await close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def another_sender(self) -> Sender:
        """One more worker, as in another process."""
        sender = Sender(self.database, self.client, self.settings, self.directory)
        self._close.append(sender.stop)
        return sender

    def another_puller(self, *, page_seconds: float = PATIENCE) -> Puller:
        """One more of those who pull, as in another process."""
        intake = Intake(self.database, same_since)
        parts = Parts(self.database, self.client, self.directory, intake, page_seconds)
        puller = Puller(parts)
        self._close += [intake.close, puller.stop]
        return puller

    async def pull(self) -> None:
        """Everything that is due to be pulled is here, or failed, when this returns."""
        await self.puller.look(self.tenant_id)
        await self.puller.idle()

    # Partners.

    async def connect(
        self, partner: FakePartner, *, version: str = "2.2.1", **columns: Any
    ) -> UUID:
        """Write a registered partner into the database; ``columns`` as in ``Partner``."""
        token = token_urlsafe(32)
        partner.tokens.accepted[token] = "C"
        partner.version = version
        async with self.database.transaction(self.tenant_id) as db:
            row = Partner(
                **{
                    "name": partner.name,
                    "status": PartnerStatus.ACTIVE,
                    "connection_status": ConnectionStatus.CONNECTED,
                    "versions_url": partner.versions_url,
                    "ocpi_version": version,
                    "configuration": {},
                }
                | columns
            )
            db.add(row)
            await db.flush()
            row.token_to_send = self.keyring.encrypt(token, context=token_place(row.id))
            for country_code, party_id, role in partner.roles:
                db.add(
                    PartnerRole(
                        partner_id=row.id,
                        country_code=country_code,
                        party_id=party_id,
                        role=role,
                        approved=True,
                        declared=True,
                    )
                )
            for module, interface in INTERFACES:
                if (module, interface) not in partner.without_modules:
                    path = module if module == "credentials" else f"{interface.lower()}/{module}"
                    url = f"{partner.base_url}/{version}/{path}"
                    db.add(
                        PartnerEndpoint(
                            partner_id=row.id, identifier=module, role=interface, url=url
                        )
                    )
        self.directory.forget(self.tenant_id)
        return row.id

    async def agree(self, **columns: Any) -> None:
        async with self.database.transaction(self.tenant_id) as db:
            db.add(Agreement(**columns))
        self.directory.forget(self.tenant_id)

    # Changes.

    async def put(self, module: str, document: Any, **options: Any) -> Stored:
        """Keep an object as if its owner had pushed it; ``options`` as in ``Write``."""
        return await self.write(change(module, document, **options))

    async def put_evse(self, location: Any, evse: Any, **options: Any) -> Stored:
        return await self.write(
            replace(change("locations", location, **options), document=evse, evse_uid=evse["uid"])
        )

    async def write(self, *writes: Write) -> Stored:
        async with self.database.transaction(self.tenant_id) as db:
            results = await objects.apply(db, writes, same_since=same_since)
        for result in results:
            assert isinstance(result, Stored), result
        return results[0]

    # Deliveries.

    async def deliver(self) -> None:
        await self.sender.drain(self.tenant_id)

    async def retry_now(self) -> None:
        """Nothing waits for its next attempt any longer."""
        past = "now() - interval '1 second'"
        await self.run(f"update feed_cursors set next_attempt_at = {past}")
        await self.run(
            f"update setbacks set next_attempt_at = {past} where next_attempt_at > now()"
        )

    async def run(self, statement: str, **values: Any) -> None:
        async with self.database.transaction(self.tenant_id) as db:
            await db.execute(text(statement), values)
        self.directory.forget(self.tenant_id)

    async def rows(self, query: str, **values: Any) -> list[Any]:
        async with self.database.transaction(self.tenant_id) as db:
            return list(await db.execute(text(query), values))

    async def cursor(self, partner_id: UUID, module: str) -> Any:
        [row] = await self.rows(
            "select *, next_attempt_at - now() as wait from feed_cursors"
            " where partner_id = :partner_id and module = :module",
            partner_id=partner_id,
            module=module,
        )
        return row

    async def setbacks(self) -> list[Any]:
        return await self.rows("select * from setbacks order by object_ref, party")


def change(module: str, document: Any, *, method: str | None = None, **options: Any) -> Write:
    chosen = MODULES[module]
    owner = Party.of(document["country_code"], document["party_id"])
    if chosen.record:
        method = method or "POST"
    if module == "tokens":
        options.setdefault("token_type", document["type"])
    return Write(
        chosen, method or "PUT", owner, document[chosen.id_field], dict(document), **options
    )


def paths(partner: FakePartner) -> list[str]:
    return [push.path for push in partner.received]
