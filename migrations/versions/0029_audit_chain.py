"""A chain over the audit log, and functions that remove what was kept long enough."""

import sqlalchemy as sa
from alembic import op
from columns import instant, tenant_id
from tenancy import isolate, opened

from hub.models.base import TransactionId

revision = "0029"
down_revision = "0028"

# What is there already is chained in the order of its time.
NUMBER = """
    UPDATE audit_logs AS entry SET changed_seq = numbered.place
    FROM (
        SELECT tenant_id, id,
               row_number() OVER (PARTITION BY tenant_id ORDER BY timestamp, id) AS place
        FROM audit_logs
    ) AS numbered
    WHERE entry.tenant_id = numbered.tenant_id AND entry.id = numbered.id
"""

# Runs as the owner, who may be somebody whom the isolation does not hold: so it names the tenant.
# Links go in their order, so that what is left is one piece; not even the hub's role can have young
# ones removed.
PURGE = """
CREATE FUNCTION hub_purge_audit(months integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    link record;
    removed bigint;
    total bigint := 0;
    tenant uuid := nullif(current_setting('hub.tenant_id', true), '')::uuid;
BEGIN
    IF months < 6 THEN
        RAISE 'audit entries are kept for 6 months at least';
    END IF;
    FOR link IN
        SELECT number, xid, seq, last_at FROM public.audit_segments
        WHERE tenant_id = tenant AND purged_at IS NULL ORDER BY number LIMIT 20
    LOOP
        EXIT WHEN link.last_at >= now() - make_interval(months => months) OR EXISTS (
            SELECT FROM public.audit_logs
            WHERE tenant_id = tenant AND (changed_xid, changed_seq) <= (link.xid, link.seq)
            AND timestamp >= now() - make_interval(months => months)
        );
        DELETE FROM public.audit_logs
        WHERE tenant_id = tenant AND (changed_xid, changed_seq) <= (link.xid, link.seq);
        GET DIAGNOSTICS removed = ROW_COUNT;
        total := total + removed;
        UPDATE public.audit_segments SET purged_at = clock_timestamp(), marks = NULL
        WHERE tenant_id = tenant AND number = link.number;
    END LOOP;
    RETURN total;
END $$
"""

DROP = r"""
CREATE FUNCTION hub_drop_partitions(months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '5s' SET timezone = 'UTC' AS $$
DECLARE
    part text;
    dropped integer := 0;
BEGIN
    IF months < 3 THEN
        RAISE 'meter values are kept for 3 months at least';
    END IF;
    FOR part IN
        SELECT relname FROM pg_class
        WHERE relispartition AND relnamespace = 'public'::regnamespace
        AND relname ~ '^meter_values_\d{4}_\d{2}_\d{2}$'
        AND to_date(right(relname, 10), 'YYYY_MM_DD') < now() - make_interval(months => months)
        - interval '1 day'
        ORDER BY relname
    LOOP
        EXECUTE format('DROP TABLE public.%I', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$
"""
FUNCTIONS = ("hub_purge_audit(integer)", "hub_drop_partitions(integer)")


def upgrade() -> None:
    op.add_column(
        "audit_logs",
        sa.Column("changed_xid", TransactionId(), server_default="0", nullable=False),
    )
    op.add_column(
        "audit_logs", sa.Column("changed_seq", sa.BigInteger(), server_default="0", nullable=False)
    )
    with opened("audit_logs"):
        op.execute(NUMBER)
    op.execute("ALTER TABLE audit_logs ALTER changed_xid SET DEFAULT pg_current_xact_id()")
    op.execute("ALTER TABLE audit_logs ALTER changed_seq SET DEFAULT nextval('feed_seq')")
    op.create_index("ix_audit_logs_feed", "audit_logs", ["tenant_id", "changed_xid", "changed_seq"])
    op.create_table(
        "audit_segments",
        tenant_id(),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        instant("first_at", nullable=False),
        instant("last_at", nullable=False),
        sa.Column("xid", TransactionId(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=30), nullable=False),
        instant("created_at", nullable=False, default="clock_timestamp()"),
        instant("purged_at"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "number"),
    )
    isolate("audit_segments")
    for statement in (PURGE, DROP):
        op.execute(statement)
    for function in FUNCTIONS:
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")


def downgrade() -> None:
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("audit_segments")
    op.drop_index("ix_audit_logs_feed", "audit_logs")
    op.drop_column("audit_logs", "changed_seq")
    op.drop_column("audit_logs", "changed_xid")
