"""Which labels speak ill and which well: as the manager says, or, until then, as their names sound."""

import re
from dataclasses import dataclass

from apps.projects.models import Label, Project
from apps.projects.queries import labels
from apps.trends.models import Watch

_NEGATIVE = re.compile(
    r"^(neg(ative)?|bad|complain(t|s)?|unhappy|angry|dissatisfied|very bad|差评|负面|消极|不满|负|差|抱怨|投诉)$"
)
_POSITIVE = re.compile(r"^(pos(itive)?|good|praise|happy|satisfied|very good|好评|正面|积极|满意|正|好|表扬)$")


@dataclass(frozen=True)
class Sentiment:
    negative: frozenset[int]
    positive: frozenset[int]
    said: bool  # by a person

    @property
    def known(self) -> bool:
        return bool(self.negative)


def sentiment(project: Project) -> Sentiment:
    watch = Watch.objects.filter(project=project).first()
    if watch and watch.sentiment_set:
        return Sentiment(frozenset(watch.negative), frozenset(watch.positive), True)
    offered = list(labels(project))
    return Sentiment(_named(offered, _NEGATIVE), _named(offered, _POSITIVE), False)


def _named(offered: list[Label], pattern: re.Pattern[str]) -> frozenset[int]:
    return frozenset(label.pk for label in offered if pattern.match(label.name.strip().casefold()))
