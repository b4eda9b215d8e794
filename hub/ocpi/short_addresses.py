"""Locations for partners that follow an older edition of their version (AMB-28).

Editions of 2.2.1 and 2.3.0 differ in how long an address and a state may be, under one and the same
version number. Who validates by the older one refuses the whole location, so for such a partner
both are cut.
"""

from hub import codec
from hub.ocpi.versions.base import Document
from hub.roaming.network.partners import Connection

LONGEST = {"address": 45, "state": 20}


def for_partner(partner: Connection, kind: str, text: str) -> str:
    """The JSON of an object as this partner can take it."""
    if kind != "Location" or not partner.quirks.short_addresses:
        return text
    return codec.write_text(cut(codec.read_stored(text)))


def cut(location: Document) -> Document:
    long = {
        name: location[name][:length]
        for name, length in LONGEST.items()
        if isinstance(location.get(name), str)
    }
    return location | long
