from celery import shared_task

from apps.feedback.services import grouping, loop, meanings, rewards
from apps.projects.models import Project


@shared_task(name="feedback.group_due")
def group_due() -> None:
    for pk in grouping.projects_with_news():
        grouping.group(Project.objects.get(pk=pk))


@shared_task(name="feedback.group")
def group(project_id: int) -> None:
    """A wake-up from intake; beat asks the same every second."""
    grouping.group(Project.objects.get(pk=project_id))


@shared_task(name="feedback.follow")
def follow() -> None:
    for pk in loop.projects_to_follow():
        project = Project.objects.get(pk=pk)
        loop.follow(project)
        loop.wake_due(project)
        loop.age(project)


@shared_task(name="feedback.read_tickets")
def read_tickets() -> None:
    for pk in meanings.unread_projects():
        while meanings.read(Project.objects.get(pk=pk)) == meanings.BATCH:
            pass


@shared_task(name="feedback.reward")
def reward() -> None:
    for pk in rewards.projects_with_rewards():
        while rewards.credit(Project.objects.get(pk=pk)).full:
            pass
