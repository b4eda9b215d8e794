"""How commands name a charging station."""

from argparse import ArgumentParser

from hub.cli.failures import NotFound, Usage
from hub.cli.options import Arguments, hub, is_id


def named(parser: ArgumentParser) -> None:
    parser.add_argument("station", help="its OCPP identity, the beginning of it, or its id")


def find(arguments: Arguments) -> str:
    """The station's id; the beginning of its identity will do where only one begins so."""
    wanted: str = arguments.station
    if is_id(wanted):
        return wanted
    found = hub(arguments).all("/stations", station_id=wanted, limit=10)
    exact = [station for station in found if station["station_id"] == wanted] or found
    if len(exact) == 1:
        return str(exact[0]["id"])
    if not exact:
        raise NotFound(f"There is no station {wanted!r}.", next_step="hub station list")
    raise Usage(
        f"The identities of several stations begin with {wanted!r}.",
        field="station",
        allowed=[station["station_id"] for station in exact],
    )


def path(arguments: Arguments, more: str = "") -> str:
    return f"/stations/{find(arguments)}{more}"
