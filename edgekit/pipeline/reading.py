"""What a model file reads, what its outputs are called, and whether it was made from the takes at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import parse_json
from edgekit.data import DataConfig, Recordings, choose_length, split_recordings
from edgekit.errors import ConfigError, DataError, ModelFileError
from edgekit.evaluate import CHOSE, LEARNED, Origin, Roles
from edgekit.pipeline.class_names import check_count
from edgekit.pipeline.files import check_metadata
from edgekit.pipeline.settings import Settings
from edgekit.runtime import ModelMetadata

Shape = Sequence[int | str | None]


@dataclass(frozen=True)
class Reading:
    """class_names: one an output; None where nobody says. frames, features: of a take; None for any number."""

    class_names: tuple[str, ...] | None
    origin: Origin
    frames: int | None
    features: int | None


def read_as(
    path: Path, metadata: ModelMetadata | None, shape: Shape, outputs: int | None, said: Sequence[str] | None = None
) -> Reading:
    """How a file is to be read. shape: of its input; outputs: their number, None where the file does not say.

    said: names of the outputs as --class-names has them; they win over the file's own. Raises ModelFileError for an
    input that takes no takes, ConfigError for names that are not as many as the outputs.
    """
    if said is not None and outputs is not None:
        check_count(said, outputs, path)
    if metadata is not None:
        check_metadata(path, metadata, tuple(shape))
        own = said is None or tuple(said) == metadata.class_names
        names = metadata.class_names if said is None else tuple(said)
        return Reading(names, "own" if own else "said", metadata.sequence_length, metadata.features)
    if len(shape) != 3:
        raise ModelFileError(
            f"{path}: its input is {tuple(shape)}; expected takes (batch, time, features), as recorded"
        )
    frames, features = (size if isinstance(size, int) else None for size in shape[1:])
    return Reading(None if said is None else tuple(said), "assumed" if said is None else "said", frames, features)


def names_for(path: Path, reading: Reading, outputs: int, data: Sequence[str]) -> tuple[str, ...]:
    """The names of the outputs; where nobody says, the data's classes in their order. Raises ConfigError where these
    are not as many."""
    if reading.class_names is not None:
        return reading.class_names
    if outputs != len(data):
        raise ConfigError(
            f"{path}: {outputs} outputs for {len(data)} classes of the data, and it has no class names to tell which is"
            " which; say them, first output to last, with --class-names NAME,NAME,..."
        )
    return tuple(data)


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
