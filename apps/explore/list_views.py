"""The items of a project as a list with filters, and one item with all that was said about it in the margin."""

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.annotation import queries
from apps.common.pagination import Page, page_after
from apps.content.models import Item
from apps.explore import list_queries
from apps.explore.list_forms import ItemFilter
from apps.projects.access import Capability, capabilities, project_for

ROWS = 50


@login_required
@require_GET
@vary_on_headers("HX-Request")
def items(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.VIEW)
    form = ItemFilter(project, request.GET)
    valid = form.is_valid()
    page: Page[Item] = Page([], "")
    chosen, version = {}, None
    if valid:
        chosen, version = form.chosen, form.filters.version
        found = list_queries.items(project, form.filters)
        page = page_after(found, request.GET.get("after", "")[:60], limit=ROWS, newest_first=True)
    said = list_queries.predictions_of(project, page.rows, version)
    context = {
        "project": project,
        "form": form,
        "rows": [(item, getattr(item, "resolution", None), said.get(item.pk)) for item in page.rows],
        "filtered": bool(chosen) or not valid,
        "next": urlencode(chosen | {"after": page.next}) if page.next else "",
        "has_items": bool(page.rows) or project.items.exists(),
    }
    template = "explore/_items.html" if request.htmx and valid else "explore/items.html"
    return render(request, template, context, status=200 if valid else 422)


@login_required
@require_GET
def item(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.VIEW)
    shown = get_object_or_404(Item, project=project, pk=pk)
    history = queries.item_history(shown)
    can = capabilities(request.user, project)
    mine = any(said.annotator_id == request.user.pk and said.task_id for said in history.annotations)
    context = {
        "project": project,
        "item": shown,
        "history": history,
        "asked": [(task, queries.why(task)) for task in history.tasks],
        "may_change": mine and Capability.ANNOTATE in can,
        "tickets": shown.tickets.order_by("-number") if Capability.TRIAGE in can else (),
    }
    return render(request, "explore/item.html", context)
