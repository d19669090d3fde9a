from celery import shared_task

from apps.content import ingest, services


@shared_task(name="content.import_file")
def import_file(job_id: int) -> None:
    if ingest.run(job_id):
        import_file.delay(job_id)


@shared_task(name="content.resume_imports")
def resume_imports() -> None:
    for job_id in ingest.waiting():
        import_file.delay(job_id)
    services.forget_drafts()
