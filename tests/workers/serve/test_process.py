"""The real process, asked through its client."""

import http.client
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.workers.serve.processes import NGRAMS, Serving, head, serving, transformer
from workers.learning import encoders
from workers.learning.predict import Predictor
from workers.serve import graphs
from workers.serve.client import Busy, Client, Down, Refused
from workers.serve.wire import Name, Rows

# a thread that ends leaves its connection to the garbage collector
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[Serving]:
    with serving(home, "--patience", "300") as process:  # a slow machine must not refuse anybody
        yield process


def matrix(rows: Rows) -> np.ndarray:
    return np.frombuffer(rows.raw, dtype="<f4").reshape(rows.shape)


def test_it_answers_with_probabilities_in_the_order_of_the_texts(running: Serving, home: Path) -> None:
    name = head(home / "models", "1/1", says=2)
    found = running.client().predict([name], ["one", "two", "three"])
    assert found.told == {"model": 0, "task": "single"}
    assert matrix(found).argmax(axis=1).tolist() == [2, 2, 2]
    np.testing.assert_allclose(matrix(found).sum(axis=1), 1, atol=1e-5)


def test_vectors_are_those_of_the_encoder(running: Serving) -> None:
    texts = ["a card", "another card", ""]
    found = running.client().embed(NGRAMS, texts)
    assert found.told["digest"] == encoders.digest(NGRAMS)
    np.testing.assert_allclose(matrix(found), encoders.load(NGRAMS).encode(texts), atol=1e-6)


def test_who_has_no_key_learns_nothing(running: Serving) -> None:
    with pytest.raises(Down, match="401"):
        running.client("another secret").health()
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    connection.request("GET", "/health")
    assert connection.getresponse().status == 401


def test_a_closed_client_holds_no_connection_and_may_be_asked_again(running: Serving) -> None:
    client = running.client()
    client.health()
    socket = client._connection(kept=True).sock
    client.close()
    assert socket.fileno() == -1
    assert client.health()["device"] == "cpu"
    assert running.client() is client


def test_what_it_cannot_open_is_said_in_words(running: Serving, home: Path) -> None:
    path, digest = head(home / "models", "1/2")
    for names, words in (
        ([("1/99", "0" * 64)], "There is no model"),
        ([(path, "f" * 64)], "holds another model"),
        ([("../secret", digest)], "below the folder"),
    ):
        with pytest.raises(Refused, match=words):
            running.client().predict(names, ["text"])
    with pytest.raises(Refused, match="unknown-encoder"):
        running.client().embed("/unknown-encoder", ["text"])


def test_nonsense_is_refused_and_the_process_lives(running: Serving) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    key = {"Authorization": running.client()._headers["Authorization"]}
    for body in (b"{", b"[]", b'{"models": [], "texts": []}', b'{"models": [["a", "b"]], "texts": [1]}'):
        connection.request("POST", "/predict", body, key)
        answer = connection.getresponse()
        assert (answer.status, b"cannot be read" in answer.read()) == (400, True)
    running.client().health()


def test_a_new_version_is_loaded_while_the_previous_one_answers(running: Serving, home: Path) -> None:
    old, new = head(home / "models", "2/1", says=0), head(home / "models", "2/2", says=1)
    running.client().predict([old], ["text"])
    said = {running.client().predict([new, old], ["text"]).told["model"]}
    running.wait_for(new)
    found = running.client().predict([new, old], ["text"])
    assert said <= {0, 1}
    assert found.told["model"] == 0
    assert matrix(found).argmax() == 1


def test_a_new_version_that_cannot_be_opened_leaves_the_previous_one_serving(running: Serving, home: Path) -> None:
    old, gone = head(home / "models", "3/1"), ("3/2", "0" * 64)
    deadline = time.monotonic() + 60
    while "3/2" not in [one[0] for one in running.client().health()["failed"]]:
        assert running.client().predict([gone, old], ["text"]).told["model"] == 1
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert running.client().predict([gone, old], ["text"]).told["model"] == 1


def test_concurrent_requests_share_batches(running: Serving, home: Path) -> None:
    name = head(home / "models", "4/1", encoder=encoders.DEFAULT, says=1)
    client = running.client()
    client.predict([name], ["warm"])
    deadline = time.monotonic() + 60
    while True:  # where those who ask are slower than the model, they come one by one: then they come again
        before = client.health()
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda n: client.predict([name], [f"question {n}"]), range(96)))
        after = client.health()
        assert all(matrix(one).argmax() == 1 for one in found)
        assert after["requests"] - before["requests"] == 96
        if after["batches"] - before["batches"] <= 60:
            break
        assert time.monotonic() < deadline, "no two requests ever shared a batch"


