from django.urls import URLPattern, path

from apps.feedback import behaviour_api, behaviour_views

pages: list[URLPattern] = [  # below p/<slug>/
    path("behaviour/", behaviour_views.behaviour, name="behaviour"),
    path("behaviour/export/", behaviour_views.behaviour_export, name="behaviour_export"),
]
api: list[URLPattern] = [  # below api/v1/projects/<slug>/
    path("behaviour/", behaviour_api.BehaviourApi.as_view(), name="api_behaviour"),
    path("behaviour/estimate/", behaviour_api.BehaviourEstimateApi.as_view(), name="api_behaviour_estimate"),
]
