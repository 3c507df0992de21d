"""The takes that a finished file is run on: those that it was made from, or those that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.data import DataConfig, Recordings, canonical_takes, choose_length, refuse_mix, used_frames
from edgekit.errors import ConfigError, DataError, ModelFileError, ShapeError
from edgekit.evaluate import CHOSE, LEARNED, Roles
from edgekit.evaluate.class_names import match_class_names
from edgekit.evaluate.reading import Reading, check_metadata, read_as
from edgekit.runtime import inspect_any, inspect_model
from edgekit.shipped import is_shipped, open_box
from edgekit.workdir.dataset import split_again
from edgekit.workdir.settings import Settings
from edgekit.workdir.workspace import Workspace


@dataclass(frozen=True, eq=False)
class BenchTakes:
    """Recordings, and how many frames of each take the benched files read. steps: whether they read one a run."""

    recordings: Recordings
    frames: int
    steps: bool = False

    @property
    def x(self) -> NDArray[np.float32]:
        """All takes as the files read them, float32 (takes, frames, features); for step models every frame, float32
        (frames, features)."""
        x = canonical_takes(self.recordings, self.frames)
        return x.reshape(-1, x.shape[2]) if self.steps else x


def own_takes(workspace: Workspace, *paths: Path) -> BenchTakes | None:
    """The work directory's recordings; None unless they are here and all of the files read such takes."""
    data = workspace.options.recordings
    size = _take_size(paths) if workspace.record("quantize") is not None else None
    if size is None:
        return None
    if data is not None and not Path(data).exists():
        workspace.watcher.stage("data", "note", f"{data} is not here: random input")
        return None
    frames, features, steps = size
    return BenchTakes(workspace.recordings, frames, steps) if workspace.recordings.features == features else None


def named_takes(workspace: Workspace, path: Path, class_names: Sequence[str] | None) -> BenchTakes:
    """The recordings that the user named; what does not fit is an error."""
    info = inspect_model(path)
    if len(info.inputs) != 1 and not info.steps:
        raise ModelFileError(f"{path}: {len(info.inputs)} inputs; labelled takes are for files of one")
    reading = read_as(path, info.metadata, info.take_shape or (), None, class_names)
    recordings = workspace.recordings
    refuse_unreadable(path, reading, recordings)
    return BenchTakes(recordings, frames_for(reading, recordings, workspace.settings), info.steps)


def refuse_unreadable(path: Path, reading: Reading, recordings: Recordings) -> None:
    """Raises ConfigError for said names that are not those of the recordings' classes, ShapeError for frames of another
    size than the file reads."""
    if reading.origin == "said" and reading.class_names is not None:
        match_class_names(reading.class_names, recordings.class_names)
    if reading.features not in (None, recordings.features):
        raise ShapeError(
            f"{recordings.source}: {recordings.features} numbers per frame; {path} reads {reading.features}"
        )


def _take_size(paths: Sequence[Path]) -> tuple[int, int, bool] | None:
    """(frames, numbers per frame) that all of the files read, and whether one frame a run; None where one does not say,
    or they differ."""
    sizes = set()
    for path in paths:
        info = inspect_any(path)
        if info.metadata is None:
            return None
        check_metadata(path, info.metadata, info.take_shape)
        sizes.add((info.metadata.sequence_length, info.metadata.features, info.steps))
    return sizes.pop() if len(sizes) == 1 else None


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
        x, index = canonical_takes(recordings, frames), np.arange(recordings.takes)
    else:
        dataset = workspace.dataset(frames)
        split = dataset.split
        index = {"train": split.train, "validation": split.validation, "test": split.test}[part]
        x = dataset.x[index]
    return Part(x, recordings.labels[index], index, int(cut[index].sum()))


def titles_of(recordings: Recordings, index: NDArray[np.int64]) -> tuple[str, ...]:
    """Where people find each of the takes at `index`: its name or number, who signed it and when, as far as known."""
    names = recordings.take_names
    about = [column for column in (recordings.signer, recordings.session) if column is not None]
    return tuple(
        ", ".join([f"take {k}" if names is None else str(names[k]), *(str(column[k]) for column in about if column[k])])
        for k in index
    )


def frames_for(reading: Reading, recordings: Recordings, settings: Settings) -> int:
    """Frames of a take as the file reads it; where it takes any number, what `data.sequence_length` says."""
    said = settings.section("data", DataConfig).sequence_length
    return reading.frames or (choose_length(recordings) if said == "auto" else said)


def roles_of(path: Path, recordings: Recordings, digest: str, index: NDArray[np.int64]) -> Roles:
    """What the takes at `index` of the recordings were to the model at `path`. digest: of the recordings.

    The weights that edgekit comes with know each take that they learned from, and so does what goes back to them.
    """
    box, metadata = open_box(), inspect_model(path).metadata
    parents = () if metadata is None else metadata.parents
    known = is_shipped(path) or not set(parents).isdisjoint(box.files.values())
    saw = box.seen(recordings.sequences, recordings.lengths) if known else np.zeros(recordings.takes, dtype=np.bool_)
    if is_shipped(path):
        return Roles(np.where(saw[index], LEARNED, 0))
    if metadata is None or not metadata.data_sha256:
        return Roles(None, "the file does not say what it was trained on")
    if metadata.data_sha256 != digest:
        about, count = metadata.trained_on or "others", int(saw[index].sum())
        more = f", and the shipped weights that it goes back to have learned from {count:,} of them" if count else ""
        return Roles(
            None, f"it was trained on other recordings than these ({about}), which may hold some of them{more}"
        )
    try:
        split = split_again(metadata.split, recordings)
    except (DataError, ConfigError):
        return Roles(None, "it was trained on these recordings, but does not say on which part of them")
    each = np.zeros(recordings.takes, dtype=np.int64)
    each[split.validation], each[split.train], each[saw] = CHOSE, LEARNED, LEARNED
    return Roles(each[index])


def refuse_said_mix(workspace: Workspace) -> None:
    """Raises DataError where the settings say synthetic takes that the recordings can't have, before PyTorch loads."""
    config = workspace.settings.section("data", DataConfig)
    if config.mix == "synthetic" and workspace.options.recordings is not None:
        refuse_mix(config, workspace.recordings)
