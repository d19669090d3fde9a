"""What users said, frozen beside the experts' truths: texts that nobody else has answered, and how often users were
right where an expert looked. The walls against the hold-out stand in the database (SnapshotWeak's trigger)."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.common.rows import rows
from apps.learning.models import Snapshot, SnapshotWeak, TrainingRun
from apps.projects.models import Label, Project
from workers.learning import weak_file
from workers.learning.weak import NOBODY, Check, Voice, WeakText

MOST_TEXTS = 20_000  # the newest
AT_ONCE = 2_000

# a thumb and a rating speak of the answer that was given, a corrected label of the one that was wanted
_VOICES = """
SELECT s.id, s.item_id, s.text, s.text_hash, s.occurred_at,
       CASE WHEN s.kind = 'label' AND s.wanted_id IS DISTINCT FROM s.predicted_id THEN 'is'
            WHEN s.polarity > 0 THEN 'up' ELSE 'not' END AS claim,
       CASE s.kind WHEN 'label' THEN s.wanted_id ELSE s.predicted_id END AS label,
       s.kind || ':' || s.source AS source,
       coalesce(nullif(s.subject, ''), nullif('@' || s.address, '@'), '') AS person
FROM feedback_signal s
WHERE s.project_id = %(project)s AND s.state <> 'aside' AND s.kind IN ('thumb', 'rating', 'label') AND s.polarity <> 0
AND CASE s.kind WHEN 'label' THEN s.wanted_id ELSE s.predicted_id END = ANY(%(labels)s)
"""
_SAID = f"""
WITH said AS (
    SELECT v.*, sha256(convert_to(replace(replace(v.text, E'\\r\\n', E'\\n'), E'\\r', E'\\n'), 'UTF8')) AS hash
    FROM ({_VOICES} AND s.consent AND s.text <> '') v
)
SELECT max(id), hash, json_agg(json_build_array(claim, label, source, person) ORDER BY occurred_at, id)
FROM said
WHERE NOT EXISTS (
    SELECT 1 FROM content_item i WHERE i.project_id = %(project)s AND (i.text_hash = said.hash OR i.id = said.item_id)
    AND (i.split = 'holdout' OR EXISTS (
        SELECT 1 FROM annotation_resolution r
        WHERE r.item_id = i.id AND (r.label_id IS NOT NULL OR r.value IS NOT NULL)))
)
GROUP BY hash ORDER BY 1 DESC LIMIT %(most)s
"""  # noqa: S608 - made of the constants above
# one voice per person and item, the corrected label before the thumb; hold-out items are not in the view
_CHECKS = f"""
SELECT claim, source, person, count(*) FILTER (WHERE holds), count(*) FILTER (WHERE NOT holds) FROM (
    SELECT DISTINCT ON (t.item_id, coalesce(nullif(v.person, ''), v.id::text))
           v.claim, v.source, v.person, (v.label = t.label_id) = (v.claim <> 'not') AS holds
    FROM ({_VOICES}) v
    JOIN learning_trainable t ON t.project_id = %(project)s AND t.label_id IS NOT NULL AND t.text_hash = v.text_hash
         AND t.item_id = coalesce(v.item_id, (
             SELECT min(i.id) FROM content_item i
             WHERE i.project_id = %(project)s AND i.text_hash = v.text_hash AND i.split = 'pool'))
    ORDER BY t.item_id, coalesce(nullif(v.person, ''), v.id::text), v.claim = 'is' DESC, v.id DESC
) once GROUP BY claim, source, person ORDER BY claim, source, person
"""  # noqa: S608 - the same

# a text that was held out since is left out, too
_FROZEN = """
SELECT w.signal_id, replace(replace(s.text, E'\\r\\n', E'\\n'), E'\\r', E'\\n'), w.voices::text
FROM learning_snapshotweak w JOIN feedback_signal s ON s.id = w.signal_id
WHERE w.snapshot_id = %(snapshot)s AND s.text <> '' AND NOT EXISTS (
    SELECT 1 FROM content_item i
    WHERE i.project_id = %(project)s AND i.text_hash = w.text_hash AND i.split = 'holdout')
ORDER BY w.text_hash
"""


def usable(project: Project) -> int:
    """Texts that users spoke of and that could be learnt from now."""
    if project.task_kind != Project.TaskKind.SINGLE:
        return 0
    labels = list(project.labels.filter(archived_at=None).values_list("pk", flat=True))
    counted = f"SELECT count(*) FROM ({_SAID}) texts"  # noqa: S608 - the same
    ((n,),) = rows(counted, {"project": project.pk, "labels": labels, "most": MOST_TEXTS})
    return int(n)


def freeze(snapshot: Snapshot, labels: Sequence[Label]) -> None:
    """Inside the caller's transaction: voices, checks, and a hash that covers both."""
    values = {"project": snapshot.project_id, "labels": [label.pk for label in labels], "most": MOST_TEXTS}
    people: dict[str, int] = defaultdict(lambda: len(people))

    def number(person: str) -> int:
        return people[person] if person else NOBODY

    made = [
        SnapshotWeak(
            snapshot=snapshot,
            signal_id=signal,
            text_hash=bytes(text_hash),
            voices=[
                {"claim": claim, "label": label, "source": source, "person": number(person)}
                for claim, label, source, person in voices
            ],
        )
        for signal, text_hash, voices in rows(_SAID, values)
    ]
    SnapshotWeak.objects.bulk_create(made, batch_size=AT_ONCE)
    snapshot.checks = [
        [claim, source, number(person), right, wrong] for claim, source, person, right, wrong in rows(_CHECKS, values)
    ]
    snapshot.hash = _digest(snapshot, made, {label.pk: label.name for label in labels})


def _digest(snapshot: Snapshot, made: Sequence[SnapshotWeak], names: dict[int, str]) -> str:
    """Over the truths' hash, then every text's with what was said, labels by name."""
    digest = hashlib.sha256(f"{snapshot.hash} weak".encode())
    for row in sorted(made, key=lambda row: bytes(row.text_hash)):
        said = [[v["claim"], names[v["label"]], v["source"], v["person"]] for v in row.voices]
        digest.update(bytes(row.text_hash) + json.dumps(said).encode())
    digest.update(json.dumps(snapshot.checks).encode())
    return digest.hexdigest()


def write(run: TrainingRun, folder: Path) -> None:
    """For the child process, labels as places. Nothing where the run was not to listen to users."""
    if run.snapshot is None or run.snapshot.checks is None:
        return
    place = {pk: at for at, (pk, _name) in enumerate(run.config["labels"])}
    found = rows(_FROZEN, {"snapshot": run.snapshot_id, "project": run.project_id})
    texts = [WeakText(-signal, text, _voices(json.loads(voices), place)) for signal, text, voices in found]
    weak_file.write(folder / weak_file.NAME, texts, [Check(*check) for check in run.snapshot.checks])


def _voices(voices: Sequence[dict[str, Any]], place: dict[int, int]) -> tuple[Voice, ...]:
    return tuple(Voice(v["claim"], place[v["label"]], v["source"], v["person"]) for v in voices if v["label"] in place)
