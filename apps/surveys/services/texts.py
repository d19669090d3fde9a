"""Written answers as items of the project, to be labelled and predicted like any other text."""

from django.db import transaction

from apps.content import services as content
from apps.content.services import MOST_AT_ONCE, Added
from apps.surveys import queries
from apps.surveys.models import Given, Question


@transaction.atomic
def make_items(question: Question) -> Added:
    """Those that are none yet, up to a call's worth. Always of the pool: who answers a survey is no random sample."""
    waiting = list(queries.texts(question).filter(item=None).order_by("pk")[:MOST_AT_ONCE])
    survey = question.survey
    names = {external_id(one): one for one in waiting}
    added = content.add_items(
        survey.project,
        [
            {
                "external_id": name,
                "text": one.text,
                "split": "pool",
                "language": one.response.language,
                "meta": {"survey": survey.pk, "question": question.pk},
            }
            for name, one in names.items()
        ],
    )
    for name, pk in added.items.items():
        names[name].item_id = pk
    Given.objects.bulk_update([one for one in waiting if one.item_id], ["item"])
    return added


def external_id(given: Given) -> str:
    return f"survey-{given.question.survey_id}-{given.pk}"
