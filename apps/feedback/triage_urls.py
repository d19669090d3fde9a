from django.urls import URLPattern, path

from apps.feedback import case_views, signal_views, triage_views

pages: list[URLPattern] = [
    path("triage/", triage_views.triage, name="triage"),
    path("triage/<int:number>/", triage_views.ticket, name="ticket"),
    path("triage/move/", triage_views.triage_move, name="triage_move"),
    path("triage/pulse/", triage_views.triage_pulse, name="triage_pulse"),
    path("triage/find/", triage_views.triage_find, name="triage_find"),
    path("triage/queues/", triage_views.triage_queues, name="triage_queues"),
    path("triage/queues/<int:pk>/delete/", triage_views.triage_queue_delete, name="triage_queue_delete"),
    path("cases/", case_views.cases, name="cases"),
    path("cases/<int:pk>/", case_views.case_change, name="case_change"),
    path("signals/", signal_views.signals, name="signals"),
    path("signals/export/", signal_views.signals_export, name="signals_export"),
    path("signals/back/", signal_views.signals_back, name="signals_back"),
]
api: list[URLPattern] = []
