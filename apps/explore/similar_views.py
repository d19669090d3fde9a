"""Texts like one text, labelled together."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.http import UserRequest
from apps.annotation import change_words
from apps.annotation.models import Change
from apps.annotation.services import changes
from apps.common.errors import DomainError, InvalidInput
from apps.common.forms import first_error, whole
from apps.content.models import Item
from apps.explore import similar_pages
from apps.explore.similar_forms import SimilarForm
from apps.explore.similar_words import left_out
from apps.projects.access import Capability, project_for
from apps.projects.models import Project


@login_required
@require_GET
def similar(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    context = similar_pages.page(project, _item(project, request.GET.get("item", "")))
    done = whole(request.GET.get("done", ""))
    if done is not None:
        context["done"] = _done(request, project, done)
    return render(request, "explore/similar.html", context)


@login_required
@require_POST
def similar_label(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    item = _item(project, request.POST.get("item", ""))
    form = SimilarForm(project, request.POST)
    refusal, status = "", 422
    if form.is_valid():
        try:
            kind = Change.Kind.SIMILAR
            change = changes.set_truth(project, request.user, form.cleaned_data["items"], kind=kind, **form.answer)
            return _back(project, item, done=change.pk)
        except DomainError as error:
            refusal, status = str(error), error.status
    else:
        refusal = first_error(form)
    context = similar_pages.page(project, item) | {"refusal": refusal, "given": request.POST.getlist("items")}
    return render(request, "explore/similar.html", context, status=status)


@login_required
@require_POST
def similar_undo(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    number = whole(request.POST.get("change", ""))
    if number is None:
        raise InvalidInput(_("Name the act that you want to take back."), field="change")
    change = get_object_or_404(_mine(request, project), pk=number)
    undo = changes.take_back(change, request.user)
    sentence = ngettext("Taken back: %(n)d text is as it was.", "Taken back: %(n)d texts are as they were.", undo.n)
    messages.success(request, " ".join(filter(None, [sentence % {"n": undo.n}, change_words.left(undo)])))
    return _back(project, _item(project, request.POST.get("item", "")))


def _mine(request: UserRequest, project: Project) -> Any:
    return Change.objects.filter(project=project, kind=Change.Kind.SIMILAR, by=request.user)


def _done(request: UserRequest, project: Project, pk: int) -> dict[str, Any] | None:
    """What was just labelled, for as long as it can be undone here."""
    change = _mine(request, project).filter(pk=pk, undone_at=None).first()
    if change is None:
        return None
    label = project.labels.filter(pk=change.what.get("label")).first()
    several = (change.what.get("value") or {}).get("labels", [])
    names = list(project.labels.filter(pk__in=several)) if several else [label] if label else []
    return {"change": change, "labels": names, "left_out": left_out(change.what.get("left_out", {}))}


def _back(project: Project, item: Item | None, **more: int) -> HttpResponse:
    query = ({"item": item.pk} if item else {}) | more
    address = reverse("similar", args=[project.slug])
    return redirect(f"{address}?{urlencode(query)}" if query else address)


def _item(project: Project, given: str) -> Item | None:
    """The item that is named; None without a name, 404 for a name that means nothing here."""
    if not given:
        return None
    number = whole(given)
    if number is None:
        raise Http404(_("There is no such text."))
    return get_object_or_404(Item, project=project, pk=number)
