"""Every address of the product. Each app lists its `pages` and its `api`; those of a project hang below its slug."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from apps.accounts import urls as accounts
from apps.annotation import urls as annotation
from apps.config import pages
from apps.content import urls as content
from apps.learning import urls as learning
from apps.projects import urls as projects

urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/", include(accounts.entrance)),
    path("", pages.home, name="home"),
    path("p/<slug:slug>/", pages.project, name="project"),
    path("", include(projects.site)),
    path("you/", include(accounts.pages)),
    path("p/<slug:slug>/", include([*projects.pages, *content.pages, *annotation.pages, *learning.pages])),
    path("api/v1/", include([*accounts.api, *projects.site_api])),
    path(
        "api/v1/projects/<slug:slug>/",
        include([*projects.api, *content.api, *annotation.api, *learning.api]),
    ),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="api_schema"),
]
