from django.urls import URLPattern, path

from apps.accounts import schema as schema  # registers the token scheme
from apps.accounts import views

pages: list[URLPattern] = [
    path("", views.preferences, name="preferences"),
    path("tokens/", views.preferences, name="tokens"),
    path("keys/", views.preferences, name="keymap"),
]
api: list[URLPattern] = []
