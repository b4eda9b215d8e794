"""OCPI objects of modules that came with OCPI 2.3.0 and its extensions."""

from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, declared_attr

from hub.models.base import Base
from hub.models.objects import ForReceiver, OwnedObject, from_document, object_indexes


def private_indexes(table: str, *more: Index) -> tuple[Any, ...]:
    """For objects that are listed for those they are meant for."""
    return object_indexes(
        table,
        *more,
        Index(
            f"ix_{table}_receiver",
            "tenant_id",
            "receiver_country_code",
            "receiver_party_id",
            "page_seq",
        ),
    )


class InvoiceReconciliation(ForReceiver, OwnedObject, Base):
    """Which CDRs an invoice covers. The receiver is whose invoice it is: the CDRs tell (INV-01)."""

    __tablename__ = "ocpi_invoice_reconciliations"

    invoice_id: Mapped[str | None] = from_document("invoice_id")

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        return private_indexes("ocpi_invoice_reconciliations")


class Terminal(ForReceiver, OwnedObject, Base):
    """A payment terminal, as its provider told of it; the receiver is the CPO where it stands."""

    __tablename__ = "ocpi_terminals"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        return private_indexes("ocpi_terminals")


class FinancialAdviceConfirmation(ForReceiver, OwnedObject, Base):
    """What was captured for one session; the receiver is the CPO that writes the invoice."""

    __tablename__ = "ocpi_financial_advice_confirmations"

    authorization_reference: Mapped[str | None] = from_document("authorization_reference")

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        return private_indexes("ocpi_financial_advice_confirmations")


class BookingLocation(OwnedObject, Base):
    """What can be booked at a location, with its calendars."""

    __tablename__ = "ocpi_booking_locations"

    location_id: Mapped[str | None] = from_document("location_id")


class Booking(ForReceiver, OwnedObject, Base):
    """A booking as the CPO has it; the receiver is the eMSP that asked for it."""

    __tablename__ = "ocpi_bookings"

    request_id: Mapped[str | None] = from_document("request_id")
    reservation_status: Mapped[str | None] = from_document("reservation_status")

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        by_request = text("upper(request_id)")
        return private_indexes(
            "ocpi_bookings", Index("ix_ocpi_bookings_request", "tenant_id", by_request)
        )
