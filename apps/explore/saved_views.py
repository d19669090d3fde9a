from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.common.forms import first_error
from apps.explore import saved_queries
from apps.explore.list_forms import ItemFilter
from apps.explore.services import views as services
from apps.projects.access import Capability, capabilities, project_for


class ViewForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    query = forms.CharField(required=False, max_length=10_000, widget=forms.HiddenInput)
    shared = forms.BooleanField(label=gettext_lazy("for everybody in this project"), required=False)


@login_required
@require_POST
def saved_views(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.VIEW)
    form = ViewForm(request.POST)
    if not form.is_valid():
        raise InvalidInput(first_error(form))
    filters = ItemFilter(project, capabilities(request.user, project), QueryDict(form.cleaned_data["query"]))
    if not filters.is_valid():
        raise InvalidInput(_("These filters do not fit any more. Choose them again before you keep them."))
    given = form.cleaned_data
    services.save(project, request.user, name=given["name"], query=filters.query, shared=given["shared"])
    messages.success(request, _("Kept as “%(name)s”.") % {"name": given["name"]})
    return redirect(_list(slug, filters.query))


@login_required
@require_GET
def saved_view(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    """The view's own address; what it shows may change with its filters."""
    project = project_for(request.user, slug, need=Capability.VIEW)
    view = get_object_or_404(saved_queries.views(project, request.user), pk=pk)
    known = ItemFilter(project, capabilities(request.user, project), QueryDict()).fields
    if not QueryDict(view.query).keys() <= known.keys():
        messages.warning(
            request, _("This view has a filter that is gone, or that is not for you: the list here shows more.")
        )
    return redirect(_list(slug, view.query))


@login_required
@require_POST
def saved_view_delete(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.VIEW)
    view = get_object_or_404(saved_queries.views(project, request.user), pk=pk)
    services.delete(view, request.user)
    messages.success(request, _("“%(name)s” is gone.") % {"name": view.name})
    return redirect(_list(slug, ""))


def _list(slug: str, query: str) -> str:
    return reverse("items", args=[slug]) + (f"?{query}" if query else "")
