"""Tokens and their real-time authorization, as of OCPI 2.3.0."""

from hub.ocpi.schemas.enums import OneOf, closed, open_enum
from hub.ocpi.schemas.fields import Boolean, CiString, String, Timestamp
from hub.ocpi.schemas.objects import Object, many, one
from hub.ocpi.schemas.types import DisplayText

ALLOWED_TYPE = closed("AllowedType", "ALLOWED", "BLOCKED", "EXPIRED", "NO_CREDIT", "NOT_ALLOWED")
PROFILE_TYPE = closed("ProfileType", "CHEAP", "FAST", "GREEN", "REGULAR")
TOKEN_TYPE = open_enum("TokenType", "AD_HOC_USER", "APP_USER", "EMAID", "OTHER", "RFID")
WHITELIST_TYPE = closed("WhitelistType", "ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER")


class EnergyContract(Object):
    supplier_name = String(64, required=True)
    contract_id = String(64)


class Token(Object):
    country_code = CiString(2, key=True, required=True)
    party_id = CiString(3, key=True, required=True)
    uid = CiString(36, key=True, required=True)
    type = OneOf(TOKEN_TYPE, required=True)
    contract_id = CiString(36, required=True)
    visual_number = String(64)
    issuer = String(64, required=True)
    group_id = CiString(36)
    valid = Boolean(required=True)
    whitelist = OneOf(WHITELIST_TYPE, required=True)
    language = String(2)
    default_profile_type = OneOf(PROFILE_TYPE)
    energy_contract = one(EnergyContract)
    last_updated = Timestamp(required=True)


class LocationReferences(Object):
    location_id = CiString(36, required=True)
    evse_uids = many(CiString(36))


class AuthorizationInfo(Object):
    allowed = OneOf(ALLOWED_TYPE, required=True)
    token = one(Token, required=True)
    location = one(LocationReferences)
    authorization_reference = CiString(36)
    info = one(DisplayText)
