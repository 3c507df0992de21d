"""Public recordings as one, with who recorded what under which licence; see tools/make_weights.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import numpy as np
from model_card import Recorder

from edgekit.data import Recordings, SynthConfig, join_recordings, load_recordings, synthesise_hands
from edgekit.errors import DataError

#: The recorder whose takes are the test part.
NOBODY = "synthetic"


def chosen(path: Path, without: Iterable[str], tier_b: bool) -> tuple[Recordings, dict[str, str]]:
    """The takes to train on, letters renumbered from A to Z, and the recorders left out with the reason. Raises
    DataError for recordings without signers, and for classes that are no letters."""
    found = load_recordings(path)
    if found.signer is None:
        raise DataError(f"{path}: signers are unknown, so no licence can be told; record them")
    others = [name for name in found.class_names if name not in ascii_uppercase or len(name) != 1]
    if others:
        raise DataError(f"{path}: classes that are no letter from A to Z: {', '.join(others)}; leave them out")
    with np.load(path, allow_pickle=False) as arrays:
        tier = arrays["tier"] if "tier" in arrays else np.full(found.takes, "A")
    said, weak = np.isin(found.signer, list(without)), (tier == "B") & (not tier_b)
    left = {str(name): "left out by name" for name in np.unique(found.signer[said])}
    left |= {str(name): "its licence is named in a README only" for name in np.unique(found.signer[weak & ~said])}
    kept = found.take(np.flatnonzero(~said & ~weak))
    place = np.array([ascii_uppercase.index(name) for name in found.class_names])
    return dataclasses.replace(kept, labels=place[kept.labels], class_names=tuple(ascii_uppercase)), left


def joined(parts: Mapping[str, Recordings]) -> Recordings:
    """All takes of A to Z, padded to the longest, each recorder under the name `FILE:RECORDER`. parts: by file."""
    named = [
        dataclasses.replace(part, signer=np.array([f"{name}:{signer}" for signer in _filled(part, "signer")]))
        for name, part in parts.items()
    ]
    return join_recordings(named, "public recordings")


def _filled(part: Recordings, name: str) -> np.ndarray[Any, Any]:
    """An array of recordings, where it is missing as many that say nothing."""
    found = getattr(part, name)
    if found is not None:
        return np.asarray(found)
    return np.full(part.takes, np.nan, np.float32) if name == "aspect" else np.full(part.takes, "")


def recorders_of(name: str, part: Recordings, folder: Path) -> list[Recorder]:
    """Each with the licence of what it recorded. Raises DataError where there is no text, or one that nobody knows."""
    found = []
    for signer, takes in zip(*np.unique(_filled(part, "signer"), return_counts=True), strict=True):
        texts = [folder / f"{name}-{signer}.txt", folder / f"{name}.txt"]
        path = next((path for path in texts if path.is_file()), None)
        text = path.read_text(encoding="utf-8") if path else ""
        recorder = Recorder(name, str(signer), int(takes), text, path.name if path else "")
        if not recorder.licence:
            raise DataError(f"{texts[0]}: no text of a licence that is known; add it, or --without {signer}")
        found.append(recorder)
    return found


def joined_with_nobody(recordings: Recordings, seed: int) -> Recordings:
    """With a few synthetic takes to test on, since a run has to have some, and those of people shall all train."""
    made = synthesise_hands(SynthConfig(people=4, takes_per_letter=2, seed=seed + 1))
    frames = max(recordings.sequences.shape[1], int(np.minimum(made.lengths, 30).max()))
    signer = np.full(made.takes, NOBODY)
    lengths = np.minimum(made.lengths, frames)
    cut = dataclasses.replace(made, sequences=made.sequences[:, :frames], lengths=lengths, signer=signer)
    return join_recordings([recordings, cut], recordings.source)


def same_takes(one: Recordings, other: Recordings) -> bool:
    """Whether a file that is there already may be used: another one, and the chain would start anew."""
    names = ("sequences", "labels", "lengths", "signer", "session", "hand", "aspect")
    pairs = ((getattr(one, name, None), getattr(other, name, None)) for name in names)
    return all(a is b or (a is not None and b is not None and _alike(a, b)) for a, b in pairs)


def _alike(one: Any, other: Any) -> bool:
    return np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind == "f")
