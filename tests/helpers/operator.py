"""An operator with an API key, speaking to the admin API of a running hub."""

from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID, uuid4

import aiohttp
from sqlalchemy import select

from hub.admin.keys import make_key
from hub.db import Database
from hub.keys import KEYRING
from hub.models.tenants import Permission
from tests.helpers.hub import RunningHub


@dataclass(frozen=True)
class Said:
    """What the hub said: the HTTP status and the body."""

    status: int
    body: Any
    headers: Any

    @property
    def error(self) -> dict[str, Any]:
        return self.body["error"]


class Operator:
    """``await operator.get("/partners")``; ``tenant`` names another tenant to act in."""

    def __init__(self, hub: RunningHub, key: str | None, *, tenant: str = "") -> None:
        self.hub, self.key, self.tenant = hub, key, tenant

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def get(self, path: str, **query: Any) -> Said:
        return await self.ask("GET", path, params=query)

    async def post(self, path: str, **body: Any) -> Said:
        return await self.ask("POST", path, json=body)

    async def patch(self, path: str, headers: dict[str, str] | None = None, **body: Any) -> Said:
        return await self.ask("PATCH", path, json=body, headers=headers)

    async def delete(self, path: str, headers: dict[str, str] | None = None) -> Said:
        return await self.ask("DELETE", path, headers=headers)

    async def ask(self, method: str, path: str, **options: Any) -> Said:
        headers = dict(options.pop("headers", None) or {})
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        if self.tenant:
            headers["Hub-Tenant"] = self.tenant
        url = f"{self.hub.url}/admin/v1{path}"
        async with self.session.request(method, url, headers=headers, **options) as response:
            body = await response.json() if response.content_type == "application/json" else None
            return Said(response.status, body, response.headers)


async def every_permission(database: Database, *, beyond_the_tenant: bool = False) -> set[str]:
    """All names in the catalogue; those that reach beyond a tenant only when asked for."""
    async with database.platform() as db:
        rows = await db.execute(select(Permission.name, Permission.scope))
    return {name for name, scope in rows if beyond_the_tenant or scope != "GLOBAL"}


async def api_key(hub: RunningHub, permissions: set[str], tenant_id: UUID, **columns: Any) -> str:
    """A key with exactly these permissions."""
    values = {"name": f"key {uuid4()}", "permissions": sorted(permissions)} | columns
    key, secret = make_key(hub.app[KEYRING], **values)
    async with hub.database.transaction(tenant_id) as db:
        db.add(key)
    return secret
