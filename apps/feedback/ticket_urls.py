from django.urls import URLPattern, path

from apps.feedback import case_api, policy_api, policy_views, ticket_api

pages: list[URLPattern] = [
    path("settings/feedback/", policy_views.feedback_settings, name="feedback_settings"),
]
api: list[URLPattern] = [
    path("tickets/", ticket_api.Tickets.as_view(), name="api_tickets"),
    path("tickets/counts/", ticket_api.Counts.as_view(), name="api_tickets_counts"),
    path("tickets/moves/", ticket_api.BulkMoves.as_view(), name="api_tickets_moves"),
    path("tickets/undo/", ticket_api.BulkUndo.as_view(), name="api_tickets_undo"),
    path("tickets/<int:number>/", ticket_api.TicketDetail.as_view(), name="api_ticket"),
    path("tickets/<int:number>/moves/", ticket_api.TicketMoves.as_view(), name="api_ticket_moves"),
    path("tickets/<int:number>/undo/", ticket_api.TicketUndo.as_view(), name="api_ticket_undo"),
    path("cases/", case_api.Cases.as_view(), name="api_cases"),
    path("cases/<int:pk>/", case_api.CaseDetail.as_view(), name="api_case"),
    path("feedback-policy/", policy_api.PolicyApi.as_view(), name="api_feedback_policy"),
]
