from django.urls import URLPattern

pages: list[URLPattern] = []
api: list[URLPattern] = []
site: list[URLPattern] = []  # outside a project: the demo chat
site_api: list[URLPattern] = []  # below /api/v1/: the key says which project
