"""Which signals are set aside, with the reason in words. Set aside is not deleted: people look at them and bring back.

A signal that somebody brought back still carries the reason it was set aside for, and is never set aside again.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from apps.common.rows import rows
from apps.projects.models import Project

WINDOW = timedelta(minutes=10)
PERSON, ADDRESS, CROWD = 30, 100, 300  # signals in the window: of a person, of an address without or with persons
ECHO_WINDOW = timedelta(seconds=60)
ECHO, ECHO_LENGTH = 10, 12  # people with one comment in that window; shorter ones ("wrong") people do share
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the rules look at."""

    id: int
    at: datetime
    subject: str
    address: str
    by_server: bool  # sent with a secret key: the address is a server's, not a person's
    comment: str
    vouched: bool  # somebody brought it back


_BEFORE = """
SELECT {who}, received_at FROM feedback_signal
WHERE project_id = %(project)s AND received_at >= %(since)s AND received_at <= %(until)s AND NOT id = ANY(%(these)s)
  AND kind NOT IN ('shown', 'clicked', 'accepted', 'dismissed', 'dwell') AND {who} = ANY(%(whom)s)
"""
_BY_SUBJECT, _BY_ADDRESS = _BEFORE.format(who="subject"), _BEFORE.format(who="address")
_BY_COMMENT = _BEFORE.format(who="comment").replace(
    "SELECT comment, received_at", "SELECT comment, received_at, subject, address"
)


def reasons(project: Project, arrived: Sequence[Arrived]) -> dict[int, str]:
    """Signal id -> why it is set aside; the others are not in it."""
    found: dict[int, str] = {}
    judged = [signal for signal in arrived if not signal.vouched]
    for signal in judged:
        if signal.comment and only_links(signal.comment):
            found[signal.id] = _("The comment holds nothing but links.")
    for ids, sentence in (
        (_of_persons(project, judged), _("More than %(n)d signals of one person within ten minutes.") % {"n": PERSON}),
        (
            _of_addresses(project, judged),
            _("Too many signals from one network address within ten minutes."),
        ),
        (_echoes(project, judged), _("Many people with the very same comment within a minute.")),
    ):
        for pk in ids:
            found.setdefault(pk, sentence)
    return found


def only_links(comment: str) -> bool:
    rest = _LINK.sub(" ", comment)
    return rest != comment and not any(letter.isalnum() for letter in rest)


def _of_persons(project: Project, arrived: Sequence[Arrived]) -> set[int]:
    named = [signal for signal in arrived if signal.subject]
    return _floods(project, _BY_SUBJECT, {signal: signal.subject for signal in named}, PERSON)


def _of_addresses(project: Project, arrived: Sequence[Arrived]) -> set[int]:
    seen = [signal for signal in arrived if signal.address and not signal.by_server]
    crowd = _floods(project, _BY_ADDRESS, {signal: signal.address for signal in seen}, CROWD)
    nameless = {signal: signal.address for signal in seen if not signal.subject}
    return crowd | _floods(project, _BY_ADDRESS, nameless, ADDRESS)


def _floods(project: Project, history: str, who: Mapping[Arrived, str], limit: int) -> set[int]:
    """Those that come when `limit` others of the same sender have come in the ten minutes before."""
    now = _by_key(who)
    if not now:
        return set()
    times = {key: [signal.at for signal in signals] for key, signals in now.items()}
    for key, at in _history(project, history, list(who), times, WINDOW):
        times[key].append(at)
    return {
        pk
        for key, signals in now.items()
        if len(times[key]) > limit
        for pk in _beyond(sorted(times[key]), signals, limit)
    }


def _by_key(who: Mapping[Arrived, str]) -> dict[str, list[Arrived]]:
    found: dict[str, list[Arrived]] = defaultdict(list)
    for signal, key in who.items():
        found[key].append(signal)
    return found


def _history(
    project: Project, history: str, these: Sequence[Arrived], whom: Iterable[str], window: timedelta
) -> list[tuple[Any, ...]]:
    values = {
        "project": project.pk,
        "since": min(signal.at for signal in these) - window,
        "until": max(signal.at for signal in these),
        "these": [signal.id for signal in these],
        "whom": list(whom),
    }
    return rows(history, values)


def _beyond(times: Sequence[datetime], signals: Sequence[Arrived], limit: int) -> list[int]:
    found, start, end = [], 0, 0
    for signal in sorted(signals, key=lambda one: (one.at, one.id)):
        while end < len(times) and times[end] <= signal.at:
            end += 1
        while times[start] <= signal.at - WINDOW:
            start += 1
        if end - start > limit:
            found.append(signal.id)
    return found


def _echoes(project: Project, arrived: Sequence[Arrived]) -> set[int]:
    """All of one wording that at least ECHO people sent within a minute of each other."""
    said = {signal: signal.comment for signal in arrived if len(signal.comment.strip()) >= ECHO_LENGTH}
    now = _by_key(said)
    if not now:
        return set()
    heard = {
        comment: [(signal.at, signal.subject or signal.address) for signal in signals]
        for comment, signals in now.items()
    }
    for comment, at, subject, address in _history(project, _BY_COMMENT, list(said), now, ECHO_WINDOW):
        heard[comment].append((at, subject or address))
    return {
        signal.id
        for comment, signals in now.items()
        if len(heard[comment]) >= ECHO
        for signal in signals
        if len({who for at, who in heard[comment] if abs(at - signal.at) <= ECHO_WINDOW}) >= ECHO
    }
