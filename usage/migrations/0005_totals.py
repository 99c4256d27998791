"""Totals beside the buckets, and upserts of both that cost less.

Sums grow in place: with room left on each page PostgreSQL need not touch their indexes. The function that adds
latencies takes a few steps into many without taking the many apart.
"""

from django.db import migrations, models

ROOM = """
ALTER TABLE usage_usagebucket SET (fillfactor = 80);
ALTER TABLE usage_usagetotal SET (fillfactor = 80);
"""

SLOW_STEPS = """
CREATE OR REPLACE FUNCTION usage_add_steps(one jsonb, other jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(jsonb_object_agg(step, calls), '{}'::jsonb) FROM (
        SELECT key AS step, sum(value::bigint) AS calls
        FROM (SELECT * FROM jsonb_each_text(one) UNION ALL SELECT * FROM jsonb_each_text(other)) AS both_of_them
        GROUP BY key
    ) AS added
$$;
"""

ADD_STEPS = """
CREATE OR REPLACE FUNCTION usage_add_steps(one jsonb, other jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    step text;
    calls jsonb;
    found integer := 0;
    added jsonb := one;
BEGIN
    FOR step, calls IN SELECT key, value FROM jsonb_each(other) LOOP
        found := found + 1;
        IF found > 12 THEN
            RETURN (
                SELECT jsonb_object_agg(both_of_them.key, total) FROM (
                    SELECT entry.key, sum(entry.value::bigint) AS total
                    FROM (SELECT * FROM jsonb_each(one) UNION ALL SELECT * FROM jsonb_each(other)) AS entry
                    GROUP BY entry.key
                ) AS both_of_them
            );
        END IF;
        added := jsonb_set(added, ARRAY[step], to_jsonb(coalesce((added -> step)::bigint, 0) + calls::bigint));
    END LOOP;
    RETURN added;
END
$$;
"""

SINCE = """
DO $do$
BEGIN
    EXECUTE format(
        'CREATE FUNCTION usage_totals_since() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT %L::timestamptz $$',
        CASE WHEN EXISTS (SELECT FROM gateways_gateway)
            THEN (date_trunc('day', now(), 'UTC') + interval '2 days')::text ELSE '-infinity' END
    );
END
$do$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("gateways", "0003_reconcile_bookkeeping"),
        ("usage", "0004_feed_loss"),
    ]

    operations = [
        migrations.CreateModel(
            name='UsageTotal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('p', 'by plan'), ('o', 'by operation'), ('c', 'by application and key'), ('a', 'by application')], max_length=1)),
                ('span', models.CharField(max_length=1)),
                ('at', models.DateTimeField()),
                ('environment', models.CharField(max_length=40)),
                ('api', models.CharField(max_length=40)),
                ('api_version', models.CharField(max_length=40)),
                ('operation', models.CharField(max_length=300)),
                ('application', models.CharField(max_length=40)),
                ('plan', models.CharField(max_length=40)),
                ('key_id', models.CharField(max_length=16)),
                ('status', models.PositiveSmallIntegerField()),
                ('calls', models.BigIntegerField(default=0)),
                ('bytes_in', models.BigIntegerField(default=0)),
                ('bytes_out', models.BigIntegerField(default=0)),
                ('duration_ms', models.FloatField(default=0)),
                ('latency', models.JSONField(default=dict)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('kind__in', ['c', 'a'])), fields=['application', 'span', 'kind', 'at'], name='usage_total_application'), models.Index(condition=models.Q(('span', 'm')), fields=['at'], name='usage_total_minutes')],
                'constraints': [models.UniqueConstraint(fields=('api', 'span', 'kind', 'at', 'environment', 'api_version', 'operation', 'application', 'plan', 'key_id', 'status'), name='usage_total_once')],
            },
        ),
        migrations.RunSQL(ROOM, "ALTER TABLE usage_usagebucket RESET (fillfactor)"),
        migrations.RunSQL(ADD_STEPS, SLOW_STEPS),
        migrations.RunSQL(SINCE, "DROP FUNCTION usage_totals_since()"),
    ]
