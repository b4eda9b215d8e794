"""How commands name what has a name of its own in the tenant."""

from hub.cli.failures import NotFound
from hub.cli.options import Arguments, hub, is_id


def by_name(arguments: Arguments, path: str, wanted: str, *, what: str, next_step: str) -> str:
    """The id of one in the list at ``path``, by its name; an id is taken as it is."""
    if is_id(wanted):
        return wanted
    for one in hub(arguments).all(path):
        if one["name"] == wanted:
            return str(one["id"])
    raise NotFound(f"There is no {what} {wanted!r}.", next_step=next_step)
