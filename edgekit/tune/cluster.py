"""Trials on several machines, or in workers that may die, through Ray Tune. Needs the extra `cluster`.

The study stays in SQLite on this machine: Ray is told the points that are left, and the board hears of every fold. A
trial whose worker dies is run again, from its first fold, wherever there is room.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import socket
import warnings
from collections.abc import Iterator
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
from edgekit.results import Point, TrialResult  # noqa: E402
from edgekit.tune.local import Ledger  # noqa: E402
from edgekit.tune.trial import Job, parameters, run_trial  # noqa: E402

#: Of one trial: so often its worker may die.
RETRIES = 3
LOCAL = "local"
#: Ray's sockets lie some 65 characters deeper, and a socket's name has 107 at most.
LONGEST_FOLDER = 40


def run_on_cluster(ledger: Ledger, job: Job, address: str = LOCAL, workers: int = 2) -> None:
    """Run what `ledger` hands out on the Ray cluster at `address`, or on `workers` processes of this machine ("local").

    Raises ConfigError when no cluster answers there, EdgekitError when Ray gives up.
    """
    handed = []
    while (one := ledger.next()) is not None:
        handed.append(one)
    if not handed:
        return
    with scratch_folder("ray") as folder, _connected(address, workers, folder):
        scheduler = _Judge(ledger, job)
        tuner = ray.tune.Tuner(
            ray.tune.with_resources(_trainable(ray.put(job)), {"cpu": 1}),
            param_space={"trial": ray.tune.grid_search([{"number": n, "point": p.to_dict()} for n, p in handed])},
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
            ray.tune.report({"accuracy": sum(accuracies) / len(accuracies), "accuracies": list(accuracies)})
            return True

        result = run_trial(Point(**config["trial"]["point"]), ray.get(shared), report)
        # As text: Ray hands schedulers flattened mappings.
        ray.tune.report({"accuracy": result.accuracy or 0.0, "result": json_text(result.to_dict())})

    return trial


class _Judge(FIFOScheduler):  # type: ignore[misc]  # Ray is no part of what is checked
    """Tells the ledger of every fold, and ends trials that it calls hopeless."""

    def __init__(self, ledger: Ledger, job: Job) -> None:
        super().__init__()
        self.ledger = ledger
        self.job = job
        self.over: set[int] = set()

    def __reduce__(self) -> Any:
        """Ray keeps a copy for restoring a run, which edgekit's own study does instead: the ledger is not in it."""
        return FIFOScheduler, ()

    def __copy__(self) -> _Judge:
        return self

    def __deepcopy__(self, memo: Any) -> _Judge:
        return self

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        number, point = trial.config["trial"]["number"], Point(**trial.config["trial"]["point"])
        if number in self.over:  # its worker died after the result had come, and Ray ran it again
            return str(TrialScheduler.STOP)
        if "result" in result:
            self._finish(number, TrialResult.from_dict(parse_json(result["result"])))
            return str(TrialScheduler.CONTINUE)
        accuracies = tuple(result["accuracies"])
        if self.ledger.folds(number, accuracies) or len(accuracies) == len(self.job.folds):
            return str(TrialScheduler.CONTINUE)
        elapsed_s = float(result["time_total_s"])
        self._finish(number, TrialResult(point, "pruned", accuracies, parameters(point, self.job), elapsed_s))
        return str(TrialScheduler.STOP)

    def _finish(self, number: int, result: TrialResult) -> None:
        self.over.add(number)
        self.ledger.finish(number, result)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        super().on_trial_error(tune_controller, trial)
        number, point = trial.config["trial"]["number"], Point(**trial.config["trial"]["point"])
        if number in self.over or trial.should_recover():  # Ray asks after every failure, and runs the trial again
            return
        self.over.add(number)
        reason = f"its worker died or failed {RETRIES + 1} times ({_last_line(trial.get_error())})"
        self.ledger.lose(number, TrialResult(point, "failed", (), parameters(point, self.job), 0.0, reason))


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
