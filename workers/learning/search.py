"""Search for good settings: Optuna's TPE (Bergstra et al. 2011) proposes, the median rule stops the hopeless early.

Every trial is a whole training run on the same dev split. The study lies in a journal file of the work folder, and a
trial that was cut off goes on from its own checkpoint, so a search can be stopped and taken up at any time and ends
with the same trials. The best trial's model becomes the artefact.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from . import checkpoint
from .checkpoint import Manifest
from .finetune import Config, OnEvent
from .publish import Recipe, lessons, publish
from .types import Cancelled, Example, LearningError
from .weak import Evidence

TRIALS = 12
STUDY, JOURNAL = "search", "search.journal"
LEAST = 50  # labelled items; below, no dev split is cut and there is nothing to compare by
SET_ASIDE = 0.2  # of the labels, where the recipe sets nothing aside: trials are compared on them
FREE = 4  # trials drawn at random before TPE has something to go by, and before anything is pruned
LOSS = "loss"
STATES = {"RUNNING": "running", "COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}

# setting -> (lowest, highest, on a log scale) or the values to choose from
Space = dict[str, tuple[float, float, bool] | list[Any]]

SHARED: Space = {
    "head_learning_rate": (1e-3, 3e-2, True),
    "batch_size": [16, 32, 64],
    "label_smoothing": (0.0, 0.15, False),
    "weight_decay": (1e-3, 0.1, True),
    "augment": (0.0, 0.2, False),
}
SPACES: dict[str, Space] = {
    "full": {"learning_rate": (1e-5, 3e-4, True)},
    "lora": {"learning_rate": (1e-4, 3e-3, True), "rank": [4, 8, 16, 32], "dropout": (0.0, 0.2, False)},
    "adalora": {"learning_rate": (3e-4, 1e-2, True), "rank": [4, 8, 16], "dropout": (0.0, 0.2, False)},
    "prefix": {"learning_rate": (3e-4, 3e-2, True), "virtual_tokens": [8, 16, 32]},
    "ia3": {"learning_rate": (1e-3, 5e-2, True)},
}
CONTRASTIVE: Space = {
    "learning_rate": (2e-5, 3e-4, True),
    "pairs": [1, 2, 3, 4, 6],
    "start_c": (3.0, 100.0, True),
}


def space(method: str) -> Space:
    """What is searched for this method; everything else stays as the recipe says."""
    return dict(CONTRASTIVE) if method == "setfit" else SPACES[method] | SHARED


def search(
    examples: Sequence[Example],
    recipe: Recipe,
    target: Path,
    *,
    trials: int = TRIALS,
    evidence: Evidence | None = None,
    work: Path,
    on_event: OnEvent = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Manifest:
    """Run trials and publish the best at `target`; its manifest holds all of them under metrics["search"].

    The first trial is the recipe's own configuration, so the result is never worse than not searching, on the dev
    split. Emits {"event": "trial", "number", "params", "value", "state", "seconds", "curve"} when a trial starts
    ("running") and when it ends ("complete", "pruned", "failed"). Raises Cancelled when asked to stop (the journal
    and the checkpoint of the running trial are kept), LearningError when nothing can be compared or every trial fails.
    """
    recipe.check(examples)
    if recipe.kind != "transformer":
        raise LearningError("Only the settings of a transformer can be searched for.")
    if trials < 1:
        raise LearningError("A search needs at least one trial.")
    if Config.of(recipe.config).dev_share <= 0:
        recipe = replace(recipe, config=recipe.config | {"dev_share": SET_ASIDE})
    if len(examples) < LEAST:
        raise LearningError(f"A search needs {LEAST} labelled items, because it compares runs on a part set aside.")
    examples, _vectors, besides = lessons(examples, recipe, evidence, on_event=on_event, should_stop=should_stop)
    hunt = Hunt(examples, recipe, trials=trials, work=work, on_event=on_event, should_stop=should_stop)
    hunt.besides = besides
    while (number := hunt.next()) is not None:
        hunt.run(number)
    return hunt.publish(target)


class Hunt:
    """One study and its folder."""

    def __init__(
        self,
        examples: Sequence[Example],
        recipe: Recipe,
        *,
        trials: int,
        work: Path,
        on_event: OnEvent,
        should_stop: Callable[[], bool],
    ) -> None:
        import optuna
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.examples, self.recipe, self.wanted, self.work = examples, recipe, trials, work
        self.tell, self.should_stop = on_event, should_stop
        self.besides: dict[str, Any] = {}  # what the manifest says besides, whichever trial wins
        self.base = Config.of(recipe.config)
        self.space = space(self.base.method)
        work.mkdir(parents=True, exist_ok=True)
        self.study: Any = optuna.create_study(
            study_name=STUDY,
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(work / JOURNAL))),
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=FREE, n_warmup_steps=1),
            load_if_exists=True,
        )
        if not self.study.trials:
            self.study.enqueue_trial({name: getattr(self.base, name) for name in self.space if self._may_hold(name)})
        for trial in self._ended():
            self._report(trial)

    def next(self) -> int | None:
        """The number of the trial to run: one that was cut off, or a new one; None when all are done."""
        cut = [t.number for t in self.study.trials if t.state.name == "RUNNING"]
        if cut:
            return int(cut[0])
        if len(self._ended()) >= self.wanted:
            return None
        import optuna

        # a sampler per trial: what it draws follows from the seed and the trials before, not from interruptions
        seed = self.recipe.seed * 1_000 + len(self.study.trials)
        self.study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=FREE, multivariate=True)
        trial = self.study.ask()
        for name, values in self.space.items():
            if isinstance(values, list):
                trial.suggest_categorical(name, values)
            else:
                trial.suggest_float(name, values[0], values[1], log=values[2])
        return int(trial.number)

    def run(self, number: int) -> None:
        from optuna.trial import Trial, TrialState

        frozen = self.study.trials[number]
        attempt = Attempt(Trial(self.study, frozen._trial_id), self.tell, self.should_stop, number, self.wanted)
        self._report(frozen)
        recipe = replace(self.recipe, config=self._settings(frozen.params))
        folder = self.work / f"trial-{number}"
        state, value = TrialState.FAIL, None
        try:
            manifest = publish(
                self.examples,
                recipe,
                folder / "model",
                work=folder / "work",
                on_event=attempt.on_event,
                should_stop=attempt.should_stop,
            )
            attempt.trial.set_user_attr(LOSS, _loss(manifest))
            state, value = TrialState.COMPLETE, float(manifest.metrics["dev_value"])
        except Cancelled:
            if not attempt.hopeless:
                raise
            state = TrialState.PRUNED
        except LearningError as error:
            self.tell({"event": "log", "text": f"Trial {number + 1} failed: {error}"})
            attempt.trial.set_user_attr("error", str(error))
        attempt.trial.set_user_attr("seconds", round(attempt.seconds(), 1))
        self.study.tell(number, value, state=state)
        self._report(self.study.trials[number])
        self._tidy()

    def publish(self, target: Path) -> Manifest:
        best = self._best()
        if best is None:
            errors = [t.user_attrs["error"] for t in self._ended() if "error" in t.user_attrs]
            raise LearningError(errors[-1] if errors else "No trial of the search came to an end.")
        source = self.work / f"trial-{best}" / "model"
        found = checkpoint.verify(source)
        folder = checkpoint.prepare(target)
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(checkpoint.MANIFEST))
        told = [_event_of(trial) for trial in self._ended()]
        metrics = found.metrics | self.besides | {"search": {"best": best, "trials": told}}
        self.tell({"event": "log", "text": f"Trial {best + 1} of {len(told)} is the best and becomes the model."})
        return checkpoint.publish(folder, target, replace(found, metrics=metrics))

    def _settings(self, params: dict[str, Any]) -> dict[str, Any]:
        changed = asdict(self.base) | params
        if "rank" in params:
            changed["alpha"] = 2 * params["rank"]  # the same strength at every rank
        return changed

    def _may_hold(self, name: str) -> bool:
        """Whether the recipe's own value lies inside the space; where it does not, the first trial draws one."""
        values, own = self.space[name], getattr(self.base, name)
        return own in values if isinstance(values, list) else values[0] <= own <= values[1]

    def _ended(self) -> list[Any]:
        return [t for t in self.study.trials if t.state.is_finished()]

    def _best(self) -> int | None:
        """By the dev score; of equals the one with the lower dev loss."""
        done = [t for t in self.study.trials if t.state.name == "COMPLETE"]
        rank = max(done, key=lambda t: (t.value, -t.user_attrs[LOSS], -t.number), default=None)
        return None if rank is None else int(rank.number)

    def _report(self, trial: Any) -> None:
        self.tell(_event_of(trial))

    def _tidy(self) -> None:
        """Keep the model of the best trial so far, and no checkpoints of trials that have ended."""
        best = self._best()
        for trial in self._ended():
            folder = self.work / f"trial-{trial.number}"
            shutil.rmtree(folder if trial.number != best else folder / "work", ignore_errors=True)


