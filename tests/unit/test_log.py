"""One event, one line: its shape, its level, its context, and who is made to write it."""

import asyncio
import json
import logging
import warnings

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from hub import log
from hub.settings import Settings


@pytest.fixture
def lines(own_log):
    """Configure and return a function that reads what was logged: dicts, or text for console."""

    def read(**settings):
        log.configure(Settings(**settings), stream=own_log)

        def logged():
            text = own_log.getvalue()
            if settings.get("log_format") == "console":
                return text
            return [json.loads(line) for line in text.splitlines()]

        return logged

    return read


def test_an_event_is_one_line_of_json_with_its_context(lines):
    logged = lines()
    structlog.contextvars.bind_contextvars(tenant="t1", partner="p1", request_id="r1")

    structlog.get_logger().info("partner connected", version="2.2.1", parties=["NL*ONE"])

    [event] = logged()
    assert event.pop("at").endswith("Z")
    assert event == {
        "event": "partner connected",
        "level": "info",
        "tenant": "t1",
        "partner": "p1",
        "request_id": "r1",
        "version": "2.2.1",
        "parties": ["NL*ONE"],
    }


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("DEBUG", ["debug", "info", "warning", "error"]),
        ("INFO", ["info", "warning", "error"]),
        ("WARNING", ["warning", "error"]),
        ("ERROR", ["error"]),
    ],
)
def test_the_level_is_that_of_the_settings(lines, level, shown):
    logged = lines(log_level=level)
    logger = structlog.get_logger()

    for method in ("debug", "info", "warning", "error"):
        getattr(logger, method)("something happened")

    assert [event["level"] for event in logged()] == shown


def test_what_libraries_log_becomes_the_same_lines(lines):
    logged = lines()
    structlog.contextvars.bind_contextvars(tenant="t1")

    logging.getLogger("some.library").warning("cannot do %s", "that")

    [event] = logged()
    assert (event["event"], event["logger"], event["level"], event["tenant"]) == (
        "cannot do that",
        "some.library",
        "warning",
        "t1",
    )


def test_libraries_that_explain_too_much_are_quiet(lines):
    logged = lines(log_level="DEBUG")

    for name in log.TALKATIVE:
        logging.getLogger(f"{name}.part").info("SELECT %s", "everything")
        logging.getLogger(f"{name}.part").warning("trouble")

    assert [event["event"] for event in logged()] == ["trouble"] * len(log.TALKATIVE)


def test_warnings_of_python_are_logged(lines):
    logged = lines()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)

    assert "old ways" in logged()[0]["event"]


def test_an_exception_comes_with_its_traceback_but_without_local_variables(lines):
    logged = lines()

    def fail(password):
        raise ValueError("no such key")

    try:
        fail("correct" + " horse")
    except ValueError:
        structlog.get_logger().exception("request failed")

    [event] = logged()
    assert event["exception"].startswith("Traceback")
    assert event["exception"].endswith("ValueError: no such key")
    assert event["level"] == "error"
    assert "correct horse" not in event["exception"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_whatever_is_passed_can_be_logged(lines, log_format):
    logged = lines(log_format=log_format)
    itself = {}
    itself["itself"] = itself

    structlog.get_logger().info(
        "odd things seen",
        thing=object(),
        some={1, 2},
        error=ValueError("x"),
        raw=b"\xff",
        nothing=None,
        itself=itself,
        number=float("nan"),
        names={1: 2, None: 3},
    )

    assert "odd things seen" in str(logged())


def test_a_broken_call_of_a_library_breaks_nothing(lines, capsys):
    logged = lines()

    logging.getLogger("some.library").warning("%d", "no number")

    assert logged() == []
    assert "no number" in capsys.readouterr().err


def test_long_texts_are_cut(lines):
    logged = lines()

    structlog.get_logger().info("much was sent", body="word " * 100_000)

    assert len(logged()[0]["body"]) == log.LONGEST_TEXT + 1


async def test_each_request_is_one_line_without_its_query(lines):
    logged = lines()

    async def answer(request):
        structlog.contextvars.bind_contextvars(partner="p1")
        return web.Response(text="hello", status=201)

    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    server = TestServer(app)
    await server.start_server(access_log_class=log.AccessLog)
    async with TestClient(server) as client:
        await client.get("/ocpi/2.2.1/receiver/tokens/NL/ONE/04AABBCCDD?token=secret&type=RFID")
        await asyncio.sleep(0)

    [event] = [event for event in logged() if event["event"] == "request answered"]
    assert event["method"] == "GET"
    assert event["path"] == "/ocpi/2.2.1/receiver/tokens/***"
    assert (event["status"], event["partner"], event["remote"]) == (201, "p1", "127.0.0.1")
    assert event["milliseconds"] >= 0
    assert event["bytes"] > 0
    assert "secret" not in str(event)
