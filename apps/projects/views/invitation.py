"""Where an invitation's link leads. Public: the secret in the address is the key."""

from django.contrib import messages
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.accounts.models import User
from apps.projects import queries
from apps.projects.forms import AcceptForm
from apps.projects.models import Invitation
from apps.projects.services import invitations

BACKEND = "apps.accounts.backend.EmailBackend"


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: HttpRequest, secret: str) -> HttpResponse:
    invitation = queries.invitation_for(secret)
    if invitation is None:
        raise Http404
    invitations.refuse_if_over(invitation)
    if isinstance(request.user, User) or request.user.is_authenticated:
        return _join(request, invitation)
    if queries.has_account(invitation):
        return render(request, "projects/invitation.html", {"invitation": invitation, "must_sign_in": True})
    return _make_account(request, invitation)


def _join(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    user = request.user
    assert isinstance(user, User) or user.is_authenticated  # noqa: S101  narrowed by the caller
    if request.method == "POST":
        invitations.accept(invitation, user)
        messages.success(request, _("Welcome to “%(project)s”.") % {"project": invitation.project})
        return redirect("project", invitation.project.slug)
    other = user.email.lower() != invitation.email.lower()
    return render(request, "projects/invitation.html", {"invitation": invitation, "other": other})


def _make_account(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    form = AcceptForm(request.POST or None, email=invitation.email)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        user = invitations.accept_as_new(invitation, name=given["name"], password=given["password"])
        login(request, user, BACKEND)
        return redirect("project", invitation.project.slug)
    context = {"invitation": invitation, "form": form}
    return render(request, "projects/invitation.html", context, status=422 if form.errors else 200)
