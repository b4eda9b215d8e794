"""What operators send is read strictly: whatever is wrong is named, with what is allowed there."""

import re
from urllib.parse import quote
from uuid import uuid4

import pytest
from marshmallow import fields
from sqlalchemy import text

from hub.admin.api import operations
from hub.admin.input import allowed, fields_of
from hub.models.all import METADATA
from tests.helpers.operator import every_permission

OPERATIONS = [operation for _, operation in operations()]
READING = [operation for operation in OPERATIONS if operation.method == "GET"]
# In another zone these are in a year that no calendar has.
ENDS = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
MODULES = {"module": "tariffs", "number": "1", "month": "2025-06", "country_code": "NL"}
KNOWN = MODULES | {"party_id": "ONE", "issuer": "NL*ONE", "recipient": "DE*TWO"}


def leaves(holder, path=""):
    """Every field that is no structure itself, with its place."""
    for name, field in fields_of(holder).items():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            yield from leaves(inner.schema, f"{path}{name}.")
        else:
            yield f"{path}{name}", field


@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if one.body], ids=lambda one: f"{one.method} {one.path}"
)
def test_every_field_of_a_body_can_say_what_it_may_be(operation):
    assert [name for name, field in leaves(operation.body()) if not allowed(field)] == []


def url(operation, **odd):
    def value(found):
        return quote(odd.get(found[1]) or KNOWN.get(found[1]) or str(uuid4()), safe="*")

    return re.sub(r"{(\w+)[^}]*}", value, operation.path)


@pytest.fixture
async def operator(hub, make_operator):
    """Who may do everything, in other tenants as well."""
    return await make_operator(*await every_permission(hub.database, beyond_the_tenant=True))


async def test_nul_is_refused_wherever_it_stands(operator):
    """T-24: PostgreSQL would refuse it, too, but not say where it is."""
    for operation in READING:
        for name in fields_of(operation.query()) if operation.query else ():
            said = await operator.get(url(operation), **{name: "a\0b"})
            assert (said.status, said.error.get("field")) == (400, name), operation
        for name in re.findall(r"{(\w+)", operation.path):
            said = await operator.get(url(operation, **{name: "a\0b"}))
            assert (said.status, said.error.get("field")) == (400, name), operation


async def test_the_ends_of_time_are_refused(operator):
    for operation in READING:
        for name, field in leaves(operation.query()) if operation.query else ():
            for end in ENDS if isinstance(field, fields.AwareDateTime) else ():
                said = await operator.get(url(operation), **{name: end})
                assert (said.status, said.error.get("field")) == (400, name), operation
    for path, body in (
        ("/keys", {"name": "K", "permissions": ["feed.read"]}),
        ("/tokens", {"uid": "TAG1"}),
    ):
        for end in ENDS:
            said = await operator.post(path, **body, expires_at=end)
            assert (said.status, said.error["field"]) == (400, "expires_at")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timezone", "Mars/Olympus"),
        ("timezone", "../etc/passwd"),
        ("default_currency", "euro"),
        ("default_language", "Dutch"),
        ("unknown", 1),
        ("features.default_agreement", "CLOSED"),
        ("features.colour", "red"),
    ],
)
async def test_settings_of_a_tenant_are_checked(operator, tenant, field, value):
    first, _, second = field.partition(".")
    settings = {first: {second: value} if second else value}
    said = await operator.patch(f"/tenants/{tenant.id}", settings=settings)

    assert (said.status, said.error["field"]) == (400, f"settings.{field}")
    assert said.error["allowed"]


async def test_properties_of_a_tenant_are_what_was_said_last_and_can_be_taken_back(
    operator, tenant
):
    path = f"/tenants/{tenant.id}"
    await operator.patch(path, settings={"custom_properties": {"a": 1, "b": {"c": 2}}})
    said = await operator.patch(path, settings={"custom_properties": {"a": {"d": 3}, "b": None}})

    assert said.status == 200
    assert said.body["settings"]["custom_properties"] == {"a": {"d": 3}}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/stations", {"station_id": "CP-1\n"}, "station_id"),
        ("/tokens", {"uid": "TAG1\n"}, "uid"),
        ("/tenants", {"name": "N", "party": "NL*XYZ", "domain": "a.example\n"}, "domain"),
        ("/tenants", {"name": "N", "party": "12*XYZ"}, "party"),
        ("/agreements", {"effect": "BLOCK", "module": "com.example.x\n"}, "module"),
    ],
)
async def test_a_text_must_match_as_a_whole(operator, path, body, field):
    said = await operator.post(path, **body)

    assert (said.status, said.error["field"]) == (400, field)


# What the hub does by itself meanwhile: it tells partners of each other.
ITS_OWN = {"feed_cursors", "ocpi_clientinfo"}
# Wherever a row says when it was looked at, that is no change.
LOOKED_AT = {"api_keys": "last_used_at", "ocpi_partners": "last_seen_at"}


async def state_of(database, tenant_id):
    """A digest of every table, as the tenant has it."""
    found = {}
    async with database.transaction(tenant_id) as db:
        for table in METADATA.sorted_tables:
            if table.name in ITS_OWN:
                continue
            row = f"(to_jsonb({table.name}) - '{LOOKED_AT.get(table.name, '')}')::text"
            every = f"SELECT md5(string_agg({row}, '' ORDER BY {row})) FROM {table.name}"
            found[table.name] = await db.scalar(text(every))
    return found


async def test_what_is_refused_has_changed_nothing(hub, operator, things, tenant):
    """With a member that nobody knows, or about something that is not there; not even an entry."""
    before = await state_of(hub.database, tenant.id)

    for operation in OPERATIONS:
        if operation.method == "GET" or (not operation.body and "{id" not in operation.path):
            continue
        known = things.get(operation.path.split("/")[1]) if operation.body else None
        body = {"json": {"nonsense": 1}} if operation.body else {}
        said = await operator.ask(operation.method, url(operation, id=known), **body)
        assert said.status in {400, 404}, (operation, said.body)
        assert said.error["message"], operation
        if operation.body:
            assert said.error.get("field") or said.error.get("next"), operation

    assert await state_of(hub.database, tenant.id) == before
