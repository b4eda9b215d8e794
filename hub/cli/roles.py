"""``hub role``: what may be permitted, and who gets it together."""

from argparse import ArgumentParser

from hub.cli import options
from hub.cli.naming import by_name
from hub.cli.options import Arguments, Commands, given, hub
from hub.cli.output import members, note, table, write_json


def add(commands: Commands) -> None:
    roles = options.group(commands, "role", "sets of permissions")

    parser = options.command(
        roles, "create", create, "A role of your own: you can give what you have."
    )
    parser.add_argument("name")
    parser.add_argument("--permission", action="append", default=[], help="may be repeated")
    parser.add_argument("--description")

    parser = options.command(roles, "list", list_, "All roles, newest first.")
    options.limited(parser)

    parser = options.command(roles, "permissions", permissions, "Everything there is to permit.")

    parser = options.command(roles, "show", show, "One role.")
    named(parser)

    parser = options.command(roles, "change", change, "Change what is given.")
    named(parser)
    parser.add_argument("--name")
    parser.add_argument("--permission", action="append", help="replaces all; may be repeated")
    parser.add_argument("--description")

    parser = options.command(roles, "delete", delete, "Delete a role; its users lose it.")
    named(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def named(parser: ArgumentParser) -> None:
    parser.add_argument("role", help="its name, or its id")


def path(arguments: Arguments) -> str:
    role_id = by_name(arguments, "/roles", arguments.role, what="role", next_step="hub role list")
    return f"/roles/{role_id}"


def body(arguments: Arguments) -> dict[str, object]:
    return given(
        name=arguments.name,
        permissions=arguments.permission,
        description=arguments.description,
    )


def create(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).post("/roles", body(arguments)))


def change(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).patch(path(arguments), body(arguments)))


def show(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).get(path(arguments)))


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all("/roles", limit=arguments.limit)
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("ID", "id"),
            ("NAME", "name"),
            ("KIND", "role_type"),
            ("PERMISSIONS", lambda row: len(row["permissions"])),
            ("DESCRIPTION", "description"),
        ],
        empty="No roles.",
    )


def permissions(arguments: Arguments) -> None:
    found = hub(arguments).get("/permissions")
    if arguments.json:
        write_json(found)
        return
    table(
        found["items"],
        [("NAME", "name"), ("SCOPE", "scope"), ("DESCRIPTION", "description")],
        empty="There is nothing to permit.",
    )


def delete(arguments: Arguments) -> None:
    options.confirm(arguments, f"Delete the role {arguments.role}?")
    hub(arguments).delete(path(arguments))
    if arguments.json:
        write_json({"deleted": arguments.role})
    else:
        note("Deleted.")


def answer(arguments: Arguments, role: dict[str, object]) -> None:
    if arguments.json:
        write_json(role)
        return
    members(role)
