from django.urls import URLPattern, path

from apps.annotation import labelling_api, labelling_views

pages: list[URLPattern] = [
    path("settings/labelling/", labelling_views.labelling_settings, name="labelling_settings"),
    path("settings/groups/", labelling_views.audiences, name="audiences"),
    path("settings/groups/<int:pk>/", labelling_views.audience, name="audience"),
    path("settings/groups/<int:pk>/delete/", labelling_views.audience_delete, name="audience_delete"),
]
api: list[URLPattern] = [
    path("labelling/", labelling_api.Labelling.as_view(), name="api_labelling"),
    path("groups/", labelling_api.Audiences.as_view(), name="api_audiences"),
    path("groups/<int:pk>/", labelling_api.AudienceDetail.as_view(), name="api_audience"),
]
