from django.urls import URLPattern, path

from apps.quality import suspect_api, suspect_views

pages: list[URLPattern] = [
    path("label-errors/", suspect_views.suspects, name="suspects"),
    path("label-errors/start/", suspect_views.suspects_start, name="suspects_start"),
    path("label-errors/ask/", suspect_views.suspects_ask, name="suspects_ask"),
    path("label-errors/<int:pk>/", suspect_views.suspect, name="suspect"),
    path("label-errors/<int:pk>/judge/", suspect_views.suspect_judge, name="suspect_judge"),
]
api: list[URLPattern] = [
    path("label-errors/", suspect_api.Suspects.as_view(), name="api_suspects"),
    path("label-errors/ask/", suspect_api.SuspectsAsk.as_view(), name="api_suspects_ask"),
    path("label-errors/stop/", suspect_api.SuspectsStop.as_view(), name="api_suspects_stop"),
    path("label-errors/<int:pk>/judge/", suspect_api.SuspectJudge.as_view(), name="api_suspect_judge"),
]
