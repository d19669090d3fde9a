"""The items of a project as a list: filters in the address, an order, keyset pages, kept views."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.annotation.models import Change
from apps.common.errors import InvalidInput
from apps.common.forms import whole
from apps.content import search
from apps.explore import item_words, list_queries, saved_queries
from apps.explore.list_forms import ItemFilter
from apps.explore.list_queries import ItemPage
from apps.explore.templatetags.explorer import Chips
from apps.projects.access import Capability, capabilities, project_for
from apps.projects.models import Project

ROWS = 50
SHOWN = 240  # characters of a text
COUNT_WAITING_TO = 10_000


@login_required
@require_GET
@vary_on_headers("HX-Request")
def items(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.VIEW)
    can = capabilities(request.user, project)
    form = ItemFilter(project, can, request.GET)
    valid = form.is_valid()
    page = ItemPage([], "")
    if valid:
        page = list_queries.page(project, form.listing, request.GET.get("after", "")[:80], limit=ROWS)
    context: dict[str, Any] = {
        "project": project,
        "form": form,
        "rows": rows_of(project, page, form, can) if valid else [],
        "may_act": Capability.REVIEW in can,
        "query": form.query,
        "after": page.next,
        "next": urlencode(form.chosen | {"after": page.next}) if page.next else "",
    }
    if request.htmx and valid:
        return render(request, "explore/_items.html", context)
    context |= _around(request, project, form, page)
    return render(request, "explore/items.html", context, status=200 if valid else 422)


def rows_of(project: Project, page: ItemPage, form: ItemFilter, can: frozenset[Capability]) -> list[dict[str, Any]]:
    said = list_queries.predictions_of(project, page.rows, form.shown_version)
    marks = list_queries.marks_of(page.rows)
    chips = Chips({label.pk: label for label in form.every_label})
    review = Capability.REVIEW in can
    # looked up once a page: what a template does for each of its rows is most of the page's time
    select, agreement, margin = _("Select %(name)s"), _("agreement %(share)s"), _("margin %(margin)s")
    by_margin = form.listing.sort == "margin"
    rows = []
    for item in page.rows:
        truth, predicted = getattr(item, "resolution", None), said.get(item.pk)
        agreed = truth.agreement if truth else None
        rows.append(
            {
                "item": item,
                "url": reverse("item", args=[project.slug, item.pk]),
                "select": select % {"name": item.external_id},
                "text": item.text if len(item.text) <= SHOWN else item.text[: SHOWN - 1] + "…",
                "language": item.language or project.language,
                "truth": truth,
                "truth_chips": chips(truth, item.text),
                "how": item_words.how(truth.how, review=review) if truth else "",
                "said": predicted,
                "agreement": "" if agreed is None else agreement % {"share": _figure(agreed)},
                "said_chips": chips(predicted, item.text),
                "confidence": _figure(predicted.confidence) if predicted else "",
                "margin": margin % {"margin": _figure(predicted.margin)} if predicted and by_margin else "",
                "marks": marks.get(item.pk, {}),
            }
        )
    return rows


def _figure(share: float) -> str:
    return number_format(round(share, 2), 2)


def _around(request: UserRequest, project: Project, form: ItemFilter, page: ItemPage) -> dict[str, Any]:
    valid = not form.errors
    searched = valid and bool(form.filters.q or form.filters.meta)
    done = whole(request.GET.get("done", ""))
    return {
        "filtered": bool(form.chosen),
        "has_items": bool(page.rows) or project.items.exists(),
        "waiting": search.waiting(project, COUNT_WAITING_TO) if searched else 0,
        "counted": len(page.rows) if valid and not page.next and not request.GET.get("after") else None,
        "views": saved_queries.views(project, request.user),
        "keywords": _keywords(),
        "done": Change.objects.filter(project=project, by=request.user, pk=done).first() if done else None,
    }


def _keywords() -> dict[str, str]:
    return {
        "next": _("Next item"),
        "previous": _("Previous item"),
        "open": _("Open the item"),
        "select": _("Select the item"),
        "all": _("Select all items shown"),
        "search": _("Text contains"),
    }


@login_required
@require_GET
def item_amount(request: UserRequest, slug: str) -> HttpResponse:
    """How many match; asked for after the page has come, so that no list waits for it."""
    project = project_for(request.user, slug, need=Capability.VIEW)
    form = ItemFilter(project, capabilities(request.user, project), request.GET)
    if not form.is_valid():
        raise InvalidInput("; ".join(str(error) for errors in form.errors.values() for error in errors))
    amount = list_queries.amount(project, form.listing)
    return render(request, "explore/_amount.html", {"amount": amount})
