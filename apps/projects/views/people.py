import logging
from smtplib import SMTPException

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.mail import send_mail
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.common.forms import add_refusal
from apps.projects import access, queries
from apps.projects.access import CAN, Capability
from apps.projects.forms import InviteForm, RoleForm
from apps.projects.models import Invitation, Membership, Role
from apps.projects.services import invitations, members

log = logging.getLogger(__name__)


@login_required
@never_cache
@sensitive_variables("secret", "link")
@require_http_methods(["GET", "HEAD", "POST"])
def people(request: UserRequest, slug: str) -> HttpResponse:
    """Members and open invitations; a POST invites. The link is in this one answer and nowhere else."""
    project = access.project_for(request.user, slug, need=Capability.MANAGE)
    form, link, invited, mailed = InviteForm(request.POST or None), "", None, False
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            invited, secret = invitations.invite(
                project, by=request.user, email=given["email"], role=Role(given["role"])
            )
        except InvalidInput as refusal:
            add_refusal(form, refusal)
        else:
            link = request.build_absolute_uri(reverse("invitation_accept", args=[secret]))
            mailed = _mail(invited, link)
            form = InviteForm()
    context = {
        "project": project,
        "members": queries.members(project),
        "invitations": queries.pending_invitations(project),
        "form": form,
        "roles": [(role, [capability.value for capability in Capability if capability in CAN[role]]) for role in Role],
        "link": link,
        "invited": invited,
        "mailed": mailed,
    }
    return render(request, "projects/people.html", context, status=422 if form.errors else 200)


def _mail(invitation: Invitation, link: str) -> bool:
    """False when there is no mail server or it refused; the page then asks to pass the link on by hand."""
    if not settings.EMAIL_URL:
        return False
    body = render_to_string("projects/invitation.txt", {"invitation": invitation, "link": link})
    subject = _("You are invited to “%(project)s” on Marginalia") % {
        "project": " ".join(invitation.project.name.split())
    }
    try:
        return bool(send_mail(subject, body, None, [invitation.email]))
    except (SMTPException, OSError) as error:
        log.warning("an invitation could not be mailed: %s", type(error).__name__)
        return False


@login_required
@require_POST
def member_role(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = access.project_for(request.user, slug, need=Capability.MANAGE)
    member = get_object_or_404(Membership.objects.filter(project=project), pk=pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise InvalidInput(_("Choose one of the roles in the list."), field="role")
    members.change_role(project, member, Role(form.cleaned_data["role"]))
    messages.success(request, _("Saved."))
    return redirect("project" if member.user_id == request.user.pk else "project_members", slug)


@login_required
@require_POST
def member_remove(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = access.project_for(request.user, slug, need=Capability.MANAGE)
    member = get_object_or_404(Membership.objects.filter(project=project).select_related("user"), pk=pk)
    members.remove_member(project, member)
    messages.success(request, _("%(who)s has left the project. Their answers stay.") % {"who": member.user})
    return redirect("home" if member.user_id == request.user.pk else "project_members", *_slug(request, member, slug))


def _slug(request: UserRequest, member: Membership, slug: str) -> list[str]:
    return [] if member.user_id == request.user.pk else [slug]


@login_required
@require_POST
def invitation_revoke(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = access.project_for(request.user, slug, need=Capability.MANAGE)
    if not invitations.revoke(project, pk):
        raise Http404
    messages.success(request, _("Withdrawn. Its link opens nothing any more."))
    return redirect("project_members", slug)
