"""A search as an Optuna study: two goals (quality up, memory down), trials stopped early, one storage for all machines.

What a trial draws follows from the search's seed, its number and the trials that are finished, not from the process:
a study that was interrupted goes on as if it had not been, and two machines with the same seed draw differently.
A trial whose process died is failed after a grace period and its values are tried again.

Optuna's pruners judge one goal only and would stop every small adapter for the sake of the large ones. Here a trial is
stopped when, at the same step, it lies below the median of the finished trials that need no more memory than it.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from lora_demo.training.engine.stopped import TrainingStopped
from lora_demo.training.evaluation import Evaluation
from lora_demo.training.recipes.recipe import Recipe
from lora_demo.training.searching.search import Search, SearchError, candidate, draw, spoken

HEARTBEAT = 60
"""Seconds between signs of life; a trial silent for twice as long counts as dead."""
LEAST_PEERS = 3
DEFINITION = "definition"
DONE = (TrialState.COMPLETE, TrialState.PRUNED)
NOT_DEFINING = ("name", "about", "trials")


@dataclass(frozen=True)
class Trained:
    """What training a candidate brought: trainable parameters, seconds, and why it ended early, if it did."""

    trainable: int
    seconds: float
    stopped: str = ""


Watch = Callable[[int, Evaluation], None]
Train = Callable[[Recipe, Watch], Trained]
Cost = Callable[[Recipe], int]


@dataclass
class Objective:
    """Trains what a trial draws.

    train  raises whatever `watch` raises
    cost   bytes that the candidate's step needs, known before it is trained
    say    receives one line per trial
    """

    search: Search
    recipe: Recipe
    train: Train
    cost: Cost
    say: Callable[[str], None] = field(default=lambda line: None)

    def __call__(self, trial: optuna.Trial) -> tuple[float, float]:
        trial.study.sampler = _sampler(self.search.seed, trial.number)
        drawn = draw(self.search, trial)
        recipe = candidate(self.recipe, self.search, drawn)
        memory = self.cost(recipe)
        for name, value in {"method": drawn[0], "settings": drawn[1], "lr": drawn[2], "memory": memory}.items():
            trial.set_user_attr(name, value)
        self.say(f"trial {trial.number}: {spoken(*drawn[:2])}, lr {drawn[2]:.2g}")
        watched = Watched(trial, self.search.quality, memory)
        try:
            trained = self.train(recipe, watched)
        except KeyboardInterrupt:
            trial.study.enqueue_trial(trial.params)
            raise
        trial.set_user_attr("trainable", trained.trainable)
        trial.set_user_attr("seconds", round(trained.seconds, 1))
        if trained.stopped:
            trial.set_user_attr("reason", trained.stopped)
            raise optuna.TrialPruned(trained.stopped)
        return max(watched.curve.values()), float(memory)


@dataclass
class Watched:
    """Notes a trial's evaluations where other machines see them, and stops it when it has fallen behind."""

    trial: optuna.Trial
    quality: str
    memory: int
    curve: dict[str, float] = field(default_factory=dict)

    def __call__(self, step: int, found: Evaluation) -> None:
        self.curve[str(step)] = found.accuracy if self.quality == "accuracy" else -found.loss
        self.trial.set_user_attr("curve", self.curve)
        finished = self.trial.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if behind(self.memory, str(step), self.curve[str(step)], [trial.user_attrs for trial in finished]):
            reason = f"behind at step {step}"
            self.trial.set_user_attr("reason", reason)
            raise optuna.TrialPruned(reason)


class StorageLost(TrainingStopped):
    """The study's storage cannot be written any more."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the study's storage takes nothing more: {reason}. What it holds is whole; make room or reach it again, "
            "and the same command goes on"
        )


def behind(memory: int, step: str, score: float, finished: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a score lies below the median of what at least LEAST_PEERS trials of no more memory had at that step."""
    peers = [attrs["curve"][step] for attrs in finished if attrs["memory"] <= memory and step in attrs["curve"]]
    return len(peers) >= LEAST_PEERS and score < statistics.median(peers)


def open_study(url: str, name: str, search: Search, recipe: Recipe, *, heartbeat: int = HEARTBEAT) -> optuna.Study:
    """The study of that name in the storage, new or as others left it.

    Raises SearchError if the storage cannot be used, or holds another search under that name.
    """
    # What goes wrong reaches the caller as an exception; Optuna would print its traceback before.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = _storage(url, heartbeat)
    study = optuna.create_study(
        study_name=name, storage=storage, directions=["maximize", "minimize"], load_if_exists=True
    )
    wanted = {
        "search": search.model_dump(mode="json", exclude=set(NOT_DEFINING)),
        "recipe": recipe.model_dump(mode="json", exclude={"about", "threads", "workers"}),
    }
    found = study.user_attrs.get(DEFINITION)
    if found is None:
        study.set_user_attr(DEFINITION, wanted)
    elif different := [key for part in wanted for key in _differences(found[part], wanted[part])]:
        raise SearchError(
            f"study {name!r} in {shown(url)} was begun differently: {', '.join(different)} differ. "
            "Give this one a name of its own with --study, or another --storage"
        )
    return study


def optimise(study: optuna.Study, objective: Objective, *, trials: int, seconds: float | None = None) -> int:
    """Run trials until the study has so many, counting those of other machines; returns how many it has.

    Raises StorageLost if the storage stops taking what is written to it, e.g. on a full disk.
    """
    if finished(study) < trials:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            try:
                study.optimize(objective, timeout=seconds, callbacks=[lambda found, _: _stop_at(found, trials)])
            except (StorageInternalError, AssertionError) as error:
                # Optuna cannot write down that a trial failed either, and then runs into an assertion of its own.
                if (reason := _said_by_database(error)) is None:
                    raise
                raise StorageLost(reason) from error
    return finished(study)


def _said_by_database(error: BaseException | None) -> str | None:
    """What the database said, below the layers that passed it on; None if it was not about the database."""
    while error is not None:
        if isinstance(error, SQLAlchemyError):
            return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        error = error.__cause__ or error.__context__
    return None


def finished(study: optuna.Study) -> int:
    """Trials that were trained to the end or stopped."""
    return len(study.get_trials(deepcopy=False, states=DONE))


def all_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Every trial of the study, of all machines, by number."""
    return study.get_trials(deepcopy=False)


def shown(url: str) -> str:
    """A storage's URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return url


def _sampler(seed: int, number: int) -> optuna.samplers.BaseSampler:
    # Set before anything is drawn; independent TPE, Optuna's choice for several goals, draws value by value.
    return optuna.samplers.TPESampler(seed=(seed * 1_000_003 + number) % 2**32, multivariate=False)


def _storage(url: str, heartbeat: int) -> RDBStorage:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return RDBStorage(
                url,
                heartbeat_interval=heartbeat,
                grace_period=2 * heartbeat,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=1),
            )
    except ImportError as error:
        raise SearchError(f"--storage {shown(url)}: its database driver is not installed: {error.__cause__}") from error
    except (SQLAlchemyError, RuntimeError, ValueError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise SearchError(
            f"--storage {shown(url)}: cannot be used: {reason}. Expected a database URL such as sqlite:///study.db "
            "or postgresql://user:password@host/name"
        ) from error


def _stop_at(study: optuna.Study, trials: int) -> None:
    if finished(study) >= trials:
        study.stop()


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
