"""Newcomers who are through their training, and people whose gold answers are surely too often wrong."""

from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Gold
from apps.annotation.services.golds import Accuracy
from apps.common.errors import DomainError, InvalidInput
from apps.notices.services.telling import tell
from apps.projects.models import Membership, Project
from apps.quality import gold_queries as queries
from apps.quality.models import Pause

FEWEST = 10  # gold answers before anybody is paused


def look() -> None:
    """Every project where somebody is in training or may be paused."""
    due = Project.objects.filter(archived_at=None).filter(Q(training_items__gt=0) | Q(gold_floor__gt=0))
    for project in due:
        graduate(project)
        pause_due(project)


def graduate(project: Project) -> int:
    """Whoever has answered as many gold items as a newcomer begins with, or all that there are, is through."""
    if not project.training_items:
        return 0
    in_training = queries.labelling(project).filter(trained_at=None)
    people = list(in_training.values_list("user_id", flat=True))
    if not people:
        return 0
    seen, golds = queries.seen_by(project), Gold.objects.filter(project=project, retired_at=None)
    through = [user for user in people if seen.get(user, 0) >= project.training_items]
    for user in set(people) - set(through) if golds.exists() else ():
        # whoever made an item gold, or has labelled it before, does not meet it
        left = golds.exclude(by=user).exclude(item__annotations__annotator=user)
        if not left.exists():
            through.append(user)
    return in_training.filter(user__in=through).update(trained_at=timezone.now())


def let_off(project: Project, member: Membership | None = None) -> int:
    """No (further) training for this person, or for everybody who is here today."""
    waiting = queries.labelling(project).filter(trained_at=None)
    if member is not None:
        waiting = waiting.filter(pk=member.pk)
    return waiting.update(trained_at=timezone.now())


def pause_due(project: Project) -> int:
    """Pauses those of whom ten or more gold answers say that they are surely below the project's floor."""
    if not project.gold_floor:
        return 0
    accuracy = queries.by_person(project)
    members = queries.labelling(project).filter(paused_at=None, user__in=accuracy).select_related("user")
    low = [member for member in members if too_low(accuracy[member.user_id], project.gold_floor)]
    for member in low:
        pause(project, member, accuracy=accuracy[member.user_id])
    return len(low)


def too_low(found: Accuracy, floor: float) -> bool:
    """Even the upper end of the interval lies below the floor: bad luck alone does not pause anybody."""
    return found.n >= FEWEST and found.high < floor


@transaction.atomic
def pause(project: Project, member: Membership, *, by: User | None = None, accuracy: Accuracy) -> Pause | None:
    """No tasks until somebody lets them go on. What is on their page may still be answered."""
    with translation.override(member.user.told_in):
        why = _why(accuracy) if by is None else _("A lead of this project has paused you.")
    held = Membership.objects.filter(pk=member.pk, project=project, paused_at=None)
    if not held.update(paused_at=timezone.now(), paused_why=why[:300]):
        return None
    made = Pause.objects.create(project=project, user=member.user, by=by, right=accuracy.right, answered=accuracy.n)
    _tell_person(project, member.user, made)
    _tell_leads(project, member.user, made)
    return made


def act(project: Project, member: Membership, what: str, by: User) -> None:
    """What a lead does with one person: go_on, pause, or let_off from the training."""
    match what:
        case "go_on":
            let_go_on(project, member, by)
        case "pause":
            pause(project, member, by=by, accuracy=queries.by_person(project).get(member.user_id, Accuracy(0, 0)))
        case "let_off":
            let_off(project, member)
        case _:
            raise InvalidInput(_("There is nothing of that name to do here."), field="act")


@transaction.atomic
def let_go_on(project: Project, member: Membership, by: User) -> None:
    """Counting begins anew: the answers that led to the pause do not lead to the next one."""
    resumed = Membership.objects.filter(pk=member.pk, project=project, paused_at__isnull=False)
    if not resumed.update(paused_at=None, paused_why=""):
        raise DomainError(_("This person is not paused."))
    Pause.objects.filter(project=project, user=member.user, lifted_at=None).update(
        lifted_at=timezone.now(), lifted_by=by
    )
    tell(
        [member.user],
        project=project,
        kind="gold-resumed",
        title=lambda: _("%(project)s: you can go on labelling") % {"project": project.name},
        body=lambda: _("The counting of gold items begins anew with your next answer."),
        url=reverse("label", args=[project.slug]),
    )


def _why(accuracy: Accuracy) -> str:
    return _(
        "%(right)d of %(n)d answers to texts with a known answer were right. A lead will talk it over with you."
    ) % {
        "right": accuracy.right,
        "n": accuracy.n,
    }


def _tell_person(project: Project, user: User, made: Pause) -> None:
    def body() -> str:
        if made.by_id is not None:
            return _("Your answers stay. A lead will tell you how it goes on.")
        return _(
            "Some of the texts you label have a known answer. %(right)d of your %(n)d answers to them agree with it, "
            "which is fewer than this project needs. Often the guidelines are to blame, not the person: your answers "
            "stay, and a lead will go through it with you."
        ) % {"right": made.right, "n": made.answered}

    tell(
        [user],
        project=project,
        kind="gold-paused",
        title=lambda: _("%(project)s: please take a break from labelling") % {"project": project.name},
        body=body,
        url=reverse("label", args=[project.slug]),
        key=f"gold-paused-{made.pk}",
    )


def _tell_leads(project: Project, user: User, made: Pause) -> None:
    if made.by_id is not None:
        return
    tell(
        [lead for lead in queries.leads(project) if lead.pk != user.pk],
        project=project,
        kind="gold-paused",
        title=lambda: _("%(project)s: %(who)s is paused") % {"project": project.name, "who": user},
        body=lambda: (
            _(
                "%(right)d of %(n)d gold answers were right: surely below the floor of %(floor)d per cent. Look at "
                "which gold items were missed, talk to the person, then let them go on."
            )
            % {"right": made.right, "n": made.answered, "floor": round(project.gold_floor * 100)}
        ),
        url=reverse("gold", args=[project.slug]),
        key=f"gold-paused-{made.pk}",
    )
