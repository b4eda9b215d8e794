"""Whose an object is: 2.1.1 says it in URLs only, every newer version in the object.

A platform plays one role, so what it owns follows from that: a CPO sends locations, sessions, CDRs
and tariffs and receives tokens and commands; an eMSP the other way round (VER-04).
"""

from hub.models.values import InterfaceRole, Role
from hub.ocpi.versions.base import Document, Trail
from hub.ocpi.versions.rewriting import drop, put

OWNED_BY_CPO = frozenset({"locations", "sessions", "cdrs", "tariffs"})


def interface_of(module: str, role: Role | None) -> InterfaceRole:
    """The interface of a module that a platform in this role has."""
    owner = (module.lower() in OWNED_BY_CPO) == (role is Role.CPO)
    return InterfaceRole.SENDER if owner else InterfaceRole.RECEIVER


def opposite(interface: InterfaceRole) -> InterfaceRole:
    """The interface that the other side has."""
    sends = interface is InterfaceRole.SENDER
    return InterfaceRole.RECEIVER if sends else InterfaceRole.SENDER


def add_owner(document: Document, trail: Trail) -> Document:
    owner = trail.known.owner
    if owner is None or trail.partial:
        return document
    return put(document, {"country_code": owner.country_code, "party_id": owner.party_id})


drop_owner = drop("country_code", "party_id")
