"""Logs: one event, one line, with the tenant, partner and request it belongs to, without secrets.

An event is a short phrase in the past tense, facts are keywords; what is bound to the context with
`structlog.contextvars` is in every line of a request. Everything that is logged, by the hub or
by a library, goes through the same steps, so that masking does not depend on anybody's discipline.
"""

import json
import logging
import re
import sys
from typing import TextIO

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from structlog.typing import EventDict, Processor, WrappedLogger

from hub.masking import mask, mask_text
from hub.settings import Settings

LONGEST_TEXT = 4000
# C0 and C1 controls, line and paragraph separators, everything that reorders text, lone surrogates:
# what a terminal or a log viewer would act on instead of showing it.
UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
# Libraries that write secrets or drivers' identifiers when they explain themselves.
TALKATIVE = ("sqlalchemy", "asyncpg", "ocpp", "websockets", "apscheduler", "alembic", "aiohttp")

log = structlog.get_logger()


def configure(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging; `stream` is standard error if None."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    output = stream or sys.stderr
    steps: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    if settings.log_format == "console":
        steps += [escape_unprintable, structlog.dev.ConsoleRenderer(colors=output.isatty())]
    else:
        # With ASCII only, nothing that a terminal acts on is left; json.dumps sees to it.
        steps += [structlog.processors.JSONRenderer(serializer=json.dumps, default=describe)]
    structlog.configure(
        processors=steps,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=output),
        cache_logger_on_first_use=False,
    )
    logging.captureWarnings(capture=True)
    logging.basicConfig(handlers=[Forward()], level=max(level, logging.INFO), force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def hide_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        shown = mask_text(value) if name == "event" else mask(name, value)
        if isinstance(shown, str) and len(shown) > LONGEST_TEXT and name != "exception":
            shown = shown[:LONGEST_TEXT] + "…"
        event[name] = shown
    return event


def escape_unprintable(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return {escaped(str(name)): shown_on_console(name, value) for name, value in event.items()}


def shown_on_console(name: str, value: object) -> object:
    """A traceback keeps its lines, as the console is for people; nothing else breaks a line."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else describe(value)
    if name == "exception":
        return "\n".join(escaped(line) for line in text.split("\n"))
    return escaped(text)


def escaped(text: str) -> str:
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def describe(value: object) -> str:
    """What is no JSON: its own text for small values, masked once more as it was built here."""
    return mask_text(str(value))


class Forward(logging.Handler):
    """Hands records of the standard library to structlog, so that they become the same lines."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event = record.getMessage()
            log.log(record.levelno, event, logger=record.name, exc_info=record.exc_info or None)
        except Exception:  # noqa: BLE001 - a broken log call must not break what it tells about
            self.handleError(record)


class AccessLog(AbstractAccessLogger):
    """One line per request, without the query: `web.AppRunner(app, access_log_class=AccessLog)`."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        log.info(
            "request answered",
            method=request.method,
            path=request.rel_url.raw_path,
            status=response.status,
            bytes=response.body_length,
            milliseconds=round(time * 1000, 1),
            remote=request.remote,
        )

    @property
    def enabled(self) -> bool:
        return bool(log.is_enabled_for(logging.INFO))
