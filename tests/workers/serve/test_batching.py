import threading
import time

import pytest

from workers.serve.batching import Batcher, Overloaded


class Model:
    """Doubles every text; can be held up, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, texts: list[str]) -> list[str]:
        self.gate.wait(120)
        self.batches.append(list(texts))
        if "poison" in texts:
            raise ValueError("this one hurts")
        return [text * 2 for text in texts]


@pytest.fixture
def model() -> Model:
    return Model()


def held(batcher: Batcher, model: Model) -> None:
    """Keep the one thread busy, so that what comes next has to wait."""
    model.gate.clear()
    batcher.submit("m", model, ["first"])
    while batcher.waiting:
        time.sleep(0.001)


def test_answers_come_in_the_order_of_the_texts_whatever_their_lengths(model: Model) -> None:
    texts = ["long " * 40, "b", "middle " * 5, "a"] * 30
    assert Batcher(most=32).submit("m", model, texts).result(60) == [text * 2 for text in texts]
    assert max(map(len, model.batches)) <= 32


def test_requests_that_wait_together_are_computed_together(model: Model) -> None:
    batcher = Batcher(most=32)
    held(batcher, model)
    waiting = [batcher.submit("m", model, [f"text {n}"]) for n in range(20)]
    model.gate.set()
    assert [one.result(60) for one in waiting] == [[f"text {n}text {n}"] for n in range(20)]
    assert sorted(map(len, model.batches)) == [1, 20]


def test_models_are_never_mixed_in_a_batch(model: Model) -> None:
    batcher, other = Batcher(most=32), Model()
    held(batcher, model)
    one, two = batcher.submit("m", model, ["a"]), batcher.submit("other", other, ["b"])
    model.gate.set()
    assert (one.result(60), two.result(60)) == (["aa"], ["bb"])
    assert other.batches == [["b"]]


def test_one_short_text_does_not_wait_for_five_hundred(model: Model) -> None:
    batcher = Batcher(most=32)
    held(batcher, model)
    many = batcher.submit("m", model, [f"{n}" for n in range(500)])
    few = batcher.submit("m", model, ["short"])
    model.gate.set()
    few.result(60)
    many.result(60)
    assert "short" in model.batches[1]


def test_a_request_that_fails_fails_alone(model: Model) -> None:
    batcher = Batcher(most=32)
    held(batcher, model)
    good, bad, fine = (batcher.submit("m", model, [text]) for text in ("good", "poison", "fine"))
    model.gate.set()
    assert good.result(60) == ["goodgood"]
    assert fine.result(60) == ["finefine"]
    with pytest.raises(ValueError, match="this one hurts"):
        bad.result(60)
    assert batcher.submit("m", model, ["after"]).result(60) == ["afterafter"]


def test_what_would_wait_too_long_is_refused_with_the_time_to_come_back() -> None:
    batcher, gate = Batcher(most=4, patience=0.2), threading.Event()

    def slow(texts: list[str]) -> list[str]:
        if "text" in texts:
            gate.wait(120)  # nothing is done while the crowd comes, however long that takes
        time.sleep(0.1)
        return texts

    batcher.submit("m", slow, ["warm"] * 4).result(60)
    accepted, refusals = [], []
    for _ in range(20):
        try:
            accepted.append(batcher.submit("m", slow, ["text"] * 4))
        except Overloaded as refusal:
            refusals.append(refusal)
    gate.set()
    assert len(refusals) > 5
    assert all(1 <= refusal.retry_after <= 30 for refusal in refusals)
    assert all(one.result(60) == ["text"] * 4 for one in accepted)  # what was taken is answered
    assert batcher.submit("m", slow, ["again"]).result(60) == ["again"]


def test_no_texts_are_answered_at_once(model: Model) -> None:
    assert Batcher().submit("m", model, []).result(60) == []
