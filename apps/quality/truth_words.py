"""How a text got its label, in sentences for the pages that show it."""

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.annotation import opinion_table
from apps.annotation.models import Resolution
from apps.projects.models import Project
from apps.quality.services import consensus

How = Resolution.How


def came_about(project: Project, truth: Resolution) -> list[str]:
    """In the order in which it happened: who was asked, by which rule, how sure."""
    said = opinion_table.table(project, items=[truth.item_id])
    sentences = [_asked(len(said), truth)] if len(said) else []
    match truth.how:
        case How.CONSENSUS:
            sentences += _by_rule(project, truth)
        case How.ADJUDICATED:
            who = str(truth.by) if truth.by else _("A reviewer")
            sentences.append(_("%(who)s decided it; later answers do not change it.") % {"who": who})
        case How.GOLD:
            sentences.append(_("It is a gold item: its label is beyond doubt."))
        case How.SINGLE:
            sentences.append(_("One answer was wanted, and it stands."))
        case How.IMPORTED:
            sentences.append(_("It came with the import."))
        case How.BEHAVIOUR:
            sentences.append(_("It is what people clicked."))
    return sentences


def _asked(n: int, truth: Resolution) -> str:
    if n < 2 or truth.agreement is None:
        return ngettext("%(n)d person answered.", "%(n)d people answered.", n) % {"n": n}
    sentence = ngettext(
        "%(n)d person answered; %(share)s %% of the answers say this.",
        "%(n)d people answered; %(share)s %% of the answers say this.",
        n,
    )
    return sentence % {"n": n, "share": _percent(truth.agreement)}


def _by_rule(project: Project, truth: Resolution) -> list[str]:
    last = consensus.last_round(project)
    rule = last.rule if last and truth.certainty is not None else Project.Consensus.MAJORITY
    match rule:
        case Project.Consensus.DAWID_SKENE:
            told = _("Dawid–Skene weighed the answers by what it learnt of everybody's habits.")
        case Project.Consensus.CROWDLAB:
            told = _crowdlab(last.source if last else "", held_out=truth.split == "holdout")
        case _:
            return [_("Most of them said it.")]
    sure = _("It is %(share)s %% sure.") % {"share": _percent(truth.certainty or 0)}
    below = _("That is below what this project asks for, so a reviewer looks at it.")
    return [told, sure, *([below] if (truth.certainty or 0) < project.adjudicate_below else [])]


def _crowdlab(source: str, *, held_out: bool) -> str:
    if held_out:
        return _("It is held out to measure the model, so people alone were weighed, by everybody's habits.")
    if source == "live_head":
        return _("CROWDLAB weighed the answers and the live head, as it answers when it has not learnt from this text.")
    if source:
        return _("CROWDLAB weighed the answers and version %(version)s, which has not learnt from this text.") % {
            "version": source
        }
    return _("No model knew enough of these texts yet, so people alone were weighed, by everybody's habits.")


def _percent(share: float) -> str:
    return number_format(round(share * 100), 0)
