"""What is remembered of conversations with stations."""

import sqlalchemy as sa
from alembic import op
from columns import instant, one_of, row_id, stamps, tenant_id
from sqlalchemy.dialects.postgresql import JSONB
from tenancy import isolate

from hub.models.base import DocumentText

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("ocpp_transaction_seq")))
    op.execute(sa.schema.CreateSequence(sa.Sequence("ocpp_reservation_seq")))
    op.execute(sa.schema.CreateSequence(sa.Sequence("ocpp_profile_seq")))
    op.create_table(
        "station_evses",
        tenant_id(),
        row_id(),
        sa.Column("charging_station_id", sa.Uuid(), nullable=False),
        sa.Column("evse_number", sa.Integer(), nullable=False),
        sa.Column("evse_uid", sa.String(length=36), nullable=False),
        sa.Column("evse_id", sa.String(length=48), nullable=True),
        sa.Column("physical_reference", sa.String(length=16), nullable=True),
        sa.Column("published", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("shown_as", sa.String(length=20), nullable=True),
        sa.Column("power_group", sa.String(length=36), nullable=True),
        instant("status_at"),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "charging_station_id"],
            ["charging_stations.tenant_id", "charging_stations.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "charging_station_id", "evse_number"),
        sa.UniqueConstraint("tenant_id", "evse_uid"),
    )
    isolate("station_evses")

    op.create_table(
        "station_transactions",
        tenant_id(),
        row_id(),
        sa.Column("charging_station_id", sa.Uuid(), nullable=False),
        sa.Column(
            "number",
            sa.BigInteger(),
            server_default=sa.text("nextval('ocpp_transaction_seq')"),
            nullable=False,
        ),
        sa.Column("transaction_id", sa.String(length=64), nullable=False),
        sa.Column("natural_key", sa.LargeBinary(), nullable=True),
        sa.Column("evse_number", sa.Integer(), nullable=True),
        sa.Column("connector_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=10), server_default=sa.text("'OPEN'"), nullable=False),
        sa.Column("stub", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("charging_session_id", sa.Uuid(), nullable=True),
        instant("session_created_at"),
        sa.Column("id_tag", sa.String(length=255), nullable=True),
        sa.Column("cdr_token", JSONB(), nullable=True),
        sa.Column("auth_method", sa.String(length=20), nullable=True),
        sa.Column("authorization_reference", sa.String(length=36), nullable=True),
        sa.Column("remote_start_id", sa.BigInteger(), nullable=True),
        sa.Column("reservation_id", sa.Uuid(), nullable=True),
        instant("started_at"),
        instant("started_at_told"),
        instant("ended_at"),
        sa.Column("stop_reason", sa.String(length=40), nullable=True),
        sa.Column("offline", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("charging_state", sa.String(length=20), nullable=True),
        sa.Column("progress", JSONB(), nullable=True),
        sa.Column("circumstances", JSONB(), nullable=True),
        sa.Column("notes", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        instant("cdr_due_at"),
        sa.Column("cdr_ids", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        *stamps(),
        one_of("state", "OPEN", "LOST", "ENDED", "ORPHAN"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "charging_station_id"],
            ["charging_stations.tenant_id", "charging_stations.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "charging_station_id", "transaction_id"),
    )
    op.create_index(
        "ix_station_transactions_open",
        "station_transactions",
        ["tenant_id", "charging_station_id", "evse_number"],
        postgresql_where=sa.text("state = 'OPEN'"),
    )
    op.create_index(
        "ix_station_transactions_tenant_id_session_id",
        "station_transactions",
        ["tenant_id", "session_id"],
    )
    op.create_index(
        "uq_station_transactions_natural_key",
        "station_transactions",
        ["tenant_id", "charging_station_id", "natural_key"],
        unique=True,
    )
    isolate("station_transactions")

    op.create_table(
        "station_events",
        tenant_id(),
        row_id(),
        sa.Column("station_transaction_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        instant("at", nullable=False),
        sa.Column("sequence_number", sa.BigInteger(), nullable=True),
        sa.Column("raw", DocumentText(), nullable=True),
        *stamps(),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "uq_station_events_digest",
        "station_events",
        ["tenant_id", "station_transaction_id", "digest"],
        unique=True,
    )
    isolate("station_events")

    op.create_table(
        "token_aliases",
        tenant_id(),
        row_id(),
        sa.Column("alias", sa.String(length=20), nullable=False),
        sa.Column("charging_station_id", sa.Uuid(), nullable=False),
        sa.Column("token", JSONB(), nullable=False),
        sa.Column("token_key", sa.String(length=80), nullable=False),
        sa.Column(
            "remote_start_id",
            sa.BigInteger(),
            server_default=sa.text("nextval('ocpp_transaction_seq')"),
            nullable=False,
        ),
        sa.Column("command_id", sa.Uuid(), nullable=True),
        sa.Column("authorization_reference", sa.String(length=36), nullable=True),
        instant("expires_at", nullable=False),
        *stamps(),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "alias"),
    )
    op.create_index(
        "ix_token_aliases_tenant_id_remote_start_id",
        "token_aliases",
        ["tenant_id", "remote_start_id"],
    )
    op.create_index(
        "ix_token_aliases_tenant_id_token_key", "token_aliases", ["tenant_id", "token_key"]
    )
    isolate("token_aliases")

    op.create_table(
        "reservations",
        tenant_id(),
        row_id(),
        sa.Column(
            "number",
            sa.Integer(),
            server_default=sa.text("nextval('ocpp_reservation_seq')"),
            nullable=False,
        ),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("reservation_id", sa.String(length=36), nullable=False),
        sa.Column("reservation_key", sa.String(length=36), nullable=False),
        sa.Column("charging_station_id", sa.Uuid(), nullable=False),
        sa.Column("evse_number", sa.Integer(), nullable=True),
        sa.Column("connector_id", sa.Integer(), nullable=True),
        sa.Column("token", JSONB(), nullable=False),
        sa.Column("id_tag", sa.String(length=36), nullable=False),
        sa.Column(
            "state", sa.String(length=10), server_default=sa.text("'REQUESTED'"), nullable=False
        ),
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("authorization_reference", sa.String(length=36), nullable=True),
        sa.Column("command_id", sa.Uuid(), nullable=True),
        instant("reserved_at"),
        instant("expires_at", nullable=False),
        instant("ended_at"),
        *stamps(),
        one_of("state", "REQUESTED", "ACTIVE", "USED", "CANCELED", "EXPIRED", "REFUSED"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "charging_station_id"],
            ["charging_stations.tenant_id", "charging_stations.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "number"),
    )
    op.create_index(
        "ix_reservations_tenant_id_charging_station_id_state",
        "reservations",
        ["tenant_id", "charging_station_id", "state"],
    )
    op.create_index(
        "uq_reservations_reservation_id",
        "reservations",
        ["tenant_id", "country_code", "party_id", "reservation_key"],
        unique=True,
    )
    isolate("reservations")

    op.create_table(
        "station_calls",
        tenant_id(),
        row_id(),
        sa.Column("charging_station_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("payload", JSONB(), nullable=False),
        sa.Column(
            "state", sa.String(length=10), server_default=sa.text("'WAITING'"), nullable=False
        ),
        sa.Column("answer", JSONB(), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("error_description", sa.Text(), nullable=True),
        instant("deadline_at", nullable=False),
        instant("sent_at"),
        instant("finished_at"),
        *stamps(),
        one_of("state", "WAITING", "SENT", "ANSWERED", "REFUSED", "SILENT", "OFFLINE"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "charging_station_id"],
            ["charging_stations.tenant_id", "charging_stations.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "ix_station_calls_tenant_id_charging_station_id_created_at",
        "station_calls",
        ["tenant_id", "charging_station_id", "created_at"],
    )
    op.create_index(
        "ix_station_calls_waiting",
        "station_calls",
        ["tenant_id"],
        postgresql_where=sa.text("state = 'WAITING'"),
    )
    isolate("station_calls")

    op.create_table(
        "station_profiles",
        tenant_id(),
        row_id(),
        sa.Column(
            "number",
            sa.Integer(),
            server_default=sa.text("nextval('ocpp_profile_seq')"),
            nullable=False,
        ),
        sa.Column("charging_station_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.String(length=36), nullable=True),
        sa.Column("profile", JSONB(), nullable=False),
        instant("cleared_at"),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "charging_station_id"],
            ["charging_stations.tenant_id", "charging_stations.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "number"),
    )
    op.create_index(
        "ix_station_profiles_tenant_id_session_id", "station_profiles", ["tenant_id", "session_id"]
    )
    isolate("station_profiles")

    op.create_table(
        "station_local_lists",
        tenant_id(),
        row_id(),
        sa.Column("charging_station_id", sa.Uuid(), nullable=False),
        sa.Column("list_version", sa.Integer(), nullable=False),
        sa.Column("entries", JSONB(), nullable=False),
        instant("sent_at", nullable=False),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "charging_station_id"],
            ["charging_stations.tenant_id", "charging_stations.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "charging_station_id"),
    )
    isolate("station_local_lists")

    op.create_table(
        "station_certificates",
        tenant_id(),
        row_id(),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("charging_station_id", sa.Uuid(), nullable=True),
        sa.Column("issuer_id", sa.Uuid(), nullable=True),
        sa.Column("serial_number", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("pem", sa.Text(), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=True),
        instant("not_after", nullable=False),
        instant("revoked_at"),
        *stamps(),
        one_of("kind", "CA", "STATION"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "charging_station_id"],
            ["charging_stations.tenant_id", "charging_stations.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "issuer_id"],
            ["station_certificates.tenant_id", "station_certificates.id"],
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "uq_station_certificates_fingerprint",
        "station_certificates",
        ["tenant_id", "fingerprint"],
        unique=True,
    )
    isolate("station_certificates")


def downgrade() -> None:
    op.drop_table("station_certificates")
    op.drop_table("station_local_lists")
    op.drop_table("station_profiles")
    op.drop_table("station_calls")
    op.drop_table("reservations")
    op.drop_table("token_aliases")
    op.drop_table("station_events")
    op.drop_table("station_transactions")
    op.drop_table("station_evses")
    op.execute(sa.schema.DropSequence(sa.Sequence("ocpp_transaction_seq")))
    op.execute(sa.schema.DropSequence(sa.Sequence("ocpp_reservation_seq")))
    op.execute(sa.schema.DropSequence(sa.Sequence("ocpp_profile_seq")))
