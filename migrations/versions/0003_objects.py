"""The OCPI objects that the hub keeps, and the order in which they change."""

import sqlalchemy as sa
from alembic import op
from columns import instant, one_of, row_id, stamps, tenant_id
from tenancy import isolate

from hub.models.base import DocumentText, TransactionId

revision = "0003"
down_revision = "0002"

# Connectors lie inside the document of their EVSE; the view reads them as rows. It runs with the
# rights of who asks, so that the policies of ocpi_evses hold.
CONNECTORS = """
CREATE VIEW ocpi_connectors WITH (security_invoker = true) AS
SELECT
    evse.tenant_id,
    evse.partner_id,
    evse.country_code,
    evse.party_id,
    evse.location_key,
    evse.object_key AS evse_key,
    upper(connector.document ->> 'id') AS connector_key,
    connector.document ->> 'id' AS connector_id,
    connector.document ->> 'standard' AS standard,
    connector.document ->> 'format' AS format,
    connector.document ->> 'power_type' AS power_type,
    (connector.document ->> 'max_voltage')::numeric AS max_voltage,
    (connector.document ->> 'max_amperage')::numeric AS max_amperage,
    (connector.document ->> 'max_electric_power')::numeric AS max_electric_power,
    connector.document -> 'tariff_ids' AS tariff_ids,
    connector.document ->> 'last_updated' AS last_updated,
    connector.document
FROM ocpi_evses AS evse
CROSS JOIN LATERAL json_array_elements(
    CASE json_typeof(evse.document -> 'connectors')
        WHEN 'array' THEN evse.document -> 'connectors'
        ELSE '[]'
    END
) AS connector (document)
WHERE evse.deleted_at IS NULL
"""


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("feed_seq")))
    op.execute(sa.schema.CreateSequence(sa.Sequence("page_seq")))
    op.create_table(
        "ocpi_locations",
        tenant_id(),
        row_id(),
        sa.Column(
            "publish",
            sa.Boolean(),
            sa.Computed("coalesce(document ->> 'publish', 'true') = 'true'", persisted=True),
            nullable=False,
        ),
        sa.Column(
            "name", sa.Text(), sa.Computed("document ->> 'name'", persisted=True), nullable=True
        ),
        sa.Column(
            "address",
            sa.Text(),
            sa.Computed("document ->> 'address'", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "city", sa.Text(), sa.Computed("document ->> 'city'", persisted=True), nullable=True
        ),
        sa.Column(
            "postal_code",
            sa.Text(),
            sa.Computed("document ->> 'postal_code'", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "state", sa.Text(), sa.Computed("document ->> 'state'", persisted=True), nullable=True
        ),
        sa.Column(
            "country",
            sa.Text(),
            sa.Computed("document ->> 'country'", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "time_zone",
            sa.Text(),
            sa.Computed("document ->> 'time_zone'", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "latitude",
            sa.Text(),
            sa.Computed("document #>> '{coordinates,latitude}'", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "longitude",
            sa.Text(),
            sa.Computed("document #>> '{coordinates,longitude}'", persisted=True),
            nullable=True,
        ),
        sa.Column("partner_id", sa.Uuid(), nullable=True),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("object_key", sa.String(length=80), nullable=False),
        sa.Column("object_id", sa.String(length=39), nullable=False),
        sa.Column("document", DocumentText(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("last_updated_text", sa.String(length=40), nullable=False),
        instant("last_updated", nullable=False),
        instant("received_at", nullable=False, default="clock_timestamp()"),
        sa.Column("stamps", DocumentText(), nullable=True),
        sa.Column("same_since", sa.String(length=5), server_default="2.3.0", nullable=False),
        sa.Column("broadcast", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        instant("deleted_at"),
        sa.Column(
            "page_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('page_seq')"),
            nullable=False,
        ),
        sa.Column(
            "changed_xid",
            TransactionId(),
            server_default=sa.text("pg_current_xact_id()"),
            nullable=False,
        ),
        sa.Column(
            "changed_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('feed_seq')"),
            nullable=False,
        ),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"], ["ocpi_partners.tenant_id", "ocpi_partners.id"]
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(
        "ix_ocpi_locations_feed", "ocpi_locations", ["tenant_id", "changed_xid", "changed_seq"]
    )
    op.create_index("ix_ocpi_locations_page", "ocpi_locations", ["tenant_id", "page_seq"])
    op.create_index("ix_ocpi_locations_updated", "ocpi_locations", ["tenant_id", "last_updated"])
    op.create_index(
        "uq_ocpi_locations_object",
        "ocpi_locations",
        ["tenant_id", "country_code", "party_id", "object_key"],
        unique=True,
    )
    isolate("ocpi_locations")

    op.create_table(
        "ocpi_evses",
        tenant_id(),
        row_id(),
        sa.Column("location_key", sa.String(length=80), nullable=False),
        sa.Column(
            "status", sa.Text(), sa.Computed("document ->> 'status'", persisted=True), nullable=True
        ),
        sa.Column(
            "evse_id",
            sa.Text(),
            sa.Computed("document ->> 'evse_id'", persisted=True),
            nullable=True,
        ),
        sa.Column("partner_id", sa.Uuid(), nullable=True),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("object_key", sa.String(length=80), nullable=False),
        sa.Column("object_id", sa.String(length=39), nullable=False),
        sa.Column("document", DocumentText(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("last_updated_text", sa.String(length=40), nullable=False),
        instant("last_updated", nullable=False),
        instant("received_at", nullable=False, default="clock_timestamp()"),
        sa.Column("stamps", DocumentText(), nullable=True),
        sa.Column("same_since", sa.String(length=5), server_default="2.3.0", nullable=False),
        sa.Column("broadcast", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        instant("deleted_at"),
        sa.Column(
            "page_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('page_seq')"),
            nullable=False,
        ),
        sa.Column(
            "changed_xid",
            TransactionId(),
            server_default=sa.text("pg_current_xact_id()"),
            nullable=False,
        ),
        sa.Column(
            "changed_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('feed_seq')"),
            nullable=False,
        ),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"], ["ocpi_partners.tenant_id", "ocpi_partners.id"]
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index("ix_ocpi_evses_feed", "ocpi_evses", ["tenant_id", "changed_xid", "changed_seq"])
    op.create_index("ix_ocpi_evses_page", "ocpi_evses", ["tenant_id", "page_seq"])
    op.create_index("ix_ocpi_evses_updated", "ocpi_evses", ["tenant_id", "last_updated"])
    op.create_index(
        "uq_ocpi_evses_object",
        "ocpi_evses",
        ["tenant_id", "country_code", "party_id", "location_key", "object_key"],
        unique=True,
    )
    isolate("ocpi_evses")

    op.create_table(
        "tariffs",
        tenant_id(),
        row_id(),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("description", sa.String(length=1000), nullable=True),
        sa.Column("status", sa.String(length=20), server_default="ACTIVE", nullable=False),
        sa.Column(
            "currency",
            sa.Text(),
            sa.Computed("document ->> 'currency'", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "type", sa.Text(), sa.Computed("document ->> 'type'", persisted=True), nullable=True
        ),
        instant("valid_from"),
        instant("valid_to"),
        sa.Column("partner_id", sa.Uuid(), nullable=True),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("object_key", sa.String(length=80), nullable=False),
        sa.Column("object_id", sa.String(length=39), nullable=False),
        sa.Column("document", DocumentText(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("last_updated_text", sa.String(length=40), nullable=False),
        instant("last_updated", nullable=False),
        instant("received_at", nullable=False, default="clock_timestamp()"),
        sa.Column("stamps", DocumentText(), nullable=True),
        sa.Column("same_since", sa.String(length=5), server_default="2.3.0", nullable=False),
        sa.Column("broadcast", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        instant("deleted_at"),
        sa.Column(
            "page_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('page_seq')"),
            nullable=False,
        ),
        sa.Column(
            "changed_xid",
            TransactionId(),
            server_default=sa.text("pg_current_xact_id()"),
            nullable=False,
        ),
        sa.Column(
            "changed_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('feed_seq')"),
            nullable=False,
        ),
        *stamps(),
        one_of("status", "ACTIVE", "INACTIVE", "DRAFT", "ARCHIVED"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"], ["ocpi_partners.tenant_id", "ocpi_partners.id"]
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("ix_tariffs_feed", "tariffs", ["tenant_id", "changed_xid", "changed_seq"])
    op.create_index("ix_tariffs_page", "tariffs", ["tenant_id", "page_seq"])
    op.create_index("ix_tariffs_status", "tariffs", ["tenant_id", "status"])
    op.create_index("ix_tariffs_updated", "tariffs", ["tenant_id", "last_updated"])
    op.create_index("ix_tariffs_validity", "tariffs", ["tenant_id", "valid_from", "valid_to"])
    op.create_index(
        "uq_tariffs_object",
        "tariffs",
        ["tenant_id", "country_code", "party_id", "object_key"],
        unique=True,
    )
    isolate("tariffs")

    op.create_table(
        "ocpi_sessions",
        tenant_id(),
        row_id(),
        sa.Column(
            "status", sa.Text(), sa.Computed("document ->> 'status'", persisted=True), nullable=True
        ),
        sa.Column(
            "location_id",
            sa.Text(),
            sa.Computed("document ->> 'location_id'", persisted=True),
            nullable=True,
        ),
        sa.Column("receiver_country_code", sa.String(length=2), nullable=False),
        sa.Column("receiver_party_id", sa.String(length=3), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=True),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("object_key", sa.String(length=80), nullable=False),
        sa.Column("object_id", sa.String(length=39), nullable=False),
        sa.Column("document", DocumentText(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("last_updated_text", sa.String(length=40), nullable=False),
        instant("last_updated", nullable=False),
        instant("received_at", nullable=False, default="clock_timestamp()"),
        sa.Column("stamps", DocumentText(), nullable=True),
        sa.Column("same_since", sa.String(length=5), server_default="2.3.0", nullable=False),
        sa.Column("broadcast", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        instant("deleted_at"),
        sa.Column(
            "page_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('page_seq')"),
            nullable=False,
        ),
        sa.Column(
            "changed_xid",
            TransactionId(),
            server_default=sa.text("pg_current_xact_id()"),
            nullable=False,
        ),
        sa.Column(
            "changed_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('feed_seq')"),
            nullable=False,
        ),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"], ["ocpi_partners.tenant_id", "ocpi_partners.id"]
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "ix_ocpi_sessions_feed", "ocpi_sessions", ["tenant_id", "changed_xid", "changed_seq"]
    )
    op.create_index("ix_ocpi_sessions_page", "ocpi_sessions", ["tenant_id", "page_seq"])
    op.create_index(
        "ix_ocpi_sessions_receiver",
        "ocpi_sessions",
        ["tenant_id", "receiver_country_code", "receiver_party_id", "page_seq"],
    )
    op.create_index("ix_ocpi_sessions_updated", "ocpi_sessions", ["tenant_id", "last_updated"])
    op.create_index(
        "uq_ocpi_sessions_object",
        "ocpi_sessions",
        ["tenant_id", "country_code", "party_id", "object_key"],
        unique=True,
    )
    isolate("ocpi_sessions")

    op.create_table(
        "ocpi_cdrs",
        tenant_id(),
        row_id(),
        sa.Column(
            "session_id",
            sa.Text(),
            sa.Computed("document ->> 'session_id'", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "currency",
            sa.Text(),
            sa.Computed("document ->> 'currency'", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "total_energy",
            sa.Numeric(),
            sa.Computed("(document ->> 'total_energy')::numeric", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "credit_reference_id",
            sa.Text(),
            sa.Computed("document ->> 'credit_reference_id'", persisted=True),
            nullable=True,
        ),
        sa.Column("receiver_country_code", sa.String(length=2), nullable=False),
        sa.Column("receiver_party_id", sa.String(length=3), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=True),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("object_key", sa.String(length=80), nullable=False),
        sa.Column("object_id", sa.String(length=39), nullable=False),
        sa.Column("document", DocumentText(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("last_updated_text", sa.String(length=40), nullable=False),
        instant("last_updated", nullable=False),
        instant("received_at", nullable=False, default="clock_timestamp()"),
        sa.Column("stamps", DocumentText(), nullable=True),
        sa.Column("same_since", sa.String(length=5), server_default="2.3.0", nullable=False),
        sa.Column("broadcast", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        instant("deleted_at"),
        sa.Column(
            "page_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('page_seq')"),
            nullable=False,
        ),
        sa.Column(
            "changed_xid",
            TransactionId(),
            server_default=sa.text("pg_current_xact_id()"),
            nullable=False,
        ),
        sa.Column(
            "changed_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('feed_seq')"),
            nullable=False,
        ),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"], ["ocpi_partners.tenant_id", "ocpi_partners.id"]
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("ix_ocpi_cdrs_feed", "ocpi_cdrs", ["tenant_id", "changed_xid", "changed_seq"])
    op.create_index("ix_ocpi_cdrs_page", "ocpi_cdrs", ["tenant_id", "page_seq"])
    op.create_index(
        "ix_ocpi_cdrs_receiver",
        "ocpi_cdrs",
        ["tenant_id", "receiver_country_code", "receiver_party_id", "page_seq"],
    )
    op.create_index("ix_ocpi_cdrs_updated", "ocpi_cdrs", ["tenant_id", "last_updated"])
    op.create_index(
        "uq_ocpi_cdrs_object",
        "ocpi_cdrs",
        ["tenant_id", "country_code", "party_id", "object_key"],
        unique=True,
    )
    isolate("ocpi_cdrs")

    op.create_table(
        "ocpi_tokens",
        tenant_id(),
        row_id(),
        sa.Column(
            "type", sa.Text(), sa.Computed("document ->> 'type'", persisted=True), nullable=True
        ),
        sa.Column(
            "valid",
            sa.Boolean(),
            sa.Computed("coalesce(document ->> 'valid', 'false') = 'true'", persisted=True),
            nullable=False,
        ),
        sa.Column(
            "whitelist",
            sa.Text(),
            sa.Computed("document ->> 'whitelist'", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "contract_id",
            sa.Text(),
            sa.Computed("document ->> 'contract_id'", persisted=True),
            nullable=True,
        ),
        sa.Column("partner_id", sa.Uuid(), nullable=True),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("object_key", sa.String(length=80), nullable=False),
        sa.Column("object_id", sa.String(length=39), nullable=False),
        sa.Column("document", DocumentText(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("last_updated_text", sa.String(length=40), nullable=False),
        instant("last_updated", nullable=False),
        instant("received_at", nullable=False, default="clock_timestamp()"),
        sa.Column("stamps", DocumentText(), nullable=True),
        sa.Column("same_since", sa.String(length=5), server_default="2.3.0", nullable=False),
        sa.Column("broadcast", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        instant("deleted_at"),
        sa.Column(
            "page_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('page_seq')"),
            nullable=False,
        ),
        sa.Column(
            "changed_xid",
            TransactionId(),
            server_default=sa.text("pg_current_xact_id()"),
            nullable=False,
        ),
        sa.Column(
            "changed_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('feed_seq')"),
            nullable=False,
        ),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"], ["ocpi_partners.tenant_id", "ocpi_partners.id"]
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "ix_ocpi_tokens_feed", "ocpi_tokens", ["tenant_id", "changed_xid", "changed_seq"]
    )
    op.create_index("ix_ocpi_tokens_key", "ocpi_tokens", ["tenant_id", "object_key"])
    op.create_index("ix_ocpi_tokens_page", "ocpi_tokens", ["tenant_id", "page_seq"])
    op.create_index("ix_ocpi_tokens_updated", "ocpi_tokens", ["tenant_id", "last_updated"])
    op.create_index(
        "uq_ocpi_tokens_object",
        "ocpi_tokens",
        ["tenant_id", "country_code", "party_id", "object_key"],
        unique=True,
    )
    isolate("ocpi_tokens")

    op.create_table(
        "ocpi_clientinfo",
        tenant_id(),
        row_id(),
        sa.Column(
            "status", sa.Text(), sa.Computed("document ->> 'status'", persisted=True), nullable=True
        ),
        sa.Column("partner_id", sa.Uuid(), nullable=True),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("object_key", sa.String(length=80), nullable=False),
        sa.Column("object_id", sa.String(length=39), nullable=False),
        sa.Column("document", DocumentText(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("last_updated_text", sa.String(length=40), nullable=False),
        instant("last_updated", nullable=False),
        instant("received_at", nullable=False, default="clock_timestamp()"),
        sa.Column("stamps", DocumentText(), nullable=True),
        sa.Column("same_since", sa.String(length=5), server_default="2.3.0", nullable=False),
        sa.Column("broadcast", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        instant("deleted_at"),
        sa.Column(
            "page_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('page_seq')"),
            nullable=False,
        ),
        sa.Column(
            "changed_xid",
            TransactionId(),
            server_default=sa.text("pg_current_xact_id()"),
            nullable=False,
        ),
        sa.Column(
            "changed_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('feed_seq')"),
            nullable=False,
        ),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"], ["ocpi_partners.tenant_id", "ocpi_partners.id"]
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "ix_ocpi_clientinfo_feed", "ocpi_clientinfo", ["tenant_id", "changed_xid", "changed_seq"]
    )
    op.create_index("ix_ocpi_clientinfo_page", "ocpi_clientinfo", ["tenant_id", "page_seq"])
    op.create_index("ix_ocpi_clientinfo_updated", "ocpi_clientinfo", ["tenant_id", "last_updated"])
    op.create_index(
        "uq_ocpi_clientinfo_object",
        "ocpi_clientinfo",
        ["tenant_id", "country_code", "party_id", "object_key"],
        unique=True,
    )
    isolate("ocpi_clientinfo")

    op.execute(CONNECTORS)


def downgrade() -> None:
    op.execute("DROP VIEW ocpi_connectors")
    op.drop_table("ocpi_clientinfo")
    op.drop_table("ocpi_tokens")
    op.drop_table("ocpi_cdrs")
    op.drop_table("ocpi_sessions")
    op.drop_table("tariffs")
    op.drop_table("ocpi_evses")
    op.drop_table("ocpi_locations")
    op.execute(sa.schema.DropSequence(sa.Sequence("feed_seq")))
    op.execute(sa.schema.DropSequence(sa.Sequence("page_seq")))
