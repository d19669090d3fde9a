"""Label errors: the list of doubted truths, asking people again, and whether it is worth while to go on."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.common.forms import first_error, whole
from apps.learning import charts
from apps.projects.access import Capability, project_for
from apps.projects.models import Project
from apps.quality import suspect_queries as queries
from apps.quality.answer_forms import AnswerForm
from apps.quality.key_words import of_rows
from apps.quality.models import Suspect, SuspectRun
from apps.quality.services import suspects as services

ROWS = 30
MOST_AT_ONCE = 200


@login_required
@require_GET
@vary_on_headers("HX-Request")
def suspects(request: UserRequest, slug: str) -> HttpResponse:
    """`?all=yes` also shows what is settled; `?after=<rank>` goes on."""
    project = project_for(request.user, slug, need=Capability.REVIEW)
    run = queries.shown(project)
    latest = queries.runs(project).first()
    context = {
        "project": project,
        "run": run,
        "latest": latest,
        "working": latest is not None and latest.state in SuspectRun.LIVE,
        "failed": latest is not None and latest.state == SuspectRun.State.FAILED,
        "batch": services.BATCH,
        "engagement": project.task_kind == Project.TaskKind.ENGAGEMENT,
    } | of_rows(request.user, "review_approve", "review_fix")
    if run is not None:
        context |= _list(request, run) | _worth(run)
    template = "quality/_suspect_rows.html" if request.htmx and run and "after" in request.GET else None
    return render(request, template or "quality/suspects.html", context)


def _list(request: UserRequest, run: SuspectRun) -> dict[str, Any]:
    after, everything = whole(request.GET.get("after", ""), 2**31 - 1), "all" in request.GET
    rows = queries.listed(run)
    if not everything:
        rows = rows.filter(state__in=[Suspect.State.LISTED, Suspect.State.ASKED])
    if after is not None:
        rows = rows.filter(rank__gt=after)
    found = list(rows[: ROWS + 1])
    more = len(found) > ROWS
    return {"rows": found[:ROWS], "next": found[ROWS - 1].rank if more else "", "everything": everything}


def _worth(run: SuspectRun) -> dict[str, Any]:
    found = queries.precision(run)
    states = list(Suspect.objects.filter(run=run).values_list("state", flat=True))
    line = [(float(n), one.share or 0.0) for n, one in found.curve]
    high = [(float(n), one.high) for n, one in found.curve]
    low = [(float(n), one.low) for n, one in found.curve]
    return {
        "precision": found,
        "advice": queries.advice(found),
        "chart": charts.chart([line, low, high], ceiling=1.0, percent=True) if len(line) > 1 else None,
        "counts": {state: states.count(state) for state in Suspect.State.values},
        "left": states.count(Suspect.State.LISTED),
    }


@login_required
@require_POST
def suspects_start(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.REVIEW)
    services.start(project)
    messages.success(request, _("All labels of the pool are looked through. The list appears here."))
    return redirect("suspects", slug)


@login_required
@require_POST
def suspects_ask(request: UserRequest, slug: str) -> HttpResponse:
    """`n` of the newest list; `act=stop` and `act=go_on` say that enough was asked, or not."""
    project = project_for(request.user, slug, need=Capability.REVIEW)
    run = queries.shown(project)
    if run is None:
        raise InvalidInput(_("There is no list yet. Look for label errors first."))
    act = request.POST.get("act", "ask")
    if act in ("stop", "go_on"):
        services.stop(run, stopped=act == "stop")
        return redirect("suspects", slug)
    wanted = whole(request.POST.get("n", str(services.BATCH)), MOST_AT_ONCE)
    if not wanted:
        raise InvalidInput(_("Ask about 1 to %(most)d at once.") % {"most": MOST_AT_ONCE}, field="n")
    n = services.ask_again(project, run, request.user, wanted)
    sentence = ngettext(
        "%(n)d text is asked about again, at the front of the queue and without its label.",
        "%(n)d texts are asked about again, at the front of the queue and without their labels.",
        n,
    )
    messages.success(request, sentence % {"n": n})
    return redirect("suspects", slug)


@login_required
@require_POST
def suspect_judge(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    """`verdict`: right as it is, suggestion, or fixed with the right answer."""
    project = project_for(request.user, slug, need=Capability.REVIEW)
    found = Suspect.objects.select_related("item", "suggested", "run")
    suspect = get_object_or_404(found, run__project=project, pk=pk)
    match request.POST.get("verdict"):
        case "right":
            services.judge_right(project, suspect)
        case "suggestion":
            services.take_suggestion(project, suspect, request.user)
        case "fixed":
            form = AnswerForm(project, suspect.item, request.POST)
            if not form.is_valid():
                raise InvalidInput(first_error(form))
            services.put_right(project, suspect, request.user, form.answer())
        case _:
            raise InvalidInput(_("Say that it is right, or what is right."), field="verdict")
    return redirect("suspects", slug)


@login_required
@require_GET
def suspect(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    """Another answer than the one that is suggested."""
    project = project_for(request.user, slug, need=Capability.REVIEW)
    found = Suspect.objects.select_related("item", "label", "suggested", "run")
    one = get_object_or_404(found, run__project=project, pk=pk)
    truth = one.label_id if one.value is None else one.value
    context = {"project": project, "row": one, "form": AnswerForm(project, one.item, truth=truth)}
    return render(request, "quality/suspect.html", context)
