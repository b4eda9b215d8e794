"""``hub whoami``: whose key this is and what it may do."""

from hub.cli import options
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import facts, write_json


def add(commands: Commands) -> None:
    options.command(commands, "whoami", run, "Whose key this is, its tenant, what it may do.")


def run(arguments: Arguments) -> None:
    found = hub(arguments).get("/me")
    if arguments.json:
        write_json(found)
        return
    tenant = found["tenant"]
    facts(
        [
            ("Key", found["key_name"]),
            ("Acts as", found["id"]),
            ("Tenant", f"{tenant['name']} ({tenant['party']})  {tenant['id']}"),
            ("Network", "open" if tenant["default_agreement"] == "ALLOW" else "closed"),
            ("May", found["permissions"]),
        ]
    )
