"""The network that is measured: one CPO, one quiet eMSP, later eMSPs that listen; and 100,000
locations of the CPO.
"""

import base64
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Any
from uuid import uuid4

import requests

from benchmarks import documents
from benchmarks.platforms import VERSION
from benchmarks.servers import Servers


@dataclass(frozen=True)
class Platform:
    """A registered platform: how it speaks to the hub."""

    name: str
    party: str
    partner_id: str
    headers: dict[str, str]


def register(servers: Servers, name: str, party: str, role: str) -> Platform:
    """The way of every partner: invited by the operator, it posts its credentials."""
    platforms = f"http://127.0.0.1:{servers.platforms}"
    made: dict[str, Any] = servers.operator.post(
        "/partners/invite",
        {
            "name": name,
            "roles": [{"party": party, "role": role}],
            # All platforms are one process, and none wants to be told of 100,000 locations.
            "configuration": {"delivery": "live_only", "allowed_origins": [platforms]},
        },
    )
    answer = requests.post(
        f"http://127.0.0.1:{servers.hub}/ocpi/{VERSION}/credentials",
        headers=authorization(made["token"]),
        json={
            "token": token_urlsafe(32),
            "url": f"{platforms}/{name}/versions",
            "roles": [
                {
                    "role": role,
                    "country_code": party[:2],
                    "party_id": party[3:],
                    "business_details": {"name": name},
                }
            ],
        },
        timeout=60,
    ).json()
    if answer["status_code"] != 1000:
        raise SystemExit(f"{name} could not register: {answer}")
    token = answer["data"]["token"]
    return Platform(name, party, made["partner"]["id"], headers(token))


def authorization(token: str) -> dict[str, str]:
    return {"Authorization": "Token " + base64.b64encode(token.encode()).decode()}


def headers(token: str) -> dict[str, str]:
    """What every request of a partner has (TRANSPORT-45, -46); to spare the client, always the same
    ids.
    """
    return {
        **authorization(token),
        "Content-Type": "application/json",
        "X-Request-ID": str(uuid4()),
        "X-Correlation-ID": str(uuid4()),
    }


FILL_LOCATIONS = """
insert into ocpi_locations (tenant_id, partner_id, country_code, party_id, object_key, object_id,
    document, digest, last_updated_text, last_updated, same_since)
select '{tenant}', '{partner}', 'NL', 'ONE', 'L' || i, 'L' || i,
    replace($document${document}$document$, '@i@', i::text)::json, '', '{before}', '{before}',
    '2.2.1'
from generate_series(1, {number}) as i
"""
FILL_EVSES = """
insert into ocpi_evses (tenant_id, partner_id, country_code, party_id, location_key, object_key,
    object_id, document, digest, last_updated_text, last_updated, same_since)
select '{tenant}', '{partner}', 'NL', 'ONE', 'L' || i, 'L' || i || '-' || e, 'L' || i || '-' || e,
    replace(replace($document${document}$document$, '@i@', i::text), '@e@', e::text)::json, '',
    '{before}', '{before}', '2.2.1'
from generate_series(1, {number}) as i, generate_series(1, {evses}) as e
"""


def fill(servers: Servers, owner: Platform, number: int) -> None:
    """Locations L1, L2, … in the database, as if they had been pushed: 100,000 in a minute."""
    tenant = servers.postgres.run_sql("hub", "select id from tenants")
    place = documents.location("L@i@", last_updated=documents.BEFORE, evses=[])
    evse = documents.evse("L@i@-@e@")
    for whole in (place, evse):
        del whole["last_updated"]
    del place["evses"]
    values = {
        "tenant": tenant,
        "partner": owner.partner_id,
        "before": documents.BEFORE,
        "number": number,
        "evses": documents.EVSES,
    }
    for statement, document in ((FILL_LOCATIONS, place), (FILL_EVSES, evse)):
        servers.postgres.run_sql(
            "hub", statement.format(document=documents.text(document), **values)
        )
    servers.postgres.run_sql("hub", "vacuum analyze")
