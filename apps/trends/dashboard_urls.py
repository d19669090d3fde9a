from django.urls import URLPattern, path

from apps.trends import dashboard_views as views
from apps.trends.dashboard_api import DashboardApi

pages: list[URLPattern] = [
    path("insight/", views.dashboard, name="dashboard"),
    path("insight/<slug:block>.csv", views.dashboard_csv, name="dashboard_csv"),
]
api: list[URLPattern] = [
    path("dashboard/", DashboardApi.as_view(), name="api_dashboard"),
]
