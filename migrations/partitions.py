"""Partitions: made ahead by a function that the hub's plain role may call, but not replace.

Nobody is granted anything on a partition; rows are reached through its parent, whose policies
apply. A partition has the policy as well, in case somebody grants it later. It is not *forced*
there: the function runs as the owner, and must see every tenant's rows when it moves what the
default partition caught.
"""

from alembic import op
from tenancy import CURRENT_TENANT

CREATE_PARTITION = """
CREATE FUNCTION hub_create_partition(
    parent text, part text, key text, lower timestamptz, upper timestamptz
) RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF to_regclass('public.' || part) IS NOT NULL THEN
        RETURN 0;
    END IF;
    -- ATTACH takes this lock anyway; taken first, no row can slip into the default meanwhile.
    EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', parent || '_default');
    EXECUTE format(
        'CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
        part, parent
    );
    EXECUTE format(
        'WITH moved AS (DELETE FROM public.%I WHERE %I >= %L AND %I < %L RETURNING *)'
        ' INSERT INTO public.%I SELECT * FROM moved',
        parent || '_default', key, lower, key, upper, part
    );
    EXECUTE format(
        'ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
        parent, part, lower, upper
    );
    PERFORM hub_close_partition(part);
    RETURN 1;
END $$
"""

CLOSE_PARTITION = f"""
CREATE FUNCTION hub_close_partition(part text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', part);
    EXECUTE format('CREATE POLICY tenant ON public.%I USING (tenant_id = %s)', part,
        $policy${CURRENT_TENANT}$policy$);
    EXECUTE format('REVOKE ALL ON public.%I FROM PUBLIC', part);
END $$
"""

# Sessions lie in months, meter values in days, both in UTC. Returns how many partitions it made.
CREATE_PARTITIONS = """
CREATE FUNCTION hub_create_partitions(months integer, days integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '5s' SET timezone = 'UTC' AS $$
DECLARE
    this_month timestamptz := date_trunc('month', now());
    today timestamptz := date_trunc('day', now());
    lower timestamptz;
    made integer := 0;
BEGIN
    IF months NOT BETWEEN 0 AND 24 OR days NOT BETWEEN 0 AND 366 THEN
        RAISE 'at most 24 months and 366 days ahead';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('hub_create_partitions'));
    FOR step IN 0 .. months LOOP
        lower := this_month + step * interval '1 month';
        made := made + hub_create_partition(
            'charging_sessions', to_char(lower, '"charging_sessions_"YYYY_MM'),
            'created_at', lower, lower + interval '1 month'
        );
    END LOOP;
    FOR step IN 0 .. days LOOP
        lower := today + step * interval '1 day';
        made := made + hub_create_partition(
            'meter_values', to_char(lower, '"meter_values_"YYYY_MM_DD'),
            'timestamp', lower, lower + interval '1 day'
        );
    END LOOP;
    RETURN made;
END $$
"""

# What lies in the default partitions: it should be little, and nothing of today.
STRAY_ROWS = """
CREATE FUNCTION hub_stray_rows() RETURNS TABLE (parent text, stray bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT 'charging_sessions', count(*) FROM public.charging_sessions_default
    UNION ALL SELECT 'meter_values', count(*) FROM public.meter_values_default;
END $$
"""

# What the hub's role may call; the others are called by these only.
OFFERED = ("hub_create_partitions(integer, integer)", "hub_stray_rows()")
INTERNAL = (
    "hub_create_partition(text, text, text, timestamptz, timestamptz)",
    "hub_close_partition(text)",
)


def create_default_partition(table: str) -> None:
    """The partition for rows of times that no other covers."""
    op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
    op.execute(f"SELECT hub_close_partition('{table}_default')")


def create_functions() -> None:
    for statement in (CLOSE_PARTITION, CREATE_PARTITION, CREATE_PARTITIONS, STRAY_ROWS):
        op.execute(statement)
    for function in (*OFFERED, *INTERNAL):
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")


def drop_functions() -> None:
    for function in (*OFFERED, *INTERNAL):
        op.execute(f"DROP FUNCTION {function}")
