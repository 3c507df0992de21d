"""Trials on several machines, or in workers that may die, through Ray Tune. Needs the extra `cluster`.

The study stays in SQLite on this machine: Ray is told the points that are left, and the board hears of every step. A
trial whose worker dies is run again, from its first step, wherever there is room.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import socket
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Ray reads these when it is imported, or when its processes start: nothing is sent home, nothing is logged to files
#: that nobody reads, and Ctrl-C is edgekit's.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_V2_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
for _name, _value in _QUIET.items():
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402
import ray.tune  # noqa: E402
from ray.tune.schedulers import FIFOScheduler, TrialScheduler  # noqa: E402

from edgekit.artifacts import json_text, parse_json, scratch_folder  # noqa: E402
from edgekit.errors import ConfigError, EdgekitError  # noqa: E402
from edgekit.study.local import Ledger  # noqa: E402
from edgekit.study.task import Point, Result, Task  # noqa: E402

#: Of one trial: so often its worker may die.
RETRIES = 3
LOCAL = "local"
#: Ray's sockets lie some 65 characters deeper, and a socket's name has 107 at most.
LONGEST_FOLDER = 40


@dataclass(frozen=True)
class Handed:
    """A trial as Ray hands it out. number: of the trial, in the study."""

    number: int
    point: Point

    def to_config(self) -> dict[str, Any]:
        """What Ray takes; `Handed.from_config` is the way back."""
        return {"number": self.number, "point": self.point.to_dict()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], task: Task[Any, Any]) -> Handed:
        """Of a trial's config."""
        return cls(config["trial"]["number"], task.read_point(config["trial"]["point"]))


@dataclass(frozen=True)
class Told:
    """What a trial tells Ray, and Ray the scheduler. accuracies: of the steps so far. elapsed_s: since the trial began,
    as Ray counts. result: when it is over."""

    accuracies: tuple[float, ...] = ()
    elapsed_s: float = 0.0
    result: Result | None = None

    def to_metrics(self) -> dict[str, Any]:
        """What Ray takes, the result as text, since Ray hands schedulers flattened mappings."""
        if self.result is not None:
            return {"accuracy": self.result.accuracy or 0.0, "result": json_text(self.result.to_dict())}
        return {"accuracy": sum(self.accuracies) / len(self.accuracies), "accuracies": list(self.accuracies)}

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, Any], task: Task[Any, Any]) -> Told:
        """Of what Ray hands schedulers."""
        if "result" in metrics:
            return cls(result=task.read_result(parse_json(metrics["result"])))
        return cls(tuple(metrics["accuracies"]), float(metrics.get("time_total_s", 0.0)))


def run_on_cluster(ledger: Ledger[Any, Any], task: Task[Any, Any], address: str = LOCAL, workers: int = 2) -> None:
    """Run what `ledger` hands out on the Ray cluster at `address`, or on `workers` processes of this machine ("local").

    Raises ConfigError when no cluster answers there, EdgekitError when Ray gives up.
    """
    handed = []
    while (one := ledger.next()) is not None:
        handed.append(Handed(*one).to_config())
    if not handed:
        return
    with scratch_folder("ray") as folder, _connected(address, workers, folder):
        scheduler = _Judge(ledger, task)
        tuner = ray.tune.Tuner(
            ray.tune.with_resources(_trainable(ray.put(task)), {"cpu": 1}),
            param_space={"trial": ray.tune.grid_search(handed)},
            tune_config=ray.tune.TuneConfig(metric="accuracy", mode="max", scheduler=scheduler, reuse_actors=True),
            run_config=ray.tune.RunConfig(
                name="edgekit",
                storage_path=str(folder),
                verbose=0,
                failure_config=ray.tune.FailureConfig(max_failures=RETRIES),
            ),
        )
        try:
            tuner.fit()
        except (ray.exceptions.RayError, ray.tune.TuneError) as error:
            raise EdgekitError(f"--cluster {address}: {str(error).splitlines()[0]}") from error


