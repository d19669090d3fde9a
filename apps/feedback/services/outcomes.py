"""What versions answer to the regression cases, and what that means for the tickets behind them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.accounts.models import User
from apps.annotation.models import Prediction
from apps.common.errors import DomainError
from apps.feedback.models import FeedbackPolicy, RegressionCase, Ticket, TicketMove
from apps.feedback.services import moving, tickets
from apps.notices.services.telling import publish, tell
from apps.projects.models import Membership, Project, Role
from apps.projects.queries import as_called_now, successors
from apps.registry import queries as registry
from apps.registry.models import Deployment, ModelVersion

log = logging.getLogger(__name__)

State = Ticket.State
MENDED = (State.CONFIRMED, State.REGRESSED)  # a version that passes all their cases fixes them
PUT_AWAY = (State.DISMISSED, State.DUPLICATE)
NAMED, QUOTED = 10, 80  # tickets that a notice lists, characters of each


@dataclass(frozen=True, slots=True)
class CaseResult:
    case: RegressionCase
    said: Any  # a label id, or the value of another task kind as in Prediction; None while not asked
    confidence: float | None
    passed: bool
    known: bool  # False: this version has not been asked yet


@dataclass(frozen=True, slots=True)
class CaseChanges:
    """Case ids by what a candidate does to them, held against what serves."""

    fixed: tuple[int, ...]  # only the candidate passes
    broken: tuple[int, ...]  # only what serves passes
    failing: tuple[int, ...]  # neither passes
    passing: tuple[int, ...]  # both pass
    unasked: tuple[int, ...]  # one of the two has not answered yet
    pinned_broken: int
    pinned_unasked: int
    allowed: int  # pinned cases that the project lets a version break

    @property
    def total(self) -> int:
        return sum(map(len, (self.fixed, self.broken, self.failing, self.passing, self.unasked)))

    @property
    def too_many(self) -> bool:
        return self.pinned_broken > self.allowed

    @property
    def undecided(self) -> bool:
        """With what is not known yet the rule might still be broken."""
        return not self.too_many and self.pinned_broken + self.pinned_unasked > self.allowed


def live_cases(project: Project) -> QuerySet[RegressionCase]:
    return RegressionCase.objects.filter(project=project, retired_at=None).order_by("pk")


def allowed_breaks(project: Project) -> int:
    return FeedbackPolicy.objects.filter(project=project).values_list("allowed_breaks", flat=True).first() or 0


def asked_items(project_id: int) -> QuerySet[RegressionCase, Any]:
    """Ids of the items that every version is asked about."""
    return RegressionCase.objects.filter(project_id=project_id, retired_at=None).values("item_id")


def behind(project: Project, *, among: QuerySet[Any, Any], limit: int) -> list[ModelVersion]:
    """Versions of `among` (ids), newest first, that have not answered every live case."""
    answered = Prediction.objects.filter(version_id=OuterRef(OuterRef("pk")), item_id=OuterRef("item_id"))
    unanswered = RegressionCase.objects.filter(~Exists(answered), project=project, retired_at=None)
    return list(registry.versions(project).filter(Exists(unanswered), pk__in=among)[:limit])


def results(version: ModelVersion, cases: Sequence[RegressionCase]) -> list[CaseResult]:
    """What the version says to each case, in their order."""
    rows = Prediction.objects.filter(version=version, item__in=[case.item_id for case in cases])
    said = {row[0]: row[1:] for row in rows.values_list("item_id", "label_id", "value", "confidence")}
    into = successors(version.project_id)
    return [_result(case, said.get(case.item_id), into) for case in cases]


def _result(case: RegressionCase, answer: tuple[Any, ...] | None, into: Mapping[int, int]) -> CaseResult:
    if answer is None:
        return CaseResult(case, None, None, passed=False, known=False)
    label, value, confidence = answer
    said = label if value is None else value
    wanted = as_called_now(case.label_id or case.value, into)
    return CaseResult(case, said, confidence, passed=same_answer(as_called_now(said, into), wanted), known=True)


def same_answer(said: Any, expected: Any) -> bool:
    """The whole answer must be right: every label, or every span with its borders."""
    if not isinstance(said, dict) or not isinstance(expected, dict):
        return bool(said == expected)
    if "labels" in expected:
        return set(said.get("labels", ())) == set(expected["labels"])
    return _spans(said) == _spans(expected)


def _spans(answer: dict[str, Any]) -> set[tuple[int, int, int]]:
    return {(span["start"], span["end"], span["label"]) for span in answer.get("spans", ())}


def changes(candidate: ModelVersion, live: ModelVersion | None) -> CaseChanges | None:
    """What promoting the candidate would do to the regression cases; None where the project has none."""
    cases = list(live_cases(candidate.project))
    if not cases:
        return None
    now = results(candidate, cases)
    # with nothing live there is nothing to break
    then = results(live, cases) if live else [CaseResult(case, None, None, False, True) for case in cases]
    groups: dict[str, list[RegressionCase]] = {}
    for a, b in zip(then, now, strict=True):
        groups.setdefault(_group(a, b), []).append(b.case)
    ids = {name: tuple(case.pk for case in found) for name, found in groups.items()}
    return CaseChanges(
        **{name: ids.get(name, ()) for name in ("fixed", "broken", "failing", "passing", "unasked")},
        pinned_broken=sum(case.pinned for case in groups.get("broken", ())),
        pinned_unasked=sum(case.pinned for case in groups.get("unasked", ())),
        allowed=allowed_breaks(candidate.project),
    )


def _group(live: CaseResult, candidate: CaseResult) -> str:
    if not (live.known and candidate.known):
        return "unasked"
    if candidate.passed:
        return "passing" if live.passed else "fixed"
    return "broken" if live.passed else "failing"


@dataclass(frozen=True, slots=True)
class Standing:
    passed: int
    failed: tuple[RegressionCase, ...]
    unasked: int

    @property
    def total(self) -> int:
        return self.passed + len(self.failed) + self.unasked


def standing(version: ModelVersion) -> Standing | None:
    """How a version does on the regression cases of today; None where the project has none."""
    found = results(version, list(live_cases(version.project).select_related("ticket", "item", "label")))
    if not found:
        return None
    return Standing(
        passed=sum(row.passed for row in found),
        failed=tuple(row.case for row in found if row.known and not row.passed),
        unasked=sum(not row.known for row in found),
    )


def tickets_of_items(project: Project) -> dict[int, list[int]]:
    """Item → numbers of the tickets about it, without those that were put away."""
    rows = Ticket.objects.filter(project=project, item__isnull=False).exclude(state__in=PUT_AWAY)
    found: dict[int, list[int]] = {}
    for item, number in rows.order_by("number").values_list("item_id", "number"):
        found.setdefault(item, []).append(number)
    return found


@dataclass(frozen=True, slots=True)
class Settled:
    fixed: list[TicketMove]
    regressed: list[TicketMove]


@transaction.atomic
def after_deployment(deployment: Deployment) -> Settled:
    """Tickets follow what serves from now on; owners and the host product hear of it."""
    project, version, previous = deployment.project, deployment.version, deployment.previous
    payload = {
        "version": version.number,
        "previous": previous.number if previous else None,
        "kind": deployment.kind,
        "verdict": deployment.verdict.get("kind", ""),
        "cases": deployment.verdict.get("cases"),
        "why": deployment.why,
    }
    publish(project, "version.promoted", payload, key=f"version.promoted:{deployment.pk}", about="version")
    return settle(project, version)


@transaction.atomic
def settle(project: Project, version: ModelVersion) -> Settled:
    """Move the tickets whose cases the serving version passes or fails. Doing it again changes nothing."""
    found = Settled([], [])
    for ticket, rows in _by_ticket(project, version):
        if ticket.state in MENDED and all(row.passed for row in rows):
            found.fixed.extend(_moved(ticket, version, "ticket.fixed"))
        elif ticket.state == State.FIXED and any(row.known and not row.passed for row in rows):
            found.regressed.extend(_moved(ticket, version, "ticket.regressed"))
    _tell_owners(project, version, found.regressed)
    return found


def settle_due() -> None:
    """What came after a promotion: answers of what serves that were not there yet, and cases born since."""
    followed = RegressionCase.objects.filter(retired_at=None, ticket__state__in=(*MENDED, State.FIXED))
    for project in Project.objects.filter(archived_at=None, pk__in=followed.values("project_id")):
        if version := registry.live_version(project):
            settle(project, version)


def _by_ticket(project: Project, version: ModelVersion) -> list[tuple[Ticket, list[CaseResult]]]:
    followed = live_cases(project).filter(ticket__state__in=(*MENDED, State.FIXED))
    cases = list(followed.select_related("ticket__assignee", "ticket__project").order_by("ticket_id", "pk"))
    found: dict[Ticket, list[CaseResult]] = {}
    for row in results(version, cases):
        if row.case.ticket:
            found.setdefault(row.case.ticket, []).append(row)
    return list(found.items())


def _moved(ticket: Ticket, version: ModelVersion, event: str) -> list[TicketMove]:
    """A ticket that somebody moved in the meantime stays where they put it; the next look decides anew."""
    try:
        with transaction.atomic():
            move = tickets.fix(ticket, version) if event == "ticket.fixed" else tickets.regress(ticket, version)
    except DomainError as error:
        log.info("ticket %s stays where it is: %s", ticket.pk, error)
        return []
    payload = moving.payload(ticket, move) | {"version": version.number}
    publish(ticket.project, event, payload, key=f"{event}:{move.pk}")
    return [move]


def _tell_owners(project: Project, version: ModelVersion, moves: Sequence[TicketMove]) -> None:
    """One notice a person, however many tickets of theirs came back."""
    managers = _managers(project) if any(move.ticket.assignee is None for move in moves) else []
    owned: dict[User, list[TicketMove]] = {}
    for move in moves:
        for user in [move.ticket.assignee] if move.ticket.assignee else managers:
            owned.setdefault(user, []).append(move)
    for user, found in owned.items():
        _tell(user, project, version, found)


def _managers(project: Project) -> list[User]:
    """Those who triage; where nobody is product manager, the administrators."""
    members = Membership.objects.filter(project=project, user__is_active=True).select_related("user").order_by("pk")
    for role in (Role.PRODUCT_MANAGER, Role.ADMINISTRATOR):
        if found := [member.user for member in members.filter(role=role)]:
            return found
    return []


def _tell(user: User, project: Project, version: ModelVersion, moves: Sequence[TicketMove]) -> None:
    back = [move.ticket for move in moves]

    def title() -> str:
        if len(back) == 1:
            said = _("Ticket %(number)d came back with %(version)s")
            return said % {"number": back[0].number, "version": version}
        words = ngettext(
            "%(n)d ticket came back with %(version)s", "%(n)d tickets came back with %(version)s", len(back)
        )
        return words % {"n": len(back), "version": version}

    if len(back) == 1:
        url = moving.url_of(back[0])
    else:
        url = f"{reverse('triage', args=[project.slug])}?state={State.REGRESSED.value}"
    body = "\n".join(f"{ticket.number}: {ticket.text[:QUOTED]}".rstrip(": ") for ticket in back[:NAMED])
    tell([user], project=project, kind="regressed", title=title, body=body, url=url, key=f"regressed:{moves[0].pk}")
