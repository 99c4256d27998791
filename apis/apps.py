from django.apps import AppConfig


class ApisConfig(AppConfig):
    name = "apis"
    verbose_name = "APIs"
    default_auto_field = "django.db.models.BigAutoField"
