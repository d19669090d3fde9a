from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.common.forms import add_refusal
from apps.feedback import key_queries as queries
from apps.feedback.intake_auth import forget_keys
from apps.feedback.key_forms import KeyForm
from apps.feedback.services import keys as services
from apps.projects import access
from apps.projects.access import Capability


@login_required
@never_cache
@sensitive_variables("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def intake_keys(request: UserRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug, need=Capability.MANAGE)
    form, made, secret = KeyForm(request.POST or None), None, ""
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        fields = {name: given[name] for name in ("name", "kind", "origins", "per_minute", "per_day")}
        try:
            made, secret = services.make(project, request.user, **fields)
            form = KeyForm()
        except InvalidInput as refusal:
            add_refusal(form, refusal)
    context = {
        **{"project": project, "form": form, "made": made, "secret": secret, "keys": queries.keys_of(project)},
        "widget": request.build_absolute_uri(static("widget/marginalia.js")),
        "api": request.build_absolute_uri("/api/v1/feedback"),
    }
    # no redirect: the key is in this one answer and nowhere else, neither in the session nor in an address
    return render(request, "feedback/keys.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def intake_key_revoke(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = access.project_for(request.user, slug, need=Capability.MANAGE)
    if not services.revoke(project, pk):
        raise Http404
    forget_keys()
    messages.success(request, _("Revoked. Within three seconds whatever uses it is refused everywhere."))
    return redirect("intake_keys", slug)
