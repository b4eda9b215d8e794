"""Tenants, users and roles: who is there, and that nobody can lock everybody out."""

from uuid import uuid4

import pytest

from tests.helpers.documents import tariff
from tests.helpers.operator import every_permission


@pytest.fixture
async def owner(hub, make_operator):
    """Who runs the hub as a whole."""
    return await make_operator(*await every_permission(hub.database, beyond_the_tenant=True))


async def test_a_new_tenant_has_the_system_roles_and_nothing_else(owner, hub, make_operator):
    made = await owner.post("/tenants", name="North", party="no*hub", domain=f"d{uuid4().hex}")
    owner.tenant = made.body["id"]

    roles = (await owner.get("/roles")).body["items"]

    assert (made.status, made.body["party"]) == (201, "NO*HUB")
    assert {role["name"] for role in roles} == {"Administrator", "Operator", "Viewer"}
    [administrator] = [role for role in roles if role["name"] == "Administrator"]
    assert not any(
        name.startswith(("tenants.", "system.")) for name in administrator["permissions"]
    )
    assert (await owner.get("/partners")).body["items"] == []
    [entry] = (await owner.get("/audit", entity_type="tenant")).body["items"]
    assert entry["action"] == "CREATE"


async def test_a_tenant_is_changed_and_ended_from_outside(
    owner, tenant, make_tenant, make_operator
):
    other = await make_tenant()
    member = await make_operator("partners.read", of=other)

    changed = await owner.patch(f"/tenants/{other.id}", name="New name", party="BE*HUB")
    ended = await owner.patch(f"/tenants/{other.id}", status="SUSPENDED")
    own = await owner.patch(f"/tenants/{tenant.id}", status="SUSPENDED")

    assert (changed.body["name"], changed.body["party"]) == ("New name", "BE*HUB")
    assert ended.body["status"] == "SUSPENDED"
    assert (await member.get("/partners")).status == 401
    assert (own.status, own.error["field"]) == (400, "status")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "X"}, "party"),
        ({"name": "X", "party": "HUB"}, "party"),
        ({"name": "X", "party": "NL*HUB", "cpo_party": "NL*HUB"}, "cpo_party"),
        ({"name": "X", "party": "NL*HUB", "domain": "No Domain"}, "domain"),
        ({"name": "X", "party": "NL*HUB", "settings": {"colour": "red"}}, "settings.colour"),
        ({"name": "X", "party": "NL*HUB", "status": "ACTIVE"}, "status"),
    ],
)
async def test_a_bad_tenant_names_the_field(owner, body, field):
    said = await owner.post("/tenants", **body)

    assert (said.status, said.error["field"]) == (400, field)


async def test_the_party_of_the_stations_stays_while_it_owns_something(owner, cpo, tenant):
    """HUB-07: nor can it be a partner's, or the hub's."""
    path = f"/tenants/{tenant.id}"
    free = await owner.patch(path, cpo_party="NL*NEW")
    await owner.ask("PUT", "/objects/tariffs/NL/NEW/T1", json=tariff(party_id="NEW", id="T1"))

    owned = await owner.patch(path, cpo_party="NL*OWN")
    none = await owner.patch(path, cpo_party=None)
    same = await owner.patch(path, cpo_party="NL*NEW", name="Another name")

    assert (free.status, free.body["cpo_party"]) == (200, "NL*NEW")
    assert (owned.status, owned.error["field"]) == (409, "cpo_party")
    assert (none.status, same.status) == (409, 200)


async def test_the_party_of_a_partner_is_not_for_stations(owner, cpo, tenant):
    said = await owner.patch(f"/tenants/{tenant.id}", cpo_party="NL*ONE")

    assert (said.status, said.error["field"]) == (409, "cpo_party")


async def test_two_tenants_cannot_have_one_domain(owner):
    domain = f"d{uuid4().hex}"
    await owner.post("/tenants", name="A", party="NL*HUB", domain=domain)

    said = await owner.post("/tenants", name="B", party="NL*HUB", domain=domain)

    assert (said.status, said.error["field"]) == (409, "domain")


