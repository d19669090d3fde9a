from django.urls import URLPattern

site: list[URLPattern] = []  # home, new project, invitations
pages: list[URLPattern] = []  # below p/<slug>/
site_api: list[URLPattern] = []
api: list[URLPattern] = []  # below api/v1/projects/<slug>/
