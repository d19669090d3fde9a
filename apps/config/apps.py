from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "apps.config"
    label = "config"

    def ready(self) -> None:
        import workers.app  # noqa: F401 - makes it the app that shared tasks are sent through
