"""Several labels and labelled spans on their way in: from the cell of a row to the truth of an item."""

import csv
import io
import json
from typing import Any

import pytest

from apps.accounts.models import User
from apps.annotation import exports, services
from apps.annotation.models import Resolution, Task
from apps.common.errors import InvalidInput
from apps.content import services as content
from apps.content import truths
from apps.content.guess import fields_of, guess_mapping
from apps.content.models import Item
from apps.content.refusal import Rejected
from apps.projects.models import Label, Project
from tests.content.make import imported, job_from, reasons


def spans(text: str, *given: Any) -> list[tuple[int, int, str, str]]:
    clean = text.replace("\r\n", "\n").replace("\r", "\n")
    found = truths.spans_of(list(given), text, clean)
    assert found is not None
    return [(span["start"], span["end"], span["label"], span["quote"]) for span in found["spans"]]


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("card|fee", ["card", "fee"]),
        ("card; fee ;card", ["card", "fee"]),
        ("card, fee", ["card", "fee"]),
        ("a, b | c", ["a, b", "c"]),
        ("lonely", ["lonely"]),
        ('["a, b", 7]', ["a, b", "7"]),
        (["x", "x", "y"], ["x", "y"]),
        ([], []),
        ("[]", []),
    ],
)
def test_labels_come_as_a_list_or_separated(cell: Any, names: list[str]) -> None:
    assert truths.labels_of(cell) == {"labels": names}


