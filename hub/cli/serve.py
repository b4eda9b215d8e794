"""``hub serve``: the hub itself."""

import argparse
import asyncio
import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hub.cli import options
from hub.cli.failures import Failure, Unavailable, Usage
from hub.cli.options import Arguments, Commands
from hub.cli.output import lines, write_json
from hub.settings import HIGHEST_PORT, MOST_WORKERS, Settings, SettingsError

if TYPE_CHECKING:
    from hub.start import First

MORE = """\
Without HUB_DATABASE_URL it brings its own PostgreSQL, in HUB_DATA_DIR (./hub-data). The first start
makes a tenant, an administrator and an API key, which is shown once and kept in admin.key there.
Ctrl-C or SIGTERM ends it: what was begun is finished, for at most 20 seconds."""


def add(commands: Commands) -> None:
    parser = options.command(commands, "serve", run, "Start the hub.", more=MORE, remote=False)
    parser.add_argument("--settings", action="store_true", help="show what it would use, and end")
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="so many processes that share the ports, one for each processor (HUB_WORKERS)",
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--name", help="at the first start: the name of the network")
    parser.add_argument("--party", help="at the first start: the hub's own party (NL*HUB)")
    parser.add_argument(
        "--new-admin-key",
        action="store_true",
        help="make another key for the first administrator; the old one ends",
    )


def run(arguments: Arguments) -> int:
    settings = read_settings(arguments)
    if arguments.settings:
        show_settings(arguments, settings)
        return 0
    from hub import log  # noqa: PLC0415 - the server's modules are heavy
    from hub.embedded import EmbeddedError  # noqa: PLC0415
    from hub.errors import Unavailable as DatabaseAway  # noqa: PLC0415
    from hub.migrate import MigrationRefused  # noqa: PLC0415
    from hub.sockets import NotListening  # noqa: PLC0415
    from hub.soundness import DatabaseRefused  # noqa: PLC0415
    from hub.start import StartRefused  # noqa: PLC0415
    from hub.workers import WorkerFailed  # noqa: PLC0415

    check_ports(settings)
    log.configure(settings)
    try:
        asyncio.run(
            work(arguments.worker, settings) if arguments.worker else serve(arguments, settings)
        )
    except NotListening as error:
        raise Failure(
            str(error),
            code="cannot_start",
            next_step=f"Stop what uses the port, or choose another with {error.variable}.",
        ) from None
    except (WorkerFailed, DatabaseRefused, MigrationRefused, StartRefused, EmbeddedError) as error:
        raise Failure(str(error), code="cannot_start") from None
    except DatabaseAway:
        raise Unavailable(
            "The database cannot be reached.", next_step="Check HUB_DATABASE_URL."
        ) from None
    except (Failure, SettingsError):
        raise
    except Exception:  # noqa: BLE001 - it is in the log, and told
        # It may not happen again when somebody looks.
        log.log.exception("the hub failed")
        raise Failure("The hub failed; its log says where.", code="failed") from None
    return 0


def read_settings(arguments: Arguments) -> Settings:
    settings = Settings.from_env()
    if arguments.workers is None:
        return settings
    if not 1 <= arguments.workers <= MOST_WORKERS:
        raise Usage(f"--workers: a number from 1 to {MOST_WORKERS}.", field="--workers")
    return dataclasses.replace(settings, workers=arguments.workers)


def check_ports(settings: Settings) -> None:
    ports = settings.metrics_ports
    if ports and ports[-1] > HIGHEST_PORT:
        raise Usage(
            f"HUB_METRICS_PORT: {len(ports)} workers need as many ports, and there are none above"
            f" {HIGHEST_PORT}.",
            field="HUB_METRICS_PORT",
        )


async def serve(arguments: Arguments, settings: Settings) -> None:
    from hub import serving  # noqa: PLC0415
    from hub.start import database_url, first_start, new_key  # noqa: PLC0415
    from hub.workers import Workers  # noqa: PLC0415

    stopped = serving.stop_signals()
    async with database_url(settings) as url:
        secret = await first_start(url, settings, read_first(arguments))
        first = secret is not None
        if arguments.new_admin_key and not first:
            secret = await new_key(url, settings)

        def on_ready() -> None:
            greet(arguments, settings, secret, first=first)

        if settings.workers > 1:
            await Workers(settings, url).run(stopped, on_ready)
        else:
            await serving.serve(settings, url, stopped, on_ready)


async def work(told: str, settings: Settings) -> None:
    """Be one of several workers, as the process that started it says."""
    from hub import serving, workers  # noqa: PLC0415

    stopped = serving.stop_signals()
    assert settings.database_url is not None
    async with workers.while_parent_lives(stopped, settings):
        shared = workers.read_shared(told)
        await serving.serve(settings, settings.database_url, stopped, workers.say_ready, shared)


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
