"""Everything known about a project's items, streamed out of one COPY: a single snapshot, and flat memory.

PostgreSQL writes the lines itself; Python only carries them, or puts each into the shape of another tool.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import connection
from django.utils.crypto import salted_hmac
from psycopg import sql

from apps.annotation.export_rows import in_the_shape_of
from apps.content.formats import TARGETS
from apps.content.models import Split
from apps.projects.models import Project

BLOCK = 64 * 1024
FILE_TYPES = ("jsonl", "csv", *TARGETS)


@dataclass(frozen=True)
class Choice:
    file_type: str = "jsonl"  # one of FILE_TYPES
    annotations: bool = False
    predictions: bool = False
    names: bool = False  # who they are; otherwise pseudonyms that stay the same within a project
    split: str = ""  # pool, holdout; empty: both
    labelled: bool = False  # only items that have a truth

    @property
    def content_type(self) -> str:
        if self.file_type in TARGETS:
            return TARGETS[self.file_type].content_type
        return "text/csv; charset=utf-8" if self.file_type == "csv" else "application/x-ndjson"


_WHO = {
    True: "COALESCE(NULLIF({user}.name, ''), {user}.email)",
    False: "'person-' || left(encode(sha256(convert_to({salt} || {user}.id, 'UTF8')), 'hex'), 12)",
}
_ANNOTATIONS = """
(SELECT json_agg(row_to_json(said) ORDER BY said.id) FROM (
    SELECT a.id, a.created_at AS at, {who} AS "by", al.name AS label, a.value, a.revision, a.retracted, a.outcome,
           a.shown, a.hidden, a.seconds, a.late, a.flagged, a.undecided, a.note
    FROM annotation_annotation a
    JOIN accounts_user au ON au.id = a.annotator_id
    LEFT JOIN projects_label al ON al.id = a.label_id
    WHERE a.item_id = i.id
) said)
"""
_PREDICTIONS = """
(SELECT json_agg(row_to_json(seen) ORDER BY seen.version) FROM (
    SELECT v.number AS version, pl.name AS label, p.confidence, p.margin, p.value
    FROM annotation_prediction p
    JOIN registry_modelversion v ON v.id = p.version_id
    LEFT JOIN projects_label pl ON pl.id = p.label_id
    WHERE p.item_id = i.id
) seen)
"""
# by name, as an import takes them
_NAMED = {
    "labels": """
CASE WHEN r.value -> 'labels' IS NOT NULL THEN (
    SELECT coalesce(json_agg(vl.name ORDER BY vl.id), '[]')
    FROM jsonb_array_elements_text(r.value -> 'labels') said JOIN projects_label vl ON vl.id = said::bigint) END
""",
    "spans": """
CASE WHEN r.value -> 'spans' IS NOT NULL THEN (
    SELECT coalesce(json_agg(span || jsonb_build_object('label', vl.name) ORDER BY place), '[]')
    FROM jsonb_array_elements(r.value -> 'spans') WITH ORDINALITY said (span, place)
    JOIN projects_label vl ON vl.id = (span ->> 'label')::bigint) END