def test_an_empty_cell_is_no_answer_at_all() -> None:
    assert truths.labels_of("") is truths.labels_of(None) is truths.spans_of(" ", "x", "x") is None


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ({"a": 1}, "neither a list nor"),
        ("[broken", "neither a list nor"),
        ([None], "neither a string"),
        ([True], "neither a string"),
        ([" "], "no name"),
        (["x" * 121], "longer than 120"),
        (["a\x00"], "NUL"),
        ([str(n) for n in range(101)], "may have 100 labels"),
    ],
)
def test_bad_labels_are_refused_in_words(cell: Any, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        truths.labels_of(cell)


def test_offsets_count_code_points_and_the_quote_is_cut_from_the_text() -> None:
    text = "👩\u200d👩\u200d👧 to か\u3099 Ko\u0308ln"
    start = text.index("Ko")
    assert spans(text, [start, start + 5, "place"]) == [(start, start + 5, "place", "Ko\u0308ln")]
    assert spans(text, {"start": 0, "end": 5, "label": "who", "quote": text[:5]})[0][3] == text[:5]


def test_spans_move_with_the_line_ends_of_the_text() -> None:
    text = "one\r\ntwo\r\nthree\rfour"
    for word in ("one", "two", "three", "four"):
        at = text.index(word)
        assert [span[3] for span in spans(text, {"start": at, "end": at + len(word), "label": "n", "text": word})] == [
            word
        ]
    across = (text.index("two"), text.index("three") + 5)
    assert spans(text, [*across, "n", "two\r\nthree"]) == [(4, 13, "n", "two\nthree")]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([0, 99, "a"], "does not lie in the text, which has 12"),
        ([3, 3, "a"], "does not lie"),
        ([-1, 3, "a"], "does not lie"),
        (["0", 3, "a"], "whole numbers"),
        ([0, True, "a"], "whole numbers"),
        ([0, 3], "A span is"),
        ("0-3", "A span is"),
        ({"start": 0, "end": 3}, "neither a string"),
        ({"start": 0, "end": 3, "label": "a", "quote": "xyz"}, "reads “see”, not “xyz”"),
        ({"start": 0, "end": 3, "label": "a", "quote": 3}, "not a string"),
    ],
)
def test_bad_spans_are_refused_in_words(given: Any, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        spans("see you soon", given)


def test_overlapping_spans_are_refused_and_the_same_span_twice_is_one() -> None:
    with pytest.raises(Rejected, match="“see you” and “you” overlap"):
        spans("see you soon", [4, 7, "b"], [0, 7, "a"])
    assert len(spans("see you soon", [0, 3, "a"], {"start": 0, "end": 3, "label": "a"})) == 1
    assert [span[0] for span in spans("see you soon", [4, 7, "b"], [0, 4, "a"])] == [0, 4]


def test_half_a_line_end_is_no_span() -> None:
    with pytest.raises(Rejected, match="half of a line end"):
        spans("a\r\nb", [1, 2, "x"])


def test_a_project_has_the_truth_field_of_its_kind_alone() -> None:
    assert "labels" in fields_of("multi")
    assert "spans" not in fields_of("multi")
    assert guess_mapping(["text", "labels", "spans"], task_kind="multi") == {
        "text": "text",
        "labels": "labels",
        "meta": ["spans"],
    }
    assert guess_mapping(["text", "labels", "spans"], task_kind="spans")["spans"] == "spans"
    assert guess_mapping(["utterance", "tag"], task_kind="multi")["labels"] == "tag"


@pytest.fixture
def multi(project: Project) -> Project:
    project.task_kind, project.holdout_fraction = Project.TaskKind.MULTI, 0
    project.save()
    return project


@pytest.fixture
def marked(project: Project) -> Project:
    project.task_kind, project.holdout_fraction = Project.TaskKind.SPANS, 0
    project.save()
    return project


def lines(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def truth_of(text: str) -> Any:
    return Resolution.objects.get(item__text=text).value


def test_several_labels_arrive_as_truths_and_new_names_become_labels(multi: Project, alice: User) -> None:
    job = imported(
        multi,
        alice,
        lines(
            {"text": "a", "labels": ["card arrival", "brand new"]},
            {"text": "b", "labels": []},
            {"text": "c"},
            {"text": "d", "labels": {"no": 1}},
        ),
    )
    services.take_in(multi)
    assert list(reasons(job)) == [4]
    names = dict(Label.objects.filter(project=multi).values_list("pk", "name"))
    assert [names[pk] for pk in truth_of("a")["labels"]] == ["card arrival", "brand new"]
    assert truth_of("b") == {"labels": []}
    assert [task.item.text for task in Task.objects.filter(project=multi)] == ["c"]
    assert all(row.label_id is None and row.how == "imported" for row in Resolution.objects.all())


def test_a_column_of_a_csv_file_may_hold_several_labels(multi: Project, alice: User) -> None:
    imported(multi, alice, b"text,labels\nhello,card arrival|top up failed\nbye,exchange rate\n")
    services.take_in(multi)
    assert len(truth_of("hello")["labels"]) == 2
    assert len(truth_of("bye")["labels"]) == 1


def test_marked_spans_arrive_as_truths_with_their_quotes(marked: Project, alice: User) -> None:
    text = "Call me\r\nnext week 😀 at 9"
    at = text.index("next")
    job = imported(
        marked,
        alice,
        lines(
            {"text": text, "spans": [{"start": at, "end": at + 9, "label": "date", "text": "next week"}]},
            {"text": "nothing here", "spans": []},
            {"text": "wrong", "spans": [[0, 3, "date", "rong"]]},
        ),
    )
    services.take_in(marked)
    assert "reads “wro”" in reasons(job)[3]
    date = Label.objects.get(project=marked, name="date")
    stored = Item.objects.get(text__startswith="Call")
    (span,) = truth_of(stored.text)["spans"]
    assert span == {"start": 8, "end": 17, "label": date.pk, "quote": "next week"}
    assert stored.text[8:17] == "next week"
    assert truth_of("nothing here") == {"spans": []}


def test_spans_in_a_csv_file_count_the_characters_of_the_cell(marked: Project, alice: User) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["text", "spans"])
    writer.writerow(["first\r\nsecond", json.dumps([[7, 13, "ordinal", "second"]])])
    job = imported(marked, alice, out.getvalue().encode())
    services.take_in(marked)
    assert reasons(job) == {}
    assert truth_of("first\nsecond")["spans"][0]["start"] == 6


def test_closed_labels_refuse_an_unknown_one_among_several(multi: Project, alice: User) -> None:
    multi.labels_closed = True
    multi.save()
    job = imported(multi, alice, lines({"text": "a", "labels": ["card arrival", "unheard of"]}))
    assert "“unheard of” is unknown" in reasons(job)[1]


def test_a_name_that_is_gone_before_it_was_taken_in_makes_no_wrong_truth(multi: Project, alice: User) -> None:
    imported(multi, alice, lines({"text": "a", "labels": ["card arrival", "exchange rate"]}))
    Label.objects.filter(name="exchange rate").update(name="rates")
    services.take_in(multi)
    assert not Resolution.objects.exists()
    assert Task.objects.filter(project=multi).count() == 1


def test_the_mapping_refuses_the_truths_of_another_kind(project: Project, alice: User) -> None:
    with pytest.raises(InvalidInput, match="of another kind"):
        job_from(project, alice, lines({"text": "a", "spans": []}), {"text": "text", "spans": "spans"})


def test_items_of_one_call_bring_their_truths_along(multi: Project) -> None:
    done = content.add_items(multi, [{"text": "a", "labels": ["card arrival"]}, {"text": "b", "labels": 7}])
    services.take_in(multi)
    assert (done.added, [row.line for row in done.rejected]) == (1, [1])
    assert len(truth_of("a")["labels"]) == 1


def test_an_export_comes_back_as_the_same_truths(marked: Project, alice: User) -> None:
    given = [{"start": 5, "end": 9, "label": "date", "quote": "noon"}]
    imported(marked, alice, lines({"text": "From noon on", "spans": given}))
    services.take_in(marked)
    (line,) = b"".join(exports.stream(marked, exports.Choice())).splitlines()
    assert json.loads(line)["spans"] == given
    table = list(
        csv.DictReader(io.StringIO(b"".join(exports.stream(marked, exports.Choice("csv"))).decode("utf-8-sig")))
    )
    assert json.loads(table[0]["spans"]) == given
