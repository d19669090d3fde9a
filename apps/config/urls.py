"""Every address of the product. Each app lists its `pages` and its `api`; those of a project hang below its slug."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from apps.accounts import urls as accounts
from apps.annotation import urls as annotation
from apps.config import pages
from apps.content import urls as content
from apps.explore import urls as explore
from apps.feedback import urls as feedback
from apps.learning import urls as learning
from apps.notices import urls as notices
from apps.projects import urls as projects
from apps.quality import urls as quality
from apps.serving import urls as serving
from apps.surveys import urls as surveys
from apps.trends import urls as trends

_IN_PROJECT = (projects, notices, content, serving, annotation, feedback, surveys, learning, quality, explore, trends)

urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/", include(accounts.entrance)),
    path("", pages.home, name="home"),
    path("p/<slug:slug>/", pages.project, name="project"),
    path("", include([*projects.site, *notices.site, *feedback.site, *surveys.site])),
    path("you/", include(accounts.pages)),
    path("p/<slug:slug>/", include([page for app in _IN_PROJECT for page in app.pages])),
    path(
        "api/v1/",
        include([*accounts.api, *notices.site_api, *projects.site_api, *feedback.site_api, *surveys.site_api]),
    ),
    path("api/v1/projects/<slug:slug>/", include([twin for app in _IN_PROJECT for twin in app.api])),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="api_schema"),
]

handler404 = "apps.config.pages.not_here"
