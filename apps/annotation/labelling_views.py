"""Settings of labelling: who answers what, how answers become one; and groups of people."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.http import UserRequest
from apps.annotation import labelling_queries as queries
from apps.annotation.labelling_forms import AudienceForm, LabellingForm, annotators
from apps.annotation.models import Audience
from apps.projects.access import Capability, project_for
from apps.projects.models import Project


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def labelling_settings(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.MANAGE)
    form = LabellingForm(request.POST or None, instance=project)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("labelling_settings", slug)
    context = {"form": form, "project": project, "means": queries.means(project)}
    return render(request, "annotation/labelling.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def audiences(request: UserRequest, slug: str) -> HttpResponse:
    """The groups, and a form for a new one."""
    project = project_for(request.user, slug, need=Capability.MANAGE)
    form = AudienceForm(project, request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("The group is made. Send items to it from the explorer."))
        return redirect("audiences", slug)
    context = {
        "form": form,
        "project": project,
        "groups": queries.groups(project),
        "anybody": annotators(project).exists(),
    }
    return render(request, "annotation/audiences.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def audience(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.MANAGE)
    found = _named(project, pk)
    form = AudienceForm(project, request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("audiences", slug)
    context = {"form": form, "project": project, "pk": pk, "name": Audience.objects.get(pk=pk).name}
    return render(request, "annotation/audience.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def audience_delete(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.MANAGE)
    _named(project, pk).delete()
    messages.success(request, _("The group is gone; what waited for it is for everybody now."))
    return redirect("audiences", slug)


def _named(project: Project, pk: int) -> Audience:
    return get_object_or_404(Audience.objects.exclude(name=""), project=project, pk=pk)
