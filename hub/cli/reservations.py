"""``hub reservation``: places that stations of your own keep free for somebody."""

from typing import Any

from hub.cli import naming_stations, options, transactions
from hub.cli.options import Arguments, Commands, given, hub, positive
from hub.cli.output import members, table, when, write_json


def add(commands: Commands) -> None:
    reservations = options.group(commands, "reservation", "reservations at stations of your own")

    parser = options.command(reservations, "list", list_, "Reservations, newest first.")
    parser.add_argument("--station", help="only there")
    parser.add_argument(
        "--state", choices=("requested", "active", "used", "canceled", "expired", "refused")
    )
    options.limited(parser)

    parser = options.command(reservations, "show", show, "One reservation.")
    parser.add_argument("reservation", help="its id")

    parser = options.command(
        reservations, "add", add_reservation, "Keep a place for one of your own drivers."
    )
    naming_stations.named(parser)
    parser.add_argument("uid", help="the driver's token")
    parser.add_argument("--until", metavar="TIME", required=True, help="2027-01-31T12:00:00Z")
    parser.add_argument("--evse", type=positive, help="only this one")

    parser = options.command(
        reservations, "cancel", cancel, "Take a reservation back, also an eMSP's."
    )
    parser.add_argument("reservation", help="its id")


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all(
        "/reservations",
        limit=arguments.limit,
        station_id=naming_stations.find(arguments) if arguments.station else None,
        state=arguments.state and arguments.state.upper(),
    )
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("ID", "id"),
            ("STATION", "station_id"),
            ("EVSE", "evse"),
            ("STATE", "state"),
            ("FOR", "party"),
            ("TOKEN", lambda row: row["token"].get("uid")),
            ("UNTIL", lambda row: when(row["expires_at"])),
        ],
        empty="No reservations like that.",
    )


def show(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).get(f"/reservations/{arguments.reservation}"))


def add_reservation(arguments: Arguments) -> None:
    body = {"uid": arguments.uid, "expires_at": arguments.until, **given(evse=arguments.evse)}
    station_id = naming_stations.find(arguments)
    answer(arguments, hub(arguments).post("/reservations", {"station_id": station_id, **body}))


def cancel(arguments: Arguments) -> int:
    outcome = hub(arguments).post(f"/reservations/{arguments.reservation}/cancel")
    return transactions.told(arguments, outcome)


def answer(arguments: Arguments, reservation: dict[str, Any]) -> None:
    if arguments.json:
        write_json(reservation)
        return
    members(reservation)
