from django.urls import URLPattern, path

from apps.projects import api as projects_api
from apps.projects.views import invitation, labels, people, projects

site: list[URLPattern] = [
    path("projects/new/", projects.new, name="project_new"),
    path("invitations/<str:secret>/", invitation.accept, name="invitation_accept"),
]
pages: list[URLPattern] = [  # below p/<slug>/
    path("settings/", projects.project_settings, name="project_settings"),
    path("labels/", labels.labels, name="project_labels"),
    path("labels/paste/", labels.labels_paste, name="labels_paste"),
    path("labels/<int:pk>/", labels.label_edit, name="label_edit"),
    path("labels/<int:pk>/move/", labels.label_move, name="label_move"),
    path("labels/<int:pk>/archive/", labels.label_archive, name="label_archive"),
    path("members/", people.people, name="project_members"),
    path("members/<int:pk>/role/", people.member_role, name="member_role"),
    path("members/<int:pk>/remove/", people.member_remove, name="member_remove"),
    path("invitations/<int:pk>/revoke/", people.invitation_revoke, name="invitation_revoke"),
]
site_api: list[URLPattern] = [
    path("projects/", projects_api.Projects.as_view(), name="api_projects"),
    path("projects/<slug:slug>/", projects_api.ProjectDetail.as_view(), name="api_project"),
]
api: list[URLPattern] = [  # below api/v1/projects/<slug>/
    path("labels/", projects_api.Labels.as_view(), name="api_labels"),
    path("labels/<int:pk>/", projects_api.LabelDetail.as_view(), name="api_label"),
    path("members/", projects_api.Members.as_view(), name="api_members"),
]
