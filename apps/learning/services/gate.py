"""What speaks against a candidate, in words. Each objection can be overruled with a reason, and stays on record."""

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.common.numbers import listed
from apps.feedback.models import RegressionCase
from apps.feedback.services.outcomes import CaseChanges
from apps.learning.services.evaluation import Comparison
from apps.registry.models import ModelVersion

NAMED, QUOTED = 3, 48  # cases that a sentence names, characters of each


def objections(version: ModelVersion, verdict: Comparison) -> list[str]:
    """Sentences that stand against a promotion; none: it may go live just so."""
    said = [verdict.sentence] if verdict.kind == "worse" else []
    cases = verdict.cases
    if cases and cases.too_many:
        said.append(_breaks(version, cases))
    elif cases and cases.undecided and verdict.kind != "first":
        said.append(_not_asked(version, cases))
    return said


def _breaks(version: ModelVersion, cases: CaseChanges) -> str:
    sentence = ngettext(
        "%(version)s breaks %(n)d pinned regression case: %(names)s.",
        "%(version)s breaks %(n)d pinned regression cases: %(names)s.",
        cases.pinned_broken,
    ) % {"version": version, "n": cases.pinned_broken, "names": _names(cases.broken)}
    return sentence + " " + _("The project allows %(n)d.") % {"n": cases.allowed}


def _not_asked(version: ModelVersion, cases: CaseChanges) -> str:
    return ngettext(
        "%(n)d pinned regression case has not been put to %(version)s yet. That happens in the background: look again "
        "in a moment.",
        "%(n)d pinned regression cases have not been put to %(version)s yet. That happens in the background: look "
        "again in a moment.",
        cases.pinned_unasked,
    ) % {"n": cases.pinned_unasked, "version": version}


def _names(broken: Sequence[int]) -> str:
    pinned = RegressionCase.objects.filter(pk__in=broken, pinned=True).select_related("item", "ticket").order_by("pk")
    named = listed(_name(case) for case in pinned[:NAMED])
    more = pinned.count() - NAMED
    return named if more <= 0 else _("%(names)s and %(rest)d more") % {"names": named, "rest": more}


def _name(case: RegressionCase) -> str:
    text = case.item.text if len(case.item.text) <= QUOTED else f"{case.item.text[: QUOTED - 1]}…"
    quoted = _("“%(text)s”") % {"text": " ".join(text.split())}
    return (
        quoted
        if case.ticket is None
        else _("%(quoted)s (ticket %(number)d)") % {"quoted": quoted, "number": case.ticket.number}
    )
