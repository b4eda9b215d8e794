"""``hub token``: who of your own drivers may charge, where, when and how much."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from hub.cli import naming_users, options
from hub.cli.failures import NotFound, Usage
from hub.cli.options import Arguments, Commands, given, hub, is_id, positive
from hub.cli.output import facts, note, table, when, write_json

TYPES = (
    "rfid_iso14443",
    "rfid_mifare",
    "nfc_smartphone",
    "qr_code_dynamic",
    "iso15118_contract",
    "autocharge_vin",
    "roaming_token",
    "temporary",
    "test_token",
)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FULL_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
LIMITS = """\
Limits are given together: an edit with any of them replaces all of them, --no-limits removes them.
A token is good at a station when the station, or a group it is in, is named, or none is."""


def add(commands: Commands) -> None:
    tokens = options.group(commands, "token", "tokens of your own drivers")

    parser = options.command(tokens, "add", add_token, "Let a token charge.", more=LIMITS)
    parser.add_argument("uid", help="what the reader reads")
    parser.add_argument("--type", choices=TYPES, default=TYPES[0], help=f"({TYPES[0]})")
    record(parser)

    parser = options.command(tokens, "list", list_, "Tokens of your own drivers, newest first.")
    parser.add_argument("--state", choices=("valid", "blocked", "expired"))
    parser.add_argument("--type", choices=TYPES)
    parser.add_argument("--group")
    parser.add_argument("--user", help=naming_users.HELP)
    options.limited(parser)

    parser = options.command(tokens, "show", show, "One token.")
    named(parser)

    parser = options.command(tokens, "edit", edit, "Change what is given.", more=LIMITS)
    named(parser)
    parser.add_argument("--no-limits", action="store_true", help="good everywhere and always")
    record(parser)

    parser = options.command(tokens, "block", block, "Let a token charge no more.")
    named(parser)
    parser.add_argument("--reason")

    parser = options.command(tokens, "unblock", unblock, "Let a blocked token charge again.")
    named(parser)

    parser = options.command(tokens, "remove", remove, "Forget a token that was never used.")
    named(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def named(parser: ArgumentParser) -> None:
    parser.add_argument("uid", help="what the reader reads, or its id")
    parser.add_argument("--type", choices=TYPES, help="where the uid is of several types")


def record(parser: ArgumentParser) -> None:
    parser.add_argument("--user", help=f"the driver: {naming_users.HELP}")
    parser.add_argument("--group", help="tokens of one group may stop each other's sessions")
    parser.add_argument("--visual", help="what is printed on the card")
    parser.add_argument("--expires", metavar="TIME", help="such as 2027-01-31T12:00:00Z")
    parser.add_argument("--description")
    limits = parser.add_argument_group("limits")
    limits.add_argument("--station", action="append", help="only there; may be repeated")
    limits.add_argument(
        "--station-group", action="append", help="only at stations of this group; may be repeated"
    )
    limits.add_argument("--day", action="append", choices=DAYS, help="only then; may be repeated")
    limits.add_argument("--from", dest="start", metavar="HH:MM", help="only from then …")
    limits.add_argument("--to", dest="end", metavar="HH:MM", help="… to then")
    limits.add_argument("--timezone", help="of --from, --to and --day (UTC)")
    limits.add_argument("--country", action="append", help="only there, such as NLD")
    limits.add_argument("--region", action="append", help="only there: the state of a location")
    limits.add_argument("--near", type=circle, metavar="LAT,LON,KM", help="only within a circle")
    limits.add_argument("--per-day", type=positive, metavar="N", help="sessions a day")
    limits.add_argument("--per-month", type=positive, metavar="N", help="sessions a month")
    limits.add_argument("--amount-per-session", metavar="AMOUNT")
    limits.add_argument("--amount-per-month", metavar="AMOUNT")
    limits.add_argument("--minutes", type=positive, metavar="N", help="minutes a session")


def circle(text: str) -> dict[str, float]:
    try:
        latitude, longitude, radius = map(float, text.split(","))
    except ValueError:
        raise ArgumentTypeError("must be latitude,longitude,kilometres") from None
    return {"latitude": latitude, "longitude": longitude, "radius_km": radius}


def body(arguments: Arguments) -> dict[str, Any]:
    return given(
        user_id=arguments.user and naming_users.find(arguments, arguments.user),
        group_id=arguments.group,
        visual_number=arguments.visual,
        expires_at=arguments.expires,
        metadata={"description": arguments.description} if arguments.description else None,
        restrictions=restrictions(arguments) or None,
    )


def restrictions(arguments: Arguments) -> dict[str, Any]:
    parts = {
        "time_restriction": given(
            allowed_days=arguments.day and [FULL_DAYS[DAYS.index(day)] for day in arguments.day],
            start_time=arguments.start,
            end_time=arguments.end,
            timezone=arguments.timezone,
        ),
        "geographic": given(allowed_countries=arguments.country, allowed_regions=arguments.region)
        | (arguments.near or {}),
        "usage": given(
            max_sessions_per_day=arguments.per_day,
            max_sessions_per_month=arguments.per_month,
            max_amount_per_session=arguments.amount_per_session,
            max_amount_per_month=arguments.amount_per_month,
            max_duration_minutes=arguments.minutes,
        ),
    }
    where = given(allowed_stations=arguments.station, allowed_groups=arguments.station_group)
    return where | {name: part for name, part in parts.items() if part}


def find(arguments: Arguments) -> str:
    """The id of the token with this uid."""
    wanted: str = arguments.uid
    if is_id(wanted):
        return wanted
    kind = arguments.type and arguments.type.upper()
    found = hub(arguments).all("/tokens", uid=wanted, type=kind, limit=10)
    if len(found) == 1:
        return str(found[0]["id"])
    if not found:
        raise NotFound(f"There is no token {wanted!r}.", next_step="hub token list")
    raise Usage(
        f"{len(found)} tokens have this uid.",
        field="--type",
        allowed=[token["type"].lower() for token in found],
    )


def path(arguments: Arguments, more: str = "") -> str:
    return f"/tokens/{find(arguments)}{more}"


def add_token(arguments: Arguments) -> None:
    wanted = {"uid": arguments.uid, "type": arguments.type.upper(), **body(arguments)}
    answer(arguments, hub(arguments).post("/tokens", wanted))


def edit(arguments: Arguments) -> None:
    wanted = body(arguments)
    if arguments.no_limits:
        wanted["restrictions"] = {}
    answer(arguments, hub(arguments).patch(path(arguments), wanted))


def show(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).get(path(arguments)))


def block(arguments: Arguments) -> None:
    reason = given(reason=arguments.reason)
    answer(arguments, hub(arguments).post(path(arguments, "/block"), reason))


def unblock(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).post(path(arguments, "/unblock")))


def remove(arguments: Arguments) -> None:
    where = path(arguments)
    options.confirm(arguments, f"Forget the token {arguments.uid}?")
    hub(arguments).delete(where)
    if arguments.json:
        write_json({"removed": arguments.uid})
    else:
        note("Removed.")


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all(
        "/tokens",
        limit=arguments.limit,
        state=arguments.state and arguments.state.upper(),
        type=arguments.type and arguments.type.upper(),
        group_id=arguments.group,
        user_id=arguments.user and naming_users.find(arguments, arguments.user),
    )
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("UID", "uid"),
            ("TYPE", "type"),
            ("STATE", "state"),
            ("GROUP", "group_id"),
            ("EXPIRES", "expires_at"),
            ("LIMITED", lambda row: sorted(row["restrictions"] or {})),
            ("USED", "use_count"),
            ("LAST", lambda row: when(row["last_used_at"])),
        ],
        empty="No tokens like that. Next: hub token add UID",
    )


def answer(arguments: Arguments, token: dict[str, Any]) -> None:
    if arguments.json:
        write_json(token)
        return
    facts(
        [
            ("Token", token["uid"]),
            ("ID", token["id"]),
            ("Type", token["type"]),
            ("State", token["state"]),
            ("Blocked because", token["block_reason"]),
            ("User", token["user_id"]),
            ("Group", token["group_id"]),
            ("Printed on it", token["visual_number"]),
            ("Expires", token["expires_at"]),
            ("Used", f"{token['use_count']} times, last {when(token['last_used_at'])}"),
            ("About it", token["metadata"]),
            ("Limits", token["restrictions"]),
        ]
    )