def test_no_request_fails_while_versions_are_promoted_under_load(running: Serving, home: Path) -> None:
    names = [head(home / "models", f"5/{n}", says=n % 3) for n in range(9)]
    live, over, wrong, counted = [0], threading.Event(), [], [0]
    client = running.client()
    client.predict([names[0]], ["warm"])

    def ask() -> None:
        while not over.is_set():
            now = live[0]
            pair = [names[now], names[now - 1]] if now else [names[0]]
            try:
                found = client.predict(pair, ["text", "other"])
                answered = names.index(pair[found.told["model"]])
                if matrix(found).argmax(axis=1).tolist() != [answered % 3] * 2:
                    wrong.append("the wrong version's answer")
                counted[0] += 1
            except Exception as error:  # noqa: BLE001 - every kind is one too many
                wrong.append(repr(error))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 240
    for n in range(1, 10):
        enough = time.monotonic() + 0.3
        while (counted[0] < 12 * n or time.monotonic() < enough) and not wrong and time.monotonic() < deadline:
            time.sleep(0.01)
        live[0] = min(n, 8)
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert counted[0] > 100
    assert len(running.loaded()) <= 6  # the oldest were given up


@pytest.mark.parametrize("task", ["single", "spans"])
def test_a_fine_tuned_model_is_served_by_onnx_runtime_with_the_answers_of_torch(
    running: Serving, home: Path, toy_encoder: str, task: str
) -> None:
    name = transformer(home / "models", f"7/{task}", toy_encoder, task=task)
    texts = ["my card has not arrived", "what is the rate", ""]
    found = running.client().predict([name], texts)
    assert (home / "encoders" / "served" / name[1][:24] / "model.onnx").exists()
    plain = Predictor(home / "models" / name[0], device="cpu")
    if task == "single":
        np.testing.assert_allclose(matrix(found), plain.probabilities(texts), atol=1e-4)
    else:
        said = [[(span["start"], span["end"], span["label"]) for span in one["spans"]] for one in found.told["spans"]]
        expected = [[(span.start, span.end, span.label) for span in one.spans] for one in plain.spans(texts)]
        assert said == expected


def test_a_model_whose_graph_would_answer_differently_stays_with_torch(
    home: Path, toy_encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, digest = transformer(home / "models", "8/1", toy_encoder)
    folder, cache = home / "models" / path, home / "other-cache"
    assert graphs.wanted(folder, "cpu")
    assert not graphs.wanted(folder, "cuda:0")
    assert graphs.quicker(folder, digest, cache) != folder
    monkeypatch.setattr(graphs, "SAME", 1.1)
    assert graphs.quicker(folder, digest, cache) == folder


def test_too_much_at_once_is_refused_with_a_time_and_nothing_else_suffers(tmp_path: Path) -> None:
    with serving(tmp_path, "--patience", "0.1") as impatient:  # also a fast machine has more to do than that
        _ask_for_too_much(impatient, head(tmp_path / "models", "6/1", encoder=encoders.DEFAULT))


def _ask_for_too_much(impatient: Serving, name: Name) -> None:
    client = impatient.client()
    client.predict([name], ["warm"] * 10)

    def ask(_n: int) -> str:
        try:
            return str(client.predict([name], ["a rather long question about a card " * 6] * 20).shape)
        except Busy as busy:
            return "busy" if 1 <= busy.retry_after <= 30 else "busy without a time"

    with ThreadPoolExecutor(24) as pool:
        said = list(pool.map(ask, range(30)))
    assert set(said) == {"busy", "(20, 3)"}
    assert client.predict([name], ["afterwards"]).shape == (1, 3)


def test_killed_it_is_down_and_warm_after_its_restart_and_asked_to_end_it_finishes_what_is_in_hand(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as process:
        name = head(tmp_path / "models", "1/1")
        client = process.client()
        client.predict([name], ["text"])
        remembered = tmp_path / "run" / "serve.loaded"
        deadline = time.monotonic() + 120
        while not remembered.exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.stop(signal.SIGKILL)
        with pytest.raises(Down):
            client.predict([name], ["text"])
        process.start()
        process.wait_for(name)  # nobody asked for it
        assert client.predict([name], ["text"]).told["model"] == 0
        with ThreadPoolExecutor(2) as pool:
            deadline = time.monotonic() + 120
            asked = _in_hand(client, name, pool)
            while asked.done():  # while we looked: once more
                assert time.monotonic() < deadline
                asked = _in_hand(client, name, pool)
            assert process.stop() == 0
            assert asked.result(60).shape == (500, 3)
        with pytest.raises(Down):
            client.health()


def _in_hand(client: Client, name: Name, pool: ThreadPoolExecutor) -> Future[Rows]:
    """Many long texts that the process has taken and not answered yet."""
    before, deadline = client.health()["requests"], time.monotonic() + 60
    asked = pool.submit(client.predict, [name], ["a rather long question about a card " * 100] * 500)
    while client.health()["requests"] == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return asked
