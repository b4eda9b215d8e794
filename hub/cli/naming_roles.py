"""How commands name a role."""

from argparse import ArgumentParser

from hub.cli.failures import NotFound
from hub.cli.options import Arguments, hub, is_id


def named(parser: ArgumentParser) -> None:
    parser.add_argument("role", help="its name, or its id")


def path(arguments: Arguments) -> str:
    """Where the role is: names are unique in a tenant."""
    wanted: str = arguments.role
    if is_id(wanted):
        return f"/roles/{wanted}"
    for role in hub(arguments).all("/roles"):
        if role["name"] == wanted:
            return f"/roles/{role['id']}"
    raise NotFound(f"There is no role {wanted!r}.", next_step="hub role list")
