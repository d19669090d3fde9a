from django.urls import URLPattern, path

from apps.explore import similar_api, similar_views

pages: list[URLPattern] = [
    path("similar/", similar_views.similar, name="similar"),
    path("similar/label/", similar_views.similar_label, name="similar_label"),
    path("similar/undo/", similar_views.similar_undo, name="similar_undo"),
]
api: list[URLPattern] = [
    path("similar/", similar_api.SimilarApi.as_view(), name="api_similar"),
    path("similar/undo/", similar_api.SimilarUndoApi.as_view(), name="api_similar_undo"),
]
