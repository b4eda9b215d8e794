"""``hub user``: the people and programs of a tenant."""

from argparse import ArgumentParser

from hub.cli import options
from hub.cli.naming_users import HELP, find
from hub.cli.options import Arguments, Commands, given, hub
from hub.cli.output import members, note, table, when, write_json


def add(commands: Commands) -> None:
    users = options.group(commands, "user", "people and programs, and the roles they have")

    parser = options.command(users, "create", create, "A user with roles.")
    parser.add_argument("email")
    parser.add_argument("--role", action="append", default=[], help="its name; may be repeated")
    names(parser)

    parser = options.command(users, "list", list_, "All users, newest first.")
    options.limited(parser)

    parser = options.command(users, "show", show, "One user.")
    parser.add_argument("user", help=HELP)

    parser = options.command(users, "change", change, "Change what is given.")
    parser.add_argument("user", help=HELP)
    parser.add_argument("--email")
    parser.add_argument("--role", action="append", help="replaces all; may be repeated")
    parser.add_argument("--status", type=str.upper, help="ACTIVE, SUSPENDED, BLOCKED")
    names(parser)

    parser = options.command(users, "delete", delete, "Delete a user; its API keys end at once.")
    parser.add_argument("user", help=HELP)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def names(parser: ArgumentParser) -> None:
    parser.add_argument("--first-name")
    parser.add_argument("--last-name")


def create(arguments: Arguments) -> None:
    answer(
        arguments,
        hub(arguments).post(
            "/users",
            given(
                email=arguments.email,
                roles=arguments.role,
                first_name=arguments.first_name,
                last_name=arguments.last_name,
            ),
        ),
    )


def change(arguments: Arguments) -> None:
    answer(
        arguments,
        hub(arguments).patch(
            f"/users/{find(arguments, arguments.user)}",
            given(
                email=arguments.email,
                roles=arguments.role,
                status=arguments.status,
                first_name=arguments.first_name,
                last_name=arguments.last_name,
            ),
        ),
    )


def show(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).get(f"/users/{find(arguments, arguments.user)}"))


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all("/users", limit=arguments.limit)
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("ID", "id"),
            ("E-MAIL", "email"),
            ("ROLES", "roles"),
            ("STATUS", "status"),
            ("LAST LOGIN", lambda row: when(row["last_login_at"])),
        ],
        empty="No users.",
    )


def delete(arguments: Arguments) -> None:
    options.confirm(arguments, f"Delete the user {arguments.user}?")
    user_id = find(arguments, arguments.user)
    hub(arguments).delete(f"/users/{user_id}")
    if arguments.json:
        write_json({"deleted": user_id})
    else:
        note("Deleted.")


def answer(arguments: Arguments, user: dict[str, object]) -> None:
    if arguments.json:
        write_json(user)
        return
    members(user)
