"""Whose an object is: 2.1.1 says it in URLs only, every newer version in the object."""

from hub.ocpi.versions.base import Document, Trail
from hub.ocpi.versions.rewriting import drop, put


def add_owner(document: Document, trail: Trail) -> Document:
    owner = trail.known.owner
    if owner is None or trail.partial:
        return document
    return put(document, {"country_code": owner.country_code, "party_id": owner.party_id})


drop_owner = drop("country_code", "party_id")
