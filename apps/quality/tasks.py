"""An id in, one call, nothing out. Heavy imports wait until a worker runs the task."""

from celery import shared_task


@shared_task(name="quality.watch")
def watch() -> None:
    from apps.quality.services import reviews, watch

    watch.look()
    reviews.follow()


@shared_task(name="quality.measure")
def measure(project_id: int) -> None:
    """A wake-up from the page of agreement, which asks again as long as it waits."""
    from apps.projects.models import Project
    from apps.quality import agreement_store

    agreement_store.reckon_waiting(Project.objects.get(pk=project_id))


@shared_task(name="quality.settle")
def settle() -> None:
    from apps.quality.services import consensus

    consensus.settle_due()


@shared_task(name="quality.find_suspects")
def find_suspects(run_id: int) -> None:
    from apps.quality.services import suspects

    suspects.run(run_id)


@shared_task(name="quality.follow_suspects")
def follow_suspects() -> None:
    from apps.quality.services import suspects

    suspects.follow()
    for run_id in suspects.due():
        find_suspects.apply_async([run_id], expires=30)
