"""``hub tenant``: isolated networks on one hub."""

from argparse import ArgumentParser
from typing import Any

from hub.cli import options, telling
from hub.cli.options import Arguments, Commands, given, hub
from hub.cli.output import members, note, table, write_json

DEFAULTS = {"open": "ALLOW", "closed": "BLOCK"}


def add(commands: Commands) -> None:
    tenants = options.group(commands, "tenant", "isolated networks on one hub")

    parser = options.command(
        tenants,
        "create",
        create,
        "A new network with nothing in it.",
        more="Then make its first user and key, with --tenant and its id.",
    )
    parser.add_argument("name")
    parser.add_argument("--party", required=True, help="the hub's own party in it: NL*HUB")
    columns(parser)

    parser = options.command(tenants, "list", list_, "All tenants, newest first.")
    options.limited(parser)

    parser = options.command(tenants, "show", show, "One tenant.")
    parser.add_argument("id")

    parser = options.command(tenants, "change", change, "Change what is given.")
    parser.add_argument("id")
    parser.add_argument("--name")
    parser.add_argument("--party", help="the hub's own party in it")
    parser.add_argument("--status", type=str.upper, help="ACTIVE, SUSPENDED, TERMINATED")
    columns(parser)
    telling.offer(parser)


def columns(parser: ArgumentParser) -> None:
    parser.add_argument("--cpo-party", help="the party of its own charging stations")
    parser.add_argument("--domain", help="a name to call it by")
    parser.add_argument("--company", help="the company that runs it")
    parser.add_argument(
        "--network",
        choices=list(DEFAULTS),
        help="what is allowed between parties without an agreement: open, everything; closed,"
        " nothing (open)",
    )


def body(arguments: Arguments) -> dict[str, object]:
    network = arguments.network and {"default_agreement": DEFAULTS[arguments.network]}
    return given(
        settings=network and {"features": network},
        name=arguments.name,
        party=arguments.party,
        cpo_party=arguments.cpo_party,
        domain=arguments.domain,
        company_name=arguments.company,
        status=getattr(arguments, "status", None),
    )


def create(arguments: Arguments) -> None:
    made = hub(arguments).post("/tenants", body(arguments))
    answer(arguments, made)
    if not arguments.json:
        note(f"Its first user: hub user create E-MAIL --role Administrator --tenant {made['id']}")
        note(f"and their key:  hub key create NAME --user E-MAIL --tenant {made['id']}")


def change(arguments: Arguments) -> None:
    path, tell = f"/tenants/{arguments.id}", telling.wanted(arguments)
    answer(arguments, hub(arguments).patch(path, body(arguments), tell=tell))


def show(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).get(f"/tenants/{arguments.id}"))


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all("/tenants", limit=arguments.limit)
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("ID", "id"),
            ("NAME", "name"),
            ("PARTY", "party"),
            ("DOMAIN", "domain"),
            ("STATUS", "status"),
        ],
        empty="No tenants.",
    )


def answer(arguments: Arguments, tenant: dict[str, Any]) -> None:
    if arguments.json:
        write_json(tenant)
        return
    told = tenant.pop("told", [])
    members(tenant)
    telling.show(told)
