from django.apps import AppConfig


class ApisConfig(AppConfig):
    name = "apis"
    verbose_name = "APIs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apis import receivers  # noqa: F401 - connects itself once the models are there
