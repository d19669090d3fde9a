from django.urls import URLPattern, path

from apps.explore import list_views

pages: list[URLPattern] = [
    path("items/", list_views.items, name="items"),
    path("items/<int:pk>/", list_views.item, name="item"),
]
api: list[URLPattern] = []
