"""Writing an opinion: what the person holds on the task, and the one statement that stores what they said."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.accounts.models import User
from apps.annotation.models import Annotation, Lease, Task
from apps.annotation.services.truth import SETTLE, Verdict, settle_values
from apps.annotation.services.values import parts
from apps.common.rows import first, one
from apps.projects.models import Project


@dataclass(frozen=True)
class Place:
    """A person's hold on a task at the moment of answering; task and lease are locked."""

    lease: int
    lease_state: str
    task: int
    item: int
    split: str
    task_state: str
    wanted: int
    taken: int
    shown: dict[str, Any] | None
    hidden: dict[str, Any] | None
    revision: int  # of this person's newest opinion on the item, 0 before the first
    counted: bool  # that opinion holds a place
    standing: int  # the same revision where it was given on this very task and not taken back, else 0
    gold: bool
    stored: int | None  # by its token: the annotation that has the answer's key already
    label_stands: bool  # by its token: the label that the answer names is one of the project's

    @property
    def holds(self) -> bool:
        return self.lease_state == Lease.State.ACTIVE or self.counted

    @property
    def free(self) -> bool:
        return self.task_state == Task.State.OPEN


@dataclass(frozen=True)
class Saying:
    key: UUID
    label: int | None = None
    value: dict[str, Any] | None = None
    undecided: str = ""
    note: str = ""
    flagged: bool = False
    seconds: float | None = None
    late: bool = False
    retracted: bool = False


_PLACE = """
SELECT l.id, l.state, t.id, t.item_id, t.split, t.state, t.wanted, t.taken, l.shown, l.hidden,
       coalesce(a.revision, 0), coalesce(NOT a.retracted AND NOT a.late AND l.state = 'answered', false),
       CASE WHEN NOT a.retracted AND a.task_id = t.id THEN a.revision ELSE 0 END, t.reason = 'gold', {said}
FROM annotation_lease l JOIN annotation_task t ON t.id = l.task_id
LEFT JOIN LATERAL (
    SELECT revision, retracted, late, task_id FROM annotation_annotation
    WHERE item_id = t.item_id AND annotator_id = l.annotator_id ORDER BY revision DESC LIMIT 1
) a ON true
WHERE l.annotator_id = %(user)s AND t.project_id = %(project)s AND {by}
FOR UPDATE OF t, l
"""
_SAID = """
(SELECT id FROM annotation_annotation WHERE annotator_id = %(user)s AND key = %(key)s),
EXISTS (SELECT 1 FROM projects_label WHERE id = %(label)s AND project_id = %(project)s AND archived_at IS NULL)
"""
_PLACE_BY_TOKEN = _PLACE.format(by="l.token = %(token)s", said=_SAID)
_PLACE_BY_TASK = _PLACE.format(by="l.task_id = %(task)s", said="NULL::bigint, true")
_ONLY_SAID = f"SELECT {_SAID}"  # our own words

_SAY = """
INSERT INTO annotation_annotation (project_id, item_id, task_id, annotator_id, key, revision, retracted, label_id,
                                   value, undecided, note, flagged, outcome, shown, hidden, seconds, late, created_at)
VALUES (%(project)s, %(item)s, %(task)s, %(user)s, %(key)s, %(revision)s, %(retracted)s, %(label)s,
        %(value)s::jsonb, %(undecided)s, %(note)s, %(flagged)s, %(outcome)s, %(shown)s::jsonb, %(hidden)s::jsonb,
        %(seconds)s, %(late)s, clock_timestamp())
RETURNING id, created_at
"""

_HOLD = """
UPDATE annotation_lease
SET state = %(lease_state)s::text,
    expires_at = CASE WHEN %(lease_state)s::text = 'active' THEN now() + %(lease_seconds)s * interval '1 second'
                      ELSE expires_at END
WHERE id = %(lease)s
"""

_STATEMENT = "WITH held AS ({hold}), said AS ({say}){settle} SELECT id, created_at FROM said"
_BESIDE = _STATEMENT.format(hold=_HOLD, say=_SAY, settle="")
_COUNTED = _STATEMENT.format(hold=_HOLD, say=_SAY, settle=f", {SETTLE}")


def place_by_token(project: Project, user: User, token: UUID, said: Saying) -> Place | None:
    return _place(_PLACE_BY_TOKEN, _values(project, user, said) | {"token": token})


