"""Several recordings as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import F32
from edgekit.data.recordings import Names, Recordings
from edgekit.errors import DataError


def join_recordings(parts: Sequence[Recordings], called: str) -> Recordings:
    """All takes of `parts`, in that order, as one.

    Classes are matched by name and come as they are first met; takes are padded with zeros to the longest; what a part
    does not know of signer, session, hand or picture stays unknown for its takes. Signers and sessions of one name are
    one. synthetic: where all of them are. called: what messages call the whole.

    Raises DataError for no parts, and for takes of different numbers per frame.
    """
    if not parts:
        raise DataError(f"{called}: no recordings to join")
    _check_features(parts)
    names = tuple(dict.fromkeys(name for part in parts for name in part.class_names))
    place = {name: k for k, name in enumerate(names)}
    labels = [np.array([place[name] for name in part.class_names])[part.labels] for part in parts]
    return Recordings(
        sequences=_padded(parts),
        lengths=np.concatenate([part.lengths for part in parts]),
        labels=np.concatenate(labels).astype(np.int64),
        class_names=names,
        signer=_names(parts, "signer"),
        session=_names(parts, "session"),
        source=called,
        synthetic=all(part.synthetic for part in parts),
        hand=_names(parts, "hand"),
        aspect=_aspects(parts),
        tracker="; ".join(dict.fromkeys(part.tracker for part in parts if part.tracker)),
        remarks=tuple(remark for part in parts for remark in part.remarks),
    )


def _check_features(parts: Sequence[Recordings]) -> None:
    first = parts[0]
    for part in parts[1:]:
        if part.features != first.features:
            raise DataError(
                f"{part.source}: {part.features} numbers per frame, {first.source} has {first.features}; only"
                " recordings of the same kind can be joined"
            )


def _padded(parts: Sequence[Recordings]) -> F32:
    frames = max(part.sequences.shape[1] for part in parts)
    out = np.zeros((sum(part.takes for part in parts), frames, parts[0].features), dtype=np.float32)
    first = 0
    for part in parts:
        out[first : first + part.takes, : part.sequences.shape[1]] = part.sequences
        first += part.takes
    return out


def _names(parts: Sequence[Recordings], field: str) -> Names | None:
    each: list[Names | None] = [getattr(part, field) for part in parts]
    if all(names is None for names in each):
        return None
    return np.concatenate(
        [np.full(part.takes, "") if names is None else names for part, names in zip(parts, each, strict=True)]
    )


def _aspects(parts: Sequence[Recordings]) -> NDArray[np.float32] | None:
    if all(part.aspect is None for part in parts):
        return None
    unknown = np.float32(np.nan)
    return np.concatenate([np.full(p.takes, unknown) if p.aspect is None else p.aspect for p in parts])
