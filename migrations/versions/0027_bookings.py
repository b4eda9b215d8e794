"""Booking locations and bookings (OCPI Bookings 1.1)."""

import sqlalchemy as sa
from alembic import op
from object_tables import create_object_table

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    create_object_table("ocpi_booking_locations", "location_id")
    create_object_table("ocpi_bookings", "request_id", "reservation_status", private=True)
    by_request = ["tenant_id", sa.text("upper(request_id)")]
    op.create_index("ix_ocpi_bookings_request", "ocpi_bookings", by_request)


def downgrade() -> None:
    op.drop_table("ocpi_bookings")
    op.drop_table("ocpi_booking_locations")
