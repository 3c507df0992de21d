"""Model files as the commands find them, and the takes that they read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import parse_json, read_manifest, sha256_file
from edgekit.data import DataConfig, Recordings, choose_length, fit_length, split_recordings, used_frames
from edgekit.errors import ConfigError, DataError, ModelFileError
from edgekit.evaluate import CHOSE, LEARNED, Roles
from edgekit.evaluate.reading import Reading
from edgekit.reading import StrPath
from edgekit.runtime import ModelMetadata
from edgekit.workdir.commands import next_command
from edgekit.workdir.settings import Settings
from edgekit.workdir.workspace import Workspace

INT8_NAME = "model.int8.onnx"
FP32_NAME = "model.onnx"


def find_model(workdir: StrPath, given: StrPath | None) -> Path:
    """The model named, or the work directory's INT8 file, if it is what was made there.

    Raises ModelFileError when there is none, or when the latter was changed since.
    """
    workdir = Path(workdir)
    given = None if given is None else Path(given)
    path = given or workdir / INT8_NAME
    if not path.exists():
        hint = "" if given else f"; run `{next_command(workdir, 'quantize')}` first, or name a model"
        raise ModelFileError(f"{path}: no such file{hint}")
    if given is None:
        refuse_changed(workdir, path)
    return path


def refuse_changed(workdir: Path, path: Path) -> None:
    """Raises ModelFileError for a file of `edgekit quantize` that is not the one that the work directory's manifest
    knows; one that it knows nothing of is nobody's business here."""
    record = read_manifest(workdir)["stages"].get("quantize")
    outputs = record.get("outputs") if isinstance(record, dict) else None
    known = outputs.get(path.name) if isinstance(outputs, dict) else None
    if known is not None and known != sha256_file(path):
        raise ModelFileError(
            f"{path}: not the file that was made here: its SHA-256 is another one;"
            f" `{next_command(workdir, 'quantize')}` makes it again, or name the file to use it as it is"
        )


@dataclass(frozen=True, eq=False)
class Part:
    """Takes as a model reads them: x float32 (takes, time, features), labels int64 (takes,), index int64 (takes,) in
    the recordings.

    takes_cut: how many of them are longer, and lost frames with a hand.
    """

    x: NDArray[np.float32]
    labels: NDArray[np.int64]
    index: NDArray[np.int64]
    takes_cut: int


def part_of(workspace: Workspace, part: str, frames: int) -> Part:
    """The "train", "validation", "test" or "all" takes of the work directory's recordings, `frames` of each."""
    recordings = workspace.recordings
    cut = used_frames(recordings.sequences, recordings.lengths) > frames
    if part == "all":
        x, index = fit_length(recordings.sequences, recordings.lengths, frames), np.arange(recordings.takes)
    else:
        dataset = workspace.dataset(frames)
        split = dataset.split
        index = {"train": split.train, "validation": split.validation, "test": split.test}[part]
        x = dataset.x[index]
    return Part(x, recordings.labels[index], index, int(cut[index].sum()))


def frames_for(reading: Reading, recordings: Recordings, settings: Settings) -> int:
    """Frames of a take as the file reads it; where it takes any number, what `data.sequence_length` says."""
    said = settings.section("data", DataConfig).sequence_length
    return reading.frames or (choose_length(recordings) if said == "auto" else said)


def roles_of(metadata: ModelMetadata | None, recordings: Recordings, digest: str, index: NDArray[np.int64]) -> Roles:
    """What the takes at `index` of the recordings were to a model. digest: of the recordings."""
    if metadata is None or not metadata.data_sha256:
        return Roles(None, "the file does not say what it was trained on")
    if metadata.data_sha256 != digest:
        about = metadata.trained_on or "others"
        return Roles(None, f"it was trained on other recordings than these ({about}), which may hold some of them")
    try:
        said = DataConfig.model_validate(parse_json(metadata.split))
        split = split_recordings(recordings, said.split, said.test_sessions, said.test_signers)
    except (ValueError, DataError, ConfigError):  # pydantic's own is a ValueError
        return Roles(None, "it was trained on these recordings, but does not say on which part of them")
    each = np.zeros(recordings.takes, dtype=np.int64)
    each[split.train], each[split.validation] = LEARNED, CHOSE
    return Roles(each[index])
