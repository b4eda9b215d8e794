"""What is known of a station's connection, and calls whose payload not everybody may see."""

import sqlalchemy as sa
from alembic import op
from columns import instant

revision = "0010"
down_revision = "0009"

CALL_STATES = "'WAITING', 'SENT', 'ANSWERED', 'REFUSED', 'SILENT', 'OFFLINE'"


def upgrade() -> None:
    op.add_column("charging_stations", sa.Column("connected_version", sa.String(length=10)))
    op.add_column("charging_stations", sa.Column("remote_address", sa.String(length=45)))
    op.add_column("charging_stations", instant("booted_at"))
    op.add_column("charging_stations", sa.Column("clock_offset", sa.Float()))
    op.add_column("station_calls", sa.Column("sealed", sa.LargeBinary()))
    restrict_states(f"{CALL_STATES}, 'BROKEN'")


def downgrade() -> None:
    op.execute("UPDATE station_calls SET state = 'SILENT' WHERE state = 'BROKEN'")
    restrict_states(CALL_STATES)
    op.drop_column("station_calls", "sealed")
    op.drop_column("charging_stations", "clock_offset")
    op.drop_column("charging_stations", "booted_at")
    op.drop_column("charging_stations", "remote_address")
    op.drop_column("charging_stations", "connected_version")


def restrict_states(allowed: str) -> None:
    op.execute("ALTER TABLE station_calls DROP CONSTRAINT ck_station_calls_state")
    op.execute(
        "ALTER TABLE station_calls ADD CONSTRAINT ck_station_calls_state"
        f" CHECK (state IN ({allowed}))"
    )
