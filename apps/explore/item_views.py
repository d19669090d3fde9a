"""One item: its text, why its label is what it is, and everything that happened to it."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from apps.accounts.http import UserRequest
from apps.annotation import queries
from apps.annotation.models import Annotation
from apps.content.models import Item
from apps.explore import item_queries, item_words
from apps.projects.access import Capability, capabilities, project_for


@login_required
@require_GET
def item(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.VIEW)
    shown = get_object_or_404(Item.objects.select_related("project"), project=project, pk=pk)
    can = capabilities(request.user, project)
    whole = item_queries.whole(shown, can)
    mine = Annotation.objects.filter(item=shown, annotator=request.user, task__isnull=False).exists()
    context = {
        "project": project,
        "item": shown,
        "whole": whole,
        "place": item_words.place(shown),
        "how": item_words.how(whole.resolution.how, review=Capability.REVIEW in can) if whole.resolution else "",
        "asked": [(task, queries.why(task)) for task in whole.tasks],
        "may_change": mine and Capability.ANNOTATE in can,
        "may_act": Capability.REVIEW in can,
    }
    return render(request, "explore/item.html", context)
