"""Payment terminals and captured payments, an extension of OCPI 2.3.0 (Payments 1)."""

from hub.ocpi.schemas.enums import OneOf, closed
from hub.ocpi.schemas.fields import URL, CiString, Timestamp
from hub.ocpi.schemas.locations import GeoLocation
from hub.ocpi.schemas.objects import Object, many, one
from hub.ocpi.schemas.types import Price

CAPTURE_STATUS_CODE = closed("CaptureStatusCode", "SUCCESS", "PARTIAL_SUCCESS", "FAILED")
INVOICE_CREATOR = closed("InvoiceCreator", "CPO", "PTP")


class Terminal(Object):
    """Country and party name the CPO that is the customer, not the owner (PAY-10)."""

    in_every_patch = ()  # PAY-11

    terminal_id = CiString(36, key=True, required=True)
    customer_reference = CiString(36)
    party_id = CiString(3)
    country_code = CiString(2)
    address = CiString(45)
    city = CiString(45)
    postal_code = CiString(10)
    state = CiString(20)
    country = CiString(3)
    coordinates = one(GeoLocation)
    invoice_base_url = URL()
    invoice_creator = OneOf(INVOICE_CREATOR)
    reference = CiString(36)
    location_ids = many(CiString(36))
    evse_uids = many(CiString(36))
    last_updated = Timestamp(required=True)


class FinancialAdviceConfirmation(Object):
    """A capture that failed has no ``eft_data``, whatever the table says (PAY-08)."""

    id = CiString(36, key=True, required=True)
    authorization_reference = CiString(36, required=True)
    total_costs = one(Price, required=True)
    currency = CiString(3, required=True)
    eft_data = many(CiString(255))
    capture_status_code = OneOf(CAPTURE_STATUS_CODE, required=True)
    capture_status_message = CiString(255)
    last_updated = Timestamp(required=True)
