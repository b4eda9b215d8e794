"""Credentials: who a platform is, and by which token to call it. As of OCPI 2.3.0."""

from hub.ocpi.schemas.locations import BusinessDetails
from hub.ocpi.schemas.types import ROLE, URL, CiString, Object, OneOf, Visible, one, some


class CredentialsRole(Object):
    role = OneOf(ROLE, required=True)
    business_details = one(BusinessDetails, required=True)
    party_id = CiString(3, key=True, required=True)
    country_code = CiString(2, key=True, required=True)


class Credentials(Object):
    """``url`` is the versions endpoint; ``hub_party_id`` holds country code and party id."""

    token = Visible(64, key=True, required=True)
    url = URL(required=True)
    hub_party_id = CiString(5)
    roles = some(CredentialsRole)
