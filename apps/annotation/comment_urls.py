from django.urls import URLPattern, path

from apps.annotation import comment_api, comment_views

pages: list[URLPattern] = [
    path("items/<int:pk>/comments/", comment_views.item_comments, name="item_comments"),
    path(
        "items/<int:pk>/comments/<int:comment>/remove/", comment_views.item_comment_remove, name="item_comment_remove"
    ),
]
api: list[URLPattern] = [
    path("items/<int:pk>/comments/", comment_api.ItemComments.as_view(), name="api_item_comments"),
    path("items/<int:pk>/comments/<int:comment>/", comment_api.ItemComment.as_view(), name="api_item_comment_remove"),
]
