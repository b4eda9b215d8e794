"""API keys: what opens the admin API, and what ends it (T-42)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from hub.models.tenants import ApiKey, Tenant
from hub.security import new_key
from tests.helpers.operator import Operator, every_permission

PAST = datetime.now(UTC) - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"expires_at": PAST}, "expired"),
        ({"revoked_at": PAST}, "revoked"),
        ({"allowed_cidrs": ["10.0.0.0/8"]}, "address"),
    ],
)
async def test_a_key_that_ended_is_refused(make_operator, columns, why):
    operator = await make_operator("partners.read", **columns)

    said = await operator.get("/partners")

    assert said.status == 401
    assert why in said.error["message"]


async def test_a_key_for_this_network_is_taken(make_operator):
    operator = await make_operator("partners.read", allowed_cidrs=["10.0.0.0/8", "127.0.0.0/8"])

    assert (await operator.get("/partners")).status == 200


@pytest.mark.parametrize("key", ["hubk_wrong", "nonsense", "", "hubk_" + "x" * 200])
async def test_a_wrong_key_is_refused(hub, stack, key):
    operator = await stack.enter_async_context(Operator(hub, key))

    said = await operator.get("/partners")

    assert said.status == 401
    assert said.error["next"]


async def test_a_key_moves_to_the_new_secret_key_when_it_is_used(hub, make_operator):
    """So the old one can be taken out: who was not here meanwhile needs another API key."""
    used, unused = await make_operator("feed.read"), await make_operator("feed.read")
    old, new = (hub.settings.data_dir / "secret-keys").read_text().strip(), new_key()

    async def restart(keys: str) -> None:
        await hub.stop()
        hub.settings = replace(hub.settings, secret_keys=keys)
        await hub.start()

    await restart(f"{new},{old}")
    both = await used.get("/me")
    await restart(new)

    assert [said.status for said in (both, await used.get("/me"))] == [200, 200]
    assert (await unused.get("/me")).status == 401


async def test_a_key_of_a_suspended_tenant_is_refused(hub, tenant, make_operator):
    operator = await make_operator("partners.read")
    async with hub.database.transaction(tenant.id) as db:
        await db.execute(update(Tenant).values(status="SUSPENDED"))

    assert (await operator.get("/partners")).status == 401


async def test_a_key_is_shown_once_and_kept_as_a_digest(hub, tenant, operator):
    made = (await operator.post("/keys", name="CI", permissions=["partners.read"])).body

    shown = await operator.get(f"/keys/{made['id']}")
    async with hub.database.transaction(tenant.id) as db:
        row = await db.scalar(select(ApiKey).where(ApiKey.id == made["id"]))
    assert made["key"].startswith("hubk_")
    assert "key" not in shown.body
    assert made["key"] not in str(vars(row))
    assert made["key"].encode() not in row.digest


async def test_a_new_key_works_at_once_and_a_revoked_one_never_again(hub, stack, operator):
    made = (await operator.post("/keys", name="CI", permissions=["partners.read"])).body
    program = await stack.enter_async_context(Operator(hub, made["key"]))
    assert (await program.get("/partners")).status == 200
    assert (await program.get("/users")).status == 403

    revoked = await operator.delete(f"/keys/{made['id']}")

    assert revoked.status == 204
    assert (await program.get("/partners")).status == 401
    assert (await operator.get(f"/keys/{made['id']}")).body["revoked_at"]


async def test_nobody_can_make_a_key_that_does_more_than_they_can(make_operator):
    """T-37."""
    operator = await make_operator("api_keys.create", "partners.read")

    said = await operator.post("/keys", name="More", permissions=["partners.read", "users.delete"])

    assert (said.status, said.error["field"]) == (403, "permissions")
    assert "users.delete" in said.error["message"]
    assert "partners.read" not in said.error["message"]


async def test_a_role_cannot_be_used_to_get_around_that(hub, operator, make_operator):
    await operator.post("/roles", name="Mighty", permissions=["users.delete"])
    weak = await make_operator("api_keys.create", "partners.read")

    said = await weak.post("/keys", name="More", role="Mighty")

    assert said.status == 403


async def test_a_key_of_a_user_never_does_more_than_the_user(hub, tenant, operator, stack):
    """Taking a role away from the user works at once, for all keys of the user."""
    role = (
        await operator.post("/roles", name="Partners", permissions=["partners.read", "feed.read"])
    ).body
    user = (await operator.post("/users", email="a@example.com", roles=["Partners"])).body
    made = await operator.post(
        "/keys", name="A's", user_id=user["id"], permissions=["partners.read", "users.read"]
    )
    program = await stack.enter_async_context(Operator(hub, made.body["key"]))

    assert (await program.get("/me")).body["permissions"] == ["partners.read"]
    assert (await program.get("/users")).status == 403
    await operator.patch(f"/roles/{role['id']}", permissions=["feed.read"])
    assert (await program.get("/partners")).status == 403
    await operator.patch(f"/users/{user['id']}", status="SUSPENDED")
    assert (await program.get("/me")).status == 401


async def test_deleting_a_user_ends_the_keys_of_the_user(hub, operator, stack):
    await operator.post("/roles", name="Partners", permissions=["partners.read"])
    user = (await operator.post("/users", email="a@example.com", roles=["Partners"])).body
    made = await operator.post("/keys", name="A's", user_id=user["id"])
    program = await stack.enter_async_context(Operator(hub, made.body["key"]))
    assert (await program.get("/partners")).status == 200

    await operator.delete(f"/users/{user['id']}")

    assert (await program.get("/partners")).status == 401


async def test_using_a_key_is_noted_but_is_no_change_of_it(hub, tenant, operator):
    await operator.get("/me")

    async with hub.database.transaction(tenant.id) as db:
        key = await db.scalar(select(ApiKey))
    assert key.last_used_at is not None
    assert key.version == 1


async def test_a_key_cannot_revoke_itself(operator):
    me = (await operator.get("/me")).body

    assert (await operator.delete(f"/keys/{me['key_id']}")).status == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "x"}, "role"),
        ({"name": "x", "role": "Nobody"}, "role"),
        ({"name": "x", "permissions": ["partners.reed"]}, "permissions"),
        ({"name": "x", "permissions": "partners.read"}, "permissions"),
        ({"name": "x", "allowed_cidrs": ["10.0.0.1/8"]}, "allowed_cidrs.0"),
        ({"name": "x", "permissions": ["partners.read"], "expires_at": "soon"}, "expires_at"),
        (
            {"name": "x", "permissions": ["partners.read"], "expires_at": "2020-01-01T00:00:00Z"},
            "expires_at",
        ),
        ({"name": "x", "user_id": "me"}, "user_id"),
        ({"name": "x", "permission": ["partners.read"]}, "permission"),
    ],
)
async def test_a_bad_key_request_names_the_field_and_what_is_allowed(operator, body, field):
    said = await operator.post("/keys", **body)

    assert (said.status, said.error["field"]) == (400, field)
    assert said.error["message"]
    assert said.error.get("allowed") or field == "role"


async def test_a_program_of_the_whole_hub_acts_in_the_tenant_it_names(
    hub, tenant, make_tenant, make_operator
):
    other = await make_tenant(domain=f"t{tenant.id}".lower(), name="Other")
    permissions = await every_permission(hub.database, beyond_the_tenant=True)
    by_id = await make_operator(*permissions, acting_in=str(other.id))
    by_domain = await make_operator(*permissions, acting_in=other.domain)
    nowhere = await make_operator(*permissions, acting_in="nowhere.example")

    assert (await by_id.get("/me")).body["tenant"]["name"] == "Other"
    assert (await by_domain.get("/me")).body["tenant"]["name"] == "Other"
    assert (await nowhere.get("/me")).status == 404


async def test_who_may_only_look_into_other_tenants_cannot_act_there(
    hub, tenant, make_tenant, make_operator
):
    other = await make_tenant()
    permissions = await every_permission(hub.database, beyond_the_tenant=True)
    watcher = await make_operator(*permissions - {"system.execute"}, acting_in=str(other.id))

    assert (await watcher.get("/partners")).status == 200
    assert (await watcher.post("/agreements", effect="BLOCK")).status == 403


async def test_guessing_keys_is_slowed_down(hub, stack, tenant):
    """Too many wrong keys from one address: 429 for a while."""
    guesser = await stack.enter_async_context(Operator(hub, "hubk_guess"))

    statuses = [(await guesser.get("/me")).status for _ in range(200)]

    assert statuses[0] == 401
    assert statuses[-1] == 429
