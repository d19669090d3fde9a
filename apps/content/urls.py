from django.urls import URLPattern, path

from apps.content import api as endpoints
from apps.content import views

pages: list[URLPattern] = [
    path("content/", views.content, name="content"),
    path("content/imports/<int:pk>/", views.import_detail, name="import_detail"),
    path("content/imports/<int:pk>/read-again/", views.import_reread, name="import_reread"),
    path("content/imports/<int:pk>/cancel/", views.import_cancel, name="import_cancel"),
    path("content/imports/<int:pk>/rejected.csv", views.import_rejected, name="import_rejected"),
]
api: list[URLPattern] = [
    path("imports/", endpoints.Imports.as_view(), name="api_imports"),
    path("imports/<int:pk>/", endpoints.Import.as_view(), name="api_import"),
    path("imports/<int:pk>/start/", endpoints.ImportStart.as_view(), name="api_import_start"),
    path("imports/<int:pk>/cancel/", endpoints.ImportCancel.as_view(), name="api_import_cancel"),
    path("imports/<int:pk>/rejected/", endpoints.ImportRejected.as_view(), name="api_import_rejected"),
    path("items/", endpoints.Items.as_view(), name="api_items"),
]
