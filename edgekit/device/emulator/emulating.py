"""One model on several cores, beside this machine: what each executed, and what it answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from edgekit.device.emulator.cores import Core
from edgekit.device.emulator.home import Home
from edgekit.device.emulator.places import ONNXRUNTIME, SETUP
from edgekit.device.emulator.running import Answers, CoreRun, counting, run_on_core
from edgekit.errors import InputError
from edgekit.measure import WorkerRequest, run_worker

#: Emulators at once.
AT_ONCE = 2


@dataclass(frozen=True)
class Emulated:
    """What the cores did.

    runtime: what computed there, in words: `onnxruntime 1.32.0`, or `compiled`. emulator: its version. reference: what
    this machine answered to the same input. runs: one a core.
    """

    runtime: str
    emulator: str
    reference: Answers
    runs: tuple[CoreRun, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the answers."""
        return {"runtime": self.runtime, "emulator": self.emulator, "runs": [run.to_dict() for run in self.runs]}


#: Runs what a request asks for on these cores.
Emulate = Callable[[WorkerRequest, Sequence[Core]], Emulated]


def emulate_model(home: Home, onnxruntime: str, request: WorkerRequest, cores: Sequence[Core]) -> Emulated:
    """The model of a request under that version of ONNX Runtime, which is set up. Raises as `run_worker` does."""
    reference = run_worker(counting(request)).answers
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = tuple(pool.map(lambda core: run_on_core(home, core, onnxruntime, request), cores))
    return Emulated(f"onnxruntime {onnxruntime}", home.version, reference, runs)


def chosen_onnxruntime(sites: Mapping[str, object]) -> str:
    """The version that is meant by itself, else the newest that was set up. Raises InputError where none was."""
    if ONNXRUNTIME in sites:
        return ONNXRUNTIME
    if not sites:
        raise InputError(f"the emulator has no ONNX Runtime; run `{SETUP}` again")
    return max(sites, key=lambda version: tuple(map(int, version.split("."))))
