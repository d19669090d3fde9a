from celery import shared_task

from apps.content import ingest, search, services
from apps.projects.models import Project


@shared_task(name="content.import_file")
def import_file(job_id: int) -> None:
    if ingest.run(job_id):
        import_file.delay(job_id)


@shared_task(name="content.resume_imports")
def resume_imports() -> None:
    for job_id in ingest.waiting():
        import_file.delay(job_id)
    services.forget_drafts()


@shared_task(name="content.index_search")
def index_search() -> None:
    for pk in search.behind():
        search.index(Project.objects.get(pk=pk))
