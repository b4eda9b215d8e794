"""``hub migrate``: bring a database to the schema of this release."""

import asyncio

from hub.cli import options
from hub.cli.failures import Failure, Usage
from hub.cli.options import Arguments, Commands
from hub.cli.output import note, write_json
from hub.settings import Settings

MORE = """\
Runs as the role that owns the database: put its URL into HUB_DATABASE_URL for this command. The hub
itself serves as another role, which owns nothing; --role names it, and it is granted what it needs.
Run it before the new release is started; the old one may go on meanwhile. The embedded PostgreSQL
is migrated by `hub serve`."""


def add(commands: Commands) -> None:
    parser = options.command(
        commands,
        "migrate",
        run,
        "Bring a PostgreSQL to the schema of this release.",
        more=MORE,
        remote=False,
    )
    parser.add_argument("--role", default="hub", help="the role the hub serves as (hub)")


def run(arguments: Arguments) -> None:
    from hub.migrate import MigrationRefused, migrate  # noqa: PLC0415 - heavy

    settings = Settings.from_env()
    if settings.database_url is None:
        raise Usage(
            "HUB_DATABASE_URL is not set.",
            field="HUB_DATABASE_URL",
            next_step="Set it to the owner's URL, postgresql://owner@host/hub; for the embedded"
            " PostgreSQL there is nothing to do.",
        )
    if not arguments.json:
        note("Migrating …")
    try:
        asyncio.run(migrate(settings.database_url, role=arguments.role))
    except MigrationRefused as error:
        raise Failure(str(error), code="migration_refused") from None
    if arguments.json:
        write_json({"migrated": True, "role": arguments.role})
    else:
        note("The database is at the schema of this release.")
