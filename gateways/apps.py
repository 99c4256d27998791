from django.apps import AppConfig


class GatewaysConfig(AppConfig):
    name = "gateways"
    verbose_name = "Gateways"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from gateways import receivers  # noqa: F401 - connects itself once the models are there
