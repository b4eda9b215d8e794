"""Whom a private object is for: told by what it refers to, where it does not say it (HUB-35)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import RoutingError, UnknownReceiver
from hub.models.extensions import Terminal
from hub.models.objects import CDR, EVSE, Location, Session
from hub.models.values import Party
from hub.roaming.modules import Module
from hub.roaming.network.audience import Audience

Document = Mapping[str, Any]


async def find(db: AsyncSession, kind: str, owner: Party, document: Document) -> Party:
    """Raises UnknownReceiver (4001) when nothing tells, RoutingError (4000) rather than guess."""
    found = await FINDERS[kind](db, owner, document)
    if not found:
        raise UnknownReceiver(
            f"The hub cannot tell whom this {kind} is for: nothing that it refers to is known here."
            " Name the party in OCPI-to-country-code and OCPI-to-party-id."
        )
    if len(found) > 1:
        raise RoutingError(
            f"This {kind} could be for any of {', '.join(sorted(map(str, found)))}. Send one for"
            " each, or name the party in OCPI-to-country-code and OCPI-to-party-id."
        )
    return found.pop()


def check(audience: Audience, module: Module, owner: Party, receiver: Party) -> None:
    """The party must be here, speak a version that has such objects, and be allowed to get them."""
    hosts = audience.hosts(receiver)
    if not hosts and receiver != audience.own:
        raise UnknownReceiver(f"{receiver}, which it is for, is not known here.")
    if hosts and not any(host.version is None or host.version >= module.since for host in hosts):
        raise UnknownReceiver(
            f"{receiver} speaks OCPI {hosts[0].version}, which has no {module.kind}."
        )
    if not audience.allows(owner, receiver, module.module_id):
        raise RoutingError(f"No agreement lets {owner} send {module.name} to {receiver}.")


async def of_invoice(db: AsyncSession, owner: Party, document: Document) -> set[Party]:
    """The other side of the CDRs: who got them from the issuer, or whose they are that the issuer
    got (INV-01). Of several the ones that all known CDRs have in common, and if there are none of
    those, all: nobody is who it is for.
    """
    keys: Sequence[str] = sorted({str(cdr).upper() for cdr in document["cdrs"]})
    billed, reverse = (
        CDR.object_key.in_(keys),
        (
            CDR.receiver_country_code == owner.country_code,
            CDR.receiver_party_id == owner.party_id,
        ),
    )
    issued = (CDR.country_code == owner.country_code, CDR.party_id == owner.party_id)
    others = [
        (issued, CDR.receiver_country_code, CDR.receiver_party_id),
        (reverse, CDR.country_code, CDR.party_id),
    ]
    parties: dict[str, set[Party]] = {}
    for own, country, party in others:
        rows = await db.execute(select(CDR.object_key, country, party).where(billed, *own))
        for key, *other in rows:
            parties.setdefault(key, set()).add(Party(*other))
    found = list(parties.values())
    return set.intersection(*found) or set.union(*found) if found else set()


async def of_terminal(db: AsyncSession, owner: Party, document: Document) -> set[Party]:
    """The CPO that it names as customer, or whose locations and EVSEs it is assigned to, or that
    had it before (PAY-02, PAY-10).
    """
    if document.get("country_code") and document.get("party_id"):
        return {Party.of(document["country_code"], document["party_id"])}
    found: set[Party] = set()
    for member, table in (("location_ids", Location), ("evse_uids", EVSE)):
        keys = [str(one).upper() for one in document.get(member) or []]
        if keys:
            found |= await parties(
                db, table.country_code, table.party_id, table.object_key.in_(keys)
            )
    if found:
        return found
    key = str(document["terminal_id"]).upper()
    known = (
        Terminal.country_code == owner.country_code,
        Terminal.party_id == owner.party_id,
        Terminal.object_key == key,
    )
    return await parties(db, Terminal.receiver_country_code, Terminal.receiver_party_id, *known)


async def of_advice(db: AsyncSession, owner: Party, document: Document) -> set[Party]:
    """The CPO of the session or CDR that was authorized under this reference for the provider
    (PAY-06).
    """
    reference = document["authorization_reference"]
    for table in (Session, CDR):
        found = await parties(
            db,
            table.country_code,
            table.party_id,
            authorization_reference(table) == reference,
            table.receiver_country_code == owner.country_code,
            table.receiver_party_id == owner.party_id,
        )
        if found:
            return found
    return set()


def authorization_reference(table: type[Session] | type[CDR]) -> Any:
    """Written as in the index, which is found by nothing else."""
    return literal_column(f"({table.__tablename__}.document ->> 'authorization_reference')")


async def parties(db: AsyncSession, country: Any, party: Any, *where: Any) -> set[Party]:
    rows = await db.execute(select(country, party).where(*where).distinct())
    return {Party(*row) for row in rows}


FINDERS: Mapping[str, Callable[[AsyncSession, Party, Document], Awaitable[set[Party]]]] = {
    "InvoiceReconciliationRecord": of_invoice,
    "Terminal": of_terminal,
    "FinancialAdviceConfirmation": of_advice,
}
