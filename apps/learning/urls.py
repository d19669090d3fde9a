from django.urls import URLPattern, path

from apps.learning import curve_views

pages: list[URLPattern] = [
    path("train/curve/", curve_views.curve, name="curve"),
]
api: list[URLPattern] = [
    path("curve/", curve_views.CurveApi.as_view(), name="api_curve"),
]
