"""The scheduler: what is under way when the hub stops."""

import asyncio

from aiohttp import web
from sqlalchemy import text

from hub import jobs
from hub.jobs import Job
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
