from django.urls import URLPattern, path

from apps.quality import agreement_api, agreement_views

pages: list[URLPattern] = [path("agreement/", agreement_views.agreement, name="agreement")]
api: list[URLPattern] = [
    path("agreement/", agreement_api.AgreementApi.as_view(), name="api_agreement"),
    path("anchoring/", agreement_api.AnchoringApi.as_view(), name="api_anchoring"),
]