def place_on_task(project: Project, user: User, task: int | None) -> Place | None:
    return _place(_PLACE_BY_TASK, {"project": project.pk, "user": user.pk, "task": task})


def stored_and_stands(project: Project, user: User, said: Saying) -> tuple[int | None, bool]:
    """What a place says of the answer itself, for one without a place."""
    stored, label_stands = one(_ONLY_SAID, _values(project, user, said))
    return stored, label_stands


def _values(project: Project, user: User, said: Saying) -> dict[str, Any]:
    return {"project": project.pk, "user": user.pk, "key": said.key, "label": said.label}


def _place(sql: str, values: dict[str, Any]) -> Place | None:
    found = first(sql, values)
    if found is None:
        return None
    return Place(*(*found[:8], _read(found[8]), _read(found[9]), *found[10:]))


def _read(stored: str | None) -> dict[str, Any] | None:
    return json.loads(stored) if stored else None


def _written(value: dict[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value)


def write_counted(
    project: Project,
    user: User,
    place: Place,
    said: Saying,
    *,
    lease_state: Lease.State,
    taken: int,
    verdict: Verdict,
) -> Annotation:
    """The opinion, the lease, the task's places and the item's truth, in one statement."""
    settled = {"split": place.split} | settle_values(place.task, taken, verdict)
    return _store(_COUNTED, project, user, place, said, settled | {"lease_state": str(lease_state)})


def write_beside(project: Project, user: User, place: Place, said: Saying, *, lease_state: Lease.State) -> Annotation:
    """No place is free: the opinion is kept, task and truth stay as they are."""
    return _store(_BESIDE, project, user, place, said, {"lease_state": str(lease_state)})


def _store(  # noqa: PLR0917
    sql: str, project: Project, user: User, place: Place, said: Saying, more: dict[str, Any]
) -> Annotation:
    annotation = Annotation(
        project=project,
        item_id=place.item,
        task_id=place.task,
        annotator_id=user.pk,
        key=said.key,
        revision=place.revision + 1,
        retracted=said.retracted,
        label_id=said.label,
        value=said.value,
        undecided=said.undecided,
        note=said.note,
        flagged=said.flagged,
        outcome=_outcome(place, said),
        shown=place.shown,
        hidden=place.hidden,
        seconds=said.seconds,
        late=said.late,
    )
    values = {
        "project": project.pk,
        "item": place.item,
        "task": place.task,
        "user": user.pk,
        "key": said.key,
        "revision": annotation.revision,
        "retracted": said.retracted,
        "label": said.label,
        "value": _written(said.value),
        "undecided": said.undecided,
        "note": said.note,
        "flagged": said.flagged,
        "outcome": str(annotation.outcome),
        "shown": _written(place.shown),
        "hidden": _written(place.hidden),
        "seconds": said.seconds,
        "late": said.late,
        "lease": place.lease,
        "lease_seconds": project.lease_seconds,
    }
    annotation.pk, annotation.created_at = one(sql, values | more)
    annotation._state.adding, annotation._state.db = False, "default"
    return annotation


def _outcome(place: Place, said: Saying) -> Annotation.Outcome:
    if place.shown is None or (said.label is None and said.value is None):
        return Annotation.Outcome.SCRATCH
    accepted = says_what(place.shown, said.label, said.value)
    return Annotation.Outcome.ACCEPTED if accepted else Annotation.Outcome.CORRECTED


def says_what(suggestion: dict[str, Any], label: int | None, value: dict[str, Any] | None) -> bool:
    """Whether this answer is the suggestion's: its likeliest label, the labels over their thresholds, its spans."""
    if value is None:
        return bool(label == suggestion["labels"][0])
    return parts(value) == parts(suggested(suggestion))


def suggested(suggestion: dict[str, Any]) -> dict[str, Any]:
    """The value that a suggestion of several labels, or of spans, proposes."""
    if "spans" in suggestion:
        return {"spans": suggestion["spans"]}
    thresholds = suggestion.get("thresholds") or [0.5] * len(suggestion["labels"])
    chances = zip(suggestion["labels"], suggestion["probabilities"], thresholds, strict=False)
    return {"labels": [label for label, probability, threshold in chances if probability >= threshold]}
