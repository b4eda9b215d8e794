"""Versions, their details and the envelope around every answer, as of OCPI 2.3.0."""

from hub.ocpi.schemas.enums import OneOf, closed, open_enum
from hub.ocpi.schemas.fields import URL, Anything, Integer, String, Timestamp
from hub.ocpi.schemas.objects import Object, some

INTERFACE_ROLE = closed("InterfaceRole", "SENDER", "RECEIVER")
MODULE_ID = open_enum(
    "ModuleID",
    "Booking",
    "cdrs",
    "chargingprofiles",
    "commands",
    "credentials",
    "hubclientinfo",
    "invoicereconciliation",
    "locations",
    "payments",
    "sessions",
    "tariffs",
    "tokens",
)
VERSION_NUMBER = open_enum("VersionNumber", "2.0", "2.1", "2.1.1", "2.2", "2.2.1", "2.3.0")


class Version(Object):
    version = OneOf(VERSION_NUMBER, required=True)
    url = URL(required=True)


class Endpoint(Object):
    identifier = OneOf(MODULE_ID, required=True)
    role = OneOf(INTERFACE_ROLE, required=True)
    url = URL(required=True)


class VersionDetails(Object):
    version = OneOf(VERSION_NUMBER, required=True)
    endpoints = some(Endpoint)


class ResponseEnvelope(Object):
    data = Anything()
    status_code = Integer(required=True)
    status_message = String()
    timestamp = Timestamp(required=True)
