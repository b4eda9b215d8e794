"""Who is calling: from an Authorization header to a partner, without asking the database each time.

Everything about a tenant's network is kept in memory and checked once a second by one cheap query:
the number of its partners and agreements, and when they or the tenant last changed. Only then is it
read again. So a token that is revoked by another process works for at most a second longer (T-18),
and in the process that revoked it not at all: whoever changes partners says ``forget``.

Whatever changes a partner's roles, endpoints or tokens must touch its row (``partners.touch``).
"""

import asyncio
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Forbidden, Unauthorized
from hub.models.partners import Agreement, Partner, PartnerToken
from hub.models.tenants import Tenant
from hub.models.values import ConnectionStatus
from hub.roaming import cursors
from hub.roaming.network import agreements, partners, registration
from hub.roaming.network.audience import Audience
from hub.roaming.network.partners import Connection
from hub.security import Keyring, token_readings

log = structlog.get_logger()

MAX_AGE = 1.0
# Seconds between two notes in the database that a partner was seen, while nothing waits for it.
SEEN_EVERY = 30.0
CHALLENGE = {"WWW-Authenticate": "Token"}
# Headers that are understood without reading them again.
REMEMBERED = 4096


@dataclass(frozen=True)
class Network:
    """One tenant's network as of one moment; ``stamp`` tells whether it has changed since."""

    stamp: tuple[Any, ...]
    audience: Audience
    tokens: Mapping[bytes, PartnerToken]
    # Partners whose deliveries failed: their next request ends the waiting.
    waiting: frozenset[UUID]
    # The server's time when it was read, to judge tokens that expire, and ours.
    clock: datetime
    read_at: float
    # Connections as they are to requests, by the token's digest and how it was written.
    admitted: dict[tuple[bytes, str], Connection] = field(default_factory=dict)

    def valid(self, token: PartnerToken) -> bool:
        if token.expires_at is None:
            return True
        passed = time.monotonic() - self.read_at
        return (token.expires_at - self.clock).total_seconds() > passed

    def admit(self, token: PartnerToken, form: str) -> Connection | None:
        """The connection of one request; Forbidden where the operator has shut the partner out."""
        known = self.admitted.get((token.digest, form))
        if known is not None:
            return known
        for connection in self.audience.connections:
            if connection.id == token.partner_id:
                admitted = as_called(connection, token, form)
                self.admitted[token.digest, form] = admitted
                return admitted
        return None


