"""The explorer's filters as SQL over content_item i.

Every filter has an index in the order of the pages (annotation 0013, content 0006) and is a join of at most one row an
item wherever it can be: so the database may begin at the selective side and still stop after one page.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.content import search
from apps.projects.models import Project

Range = tuple[float | None, float | None]
ANY: Range = (None, None)


@dataclass(frozen=True)
class Filters:
    """Everything empty: all items that are not archived."""

    q: str = ""
    labelled: bool | None = None
    label: int | None = None  # the truth is this one, or has it in it
    group: tuple[int, ...] = ()  # or one of these, too
    version: int | None = None  # id of the version that is meant by the next four
    predicted: int | None = None  # label id
    against: int | None = None  # id of a version that says something else
    confidence: Range = ANY
    margin: Range = ANY
    reason: str = ""
    annotator: int | None = None
    came: tuple[datetime | None, datetime | None] = (None, None)
    decided: tuple[datetime | None, datetime | None] = (None, None)  # when the truth became what it is
    source: int | None = None  # id of the import
    language: str = ""
    meta: tuple[str, str] | None = None  # name, value
    agreement: Range = ANY
    flagged: bool = False
    undecided: bool = False
    disputed: bool = False
    gold: bool = False
    feedback: bool = False
    split: str = ""
    archived: str = ""  # only, with
    among: tuple[int, ...] | None = None  # item ids: an area of the map, rows that were ticked

    @property
    def asks_the_model(self) -> bool:
        ranges = (self.confidence, self.margin)
        return self.predicted is not None or self.against is not None or any(each != ANY for each in ranges)


@dataclass(frozen=True)
class Order:
    """`column` before the item's id; empty: by id alone, which is the order of arrival."""

    column: str = ""
    join: str = ""
    down: bool = False
    needs_model: bool = False
    cast: str = "::float8"  # of the column's value in a page mark

    @property
    def sql(self) -> str:
        way = " DESC" if self.down else ""
        return f"{self.column}{way}, {self.key}{way}" if self.column else f"{self.key}{way}"

    @property
    def by_day(self) -> bool:
        return self.cast == "::timestamptz"

    @property
    def key(self) -> str:
        """The joined table's own column, so that its index gives the order."""
        return f"{self.join}.item_id" if self.join else "i.id"


ORDERS = {
    "newest": Order(down=True),
    "oldest": Order(),
    "unsure": Order("p.confidence", "p", needs_model=True),
    "margin": Order("p.margin", "p", needs_model=True),
    "agreement": Order("r.agreement", "r"),
}
# between two days: by the day itself, or the database would pass over everything that came later
BY_DAY = {
    "newest": Order("i.created_at", down=True, cast="::timestamptz"),
    "oldest": Order("i.created_at", cast="::timestamptz"),
}
_JOINS = {
    "r": "JOIN annotation_resolution r ON r.item_id = i.id",
    "p": "JOIN annotation_prediction p ON p.item_id = i.id AND p.version_id = %(version)s",
    "o": "JOIN annotation_prediction o ON o.item_id = i.id AND o.version_id = %(against)s",
    # the first revision stands for all: one row an item and person
    "a": "JOIN annotation_annotation a ON a.item_id = i.id AND a.annotator_id = %(annotator)s AND a.revision = 1",
    "e": "JOIN content_searchentry e ON e.item_id = i.id",
    "g": "JOIN annotation_gold g ON g.item_id = i.id AND g.retired_at IS NULL",
}
# a hold-out item is labelled blind: until it has its truth, nothing may tell what a model thinks of it
_OPEN_TO_SEE = "(i.split = 'pool' OR EXISTS (SELECT 1 FROM annotation_resolution b WHERE b.item_id = i.id))"
_STANDING = """EXISTS (
    SELECT 1 FROM annotation_annotation s
    WHERE s.item_id = i.id AND s.project_id = %(project)s AND {mark} AND NOT s.retracted AND NOT EXISTS (
        SELECT 1 FROM annotation_annotation l
        WHERE l.item_id = s.item_id AND l.annotator_id = s.annotator_id AND l.revision > s.revision))"""
_DISPUTED = """(i.id IN (
    SELECT item_id FROM annotation_resolution WHERE project_id = %(project)s AND agreement < 1
    UNION SELECT item_id FROM quality_adjudication WHERE project_id = %(project)s AND state = 'open'))"""
# what people merely did with an answer is no feedback on it (Signal.BEHAVIOUR)
_FEEDBACK = """i.id IN (
    SELECT item_id FROM feedback_ticket WHERE project_id = %(project)s AND item_id IS NOT NULL
    UNION SELECT item_id FROM feedback_signal WHERE project_id = %(project)s AND item_id IS NOT NULL
          AND kind NOT IN ('shown', 'clicked', 'accepted', 'dismissed', 'dwell'))"""
_SPANS = " OR ".join(
    f"jsonb_path_query_array(p.value, '$.spans[*].{part}') <> jsonb_path_query_array(o.value, '$.spans[*].{part}')"
    for part in ("start", "end", "label")
)
_CHANGED = {
    Project.TaskKind.MULTI: "(p.value -> 'labels') IS DISTINCT FROM (o.value -> 'labels')",
    Project.TaskKind.SPANS: f"({_SPANS})",
}


