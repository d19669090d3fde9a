from django.apps import AppConfig


class ExploreConfig(AppConfig):
    name = "apps.explore"
    label = "explore"
    default_auto_field = "django.db.models.BigAutoField"
