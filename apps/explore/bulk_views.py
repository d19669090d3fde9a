"""An act on many items: first what it would do, then the act, then back to the list with the way back."""

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from apps.accounts.http import UserRequest
from apps.annotation.models import Change
from apps.common.errors import InvalidInput
from apps.common.forms import first_error
from apps.content.models import Item
from apps.explore.bulk_forms import BulkForm, chosen, filter_of
from apps.explore.services import bulk
from apps.projects.access import Capability, capabilities, project_for
from apps.projects.models import Project

SHOWN = 8  # texts of the preview


@login_required
@require_POST
def item_bulk(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.REVIEW)
    return _preview(request, project, chosen(project, capabilities(request.user, project), request.POST))


def _preview(request: UserRequest, project: Project, ids: list[int], *, moved: bool = False) -> HttpResponse:
    """`moved`: other items match than those that were shown before."""
    form = filter_of(project, capabilities(request.user, project), request.POST)
    first = Item.objects.select_related("resolution__label").in_bulk(ids[:SHOWN])
    context = {
        "project": project,
        "form": BulkForm(project),
        "outlook": bulk.outlook(project, ids),
        "shown": [first[pk] for pk in ids[:SHOWN] if pk in first],
        "rest": max(0, len(ids) - SHOWN),
        "ids": () if request.POST.get("everything") else ids,
        "everything": bool(request.POST.get("everything")),
        "query": form.query,
        "active": form.active,
        "moved": moved,
    }
    return render(request, "explore/bulk.html", context, status=409 if moved else 200)


@login_required
@require_POST
def item_bulk_do(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.REVIEW)
    can = capabilities(request.user, project)
    form = BulkForm(project, request.POST)
    if not form.is_valid():
        raise InvalidInput(first_error(form))
    filters, ids = filter_of(project, can, request.POST), chosen(project, can, request.POST)
    if request.POST.get("everything") and request.POST.get("seen", str(len(ids))) != str(len(ids)):
        return _preview(request, project, ids, moved=True)
    change = bulk.act(project, request.user, ids, form.wish)
    messages.success(request, in_words(change))
    back = filters.chosen | {"done": str(change.pk)}
    return redirect(f"{reverse('items', args=[slug])}?{urlencode(back)}")


def in_words(change: Change) -> str:
    n, out = change.n, bulk.left_out(change)
    match change.kind, change.what.get("shelved"):
        case Change.Kind.QUEUE, _any:
            said = ngettext("%(n)d item is in the queue.", "%(n)d items are in the queue.", n)
        case Change.Kind.SHELVE, True:
            said = ngettext("%(n)d item is archived.", "%(n)d items are archived.", n)
        case Change.Kind.SHELVE, _any:
            said = ngettext("%(n)d item is back.", "%(n)d items are back.", n)
        case _other:
            said = ngettext("%(n)d item is labelled.", "%(n)d items are labelled.", n)
    sentence = said % {"n": n}
    if out:
        stayed = ngettext("%(n)d stays as it was.", "%(n)d stay as they were.", out) % {"n": out}
        return f"{sentence} {stayed}"
    return sentence
