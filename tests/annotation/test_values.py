"""Several labels and spans: what is stored, what is refused, and what several people's answers come to."""

import random
from typing import Any
from uuid import uuid4

import pytest
import regex
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Annotation, Lease, Resolution, Task
from apps.annotation.services import Answer, Conflict, TopChoice
from apps.annotation.services.truth import Opinion, decide
from apps.annotation.services.values import checked, text_hash
from apps.common.errors import DomainError, InvalidInput
from apps.content.models import Item
from apps.projects.models import Label, Project
from tests.annotation import make
from tests.conftest import ClientOf

TEXT = "Anna met Bob in Oslo"


@pytest.fixture
def labels(project: Project) -> list[int]:
    return list(project.labels.order_by("pk").values_list("pk", flat=True))


@pytest.fixture
def several(project: Project) -> Project:
    project.task_kind = Project.TaskKind.MULTI
    project.save()
    make.items(project, 4)
    services.take_in(project)
    return project


@pytest.fixture
def marked(project: Project) -> Project:
    project.task_kind = Project.TaskKind.SPANS
    project.save()
    Item.objects.create(project=project, external_id="a", text=TEXT, text_hash=b"a" * 32, split="pool")
    services.take_in(project)
    return project


def span(start: int, end: int, label: int, text: str = TEXT, **more: Any) -> dict[str, Any]:
    return {"start": start, "end": end, "label": label, "quote": text[start:end]} | more


# --- the form of a value


def test_labels_are_sorted_and_each_once_and_none_is_an_answer(several: Project, labels: list[int]) -> None:
    a, b, _c = labels
    assert checked(several, "", {"labels": [b, a, b]}) == {"labels": [a, b]}
    assert checked(several, "", {"labels": []}) == {"labels": []}


@pytest.mark.parametrize(
    "given",
    [None, [], "x", {}, {"labels": None}, {"labels": 3}, {"labels": ["1"]}, {"labels": [True]}, {"labels": [2**70]}],
)
def test_what_is_no_list_of_labels_is_refused_in_words(several: Project, given: Any) -> None:
    with pytest.raises(InvalidInput):
        checked(several, "", given)


def test_archived_and_foreign_labels_are_refused(several: Project, marked: Project, labels: list[int]) -> None:
    elsewhere = Project.objects.create(slug="other", name="Other", encoder="char-ngrams")
    foreign = Label.objects.create(project=elsewhere, name="foreign")
    Label.objects.filter(pk=labels[0]).update(archived_at=timezone.now())
    for label in (foreign.pk, labels[0]):
        with pytest.raises(InvalidInput):
            checked(several, "", {"labels": [label, labels[1]]})
        with pytest.raises(InvalidInput):
            checked(marked, TEXT, {"spans": [span(0, 4, label)]})


def test_spans_come_back_by_place_with_quotes_and_the_texts_hash(marked: Project, labels: list[int]) -> None:
    a, b, _c = labels
    plain = [
        {"start": 9, "end": 12, "label": b},
        {"start": 0, "end": 4, "label": a},
        {"start": 0, "end": 4, "label": a},
    ]
    value = checked(marked, TEXT, {"spans": plain, "text_hash": text_hash(TEXT)})
    assert value == {"spans": [span(0, 4, a), span(9, 12, b)], "text_hash": text_hash(TEXT)}
    assert checked(marked, TEXT, value) == value
    assert checked(marked, TEXT, {"spans": [span(0, 4, a)]})["spans"] == [span(0, 4, a)]
    assert checked(marked, TEXT, {"spans": []}) == {"spans": [], "text_hash": text_hash(TEXT)}


