"""Sandbox and production are there from the start."""

from django.db import migrations

from audit.models import new_public_id

SEEDED = (("sandbox", "Sandbox", "s", 0), ("production", "Production", "p", 1))


def seed(apps, schema_editor):
    environment = apps.get_model("apis", "Environment")
    for slug, name, letter, position in SEEDED:
        environment.objects.get_or_create(
            slug=slug,
            defaults={
                # A historical model does not carry the prefix of the public id.
                "public_id": new_public_id("env"),
                "name": name,
                "environment_class": letter,
                "position": position,
            },
        )


class Migration(migrations.Migration):
    dependencies = [("apis", "0002_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
