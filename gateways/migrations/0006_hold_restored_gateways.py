"""What was handed out to gateways, and holding those that know more than the database."""

import django.db.models.deletion
from django.db import migrations, models


def remember_what_is_served(apps, schema_editor):
    """What was pushed before this release counts as known, and so does what every node reports."""
    Gateway = apps.get_model("gateways", "Gateway")
    GatewayNode = apps.get_model("gateways", "GatewayNode")
    HandedOut = apps.get_model("gateways", "HandedOut")
    pushed = Gateway.objects.filter(pushed_version__gt=0).values_list("pk", "pushed_version", "pushed_digest")
    reported = GatewayNode.objects.filter(version__gt=0).values_list("gateway_id", "version", "digest")
    HandedOut.objects.bulk_create(
        [HandedOut(gateway_id=pk, version=version, digest=digest) for pk, version, digest in {*pushed, *reported}]
    )


class Migration(migrations.Migration):

    dependencies = [
        ('gateways', '0005_drift_findings'),
    ]

    operations = [
        migrations.AddField(
            model_name='gateway',
            name='held_reason',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=300),
        ),
        migrations.AddField(
            model_name='gateway',
            name='held_since',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.CreateModel(
            name='HandedOut',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveBigIntegerField()),
                ('digest', models.CharField(max_length=64)),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('gateway', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='handed_out', to='gateways.gateway')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('gateway', 'version', 'digest'), name='handed_out_once')],
            },
        ),
        migrations.RunPython(remember_what_is_served, migrations.RunPython.noop, elidable=True),
    ]
