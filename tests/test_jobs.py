"""The scheduler: what is under way when the hub stops."""

import asyncio

from aiohttp import web
from sqlalchemy import text

from hub import jobs
from hub.jobs import Job, of_each_tenant
from hub.keys import DATABASE, METRICS
from hub.metrics import Metrics


async def test_a_job_that_is_stopped_has_given_back_its_connection(database):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def nothing(app):
        pass

    async def endless(app):
        try:
            async with app[DATABASE].platform() as db:
                begun.set()
                await db.execute(text("select pg_sleep(600)"))
        finally:
            ended.set()

    app = web.Application()
    app[DATABASE], app[METRICS] = database, Metrics()
    scheduled = jobs.running(app, [Job("test first", 3600, nothing), Job("test", 0.01, endless)])
    await anext(scheduled)
    await begun.wait()

    await anext(scheduled, None)

    assert ended.is_set()
    assert database.engine.pool.checkedout() == 0


async def test_a_job_that_fails_in_one_tenant_is_done_in_the_others(database, make_tenant):
    good, bad = await make_tenant(), await make_tenant()
    done = []

    async def work(app, tenant_id):
        if tenant_id == bad.id:
            raise ValueError("not here")
        done.append(tenant_id)

    app = web.Application()
    app[DATABASE], app[METRICS] = database, Metrics()

    assert not await jobs.run(app, Job("test in tenants", 60, of_each_tenant(work)))

    assert good.id in done
    failures = app[METRICS].registry.get_sample_value
    assert failures("ocpi_hub_job_failures_total", {"name": "test in tenants"}) == 1
    assert failures("ocpi_hub_job_failing", {"name": "test in tenants"}) == 1


async def test_a_job_that_ended_well_again_is_failing_no_more(database):
    """Of one that runs every six hours a single failure must show until then."""
    app, results = web.Application(), iter([ValueError("once"), None])
    app[DATABASE], app[METRICS] = database, Metrics()

    async def work(app):
        if (error := next(results)) is not None:
            raise error

    def failing():
        return app[METRICS].registry.get_sample_value(
            "ocpi_hub_job_failing", {"name": "test seldom"}
        )

    await jobs.run(app, Job("test seldom", 6 * 3600, work))
    assert failing() == 1
    await jobs.run(app, Job("test seldom", 6 * 3600, work))
    assert failing() == 0
