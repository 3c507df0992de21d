"""What the page is told of the model that answers: all that the reader in it needs besides the file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekit.artifacts import sha256_bytes
from edgekit.data import HAND_FEATURES, USUAL_FRAMES
from edgekit.errors import ModelFileError
from edgekit.evaluate import means_no_sign
from edgekit.jobs.model_files import find_reader
from edgekit.predict import open_labels, usual_frames
from edgekit.reading import StrPath
from edgekit.runtime import SCHEMES, ModelMetadata
from edgekit.shipped import FOLDER, is_shipped
from edgekit.shipped.box import CARD


class PageModel:
    """The file that answers in the page, and what is known of it. Raises ModelFileError for one that the page can't
    run: of takes of one hand, with names of its classes."""

    def __init__(self, workdir: StrPath, given: StrPath | None = None) -> None:
        path, box = find_reader(workdir, given)
        self.path, self.note = path, None if box is None else box.note(workdir)
        labels = open_labels(path)
        #: What the page gets for as long as the studio runs: another file may come into its place meanwhile, with other
        #: classes than the page has been told.
        self.content = path.read_bytes()
        if labels.features != HAND_FEATURES:
            raise ModelFileError(
                f"{path}: reads {labels.features} numbers a frame; the studio's hand tracker gives {HAND_FEATURES}"
            )
        self._metadata, self._names, self._frames = labels.metadata, labels.names, labels.frames
        if labels.metadata is not None and labels.metadata.steps:
            raise ModelFileError(f"{path}: is a step model; the studio runs the file that it was made from")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; read by reader.mjs and card.mjs."""
        names, frames, metadata = self._names, self._frames, self._metadata
        silent = [k for k, name in enumerate(names) if means_no_sign(name)]
        rule = None if metadata is None else metadata.no_sign
        return {
            "file": self.path.name,
            "bytes": len(self.content),
            "sha256": sha256_bytes(self.content),
            "note": self.note,
            "names": list(names),
            "frames": frames,
            "window": usual_frames(frames) if frames <= USUAL_FRAMES else frames,
            "silent": silent,
            "spelled": all(len(name) == 1 for k, name in enumerate(names) if k not in silent),
            "foreign": metadata is None,
            "no_sign": None if rule is None else asdict(rule),
            "facts": [] if metadata is None else _facts(metadata),
            "card": self.card(),
        }

    def card(self) -> str | None:
        """The card of what edgekit comes with, as Markdown; None for another file, which has none."""
        return (FOLDER / CARD).read_text(encoding="utf-8") if is_shipped(self.path) else None


def _facts(metadata: ModelMetadata) -> list[list[str]]:
    """What the file says of itself: [what, value], for people."""
    found = [
        ["parameters", f"{metadata.parameters:,}" if metadata.parameters else "not said"],
        ["numbers", SCHEMES.get(metadata.scheme, metadata.scheme)],
        ["preprocessing", f"{metadata.preprocessing}, inside the file"],
        ["trained on", metadata.trained_on or "not said"],
        ["made by", f"edgekit {metadata.version}" if metadata.version else "not said"],
    ]
    rule = metadata.no_sign
    if rule is None:
        return [*found, ["no sign", "the file has no rule: any hand may be called a sign"]]
    words = f"an {rule.score} below {rule.threshold:.2f} is no sign; found on {rule.found_on}, costs {rule.lost:.2%}"
    return [*found, ["no sign", words]]


def licences_of(model: PageModel) -> list[Path]:
    """Files that have to go where the model goes."""
    return [FOLDER / CARD, *sorted((FOLDER / "licenses").glob("*.txt"))] if is_shipped(model.path) else []
