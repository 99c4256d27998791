"""The table of calls, partitioned by day, and the functions that add buckets and make partitions.

The functions that make and drop partitions run with the rights of their owner, since the portal's own role
may not change tables; their bodies take a date and nothing else.
"""

from django.db import migrations

RECORDS = """
CREATE TABLE usage_usagerecord (
    feed bigint NOT NULL,
    "offset" bigint NOT NULL,
    at timestamptz NOT NULL,
    gateway varchar(40) NOT NULL,
    node varchar(80) NOT NULL,
    environment varchar(40) NOT NULL,
    api varchar(40) NOT NULL,
    api_version varchar(40) NOT NULL,
    revision varchar(40) NOT NULL,
    operation varchar(300) NOT NULL,
    application varchar(40) NOT NULL,
    subscription varchar(40) NOT NULL,
    plan varchar(40) NOT NULL,
    key_id varchar(16) NOT NULL,
    method varchar(16) NOT NULL,
    path varchar(1000) NOT NULL,
    status smallint NOT NULL,
    reason varchar(80) NOT NULL,
    duration_ms double precision NOT NULL,
    upstream_ms double precision,
    bytes_in bigint NOT NULL,
    bytes_out bigint NOT NULL,
    request_id varchar(64) NOT NULL,
    PRIMARY KEY (feed, "offset", at)
) PARTITION BY RANGE (at);
CREATE INDEX usage_record_at ON usage_usagerecord USING brin (at);
CREATE INDEX usage_record_api ON usage_usagerecord (api, at DESC);
CREATE INDEX usage_record_application ON usage_usagerecord (application, at DESC);
"""

ADD_STEPS = """
CREATE FUNCTION usage_add_steps(one jsonb, other jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(jsonb_object_agg(step, calls), '{}'::jsonb) FROM (
        SELECT key AS step, sum(value::bigint) AS calls
        FROM (SELECT * FROM jsonb_each_text(one) UNION ALL SELECT * FROM jsonb_each_text(other)) AS both_of_them
        GROUP BY key
    ) AS added
$$;
"""

ENSURE_DAY = """
CREATE FUNCTION usage_ensure_day(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    name text := 'usage_usagerecord_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(1735552869, hashtext(name));
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %I PARTITION OF usage_usagerecord FOR VALUES FROM (%L) TO (%L)',
        name, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC'
    );
END
$$;
"""

DROP_BEFORE = """
CREATE FUNCTION usage_drop_before(day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    name text;
    dropped integer := 0;
BEGIN
    FOR name IN
        SELECT child.relname FROM pg_inherits
        JOIN pg_class child ON child.oid = inhrelid
        WHERE inhparent = 'usage_usagerecord'::regclass
          AND child.relname < 'usage_usagerecord_' || to_char(day, 'YYYYMMDD')
    LOOP
        EXECUTE format('DROP TABLE %I', name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("usage", "0001_initial")]

    operations = [
        migrations.RunSQL(RECORDS, "DROP TABLE usage_usagerecord"),
        migrations.RunSQL(ADD_STEPS, "DROP FUNCTION usage_add_steps(jsonb, jsonb)"),
        migrations.RunSQL(ENSURE_DAY, "DROP FUNCTION usage_ensure_day(date)"),
        migrations.RunSQL(DROP_BEFORE, "DROP FUNCTION usage_drop_before(date)"),
    ]
