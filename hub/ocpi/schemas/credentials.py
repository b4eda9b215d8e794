"""Credentials: who a platform is, and by which token to call it. As of OCPI 2.3.0."""

from hub.ocpi.schemas.enums import OneOf
from hub.ocpi.schemas.fields import URL, CiString, Visible
from hub.ocpi.schemas.locations import BusinessDetails
from hub.ocpi.schemas.objects import Object, one, some
from hub.ocpi.schemas.types import ROLE


class HubPartyId(CiString):
    """Country code and party id in one."""

    pattern = "^[ -~]{5}$"
    rule = "Must be five characters: country code and party id."


class CredentialsRole(Object):
    role = OneOf(ROLE, required=True)
    business_details = one(BusinessDetails, required=True)
    party_id = CiString(3, key=True, required=True)
    country_code = CiString(2, key=True, required=True)


class Credentials(Object):
    """``url`` is the versions endpoint."""

    token = Visible(64, key=True, required=True)
    url = URL(required=True)
    hub_party_id = HubPartyId(5)
    roles = some(CredentialsRole)
