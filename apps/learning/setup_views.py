from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.common.wake import wake_on_commit
from apps.learning import setup_pages
from apps.learning.forms import SetupForm
from apps.learning.services import setup
from apps.projects import access
from apps.projects.access import Capability


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def train_setup(request: UserRequest, slug: str) -> HttpResponse:
    """How items are chosen and read: a page, and as a piece the note about it on the Train page."""
    need = Capability.MANAGE if request.method == "POST" else Capability.VIEW
    project = access.project_for(request.user, slug, need=need)
    may_act = Capability.MANAGE in access.capabilities(request.user, project)
    if request.htmx and request.method != "POST":
        return render(request, "learning/_setup.html", setup_pages.note(project) | {"may_act": may_act})
    form, status = SetupForm(request.POST or None, project=project), 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                anew = setup.change(project, **form.changes())
            except InvalidInput as error:
                form.add_refusal(error)
            else:
                return _changed(request, slug, project.pk, anew=anew)
    context: dict[str, Any] = setup_pages.page(project) | {"form": form, "may_act": may_act}
    return render(request, "learning/setup.html", context, status=status)


def _changed(request: UserRequest, slug: str, project_id: int, *, anew: bool) -> HttpResponse:
    if anew:
        wake_on_commit("learning.encode", project_id)
        said = _("Saved. The vectors are computed anew in the background; the old ones serve until they are there.")
    else:
        said = _("Saved. The next round of items is chosen this way.")
    messages.success(request, said)
    return redirect("train_setup", slug)
