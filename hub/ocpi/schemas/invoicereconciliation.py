"""Invoice reconciliation: which CDRs an invoice covers. As of OCPI 2.3.0."""

from hub.ocpi.schemas.fields import CiString, Timestamp
from hub.ocpi.schemas.objects import Object, some


class InvoiceReconciliationRecord(Object):
    """The table gives the CDR ids 36 characters, but those of credit CDRs have 39 (INV-06)."""

    country_code = CiString(2, key=True, required=True)
    party_id = CiString(3, key=True, required=True)
    id = CiString(36, key=True, required=True)
    invoice_id = CiString(255, required=True)
    cdrs = some(CiString(39))
    last_updated = Timestamp(required=True)
