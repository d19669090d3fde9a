from django.urls import URLPattern, path

from apps.feedback.intake_api import Feedback

pages: list[URLPattern] = []
api: list[URLPattern] = []
site: list[URLPattern] = []  # outside a project: the demo chat
site_api: list[URLPattern] = [  # below /api/v1/: the key says which project
    path("feedback", Feedback.as_view(), name="api_feedback"),
]
