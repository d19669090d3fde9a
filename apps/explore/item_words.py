"""What an item's history says, in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.annotation import opinion_table
from apps.annotation.models import Annotation, Resolution, Task
from apps.annotation.queries import ItemHistory
from apps.content.models import ImportJob, Item, Split
from apps.projects.models import Label
from apps.quality.models import Adjudication
from apps.quality.truth_words import rule_words

How = Resolution.How


def how(given: str, *, review: bool) -> str:
    """Who labels is not told which items measure them."""
    known = How.ADJUDICATED if given == How.GOLD and not review else given
    return str(How(known).label) if known in How.values else known


def why(item: Item, history: ItemHistory, source: ImportJob | None, *, review: bool) -> str:
    """The answer to "Why is its label this?" in one sentence."""
    truth = history.resolution
    if truth is None:
        return _not_yet(item, history)
    by, opinions = str(truth.by or _("somebody who is gone")), standing(history.annotations)
    sentences = {
        How.SINGLE: _("%(name)s labelled it, and one answer was enough.") % {"name": by},
        How.BEHAVIOUR: _("It is what people clicked."),
        How.CONSENSUS: _agreed(item, truth, history) if truth.how == How.CONSENSUS else "",
        How.IMPORTED: _imported(source),
        How.ADJUDICATED: _decided(by, sum(said.annotator_id != truth.by_id for said in opinions)),
        How.GOLD: _("%(name)s made it a gold item: its label is beyond doubt.") % {"name": by},
    }
    return sentences[How(truth.how) if review or truth.how != How.GOLD else How.ADJUDICATED]


def _imported(source: ImportJob | None) -> str:
    if source:
        return _("It came with the import “%(name)s” and nobody has changed it since.") % {"name": source.filename}
    return _("It came with the item and nobody has changed it since.")


def _decided(by: str, n: int) -> str:
    if not n:
        return _("%(name)s decided it as a reviewer.") % {"name": by}
    several = ngettext(
        "%(name)s decided it as a reviewer; %(n)d person had answered.",
        "%(name)s decided it as a reviewer; %(n)d people had answered.",
        n,
    )
    return several % {"name": by, "n": n}


def _agreed(item: Item, truth: Resolution, history: ItemHistory) -> str:
    """Whoever could not decide is one of the people, as in the share of agreement."""
    said = opinion_table.table(item.project, items=[item.pk])
    answer = truth.label_id if truth.value is None else truth.value
    k = sum(opinion_table.closeness(said.answer(row), answer) == 1 for row in range(len(said)))
    silent = [one for one in newest_words(history.annotations) if one.label_id is None and one.value is None]
    n = len(said) + sum(not one.late for one in silent)
    if not n:
        return _("It is what several people agreed on.")
    if k == n:
        told = ngettext("%(n)d person answered, and it is what they say.", "%(n)d people agree on it.", n) % {"n": n}
    elif truth.value is None:
        told = _("%(k)d of %(n)d people say so.") % {"k": k, "n": n}
    else:
        told = _("%(k)d of %(n)d people say exactly that; it is what most of them have in common.") % {"k": k, "n": n}
    return f"{told} {rule_words(item.project, truth)}".strip()


def _not_yet(item: Item, history: ItemHistory) -> str:
    n = len(standing(history.annotations))
    live = next((task for task in history.tasks if task.state in {Task.State.OPEN, Task.State.FULL}), None)
    if item.archived_at:
        return _("It is archived without a label: nobody is asked about it.")
    if case := Adjudication.objects.filter(item=item, state=Adjudication.State.OPEN).first():
        return _("Not labelled yet: it waits for a reviewer (%(why)s).") % {"why": case.get_why_display()}
    if n and live:
        return _("Not labelled yet: %(n)d of %(wanted)d people have answered.") % {"n": n, "wanted": live.wanted}
    if n:
        several = ngettext(
            "Not labelled yet: %(n)d person answered, and that settles nothing.",
            "Not labelled yet: %(n)d people answered, and they do not agree.",
            n,
        )
        return several % {"n": n}
    if live:
        return _("Not labelled yet: it waits in the queue.")
    return _("Not labelled yet, and nobody is asked about it.")


def standing(annotations: list[Annotation]) -> list[Annotation]:
    """The newest word of each person that says something."""
    says = [said for said in newest_words(annotations) if not said.undecided]
    return [said for said in says if said.label_id or said.value is not None]


def newest_words(annotations: list[Annotation]) -> list[Annotation]:
    """Of each person, and not taken back; `annotations` are newest first."""
    newest: dict[int, Annotation] = {}
    for said in annotations:
        newest.setdefault(said.annotator_id, said)
    return [said for said in newest.values() if not said.retracted]


def answered(said: Annotation) -> str:
    if said.undecided:
        return _("could not decide: %(reason)s") % {"reason": said.undecided}
    return _("answered") if said.revision == 1 else _("answered anew")


def facts_of(said: Annotation) -> Iterator[str]:
    if not said.undecided:
        yield str(said.get_outcome_display())
    if said.revision > 1:
        yield _("revision %(n)d") % {"n": said.revision}
    if said.seconds is not None:
        yield _("%(s).1f s") % {"s": said.seconds}


def badge_of(said: Annotation) -> str:
    if said.flagged:
        return _("flagged")
    return _("another opinion") if said.late else ""


def suggested(given: Mapping[str, Any], labels: Mapping[int, Label]) -> tuple[Label | None, dict[str, Any] | None]:
    """The suggestion as it was, ready to be drawn: the likeliest label, or those above their thresholds, or spans."""
    if "spans" in given:
        return None, {"spans": given["spans"]}
    ids, chances = given.get("labels", []), given.get("probabilities", [])
    if "thresholds" in given:
        above = [pk for pk, p, least in zip(ids, chances, given["thresholds"], strict=False) if p >= least]
        return None, {"labels": above}
    likeliest = max(zip(chances, ids, strict=False), default=(0.0, 0))
    return labels.get(likeliest[1]), None


def place(item: Item) -> str:
    if item.split == Split.HOLDOUT:
        return _("Hold-out: measures the model, never trains it")
    return str(item.get_split_display())