class Attempt:
    """Listens to one trial's run, reports its dev scores to the pruner and stops it when it is hopeless."""

    def __init__(self, trial: Any, tell: OnEvent, should_stop: Callable[[], bool], number: int, wanted: int) -> None:
        self.trial, self.tell, self.number, self.wanted = trial, tell, number, wanted
        self.hopeless = False
        self._stop, self._since = should_stop, time.monotonic()

    def on_event(self, event: dict[str, Any]) -> None:
        if event["event"] == "dev":
            self._judge(event)
        elif event["event"] == "progress":
            # one bar over all trials, whose lengths differ: a thousand marks each
            done = 1_000 * self.number + round(1_000 * event["step"] / max(1, event["steps"]))
            self.tell(event | {"step": done, "steps": 1_000 * self.wanted, "trial": self.number})
        else:
            self.tell(event)

    def should_stop(self) -> bool:
        return self.hopeless or self._stop()

    def seconds(self) -> float:
        return time.monotonic() - self._since

    def _judge(self, event: dict[str, Any]) -> None:
        epoch = int(event["epoch"])
        if epoch > 0:  # before the first epoch only the head speaks, which is alike for all
            self.trial.report(float(event["value"]), epoch)
            self.hopeless = bool(self.trial.should_prune())


def _loss(manifest: Manifest) -> float:
    """Dev loss of the epoch whose weights were published."""
    metrics = manifest.metrics
    return next(float(d[LOSS]) for d in metrics["dev"] if d["epoch"] == metrics["best_epoch"])


def _event_of(trial: Any) -> dict[str, Any]:
    curve = [[epoch, value] for epoch, value in sorted(trial.intermediate_values.items())]
    state = STATES[trial.state.name]
    value = trial.value if state == "complete" else None
    return {
        "event": "trial",
        "number": trial.number,
        "params": trial.params,
        "value": value,
        "state": state,
        "seconds": trial.user_attrs.get("seconds", 0.0),
        "curve": curve,
    }
