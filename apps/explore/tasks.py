"""An id in, one call, nothing out. Heavy imports wait until a worker runs the task."""

from celery import shared_task


@shared_task(name="explore.draw")
def draw_map(projection_id: int) -> None:
    from apps.explore.services import drawing

    drawing.draw(projection_id)


@shared_task(name="explore.draw_due")
def draw_due() -> None:
    from apps.explore.services import projection

    for projection_id in [*projection.ask_due(), *projection.revive()]:
        draw_map.delay(projection_id)


@shared_task(name="explore.index_vectors")
def index_vectors() -> None:
    from apps.explore.services import indexes

    indexes.keep_up()
