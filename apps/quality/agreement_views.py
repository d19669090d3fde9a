from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.accounts.http import UserRequest
from apps.projects.access import Capability, project_for
from apps.quality import agreement_pages, agreement_store
from apps.quality.agreement_forms import WEEKS, AgreementFilter


@login_required
@require_GET
@never_cache
def agreement(request: UserRequest, slug: str) -> HttpResponse:
    """`?weeks=&label=` narrow the answers that are compared."""
    project = project_for(request.user, slug, need=Capability.REVIEW)
    form = AgreementFilter(project, request.GET)
    wanted = form.wanted
    found = agreement_store.look(project, wanted)
    label = form.cleaned_data.get("label") if form.is_valid() else None
    context = {
        "project": project,
        "form": form,
        "weeks": wanted.weeks,
        "windows": WEEKS,
        "query": request.GET.urlencode(),
    }
    context |= agreement_pages.context(project, found, label)
    context |= agreement_pages.anchoring_context(project, agreement_store.look_at_anchoring(project, wanted))
    context |= agreement_pages.rule_context(project)
    return render(request, "quality/agreement.html", context)
