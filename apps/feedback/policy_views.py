from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.accounts.http import UserRequest
from apps.feedback import priority, transitions
from apps.feedback.policy_forms import PolicyForm
from apps.feedback.services import policies
from apps.projects.access import Capability, project_for


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def feedback_settings(request: UserRequest, slug: str) -> HttpResponse:
    """The rules of feedback: those that can be changed, and those that are the same everywhere."""
    project = project_for(request.user, slug, need=Capability.MANAGE)
    form, status = PolicyForm(request.POST or None, instance=policies.of(project)), 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            policies.change(project, **{name: form.cleaned_data[name] for name in policies.FIELDS})
            messages.success(request, _("Saved. It holds for what comes in from now on."))
            return redirect("feedback_settings", slug)
    context = {
        "project": project,
        "form": form,
        "moves": transitions.sentences(),
        "formula": priority.rules(),
    }
    return render(request, "feedback/policy.html", context, status=status)
