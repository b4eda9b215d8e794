"""Who may do what: every route as nobody, without, with and with somebody else's permission."""

import re
from uuid import uuid4

import pytest

from hub.admin.api import make_admin, operations
from hub.admin.routes import ANY_KEY, Operation, Routes
from tests.helpers.operator import Operator, every_permission

OPERATIONS = [operation for _, operation in operations()]
PERMITTED = [operation for operation in OPERATIONS if operation.permission != ANY_KEY]


def name(operation):
    return f"{operation.method} {operation.path}"


def somewhere(operation, **known):
    """The path with something in its variables that does not exist, unless it is known."""
    values = {"module": "tariffs", "number": "1", "country_code": "NL", "party_id": "ONE"} | known
    return re.sub(
        r"{(\w+)[^}]*}", lambda found: values.get(found[1]) or str(uuid4()), operation.path
    )


def body_of(operation):
    return {"json": {}} if operation.method in {"POST", "PUT", "PATCH"} else {}


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
async def test_nobody_may_do_anything(operation, hub, stack):
    nobody = await stack.enter_async_context(Operator(hub, key=None))

    said = await nobody.ask(operation.method, somewhere(operation), **body_of(operation))

    assert (said.status, said.error["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("operation", PERMITTED, ids=name)
async def test_who_lacks_the_permission_is_refused(operation, hub, make_operator):
    """T-37. All other permissions do not help; the attempt is in the audit log."""
    everything = await every_permission(hub.database, beyond_the_tenant=True)
    most = await make_operator(*everything - {operation.permission})

    said = await most.ask(operation.method, somewhere(operation), **body_of(operation))

    assert (said.status, said.error["code"]) == (403, "not_allowed")
    assert operation.permission in said.error["message"]
    reader = await make_operator("audit.read")
    [entry] = (await reader.get("/audit", action="AUTHORIZATION_FAILED")).body["items"]
    assert operation.permission in entry["description"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
async def test_who_has_the_permission_gets_past_the_check(operation, make_operator):
    somebody = await make_operator(*filter(None, [operation.permission]))

    said = await somebody.ask(operation.method, somewhere(operation), **body_of(operation))

    assert said.status in {200, 204, 400, 404}


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
async def test_permissions_end_at_the_tenant(operation, hub, tenant, make_tenant, make_operator):
    """T-36. Everything in one's own tenant is nothing in another."""
    stranger = await make_operator(
        *await every_permission(hub.database), of=await make_tenant(), acting_in=str(tenant.id)
    )

    said = await stranger.ask(operation.method, somewhere(operation), **body_of(operation))

    assert (said.status, said.error["field"]) == (403, "Hub-Tenant")


async def test_the_things_of_another_tenant_do_not_exist(
    hub, things, operator, make_tenant, make_operator
):
    """T-36. Every route with an id, with an id of somebody else: 404, and nothing has changed."""
    stranger = await make_operator(*await every_permission(hub.database), of=await make_tenant())
    ours = [one for one in OPERATIONS if "{id}" in one.path and one.path.split("/")[1] != "tenants"]
    assert {one.path.split("/")[1] for one in ours} == set(things) - {"tenants"}
    before = await everything(operator, things)

    for operation in ours:
        path = somewhere(operation, id=things[operation.path.split("/")[1]])
        said = await stranger.ask(operation.method, path, json=valid_body(operation))
        assert said.status == 404, (name(operation), said.body)

    assert await everything(operator, things) == before


def valid_body(operation):
    bodies = {
        "/partners/{id}/join": {"versions_url": "http://127.0.0.1:1/versions", "token": "a"},
        "/stations/{id}/calls": {"action": "ClearCache"},
        "/stations/{id}/start": {"uid": "TAG1"},
        "/stations/{id}/firmware": {"firmware_id": str(uuid4())},
        "/stations/{id}/certificates": {"csr": "none"},
        "/charging-profiles/{id}/apply": {"station_id": str(uuid4())},
        "/charging-profiles/{id}/clear": {"station_id": str(uuid4())},
    }
    return bodies.get(operation.path, {}) if operation.body else None


async def everything(operator, things):
    """All those things as their owner sees them."""
    shown = {}
    for kind, row_id in things.items():
        if kind not in {"feed", "tenants"}:
            shown[kind] = (await operator.get(f"/{kind}/{row_id}")).body
    shown["keys"].pop("last_used_at")
    return shown


async def test_lists_show_the_own_tenant_only(hub, things, make_tenant, make_operator):
    other = await make_tenant()
    stranger = await make_operator(*await every_permission(hub.database), of=other)
    lists = [one.path for one in OPERATIONS if one.method == "GET" and "{" not in one.path]

    answered = 0
    for path in set(lists) - {"/me", "/permissions", "/tenants"}:
        said = await stranger.get(path)
        if said.status != 403:
            answered += 1
            shown = str(said.body)
            assert not any(row_id in shown for row_id in things.values()), path
    assert answered


def test_a_route_without_a_permission_cannot_be_written():
    routes = Routes("Test")

    with pytest.raises(TypeError, match="permission"):
        routes.get("/things", answer=None)


def test_every_route_of_the_api_is_an_operation():
    """So nothing can be mounted beside the check of permissions."""
    router = make_admin().router

    assert all(isinstance(route.handler.__self__, Operation) for route in router.routes())


async def test_every_permission_is_in_the_catalogue(hub):
    known = await every_permission(hub.database, beyond_the_tenant=True)

    assert {operation.permission for operation in PERMITTED} - known == set()


async def test_an_unknown_path_says_nothing_to_nobody(hub, stack, operator):
    nobody = await stack.enter_async_context(Operator(hub, key=None))

    assert (await nobody.get("/nowhere")).status == 401
    assert (await operator.get("/nowhere")).status == 404
    assert (await operator.ask("PUT", "/partners")).error["allowed"] == ["GET"]
