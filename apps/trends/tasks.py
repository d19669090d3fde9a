"""Beat's way in; heavy imports wait until a worker runs the task."""

from celery import shared_task


@shared_task(name="trends.count")
def count() -> None:
    from apps.trends.services import counting

    counting.count_all()


@shared_task(name="trends.recount")
def recount() -> None:
    """Rows that came with an older date than the last count are found by counting anew."""
    from apps.trends.services import counting

    counting.count_all(anew=True)


@shared_task(name="trends.look")
def look() -> None:
    from apps.trends.services import watching

    watching.look_all()


@shared_task(name="trends.read")
def read() -> None:
    """Topics and drift: once a day for each project, a few projects each time."""
    from apps.trends.services import reading

    reading.read_due()
