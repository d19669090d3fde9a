import sys
from dataclasses import replace
from types import ModuleType

import pytest

from workers.learning.finetune.config import Config
from workers.learning.finetune.logs import Logs
from workers.learning.types import LearningError

EVENTS = [
    {"event": "progress", "step": 9, "steps": 20, "epoch": 1, "loss": 3.0},
    {"event": "progress", "step": 10, "steps": 20, "epoch": 1, "loss": 2.0},
    {"event": "progress", "step": 20, "steps": 20, "epoch": 1, "loss": None},
    {"event": "dev", "epoch": 1, "accuracy": 0.5, "loss": 1.5},
    {"event": "log", "text": "Memory ran out."},
]


@pytest.fixture
def flow(monkeypatch):
    """Stands where the package mlflow would be and writes down what it is asked."""
    calls: list[tuple] = []
    module = ModuleType("mlflow")
    for name in ("set_tracking_uri", "start_run", "log_params", "log_metric", "end_run"):
        setattr(module, name, lambda *a, _name=name, **k: calls.append((_name, a, k)))
    monkeypatch.setitem(sys.modules, "mlflow", module)
    return module, calls


def test_events_pass_through_untouched_when_nothing_is_wished_for(tmp_path):
    told: list[dict] = []
    with Logs(Config(), tmp_path, told.append) as tell:
        for event in EVENTS:
            tell(event)
    assert told == EVENTS
    assert not list(tmp_path.iterdir())


def test_curves_can_be_read_back_from_the_event_files(tmp_path):
    with Logs(replace(Config(), tensorboard=True), tmp_path, lambda event: None) as tell:
        for event in EVENTS:
            tell(event)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(p.step, p.value) for p in read.Scalars("train/loss")] == [(10, 2.0)]
    assert [(p.step, p.value) for p in read.Scalars("dev/accuracy")] == [(1, 0.5)]
    assert [(p.step, p.value) for p in read.Scalars("dev/loss")] == [(1, 1.5)]


def test_mlflow_gets_settings_and_curves(flow, tmp_path):
    _, calls = flow
    config = replace(Config(), mlflow_uri="http://flow.example")
    with Logs(config, tmp_path, lambda event: None, settings={"epochs": 3}) as tell:
        for event in EVENTS:
            tell(event)
    assert calls == [
        ("set_tracking_uri", ("http://flow.example",), {}),
        ("start_run", (), {}),
        ("log_params", ({"epochs": "3"},), {}),
        ("log_metric", ("train_loss", 2.0), {"step": 10}),
        ("log_metric", ("dev_accuracy", 0.5), {"step": 1}),
        ("log_metric", ("dev_loss", 1.5), {"step": 1}),
        ("end_run", (), {"status": "FINISHED"}),
    ]


def test_a_run_that_fails_is_marked_failed_in_mlflow(flow):
    _, calls = flow
    with pytest.raises(RuntimeError), Logs(replace(Config(), mlflow_uri="x"), None, lambda event: None):
        raise RuntimeError
    assert calls[-1] == ("end_run", (), {"status": "FAILED"})


def test_a_missing_or_silent_mlflow_is_told_in_words(flow, monkeypatch):
    module, _ = flow

    def refuse(*_):
        raise ConnectionError("no route")

    module.start_run = refuse
    with pytest.raises(LearningError, match="cannot be reached or refuses: no route"):
        Logs(replace(Config(), mlflow_uri="http://nowhere"), None, lambda event: None)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(LearningError, match="not installed"):
        Logs(replace(Config(), mlflow_uri="http://nowhere"), None, lambda event: None)
