from django.urls import URLPattern, path

from apps.quality import review_views

pages: list[URLPattern] = [
    path("review/", review_views.review, name="review"),
    path("review/verdict/", review_views.review_verdict, name="review_verdict"),
    path("sent-back/", review_views.sent_back, name="sent_back"),
    path("sent-back/<int:pk>/insist/", review_views.sent_back_insist, name="sent_back_insist"),
]
api: list[URLPattern] = []
