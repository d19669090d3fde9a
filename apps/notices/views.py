from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.common.forms import add_refusal, whole
from apps.common.pagination import page_after
from apps.notices import queries, signing
from apps.notices.forms import MailForm, WebhookForm
from apps.notices.models import Webhook
from apps.notices.services import reading, webhooks
from apps.projects.access import Capability, project_for
from apps.projects.models import Project


@login_required
@require_GET
def notices(request: UserRequest) -> HttpResponse:
    page = page_after(queries.inbox(request.user), request.GET.get("after", ""), newest_first=True)
    context = {
        "page": page,
        "unread": queries.unread(request.user),
        "newest": page.rows[0].pk if page.rows else 0,
        "form": MailForm(initial={"mode": queries.mail_mode(request.user)}),
    }
    return render(request, "notices/notices.html", context)


@login_required
@require_POST
def notice_open(request: UserRequest, pk: int) -> HttpResponse:
    """Marks it read and goes where it points."""
    notice = reading.mark_read(request.user, pk)
    if notice is None:
        raise Http404
    if notice.url and "stay" not in request.POST and url_has_allowed_host_and_scheme(notice.url, None):
        return redirect(notice.url)
    return redirect("notices")


@login_required
@require_POST
def notices_read(request: UserRequest) -> HttpResponse:
    reading.mark_all_read(request.user, through=whole(request.POST.get("through", "")) or 0)
    return redirect("notices")


@login_required
@require_POST
def notices_mail(request: UserRequest) -> HttpResponse:
    form = MailForm(request.POST)
    if not form.is_valid():
        raise InvalidInput(_("Choose one of the ways."), field="mode")
    reading.set_mail(request.user, form.cleaned_data["mode"])
    messages.success(request, _("Saved."))
    return redirect("notices")


@login_required
@never_cache
@sensitive_variables("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def webhooks_page(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.MANAGE)
    form, secret = WebhookForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        try:
            _row, secret = webhooks.make(project, request.user, **form.cleaned_data)
            form = WebhookForm()
        except InvalidInput as refusal:
            add_refusal(form, refusal)
    context = {"form": form, "secret": secret, "webhooks": queries.webhooks(project), "check": signing.CHECK}
    # no redirect: the secret is in this one answer and nowhere else
    return render(request, "notices/webhooks.html", context, status=422 if form.errors else 200)


def _webhook(project: Project, pk: int) -> Webhook:
    return get_object_or_404(Webhook.objects.select_related("project"), project=project, pk=pk)


@login_required
@never_cache
@sensitive_variables("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def webhook(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.MANAGE)
    row = _webhook(project, pk)
    form = WebhookForm(request.POST or None, initial={"url": row.url, "events": row.events})
    if request.method == "POST" and form.is_valid():
        try:
            webhooks.change(row, **form.cleaned_data)
            messages.success(request, _("Saved."))
            return redirect("webhook", slug, pk)
        except InvalidInput as refusal:
            add_refusal(form, refusal)
            row.refresh_from_db()
    return _webhook_page(request, row, form)


def _webhook_page(request: UserRequest, row: Webhook, form: WebhookForm, secret: str = "") -> HttpResponse:
    page = page_after(queries.deliveries(row), request.GET.get("after", ""), limit=25, newest_first=True)
    context: dict[str, Any] = {"webhook": row, "form": form, "page": page, "secret": secret, "check": signing.CHECK}
    return render(request, "notices/webhook.html", context, status=422 if form.errors else 200)


@login_required
@never_cache
@sensitive_variables("secret")
@require_POST
def webhook_rotate(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    row = _webhook(project_for(request.user, slug, need=Capability.MANAGE), pk)
    secret = webhooks.rotate(row)
    return _webhook_page(request, row, WebhookForm(initial={"url": row.url, "events": row.events}), secret)


@login_required
@require_POST
def webhook_test(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    webhooks.try_out(_webhook(project_for(request.user, slug, need=Capability.MANAGE), pk))
    messages.success(request, _("A test is on its way; its line says what came back."))
    return redirect("webhook", slug, pk)


@login_required
@require_POST
def webhook_switch(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    row = _webhook(project_for(request.user, slug, need=Capability.MANAGE), pk)
    webhooks.set_enabled(row, "on" in request.POST)
    return redirect("webhook", slug, pk)


@login_required
@require_POST
def webhook_remove(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    webhooks.remove(_webhook(project_for(request.user, slug, need=Capability.MANAGE), pk))
    messages.success(request, _("Removed. Nothing is sent there any more."))
    return redirect("webhooks", slug)


@login_required
@require_POST
def webhook_redeliver(request: UserRequest, slug: str, pk: int, delivery: int) -> HttpResponse:
    row = _webhook(project_for(request.user, slug, need=Capability.MANAGE), pk)
    webhooks.redeliver(get_object_or_404(queries.deliveries(row).select_related("webhook"), pk=delivery))
    messages.success(request, _("It is sent again, under the same id."))
    return redirect("webhook", slug, pk)