@dataclass
class Statement:
    joins: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def join(self, name: str) -> None:
        if name not in self.joins:
            self.joins.append(name)

    def only(self, condition: str, **values: Any) -> None:
        self.where.append(condition)
        self.values |= values

    def between(self, column: str, limits: tuple[Any, Any], *, open_end: bool = False) -> None:
        name = column.replace(".", "_")
        low, high = limits
        if low is not None:
            self.only(f"{column} >= %({name}_low)s", **{f"{name}_low": low})
        if high is not None:
            self.only(f"{column} {'<' if open_end else '<='} %({name}_high)s", **{f"{name}_high": high})

    def sql(self, what: str) -> str:
        joins = " ".join(_JOINS[name] for name in self.joins)
        return f"SELECT {what} FROM content_item i {joins} WHERE {' AND '.join(self.where)}"  # noqa: S608  ours alone


def statement(project: Project, by: Filters, order: Order) -> Statement:
    made = Statement(values={"project": project.pk, "version": by.version, "against": by.against})
    made.only("i.project_id = %(project)s")
    _of_item(made, by)
    _of_people(made, project, by)
    if order.join:
        made.join(order.join)
        made.only(f"{order.column} IS NOT NULL")
    if by.asks_the_model or order.needs_model:
        _of_model(made, project, by)
    return made


def _of_item(made: Statement, by: Filters) -> None:
    if by.q:
        _search(made, by.q)
    if by.meta is not None:
        made.join("e")
        name, value = by.meta
        lexeme = search.quoted(search.fact(name, value))
        made.only(
            "e.tokens @@ %(fact)s::tsquery AND i.meta ->> %(name)s = %(value)s", fact=lexeme, name=name, value=value
        )
    if by.split:
        made.only("i.split = %(split)s", split=by.split)
    if by.source is not None:
        made.only("i.source_id = %(source)s", source=by.source)
    if by.language:
        made.only("i.language = %(language)s", language=by.language)
    if by.archived != "with":
        made.only(f"i.archived_at IS {'NOT ' if by.archived else ''}NULL")
    if by.among is not None:
        made.only("i.id = ANY(%(among)s)", among=list(by.among))
    made.between("i.created_at", by.came, open_end=True)


def _search(made: Statement, typed: str) -> None:
    wanted = search.parse(typed)
    made.join("e")
    made.only("e.tokens @@ %(q)s::tsquery", q=wanted.tsquery)
    for place, words in enumerate(wanted.also):
        # not LIKE: of that the planner expects next to nothing, and fetches every candidate before the first page
        made.only(f"strpos(lower(normalize(i.text, NFKC)), %(also{place})s) > 0", **{f"also{place}": words})


def _of_people(made: Statement, project: Project, by: Filters) -> None:
    if by.label is not None or by.group:
        _of_labels(made, project, by)
    elif by.labelled:
        made.join("r")
    elif by.labelled is False:
        made.only("NOT EXISTS (SELECT 1 FROM annotation_resolution n WHERE n.item_id = i.id)")
    if by.annotator is not None:
        made.join("a")
        made.only("true", annotator=by.annotator)
    if by.gold:
        made.join("g")
    if by.agreement != ANY or any(by.decided):
        made.join("r")
        made.between("r.agreement", by.agreement)
        made.between("r.changed_at", by.decided, open_end=True)
        made.only("r.project_id = %(project)s")
    if by.reason:
        made.only(
            "EXISTS (SELECT 1 FROM annotation_task t WHERE t.item_id = i.id AND t.project_id = %(project)s"
            " AND t.reason = %(reason)s)",
            reason=by.reason,
        )
    marks: Mapping[str, bool] = {
        _STANDING.format(mark="s.flagged"): by.flagged,
        _STANDING.format(mark="s.undecided <> ''"): by.undecided,
        _DISPUTED: by.disputed,
        _FEEDBACK: by.feedback,
    }
    for condition, wanted in marks.items():
        if wanted:
            made.only(condition)


def _of_labels(made: Statement, project: Project, by: Filters) -> None:
    single = project.task_kind == Project.TaskKind.SINGLE
    made.join("r")
    if single and by.label is not None:
        made.only("r.label_id = %(label)s", label=by.label)
    if single and by.group:
        made.only("r.label_id = ANY(%(group)s)", group=list(by.group))
    for name, wanted in (("has_label", [by.label]), ("has_group", list(by.group))):
        if not single and any(wanted):
            made.only(
                f"annotation_labels_of(r.value) && %({name})s::bigint[] AND r.value IS NOT NULL", **{name: wanted}
            )


def _of_model(made: Statement, project: Project, by: Filters) -> None:
    made.join("p")
    made.only(_OPEN_TO_SEE)
    if by.predicted is not None and project.task_kind == Project.TaskKind.SINGLE:
        made.only("p.label_id = %(predicted)s", predicted=by.predicted)
    elif by.predicted is not None:
        made.only(
            "annotation_labels_of(p.value) @> ARRAY[%(predicted)s]::bigint[] AND p.value IS NOT NULL",
            predicted=by.predicted,
        )
    if by.against is not None:
        made.join("o")
        made.only(_CHANGED.get(Project.TaskKind(project.task_kind), "p.label_id <> o.label_id"))
    made.between("p.confidence", by.confidence)
    made.between("p.margin", by.margin)
