from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.common.forms import add_refusal
from apps.projects import access
from apps.projects.access import Capability
from apps.projects.forms import NewProjectForm, SettingsForm
from apps.projects.models import Project
from apps.projects.services import labels as label_services
from apps.projects.services import projects as services


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: UserRequest) -> HttpResponse:
    if not request.user.is_superuser:
        raise PermissionDenied(_("Only the people who run this installation may create projects. Ask one of them."))
    form = NewProjectForm(request.POST or None, initial={"encoder": settings.DEFAULT_ENCODER, "language": "en"})
    if request.method == "POST" and form.is_valid():
        try:
            return redirect("project", _create(request, form.cleaned_data).slug)
        except InvalidInput as refusal:
            add_refusal(form, refusal)
    return render(request, "projects/new.html", {"form": form}, status=422 if form.errors else 200)


def _create(request: UserRequest, given: dict[str, Any]) -> Project:
    with transaction.atomic():  # a project whose labels are refused is not made
        names = given.pop("names").splitlines()
        project = services.create_project(by=request.user, **given)
        label_services.add_labels(project, names)
    return project


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def project_settings(request: UserRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug, need=Capability.MANAGE)
    form = SettingsForm(request.POST or None, instance=project)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("project_settings", slug)
    return render(request, "projects/settings.html", {"form": form}, status=422 if form.errors else 200)