def test_wrong_spans_are_refused(marked: Project, labels: list[int]) -> None:
    a = labels[0]
    wrong: list[dict[str, Any]] = [
        {"spans": [span(0, 4, a, quote="Bob")]},
        {"spans": [span(0, 4, a)], "text_hash": text_hash("another text")},
        {"spans": [{"start": 0, "end": 4, "label": a}]},  # nothing proves that it is this text
        {"spans": [span(4, 4, a)]},
        {"spans": [span(-1, 4, a)]},
        {"spans": [span(18, 21, a, quote="slo")]},
        {"spans": [span(0, 4, a) | {"start": 0.0}]},
        {"spans": [span(0, 4, a) | {"start": False}]},
        {"spans": [span(0, 4, a) | {"label": str(a)}]},
        {"spans": [span(0, 4, a), span(2, 8, a)]},
        {"spans": [7]},
        {"spans": {}},
        {"spans": [span(0, 4, a)] * 2001},
    ]
    for given in wrong:
        with pytest.raises(InvalidInput):
            checked(marked, TEXT, given)
    marked.overlapping = True
    nested = checked(marked, TEXT, {"spans": [span(2, 8, a), span(0, 12, a), span(0, 4, a), span(0, 4, labels[1])]})
    assert [(one["start"], one["end"]) for one in nested["spans"]] == [(0, 4), (0, 4), (0, 12), (2, 8)]


PIECES = [
    *("a", "Z", " ", "\n", "é", "e\u0301", "a\u0323\u0302", "か\u3099", "ß", "ﬁ"),
    *(
        "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
        "\U0001f44d\U0001f3fd",
        "\U0001f3f4\u200d\u2620\ufe0f",
    ),
    *("\U0001f1e9\U0001f1ea", "\U0001f1fa\U0001f1f8", "1\ufe0f\u20e3", "\U0001f4a9", "\u2764\ufe0f", "#"),
    *("汉", "字", "𠮷", "野", "한국", "각", "क्षि", "นี่", "ﷺ", "שָׁלוֹם", "مَرْحَبًا", "\u202eabc\u202c", "\u200f"),
]


@pytest.mark.parametrize("seed", range(40))
def test_on_any_text_whole_characters_are_stored_as_python_slices_them_and_parts_of_characters_are_refused(
    marked: Project, labels: list[int], seed: int
) -> None:
    draw = random.Random(seed)
    marked.overlapping = True
    text = "".join(draw.choice(PIECES) for _ in range(draw.randrange(1, 60)))
    stops = [0, *(match.end() for match in regex.finditer(r"\X", text))]
    for _ in range(20):
        start, end = sorted(draw.sample(range(len(text) + 1), 2))
        given = {"spans": [span(start, end, labels[0], text)], "text_hash": text_hash(text)}
        if start in stops and end in stops:
            (stored,) = checked(marked, text, given)["spans"]
            assert stored["quote"] == text[stored["start"] : stored["end"]] == text[start:end]
        else:
            with pytest.raises(InvalidInput):
                checked(marked, text, given)


@pytest.mark.parametrize(
    ("character", "points"),
    [
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", 7),  # a family
        ("\U0001f1e9\U0001f1ea", 2),  # a flag
        ("か\u3099", 2),
        ("e\u0301", 2),
        ("1\ufe0f\u20e3", 3),
    ],
)
def test_an_end_inside_one_visible_character_is_refused(
    marked: Project, labels: list[int], character: str, points: int
) -> None:
    text = f"x{character}y"
    whole = {"spans": [span(1, 1 + points, labels[0], text)]}
    assert checked(marked, text, whole)["spans"][0]["quote"] == character
    for inside in range(2, 1 + points):
        for start, end in ((1, inside), (inside, 1 + points), (0, inside)):
            with pytest.raises(InvalidInput):
                checked(marked, text, {"spans": [span(start, end, labels[0], text)]})


def test_two_flags_in_a_row_part_between_the_flags(marked: Project, labels: list[int]) -> None:
    text = "\U0001f1e9\U0001f1ea\U0001f1fa\U0001f1f8"
    assert checked(marked, text, {"spans": [span(2, 4, labels[0], text)]})
    with pytest.raises(InvalidInput):
        checked(marked, text, {"spans": [span(1, 3, labels[0], text)]})


# --- submit, revise, undo


