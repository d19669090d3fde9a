from django.urls import URLPattern, path

from apps.annotation import views

pages: list[URLPattern] = [
    path("label/", views.label, name="label"),
    path("label/submit/", views.label_submit, name="label_submit"),
    path("label/skip/", views.label_skip, name="label_skip"),
    path("label/undo/", views.label_undo, name="label_undo"),
    path("label/renew/", views.label_renew, name="label_renew"),
    path("label/history/", views.label_history, name="label_history"),
]
api: list[URLPattern] = []
