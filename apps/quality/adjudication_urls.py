from django.urls import URLPattern, path

from apps.quality import adjudication_api as twins
from apps.quality import adjudication_views as views

pages: list[URLPattern] = [
    path("adjudicate/", views.adjudicate, name="adjudicate"),
    path("adjudicate/ask/", views.adjudicate_ask, name="adjudicate_ask"),
    path("adjudicate/undo/", views.adjudicate_undo, name="adjudicate_undo"),
    path("adjudicate/<int:pk>/decide/", views.adjudicate_decide, name="adjudicate_decide"),
    path("adjudicate/<int:pk>/send-back/", views.adjudicate_send_back, name="adjudicate_send_back"),
]
api: list[URLPattern] = [
    path("adjudications/", twins.AdjudicationsApi.as_view(), name="api_adjudications"),
    path("adjudications/undo/", twins.AdjudicationUndoApi.as_view(), name="api_adjudications_undo"),
    path("adjudications/<int:pk>/", twins.AdjudicationApi.as_view(), name="api_adjudication"),
    path("adjudications/<int:pk>/decide/", twins.AdjudicationDecideApi.as_view(), name="api_adjudication_decide"),
    path(
        "adjudications/<int:pk>/send-back/", twins.AdjudicationSendBackApi.as_view(), name="api_adjudication_send_back"
    ),
]