def test_several_labels_become_the_truth_and_undo_takes_them_back(
    several: Project, bob: User, labels: list[int]
) -> None:
    a, b, c = labels
    lease = services.claim(several, bob)[0]
    answer = Answer(lease.token, uuid4(), value={"labels": [b, a]})
    said = services.submit(several, bob, answer).annotation
    assert (said.label_id, said.value, said.outcome) == (None, {"labels": [a, b]}, "scratch")
    assert services.submit(several, bob, answer).kept_as == "repeat"
    truth = Resolution.objects.get()
    assert (truth.label_id, truth.value, truth.how) == (None, {"labels": [a, b]}, "single")
    services.revise(several, bob, said.item_id, uuid4(), value={"labels": []})
    assert Resolution.objects.get().value == {"labels": []}
    services.revise(several, bob, said.item_id, uuid4(), value={"labels": [c]})
    services.undo(several, bob)
    assert not Resolution.objects.exists()
    newest = Annotation.objects.order_by("-revision")[0]
    assert (newest.retracted, newest.value) == (True, {"labels": [c]})


def test_spans_become_the_truth_with_their_quotes(marked: Project, bob: User, labels: list[int]) -> None:
    (lease,) = services.claim(marked, bob)
    spans = [{"start": 0, "end": 4, "label": labels[0]}]
    value = {"spans": spans, "text_hash": text_hash(TEXT)}
    said = services.submit(marked, bob, Answer(lease.token, uuid4(), value=value)).annotation
    assert said.value == {"spans": [span(0, 4, labels[0])], "text_hash": text_hash(TEXT)}
    assert Resolution.objects.get().value == {"spans": [span(0, 4, labels[0])]}


def test_a_label_is_no_answer_among_values_and_a_value_none_among_labels(
    several: Project, bob: User, labels: list[int]
) -> None:
    lease = services.claim(several, bob)[0]
    for wrong in (Answer(lease.token, uuid4(), labels[0]), Answer(lease.token, uuid4())):
        with pytest.raises(InvalidInput):
            services.submit(several, bob, wrong)
    several.task_kind = Project.TaskKind.SINGLE
    with pytest.raises(InvalidInput):
        services.submit(several, bob, Answer(lease.token, uuid4(), value={"labels": []}))
    assert not Annotation.objects.exists()


def test_an_answer_that_equals_the_suggestion_was_accepted(several: Project, bob: User, labels: list[int]) -> None:
    a, b, c = labels
    shown = {"head": 1, "labels": [a, b, c], "probabilities": [0.9, 0.6, 0.2], "thresholds": [0.5, 0.5, 0.1]}
    services.set_top(several, [TopChoice(item.pk, "uncertain", 0.1, shown) for item in several.items.all()])
    given = ([c, b, a], [a, b], [])
    outcomes = []
    for lease, said in zip(services.claim(several, bob, ahead=3), given, strict=True):
        outcomes.append(
            services.submit(several, bob, Answer(lease.token, uuid4(), value={"labels": said})).annotation.outcome
        )
    assert outcomes == ["accepted", "corrected", "corrected"]


def test_suggested_spans_are_accepted_when_exactly_those_are_sent(
    marked: Project, bob: User, labels: list[int]
) -> None:
    shown = {"version": 3, "spans": [{"start": 0, "end": 4, "label": labels[0], "score": 0.8}]}
    services.set_top(marked, [TopChoice(Item.objects.get().pk, "uncertain", 0.1, shown)])
    (lease,) = services.claim(marked, bob)
    value = {"spans": [span(0, 4, labels[0])]}
    said = services.submit(marked, bob, Answer(lease.token, uuid4(), value=value)).annotation
    assert (said.outcome, said.shown) == ("accepted", shown)
    changed = services.revise(marked, bob, said.item_id, uuid4(), value={"spans": [span(0, 4, labels[1])]})
    assert changed.outcome == "corrected"


def test_cannot_decide_is_an_opinion_without_an_answer(project: Project, bob: User, rita: User) -> None:
    project.undecided_reasons, project.wanted = ["unclear", "needs an expert"], 2
    project.save()
    make.items(project, 1)
    services.take_in(project)
    label = project.labels.all()[0].pk
    (lease,) = services.claim(project, bob)
    for wrong in (
        Answer(lease.token, uuid4(), undecided="tired"),
        Answer(lease.token, uuid4(), label, undecided="unclear"),
    ):
        with pytest.raises(InvalidInput):
            services.submit(project, bob, wrong)
    said = services.submit(project, bob, Answer(lease.token, uuid4(), undecided="unclear")).annotation
    assert (said.undecided, said.label_id) == ("unclear", None)
    make.answer_next(project, rita, label)
    truth = Resolution.objects.get()
    assert (truth.label_id, truth.how, truth.agreement) == (label, "consensus", 0.5)
    services.revise(project, rita, said.item_id, uuid4(), undecided="unclear")
    assert not Resolution.objects.exists()
    assert Task.objects.get().state == "done"


