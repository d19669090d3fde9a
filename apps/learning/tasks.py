"""An id in, one call, nothing out. Heavy imports wait until a worker runs the task."""

from celery import shared_task


@shared_task(name="learning.encode_due")
def encode_due() -> None:
    from apps.learning import queries
    from apps.learning.services import encoding

    for project_id in queries.projects_to_encode():
        if encoding.ask(project_id):
            encode.apply_async([project_id], expires=encoding.ASK_AGAIN.total_seconds())


@shared_task(name="learning.encode")
def encode(project_id: int) -> None:
    from apps.learning import runs

    if runs.encode(project_id):
        encode.delay(project_id)


@shared_task(name="learning.refresh")
def refresh(project_id: int) -> None:
    from apps.learning import live

    live.refresh(project_id)


@shared_task(name="learning.refresh_due")
def refresh_due() -> None:
    from apps.learning import queries

    for project_id in queries.projects_to_refresh():
        refresh.apply_async([project_id], expires=5)


@shared_task(name="learning.fold_behaviour")
def fold_behaviour() -> None:
    from apps.learning.services import engagement

    engagement.fold_due()


@shared_task(name="learning.train")
def train(run_id: int) -> None:
    from apps.learning import runs

    runs.train(run_id)


@shared_task(name="learning.repredict")
def repredict(version_id: int) -> None:
    from apps.learning import runs

    if runs.repredict(version_id):
        repredict.delay(version_id)


@shared_task(name="learning.revive_runs")
def revive_runs() -> None:
    from apps.learning.services import evaluation, repredictions, runs

    for run_id in runs.revive():
        train.delay(run_id)
    for version_id in repredictions.revive():
        repredict.delay(version_id)
    evaluation.evaluate_due()


@shared_task(name="learning.follow_promotions")
def follow_promotions() -> None:
    from apps.feedback.services import outcomes
    from apps.learning.services import flip_review

    outcomes.settle_due()
    for deployment_id in flip_review.due():
        flip_review.send(deployment_id)
