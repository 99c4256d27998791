from django.apps import AppConfig


class GatewaysConfig(AppConfig):
    name = "gateways"
    verbose_name = "Gateways"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from gateways import (
            any_of,  # noqa: F401 - registers itself
            receivers,  # noqa: F401 - connects itself once the models are there
        )
