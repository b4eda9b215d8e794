"""The classes that OCPI calls types, shared by all modules."""

from hub.ocpi.schemas.enums import closed
from hub.ocpi.schemas.fields import Number, String, Text
from hub.ocpi.schemas.objects import Object, many

# PTP is of the Payments extension, which forgot to add it (PAY-09).
ROLE = closed("Role", "CPO", "EMSP", "NAP", "NSP", "OTHER", "SCSP", "PTP")


class DisplayText(Object):
    language = String(2, required=True)
    text = Text(512, required=True)


class TaxAmount(Object):
    name = String(required=True)
    account_number = String()
    percentage = Number()
    amount = Number(required=True)


class Price(Object):
    before_taxes = Number(required=True)
    taxes = many(TaxAmount)
