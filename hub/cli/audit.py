"""``hub audit``: who did what."""

import re
from argparse import ArgumentTypeError
from typing import Any, NoReturn

from hub.cli import naming_users, options, partners
from hub.cli.failures import Failure, Usage
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import Row, facts, lines, note, plain, table, write_json

# Links that are compared in one request.
LINKS = 20

# SHA-256 in hex.
DIGEST = re.compile("[0-9a-f]{64}")

NO_HEAD = "must be what `hub audit verify` printed as Head: N:DIGEST"


def add(commands: Commands) -> None:
    audit = options.group(commands, "audit", "who did what, when, and what it was before")

    parser = options.command(audit, "search", search, "Entries that fit, newest first.")
    parser.add_argument("--action", type=str.upper, help="such as CREATE, UPDATE, SECURITY_EVENT")
    parser.add_argument("--severity", type=str.upper, help="LOW, MEDIUM, HIGH, CRITICAL")
    parser.add_argument("--entity", metavar="TYPE", help="such as ocpi_partner, user, api_key")
    parser.add_argument("--entity-id", metavar="ID")
    parser.add_argument(
        "--by",
        metavar="WHO",
        help="who did it: the e-mail address of a user, the id of a key, the id or name of a"
        " partner",
    )
    parser.add_argument("--since", metavar="TIME", help="such as 2025-01-31T12:00:00Z")
    parser.add_argument("--until", metavar="TIME")
    parser.add_argument(
        "--values", action="store_true", help="what was there before each change, and after it"
    )
    options.limited(parser)

    parser = options.command(
        audit,
        "verify",
        verify,
        "Whether entries were changed, removed or added afterwards.",
        more="Prints how far the chain goes. Write that down elsewhere, and give it the next time:"
        "\nonly so it shows when the newest links were cut off.",
    )
    parser.add_argument(
        "--head", metavar="N:DIGEST", type=head, help="how far it went at an earlier time"
    )


def head(text: str) -> tuple[int, str]:
    number, _, digest = text.partition(":")
    if not number.isdecimal() or not digest:
        raise ArgumentTypeError(NO_HEAD)
    return int(number), digest.lower()


def verify(arguments: Arguments) -> None:
    """Walk along the chain; exit code 1 at the first fault."""
    total = {"segments": 0, "entries": 0, "purged": 0}
    keys: set[str] = set()
    known: tuple[int, str] | None = arguments.head
    if known and not DIGEST.fullmatch(known[1]):
        # A slip of the pen is no reason to cry that somebody tampered with the log.
        raise Usage(f"--head: {NO_HEAD}.", field="--head")
    after = 0
    part: dict[str, Any] = {"next": 0}
    while part["next"] is not None:
        wanted = known[0] - after if known and after < known[0] else LINKS
        part = hub(arguments).get("/audit/verification", after=after, limit=min(wanted, LINKS))
        for name in total:
            total[name] += part[name]
        keys = set() if part["sealed"] else keys
        keys.update(part["unknown_keys"])
        after += part["segments"]
        if part["fault"] is not None:
            fail(part["fault"])
        if known and after == known[0] and part["head"] != known[1]:
            fail({"segment": after, "entry": None, "what": "the link is not the one it was"})
    if known and after < known[0]:
        fail({"segment": after + 1, "entry": None, "what": "the link is missing"})
    if keys:
        raise Failure(
            "The newest links are sealed by keys that the hub does not have, and prove nothing: "
            f"{', '.join(sorted(keys))}.",
            next_step="Put them back into HUB_SECRET_KEYS, or wait until a link has the new key.",
            code="audit_unproven",
        )
    told = total | {"head": f"{after}:{part['head']}", "unsealed": part["unsealed"]}
    if arguments.json:
        write_json(told)
        return
    facts(
        [
            ("Links", str(total["segments"])),
            ("Entries", str(total["entries"])),
            ("Removed by age", str(total["purged"])),
            ("Not chained yet", str(part["unsealed"])),
            ("Head", told["head"]),
        ]
    )
    note("Nothing was changed." if after else "Nothing is chained yet: look again in a minute.")


def fail(fault: dict[str, Any]) -> NoReturn:
    entry = f", entry {fault['entry']}" if fault["entry"] else ""
    raise Failure(
        f"The audit log was tampered with. Link {fault['segment']}{entry}: {fault['what']}.",
        code="audit_broken",
    )


def author(arguments: Arguments) -> str | None:
    """The id of a user, a key or a partner."""
    if arguments.by is None:
        return None
    find = naming_users.find if "@" in arguments.by else partners.find
    return find(arguments, arguments.by)


def by(entry: Row) -> str | None:
    """Who did it, and with which key; where a name is not known (any more), the id."""
    who = entry["by"] or entry["user_id"]
    return f"{who} ({entry['key']})" if entry["key"] not in {None, who} else who


def when(entry: Row) -> str:
    return f"{entry['timestamp'][:19]}Z"


def tell_values(entries: list[Row]) -> None:
    """Each entry with what it changed, one member a line."""
    for entry in entries:
        what = (entry["entity_type"], entry["entity_id"], entry["description"])
        who = by(entry)
        place = entry["ip_address"]
        told = [when(entry), entry["action"], *what, f"by {who}" if who else None]
        told.append(f"from {place}" if place else None)
        lines("  ".join(str(part) for part in told if part))
        before, after = entry["old_values"] or {}, entry["new_values"] or {}
        for name in sorted({**before, **after}):
            lines(f"  {name}: {plain(before.get(name))} → {plain(after.get(name))}")


def search(arguments: Arguments) -> None:
    found = hub(arguments).all(
        "/audit",
        limit=arguments.limit,
        action=arguments.action,
        severity=arguments.severity,
        entity_type=arguments.entity,
        entity_id=arguments.entity_id,
        user_id=author(arguments),
        since=arguments.since,
        until=arguments.until,
    )
    if arguments.json:
        write_json({"items": found})
        return
    if arguments.values and found:
        tell_values(found)
        return
    table(
        found,
        [
            ("WHEN", when),
            ("ACTION", "action"),
            ("WHAT", "entity_type"),
            ("ID", "entity_id"),
            ("BY", by),
            ("DESCRIPTION", "description"),
            ("CHANGED", lambda row: sorted(row["new_values"] or row["old_values"] or {})),
        ],
        empty="No entries like that.",
    )
