from django.urls import URLPattern, path

from apps.annotation import change_api, change_views, touched_api

pages: list[URLPattern] = [
    path("labels/<int:pk>/merge/", change_views.label_merge, name="label_merge"),
    path("labels/<int:pk>/split/", change_views.label_split, name="label_split"),
    path("labels/<int:pk>/put-away/", change_views.label_put_away, name="label_put_away"),
    path("changes/", change_views.changes, name="changes"),
    path("changes/<int:pk>/undo/", change_views.change_undo, name="change_undo"),
]
api: list[URLPattern] = [
    path("changes/", change_api.Changes.as_view(), name="api_changes"),
    path("changes/<int:pk>/undo/", change_api.TakeBack.as_view(), name="api_change_undo"),
    path("labels/touched/", touched_api.Touched.as_view(), name="api_labels_touched"),
    path("labels/<int:pk>/merge/", change_api.Merge.as_view(), name="api_label_merge"),
    path("labels/<int:pk>/split/", change_api.Split.as_view(), name="api_label_split"),
]
