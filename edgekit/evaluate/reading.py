"""What a model file reads, and what its outputs are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import ConfigError, ModelFileError
from edgekit.evaluate.class_names import check_count, contradiction, kept_names
from edgekit.evaluate.order import Origin
from edgekit.runtime import ModelMetadata

Shape = Sequence[int | str | None]


@dataclass(frozen=True)
class Reading:
    """How a file is read.

    class_names: one an output; None where nobody says. origin: who says them. frames, features: of a take; None for any
    number. note: that the file itself calls its outputs otherwise, in words.
    """

    class_names: tuple[str, ...] | None
    origin: Origin
    frames: int | None
    features: int | None
    note: str | None = None


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
        names = metadata.class_names if said is None else kept_names(said)
        note = contradiction(said, metadata.class_names, path)
        return Reading(names, "own" if own else "said", metadata.sequence_length, metadata.features, note)
    if len(shape) != 3:
        raise ModelFileError(
            f"{path}: its input is {tuple(shape)}; expected takes (batch, time, features), as recorded"
        )
    frames, features = (size if isinstance(size, int) else None for size in shape[1:])
    return Reading(None if said is None else kept_names(said), "assumed" if said is None else "said", frames, features)


def names_for(path: Path, reading: Reading, outputs: int, data: Sequence[str]) -> tuple[str, ...]:
    """The names of the outputs; where nobody says, the data's classes in their order. Raises ConfigError where these
    are not as many."""
    if reading.class_names is not None:
        return reading.class_names
    if outputs != len(data):
        raise ConfigError(
            f"{path}: {outputs} outputs for {len(data)} classes of the data, and it has no class names to tell which is"
            " which; name them, first output to last, with --class-names NAME,NAME,..."
        )
    return tuple(data)


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
