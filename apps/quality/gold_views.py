"""Gold items: how people do on them, how they are made, who is in training, who is paused."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.http import UserRequest
from apps.accounts.models import User
from apps.annotation.models import Gold, Resolution
from apps.annotation.services.golds import make_gold, retire
from apps.common.errors import InvalidInput
from apps.common.forms import add_refusal, whole
from apps.content.models import Item
from apps.projects.access import Capability, project_for
from apps.projects.models import Membership, Project
from apps.quality import gold_queries as queries
from apps.quality.gold_forms import GoldFileForm, GoldForm
from apps.quality.key_words import of_rows
from apps.quality.services import golds as services
from apps.quality.services import watch

CANDIDATES = 20


@login_required
@require_GET
def gold(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.REVIEW)
    return render(request, "quality/gold.html", _page(project, request.user))


def _page(project: Project, user: User) -> dict[str, Any]:
    told = queries.told(project)
    people = queries.annotators(project, told)
    candidates = list(queries.candidates(project)[: CANDIDATES + 1])
    return {
        "project": project,
        "rows": queries.items(project, told),
        "answers": len(told),
        "people": people,
        "newcomers": [one for one in people if one.in_training],
        "candidates": candidates[:CANDIDATES],
        "more": len(candidates) > CANDIDATES,
        "form": GoldFileForm(),
        "fewest": watch.FEWEST,
    } | of_rows(user, "review_gold")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def gold_item(request: UserRequest, slug: str) -> HttpResponse:
    """`?item=<id>`: what the answer of this item is, and why."""
    project = project_for(request.user, slug, need=Capability.REVIEW)
    pk = request.POST.get("item") or request.GET.get("item")
    if not pk:
        return redirect("gold", slug)
    item = get_object_or_404(Item, project=project, pk=whole(pk))
    known = Gold.objects.filter(item=item).first()
    truth = Resolution.objects.filter(item=item).first()
    if request.method == "POST" and "as_it_is" in request.POST:
        return _as_it_is(request, project, item)
    source = known if known and known.retired_at is None else truth
    explanation = known.explanation if known else ""
    said = (source.label_id or source.value) if source else None
    form = GoldForm(project, item, request.POST or None, truth=said, explanation=explanation)
    if request.method == "POST" and form.is_valid():
        try:
            make_gold(project, item, request.user, **form.answer(), explanation=form.cleaned_data["explanation"])
        except InvalidInput as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("It is a gold item now."))
            return redirect("gold", slug)
    context = {"project": project, "item": item, "form": form, "gold": known, "truth": truth}
    return render(request, "quality/gold_item.html", context, status=422 if form.errors else 200)


def _as_it_is(request: UserRequest, project: Project, item: Item) -> HttpResponse:
    """One key in the list of candidates: the truth that a reviewer gave it."""
    services.as_it_is(project, item, request.user)
    messages.success(request, _("It is a gold item now. An explanation can be added at any time."))
    return redirect("gold", project.slug)


@login_required
@require_POST
def gold_retire(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.REVIEW)
    found = Gold.objects.filter(project=project, pk=whole(request.POST.get("item", ""))).first()
    if found is None:
        raise InvalidInput(_("Name the gold item that is to be retired."), field="item")
    retire(found, request.user)
    messages.success(request, _("It measures nobody any more. Its answer stays as the item's truth."))
    return redirect("gold", slug)


@login_required
@require_POST
def gold_import(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.REVIEW)
    form = GoldFileForm(request.POST, request.FILES)
    brought = None
    if form.is_valid():
        try:
            brought = services.bring_in(project, request.user, form.cleaned_data["file"].read())
        except InvalidInput as refusal:
            add_refusal(form, refusal)
    bad = bool(form.errors)
    context = _page(project, request.user) | {"form": form if bad else GoldFileForm(), "brought": brought}
    return render(request, "quality/gold.html", context, status=422 if bad else 200)


@login_required
@require_POST
def gold_person(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    """`act`: go_on, pause, or let_off from the training."""
    project = project_for(request.user, slug, need=Capability.MANAGE)
    member = get_object_or_404(Membership.objects.select_related("user"), project=project, pk=pk)
    act = request.POST.get("act", "")
    watch.act(project, member, act, request.user)
    sentences = {
        "go_on": _("%(who)s can go on. Counting begins anew."),
        "pause": _("%(who)s gets no tasks until you let them go on."),
        "let_off": _("%(who)s needs no training any more."),
    }
    messages.success(request, sentences[act] % {"who": member.user})
    return redirect("gold", slug)


@login_required
@require_POST
def gold_let_off(request: UserRequest, slug: str) -> HttpResponse:
    """Everybody who is here today knows the work; training is for those who come."""
    project = project_for(request.user, slug, need=Capability.MANAGE)
    n = watch.let_off(project)
    messages.success(
        request, ngettext("%(n)d person needs no training.", "%(n)d people need no training.", n) % {"n": n}
    )
    return redirect("gold", slug)