""",
    "behaviour": "CASE WHEN r.value -> 'shown' IS NOT NULL THEN r.value END",
}
_FROM = """
FROM content_item i
LEFT JOIN annotation_resolution r ON r.item_id = i.id
LEFT JOIN projects_label l ON l.id = r.label_id
LEFT JOIN accounts_user ru ON ru.id = r.by_id
LEFT JOIN content_givenlabel g ON g.item_id = i.id
WHERE i.project_id = {project} {split} {labelled} {kept}
ORDER BY i.id
"""
_JSON = """
SELECT row_to_json(line) FROM (
    SELECT i.id, i.external_id, i.text, i.split, i.language, i.subject, i.thread, i.url, i.meta,
        i.archived_at, l.name AS label,
        CASE WHEN r.item_id IS NOT NULL THEN json_build_object(
            'label', l.name, 'value', r.value, 'how', r.how, 'by', {who}, 'at', r.changed_at,
            'agreement', r.agreement, 'certainty', r.certainty) END AS truth,
        CASE WHEN g.item_id IS NOT NULL THEN json_build_object(
            'label', g.label, 'prediction', g.predicted, 'score', g.score) END AS given
        {named} {annotations} {predictions}
    {source}
) line
"""
_CSV = """
SELECT i.id, {external_id} AS external_id, {text} AS text, i.split, {language} AS language, {subject} AS subject,
    {thread} AS thread, i.url, {label} AS label, r.how, {by} AS "by", r.changed_at AS at, i.meta, i.archived_at,
    {given_label} AS given_label,
    {prediction} AS prediction, g.score {named} {annotations} {predictions}
{source}
"""
_CELLS = {
    "external_id": "i.external_id",
    "text": "i.text",
    "language": "i.language",
    "subject": "i.subject",
    "thread": "i.thread",
    "label": "l.name",
    "given_label": "g.label",
    "prediction": "g.predicted",
}
# a JSON line holds no control characters, so these two never make COPY quote anything
_AS_JSONL = r"(FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01')"
_AS_CSV = "(FORMAT csv, HEADER)"


def stream(project: Project, choice: Choice) -> Iterator[bytes]:
    if choice.file_type == "csv":
        yield "\ufeff".encode()  # without it spreadsheets do not read UTF-8
    names = dict(project.labels.values_list("pk", "name"))
    with connection.cursor() as cursor, cursor.copy(_statement(project, choice)) as copy:
        lines: Iterable[bytes] = (bytes(line) for line in copy)
        if choice.file_type in TARGETS:
            lines = in_the_shape_of(choice.file_type, project.task_kind, names, lines)
        yield from _blocks(lines)


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    block: list[bytes] = []
    size = 0
    for piece in pieces:
        block.append(piece)
        size += len(piece)
        if size >= BLOCK:
            yield b"".join(block)
            block, size = [], 0
    yield b"".join(block)


def file_name(project: Project, choice: Choice) -> str:
    ending = TARGETS[choice.file_type].ending if choice.file_type in TARGETS else choice.file_type
    return f"{project.slug}.{ending}"


def _statement(project: Project, choice: Choice) -> sql.Composed:
    source = sql.SQL(_FROM).format(
        project=sql.Literal(project.pk),
        split=sql.SQL("AND i.split = {}").format(sql.Literal(Split(choice.split).value)) if choice.split else _NOTHING,
        labelled=sql.SQL("AND r.item_id IS NOT NULL") if choice.labelled else _NOTHING,
        # our own formats say what is archived; another tool would take it for content
        kept=sql.SQL("AND i.archived_at IS NULL") if choice.file_type in TARGETS else _NOTHING,
    )
    extra = {
        "annotations": _column(
            choice.annotations, sql.SQL(_ANNOTATIONS).format(who=_who(project, choice, "au")), "annotations"
        ),
        "predictions": _column(choice.predictions, sql.SQL(_PREDICTIONS), "predictions"),
        "named": _named(project),
        "source": source,
    }
    who = _who(project, choice, "ru")
    if choice.file_type == "csv":
        cells = {name: _defused(sql.SQL(column)) for name, column in _CELLS.items()}
        query = sql.SQL(_CSV).format(by=_defused(who), **cells, **extra)
    else:
        query = sql.SQL(_JSON).format(who=who, **extra)
    shape = sql.SQL(_AS_CSV if choice.file_type == "csv" else _AS_JSONL)
    return sql.SQL("COPY ({}) TO STDOUT WITH {}").format(query, shape)


_NOTHING = sql.SQL("")


def _named(project: Project) -> sql.Composable:
    """The truths of the other task kinds in a column of their own."""
    names = {
        Project.TaskKind.MULTI: "labels",
        Project.TaskKind.SPANS: "spans",
        Project.TaskKind.ENGAGEMENT: "behaviour",
    }
    name = names.get(Project.TaskKind(project.task_kind))
    return _column(True, sql.SQL(_NAMED[name]), name) if name else _NOTHING


def _column(wanted: bool, value: sql.Composable, name: str) -> sql.Composable:
    return sql.SQL(", {} AS {}").format(value, sql.Identifier(name)) if wanted else _NOTHING


def _who(project: Project, choice: Choice, user: str) -> sql.Composed:
    salt = salted_hmac("marginalia.export", str(project.pk)).hexdigest()
    return sql.SQL(_WHO[choice.names]).format(user=sql.Identifier(user), salt=sql.Literal(salt))


def _defused(value: sql.Composable) -> sql.Composed:
    """See apps.content.spreadsheet; NUL cannot be in the database."""
    return sql.SQL(
        r"CASE WHEN left({0}, 1) IN ('=', '+', '-', '@', E'\t', E'\r') THEN '''' || {0} ELSE {0} END"
    ).format(value)
