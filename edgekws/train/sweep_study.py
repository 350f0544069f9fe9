"""What a sweep remembers between processes: an Optuna study in one SQLite file."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from edgekws.audio.extras import load_extra
from edgekws.errors import RunError
from edgekws.train.interrupts import interrupts_kept_back
from edgekws.train.sweep_space import Point, Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial, TrialState

STUDY_FILE: Final = "study.sqlite"
RANDOM_TRIALS: Final = 6  # before the sampler has something to go by
_SECONDS: Final = "seconds"


@dataclass(frozen=True, slots=True)
class Memory:
    """The trials of one recipe on one corpus; others in the same file are left alone."""

    study: "Study"
    space: Space

    def next(self) -> "tuple[Trial, Point]":
        """Begin a trial: first the recipe itself, then one that was interrupted, then a new one."""
        with interrupts_kept_back():
            for cut in self.study.get_trials(states=(_state("RUNNING"),)):
                self.study.tell(cut.number, state=_state("FAIL"))
                if cut.params.keys() == self.space.distributions().keys():
                    self.study.enqueue_trial(cut.params)
            if not self.study.trials:
                self.study.enqueue_trial(_searched(self.space.start(), self.space))
            trial = self.study.ask(self.space.distributions())
        return trial, _point(trial.params)

    def finish(self, trial: "Trial", loss: float | None, *, seconds: float) -> None:
        """Keep the result of a trial; None is one that could not be trained."""
        with interrupts_kept_back():
            trial.set_user_attr(_SECONDS, seconds)
            state = _state("FAIL") if loss is None else _state("COMPLETE")
            self.study.tell(trial, loss, state=state)

    def seconds(self) -> list[float]:
        """Return what each finished trial took, failed ones too."""
        return [t.user_attrs[_SECONDS] for t in self.study.trials if _SECONDS in t.user_attrs]

    def failures(self) -> int:
        """Return how many trials could not be trained."""
        failed = self.study.get_trials(deepcopy=False, states=(_state("FAIL"),))
        return sum(_SECONDS in trial.user_attrs for trial in failed)

    def best(self) -> tuple[Point, float] | None:
        """Return the best point and its loss, None before there is one."""
        done = self.study.get_trials(deepcopy=False, states=(_state("COMPLETE"),))
        results = [(trial.value, trial.number, trial.params) for trial in done]
        if not results:
            return None
        loss, _, params = min(results)
        assert loss is not None  # a complete trial has a value
        return _point(params), loss


def open_memory(folder: Path, name: str, space: Space) -> Memory:
    """Open or begin the study of a name; RunError where the file cannot be used."""
    optuna = load_extra("optuna", extra="sweep", purpose="a sweep")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    faults = (
        OSError,
        optuna.exceptions.OptunaError,
        load_extra("sqlalchemy.exc", extra="sweep", purpose="a sweep").SQLAlchemyError,
    )
    path = folder / STUDY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        storage = optuna.storages.RDBStorage(
            "sqlite://",  # the path goes to SQLite itself: it may hold what an URL may not
            engine_kwargs={"creator": lambda: sqlite3.connect(path, check_same_thread=False)},
        )
        study = optuna.create_study(study_name=name, storage=storage, load_if_exists=True)
    except faults as fault:
        what = str(fault).partition("\n")[0]
        raise RunError(f"{path}: not a usable study ({what}); delete it to start over") from fault
    trials = len(study.trials)
    study.sampler = optuna.samplers.TPESampler(
        seed=space.recipe.seed + trials, n_startup_trials=RANDOM_TRIALS
    )
    return Memory(study, space)


def _point(params: dict[str, float]) -> Point:
    return msgspec.convert(params, Point)


def _searched(point: Point, space: Space) -> dict[str, float]:
    """Return the values of a point that this space searches."""
    return {name: getattr(point, name) for name in space.distributions()}


def _state(name: str) -> "TrialState":
    state: TrialState = load_extra("optuna.trial", extra="sweep", purpose="a sweep").TrialState[
        name
    ]
    return state
