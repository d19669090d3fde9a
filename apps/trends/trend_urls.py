from django.urls import URLPattern, path

from apps.trends import trend_api, trend_views

pages: list[URLPattern] = [
    path("trends/", trend_views.trends, name="trends"),
    path("trends/trends.csv", trend_views.trends_csv, name="trends_csv"),
    path("trends/rows/", trend_views.trend_rows, name="trend_rows"),
    path("opinion/", trend_views.opinion, name="opinion"),
]
api: list[URLPattern] = [
    path("trends/", trend_api.TrendsApi.as_view(), name="api_trends"),
    path("opinion/", trend_api.OpinionApi.as_view(), name="api_opinion"),
]
