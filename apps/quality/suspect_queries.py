"""What became of doubted labels, by rank: is it worth while to ask on?"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from apps.annotation.services.golds import Accuracy
from apps.projects.models import Project
from apps.quality.models import Suspect, SuspectRun

BLOCK = 20  # judged ones, in the order of the list
FEWEST = 10  # below, nothing is advised
POOR = 0.25  # a block with fewer than this share of errors is not worth people's time


@dataclass(frozen=True)
class Block:
    first: int  # ranks
    last: int
    wrong: Accuracy


@dataclass(frozen=True)
class Precision:
    """Of the doubted labels that somebody looked at again: how many were wrong."""

    wrong: Accuracy
    blocks: list[Block]
    curve: list[tuple[int, Accuracy]]  # after so many judged ones, in the order of the list

    @property
    def stop(self) -> bool:
        """The last block is poor, or surely poorer than what came before it."""
        if self.wrong.n < FEWEST or not self.blocks:
            return False
        last = self.blocks[-1].wrong
        if (last.share or 0) < POOR:
            return True
        earlier = Accuracy(self.wrong.right - last.right, self.wrong.n - last.n)
        return len(self.blocks) > 1 and last.high < earlier.low


def precision(run: SuspectRun) -> Precision:
    judged = Suspect.objects.filter(
        run=run, state__in=[Suspect.State.WRONG, Suspect.State.RIGHT], asked_at__isnull=False
    ).order_by("rank")
    rows = [(rank, state == Suspect.State.WRONG) for rank, state in judged.values_list("rank", "state")]
    curve = [(n, Accuracy(sum(wrong for _rank, wrong in rows[:n]), n)) for n in _steps(len(rows))]
    return Precision(Accuracy(sum(wrong for _rank, wrong in rows), len(rows)), _blocks(rows), curve)


def _steps(n: int) -> list[int]:
    every = max(1, n // 40)
    return sorted({*range(every, n + 1, every), n} - {0})


def _blocks(rows: Sequence[tuple[int, bool]]) -> list[Block]:
    """Whole blocks; a rest that is too small to speak for itself joins the last one."""
    found = [list(rows[at : at + BLOCK]) for at in range(0, len(rows), BLOCK)]
    if len(found) > 1 and len(found[-1]) < FEWEST:
        found[-2] += found.pop()
    return [Block(part[0][0], part[-1][0], Accuracy(sum(wrong for _rank, wrong in part), len(part))) for part in found]


def advice(found: Precision) -> str:
    if found.wrong.n < FEWEST:
        return _("Too few were looked at again to say anything. Ask about %(n)d to begin with.") % {"n": BLOCK}
    last = found.blocks[-1].wrong
    values = {"wrong": last.right, "n": last.n, "share": _percent(found.wrong.share or 0)}
    if found.stop:
        return (
            _(
                "Of the last %(n)d, %(wrong)d were wrong. It has dropped: further down there is little to find, so "
                "stop here and look anew when more is labelled."
            )
            % values
        )
    return _("Of the last %(n)d, %(wrong)d were wrong; %(share)s per cent over all. Asking on is worth while.") % values


def _percent(share: float) -> str:
    return str(number_format(round(share * 100)))


def runs(project: Project) -> QuerySet[SuspectRun]:
    return SuspectRun.objects.filter(project=project).order_by("-pk")


def shown(project: Project) -> SuspectRun | None:
    """The newest list."""
    return runs(project).filter(state=SuspectRun.State.SUCCEEDED).first()


def listed(run: SuspectRun) -> QuerySet[Suspect]:
    found = Suspect.objects.filter(run=run).select_related("item__resolution__label", "label", "suggested")
    return found.order_by("rank")
