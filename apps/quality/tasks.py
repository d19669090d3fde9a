"""An id in, one call, nothing out. Heavy imports wait until a worker runs the task."""

from celery import shared_task


@shared_task(name="quality.watch")
def watch() -> None:
    from apps.quality.services import watch

    watch.look()


@shared_task(name="quality.measure")
def measure(project_id: int) -> None:
    """A wake-up from the page of agreement, which asks again as long as it waits."""
    from apps.projects.models import Project
    from apps.quality import agreement_store

    agreement_store.reckon_waiting(Project.objects.get(pk=project_id))