async def test_a_user_has_roles_and_what_they_permit(operator):
    await operator.post("/roles", name="Readers", permissions=["partners.read"])

    made = await operator.post("/users", email="Ada@Example.com", roles=["Readers"])
    shown = await operator.get(f"/users/{made.body['id']}")

    assert (made.status, shown.body["email"]) == (201, "ada@example.com")
    assert shown.body["roles"] == ["Readers"]
    assert "password_hash" not in shown.body


async def test_nobody_gives_or_takes_what_they_do_not_have(operator, make_operator):
    """T-37: neither by a role of their own, by one that is there, or by changing the mighty."""
    await operator.post("/roles", name="Mighty", permissions=["users.update", "users.delete"])
    mighty = (await operator.post("/users", email="m@example.com", roles=["Mighty"])).body
    weak = await make_operator(
        "roles.create", "roles.update", "users.create", "users.update", "roles.read"
    )
    own = (await weak.post("/roles", name="Own", permissions=["roles.read"])).body

    attempts = [
        await weak.post("/roles", name="More", permissions=["users.delete"]),
        await weak.patch(f"/roles/{own['id']}", permissions=["users.delete"]),
        await weak.post("/users", email="n@example.com", roles=["Mighty"]),
        await weak.patch(f"/users/{mighty['id']}", email="mine@example.com"),
    ]

    assert [said.status for said in attempts] == [403] * 4
    assert all("users.delete" in said.error["message"] for said in attempts)


async def test_the_last_user_who_may_change_users_stays(operator):
    role = await operator.post("/roles", name="Keepers", permissions=["users.update"])
    first = (await operator.post("/users", email="a@example.com", roles=["Keepers"])).body

    attempts = [
        await operator.patch(f"/users/{first['id']}", status="SUSPENDED"),
        await operator.patch(f"/users/{first['id']}", roles=[]),
        await operator.delete(f"/users/{first['id']}"),
    ]
    assert [said.status for said in attempts] == [409] * 3
    assert (await operator.get(f"/users/{first['id']}")).body["roles"] == ["Keepers"]

    await operator.post("/users", email="b@example.com", roles=[role.body["name"]])
    assert (await operator.delete(f"/users/{first['id']}")).status == 204


async def test_the_last_keeper_is_not_locked_out_by_way_of_the_role(operator):
    role = (await operator.post("/roles", name="Keepers", permissions=["users.update"])).body
    await operator.post("/users", email="a@example.com", roles=["Keepers"])

    emptied = await operator.patch(f"/roles/{role['id']}", permissions=[])
    deleted = await operator.delete(f"/roles/{role['id']}")

    assert (emptied.status, deleted.status) == (409, 409)


async def test_system_roles_stay_as_they_are(owner):
    owner.tenant = (await owner.post("/tenants", name="North", party="NO*HUB")).body["id"]
    role = (await owner.get("/roles")).body["items"][0]

    changed = await owner.patch(f"/roles/{role['id']}", permissions=[])
    deleted = await owner.delete(f"/roles/{role['id']}")

    assert (changed.status, deleted.status) == (409, 409)


async def test_every_change_of_a_role_counts_as_one(operator):
    role = (await operator.post("/roles", name="Readers", permissions=["partners.read"])).body

    changed = await operator.patch(f"/roles/{role['id']}", permissions=["feed.read"])
    late = await operator.patch(
        f"/roles/{role['id']}", headers={"If-Match": f'"{role["version"]}"'}, name="Late"
    )

    assert changed.body["version"] == role["version"] + 1
    assert late.status == 412
    [update, _create] = (await operator.get("/audit", entity_id=role["id"])).body["items"]
    assert update["old_values"]["permissions"] == ["partners.read"]
    assert update["new_values"]["permissions"] == ["feed.read"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "email"),
        ({"email": "nobody"}, 400, "email"),
        ({"email": "a@example.com", "roles": ["Nobody"]}, 400, "roles"),
        ({"email": "a@example.com", "status": "GONE"}, 400, "status"),
        ({"email": "taken@example.com"}, 409, "email"),
    ],
)
async def test_a_bad_user_names_the_field(operator, body, status, field):
    await operator.post("/users", email="Taken@example.com")

    said = await operator.post("/users", **body)

    assert (said.status, said.error["field"]) == (status, field)


