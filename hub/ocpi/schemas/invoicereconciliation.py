"""Invoice reconciliation: which CDRs an invoice covers. As of OCPI 2.3.0."""

from typing import Any

from hub.ocpi.schemas.fields import JSON, CiString, Timestamp
from hub.ocpi.schemas.objects import Object, some


class CDRId(CiString):
    """The id of a CDR. Tolerated: an object around it, as the diagrams show it (INV-06)."""

    def wrong(self, value: Any) -> str | None:
        return super().wrong(bare(value))

    @property
    def may_need_tidying(self) -> bool:
        return True

    def tidy(self, value: Any) -> Any:
        return bare(value)

    def json_schema(self, *, exact: bool) -> JSON:
        plain = super().json_schema(exact=exact)
        around: JSON = {"type": "object", "required": ["id"], "properties": {"id": plain}}
        return plain if exact else {"anyOf": [plain, around]}


def bare(value: Any) -> Any:
    return value.get("id") if isinstance(value, dict) else value


class InvoiceReconciliationRecord(Object):
    """The table gives the CDR ids 36 characters, but those of credit CDRs have 39 (INV-06)."""

    country_code = CiString(2, key=True, required=True)
    party_id = CiString(3, key=True, required=True)
    id = CiString(36, key=True, required=True)
    invoice_id = CiString(255, required=True)
    cdrs = some(CDRId(39))
    last_updated = Timestamp(required=True)
