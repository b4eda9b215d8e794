"""What our own sessions cost, while they run and when they have ended: the same engine for both.

A session is priced as if it stopped now, and the CDR as what it was (PRICE-46). Where a price
changes within a charging period, the CDR has two of them (CDR-09).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from hub.roaming.merging import Document
from hub.roaming.pricing import engine, periods, wire
from hub.roaming.pricing.quantities import CannotPrice
from hub.roaming.projection.cdrs import LONGEST_REMARK

log = structlog.get_logger()

FREE: Mapping[str, Any] = {"total_cost": {"before_taxes": 0}}
CANONICAL = "2.3.0"


def running(
    session: Document, tariffs: Sequence[Document], zone: str, at: datetime
) -> Mapping[str, Any]:
    """``total_cost`` of a session up to a moment; nothing where that cannot be said."""
    if not tariffs:
        return {}
    try:
        priced = engine.price(tariffs, session, time_zone=zone, ocpi_version=CANONICAL, until=at)
    except CannotPrice:
        return {}
    cost = wire.price(priced.total, CANONICAL, wire.decimals(priced.currency))
    return {} if cost is None else {wire.TOTAL: cost}


def final(cdr: Document, zone: str) -> Mapping[str, Any]:
    """What the CDR's own tariff makes of it: its costs, and its periods where they must be divided.

    Without a tariff it costs nothing, and the remark says so. A tariff that cannot be applied does
    not hold the CDR back: nothing is charged by guesswork.
    """
    if not cdr["tariffs"]:
        return FREE
    try:
        priced = engine.price(cdr["tariffs"], cdr, time_zone=zone, ocpi_version=CANONICAL)
        divided = periods.split(priced)
        if len(divided) > len(cdr["charging_periods"]):
            cdr = cdr | {"charging_periods": divided}
            priced = engine.price(cdr["tariffs"], cdr, time_zone=zone, ocpi_version=CANONICAL)
    except CannotPrice as error:
        return unpriced(cdr, str(error))
    totals = wire.totals(priced, CANONICAL)
    if wire.TOTAL not in totals:
        return unpriced(cdr, "The tariff includes taxes it does not tell.")
    return {"charging_periods": cdr["charging_periods"], **totals}


def unpriced(cdr: Document, reason: str) -> Mapping[str, Any]:
    log.warning("own session cannot be priced", cdr=cdr["id"], reason=reason)
    remark = f"{cdr.get('remark', '')} Not priced: {reason}"
    return {**FREE, "remark": remark.strip()[:LONGEST_REMARK]}
