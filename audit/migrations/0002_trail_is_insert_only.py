from django.db import migrations

TABLES = "audit_auditevent, audit_auditseal"


def for_application_role(statement: str) -> str:
    """Run `statement` where the application's own database role exists; elsewhere there is one role for all."""
    return f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'gatehouse_app') THEN
                {statement}
            END IF;
        END $$;
    """


class Migration(migrations.Migration):
    """The application may add to the audit trail and read it, never alter it."""

    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.RunSQL(
            for_application_role(
                f"GRANT SELECT, INSERT ON {TABLES} TO gatehouse_app;"
                f"REVOKE UPDATE, DELETE, TRUNCATE ON {TABLES} FROM gatehouse_app;"
            ),
            for_application_role(f"GRANT UPDATE, DELETE ON {TABLES} TO gatehouse_app;"),
        )
    ]
