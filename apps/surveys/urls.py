from django.urls import URLPattern, path

from apps.surveys import api as survey_api
from apps.surveys import result_views, site_views, views
from apps.surveys import site_api as widget

pages: list[URLPattern] = [  # below p/<slug>/
    path("surveys/", views.surveys, name="surveys"),
    path("surveys/new/", views.survey_new, name="survey_new"),
    path("surveys/<int:pk>/", views.survey, name="survey"),
    path("surveys/<int:pk>/open/", views.survey_open, name="survey_open"),
    path("surveys/<int:pk>/close/", views.survey_close, name="survey_close"),
    path("surveys/<int:pk>/copy/", views.survey_copy, name="survey_copy"),
    path("surveys/<int:pk>/delete/", views.survey_delete, name="survey_delete"),
    path("surveys/<int:pk>/questions/", views.question_add, name="survey_question_add"),
    path("surveys/<int:pk>/questions/<int:question>/", views.question_change, name="survey_question_change"),
    path("surveys/<int:pk>/questions/<int:question>/move/", views.question_move, name="survey_question_move"),
    path("surveys/<int:pk>/questions/<int:question>/remove/", views.question_remove, name="survey_question_remove"),
    path("surveys/<int:pk>/results/", result_views.results_page, name="survey_results"),
    path("surveys/<int:pk>/results/export/", result_views.export, name="survey_export"),
    path("surveys/<int:pk>/questions/<int:question>/items/", result_views.items, name="survey_question_items"),
]
api: list[URLPattern] = [  # below api/v1/projects/<slug>/
    path("surveys/", survey_api.Surveys.as_view(), name="api_surveys"),
    path("surveys/<int:pk>/", survey_api.SurveyDetail.as_view(), name="api_survey"),
    path("surveys/<int:pk>/results/", survey_api.SurveyResults.as_view(), name="api_survey_results"),
    path("surveys/<int:pk>/export/", survey_api.SurveyExport.as_view(), name="api_survey_export"),
]
site: list[URLPattern] = [path("s/<str:token>/", site_views.survey_page, name="survey_page")]
site_api: list[URLPattern] = [  # below api/v1/: the key says which project
    path("surveys/<str:token>", widget.WidgetSurvey.as_view(), name="api_survey_widget"),
]
