"""By which rule several answers became a label, in words for the pages that show it."""

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from apps.annotation.models import Resolution
from apps.content.models import Split
from apps.projects.models import Project
from apps.quality.services import consensus

Rule = Project.Consensus


def rule_words(project: Project, truth: Resolution) -> str:
    """Empty where the majority decided, because the count of the answers says it all."""
    last = consensus.last_round(project)
    if truth.certainty is None or last is None or last.rule == Rule.MAJORITY:
        return ""
    told = _people_alone() if last.rule == Rule.DAWID_SKENE else _crowdlab(last.source, truth)
    sure = _("It is %(share)s %% sure.") % {"share": number_format(round(truth.certainty * 100), 0)}
    below = truth.certainty < project.adjudicate_below
    asks = _("That is less than this project asks for, so a reviewer decides.") if below else ""
    return " ".join(filter(None, [told, sure, asks]))


def _people_alone() -> str:
    return _("Dawid–Skene weighed them by what it learnt of everybody's habits.")


def _crowdlab(source: str, truth: Resolution) -> str:
    if truth.split == Split.HOLDOUT:
        return " ".join([_people_alone(), _("It is held out to measure the model, so the model had no say.")])
    if source == "live_head":
        return _("CROWDLAB weighed them and the live head, as it answers when it has not learnt from this text.")
    if source:
        return _("CROWDLAB weighed them and version %(version)s, which has not learnt from this text.") % {
            "version": source
        }
    return " ".join([_people_alone(), _("No model knows enough of these texts yet.")])
