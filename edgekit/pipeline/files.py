"""Model files as the commands find them, and the takes that they read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import read_manifest, sha256_file
from edgekit.data import DataConfig, Recordings, fit_length, used_frames
from edgekit.errors import ModelFileError
from edgekit.pipeline.commands import next_command
from edgekit.pipeline.dataset import prepare_dataset
from edgekit.reading import StrPath
from edgekit.runtime import ModelMetadata, Predictor

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


def part_of(recordings: Recordings, config: DataConfig, part: str, digest: str, frames: int) -> Part:
    """The "train", "validation", "test" or "all" takes, `frames` of each. config: how they are split."""
    cut = used_frames(recordings.sequences, recordings.lengths) > frames
    if part == "all":
        x, index = fit_length(recordings.sequences, recordings.lengths, frames), np.arange(recordings.takes)
    else:
        dataset = prepare_dataset(recordings, config.model_copy(update={"sequence_length": frames}), digest)
        split = dataset.split
        index = {"train": split.train, "validation": split.validation, "test": split.test}[part]
        x = dataset.x[index]
    return Part(x, recordings.labels[index], index, int(cut[index].sum()))


def metadata_of(predictor: Predictor) -> ModelMetadata:
    """Of a file that edgekit exported. Raises ModelFileError for another one."""
    metadata = predictor.info.metadata
    if metadata is None:
        raise ModelFileError(f"{predictor.info.path}: holds no class names; say them with --class-names NAME,NAME,...")
    check_metadata(predictor.info.path, metadata, predictor.input_shape)
    return metadata


def check_metadata(path: Path, metadata: ModelMetadata, shape: tuple[int | str | None, ...] | None) -> None:
    """Raises ModelFileError when what a file says about itself is not what its input (batch, time, features) is."""
    said = (metadata.sequence_length, metadata.features)
    declared = (shape or ())[1:]
    fits = len(declared) == 2 and all(
        got == want for got, want in zip(declared, said, strict=True) if isinstance(got, int)
    )
    if not fits:
        raise ModelFileError(
            f"{path}: its metadata says {said[0]} frames of {said[1]} numbers, its input is {shape}; export it again"
        )
