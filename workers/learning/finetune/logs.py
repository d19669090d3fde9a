"""Curves of a run for people who look at them elsewhere: TensorBoard event files, and MLflow when it is there."""

from pathlib import Path
from types import TracebackType
from typing import Any

from ..types import LearningError
from .config import Config, Event, OnEvent

FOLDER = "tensorboard"
EVERY = 10  # steps between two points of the training loss


class Logs:
    """A context around `on_event` that also writes what passes through it.

    `with Logs(config, folder, on_event) as told: finetune(…, on_event=told)`. Event files go to
    `<folder>/tensorboard`. Raises LearningError in words when MLflow is wished for and missing or out of reach.
    """

    def __init__(
        self, config: Config, folder: Path | None, on_event: OnEvent, *, settings: Event | None = None
    ) -> None:
        self._tell = on_event
        self._board: Any = _board(folder / FOLDER) if config.tensorboard and folder is not None else None
        self._flow: Any = _flow(config.mlflow_uri, settings or {}) if config.mlflow_uri else None

    def __enter__(self) -> OnEvent:
        return self

    def __call__(self, event: Event) -> None:
        self._tell(event)
        kind = event.get("event")
        if kind == "progress" and event.get("loss") is not None and event["step"] % EVERY == 0:
            self._point("train", {"loss": event["loss"]}, int(event["step"]))
        elif kind == "dev":
            numbers = {k: v for k, v in event.items() if k != "epoch" and isinstance(v, int | float)}
            self._point("dev", numbers, int(event["epoch"]))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._board is not None:
            self._board.close()
        if self._flow is not None:
            self._flow.end_run(status="FINISHED" if error is None else "FAILED")

    def _point(self, part: str, numbers: dict[str, float], step: int) -> None:
        for name, value in numbers.items():
            if self._board is not None:
                self._board.add_scalar(f"{part}/{name}", value, step)
            if self._flow is not None:
                self._flow.log_metric(f"{part}_{name}", value, step=step)


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise LearningError("TensorBoard files were wished for, but the package tensorboard is missing.") from error
    return SummaryWriter(str(folder))


def _flow(uri: str, settings: Event) -> Any:
    try:
        import mlflow
    except ImportError as error:
        raise LearningError("Logging to MLflow was wished for, but the package mlflow is not installed.") from error
    try:
        mlflow.set_tracking_uri(uri)
        mlflow.start_run()
        mlflow.log_params({name: str(value) for name, value in settings.items()})
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise LearningError(f"MLflow at {uri} cannot be reached or refuses: {reason}") from error
    return mlflow
