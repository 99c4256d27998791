from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Portal"

    def ready(self) -> None:
        from portal import checks, metrics, worker_metrics  # noqa: F401 - they register themselves once the apps are loaded
