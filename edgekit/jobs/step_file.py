"""What `step` does: a finished file as one that reads one frame a run."""

from __future__ import annotations

from pathlib import Path

from edgekit.artifacts import real_place
from edgekit.errors import ConfigError
from edgekit.jobs.model_files import find_model, step_path
from edgekit.reading import StrPath
from edgekit.results import StepResult
from edgekit.workdir.extras import needs_extra


def make_steps(workdir: StrPath, model: StrPath | None, target: StrPath | None) -> StepResult:
    """Write a step model; see `edgekit.stepping.write_step_model` and `find_model`, which finds the file. target: by
    default beside a work directory's own file, else in the current folder, called as the file."""
    with needs_extra("step"):
        from edgekit.stepping import write_step_model
    path = find_model(workdir, model)
    chosen = Path(target) if target else step_path(path, path.parent if model is None else Path())
    if real_place(chosen) == real_place(path):
        raise ConfigError(f"{chosen}: is the model itself; give another place with --output")
    return write_step_model(path, chosen)