async def test_agreements_are_made_changed_and_ended(hub, operator, cpo, emsp):
    made = await operator.post(
        "/agreements", **{"from": "nl*one", "to": "DE", "module": "tariffs", "effect": "BLOCK"}
    )
    twice = await operator.post(
        "/agreements", **{"from": "NL*ONE", "to": "de", "module": "tariffs", "effect": "ALLOW"}
    )
    changed = await operator.patch(f"/agreements/{made.body['id']}", effect="ALLOW", note="Paid")
    ended = await operator.delete(f"/agreements/{made.body['id']}")

    assert (made.body["from"], made.body["to"]) == ("NL*ONE", "DE")
    assert (twice.status, twice.error["code"]) == (409, "conflict")
    assert (changed.body["effect"], changed.body["note"]) == ("ALLOW", "Paid")
    assert (ended.status, ended.body) == (200, {"told": []})
    assert (await operator.get("/agreements")).body["items"] == []
    entries = (await operator.get("/audit", entity_type="agreement")).body["items"]
    assert [entry["action"] for entry in entries] == ["DELETE", "UPDATE", "CREATE"]


async def test_an_agreement_says_whether_ocpi_knows_its_module_VER_05(operator):
    known = await operator.post("/agreements", module="Tariffs", effect="BLOCK")
    custom = await operator.post("/agreements", module="nltnm-Vouchers", effect="ALLOW")
    bad = await operator.post("/agreements", module="../credentials", effect="ALLOW")

    assert (known.body["module"], known.body["custom"]) == ("tariffs", False)
    assert (custom.body["module"], custom.body["custom"]) == ("nltnm-Vouchers", True)
    assert (bad.status, bad.error["field"]) == (400, "module")
    assert "nltnm-tokens" in bad.error["allowed"]


async def test_a_block_works_with_the_next_request(hub, operator, cpo, emsp):
    from tests.helpers.documents import tariff  # noqa: PLC0415

    await operator.post("/agreements", **{"from": "NL*ONE", "to": "DE*TWO", "effect": "BLOCK"})
    await cpo.put("tariffs/NL/ONE/T1", tariff(version="2.2.1"))
    await hub.deliver()

    assert emsp.received == []
    assert (await operator.get("/objects/tariffs/NL/ONE/T1")).body["deliveries"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "effect"),
        ({"effect": "MAYBE"}, "effect"),
        ({"effect": "ALLOW", "from": "Holland"}, "from"),
        ({"effect": "ALLOW", "to": 5}, "to"),
        ({"effect": "ALLOW", "module": "my cars"}, "module"),
        ({"effect": "ALLOW", "from": "NL*ONE", "to": "nl*one"}, "to"),
    ],
)
async def test_a_bad_agreement_names_the_field(operator, body, field):
    said = await operator.post("/agreements", **body)

    assert (said.status, said.error["field"]) == (400, field)
    assert said.error["allowed"]


async def test_the_audit_log_is_searched(operator):
    await operator.post("/agreements", effect="BLOCK")
    me = (await operator.get("/me")).body

    by_me = await operator.get("/audit", user_id=me["id"], action="CREATE")
    nobody = await operator.get("/audit", user_id=str(uuid4()))
    future = await operator.get("/audit", since="2100-01-01T00:00:00Z")
    wrong = await operator.get("/audit", since="yesterday")

    assert [entry["entity_type"] for entry in by_me.body["items"]] == ["agreement"]
    assert nobody.body["items"] == future.body["items"] == []
    assert (wrong.status, wrong.error["field"]) == (400, "since")
