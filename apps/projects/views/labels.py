from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import BaseForm
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.common.forms import add_refusal, whole
from apps.projects import access, queries
from apps.projects.access import Capability
from apps.projects.forms import LabelForm, PasteForm
from apps.projects.models import Label, Project
from apps.projects.services import labels as services

FIELDS = ("name", "group", "description", "examples", "hotkey", "color")


@login_required
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "HEAD", "POST"])
def labels(request: UserRequest, slug: str) -> HttpResponse:
    """The list; a POST adds one. `?edit=<id>` opens one for editing."""
    project = access.project_for(request.user, slug, need=Capability.MANAGE)
    form = LabelForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = _given(form, *FIELDS)
        try:
            services.add_label(project, **given)
        except InvalidInput as refusal:
            add_refusal(form, refusal)
        else:
            return _shown(request, project, said=_("“%(name)s” added.") % {"name": given["name"]})
    return _list(request, project, form=form)


@login_required
@require_POST
@vary_on_headers("HX-Request")
def label_edit(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project, label = _label(request, slug, pk)
    form = LabelForm(request.POST)
    if form.is_valid():
        try:
            services.change_label(project, label, by=request.user, **_given(form, *FIELDS, "place"))
        except InvalidInput as refusal:
            add_refusal(form, refusal)
        else:
            return _shown(request, project, said=_("Saved."))
    return _list(request, project, editing=label, edit_form=form)


@login_required
@require_POST
@vary_on_headers("HX-Request")
def label_move(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project, label = _label(request, slug, pk)
    up = request.POST.get("step") == "up"
    services.move_label(project, label, -1 if up else 1)
    said = _("“%(name)s” moved up.") if up else _("“%(name)s” moved down.")
    return _shown(request, project, said=said % {"name": label.name}, quietly=True)


@login_required
@require_POST
@vary_on_headers("HX-Request")
def label_archive(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project, label = _label(request, slug, pk)
    if request.POST.get("restore"):
        services.restore_label(project, label, by=request.user)
        return _shown(request, project, said=_("“%(name)s” is offered again.") % {"name": label.name})
    services.archive_label(project, label, by=request.user)
    said = _("“%(name)s” is archived: nobody is offered it any more, old answers keep it.") % {"name": label.name}
    return _shown(request, project, said=said)


@login_required
@require_POST
@vary_on_headers("HX-Request")
def labels_paste(request: UserRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug, need=Capability.MANAGE)
    form = PasteForm(request.POST)
    if form.is_valid():
        try:
            added, known = services.add_labels(project, form.cleaned_data["names"].splitlines())
        except InvalidInput as refusal:
            add_refusal(form, refusal)
        else:
            said = ngettext("%(n)d label added.", "%(n)d labels added.", added) % {"n": added}
            if known:
                said += " " + ngettext("%(n)d was there already.", "%(n)d were there already.", known) % {"n": known}
            return _shown(request, project, said=said)
    return _list(request, project, paste=form)


def _label(request: UserRequest, slug: str, pk: int) -> tuple[Project, Label]:
    project = access.project_for(request.user, slug, need=Capability.MANAGE)
    return project, get_object_or_404(Label.objects.filter(project=project), pk=pk)


def _given(form: BaseForm, *names: str) -> dict[str, Any]:
    """What the form was really sent; an absent colour or place is left as it is."""
    return {name: form.cleaned_data[name] for name in names if form.cleaned_data.get(name) not in (None,)}


def _shown(request: UserRequest, project: Project, *, said: str, quietly: bool = False) -> HttpResponse:
    if not request.htmx:
        messages.success(request, said)
        return redirect("project_labels", project.slug)
    response = _list(request, project)
    response["HX-Trigger"] = _trigger("announce" if quietly else "toast", said)
    return response


def _trigger(name: str, said: str) -> str:
    from json import dumps

    return dumps({name: said})  # json escapes everything beyond ASCII, as a header must


def _list(
    request: UserRequest,
    project: Project,
    *,
    form: LabelForm | None = None,
    editing: Label | None = None,
    edit_form: LabelForm | None = None,
    paste: PasteForm | None = None,
) -> HttpResponse:
    shown = list(queries.labels(project))
    if editing is None:
        wanted = whole(request.GET.get("edit", ""))
        editing = next((label for label in shown if label.pk == wanted), None)
    if editing is not None and edit_form is None:
        place = next((n for n, label in enumerate(shown, start=1) if label.pk == editing.pk), 1)
        edit_form = LabelForm(initial={name: getattr(editing, name) for name in FIELDS} | {"place": place})
    refused = any(one is not None and one.errors for one in (form, edit_form, paste))
    context = {
        "project": project,
        "labels": shown,
        "grouped": any(label.group for label in shown),
        "archived": queries.archived_labels(project),
        "form": form if form is not None and form.errors else LabelForm(),
        "paste": paste or PasteForm(),
        "editing": editing,
        "edit_form": edit_form,
    }
    template = "projects/_labels.html" if request.htmx else "projects/labels.html"
    return render(request, template, context, status=422 if refused else 200)