def test_a_form_from_before_another_answer_meets_a_conflict_with_both_versions(several: Project, bob: User) -> None:
    a, b, c = several.labels.order_by("pk").values_list("pk", flat=True)
    lease = services.claim(several, bob)[0]
    first = services.submit(several, bob, Answer(lease.token, uuid4(), value={"labels": [a]}, base=0)).annotation
    stale = Answer(lease.token, uuid4(), value={"labels": [b]}, base=0)
    with pytest.raises(Conflict) as conflict:
        services.submit(several, bob, stale)
    assert (conflict.value.status, conflict.value.stored) == (409, first)
    second = services.revise(several, bob, first.item_id, uuid4(), value={"labels": [c]}, base=1)
    with pytest.raises(Conflict) as conflict:
        services.revise(several, bob, first.item_id, uuid4(), value={"labels": [b]}, base=1)
    assert conflict.value.stored == second
    assert Annotation.objects.count() == 2
    assert Resolution.objects.get().value == {"labels": [c]}


def test_after_an_undo_the_same_form_answers_anew(several: Project, bob: User, labels: list[int]) -> None:
    lease = services.claim(several, bob)[0]
    services.submit(several, bob, Answer(lease.token, uuid4(), value={"labels": labels[:1]}, base=0))
    back = services.undo(several, bob)
    assert back is not None
    said = services.submit(several, bob, Answer(back.token, uuid4(), value={"labels": []}, base=0)).annotation
    assert said.revision == 3


def test_the_api_takes_values_and_tells_of_a_conflict_what_is_stored(
    several: Project, bob: User, client_of: ClientOf, labels: list[int]
) -> None:
    client, lease = client_of(bob), services.claim(several, bob)[0]
    url = f"/api/v1/projects/{several.slug}/"

    def post(path: str, **body: Any) -> Any:
        return client.post(url + path, {"key": str(uuid4())} | body, content_type="application/json")

    done = post("submit/", token=str(lease.token), value={"labels": labels[:2]}, base=0)
    assert done.json()["annotation"]["value"] == {"labels": labels[:2]}
    again = post("submit/", token=str(lease.token), value={"labels": []}, base=0)
    assert (again.status_code, again.json()["stored"]["value"]) == (409, {"labels": labels[:2]})
    changed = post("revise/", item=lease.task.item_id, value={"labels": []}, base=1)
    assert (changed.status_code, changed.json()["revision"]) == (200, 2)
    stale = post("revise/", item=lease.task.item_id, value={"labels": labels}, base=1)
    assert (stale.status_code, stale.json()["stored"]["revision"]) == (409, 2)
    for wrong in ({"labels": ["a"]}, [], 3, {"labels": [2**80]}):
        assert post("submit/", token=str(lease.token), value=wrong).status_code == 422


def test_the_page_takes_several_labels_and_an_explicit_none(
    several: Project, bob: User, client_of: ClientOf, labels: list[int]
) -> None:
    client, url = client_of(bob), f"/p/{several.slug}/label/submit/"

    def answer(**fields: Any) -> int:
        lease = services.claim(several, bob)[0]
        return client.post(url, {"token": lease.token, "key": uuid4(), "base": 0} | fields).status_code

    assert answer() == 422
    assert answer(labels=labels[:1], none="on") == 422
    assert answer(labels=["x"]) == 422
    assert not Annotation.objects.exists()
    assert answer(labels=labels[1:]) == 302
    assert answer(none="on") == 302
    assert [said.value for said in Annotation.objects.order_by("pk")] == [{"labels": labels[1:]}, {"labels": []}]


