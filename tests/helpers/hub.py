"""A whole hub on a real socket, and what an operator does with it, for end-to-end tests."""

import secrets
import socket
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from aiohttp import web
from sqlalchemy import select, text

from hub import jobs
from hub.app import make_app
from hub.db import Database
from hub.keys import ARRIVALS, CHECKER, DATABASE, DIRECTORY, KEYRING, PULLER, SENDER
from hub.models.partners import Agreement, Partner
from hub.models.values import Party, Role
from hub.ocpi.handshake import handshake, joining
from hub.roaming.network import invitations
from hub.settings import Settings
from tests.helpers import servers
from tests.helpers.partner import FakePartner

LOOPBACK = (ip_network("127.0.0.0/8"),)
# Settings of a hub that lets everything through, however fast it comes.
UNLIMITED = {"requests_per_second": 1e6, "request_burst": 1_000_000}


class RunningHub:
    """The application behind a port of its own; its tenant is given, partners join by handshake."""

    def __init__(self, database_url: str, data_dir: Path, tenant_id: UUID, **settings: Any) -> None:
        self.database_url, self.tenant_id = database_url, tenant_id
        self.settings = replace(
            Settings(
                data_dir=data_dir,
                egress_allow_cidrs=LOOPBACK,
                egress_allow_http=True,
                log_level="WARNING",
                max_body_bytes=512 * 1024,
            ),
            **settings,
        )
        self.port = 0
        self.app = web.Application()
        self._runner: web.AppRunner | None = None

    async def start(self) -> Self:
        """Serve; after a stop, on the same port again."""
        self.port = self.port or free_port()
        self.settings = replace(self.settings, port=self.port, public_url=self.url)
        self.app = make_app(self.settings, database_url=self.database_url)
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        return self

    async def stop(self) -> None:
        if self._runner is not None:
            await servers.close(self._runner)
            self._runner = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def versions_url(self) -> str:
        return f"{self.url}/ocpi/versions"

    @property
    def database(self) -> Database:
        return self.app[DATABASE]

    async def connect(self, partner: FakePartner, **configuration: Any) -> UUID:
        """Invite the partner and let it register: the shortest way to a connected platform."""
        invitation = await self.invite(partner, **configuration)
        answer = await partner.register(invitation.versions_url, invitation.token)
        assert answer.ok, answer.text
        return invitation.partner_id

    async def join(self, partner: FakePartner, **configuration: Any) -> UUID:
        """Let the hub call the partner, with a token A that the partner gave."""
        async with self.database.transaction(self.tenant_id) as db:
            partner_id = await invitations.introduce(
                db, partner.name, roles_of(partner), configuration=configuration
            )
        self.app[DIRECTORY].forget(self.tenant_id)
        versions_url, token = partner.invite()
        parts = handshake.Parts.of(self.app)
        await joining.join(parts, self.tenant_id, partner_id, versions_url, token)
        return partner_id

    async def invite(self, partner: FakePartner, **configuration: Any) -> invitations.Invitation:
        async with self.database.transaction(self.tenant_id) as db:
            invitation = await invitations.invite(
                db,
                self.app[KEYRING],
                self.url,
                partner.name,
                roles_of(partner),
                configuration=configuration,
            )
        self.app[DIRECTORY].forget(self.tenant_id)
        return invitation

    async def invite_again(self, partner: FakePartner) -> invitations.Invitation:
        async with self.database.transaction(self.tenant_id) as db:
            [partner_id] = await db.scalars(select(Partner.id).where(Partner.name == partner.name))
            invitation = await invitations.invite_again(db, self.app[KEYRING], self.url, partner_id)
        self.app[DIRECTORY].forget(self.tenant_id)
        return invitation

    async def deliver(self) -> None:
        """Everything that is due is with the tenant's partners when this returns."""
        await self.app[SENDER].drain(self.tenant_id)

    async def pull(self) -> None:
        """Everything that is due to be pulled is here, or failed, when this returns."""
        await self.begin_pull()
        await self.app[PULLER].idle()

    async def begin_pull(self) -> None:
        """What is due is under way when this returns."""
        await self.app[PULLER].look(self.tenant_id)

    async def note_arrivals(self) -> None:
        """What was pushed is written down when this returns."""
        await self.app[ARRIVALS].write()

    async def configure(self, partner_name: str, **configuration: Any) -> None:
        """Add to a partner's configuration, as an operator would."""
        async with self.database.transaction(self.tenant_id) as db:
            [partner] = await db.scalars(select(Partner).where(Partner.name == partner_name))
            partner.configuration = {**partner.configuration, **configuration}
        self.app[DIRECTORY].forget(self.tenant_id)

    async def agree(
        self,
        giver: str | None = None,
        taker: str | None = None,
        module: str | None = None,
        *,
        effect: str = "ALLOW",
    ) -> None:
        """Make an agreement, as an operator would; parties such as NL*ONE, None for anybody."""
        named: dict[str, str] = {}
        for side, party in (("from", giver), ("to", taker)):
            if party is not None:
                country, _, name = party.partition("*")
                named |= {f"{side}_country_code": country, f"{side}_party_id": name}
        async with self.database.transaction(self.tenant_id) as db:
            db.add(Agreement(**named, module=module, effect=effect))
        self.app[DIRECTORY].forget(self.tenant_id)

    async def close_network(self) -> None:
        """Let nothing through that no agreement allows, as an operator would."""
        closed = '{"features": {"default_agreement": "BLOCK"}}'
        await self.sql("update tenants set settings = cast(:closed as jsonb)", closed=closed)
        self.app[DIRECTORY].forget(self.tenant_id)

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement in the tenant; its rows, if it has any."""
        async with self.database.transaction(self.tenant_id) as db:
            result = await db.execute(text(statement), values)
            return list(result) if result.returns_rows else []

    async def check_cdrs(self) -> None:
        """Every CDR that is there has its verdict when this returns."""
        await self.app[CHECKER].drain(self.tenant_id)

    async def retry_now(self) -> None:
        """What waits for its next attempt need not wait any longer."""
        async with self.database.transaction(self.tenant_id) as db:
            await db.execute(
                text("update feed_cursors set next_attempt_at = now() - interval '1 second'")
            )
            await db.execute(
                text(
                    "update setbacks set next_attempt_at = now() - interval '1 second'"
                    " where next_attempt_at is not null"
                )
            )

    async def run(self, name: str) -> None:
        """Run a job now."""
        [job] = [job for job in jobs.JOBS if job.name == name]
        assert await jobs.run(self.app, job)


def roles_of(partner: FakePartner) -> list[tuple[Party, Role]]:
    return [(Party.of(country, party), Role(role)) for country, party, role in partner.roles]


def free_port() -> int:
    """One that is free and that the system gives to nobody else meanwhile, as it does with those
    above 32768.
    """
    while True:
        port = 15_000 + secrets.randbelow(15_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
