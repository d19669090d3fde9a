"""An id in, one call, nothing out."""

from celery import shared_task


@shared_task(name="serving.warm")
def warm() -> None:
    from apps.serving.services import warming

    warming.warm()


@shared_task(name="serving.forget")
def forget() -> None:
    from apps.serving.services import keeping

    keeping.forget_old()
