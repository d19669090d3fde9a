import signal
import sys
import time

from apps.config import supervise
from apps.config.supervise import Service, Tree

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(300)"


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


class Heard(list[tuple[str, str]]):
    def __call__(self, name: str, sentence: str) -> None:
        self.append((name, sentence))

    def until(self, tree: Tree, words: str, patience: float = 60) -> None:
        deadline = time.monotonic() + patience
        tree.watch(until=lambda: any(words in said for _, said in self) or time.monotonic() > deadline)
        assert any(words in said for _, said in self), self


def test_lines_are_heard_whole_and_under_their_name() -> None:
    heard = Heard()
    tree = Tree([], [], tell=heard)
    talker = Service(
        "talker", _python("import sys; sys.stdout.write('one\\ntw'); sys.stdout.flush(); print('o\\nlast', end='')")
    )
    assert tree.run_once(talker) == 0
    tree.listen(0, [talker])
    assert heard == [("talker", "one"), ("talker", "two"), ("talker", "last")]


def test_the_pause_before_a_restart_doubles(monkeypatch) -> None:
    monkeypatch.setattr(supervise, "FIRST_PAUSE", 0.1)
    heard = Heard()
    tree = Tree([], [Service("weak", _python("raise SystemExit(3)"))], tell=heard)
    tree._records.clear()
    tree.start_services()
    for record in tree._records.values():
        record.pause = 0.1
    heard.until(tree, "starting it again in 0.4 s")
    tree.stop()
    pauses = [said for _, said in heard if "again" in said]
    assert pauses[:3] == [f"ended with exit status 3; starting it again in {pause} s" for pause in (0.1, 0.2, 0.4)]


def test_who_does_not_end_by_itself_is_killed_and_named() -> None:
    heard = Heard()
    tree = Tree([], [Service("stubborn", _python(STUBBORN), patience=0.5)], tell=heard)
    tree.start_services()
    heard.until(tree, "deaf")
    began = time.monotonic()
    tree.stop()
    assert time.monotonic() - began < 60  # and not the 300 that it sleeps
    assert ("stubborn", "does not end by itself and is killed") in heard


def test_those_who_take_work_in_end_before_those_who_do_it() -> None:
    told_when = "import signal, sys, time; signal.signal(15, lambda *a: (print('end', flush=True), sys.exit())); print('up', flush=True); time.sleep(300)"
    heard = Heard()
    services = [Service(name, _python(told_when), wave=wave) for name, wave in (("worker", 1), ("web", 0))]
    tree = Tree([], services, tell=heard)
    tree.start_services()
    deadline = time.monotonic() + 60
    tree.watch(until=lambda: len(heard) == 2 or time.monotonic() > deadline)
    tree.stop()
    assert [name for name, said in heard if said == "end"] == ["web", "worker"]


def test_a_group_left_by_a_killed_parent_goes_too() -> None:
    """A web server's workers must not keep the port that the next one needs."""
    import psutil

    forks = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']); print('up', flush=True); time.sleep(300)"
    heard = Heard()
    tree = Tree([], [Service("web", _python(forks))], tell=heard)
    tree.start_services()
    heard.until(tree, "up")
    process = tree.services[0].process
    assert process is not None
    (orphan,) = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGKILL)
    heard.until(tree, "SIGKILL")
    orphan.wait(60)
    tree.stop()
