from django.urls import URLPattern, path

from apps.learning import api as twins
from apps.learning import curve_views, encoding_api, run_api, run_views, setup_api, setup_views, views

pages: list[URLPattern] = [
    path("train/", views.train, name="train"),
    path("train/curve/", curve_views.curve, name="curve"),
    path("train/new/", run_views.run_new, name="run_new"),
    path("train/setup/", setup_views.train_setup, name="train_setup"),
    path("train/runs/<int:pk>/", run_views.run, name="run"),
    path("train/runs/<int:pk>/cancel/", run_views.run_cancel, name="run_cancel"),
    path("train/versions/<int:number>/", views.version, name="version"),
    path("train/versions/<int:number>/manifest.json", views.version_manifest, name="version_manifest"),
    path("train/versions/<int:number>/card/", views.version_card, name="version_card"),
    path("train/versions/<int:number>/card.md", views.version_card_file, {"suffix": "md"}, name="version_card_md"),
    path(
        "train/versions/<int:number>/card.json", views.version_card_file, {"suffix": "json"}, name="version_card_json"
    ),
    path("train/versions/<int:number>/compare/", views.version_compare, name="version_compare"),
    path("train/versions/<int:number>/flips/", views.flips, name="flips"),
    path("train/versions/<int:number>/promote/", views.promote, name="promote"),
    path("train/versions/<int:number>/rollback/", views.rollback, name="rollback"),
]
api: list[URLPattern] = [
    path("curve/", curve_views.CurveApi.as_view(), name="api_curve"),
    path("encoding/", encoding_api.EncodingApi.as_view(), name="api_encoding"),
    path("runs/", run_api.RunsApi.as_view(), name="api_runs"),
    path("runs/suggestion/", run_api.SuggestionApi.as_view(), name="api_runs_suggestion"),
    path("runs/<int:pk>/", run_api.RunApi.as_view(), name="api_run"),
    path("runs/<int:pk>/trials/", run_api.TrialsApi.as_view(), name="api_run_trials"),
    path("runs/<int:pk>/cancel/", run_api.RunCancelApi.as_view(), name="api_run_cancel"),
    path("versions/", twins.VersionsApi.as_view(), name="api_versions"),
    path("versions/<int:number>/", twins.VersionApi.as_view(), name="api_version"),
    path("versions/<int:number>/compare/", twins.CompareApi.as_view(), name="api_version_compare"),
    path("versions/<int:number>/card/", twins.CardApi.as_view(), name="api_version_card"),
    path("versions/<int:number>/family/", twins.FamilyApi.as_view(), name="api_version_family"),
    path("setup/", setup_api.SetupApi.as_view(), name="api_setup"),
    path("stopping/", setup_api.StoppingApi.as_view(), name="api_stopping"),
    path("deployments/", twins.DeploymentsApi.as_view(), name="api_deployments"),
    path("promote/", twins.PromoteApi.as_view(), name="api_promote"),
    path("rollback/", twins.RollbackApi.as_view(), name="api_rollback"),
]