class Directory:
    """The partners of all tenants, no older than a second."""

    def __init__(self, database: Database, keyring: Keyring, *, max_age: float = MAX_AGE) -> None:
        self._database = database
        self._keyring = keyring
        self._max_age = max_age
        self._networks: dict[UUID, Network] = {}
        self._checked: dict[UUID, float] = {}
        self._loading: dict[UUID, asyncio.Task[Network]] = {}
        self._tenants: dict[bytes, UUID] = {}
        # A partner sends the same header every time, and its digest costs more than to find it.
        self._readings = lru_cache(maxsize=REMEMBERED)(self._read_header)
        self._seen: dict[UUID, float] = {}
        self._noting: dict[UUID, asyncio.Task[None]] = {}
        self.on_return: Callable[[UUID], None] = lambda tenant_id: None

    async def authenticate(
        self, header: str, *, guessing: Callable[[], None] = lambda: None
    ) -> Connection:
        """The partner that an Authorization header stands for, raises ``Unauthorized``.

        The token is read as base64 and as it is (TRANSPORT-34); a reading counts only if it is a
        token as a whole, so one that happens to be another's base64 is not taken for it (T-15).
        ``guessing`` is called before a token is looked up that was not seen before: it may refuse.
        """
        readings = self._readings(header)
        if not any(digest in self._tenants for _, digest in readings):
            guessing()
        for form, digest in readings:
            found = await self._find(digest, form)
            if found is not None:
                return found
        if not readings:
            raise Unauthorized(
                "The Authorization header must be: Token, one space, your token in base64.",
                headers=CHALLENGE,
            )
        raise Unauthorized("The token is unknown, used up or expired.", headers=CHALLENGE)

    async def connections(self, tenant_id: UUID) -> tuple[Connection, ...]:
        return (await self._network(tenant_id)).audience.connections

    async def audience(self, tenant_id: UUID) -> Audience:
        return (await self._network(tenant_id)).audience

    def forget(self, tenant_id: UUID) -> None:
        """Something about the tenant's partners was changed just now: read it again."""
        self._networks.pop(tenant_id, None)
        self._checked.pop(tenant_id, None)
        self._loading.pop(tenant_id, None)

    def seen(self, partner: Connection) -> "asyncio.Task[None] | None":
        """Note that the partner called. Returns the task that does it, if there was need for one.

        Only for requests that a partner makes of its own accord: reading versions may be a call
        back in the middle of a handshake, and proves nothing (``registration``).
        """
        network = self._networks.get(partner.tenant_id)
        urgent = (
            partner.token_unproven
            or partner.connection_status == ConnectionStatus.OFFLINE
            or partner.token_form != partner.token_form_seen
            or (network is not None and partner.id in network.waiting)
        )
        now = time.monotonic()
        if partner.id in self._noting:
            return self._noting[partner.id]
        if not urgent and now - self._seen.get(partner.id, -SEEN_EVERY) < SEEN_EVERY:
            return None
        self._seen[partner.id] = now
        task = asyncio.create_task(self._note(partner))
        self._noting[partner.id] = task
        task.add_done_callback(lambda _: self._noting.pop(partner.id, None))
        return task

    async def close(self) -> None:
        """Wait for what is being read and written; the database must still be open."""
        under_way = (*self._noting.values(), *self._loading.values())
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _note(self, partner: Connection) -> None:
        try:
            async with self._database.transaction(partner.tenant_id) as db:
                if partner.token_unproven:
                    await registration.lock(db, partner.id)
                returned = await partners.seen(db, partner.id, form=partner.token_form)
                if partner.token_unproven and partner.token_id is not None:
                    await registration.confirmed(db, partner.id, partner.token_id)
        except Exception:
            # The request itself goes on; the next one tries again.
            self._seen.pop(partner.id, None)
            log.exception("partner could not be noted as seen", partner=str(partner.id))
            return
        if returned or partner.token_unproven:
            self.forget(partner.tenant_id)
        if returned:
            self.on_return(partner.tenant_id)

    def _read_header(self, header: str) -> tuple[tuple[str, bytes], ...]:
        """What a header may mean, likeliest first: how the token is written and its digest."""
        return tuple(
            (form, digest)
            for form, token in token_readings(header)
            for digest in self._keyring.digests(token)
        )

    async def _find(self, digest: bytes, form: str) -> Connection | None:
        tenant_id = self._tenants.get(digest)
        if tenant_id is None:
            async with self._database.platform() as db:
                tenant_id = await partners.by_token(db, digest)
            if tenant_id is None:
                return None
        network = await self._network(tenant_id, digest=digest)
        token = network.tokens.get(digest)
        if (
            token is None
            or not hmac.compare_digest(token.digest, digest)
            or not network.valid(token)
        ):
            self._tenants.pop(digest, None)
            return None
        self._tenants[digest] = tenant_id
        return network.admit(token, form)

    async def _network(self, tenant_id: UUID, *, digest: bytes | None = None) -> Network:
        """The network, read at most ``max_age`` ago; whoever asks meanwhile waits for one reading.

        A ``digest`` that was just found to be the tenant's must be in it.
        """
        network = self._networks.get(tenant_id)
        age = time.monotonic() - self._checked.get(tenant_id, -self._max_age)
        known = digest is None or digest in self._tenants
        if network is not None and age < self._max_age and (known or digest in network.tokens):
            return network
        task = self._loading.get(tenant_id)
        if task is None:
            task = asyncio.create_task(self._read(tenant_id, network))
            self._loading[tenant_id] = task
        return await asyncio.shield(task)

    async def _read(self, tenant_id: UUID, known: Network | None) -> Network:
        started = time.monotonic()
        this = asyncio.current_task()
        try:
            async with self._database.transaction(tenant_id) as db:
                network = await read_network(db, known)
        finally:
            current = self._loading.get(tenant_id) is this
            if current:
                del self._loading[tenant_id]
        if current:
            # Else somebody said ``forget`` meanwhile: what was read may be from before the change.
            self._networks[tenant_id] = network
            self._checked[tenant_id] = started
        return network


async def read_network(db: AsyncSession, known: Network | None) -> Network:
    """The network, or the known one where nothing changed but perhaps who is waiting."""
    stamp = await read_stamp(db)
    waiting = await cursors.waiting(db)
    if known is not None and known.stamp == stamp:
        return replace(known, waiting=waiting)
    tokens = await db.scalars(select(PartnerToken))
    return Network(
        stamp=stamp,
        audience=await agreements.audience(db),
        tokens={token.digest: token for token in tokens},
        waiting=waiting,
        clock=(await db.scalars(select(func.clock_timestamp()))).one(),
        read_at=time.monotonic(),
    )


async def read_stamp(db: AsyncSession) -> tuple[Any, ...]:
    """Changes with every change of a partner, an agreement or the tenant, in whatever order they
    commit.
    """
    stamp: list[Any] = []
    for table in (Partner, Agreement, Tenant):
        seconds = func.extract("epoch", table.updated_at)
        row = (await db.execute(select(func.count(), func.sum(seconds)).select_from(table))).one()
        stamp += row
    return tuple(stamp)


def as_called(connection: Connection, token: PartnerToken, form: str) -> Connection:
    """The connection as it is to a request with this token, unless the partner is shut out."""
    if connection.shut_out:
        raise Forbidden("This platform is suspended; ask the operator of the hub.")
    return replace(
        connection,
        token_kind=token.kind,
        token_id=token.id,
        token_form=form,
        token_unproven=token.kind == "C" and token.first_used_at is None,
    )
