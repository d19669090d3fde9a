from django.urls import URLPattern, path

from apps.quality import review_api as twins
from apps.quality import review_views

pages: list[URLPattern] = [
    path("review/", review_views.review, name="review"),
    path("review/verdict/", review_views.review_verdict, name="review_verdict"),
    path("review/undo/", review_views.review_undo, name="review_undo"),
    path("sent-back/", review_views.sent_back, name="sent_back"),
    path("sent-back/<int:pk>/insist/", review_views.sent_back_insist, name="sent_back_insist"),
]
api: list[URLPattern] = [
    path("reviews/", twins.Reviews.as_view(), name="api_reviews"),
    path("reviews/sample/", twins.ReviewSample.as_view(), name="api_reviews_sample"),
    path("reviews/authors/", twins.ReviewAuthors.as_view(), name="api_reviews_authors"),
    path("reviews/undo/", twins.ReviewUndo.as_view(), name="api_reviews_undo"),
    path("sent-back/", twins.SentBack.as_view(), name="api_sent_back"),
    path("sent-back/<int:pk>/insist/", twins.SentBackInsist.as_view(), name="api_sent_back_insist"),
]
