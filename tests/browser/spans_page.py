"""Texts that are hard to mark, and what the label page of a spans project shows."""

import random
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from playwright.sync_api import Page

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Annotation, Task
from apps.annotation.services.values import text_hash
from apps.content.models import Item
from apps.projects.models import Label, Project
from tests.bench.server import ROOT

PAGE = "/p/bank/label/"
PIECES = (
    *("a", "bc ", "Zürich ", " ", ", ", "\n", "\r\n", "\r", "\t", "\u00a0", "\u2028", "\u200b", "\ufeff", "\u00ad"),
    *(
        "e\u0301",
        "o\u0302\u0323",
        "\u0301",
        "か\u3099",
        "𝒳",
        "𠮷野家",
        "北京大学",
        "，",
        "ไทย",
        "한국",
        "\u1112\u1161\u11ab",
    ),
    *("عربي ", "שלום ", "\u0600", "क्षत्रिय ", "நி", "क्\u200dष", "ක්\u200dෂ", "ক্ষ", "മ്യ", "്യ", "ၵ္ၵ", "\u1b05\u1b44\u1b13"),
    *("😀", "❤\ufe0f", "👍🏽", "\U0001f3fb", "👩\u200d👩\u200d👧\u200d👦", "\u200d", "1\ufe0f\u20e3"),
    *("🇩🇪", "🇫🇷", "🇯", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"),
)
MODEL = ("text", "model")


def hard_texts(n: int, *, seed: int, longest: int = 40) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(PIECES, k=rng.randint(1, longest))) for _ in range(n)]


def load_model(page: Page) -> None:
    """The model alone, on a page of nothing."""
    page.set_content("<p></p>")
    page.evaluate("window.Marginalia = { label: {} }")
    for part in MODEL:
        page.add_script_tag(path=str(ROOT / f"static/js/label_spans_{part}.js"))


def spans_project(project: Project, texts: Sequence[str], *, overlapping: bool = False) -> list[Task]:
    """The cast's project turned into one of spans, with these texts in its queue."""
    project.task_kind, project.overlapping, project.holdout_share = Project.TaskKind.SPANS, overlapping, 0.0
    project.save()
    project.labels.all().delete()
    names = ("person", "place", "organisation")
    Label.objects.bulk_create(
        Label(project=project, name=name, position=place, color=place) for place, name in enumerate(names, start=1)
    )
    items = Item.objects.bulk_create(
        Item(project=project, external_id=f"t{at}", text=text, split="pool", text_hash=bytes.fromhex(text_hash(text)))
        for at, text in enumerate(texts)
    )
    services.take_in(project)
    tasks = {task.item_id: task for task in Task.objects.filter(project=project).select_related("item")}
    return [tasks[item.pk] for item in items]


def handed_out(project: Project, user: User, *tasks: Task) -> None:
    """This person gets these texts first, in this order."""
    for at, task in enumerate(tasks):
        Task.objects.filter(pk=task.pk).update(rank=at)
    held = [lease.task_id for lease in services.claim(project, user)]
    assert held[: len(tasks)] == [task.pk for task in tasks][: len(held)]


def suggest(task: Task, *found: tuple[str, str]) -> None:
    """Words of the text with the names of their labels, as a version's prediction."""
    labels = dict(task.project.labels.values_list("name", "pk"))
    spans = [_span(task.item.text, words, labels[name]) | {"score": 0.8} for words, name in found]
    Task.objects.filter(pk=task.pk).update(suggestion={"version": 1, "spans": spans}, reason="uncertain", score=0.3)


def answered(project: Project, user: User, task: Task, *found: tuple[str, str]) -> Annotation:
    labels = dict(project.labels.values_list("name", "pk"))
    spans = [_span(task.item.text, words, labels[name]) for words, name in found]
    lease = next(lease for lease in services.claim(project, user) if lease.task_id == task.pk)
    value = {"spans": spans, "text_hash": text_hash(task.item.text)}
    services.submit(project, user, services.Answer(token=lease.token, key=uuid4(), value=value))
    return Annotation.objects.get(item=task.item)


def _span(text: str, words: str, label: int) -> dict[str, Any]:
    start = text.index(words)
    return {"start": start, "end": start + len(words), "label": label}


def stored(task: Task) -> list[tuple[str, str]]:
    """(label, quote) of the newest answer to a task's text, after a look at each quote in the text itself."""
    said = Annotation.objects.filter(item=task.item).order_by("-revision").first()
    assert said
    assert said.value is not None
    assert said.value["text_hash"] == text_hash(task.item.text)
    names = dict(Label.objects.values_list("pk", "name"))
    for span in said.value["spans"]:
        assert task.item.text[span["start"] : span["end"]] == span["quote"]
    return [(names[span["label"]], span["quote"]) for span in said.value["spans"]]


def marked(page: Page) -> list[str]:
    """What the list beside the text says."""
    script = """
      (rows) => rows.map((row) => {
        const [label, quote, state] = row.querySelector("button").children;
        return `${label.textContent} “${quote.textContent}”${state ? ` ${state.textContent}` : ""}`;
      })
    """
    found: list[str] = page.locator("#span-list li").evaluate_all(script)
    return found


def mouse_up(page: Page) -> None:
    """What was pulled over is taken over a moment later, after what this asks for was done."""
    page.mouse.up()
    page.evaluate("() => new Promise((done) => { setTimeout(done); })")
