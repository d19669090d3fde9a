"""An id in, one call, nothing out. Heavy imports wait until a worker runs the task."""

from celery import shared_task


@shared_task(name="quality.watch")
def watch() -> None:
    from apps.quality.services import watch

    watch.look()
