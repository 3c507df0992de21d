"""The files that edgekit comes with, each checked before it is used. Works without torch and onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import parse_json, sha256_bytes
from edgekit.errors import DataError, ModelFileError
from edgekit.reading import FileKind, StrPath, parsing, read_file, read_text
from edgekit.shipped.takes import U64, digests_of

#: Where they are, in a checkout and in an installed package.
FOLDER = Path(__file__).resolve().parent
CONTENTS, CARD, TAKES = "contents.json", "MODEL_CARD.md", "takes.bin"
#: The INT8 file, for devices.
STUDENT_FILE = "student.int8.onnx"
#: Folders of weights to start from, as `edgekit.model.save_model` writes them.
MODELS = ("teacher", "student")
ADVICE = "install edgekit again"
FILES = FileKind("a file that edgekit comes with", ModelFileError, 10**7, ADVICE, f"edgekit comes with it: {ADVICE}")


@dataclass(frozen=True)
class Box:
    """What `contents.json` says.

    class_names: one a logit. features: numbers of a frame. frames: of a take. preliminary: whether the weights are a
    stand-in, whose accuracy on people left out has not been measured. files: every file's SHA-256, by its path below
    `folder`.
    """

    folder: Path
    class_names: tuple[str, ...]
    features: int
    frames: int
    preliminary: bool
    files: Mapping[str, str]

    def path(self, name: str) -> Path:
        """The file, unchanged since it was made. Raises ModelFileError for one that is missing or another one."""
        path = self.folder / name
        if name not in self.files:
            raise ModelFileError(f"{self.folder / CONTENTS}: knows no {name}; {ADVICE}")
        if sha256_bytes(read_file(path, FILES)) != self.files[name]:
            raise ModelFileError(
                f"{path}: not the file that edgekit came with: its SHA-256 is another one; {ADVICE}, or do"
                " without it: name a model of your own, or train with --pretrain none"
            )
        return path

    @property
    def student(self) -> Path:
        """The INT8 file."""
        return self.path(STUDENT_FILE)

    def model(self, name: str) -> Path:
        """The folder of "teacher" or "student", its files unchanged; for `edgekit.model.load_model`."""
        for file in ("model.json", "model.safetensors"):
            self.path(f"{name}/{file}")
        return self.folder / name

    def seen(self, sequences: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which takes the models have learned from, bool (takes,). sequences float32 (takes, frames, features), as
        recorded; lengths int64 (takes,)."""
        known: U64 = np.frombuffer(read_file(self.path(TAKES), FILES), dtype="<u8")
        return np.isin(digests_of(sequences, lengths), known)

    def reads(self) -> str:
        """What the student can be asked, for people."""
        first, last = self.class_names[0], self.class_names[-1]
        return f"the letters {first} to {last} of one hand"

    def note(self, workdir: StrPath) -> str:
        """That the student answers because the work directory has no model."""
        poor = "; it is PRELIMINARY: how well it reads strangers is not measured yet" if self.preliminary else ""
        return (
            f"no model in {workdir}: the student that edgekit comes with answers; it reads {self.reads()}, and may"
            f" take another sign for one of them{poor}"
        )

    def refuse_others(self, features: int, class_names: Sequence[str], source: str) -> None:
        """Raises DataError for recordings that the student can't read. class_names: none where nobody says any."""
        advice = "name a model (edgekit run makes one of such recordings)"
        own = f"the student that edgekit comes with reads {self.reads()}, {self.features} numbers per frame"
        if features != self.features:
            raise DataError(f"{source}: {features} numbers per frame; {own}; {advice}")
        if class_names and not any(name.upper() in self.class_names for name in class_names):
            some = ", ".join(class_names[:8]) + (", ..." if len(class_names) > 8 else "")
            raise DataError(f"{source}: no class is called by a letter ({some}); {own}; {advice}")

    def named_as(self, class_names: Sequence[str]) -> tuple[str, ...]:
        """Its class names, in the case in which recordings write them; its own where they have both."""
        theirs = {name.upper(): name for name in class_names if name.upper() not in class_names}
        return tuple(theirs.get(name, name) for name in self.class_names)


def is_shipped(path: StrPath) -> bool:
    """Whether that is the INT8 file that edgekit comes with."""
    return Path(path).resolve() == FOLDER / STUDENT_FILE


def open_box(folder: StrPath = FOLDER) -> Box:
    """What edgekit comes with. Raises ModelFileError where `contents.json` is missing or damaged."""
    place = Path(folder) / CONTENTS
    text = read_text(place, FILES)
    with parsing(place, FILES):
        return _box(Path(folder), parse_json(text))


def _box(folder: Path, told: Mapping[str, Any]) -> Box:
    names, files = told["class_names"], told["files"]
    if not names or not all(isinstance(name, str) for name in names) or not isinstance(files, dict):
        raise ValueError("class_names or files")
    return Box(
        folder=folder,
        class_names=tuple(names),
        features=int(told["features"]),
        frames=int(told["sequence_length"]),
        preliminary=bool(told["preliminary"]),
        files={str(name): str(digest) for name, digest in files.items()},
    )
