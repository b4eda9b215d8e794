"""``hub key``: API keys, which are shown once."""

from hub.cli import naming_users, options
from hub.cli.naming import by_name
from hub.cli.options import Arguments, Commands, given, hub
from hub.cli.output import Row, members, note, table, when, write_json


def add(commands: Commands) -> None:
    keys = options.group(commands, "key", "API keys: make, list, revoke")

    parser = options.command(
        keys,
        "create",
        create,
        "Make an API key; it is shown this once.",
        more="It does what its role and its permissions say. A key of a user never does more than"
        "\nthat user may. You can give what you have.",
    )
    parser.add_argument("name")
    parser.add_argument("--role", help="the name of a role")
    parser.add_argument("--permission", action="append", help="may be repeated")
    parser.add_argument("--user", help=f"whose key it is: {naming_users.HELP}")
    parser.add_argument("--from", dest="cidr", action="append", help="a network it is used from")
    parser.add_argument("--expires", metavar="TIME", help="such as 2026-01-31T00:00:00Z")

    parser = options.command(keys, "list", list_, "All keys, newest first.")
    options.limited(parser)

    for name, run, about in (
        ("show", show, "One key, without the key itself."),
        ("revoke", revoke, "Refuse a key from now on."),
    ):
        parser = options.command(keys, name, run, about)
        parser.add_argument("key", help="its name, or its id")


def create(arguments: Arguments) -> None:
    made = hub(arguments).post(
        "/keys",
        given(
            name=arguments.name,
            role=arguments.role,
            permissions=arguments.permission,
            user_id=arguments.user and naming_users.find(arguments, arguments.user),
            allowed_cidrs=arguments.cidr,
            expires_at=arguments.expires,
        ),
    )
    answer(arguments, made)
    note("The key is shown this once.")


def show(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).get(f"/keys/{find(arguments)}"))


def revoke(arguments: Arguments) -> None:
    key_id = find(arguments)
    hub(arguments).delete(f"/keys/{key_id}")
    if arguments.json:
        write_json({"revoked": key_id})
    else:
        note("Revoked.")


def find(arguments: Arguments) -> str:
    """The key's id; a name is never given again, not even that of a revoked key."""
    return by_name(arguments, "/keys", arguments.key, what="API key", next_step="hub key list")


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all("/keys", limit=arguments.limit)
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("ID", "id"),
            ("NAME", "name"),
            ("KEY", lambda row: f"…{row['hint']}"),
            ("USED", lambda row: when(row["last_used_at"])),
            ("STATE", state),
        ],
        empty="No keys.",
    )


def state(key: Row) -> str:
    if key["revoked_at"]:
        return f"revoked {when(key['revoked_at'])}"
    return f"expires {when(key['expires_at'])}" if key["expires_at"] else "valid"


def answer(arguments: Arguments, key: dict[str, object]) -> None:
    if arguments.json:
        write_json(key)
        return
    members(key)
