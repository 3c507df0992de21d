"""What `emulator doctor` does: a version of ONNX Runtime on the core of each board, on a known model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from edgekit.bench import Agreement
    from edgekit.device.emulator import CoreRun

#: Boards that are looked at.
FAMILY = "raspberry-pi"


@dataclass(frozen=True)
class Examination:
    """How a version did. runs: by core. boards: name to core. agreements: by core, of those that started."""

    onnxruntime: str
    runs: Mapping[str, CoreRun]
    boards: Mapping[str, str]
    agreements: Mapping[str, Agreement]

    @property
    def exit_code(self) -> int:
        """0 where it starts everywhere and answers as here, else 3."""
        agreed = all(found.holds for found in self.agreements.values())
        return 0 if agreed and not any(run.failure for run in self.runs.values()) else 3

    def lines(self) -> list[str]:
        """For people."""
        shown = [f"onnxruntime {self.onnxruntime} for 64-bit Arm, emulated:"]
        return shown + [f"  {board} ({core}): {self._said(core)}" for board, core in self.boards.items()]

    def _said(self, core: str) -> str:
        run = self.runs[core]
        if run.failure:
            return f"does not start: {run.failure}"
        found = self.agreements[core]
        apart = f"answers differ from this machine's by {found.difference:.1e} at most"
        return f"starts; {apart}" + ("" if found.holds else f", allowed {found.tolerance:.1e}")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        cores = {core: {**run.to_dict(), "starts": not run.failure} for core, run in self.runs.items()}
        for core, found in self.agreements.items():
            cores[core] |= {"difference": found.difference, "tolerance": found.tolerance}
        return {"onnxruntime": self.onnxruntime, "boards": dict(self.boards), "cores": cores}


def examine_onnxruntime(onnxruntime: str | None, tell: Callable[[str], None]) -> Examination:
    """Run the shipped student under that version on the core of each board; None takes the version that is meant by
    itself. Sets up what is missing, and raises as that does."""
    from edgekit.bench import agreement
    from edgekit.device.emulator import BY_NAME, ONNXRUNTIME, Progress, emulate_model, set_up
    from edgekit.measure import WorkerRequest
    from edgekit.profiles import load_profile
    from edgekit.shipped import open_box

    version = onnxruntime or ONNXRUNTIME
    boards = {board.name: board.core.value for board in load_profile(FAMILY).boards}
    home = set_up(version, progress=Progress(tell))
    tell(f"running the shipped student under onnxruntime {version} on each core")
    takes = np.random.default_rng(0).normal(0.5, 0.1, (8, 30, 63)).astype(np.float32)
    request = WorkerRequest(open_box().student, "latency", takes=takes)
    cores = [BY_NAME[name] for name in dict.fromkeys(boards.values())]
    emulated = emulate_model(home, version, request, cores)
    runs = {run.core: run for run in emulated.runs}
    agreements = {
        core: agreement(emulated.reference, run.answers, rounded=False) for core, run in runs.items() if not run.failure
    }
    return Examination(version, runs, boards, agreements)
