from django.apps import AppConfig


class AwsConfig(AppConfig):
    name = "aws"
    verbose_name = "AWS"
    default_auto_field = "django.db.models.BigAutoField"
