"""``hub partner``: inviting and joining platforms, seeing how they are, parting."""

from collections.abc import Mapping
from typing import Any

from hub.cli import options, partner_settings, probes, syncs
from hub.cli.failures import NotFound, Refused, Usage
from hub.cli.options import Arguments, Commands, given, hub, is_id, read_secret
from hub.cli.output import facts, lines, moment, note, table, when, write_json

ROLE = "NL*ACM:CPO: a party and the role it plays; may be repeated"


def add(commands: Commands) -> None:
    partners = options.group(commands, "partner", "platforms: invite, join, watch, shut out, part")

    parser = options.command(
        partners,
        "invite",
        invite,
        "Let a platform register: prints the versions URL and a token A for it.",
        more="The token is shown this once. The platform can register as the roles given here and"
        "\nas nobody else. With --again, an existing partner gets a new token.",
    )
    parser.add_argument("name", help="what you call the platform; with --again its id")
    roles(parser)
    beside(parser)
    parser.add_argument("--days", type=options.positive, default=7, help="valid for (7)")
    parser.add_argument("--again", action="store_true", help="a new token for a known partner")

    parser = options.command(
        partners,
        "join",
        join,
        "Register the hub with a platform that gave you a versions URL and a token A.",
        more="The token is read from --token-file, from standard input, or asked for; never from"
        "\nthe command line. With --again, a registration that failed is tried once more.",
    )
    parser.add_argument("name", help="what you call the platform; with --again its id")
    parser.add_argument("versions_url", help="theirs, such as https://ocpi.example.com/versions")
    roles(parser)
    beside(parser)
    version(parser)
    parser.add_argument("--token-file", metavar="FILE", help="their token A; - for standard input")
    parser.add_argument("--again", action="store_true", help="try a known partner again")

    parser = options.command(partners, "list", list_, "All platforms of the network.")
    parser.add_argument("--status", help="only those, such as ACTIVE or SUSPENDED")
    options.limited(parser)

    for name, run, about in (
        ("show", show, "One platform: parties, endpoints, tokens, when it was last seen."),
        ("trace", trace, "The handshakes with a platform: every step, and why it failed."),
        ("suspend", suspend, "Stop all traffic with a platform; its tokens and data stay."),
        ("resume", resume, "Let a suspended platform back in."),
        ("renew", renew, "Exchange new tokens with a platform."),
        ("leave", leave, "Unregister from a platform; what it brought stays."),
        ("remove", remove, "Remove a platform that never registered; its parties are free then."),
    ):
        parser = options.command(partners, name, run, about)
        parser.add_argument("id", help="of the partner, or the beginning of its name")
        if name == "suspend":
            parser.add_argument("--reason", help="for the audit log")
        if name == "renew":
            version(parser)
        if name == "trace":
            parser.add_argument("--all", action="store_true", help="not only the latest handshake")
        if name in {"leave", "remove"}:
            parser.add_argument("--yes", action="store_true", help="do not ask")

    partner_settings.add(partners, find)
    syncs.add(partners, find)
    probes.add(partners, find)


def roles(parser: Any) -> None:
    parser.add_argument("--role", metavar="PARTY:ROLE", action="append", default=[], help=ROLE)


def beside(parser: Any) -> None:
    parser.add_argument(
        "--beside",
        metavar="PARTNER",
        help="one more registration of this platform: 2.1.1 has one party and role in each",
    )


def version(parser: Any) -> None:
    parser.add_argument("--version", help="of OCPI, such as 2.1.1; else the newest both know")


def introduced(arguments: Arguments) -> dict[str, Any]:
    """What a new partner is, as the admin API wants it."""
    body: dict[str, Any] = {"name": arguments.name, "roles": read_roles(arguments)}
    if arguments.beside:
        body["configuration"] = {"beside": find(arguments, arguments.beside)}
    return body


def read_roles(arguments: Arguments) -> list[dict[str, str]]:
    granted = []
    for text in arguments.role:
        party, colon, role = text.rpartition(":")
        if not colon or not party:
            raise Usage(
                f"--role: {text!r} is not a party and a role.",
                field="--role",
                allowed="such as NL*ACM:CPO",
            )
        granted.append({"party": party, "role": role.upper()})
    if not granted:
        raise Usage(
            "--role: Say what the platform may register as.",
            field="--role",
            allowed="such as NL*ACM:CPO; may be repeated",
        )
    return granted


