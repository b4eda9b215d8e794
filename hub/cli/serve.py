"""``hub serve``: the hub itself."""

import asyncio
import dataclasses
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hub.cli import options
from hub.cli.failures import Failure, Unavailable, Usage
from hub.cli.options import Arguments, Commands
from hub.cli.output import lines, write_json
from hub.settings import Settings

if TYPE_CHECKING:
    from hub.start import First

# Seconds that requests may take to end once the hub is told to stop.
GRACE = 20.0

MORE = """\
Without HUB_DATABASE_URL it brings its own PostgreSQL, in HUB_DATA_DIR (./hub-data). The first start
makes a tenant, an administrator and an API key, which is shown once and kept in admin.key there.
Ctrl-C or SIGTERM ends it: what was begun is finished, for at most 20 seconds."""


def add(commands: Commands) -> None:
    parser = options.command(commands, "serve", run, "Start the hub.", more=MORE, remote=False)
    parser.add_argument("--settings", action="store_true", help="show what it would use, and end")
    parser.add_argument("--name", help="at the first start: the name of the network")
    parser.add_argument("--party", help="at the first start: the hub's own party (NL*HUB)")
    parser.add_argument(
        "--new-admin-key",
        action="store_true",
        help="make another key for the first administrator; the old one ends",
    )


def run(arguments: Arguments) -> int:
    settings = Settings.from_env()
    if arguments.settings:
        show_settings(arguments, settings)
        return 0
    from hub import log  # noqa: PLC0415 - the server's modules are heavy
    from hub.embedded import EmbeddedError  # noqa: PLC0415
    from hub.errors import Unavailable as DatabaseAway  # noqa: PLC0415
    from hub.migrate import MigrationRefused  # noqa: PLC0415
    from hub.soundness import DatabaseRefused  # noqa: PLC0415
    from hub.start import StartRefused  # noqa: PLC0415

    log.configure(settings)
    try:
        asyncio.run(serve(arguments, settings))
    except (DatabaseRefused, MigrationRefused, StartRefused, EmbeddedError) as error:
        raise Failure(str(error), code="cannot_start") from None
    except DatabaseAway:
        raise Unavailable(
            "The database cannot be reached.", next_step="Check HUB_DATABASE_URL."
        ) from None
    return 0


async def serve(arguments: Arguments, settings: Settings) -> None:
    from aiohttp import web  # noqa: PLC0415

    from hub import garbage  # noqa: PLC0415
    from hub.app import make_app  # noqa: PLC0415
    from hub.health import HEALTH  # noqa: PLC0415
    from hub.log import AccessLog  # noqa: PLC0415
    from hub.start import database_url, first_start, new_key  # noqa: PLC0415

    stopped = stop_signals()
    async with database_url(settings) as url:
        secret = await first_start(url, settings, read_first(arguments))
        first = secret is not None
        if arguments.new_admin_key and not first:
            secret = await new_key(url, settings)
        app = make_app(settings, database_url=url)
        runner = web.AppRunner(
            app, access_log_class=AccessLog, shutdown_timeout=GRACE, handle_signals=False
        )
        try:
            await runner.setup()
            try:
                await web.TCPSite(runner, settings.host, settings.port).start()
            except OSError as error:
                raise Failure(
                    f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}.",
                    code="cannot_start",
                    next_step="Stop what uses the port, or choose another with HUB_PORT.",
                ) from None
            garbage.collect_seldom()
            greet(arguments, settings, secret, first=first)
            await stopped.wait()
            app[HEALTH].stopping = True
        finally:
            await runner.cleanup()


def stop_signals() -> asyncio.Event:
    """Set by SIGTERM or Ctrl-C. A second one ends the process at once."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopped.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return stopped


def read_first(arguments: Arguments) -> "First":
    from hub.models.values import Party  # noqa: PLC0415
    from hub.start import First  # noqa: PLC0415

    first = First()
    if arguments.name:
        first = dataclasses.replace(first, name=arguments.name)
    if arguments.party:
        try:
            first = dataclasses.replace(first, party=str(Party.parse(arguments.party)))
        except ValueError as error:
            raise Usage(f"--party: {error}", field="--party") from None
    return first


def greet(arguments: Arguments, settings: Settings, secret: str | None, *, first: bool) -> None:
    """Where everything is. The secret is shown when it was made, and never again."""
    url = settings.public_url
    key_file = settings.data_dir / "admin.key"
    places = {
        "ocpi_versions": f"{url}/ocpi/versions",
        "admin_api": f"{url}/admin/v1",
        "docs": f"{url}/docs",
        **({"stations": settings.ocpp_tls_url} if settings.ocpp_tls_url else {}),
        "key_file": str(key_file),
    }
    if arguments.json:
        write_json(places | ({"key": secret} if secret else {}))
        sys.stdout.flush()
        return
    lines(
        f"The hub is running{' for the first time' if first else ''}.",
        "",
        f"  OCPI versions   {places['ocpi_versions']}",
        f"  Admin API       {places['admin_api']}   (docs: {places['docs']})",
    )
    if "stations" in places:
        lines(f"  Stations, TLS   {places['stations']}")
    if secret:
        lines(
            f"  Log in          Authorization: Bearer {secret}",
            f"                  shown this once; kept in {key_file}, which only you can read",
            "",
            "Next, in another terminal:",
            "",
            *found_by(settings),
            f"  {command()} whoami",
            f"  {command()} partner invite 'Acme Charging' --role NL*ACM:CPO",
            f"  {command()} demo --once",
        )
    sys.stdout.flush()


def found_by(settings: Settings) -> list[str]:
    """What a command elsewhere must be told, where it would not find this hub by itself."""
    usual = Settings()
    told = []
    if settings.port != usual.port:
        told.append(f"HUB_URL=http://127.0.0.1:{settings.port}")
    if settings.data_dir != usual.data_dir:
        told.append(f"HUB_API_KEY_FILE={shlex.quote(str(settings.data_dir / 'admin.key'))}")
    return [f"  export {' '.join(told)}"] if told else []


def command() -> str:
    """How this command was called, so that what is shown can be pasted."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "hub" and "/" in str(called) else "hub"


def show_settings(arguments: Arguments, settings: Settings) -> None:
    shown = {
        f"HUB_{field.name.upper()}": describe(getattr(settings, field.name), hidden=not field.repr)
        for field in dataclasses.fields(settings)
    }
    if arguments.json:
        write_json(shown)
        return
    lines(*(f"{name}={value}" for name, value in shown.items()))


def describe(value: object, *, hidden: bool) -> str:
    if value is None or value == ():
        return ""
    if hidden:
        return "***"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
