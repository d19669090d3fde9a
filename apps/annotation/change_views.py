"""Labels merge and split, and the list of all acts on many truths with their way back."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.http import UserRequest
from apps.annotation import change_queries, change_words
from apps.annotation.change_forms import MergeForm, SplitForm
from apps.annotation.models import Change
from apps.annotation.services import changes as service
from apps.annotation.services import relabelling
from apps.common.errors import InvalidInput
from apps.common.forms import add_refusal
from apps.common.pagination import page_after
from apps.projects.access import Capability, project_for
from apps.projects.models import Label, Project

ROWS = 40


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def label_merge(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    """Others become this one. A first POST shows what would change, a second does it, where `sure` names the same."""
    project, target = _label(request, slug, pk)
    form = MergeForm(project, target, request.POST or None)
    touched, shown = None, ""
    if form.is_valid():
        sources = list(form.cleaned_data["labels"])
        shown = ",".join(str(label.pk) for label in sources)
        if request.POST.get("sure") == shown:  # other labels than those that were shown are shown first
            change = relabelling.merge(project, request.user, sources, target)
            return _done(request, project, change)
        touched = relabelling.preview(project, sources)
    context = {"project": project, "label": target, "form": form, "touched": touched, "shown": shown}
    refused = bool(form.errors) and request.method == "POST"
    return render(request, "annotation/label_merge.html", context, status=422 if refused else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def label_split(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project, label = _label(request, slug, pk)
    form = SplitForm(request.POST or None)
    if form.is_valid():
        try:
            names = form.cleaned_data["names"].splitlines()
            change = relabelling.split(project, request.user, label, names, keep=form.cleaned_data["keep"].strip())
        except InvalidInput as refusal:
            add_refusal(form, refusal)
        else:
            return _done(request, project, change)
    context = {"project": project, "label": label, "form": form, "touched": relabelling.preview(project, [label])}
    refused = bool(form.errors) and request.method == "POST"
    return render(request, "annotation/label_split.html", context, status=422 if refused else 200)


@login_required
@require_GET
def label_put_away(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    """What archiving it would mean; the button there archives it."""
    project, label = _label(request, slug, pk)
    context = {"project": project, "label": label, "touched": relabelling.preview(project, [label])}
    return render(request, "annotation/label_put_away.html", context)


@login_required
@require_GET
def changes(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.REVIEW)
    page = page_after(change_queries.changes(project), request.GET.get("after", "")[:60], limit=ROWS, newest_first=True)
    labels = {label.pk: label for label in Label.objects.filter(project=project)}
    shown = [(change, change_words.labels(change, labels), change_words.beside(change)) for change in page.rows]
    context = {"project": project, "rows": shown, "next": page.next}
    return render(request, "annotation/changes.html", context)


@login_required
@require_POST
def change_undo(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.REVIEW)
    change = get_object_or_404(Change, project=project, pk=pk)
    if change.kind in relabelling.KINDS:  # labels are the administrator's
        project_for(request.user, slug, need=Capability.MANAGE)
    undo = service.take_back(change, request.user)
    said = ngettext("Taken back: %(n)d item is as it was.", "Taken back: %(n)d items are as they were.", undo.n)
    messages.success(request, " ".join(filter(None, [said % {"n": undo.n}, change_words.left(undo)])))
    return redirect("changes", slug)


def _label(request: UserRequest, slug: str, pk: int) -> tuple[Project, Label]:
    project = project_for(request.user, slug, need=Capability.MANAGE)
    return project, get_object_or_404(Label, project=project, pk=pk, archived_at=None)


def _done(request: UserRequest, project: Project, change: Change) -> HttpResponse:
    said = ngettext("Done: %(n)d truth changed.", "Done: %(n)d truths changed.", change.n) % {"n": change.n}
    messages.success(request, said + " " + _("You can take it back under Explore, Changes."))
    return redirect("project_labels", project.slug)
