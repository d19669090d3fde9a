from celery import shared_task

from apps.notices.services import delivering, mailing


@shared_task(name="notices.deliver")
def deliver(project: int = 0) -> None:
    """Whatever is due; the project that woke us has no turn of its own."""
    delivering.deliver()


@shared_task(name="notices.mail")
def mail() -> None:
    mailing.send_due()


@shared_task(name="notices.forget")
def forget() -> None:
    delivering.forget()
