from django.urls import URLPattern, path

from apps.notices import api as endpoints
from apps.notices import views

site: list[URLPattern] = [
    path("notices/", views.notices, name="notices"),
    path("notices/read/", views.notices_read, name="notices_read"),
    path("notices/mail/", views.notices_mail, name="notices_mail"),
    path("notices/<int:pk>/", views.notice_open, name="notice_open"),
]
site_api: list[URLPattern] = [
    path("me/notices/", endpoints.NoticesApi.as_view(), name="api_notices"),
    path("me/notices/read/", endpoints.NoticesReadApi.as_view(), name="api_notices_read"),
]
pages: list[URLPattern] = [
    path("webhooks/", views.webhooks_page, name="webhooks"),
    path("webhooks/<int:pk>/", views.webhook, name="webhook"),
    path("webhooks/<int:pk>/rotate/", views.webhook_rotate, name="webhook_rotate"),
    path("webhooks/<int:pk>/test/", views.webhook_test, name="webhook_test"),
    path("webhooks/<int:pk>/switch/", views.webhook_switch, name="webhook_switch"),
    path("webhooks/<int:pk>/remove/", views.webhook_remove, name="webhook_remove"),
    path("webhooks/<int:pk>/deliveries/<int:delivery>/redeliver/", views.webhook_redeliver, name="webhook_redeliver"),
]
api: list[URLPattern] = [
    path("webhooks/", endpoints.WebhooksApi.as_view(), name="api_webhooks"),
    path("webhooks/<int:pk>/", endpoints.WebhookApi.as_view(), name="api_webhook"),
    path("webhooks/<int:pk>/rotate/", endpoints.WebhookRotateApi.as_view(), name="api_webhook_rotate"),
    path("webhooks/<int:pk>/test/", endpoints.WebhookTestApi.as_view(), name="api_webhook_test"),
    path("webhooks/<int:pk>/deliveries/", endpoints.DeliveriesApi.as_view(), name="api_webhook_deliveries"),
    path(
        "webhooks/<int:pk>/deliveries/<int:delivery>/redeliver/",
        endpoints.RedeliverApi.as_view(),
        name="api_webhook_redeliver",
    ),
]
