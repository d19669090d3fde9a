from django.urls import URLPattern, path

from apps.serving import api as twins
from apps.serving import views

pages: list[URLPattern] = [
    path("settings/serving/", views.serving_settings, name="serving_settings"),
    path("settings/serving/try/", views.serving_try, name="serving_try"),
]
api: list[URLPattern] = [
    path("predict", twins.PredictApi.as_view(), name="api_predict"),
    path("predict/", twins.PredictApi.as_view(schema=None), name="api_predict_slash"),
    path("served/", twins.ServedListApi.as_view(), name="api_served_list"),
    path("served/<uuid:pk>/", twins.ServedApi.as_view(), name="api_served"),
    path("serving/", twins.ServingApi.as_view(), name="api_serving"),
]
