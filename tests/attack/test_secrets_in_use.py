"""After platforms registered and spoke: no token in the database or in the log (T-12, T-16)."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from hub import log
from hub.settings import Settings
from tests.attack.test_secrets_at_rest import forms
from tests.helpers.partner import FakePartner


@pytest.fixture
def logged(own_log):
    log.configure(Settings(log_level="DEBUG"), stream=own_log)
    return own_log


async def dump(admin_url):
    """Every row of every table, as the database would be backed up."""
    engine = create_async_engine(admin_url)
    try:
        async with engine.connect() as db:
            tables = await db.scalars(
                text(
                    "select format('%I.%I', schemaname, tablename) from pg_tables"
                    " where schemaname not in ('pg_catalog', 'information_schema')"
                )
            )
            rows = []
            for table in tables.all():
                found = await db.scalars(text(f"select row_to_json(t)::text from {table} t"))
                rows += [f"{table}: {row}" for row in found]
            return rows
    finally:
        await engine.dispose()


async def test_no_token_is_left_anywhere(logged, postgres, hub, cpo, partners):
    raw = FakePartner("FR*RAW CPO")
    raw.tokens.form_sent = "raw"
    joined = FakePartner("BE*JOI EMSP")
    secrets = set()

    def collect(*platforms):
        for platform in platforms:
            secrets.update(platform.tokens.accepted)
            secrets.add(platform.tokens.to_hub)

    await partners.enter_async_context(raw)
    invitation = await hub.invite(raw)
    secrets.add(invitation.token)
    assert (await raw.register(invitation.versions_url, invitation.token)).ok
    await partners.enter_async_context(joined)
    await hub.join(joined)
    collect(cpo, raw, joined)
    assert (await cpo.renew(hub.versions_url)).ok
    assert (await raw.get("tokens")).ok
    assert (await raw.call("GET", hub.versions_url, token="wrong-" + invitation.token)).status_code
    collect(cpo, raw, joined)
    await hub.deliver()
    secrets.discard(None)

    rows = await dump(postgres.admin_url)
    in_rows = {
        (row.split(":")[0], form)
        for row in rows
        for secret in secrets
        for form in forms(secret)
        if form.decode() in row
    }
    in_log = {
        form for secret in secrets for form in forms(secret) if form.decode() in logged.getvalue()
    }

    assert len(secrets) > 7
    assert len(rows) > 10
    assert in_rows == set()
    assert logged.getvalue().count("\n") > 3
    assert in_log == set()
