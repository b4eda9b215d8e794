"""``hub station``: charging stations of your own."""

from argparse import ArgumentParser
from typing import Any

from hub.cli import evses, options, simulate, station_calls, station_jobs, transactions
from hub.cli.naming_stations import named, path
from hub.cli.options import Arguments, Commands, given, hub, positive, read_secret
from hub.cli.output import facts, note, table, when, write_json

VERSIONS = ("1.6", "2.0.1", "2.1")
STATUSES = ("active", "inactive", "maintenance", "decommissioned")


def add(commands: Commands) -> None:
    stations = options.group(commands, "station", "charging stations of your own, over OCPP")

    parser = options.command(
        stations,
        "add",
        add_station,
        "Make a station known; prints its URL and password once.",
        more="Only stations that are known may connect. Publish what it offers: hub station place.",
    )
    parser.add_argument("station", help="its OCPP identity, as the station itself says it")
    parser.add_argument(
        "--password-file", metavar="FILE", help="one it has already, - for standard input"
    )
    record(parser)

    parser = options.command(stations, "list", list_, "All stations, newest first.")
    parser.add_argument("--station", help="only those whose identity begins so")
    parser.add_argument("--status", choices=STATUSES)
    parser.add_argument("--location", help="only those at this OCPI location")
    there = parser.add_mutually_exclusive_group()
    there.add_argument("--connected", action="store_true", default=None)
    there.add_argument("--away", dest="connected", action="store_false", default=None)
    options.limited(parser)

    parser = options.command(
        stations, "show", show, "One station: is it there, what is it, what does it say?"
    )
    named(parser)

    parser = options.command(stations, "edit", edit, "Change what is given.")
    named(parser)
    parser.add_argument("--status", choices=STATUSES, help="inactive ones are told to wait")
    record(parser)

    parser = options.command(
        stations,
        "password",
        new_password,
        "Give a connected station a new password, which nobody else gets to see.",
        more="The old one is good until the new one is first used.",
    )
    named(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--show",
        dest="how",
        action="store_const",
        const="show",
        help="show it instead, to be set at the station by hand",
    )
    how.add_argument(
        "--replace",
        dest="how",
        action="store_const",
        const="replace",
        help="the same, and the old one ends at once, with its connection",
    )

    parser = options.command(
        stations, "remove", remove, "Forget a station that has never charged anybody."
    )
    named(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    evses.add(stations)
    station_calls.add(stations)
    station_jobs.add(stations)
    simulate.add(stations)

    parser = options.command(
        stations, "start", start, "Begin to charge with a token of one of your own drivers."
    )
    named(parser)
    parser.add_argument("uid", help="the driver's token")
    parser.add_argument("--evse", type=positive, help="which one; some stations choose themselves")


def record(parser: ArgumentParser) -> None:
    parser.add_argument("--name", help="what people call it")
    parser.add_argument("--description")
    parser.add_argument(
        "--version",
        dest="versions",
        action="append",
        choices=VERSIONS,
        help="an OCPP version it may speak; may be repeated (all)",
    )
    parser.add_argument(
        "--profile",
        type=int,
        choices=(1, 2, 3),
        help="security: 1 password, 2 and TLS, 3 certificate (1)",
    )
    parser.add_argument(
        "--tolerance",
        choices=("lenient", "strict"),
        help="are harmless faults of its messages mended? (lenient)",
    )
    parser.add_argument(
        "--pings", choices=("yes", "no"), help="does it answer WebSocket pings? (yes)"
    )
    parser.add_argument(
        "--group",
        dest="groups",
        action="append",
        help="drivers' tokens may be limited to groups; may be repeated",
    )
    parser.add_argument("--location", help="the OCPI location it stands at")
    parser.add_argument(
        "--certificate", metavar="SHA256", help="fingerprint of its certificate, for profile 3"
    )


def body(arguments: Arguments) -> dict[str, Any]:
    return given(
        name=arguments.name,
        description=arguments.description,
        ocpp_versions=arguments.versions,
        security_profile=arguments.profile,
        tolerance=arguments.tolerance,
        answers_pings=arguments.pings and arguments.pings == "yes",
        groups=arguments.groups,
        location_id=arguments.location,
        certificate_fingerprint=arguments.certificate,
    )


def add_station(arguments: Arguments) -> None:
    wanted = {"station_id": arguments.station, **body(arguments)}
    if arguments.password_file is not None:
        wanted["password"] = read_secret(
            arguments.password_file, prompt="Its password", option="--password-file"
        )
    made = hub(arguments).post("/stations", wanted)
    if arguments.json:
        write_json(made)
        return
    facts(
        [
            ("Station", made["station"]["station_id"]),
            ("URL", made["url"]),
            ("User name", made["station"]["station_id"]),
            ("Password", made["password"]),
            ("OCPP", made["station"]["ocpp_versions"]),
        ]
    )
    if made["password"]:
        note("The password is shown this once. Set it at the station, with the URL.")
    note(f"Watch it come: hub station show {made['station']['station_id']}")


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all(
        "/stations",
        limit=arguments.limit,
        station_id=arguments.station,
        status=arguments.status and arguments.status.upper(),
        location_id=arguments.location,
        connected=arguments.connected,
    )
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("STATION", "station_id"),
            ("NAME", "name"),
            ("CONNECTED", "connected"),
            ("OCPP", "ocpp_version"),
            ("SAYS", "ocpp_status"),
            ("STATUS", "status"),
            ("LOCATION", "location_id"),
            ("HEARD", lambda row: when(row["last_heard"])),
        ],
        empty="No stations like that. Next: hub station add IDENTITY",
    )


