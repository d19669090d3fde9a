import time
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.projects.access import Capability, project_for
from apps.projects.models import Label, Project
from apps.serving import queries
from apps.serving.forms import PolicyForm, TryForm
from apps.serving.models import Served
from apps.serving.services import policies, predicting
from apps.serving.services.predicting import Asked
from apps.serving.services.unavailable import Unavailable

MOST_SHOWN = 5  # labels of an answer


@dataclass(frozen=True, slots=True)
class Likely:
    label: Label | None
    share: float
    said: bool  # it is (part of) the answer

    @property
    def percent(self) -> int:
        return round(100 * self.share)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the text; with a label where the model marked it."""

    text: str
    label: Label | None = None


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def serving_settings(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.MANAGE)
    form = PolicyForm(request.POST or None, instance=queries.policy_of(project))
    if request.method == "POST" and form.is_valid():
        policies.change(project, **{name: form.cleaned_data[name] for name in PolicyForm.Meta.fields})
        messages.success(request, _("Saved. It holds from the next answer on."))
        return redirect("serving_settings", slug)
    context = _page(request, project) | {"form": form, "try_form": TryForm()}
    return render(request, "serving/settings.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def serving_try(request: UserRequest, slug: str) -> HttpResponse:
    """Ask the live version one thing. Nothing is remembered."""
    project = project_for(request.user, slug, need=Capability.MANAGE)
    if request.method != "POST":
        return redirect("serving_settings", slug)
    form = TryForm(request.POST)
    tried: dict[str, Any] = {}
    status = 200 if form.is_valid() else 422
    if status == 200:
        try:
            tried = _tried(project, form.cleaned_data["text"])
        except (InvalidInput, Unavailable) as refusal:
            form.add_error("text", str(refusal))
            status = 422
    context = {"project": project, "try_form": form, "tried": tried}
    if request.htmx:
        return render(request, "serving/_try.html", context, status=status)
    context |= _page(request, project) | {"form": PolicyForm(instance=queries.policy_of(project))}
    return render(request, "serving/settings.html", context, status=status)


def _page(request: UserRequest, project: Project) -> dict[str, Any]:
    return {
        "project": project,
        "serving": queries.serving(project),
        "address": request.build_absolute_uri(reverse("api_predict", args=[project.slug])),
        "served": Served.objects.filter(project=project)[:1].exists(),
    }


def _tried(project: Project, text: str) -> dict[str, Any]:
    started = time.perf_counter()
    row = predicting.predict(project, [Asked(text)], remember=False)[0]
    took = 1_000 * (time.perf_counter() - started)
    labels = Label.objects.in_bulk([int(pk) for pk, _name in row.version.label_order])
    return {
        "row": row,
        "milliseconds": round(took),
        "likely": _likely(row, labels),
        "pieces": _pieces(row, labels, text),
        "percent": round(100 * row.confidence),
    }


def _likely(row: Served, labels: dict[int, Label]) -> list[Likely]:
    if row.probabilities is None:
        return []
    said = set((row.value or {}).get("labels", [row.shown_id]))
    order = [int(pk) for pk, _name in row.version.label_order]
    ranked = sorted(zip(order, row.probabilities, strict=True), key=lambda pair: -pair[1])
    shown = [pair for place, pair in enumerate(ranked) if place < MOST_SHOWN or pair[0] in said]
    return [Likely(labels.get(pk), float(share), pk in said) for pk, share in shown]


def _pieces(row: Served, labels: dict[int, Label], text: str) -> list[Piece]:
    """The text cut at the borders of what was marked; where marks overlap the first one is shown."""
    pieces, at = [], 0
    for span in sorted((row.value or {}).get("spans", []), key=lambda span: (span["start"], span["end"])):
        if span["start"] < at:
            continue
        pieces += [Piece(text[at : span["start"]]), Piece(text[span["start"] : span["end"]], labels.get(span["label"]))]
        at = span["end"]
    return [piece for piece in [*pieces, Piece(text[at:])] if piece.text] if "spans" in (row.value or {}) else []
