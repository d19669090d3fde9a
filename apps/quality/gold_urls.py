from django.urls import URLPattern, path

from apps.quality import gold_views

pages: list[URLPattern] = [
    path("gold/", gold_views.gold, name="gold"),
    path("gold/item/", gold_views.gold_item, name="gold_item"),
    path("gold/retire/", gold_views.gold_retire, name="gold_retire"),
    path("gold/import/", gold_views.gold_import, name="gold_import"),
    path("gold/training/off/", gold_views.gold_let_off, name="gold_let_off"),
    path("gold/people/<int:pk>/", gold_views.gold_person, name="gold_person"),
]
api: list[URLPattern] = []
