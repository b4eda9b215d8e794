"""Who may see an unpublished location: the parties that issued a token its owner lets in (LOC-05).

``publish_allowed_to`` describes tokens; all members that an entry sets must match, and it must set
at least one of uid, visual_number and group_id (LOC-06).
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import String

from hub.models.values import Party

LocationKey = tuple[str, str, str]

# Tokens (as ``token``) that some entry of a location's list lets in; the location is named {0}.
LET_IN = """
    from json_array_elements(
        case json_typeof({0}.document -> 'publish_allowed_to')
        when 'array' then {0}.document -> 'publish_allowed_to' else '[]' end
    ) as entry
    join ocpi_tokens as token on token.deleted_at is null
    where coalesce(entry ->> 'uid', entry ->> 'visual_number', entry ->> 'group_id') is not null
      and (entry ->> 'uid' is null
           or token.object_key = upper(entry ->> 'uid') || '/' || (entry ->> 'type'))
      and (entry ->> 'visual_number' is null
           or (token.document ->> 'visual_number' = entry ->> 'visual_number'
               and token.document ->> 'issuer' = entry ->> 'issuer'))
      and (entry ->> 'group_id' is null
           or upper(token.document ->> 'group_id') = upper(entry ->> 'group_id'))
"""


def array(name: str) -> Any:
    return bindparam(name, type_=ARRAY(String()))


ADMITTED = text(f"""
    select location.country_code, location.party_id, location.object_key,
           issuer.country_code, issuer.party_id
    from ocpi_locations as location
    cross join lateral (
        select distinct token.country_code, token.party_id {LET_IN.format("location")}
    ) as issuer
    where (location.country_code, location.party_id, location.object_key) in
          (select * from unnest(:countries, :parties, :keys))
""").bindparams(array("countries"), array("parties"), array("keys"))  # noqa: S608 - all of it is ours


async def admitted(
    db: AsyncSession, locations: Collection[LocationKey]
) -> dict[LocationKey, frozenset[Party]]:
    """For unpublished locations, the parties that may see each; nobody but the owner else."""
    keys = sorted(set(locations))
    issuers: dict[LocationKey, set[Party]] = {key: set() for key in keys}
    if keys:
        countries, parties, ids = (list(column) for column in zip(*keys, strict=True))
        values = {"countries": countries, "parties": parties, "keys": ids}
        for *location, country, party in await db.execute(ADMITTED, values):
            issuers[location[0], location[1], location[2]].add(Party(country, party))
    return {key: frozenset(parties) for key, parties in issuers.items()}


# Whether a row of ocpi_locations may be listed to the parties :viewers ("NL*TNM").
LISTED = text(f"""
    (ocpi_locations.publish or exists (
        select 1 {LET_IN.format("ocpi_locations")}
        and token.country_code || '*' || token.party_id = any(:viewers)
    ))
""").bindparams(array("viewers"))
