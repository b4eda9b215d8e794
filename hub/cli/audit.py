"""``hub audit``: who did what."""

from hub.cli import options
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import table, write_json


def add(commands: Commands) -> None:
    audit = options.group(commands, "audit", "who did what, when, and what it was before")

    parser = options.command(audit, "search", search, "Entries that fit, newest first.")
    parser.add_argument("--action", type=str.upper, help="such as CREATE, UPDATE, SECURITY_EVENT")
    parser.add_argument("--severity", type=str.upper, help="LOW, MEDIUM, HIGH, CRITICAL")
    parser.add_argument("--entity", metavar="TYPE", help="such as ocpi_partner, user, api_key")
    parser.add_argument("--entity-id", metavar="ID")
    parser.add_argument("--by", metavar="ID", help="who did it: a user, a key, a partner")
    parser.add_argument("--since", metavar="TIME", help="such as 2025-01-31T12:00:00Z")
    parser.add_argument("--until", metavar="TIME")
    options.limited(parser)


def search(arguments: Arguments) -> None:
    found = hub(arguments).all(
        "/audit",
        limit=arguments.limit,
        action=arguments.action,
        severity=arguments.severity,
        entity_type=arguments.entity,
        entity_id=arguments.entity_id,
        user_id=arguments.by,
        since=arguments.since,
        until=arguments.until,
    )
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("WHEN", lambda row: row["timestamp"][:19] + "Z"),
            ("ACTION", "action"),
            ("WHAT", "entity_type"),
            ("ID", "entity_id"),
            ("BY", "user_id"),
            ("DESCRIPTION", "description"),
            ("CHANGED", lambda row: sorted(row["new_values"] or row["old_values"] or {})),
        ],
        empty="No entries like that.",
    )
