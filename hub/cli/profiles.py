"""``hub profile``: charging profiles with names, and giving them to stations."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from hub.cli import naming_stations, options
from hub.cli.failures import NotFound
from hub.cli.options import Arguments, Commands, given, hub, positive
from hub.cli.output import facts, note, table, write_json

MORE = """\
A limit says from when and how much: 0=11000 is 11 kW from the start, 3600=7400 another from an hour
later on. With --daily or --weekly and --start it recurs.

  hub profile add night --daily --start 2026-01-01T22:00:00Z --limit 0=22000 --limit 28800=0
  hub profile apply night CP-1"""


def add(commands: Commands) -> None:
    profiles = options.group(commands, "profile", "charging profiles to give to stations")

    parser = options.command(profiles, "add", add_profile, "Make a charging profile.", more=MORE)
    parser.add_argument("name")
    parser.add_argument("--unit", choices=("W", "A"), default="W", help="of the limits (W)")
    parser.add_argument(
        "--station-max",
        action="store_true",
        help="limits the station as a whole, not what charges there",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--daily", dest="recurrency", action="store_const", const="DAILY")
    again.add_argument("--weekly", dest="recurrency", action="store_const", const="WEEKLY")
    schedule(parser, required=True)

    parser = options.command(profiles, "list", list_, "Charging profiles, and who has them.")
    options.limited(parser)

    parser = options.command(profiles, "show", show, "One charging profile.")
    parser.add_argument("profile", help="its name, number or id")

    parser = options.command(
        profiles,
        "edit",
        edit,
        "Change what is given.",
        more="Stations that have it keep the old one until it is given to them again.",
    )
    parser.add_argument("profile", help="its name, number or id")
    schedule(parser, required=False)

    for name, run, about in (
        ("apply", apply, "Give a profile to a station, or to one of its EVSEs."),
        ("clear", clear, "Take a profile back from a station."),
    ):
        parser = options.command(profiles, name, run, about)
        parser.add_argument("profile", help="its name, number or id")
        naming_stations.named(parser)
        if name == "apply":
            parser.add_argument("--evse", type=positive, default=0, help="only this one")

    parser = options.command(profiles, "remove", remove, "Remove a profile that no station has.")
    parser.add_argument("profile", help="its name, number or id")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def schedule(parser: ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--limit",
        dest="periods",
        action="append",
        type=period,
        required=required,
        metavar="SECONDS=LIMIT",
        help="from then on so much; may be repeated",
    )
    parser.add_argument("--start", metavar="TIME", help="of the schedule")
    parser.add_argument("--duration", type=positive, metavar="SECONDS")
    parser.add_argument("--level", type=int, metavar="N", help="the highest decides (0)")
    parser.add_argument("--from", dest="valid_from", metavar="TIME", help="good from then on")
    parser.add_argument("--until", dest="valid_to", metavar="TIME", help="good until then")
    parser.add_argument("--description")


def period(text: str) -> dict[str, float]:
    start, _, limit = text.partition("=")
    try:
        return {"start_period": int(start), "limit": float(limit)}
    except ValueError:
        raise ArgumentTypeError(f"must be SECONDS=LIMIT such as 0=11000, not {text!r}") from None


def body(arguments: Arguments) -> dict[str, Any]:
    return given(
        periods=arguments.periods,
        start_date_time=arguments.start,
        duration=arguments.duration,
        stack_level=arguments.level,
        valid_from=arguments.valid_from,
        valid_to=arguments.valid_to,
        description=arguments.description,
    )


def find(arguments: Arguments) -> str:
    wanted: str = arguments.profile
    for profile in hub(arguments).all("/charging-profiles"):
        if wanted in {profile["id"], profile["name"], str(profile["number"])}:
            return str(profile["id"])
    raise NotFound(f"There is no charging profile {wanted!r}.", next_step="hub profile list")


def path(arguments: Arguments, more: str = "") -> str:
    return f"/charging-profiles/{find(arguments)}{more}"


def add_profile(arguments: Arguments) -> None:
    wanted = {
        "name": arguments.name,
        "charging_rate_unit": arguments.unit,
        "purpose": "STATION_MAX" if arguments.station_max else "TX_DEFAULT",
        **given(recurrency=arguments.recurrency),
        **body(arguments),
    }
    answer(arguments, hub(arguments).post("/charging-profiles", wanted))


def show(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).get(path(arguments)))


def edit(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).patch(path(arguments), body(arguments)))


def apply(arguments: Arguments) -> None:
    place = {"station_id": naming_stations.find(arguments), "evse": arguments.evse}
    answer(arguments, hub(arguments).post(path(arguments, "/apply"), place))


def clear(arguments: Arguments) -> None:
    place = {"station_id": naming_stations.find(arguments)}
    answer(arguments, hub(arguments).post(path(arguments, "/clear"), place))


def remove(arguments: Arguments) -> None:
    where = path(arguments)
    options.confirm(arguments, f"Remove the charging profile {arguments.profile}?")
    hub(arguments).delete(where)
    if arguments.json:
        write_json({"removed": arguments.profile})
    else:
        note("Removed.")


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all("/charging-profiles", limit=arguments.limit)
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("NUMBER", "number"),
            ("NAME", "name"),
            ("LIMITS", "purpose"),
            ("KIND", "kind"),
            ("LEVEL", "stack_level"),
            ("AT", lambda row: [places(one) for one in row["applied"]]),
        ],
        empty="No charging profiles. Next: hub profile add --help",
    )


def places(applied: dict[str, Any]) -> str:
    where = f"{applied['station_id']}/{applied['evse']}" if applied["evse"] else "station_id"
    where = applied["station_id"] if where == "station_id" else where
    return where if applied["current"] else f"{where} (an older one)"


def answer(arguments: Arguments, profile: dict[str, Any]) -> None:
    if arguments.json:
        write_json(profile)
        return
    facts(
        (name, [places(one) for one in value] if name == "applied" else value)
        for name, value in profile.items()
    )
