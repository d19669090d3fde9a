from collections.abc import Callable

import pytest

from apps.accounts.models import User
from apps.common.errors import DomainError, InvalidInput
from apps.feedback.models import RegressionCase, Ticket, TicketMove
from apps.feedback.services import outcomes, tickets
from apps.learning.models import Repredict
from apps.learning.services import evaluation, versions
from apps.notices.models import Delivery, Notice, Webhook
from apps.projects.models import Membership, Project
from apps.registry import queries as registry
from apps.registry.models import Deployment, ModelVersion
from tests.learning.cases import State, answer, case, state_of
from tests.learning.teach import make_version, predict
from tests.learning.test_promote import race


@pytest.fixture
def pair(project: Project, alice: User) -> tuple[ModelVersion, ModelVersion]:
    """v1 serves, v2 waits."""
    first, second = make_version(project, 1), make_version(project, 2)
    versions.promote(project, first, by=alice)
    return first, second


# --- tickets follow what serves ------------------------------------------------------------------------------
def test_a_promotion_fixes_the_tickets_whose_cases_pass(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    live, candidate = pair
    fixed, failing, new = case(project, 1), case(project, 2), case(project, 3, state=State.NEW)
    answer(live, [], [fixed, failing, new])
    answer(candidate, [fixed, new], [failing])
    versions.promote(project, candidate, by=alice)
    assert [state_of(row) for row in (fixed, failing, new)] == [State.FIXED, State.CONFIRMED, State.NEW]
    ticket = Ticket.objects.get(number=1)
    assert ticket.fixed_in == candidate
    assert TicketMove.objects.get(ticket=ticket).action == "fix"


def test_a_ticket_with_two_cases_is_fixed_only_by_a_version_that_passes_both(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    live, candidate = pair
    first, second = case(project, 1), case(project, 2)
    RegressionCase.objects.filter(pk=second.pk).update(ticket=first.ticket)
    answer(live, [], [first, second])
    answer(candidate, [first], [second])
    versions.promote(project, candidate, by=alice)
    assert state_of(first) == State.CONFIRMED
    third = make_version(project, 3)
    answer(third, [first, second])
    versions.promote(project, third, by=alice)
    assert state_of(first) == State.FIXED


def broken_by_v2(project: Project, pair: tuple[ModelVersion, ModelVersion], n: int = 1) -> list[RegressionCase]:
    """Tickets that v1 fixed and v2 fails."""
    rows = [case(project, number, state=State.FIXED) for number in range(1, n + 1)]
    answer(pair[0], rows)
    answer(pair[1], [], rows)
    return rows


def test_a_version_that_merely_exists_turns_no_ticket(
    project: Project, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    (row,) = broken_by_v2(project, pair)
    outcomes.settle_due()
    assert state_of(row) == State.FIXED
    found = evaluation.compare(pair[1], pair[0]).cases
    assert found
    assert found.broken == (row.pk,)


def test_a_serving_version_that_fails_turns_the_ticket_and_its_assignee_is_told(
    project: Project, alice: User, dana: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    (row,) = broken_by_v2(project, pair)
    Ticket.objects.update(assignee=dana)
    versions.promote(project, pair[1], by=alice, why="the old one is down")
    assert state_of(row) == State.REGRESSED
    notice = Notice.objects.get()
    assert (notice.user, notice.kind, notice.title) == (dana, "regressed", "Ticket 1 came back with v2")
    assert "complaint 1" in notice.body


def test_without_an_assignee_the_product_managers_are_told_once_however_many_came_back(
    project: Project, alice: User, dana: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    broken_by_v2(project, pair, 3)
    versions.promote(project, pair[1], by=alice, why="the old one is down")
    notice = Notice.objects.get()
    assert (notice.user, notice.title) == (dana, "3 tickets came back with v2")


def test_without_a_product_manager_the_administrators_are_told(
    project: Project, alice: User, vic: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    broken_by_v2(project, pair)
    versions.promote(project, pair[1], by=alice, why="the old one is down")
    assert [notice.user for notice in Notice.objects.all()] == [alice]


def test_a_manager_reads_of_it_in_their_language(
    project: Project, alice: User, dana: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    broken_by_v2(project, pair, 2)
    User.objects.filter(pk=dana.pk).update(language="zh-hans")
    versions.promote(project, pair[1], by=alice, why="the old one is down")
    assert "v2" in Notice.objects.get().title


def test_the_host_product_hears_of_promotions_fixes_and_regressions(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    events = ["version.promoted", "ticket.fixed", "ticket.regressed"]
    Webhook.objects.create(project=project, url="https://example.org/hook", events=events)
    live, candidate = pair
    mended, broken = case(project, 1), case(project, 2, state=State.FIXED)
    answer(live, [broken], [mended])
    answer(candidate, [mended], [broken])
    versions.promote(project, candidate, by=alice, why="needed")
    sent = {row.event: row.payload for row in Delivery.objects.all()}
    assert set(sent) == set(events)
    assert (sent["version.promoted"]["version"], sent["version.promoted"]["previous"]) == (2, 1)
    assert sent["version.promoted"]["cases"]["broken"] == [broken.pk]
    assert (sent["ticket.fixed"]["number"], sent["ticket.regressed"]["number"]) == (1, 2)
    assert not any("complaint" in str(payload) for payload in sent.values())  # no texts leave


def test_settling_again_moves_nothing_and_tells_nobody(
    project: Project, alice: User, dana: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    broken_by_v2(project, pair)
    row = versions.promote(project, pair[1], by=alice, why="the old one is down")
    moves, notices = TicketMove.objects.count(), Notice.objects.count()
    assert outcomes.after_deployment(row).regressed == []
    outcomes.settle_due()
    assert (TicketMove.objects.count(), Notice.objects.count()) == (moves, notices)


def test_an_answer_that_comes_after_the_promotion_still_counts(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    late, soon = case(project, 1), case(project, 2, state=State.FIXED)
    versions.promote(project, pair[1], by=alice, why="it cannot wait")
    assert (state_of(late), state_of(soon)) == (State.CONFIRMED, State.FIXED)
    answer(pair[1], [late], [soon])
    outcomes.settle_due()
    assert (state_of(late), state_of(soon)) == (State.FIXED, State.REGRESSED)


def test_a_ticket_that_came_back_is_fixed_again_by_a_better_version(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    (row,) = broken_by_v2(project, pair)
    versions.promote(project, pair[1], by=alice, why="the old one is down")
    third = make_version(project, 3)
    answer(third, [row])
    versions.promote(project, third, by=alice)
    assert state_of(row) == State.FIXED
    assert Ticket.objects.get().fixed_in == third


def test_one_ticket_that_refuses_to_move_does_not_stop_the_promotion(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn, willing = case(project, 1), case(project, 2)
    answer(pair[0], [], [stubborn, willing])
    answer(pair[1], [stubborn, willing])
    fix: Callable[[Ticket, ModelVersion], TicketMove] = tickets.fix

    def refuse(ticket: Ticket, version: ModelVersion) -> TicketMove:
        if ticket.number == 1:
            raise DomainError("somebody moved it")
        return fix(ticket, version)

    monkeypatch.setattr(tickets, "fix", refuse)
    versions.promote(project, pair[1], by=alice)
    assert (state_of(stubborn), state_of(willing)) == (State.CONFIRMED, State.FIXED)


def test_a_refused_promotion_leaves_no_trace(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    broken_by_v2(project, pair)
    with pytest.raises(InvalidInput):
        versions.promote(project, pair[1], by=alice)
    assert Deployment.objects.count() == 1
    assert not TicketMove.objects.exists()
    assert not Repredict.objects.filter(version=pair[1]).exists()


@pytest.mark.django_db(transaction=True)
def test_two_promotions_at_once_leave_tickets_as_the_one_that_serves_has_them(
    project: Project, alice: User, bob: User
) -> None:
    Membership.objects.filter(user=bob).update(role="administrator")
    first, second, third = (make_version(project, number) for number in (1, 2, 3))
    versions.promote(project, first, by=alice)
    a, b = case(project, 1), case(project, 2)
    answer(first, [], [a, b])
    answer(second, [a], [b])
    answer(third, [b], [a])
    said = race(
        lambda: versions.promote(project, second, by=alice, seen=1),
        lambda: versions.promote(project, third, by=bob, seen=1),
    )
    assert said.count("done") == 1
    serving = registry.live_version(project)
    expected = (State.FIXED, State.CONFIRMED) if serving == second else (State.CONFIRMED, State.FIXED)
    assert (state_of(a), state_of(b)) == expected
    assert TicketMove.objects.count() == 1


def test_a_verdict_on_what_no_longer_serves_is_not_acted_on(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody promotes v3 between the comparison with v1 and the decision for v2."""
    third = make_version(project, 3)
    compare = evaluation.compare

    def meanwhile(candidate: ModelVersion, live: ModelVersion | None) -> evaluation.Comparison:
        verdict = compare(candidate, live)
        Deployment.objects.create(project=project, version=third, previous=live, kind="promote", sequence=2)
        return verdict

    monkeypatch.setattr(evaluation, "compare", meanwhile)
    with pytest.raises(DomainError, match="Somebody else"):
        versions.promote(project, pair[1], by=alice)


def test_cases_of_another_project_have_no_say(project: Project, alice: User) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder=project.encoder)
    for label in project.labels.all():
        other.labels.create(name=label.name, position=label.position, color=label.color)
    theirs = case(other, 1)
    version = make_version(project, 1)
    versions.promote(project, version, by=alice)
    predict(version, {theirs.item_id: version.label_order[0][0]})
    assert outcomes.changes(version, None) is None
    outcomes.settle_due()
    assert state_of(theirs) == State.CONFIRMED
