from django.urls import URLPattern, path

from apps.annotation import api as endpoints
from apps.annotation import change_urls, comment_urls, export_api, export_views, labelling_urls, views

pages: list[URLPattern] = [
    path("label/", views.label, name="label"),
    path("label/submit/", views.label_submit, name="label_submit"),
    path("label/skip/", views.label_skip, name="label_skip"),
    path("label/undo/", views.label_undo, name="label_undo"),
    path("label/renew/", views.label_renew, name="label_renew"),
    path("label/history/", views.label_history, name="label_history"),
    path("label/summary/", views.label_summary, name="label_summary"),
    path("export/", export_views.export, name="export"),
    path("export/download/", export_views.export_download, name="export_download"),
]
api: list[URLPattern] = [
    path("export/", export_api.Export.as_view(), name="api_export"),
    path("claim/", endpoints.Claim.as_view(), name="api_claim"),
    path("submit/", endpoints.Submit.as_view(), name="api_submit"),
    path("revise/", endpoints.Revise.as_view(), name="api_revise"),
    path("skip/", endpoints.Skip.as_view(), name="api_skip"),
    path("undo/", endpoints.Undo.as_view(), name="api_undo"),
    path("renew/", endpoints.Renew.as_view(), name="api_renew"),
    path("tasks/", endpoints.Tasks.as_view(), name="api_tasks"),
    path("annotations/", endpoints.Annotations.as_view(), name="api_annotations"),
    path("resolutions/", endpoints.Resolutions.as_view(), name="api_resolutions"),
    path("items/<int:pk>/history/", endpoints.ItemHistory.as_view(), name="api_item_history"),
]
for _part in (change_urls, comment_urls, labelling_urls):
    pages += _part.pages
    api += _part.api
