"""What a bench would do: said after everything that can be checked without measuring."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import DataError, ShapeError
from edgekit.jobs.model_files import find_model
from edgekit.reading import StrPath
from edgekit.runtime import inspect_model
from edgekit.runtime.deciding import decided_by
from edgekit.runtime.inspection import read_model
from edgekit.workdir.workspace import Workspace

if TYPE_CHECKING:
    from edgekit.bench import BenchConfig
    from edgekit.device.emulator import Core
    from edgekit.profiles import Profile


def plan_bench(
    workspace: Workspace,
    model: StrPath | None,
    profile: str,
    *,
    parent: StrPath | None = None,
    part: str | None = None,
    labelled: bool = False,
    baseline: StrPath | None = None,
    emulate: bool = False,
    reports: Sequence[StrPath | None] = (),
) -> None:
    """Tell the watcher what `bench_model`, with the same arguments, would measure, and which reports would be written.

    Nothing is measured, no recordings are read. Raises what `bench_model` raises of files, profile and settings.
    """
    from edgekit.bench import BenchConfig, read_baseline
    from edgekit.profiles import load_profile

    path = find_model(workspace.path, model)
    config = workspace.settings.section("bench", BenchConfig)
    checked = load_profile(profile)
    for file in (path, parent):
        if file is not None:
            inspect_model(Path(file))
    if baseline is not None:
        read_baseline(baseline)
    _refuse_missing_values(path, config)
    data = workspace.options.recordings
    if labelled and data is not None and not Path(data).exists():
        raise DataError(f"{data}: no such file or folder; give recordings with --data")
    against = [f"profile {checked.name}", *([] if baseline is None else [str(baseline)])]
    cores = emulated_cores(checked) if emulate else ()
    parts = [f"{path} against {' and '.join(against)}: {_measuring(config)}"]
    if labelled or model is None:
        parts.append(f"accuracy on the {part or 'validation'} takes" + (f" beside {parent}" if parent else ""))
    parts += [f"runs it on emulated {', '.join(core.name for core in cores)}"] if cores else []
    written = [str(report) for report in reports if report is not None]
    parts += [f"writes {', '.join(written)}"] if written else []
    workspace.watcher.stage("bench", "plan", "; ".join(parts))


def emulated_cores(profile: Profile) -> tuple[Core, ...]:
    """Those that would be emulated. Raises InputError where the emulator is not set up."""
    from edgekit.bench.emulated import cores_of
    from edgekit.device.emulator import find_home

    find_home()
    return cores_of(profile)


def _refuse_missing_values(path: Path, config: BenchConfig) -> None:
    """Raises ShapeError for inputs that decide how much work a run is and that nobody gives, as a bench does: whole
    numbers, true or false, and real numbers that stand alone."""
    decides = decided_by(read_model(path))
    for item in inspect_model(path).inputs:
        several = (
            item.dtype.startswith(("float", "double"))
            and len(item.shape or ()) > 1
            and any(n != 1 for n in item.shape or ())
        )
        if item.name in decides and item.name not in config.values and not several:
            raise ShapeError(
                f"{path}: input '{item.name}' ({item.dtype}) reaches {decides[item.name]}: how much work a run is"
                f" depends on it, and it is never made up; give --value {item.name}=..."
            )


def _measuring(config: BenchConfig) -> str:
    """Processes, and seconds at most: as long for memory as for latency, though that takes far less."""
    from edgekit.bench.run import PACED_S

    fresh = "a fresh process" if config.processes == 1 else f"{config.processes} fresh processes"
    parts = [f"{fresh} each for memory and latency, {2 * config.time_limit_s:g} s at most"]
    if config.rate_hz is not None or config.duration_s is not None:
        parts.append(f"a run of {config.duration_s or PACED_S:g} s")
    return ", ".join([*parts, *(["a survey of threads and batches"] if config.sweep else [])])