def find(arguments: Arguments, name: str | None = None) -> str:
    """The partner's id; its name will do where only one begins so."""
    wanted: str = arguments.id if name is None else name
    if not wanted.strip():
        raise Usage("Which partner? The name is empty.", field="id", next_step="hub partner list")
    if is_id(wanted):
        return wanted
    named = [
        partner
        for partner in hub(arguments).all("/partners")
        if partner["name"].lower().startswith(wanted.lower()) or partner["id"].startswith(wanted)
    ]
    named = [one for one in named if one["name"].lower() == wanted.lower()] or named
    if len(named) == 1:
        return str(named[0]["id"])
    if not named:
        raise NotFound(f"There is no partner {wanted!r}.", next_step="hub partner list")
    raise Usage(
        f"{len(named)} partners are called {wanted!r}.",
        field="id",
        allowed=[f"{partner['id']} ({partner['name']})" for partner in named],
    )


def name_of(arguments: Arguments, partner_id: str) -> str:
    """What the operator calls a partner; its id to a key that may not read partners."""
    try:
        return str(hub(arguments).get(f"/partners/{partner_id}")["name"])
    except (NotFound, Refused):
        return partner_id


def invite(arguments: Arguments) -> None:
    if arguments.again:
        arguments.id = arguments.name
        made = hub(arguments).post(
            f"/partners/{find(arguments)}/invite", {"valid_days": arguments.days}
        )
    else:
        body = introduced(arguments) | {"valid_days": arguments.days}
        made = hub(arguments).post("/partners/invite", body)
    if arguments.json:
        write_json(made)
        return
    facts(
        [
            ("Partner", f"{made['partner']['name']}  {made['partner']['id']}"),
            ("May register as", [spell(role) for role in made["partner"]["roles"]]),
            ("Versions URL", made["versions_url"]),
            ("Token A", made["token"]),
            ("Valid until", moment(made["expires_at"])),
        ]
    )
    note("The token is shown this once. Hand it over on a safe way.")
    note(f"Watch the registration: hub partner trace {made['partner']['id']}")


def join(arguments: Arguments) -> None:
    token = read_secret(arguments.token_file, prompt="Their token A", option="--token-file")
    body = given(version=arguments.version) | {
        "versions_url": arguments.versions_url,
        "token": token,
    }
    if arguments.again:
        arguments.id = arguments.name
        path = f"/partners/{find(arguments)}/join"
    else:
        path = "/partners/join"
        body |= introduced(arguments)
    if not arguments.json:
        note(f"Registering at {arguments.versions_url} …")
    answer(arguments, hub(arguments).post(path, body))


def list_(arguments: Arguments) -> None:
    partners = hub(arguments).all(
        "/partners", limit=arguments.limit, status=arguments.status and arguments.status.upper()
    )
    if arguments.json:
        write_json({"items": partners})
        return
    table(
        partners,
        [
            ("ID", "id"),
            ("NAME", "name"),
            ("PARTIES", lambda row: [spell(role) for role in row["roles"]]),
            ("STATUS", "status"),
            ("CONNECTION", "connection_status"),
            ("OCPI", "ocpi_version"),
            ("SEEN", lambda row: when(row["last_seen_at"])),
            ("RENEWED", renewed),
        ],
        empty="Nobody is here yet. Next: hub partner invite NAME --role NL*ACM:CPO",
    )


def show(arguments: Arguments) -> None:
    path = f"/partners/{find(arguments)}"
    partner = hub(arguments).get(path)
    pulls = hub(arguments).get(f"{path}/sync")["items"]
    if arguments.json:
        write_json(partner | {"sync": pulls})
        return
    answer(arguments, partner)
    if pulls:
        lines("")
        syncs.show(pulls)


