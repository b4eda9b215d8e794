"""``hub station evses`` and ``place``: where the EVSEs of stations are, and what OCPI sees."""

from argparse import ArgumentParser
from typing import Any

from hub.cli import options
from hub.cli.naming_stations import named, path
from hub.cli.options import Arguments, Commands, given, hub, positive
from hub.cli.output import note, table, write_json

PLUG = """\
A connector is published once its standard, voltage and amperage are known. Give
the others of an EVSE with --connector 2 and so on, one command each."""


def add(group: Commands) -> None:
    parser = options.command(
        group, "evses", list_, "What a station has: EVSEs, connectors, and what OCPI sees of them."
    )
    named(parser)

    parser = options.command(
        group,
        "place",
        place,
        "Publish an EVSE at a location of your own.",
        more=f"The station's other EVSEs stand there, too.\n\n{PLUG}",
    )
    named(parser)
    described(parser)
    parser.add_argument("--location", help="the id of the OCPI location")

    parser = options.command(
        group, "describe", describe, "Describe an EVSE without publishing it.", more=PLUG
    )
    named(parser)
    described(parser)
    parser.add_argument(
        "--shown-as",
        choices=("planned", "inoperative", "blocked", "removed", "itself"),
        help="a status that outranks what the station says; itself: what it says",
    )

    parser = options.command(
        group, "withdraw", withdraw, "Publish an EVSE no longer: it is shown as REMOVED."
    )
    named(parser)
    parser.add_argument("evse", type=positive, help="its number at the station")


def described(parser: ArgumentParser) -> None:
    parser.add_argument("evse", type=positive, help="its number at the station")
    parser.add_argument("--evse-id", help="the eMI3 id, such as NL*OWN*E1001")
    parser.add_argument("--reference", help="what is painted on it")
    parser.add_argument("--power-group", help="EVSEs that share their power have the same")
    parser.add_argument("--connector", type=positive, default=1, help="which connector (1)")
    parser.add_argument("--standard", help="a ConnectorType of OCPI, such as IEC_62196_T2")
    parser.add_argument("--format", choices=("socket", "cable"))
    parser.add_argument("--voltage", type=positive, metavar="VOLTS")
    parser.add_argument("--amperage", type=positive, metavar="AMPERES")
    parser.add_argument("--power", type=positive, metavar="WATTS")
    parser.add_argument("--phases", type=positive, metavar="N")
    parser.add_argument("--tariff", help="the id of a tariff of your own")


def body(arguments: Arguments) -> dict[str, Any]:
    plug = given(
        standard=arguments.standard,
        format=arguments.format and arguments.format.upper(),
        max_voltage=arguments.voltage,
        max_amperage=arguments.amperage,
        max_electric_power=arguments.power,
        phases=arguments.phases,
        tariff_id=arguments.tariff,
    )
    return given(
        evse_id=arguments.evse_id,
        physical_reference=arguments.reference,
        power_group=arguments.power_group,
        connectors=[{"id": arguments.connector, **plug}] if plug else None,
    )


def place(arguments: Arguments) -> None:
    wanted = {"published": True, **given(location_id=arguments.location)}
    change(arguments, wanted | body(arguments))


def describe(arguments: Arguments) -> None:
    wanted = body(arguments)
    if arguments.shown_as is not None:
        shown_as = arguments.shown_as.upper()
        wanted["shown_as"] = None if shown_as == "ITSELF" else shown_as
    change(arguments, wanted)


def withdraw(arguments: Arguments) -> None:
    change(arguments, {"published": False})


def change(arguments: Arguments, wanted: dict[str, Any]) -> None:
    where = path(arguments, f"/evses/{arguments.evse}")
    evse = hub(arguments).patch(where, wanted)
    if arguments.json:
        write_json(evse)
        return
    show([evse])
    if evse["published"]:
        note("OCPI sees it. Who has received it: hub object show locations CC/PID/LOCATION")


def list_(arguments: Arguments) -> None:
    found = hub(arguments).get(path(arguments, "/evses"))["items"]
    if arguments.json:
        write_json({"items": found})
        return
    show(found)
    if pending := [str(evse["number"]) for evse in found if not evse["published"]]:
        note(f"Not published: EVSE {', '.join(pending)}. Next: hub station place --help")


def show(evses: list[dict[str, Any]]) -> None:
    """One line for each connector."""
    table(
        [evse | {"plug": plug} for evse in evses for plug in evse["connectors"] or [None]],
        [
            ("EVSE", "number"),
            ("PUBLISHED", "published"),
            ("STATUS", "status"),
            ("LOCATION", "location_id"),
            ("EVSE ID", "evse_id"),
            ("UID", "uid"),
            ("CONNECTOR", lambda row: row["plug"] and row["plug"]["id"]),
            ("STANDARD", lambda row: row["plug"] and row["plug"]["standard"]),
            ("POWER", lambda row: row["plug"] and power(row["plug"])),
            ("TARIFF", lambda row: row["plug"] and row["plug"]["tariff_id"]),
            ("SAYS", lambda row: row["plug"] and row["plug"]["status"]),
        ],
        empty="It has told of no EVSEs yet. They can be described before it does.",
    )


def power(plug: dict[str, Any]) -> str | None:
    if plug["max_electric_power"]:
        return f"{plug['max_electric_power'] / 1000:g} kW"
    if plug["max_voltage"] and plug["max_amperage"]:
        return f"{plug['max_voltage']} V {plug['max_amperage']} A"
    return None
