"""Signed readings of meters, byte for byte; nothing in them is read, let alone written again."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.roaming.merging import Document
from hub.roaming.metering.readings import BEGIN, END, Signed

LONGEST_SIGNED = 5000
LONGEST_KEY = 512


@dataclass(frozen=True)
class SignedReading:
    """A signed value and when in the transaction it was taken."""

    signed: Signed
    at: datetime
    context: str | None = None


def signed_data(found: Sequence[SignedReading]) -> Document | None:
    """SignedData of a CDR; None when there is nothing signed that fits (CDR-21)."""
    if not found:
        return None
    found = sorted(found, key=lambda reading: reading.at)
    values = [signed_value(reading) for reading in found]
    values = [value for value in values if len(value["signed_data"]) <= LONGEST_SIGNED]
    if not values:
        return None
    methods = [reading.signed.encoding_method for reading in found]
    document: Document = {
        "encoding_method": next((method for method in methods if method), "OCMF")[:36],
        "signed_values": values,
    }
    for reading in found:
        if key := public_key(reading.signed.public_key):
            document["public_key"] = key
            break
    return document


def signed_value(reading: SignedReading) -> Document:
    signed = reading.signed
    if signed.is_base64:
        encoded = signed.data
        try:
            plain = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            plain = encoded
    else:
        plain = signed.data
        encoded = base64.b64encode(plain.encode()).decode()
    nature = {BEGIN: "Start", END: "End"}.get(reading.context or "", "Intermediate")
    if holds_both_ends(plain):
        nature = "End"
    return {"nature": nature, "plain_data": plain[:LONGEST_SIGNED], "signed_data": encoded}


def holds_both_ends(plain: str) -> bool:
    """An OCMF that tells the begin and the end of a transaction in one."""
    return plain.startswith("OCMF|") and '"TX":"B"' in plain and '"TX":"E"' in plain


def public_key(text: str | None) -> str | None:
    """``oca:base16:asn1:<hex>`` becomes base64; anything else stays as it came."""
    if not text:
        return None
    scheme, _, value = text.rpartition(":")
    if scheme.startswith("oca:base16"):
        try:
            return base64.b64encode(bytes.fromhex(value)).decode()[:LONGEST_KEY]
        except ValueError:
            return text[:LONGEST_KEY]
    return text[:LONGEST_KEY]