def _trainable(shared: Any) -> Any:
    def trial(config: dict[str, Any]) -> None:
        import torch

        torch.set_num_threads(1)

        def report(accuracies: tuple[float, ...]) -> bool:
            # Ray ends the trial here when the scheduler says so.
            ray.tune.report(Told(accuracies).to_metrics())
            return True

        task: Task[Any, Any] = ray.get(shared)
        result = task.run(Handed.from_config(config, task).point, report)
        ray.tune.report(Told(result=result).to_metrics())

    return trial


class _Judge(FIFOScheduler):  # type: ignore[misc]  # Ray is no part of what is checked
    """Tells the ledger of every step, and ends trials that it calls hopeless."""

    def __init__(self, ledger: Ledger[Any, Any], task: Task[Any, Any]) -> None:
        super().__init__()
        self.ledger = ledger
        self.task = task
        self.over: set[int] = set()

    def __reduce__(self) -> Any:
        """Ray keeps a copy for restoring a run, which edgekit's own study does instead: the ledger is not in it."""
        return FIFOScheduler, ()

    def __copy__(self) -> _Judge:
        return self

    def __deepcopy__(self, memo: Any) -> _Judge:
        return self

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        handed = Handed.from_config(trial.config, self.task)
        if handed.number in self.over:  # its worker died after the result had come, and Ray ran it again
            return str(TrialScheduler.STOP)
        goes_on = self._goes_on(handed, Told.from_metrics(result, self.task))
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)

    def _goes_on(self, handed: Handed, told: Told) -> bool:
        if told.result is not None:
            self._finish(handed.number, told.result)
            return True
        if self.ledger.step(handed.number, told.accuracies) or len(told.accuracies) == self.task.steps:
            return True
        self._finish(handed.number, self.task.stopped(handed.point, told.accuracies, told.elapsed_s))
        return False

    def _finish(self, number: int, result: Result) -> None:
        self.over.add(number)
        self.ledger.finish(number, result)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        super().on_trial_error(tune_controller, trial)
        handed = Handed.from_config(trial.config, self.task)
        if handed.number in self.over or trial.should_recover():
            return  # Ray asks after every failure, and runs the trial again
        self.over.add(handed.number)
        reason = f"its worker died or failed {RETRIES + 1} times ({_last_line(trial.get_error())})"
        self.ledger.lose(handed.number, self.task.failed(handed.point, reason))


def _last_line(error: Exception | None) -> str:
    """Of a worker's traceback, where the reason stands."""
    lines = [line.strip() for line in str(error or "").splitlines() if line.strip()]
    return lines[-1] if lines else "no reason known"


def check_address(address: str) -> None:
    """Raises ConfigError when nothing listens there; Ray itself would wait for most of a minute, and then end."""
    if address == LOCAL:
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5.0).close()
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"--cluster {address}: no Ray cluster there ({error}); expected local, or HOST:PORT of `ray start --head`"
        ) from None


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Ray answers SIGTERM by aborting the process: afterwards it is as before."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        if handler is not None:
            signal.signal(number, handler)


@contextlib.contextmanager
def _connected(address: str, workers: int, folder: Path) -> Iterator[None]:
    """folder: of this run; a Ray of its own keeps its logs and sockets there, if their names are not too long."""
    local = {"num_cpus": workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    local |= {"_temp_dir": str(folder)} if len(str(folder)) <= LONGEST_FOLDER else {}
    where: dict[str, Any] = local if address == LOCAL else {"address": address}
    with warnings.catch_warnings():
        # Ray's own use of names that it, or Python, has deprecated.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"ray\..*")
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"ray\..*")
        # Sockets and pipes to Ray's own processes, which end with them.
        warnings.filterwarnings("ignore", category=ResourceWarning)
        try:
            with _own_signals():
                ray.init(logging_level=logging.ERROR, log_to_driver=False, configure_logging=True, **where)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"--cluster {address}: no Ray cluster there ({reason}); `ray start --head`") from None
        # A worker's death is no traceback for the user: its trial is run again. And stdout is for the result.
        log = logging.getLogger("ray.tune")
        level = log.level
        log.setLevel(logging.CRITICAL)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        finally:
            ray.shutdown()
            log.setLevel(level)