def suspend(arguments: Arguments) -> None:
    body = given(reason=arguments.reason)
    partner = hub(arguments).post(f"/partners/{find(arguments)}/suspend", body)
    if arguments.json:
        write_json(partner)
        return
    lines(f"{partner['name']} is suspended: nothing comes in from it, nothing goes to it.")
    note(f"To let it back in: hub partner resume {partner['id']}")


def resume(arguments: Arguments) -> None:
    partner = hub(arguments).post(f"/partners/{find(arguments)}/resume")
    if arguments.json:
        write_json(partner)
        return
    lines(f"{partner['name']} is {partner['status']} again, and {partner['connection_status']}.")


def renew(arguments: Arguments) -> None:
    body = given(version=arguments.version)
    partner = hub(arguments).post(f"/partners/{find(arguments)}/renew", body)
    if arguments.json:
        write_json(partner)
        return
    lines(f"New tokens were exchanged with {partner['name']}, over OCPI {partner['ocpi_version']}.")


def leave(arguments: Arguments) -> None:
    partner_id = find(arguments)
    options.confirm(arguments, f"Unregister from {arguments.id}? Its tokens end at once.")
    left = hub(arguments).post(f"/partners/{partner_id}/leave")
    if arguments.json:
        write_json(left)
        return
    answer(arguments, left["partner"])
    if not left["told"]:
        note("The platform could not be told, or disagreed; here it is unregistered all the same.")


def remove(arguments: Arguments) -> None:
    partner_id = find(arguments)
    options.confirm(arguments, f"Remove {arguments.id}? Its invitation ends at once.")
    hub(arguments).delete(f"/partners/{partner_id}")
    if arguments.json:
        write_json({"removed": partner_id})
    else:
        note("Removed.")


def answer(arguments: Arguments, partner: dict[str, Any]) -> None:
    if arguments.json:
        write_json(partner)
        return
    facts(
        [
            ("Partner", partner["name"]),
            ("ID", partner["id"]),
            ("Status", partner["status"]),
            ("Connection", partner["connection_status"]),
            ("Roles", [spell_out(role) for role in partner["roles"]]),
            ("OCPI", partner["ocpi_version"]),
            ("Versions URL", partner["versions_url"]),
            ("Hub party", partner["hub_party_id"]),
            ("Last seen", when(partner["last_seen_at"])),
            ("Renewed", renewed(partner)),
            ("Tokens", [f"{t['kind']} {t['hint']}…" for t in partner["tokens"]]),
            ("Settings", partner["configuration"]),
        ]
    )
    for endpoint in partner["endpoints"]:
        lines(f"  {endpoint['identifier']:<18} {endpoint['role']:<9} {endpoint['url']}")


def renewed(partner: Mapping[str, Any]) -> str:
    """When credentials were exchanged last, and whether it is time again."""
    return when(partner["connected_at"]) + (" (due)" if partner["renewal_due"] else "")


def spell(role: dict[str, Any]) -> str:
    return f"{role['party']}:{role['role']}"


def spell_out(role: dict[str, Any]) -> str:
    """A role, and what is still missing before the platform can play it."""
    if role["approved"] and role["declared"]:
        return spell(role)
    return f"{spell(role)} ({'not declared yet' if role['approved'] else 'not approved'})"


def trace(arguments: Arguments) -> None:
    limit = None if arguments.all else 1
    found = hub(arguments).all(f"/partners/{find(arguments)}/traces", limit=limit)
    if arguments.json:
        write_json({"items": found})
        return
    if not found:
        note("There was no handshake with this partner yet.")
    for handshake in reversed(found):
        lines(f"{handshake['kind']}  {handshake['outcome']}  {handshake['created_at']}")
        for step in handshake["steps"]:
            lines(f"  {step_line(step)}")
        if handshake["reason"]:
            lines(f"  why: {handshake['reason']}")


def step_line(step: dict[str, Any]) -> str:
    answered = " ".join(str(step[name]) for name in ("http_status", "status_code") if name in step)
    what = " ".join(step[name] for name in ("method", "url") if name in step)
    took = f"{step['ms']} ms" if "ms" in step else ""
    parts = (step["at"][11:23], step["step"], what, answered, step.get("message", ""), took)
    return "  ".join(part for part in parts if part)
