"""Model files as the commands find them."""

from __future__ import annotations

from pathlib import Path

from edgekit.artifacts import MANIFEST, read_manifest, sha256_file
from edgekit.errors import ModelFileError
from edgekit.reading import StrPath
from edgekit.runtime import Runtime, find_library, inspect_model
from edgekit.shipped import Box, open_box
from edgekit.stages.names import FP32_NAME, INT4_NAME, INT8_NAME
from edgekit.workdir.commands import next_command

#: Folder of what `compile` makes of the INT8 file.
NATIVE_NAME = "native"
#: What names the student that edgekit comes with, unless a file is called so.
SHIPPED = "shipped"


def find_model(workdir: StrPath, given: StrPath | None) -> Path:
    """The model named, "shipped" for the student that edgekit comes with, or the work directory's file for the device,
    if it is what was made there.

    Raises ModelFileError when there is none, or when one of the latter was changed since.
    """
    workdir = Path(workdir)
    given = None if given is None else Path(given)
    path = given or device_file(workdir)
    if not path.exists():
        if given == Path(SHIPPED):
            return open_box().student
        hint = f"; run `{next_command(workdir, 'quantize')}` first, or name a model, or `{SHIPPED}` for edgekit's own"
        raise ModelFileError(f"{path}: no such file{'' if given else hint}")
    if given is None:
        refuse_changed(workdir, path)
    return path


def device_file(workdir: Path) -> Path:
    """The file for the device: what `edgekit quantize` left here, fp32 where no other form paid; where it left nothing,
    the name that it would have by default."""
    made = _made(workdir)
    return workdir / next((name for name in (INT8_NAME, INT4_NAME, FP32_NAME) if name in made), INT8_NAME)


def find_reader(
    workdir: StrPath, given: StrPath | None, runtime: Runtime = "onnxruntime", step: bool = False
) -> tuple[Path, Box | None]:
    """What answers: with runtime "native" a library, by default of the folder `native` in the work directory; else see
    `find_model`; where no model is named and nothing was ever made in the work directory, the student that edgekit
    comes with, and all else that edgekit comes with. step: the work directory's step model, where no model is named.

    Raises ModelFileError where there is none, or one of another file.
    """
    workdir = Path(workdir)
    if runtime == "native":
        return find_library(given or workdir / NATIVE_NAME), None
    if given is not None or (workdir / INT8_NAME).exists() or (workdir / MANIFEST).exists():
        found = find_model(workdir, given)
        return _steps_of(found, workdir) if step and given is None else found, None
    box = open_box()
    return box.student, box


def step_path(model: Path, folder: Path) -> Path:
    """Where the step model of a file goes: `model.int8.step.onnx` for `model.int8.onnx`."""
    return folder / model.with_suffix(".step.onnx").name


def find_steps(model: Path) -> Path | None:
    """The step model beside a file that was made from it as it is now; None where there is none. Raises ModelFileError
    for one that can't be read."""
    made = step_path(model, model.parent)
    metadata = inspect_model(made).metadata if made.exists() else None
    return made if metadata is not None and metadata.parents[:1] == (sha256_file(model),) else None


def _steps_of(model: Path, workdir: Path) -> Path:
    """The step model of a work directory's file."""
    made, command = step_path(model, model.parent), next_command(workdir, "step")
    if not made.exists():
        raise ModelFileError(f"{model}: reads takes, and has no step model yet; run `{command}` first")
    if find_steps(model) is None:
        raise ModelFileError(f"{made}: not made from {model} as it is now; run `{command}` again")
    return made


def refuse_changed(workdir: Path, path: Path) -> None:
    """Raises ModelFileError for a file of `edgekit quantize` that is not the one that the work directory's manifest
    knows; one that it knows nothing of is nobody's business here."""
    known = _made(workdir).get(path.name)
    if known is not None and known != sha256_file(path):
        raise ModelFileError(
            f"{path}: not the file that was made here: its SHA-256 is another one;"
            f" `{next_command(workdir, 'quantize')}` makes it again, or name the file to use it as it is"
        )


def _made(workdir: Path) -> dict[str, str]:
    """Files that `edgekit quantize` left, to SHA-256, as the manifest has them."""
    record = read_manifest(workdir)["stages"].get("quantize")
    outputs = record.get("outputs") if isinstance(record, dict) else None
    return outputs if isinstance(outputs, dict) else {}
