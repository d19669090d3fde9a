"""Text search in any language: what a text is found by, what a person typed, and the index that brings both together.

Words are found by their beginning. Scripts without spaces between words are cut into single characters and pairs, so
that a Chinese word of two characters is one look-up (trigrams alone would miss it); longer runs and quoted phrases are
compared with the text itself. The index follows the items from a beat task: an import does not wait for it.
"""

import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

import regex
from django.db import connection, transaction
from django.utils.translation import gettext as _

from apps.common.errors import InvalidInput
from apps.content import staging
from apps.content.models import ImportJob
from apps.projects.models import Project

BATCH = 5_000  # items in one transaction
LONGEST = 60  # characters of a word that count
PREFIX = 3  # shorter words are only found whole: “a” would be the beginning of everything
MOST_FACTS, LONGEST_FACT = 50, 300  # metadata that can be searched for: fields of an item, characters of one
_LOCK = 0x5EA2  # first half of the advisory lock's key; the second is the project

_DENSE = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_TOKEN = regex.compile(rf"[{_DENSE}]+|[[\p{{L}}\p{{N}}\p{{M}}_]--[{_DENSE}]]+|\p{{Emoji_Presentation}}", regex.V1)
_IS_DENSE = regex.compile(rf"[{_DENSE}]")
_QUOTED = regex.compile(r"\"([^\"]*)\"?|[“”]([^“”]*)[“”]?|「([^」]*)」?")

_ITEMS = """
SELECT i.id, i.text, CASE WHEN i.meta = '{}' THEN NULL ELSE (
    SELECT array_agg(ARRAY[f.key, f.value]) FROM (
        SELECT key, value FROM jsonb_each_text(i.meta) WHERE value IS NOT NULL LIMIT %(facts)s) f) END
FROM content_item i WHERE i.project_id = %(project)s AND i.id > %(after)s AND i.id <= %(newest)s
ORDER BY i.id LIMIT %(batch)s
"""
_COPY = "COPY content_searchentry (item_id, project_id, tokens) FROM STDIN"
_INDEXED = "SELECT coalesce(max(item_id), 0) FROM content_searchentry WHERE project_id = %s"
_WAITING = "SELECT count(*) FROM (SELECT 1 FROM content_item WHERE project_id = %s AND id > %s LIMIT %s) w"
_BEHIND = """
SELECT p.id FROM projects_project p WHERE p.archived_at IS NULL AND EXISTS (
    SELECT 1 FROM content_item i WHERE i.project_id = p.id
      AND i.id > (SELECT coalesce(max(e.item_id), 0) FROM content_searchentry e WHERE e.project_id = p.id))
ORDER BY p.id
"""


@dataclass(frozen=True)
class Search:
    """`tsquery` finds candidates in the index; each of `also` has to stand in the text, lower-cased, as it is."""

    tsquery: str
    also: tuple[str, ...] = ()


def plain(text: str) -> str:
    """As the database has it too: lower(normalize(text, NFKC))."""
    return unicodedata.normalize("NFKC", text).lower()


def tokens(text: str) -> set[str]:
    """Everything that a text can be found by."""
    found: set[str] = set()
    for run in _TOKEN.findall(plain(text)):
        found.update(_of_run(run) if _dense(run) else [run[:LONGEST]])
        if _dense(run):
            found.update(run)
    return found


def parse(typed: str) -> Search:
    """Everything typed has to be there: words in any order, by their beginning; “quoted words” one after the other."""
    wanted: dict[str, None] = {}
    also: list[str] = []
    rest = _QUOTED.sub(" ", typed)
    for phrase in (one for match in _QUOTED.findall(typed) for one in match if one.strip()):
        found = list(_wanted(phrase, whole=True))
        wanted |= dict.fromkeys(found)
        also.append(plain(phrase).strip())
    for chunk in rest.split():
        wanted |= dict.fromkeys(_wanted(chunk))
        also += [run for run in _TOKEN.findall(plain(chunk)) if _dense(run) and len(run) > 2]
    if not wanted:
        raise InvalidInput(_("Look for at least one letter, figure or Chinese character."), field="q")
    return Search(" & ".join(wanted), tuple(also))


def fact(name: str, value: str) -> str:
    """What an item is found by that says `value` under `name`."""
    return "=" + blake2b(f"{name}\0{value}".encode(), digest_size=9).hexdigest()


def quoted(lexeme: str) -> str:
    """Our lexemes hold letters, figures and marks only, so that nothing in them could end the quotes."""
    return f"'{lexeme}'"


def _wanted(typed: str, *, whole: bool = False) -> Iterator[str]:
    runs = _TOKEN.findall(plain(typed))
    for place, run in enumerate(runs):
        if _dense(run):
            yield from map(quoted, _of_run(run))
        else:
            open_ended = len(run) >= PREFIX and (not whole or place == len(runs) - 1)
            yield quoted(run[:LONGEST]) + (":*" if open_ended else "")


def _of_run(run: str) -> list[str]:
    return [first + second for first, second in pairwise(run)] or [run]


def _dense(run: str) -> bool:
    return _IS_DENSE.match(run) is not None


# --- the index ----------------------------------------------------------------------------------------


def waiting(project: Project, most: int) -> int:
    """Items that search does not know yet; counting stops at `most`."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [project.pk, _indexed(project), most])
        return int(cursor.fetchone()[0])


def behind() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND)
        return [row[0] for row in cursor.fetchall()]


def index(project: Project, *, seconds: float = 20.0) -> int:
    """Indexes what came since the last time; stops after about `seconds`. Says how many. While an import runs it
    waits: the import has the machine to itself."""
    if ImportJob.objects.filter(project=project, state=ImportJob.State.RUNNING).exists():
        return 0
    with staging.arrivals(project), connection.cursor() as cursor:
        # whoever adds items holds this lock to the end: below the newest of now nothing is still to appear
        cursor.execute("SELECT coalesce(max(id), 0) FROM content_item WHERE project_id = %s", [project.pk])
        newest = cursor.fetchone()[0]
    until, done = time.monotonic() + seconds, 0
    while (n := _index_batch(project, newest)) and time.monotonic() < until:
        done += n
    return done + n


@transaction.atomic
def _index_batch(project: Project, newest: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK, project.pk])
        if not cursor.fetchone()[0]:
            return 0
        values = {"project": project.pk, "after": _indexed(project), "newest": newest}
        cursor.execute(_ITEMS, values | {"batch": BATCH, "facts": MOST_FACTS})
        found = cursor.fetchall()
        with cursor.copy(_COPY) as copy:
            for pk, text, facts in found:
                copy.write_row((pk, project.pk, " ".join(map(quoted, _lexemes(text, facts or ())))))
    return len(found)


def _lexemes(text: str, facts: Iterable[tuple[str, str]]) -> set[str]:
    return tokens(text) | {fact(name, value) for name, value in facts if len(value) <= LONGEST_FACT}


def _indexed(project: Project) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_INDEXED, [project.pk])
        return int(cursor.fetchone()[0])
