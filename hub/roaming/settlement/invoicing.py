"""Invoice reconciliation records of the hub's own: what its charging stations' party has invoiced.

A settlement statement says which CDRs an invoice covers (``settlement.reconciliation``); published
here, the other side gets it by OCPI like the record of any other party.
"""

from typing import Any
from uuid import UUID

from hub.errors import InvalidRequest
from hub.models.tenants import Tenant
from hub.models.values import Party
from hub.roaming.modules import INVOICE_RECONCILIATIONS
from hub.roaming.network.audience import Audience
from hub.roaming.store import receivers
from hub.roaming.store.intake import Intake
from hub.roaming.store.writes import Stored, Write


async def publish(
    intake: Intake, audience: Audience, tenant: Tenant, record: dict[str, Any], receiver: Party
) -> Stored:
    """Keep an InvoiceReconciliationRecord and have it delivered to the party that is to pay.

    The same record again changes nothing; one that has changed replaces the one before. Raises
    InvalidRequest for a record that is not the tenant's own to issue, UnknownReceiver where the
    receiver cannot get one and RoutingError where no agreement lets it.
    """
    owner = Party.of(record["country_code"], record["party_id"])
    if owner != tenant.cpo_party:
        raise InvalidRequest(f"{owner} is not the party of this network's charging stations.")
    receivers.check(audience, INVOICE_RECONCILIATIONS, owner, receiver)
    write = Write(
        INVOICE_RECONCILIATIONS,
        "PUT",
        owner,
        record["id"],
        document=record,
        broadcast=False,
        receiver=receiver,
    )
    tenant_id: UUID = tenant.id
    return await intake.keep(tenant_id, write)
