from django.urls import URLPattern, path

from apps.feedback import demo_views, key_api, key_views
from apps.feedback.intake_api import Feedback

pages: list[URLPattern] = [
    path("settings/keys/", key_views.intake_keys, name="intake_keys"),
    path("settings/keys/<int:pk>/revoke/", key_views.intake_key_revoke, name="intake_key_revoke"),
]
api: list[URLPattern] = [
    path("intake-keys/", key_api.IntakeKeys.as_view(), name="api_intake_keys"),
    path("intake-keys/<int:pk>/", key_api.IntakeKeyDetail.as_view(), name="api_intake_key"),
    path("subjects/<path:key>/", key_api.Subject.as_view(), name="api_subject"),  # hosts' keys may hold slashes
]
site: list[URLPattern] = [  # outside a project
    path("demo/support/", demo_views.support, name="demo_support"),
]
site_api: list[URLPattern] = [  # below /api/v1/: the key says which project
    path("feedback", Feedback.as_view(), name="api_feedback"),
]
