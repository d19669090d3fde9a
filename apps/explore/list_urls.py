from django.urls import URLPattern, path

from apps.explore import bulk_views, item_views, list_api, list_views, saved_views

pages: list[URLPattern] = [
    path("items/", list_views.items, name="items"),
    path("items/amount/", list_views.item_amount, name="item_amount"),
    path("items/bulk/", bulk_views.item_bulk, name="item_bulk"),
    path("items/bulk/do/", bulk_views.item_bulk_do, name="item_bulk_do"),
    path("items/<int:pk>/", item_views.item, name="item"),
    path("views/", saved_views.saved_views, name="saved_views"),
    path("views/<int:pk>/", saved_views.saved_view, name="saved_view"),
    path("views/<int:pk>/delete/", saved_views.saved_view_delete, name="saved_view_delete"),
]
api: list[URLPattern] = [
    path("explore/items/", list_api.Items.as_view(), name="api_explore_items"),
    path("explore/amount/", list_api.Amount.as_view(), name="api_explore_amount"),
    path("explore/bulk/preview/", list_api.BulkPreview.as_view(), name="api_explore_bulk_preview"),
    path("explore/bulk/", list_api.Bulk.as_view(), name="api_explore_bulk"),
    path("explore/views/", list_api.Views.as_view(), name="api_explore_views"),
    path("explore/views/<int:pk>/", list_api.View.as_view(), name="api_explore_view"),
]
