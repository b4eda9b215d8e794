"""How commands name a user."""

from hub.cli.failures import NotFound
from hub.cli.options import Arguments, hub

HELP = "the e-mail address of the user, or the id"


def find(arguments: Arguments, name: str) -> str:
    """The user's id; there is one user at most to an e-mail address."""
    if "@" not in name:
        return name
    found = hub(arguments).all("/users", email=name, limit=1)
    if not found:
        raise NotFound(f"There is no user {name!r}.", next_step="hub user list")
    return str(found[0]["id"])