def show(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).get(path(arguments)))


def edit(arguments: Arguments) -> None:
    wanted = body(arguments)
    if arguments.status:
        wanted["status"] = arguments.status.upper()
    answer(arguments, hub(arguments).patch(path(arguments), wanted))


def new_password(arguments: Arguments) -> None:
    made = hub(arguments).post(path(arguments, "/password"), given(how=arguments.how))
    if arguments.json:
        write_json(made)
        return
    facts([("Result", made["result"]), ("Password", made["password"])])
    if made["password"]:
        note("It is shown this once. Set it at the station.")
    elif made["result"] == "ACCEPTED":
        note("The station has it, and uses it when it connects next.")
    else:
        note("The station did not say whether it took it: both are good until one is used.")


def start(arguments: Arguments) -> int:
    body = given(uid=arguments.uid, evse=arguments.evse)
    return transactions.told(arguments, hub(arguments).post(path(arguments, "/start"), body))


def remove(arguments: Arguments) -> None:
    where = path(arguments)
    options.confirm(arguments, f"Forget {arguments.station}? Its EVSEs are shown as REMOVED.")
    hub(arguments).delete(where)
    if arguments.json:
        write_json({"removed": arguments.station})
    else:
        note("Removed.")


def answer(arguments: Arguments, station: dict[str, Any]) -> None:
    if arguments.json:
        write_json(station)
        return
    there = "no"
    if station["connected"]:
        there = f"yes, since {station['connected_at']} from {station['connected_from']}"
    model = [station["manufacturer"], station["model"], station["firmware_version"]]
    facts(
        [
            ("Station", station["station_id"]),
            ("ID", station["id"]),
            ("Name", station["name"]),
            ("Description", station["description"]),
            ("Status", station["status"]),
            ("Answered at boot", station["registration"]),
            ("Connected", there),
            ("Last heard", when(station["last_heard"])),
            ("Says of itself", station["ocpp_status"]),
            ("Error", station["error_code"]),
            ("Info", station["status_info"]),
            ("Speaks", station["ocpp_version"]),
            ("May speak", station["ocpp_versions"]),
            ("Model", " ".join(part for part in model if part)),
            ("Serial number", station["serial_number"]),
            ("Location", station["location_id"]),
            ("Security profile", station["security_profile"]),
            ("Password", password(station)),
            ("Certificate", station["certificate_fingerprint"]),
            ("Certificate until", station["certificate_expires_at"]),
            ("Tolerance", station["tolerance"]),
            ("Groups", station["groups"]),
            ("Can do", station["capabilities"]),
            ("Diagnostics", station["diagnostics"]),
        ]
    )


def password(station: dict[str, Any]) -> str:
    if station["password_pending"]:
        return "set; a new one is out and not used yet"
    return "set" if station["password_set"] else "none"
