from celery import shared_task

from apps.annotation import queries, services
from apps.projects.models import Project


@shared_task(name="annotation.sweep")
def sweep() -> None:
    services.sweep()


@shared_task(name="annotation.take_in_due")
def take_in_due() -> None:
    for pk in queries.projects_with_arrivals():
        services.take_in(Project.objects.get(pk=pk))


@shared_task(name="annotation.follow_overlap_due")
def follow_overlap_due() -> None:
    for project in queries.projects_with_another_overlap():
        services.follow_overlap(project)
