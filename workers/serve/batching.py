"""Requests that are waiting at the same time are computed together, in one thread, with fair shares.

While a batch is computed the next one gathers by itself; nobody who is alone waits for company. A batch takes a few
texts of every request in turn, so that one short text is never stuck behind five hundred long ones.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

Read = Callable[[list[str]], Any]  # n texts to n answers (rows of an array, or objects)
LONG = 1_500  # characters; what lies beyond is cut off by most encoders
FLOOR = 60  # characters that a text costs however short it is
MOST_WAITING = 20_000  # texts
MOST_KEYS = 64


class Overloaded(Exception):
    def __init__(self, retry_after: int) -> None:
        super().__init__(f"overloaded for {retry_after} s")
        self.retry_after = retry_after


@dataclass(slots=True, eq=False)
class Work:
    key: Hashable  # works of one key may share a batch
    read: Read
    texts: list[str]
    order: list[int]  # shortest first, so that a batch holds texts of like length
    done: Future[list[Any]]
    answers: list[Any]
    cost: int  # of the texts that are not answered yet
    next: int = 0
    parts: list[int] = field(default_factory=list)  # of the batch in hand

    def left(self) -> int:
        return len(self.order) - self.next


def cost(text: str) -> int:
    return FLOOR + min(len(text), LONG)


class Batcher:
    """`most` texts a batch; `patience` is how many seconds of work may wait; `window` how long to gather in a crowd."""

    def __init__(self, *, most: int = 32, patience: float = 10.0, window: float = 0.002) -> None:
        self._most, self._patience, self._window = most, patience, window
        self._waiting: deque[Work] = deque()
        self._changed = threading.Condition()
        self._rates: OrderedDict[Hashable, float] = OrderedDict()  # cost a second, of late, by key
        self._crowded = False
        self.batches = self.texts = self.requests = 0
        self._thread = threading.Thread(target=self._run, name="batches", daemon=True)
        self._thread.start()

    def submit(self, key: Hashable, read: Read, texts: list[str]) -> Future[list[Any]]:
        """Answers in the order of the texts. Raises Overloaded."""
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        work = Work(key, read, texts, order, Future(), [None] * len(texts), sum(map(cost, texts)))
        if not texts:
            work.done.set_result([])
            return work.done
        with self._changed:
            wait = self._wait()
            if self._waiting and (wait > self._patience or self.waiting + len(texts) > MOST_WAITING):
                raise Overloaded(max(1, min(30, round(wait / 2))))
            self.requests += 1
            self._waiting.append(work)
            self._changed.notify()
        return work.done

    @property
    def waiting(self) -> int:
        """Texts."""
        with self._changed:  # a queue that changes under one's eyes cannot be counted
            return sum(work.left() for work in self._waiting)

    def _wait(self) -> float:
        """Seconds of work that wait, as far as it is known how quickly each model reads."""
        return sum(work.cost / self._rates[work.key] for work in self._waiting if work.key in self._rates)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
            if self._crowded and self._window:
                time.sleep(self._window)
            with self._changed:
                members = self._take()
            self._crowded = len(members) > 1
            self._compute(members)

    def _take(self) -> list[Work]:
        """The next batch: everybody with the first one's key gets a share, what is left goes to the first."""
        key = self._waiting[0].key
        members = [work for work in self._waiting if work.key == key][: self._most]
        share, room = max(1, self._most // len(members)), self._most
        for once in (share, self._most):
            for work in members:
                taken = min(once, work.left(), room)
                work.parts += work.order[work.next : work.next + taken]
                work.next += taken
                room -= taken
        members = [work for work in members if work.parts]
        for work in members:  # whoever is not done goes to the end of the line
            self._waiting.remove(work)
            if work.left():
                self._waiting.append(work)
        return members

    def _compute(self, members: list[Work]) -> None:
        spent = [sum(cost(work.texts[place]) for place in work.parts) for work in members]
        started = time.monotonic()
        try:
            self._read(members)
        except Exception as error:  # noqa: BLE001 - whatever a model raises belongs to whoever asked it
            self._one_by_one(members, error)
        speed = sum(spent) / max(time.monotonic() - started, 1e-6)
        self.batches += 1
        with self._changed:
            self._note(members[0].key, speed)
            for work, done in zip(members, spent, strict=True):
                work.cost -= done
        for work in members:
            self.texts += len(work.parts)
            work.parts = []
            if not work.left() and not work.done.done():
                work.done.set_result(work.answers)

    def _note(self, key: Hashable, speed: float) -> None:
        self._rates[key] = 0.8 * self._rates.get(key, speed) + 0.2 * speed
        self._rates.move_to_end(key)
        while len(self._rates) > MOST_KEYS:
            self._rates.popitem(last=False)

    @staticmethod
    def _read(members: list[Work]) -> None:
        answers = members[0].read([work.texts[place] for work in members for place in work.parts])
        at = 0
        for work in members:
            for place in work.parts:
                work.answers[place] = answers[at]
                at += 1

    def _one_by_one(self, members: list[Work], error: Exception) -> None:
        """One request's trouble must not become its neighbours'."""
        for work in members:
            try:
                if len(members) == 1:
                    raise error
                self._read([work])
            except Exception as reason:  # noqa: BLE001 - as above
                self._give_up(work, reason)

    def _give_up(self, work: Work, reason: Exception) -> None:
        with self._changed:
            work.next = len(work.order)
            if work in self._waiting:
                self._waiting.remove(work)
        if not work.done.done():
            work.done.set_exception(reason)
