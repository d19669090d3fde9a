from django.urls import URLPattern, path

from apps.projects import views

site: list[URLPattern] = [path("", views.home, name="home")]  # home, new project, invitations
pages: list[URLPattern] = [path("", views.project, name="project")]  # below p/<slug>/
site_api: list[URLPattern] = []
api: list[URLPattern] = []  # below api/v1/projects/<slug>/
