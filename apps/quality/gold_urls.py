from django.urls import URLPattern, path

from apps.quality import gold_api as twins
from apps.quality import gold_views

pages: list[URLPattern] = [
    path("gold/", gold_views.gold, name="gold"),
    path("gold/item/", gold_views.gold_item, name="gold_item"),
    path("gold/retire/", gold_views.gold_retire, name="gold_retire"),
    path("gold/import/", gold_views.gold_import, name="gold_import"),
    path("gold/training/off/", gold_views.gold_let_off, name="gold_let_off"),
    path("gold/people/<int:pk>/", gold_views.gold_person, name="gold_person"),
]
api: list[URLPattern] = [
    path("gold/", twins.Golds.as_view(), name="api_golds"),
    path("gold/<int:pk>/", twins.GoldItem.as_view(), name="api_gold_item"),
    path("gold/import/", twins.GoldImport.as_view(), name="api_gold_import"),
    path("gold/candidates/", twins.GoldCandidates.as_view(), name="api_gold_candidates"),
    path("gold/people/", twins.GoldPeople.as_view(), name="api_gold_people"),
    path("gold/people/<int:pk>/", twins.GoldPerson.as_view(), name="api_gold_person"),
    path("gold/training/off/", twins.GoldLetOff.as_view(), name="api_gold_let_off"),
]