def test_the_page_takes_spans_as_json(marked: Project, bob: User, client_of: ClientOf, labels: list[int]) -> None:
    client, url = client_of(bob), f"/p/{marked.slug}/label/submit/"
    token = Lease.objects.get(pk=services.claim(marked, bob)[0].pk).token
    spans = f'[{{"start": 9, "end": 12, "label": {labels[0]}}}]'

    def answer(spans: str, text_hash: str) -> int:
        fields = {"token": token, "key": uuid4(), "spans": spans, "text_hash": text_hash}
        return client.post(url, fields, headers={"HX-Request": "true"}).status_code

    assert answer("not json", text_hash(TEXT)) == 422
    assert answer(spans, "0" * 64) == 422
    assert answer(spans, "") == 422
    assert answer(spans, text_hash(TEXT)) == 200
    assert Resolution.objects.get().value == {"spans": [span(9, 12, labels[0])]}


# --- several people


def said_by(*values: dict[str, Any] | None) -> list[Opinion]:
    return [Opinion(place, None, value) for place, value in enumerate(values)]


def test_a_label_stays_when_more_than_half_give_it() -> None:
    opinions = said_by({"labels": [1, 2]}, {"labels": [1, 3]}, {"labels": [2, 1]})
    verdict = decide(opinions, wanted=3, most=6)
    assert (verdict.done, verdict.how, verdict.value) == (True, "consensus", {"labels": [1, 2]})
    assert verdict.agreement == pytest.approx((1 + 0.5 + 1) / 3, abs=1e-4)


def test_people_with_nothing_in_common_ask_one_more_and_most_saying_none_is_an_answer() -> None:
    apart = said_by({"labels": [1]}, {"labels": [2]})
    assert decide(apart, wanted=2, most=5).wanted == 3
    assert decide(apart, wanted=2, most=2).value is None
    assert decide(apart, wanted=2, most=2).done
    nothing = decide(said_by({"labels": []}, {"labels": []}, {"labels": [4]}), wanted=3, most=6)
    assert (nothing.value, nothing.agreement) == ({"labels": []}, pytest.approx(2 / 3, abs=1e-4))
    assert decide(said_by({"labels": []}, {"labels": [1]}), wanted=2, most=5).wanted == 3


def test_a_span_stays_when_more_than_half_mark_it_exactly() -> None:
    first, longer, other = span(0, 4, 1), span(0, 8, 1), span(9, 12, 2)
    verdict = decide(
        said_by({"spans": [first, other]}, {"spans": [longer, other]}, {"spans": [first]}), wanted=3, most=6
    )
    assert verdict.value == {"spans": [first, other]}
    assert verdict.agreement == pytest.approx((1 + 0.5 + 2 / 3) / 3, abs=1e-4)


def test_the_share_that_says_the_same_is_written_beside_the_truth(
    several: Project, bob: User, rita: User, alice: User, labels: list[int]
) -> None:
    Task.objects.update(wanted=3)
    item = several.items.order_by("pk")[0]
    Task.objects.exclude(item=item).delete()
    for user, said in ((bob, labels[:2]), (rita, labels[:1]), (alice, labels[:1])):
        (lease,) = services.claim(several, user)
        services.submit(several, user, Answer(lease.token, uuid4(), value={"labels": said}))
    truth = Resolution.objects.get()
    assert (truth.value, truth.how) == ({"labels": labels[:1]}, "consensus")
    assert truth.agreement == pytest.approx((2 / 3 + 1 + 1) / 3, abs=1e-4)


def test_a_truth_from_before_stands_until_those_asked_anew_have_one(
    project: Project, bob: User, rita: User, alice: User
) -> None:
    (item,) = make.items(project, 1)
    services.take_in(project)
    first, second = project.labels.all()[:2]
    make.answer_next(project, bob, first.pk)
    task = services.ask(project, item, reason=Task.Reason.CHOSEN)
    Task.objects.filter(pk=task.pk).update(wanted=2)
    make.answer_next(project, rita, second.pk)
    assert Resolution.objects.get().label_id == first.pk
    make.answer_next(project, alice, second.pk)
    assert (Resolution.objects.get().label_id, Resolution.objects.get().how) == (second.pk, "consensus")
    services.undo(project, alice)
    assert not Resolution.objects.exists(), "what the undone answer had decided is open again"


def test_an_answer_to_nothing_is_refused_and_revise_needs_one_to_change(several: Project, bob: User) -> None:
    with pytest.raises(DomainError):
        services.revise(several, bob, several.items.all()[0].pk, uuid4(), value={"labels": []}, base=0)
