"""``hub transaction``: charging at stations of your own, and what to do when it hangs."""

from typing import Any

from hub.cli import naming_stations, options
from hub.cli.options import Arguments, Commands, given, hub
from hub.cli.output import facts, members, note, table, when, write_json


def add(commands: Commands) -> None:
    transactions = options.group(commands, "transaction", "charging at stations of your own")

    parser = options.command(transactions, "list", list_, "Transactions, newest first.")
    parser.add_argument("--station", help="only there")
    parser.add_argument("--id-tag", help="only with this token, as the station says it")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--open", action="store_true", default=None, help="only those that run")
    which.add_argument("--state", choices=("open", "lost", "ended", "orphan"))
    options.limited(parser)

    parser = options.command(
        transactions, "show", show, "One transaction, with whatever was odd about it."
    )
    parser.add_argument("transaction", help="its id")

    parser = options.command(
        transactions, "stop", stop, "Have the station end a transaction, as an eMSP would."
    )
    parser.add_argument("transaction", help="its id")

    parser = options.command(
        transactions,
        "close",
        close,
        "End and bill a transaction whose station does not report the end.",
        more="The station is not asked. If it reports the end after all, what went out is credited"
        " and\nbilled anew.",
    )
    parser.add_argument("transaction", help="its id")
    parser.add_argument(
        "--at", metavar="TIME", help="when it ended (at its last reading; with --meter, now)"
    )
    parser.add_argument("--meter", metavar="WH", help="what the meter says, in Wh")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def list_(arguments: Arguments) -> None:
    station_id = naming_stations.find(arguments) if arguments.station else None
    found = hub(arguments).all(
        "/transactions",
        limit=arguments.limit,
        station_id=station_id,
        id_tag=arguments.id_tag,
        open=arguments.open,
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
            ("TOKEN", "id_tag"),
            ("STARTED", lambda row: when(row["started_at"]) if row["started_at"] else None),
            ("KWH", "kwh"),
            ("READ", lambda row: when(row["read_at"]) if row.get("read_at") else None),
            ("ENDED BECAUSE", "stop_reason"),
            ("NOTES", "notes"),
        ],
        empty="No transactions like that.",
    )


def show(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).get(f"/transactions/{arguments.transaction}"))


def stop(arguments: Arguments) -> int:
    return told(arguments, hub(arguments).post(f"/transactions/{arguments.transaction}/stop"))


def told(arguments: Arguments, outcome: dict[str, Any]) -> int:
    """What the station said; 1 unless it takes it."""
    if arguments.json:
        write_json(outcome)
    else:
        facts([("Result", outcome["result"]), ("Because", outcome["message"])])
    return int(outcome["result"] != "ACCEPTED")


def close(arguments: Arguments) -> None:
    options.confirm(arguments, "End it without its station, and bill it?")
    body = given(ended_at=arguments.at, meter_stop_wh=arguments.meter)
    answer(arguments, hub(arguments).post(f"/transactions/{arguments.transaction}/close", body))
    if not arguments.json:
        note("It is billed. Its CDR: hub object list cdrs")


def answer(arguments: Arguments, transaction: dict[str, Any]) -> None:
    if arguments.json:
        write_json(transaction)
        return
    members(transaction)
