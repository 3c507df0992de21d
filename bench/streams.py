"""How well is a letter read at its end, in a stream of letters by one signer? Of every way to answer a stream.

    python bench/streams.py run MODEL.onnx RECORDINGS.npz --name NAME --results bench/results/streams.jsonl
    python bench/streams.py show bench/results/streams.jsonl

Takes of one signer and session are joined one behind the other, 30 a stream, in an order drawn anew, no letter twice in
a row. A take lasts as many frames as are drawn from `--frames`, the last one with a hand being held where it has fewer;
`--between` frames lead from one to the next in straight lines (0: the hand jumps). What counts is the answer at a
take's last frame; the first take of a stream, which has none before it, does not. `--sessions` keeps sessions whose
name begins so, such as the days that a model has not learned from; `--signers` keeps people.

Ways: a window of the last frames, which starts from zero with every frame; a state that runs on; a state that is reset
where a take begins, which no program knows; two or three states that are restarted in turns, of which the oldest
answers; and a state that is reset where no hand is seen, or where the hand has moved by more than half its size from
one frame to the next. All are computed by the file's own step model, whose answers are those of takes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from commands import command_line, obey
from numpy.typing import NDArray

from edgekit.artifacts import sha256_file
from edgekit.data import Recordings, canonical_takes, load_recordings, used_frames
from edgekit.runtime import ModelMetadata, inspect_model
from edgekit.runtime.child import session_options
from edgekit.stepping import write_step_model

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
TAKES_A_STREAM = 30
#: Frames of a window; restarts of staggered states: how many, and how many frames apart.
WINDOWS = (10, 15, 20, 30)
STAGGERED = ((2, 5), (2, 8), (2, 10), (2, 15), (3, 5), (3, 10))
#: Part of a hand's size by which it moves from one frame to the next where a state is reset.
JUMP = 0.5


@dataclass(frozen=True, eq=False)
class Stream:
    """Frames float32 (time, features); where each take begins and ends (behind its last frame); its class."""

    frames: F32
    begins: I64
    ends: I64
    labels: I64


def signings(
    recordings: Recordings, sessions: Sequence[str], signers: Sequence[str], rng: np.random.Generator
) -> Iterator[I64]:
    """Takes of one stream each. sessions, signers: what their names begin with; none for all."""
    if recordings.signer is None or recordings.session is None:
        raise SystemExit(f"{recordings.source}: signers or sessions are unknown")
    seen = used_frames(recordings.sequences, recordings.lengths) > 0
    who = np.char.add(np.char.add(recordings.signer, "/"), recordings.session)
    for name in np.unique(who):
        signer, _, session = name.partition("/")
        if (not sessions or session.startswith(tuple(sessions))) and (not signers or signer in signers):
            order = mixed(rng.permutation(np.flatnonzero((who == name) & seen)), recordings.labels)
            for first in range(0, len(order), TAKES_A_STREAM):
                part = order[first : first + TAKES_A_STREAM]
                if len(part) > 1 and len(set(recordings.labels[part].tolist())) > 2:
                    yield part


def mixed(order: I64, labels: I64) -> I64:
    """The order, changed so that no class follows itself, as far as there are others."""
    order = order.copy()
    for k in range(1, len(order)):
        others = np.flatnonzero(labels[order[k:]] != labels[order[k - 1]])
        if len(others):
            order[[k, k + others[0]]] = order[[k + others[0], k]]
    return order


def joined(x: F32, used: I64, labels: I64, frames: tuple[int, int], between: int, rng: np.random.Generator) -> Stream:
    """One stream of the takes x float32 (takes, frames, features), in their order. used: frames of each."""
    parts: list[F32] = []
    begins, ends = [], []
    for take, count in zip(x, used, strict=True):
        lasts = int(rng.integers(frames[0], frames[1] + 1))
        own = take[np.minimum(np.arange(lasts), count - 1)]
        if parts:
            share = np.linspace(0, 1, between + 2, dtype=np.float32)[1:-1, None]
            parts.append((1 - share) * parts[-1][-1] + share * own[0])
        begins.append(sum(map(len, parts)))
        parts.append(own)
        ends.append(begins[-1] + lasts)
    return Stream(np.concatenate(parts).astype(np.float32), np.array(begins), np.array(ends), labels)


class Steps:
    """The step model of a file, on many streams at a time."""

    def __init__(self, model: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "step.onnx"
            write_step_model(model, made)
            metadata = inspect_model(made).metadata
            options = session_options(onnxruntime, 1)
            self._session = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
        if metadata is None:
            raise SystemExit(f"{model}: no metadata")
        self.metadata: ModelMetadata = metadata

    def last(self, streams: F32, lengths: I64) -> I64:
        """The class answered after `lengths` frames of each of streams float32 (streams, time, features)."""
        answers = np.zeros(len(streams), np.int64)
        for t, found in enumerate(self.all(streams), 1):
            answers[lengths == t] = found[lengths == t]
        return answers

    def all(self, streams: F32) -> Iterator[I64]:
        """The classes answered after each frame."""
        states = {state.name: state.zeros(len(streams)) for state in self.metadata.states}
        for t in range(streams.shape[1]):
            logits, *new = self._session.run(None, {"frame": np.ascontiguousarray(streams[:, t]), **states})
            states = dict(zip(states, new, strict=True))
            yield logits.argmax(axis=1)


def starts_of(stream: Stream) -> dict[str, I64]:
    """Where the state that answers at each take's end has started from zero, by way."""
    ends, zero = stream.ends, np.zeros(len(stream.ends), np.int64)
    ways = {f"window of {most}": np.maximum(ends - most, 0) for most in WINDOWS}
    ways["runs on"] = zero
    ways["reset where a take begins"] = stream.begins
    for count, apart in STAGGERED:
        newest = (ends - 1) // apart * apart
        ways[f"{count} states, restarted every {count * apart}"] = np.maximum(newest - (count - 1) * apart, 0)
    ways["reset where no hand is seen"] = last_before(~(stream.frames != 0).any(axis=1), ends)
    ways["reset where the hand jumps"] = last_before(jumps(stream.frames), ends)
    return ways


def last_before(where: NDArray[np.bool_], ends: I64) -> I64:
    """The last place before each end where that was so; 0 where there is none."""
    places = np.maximum.accumulate(np.where(where, np.arange(len(where)), 0))
    found: I64 = places[ends - 1]
    return found


def jumps(frames: F32) -> NDArray[np.bool_]:
    """Whether the hand has moved by more than JUMP of its size since the frame before, the mean of its landmarks."""
    hand = frames[:, :63].reshape(len(frames), 21, 3)
    size = np.maximum(np.linalg.norm(hand[:, 9] - hand[:, 0], axis=1), 1e-3)
    moved = np.linalg.norm(np.diff(hand[:, :, :2], axis=0), axis=2).mean(axis=1) / size[1:]
    return np.concatenate([[False], moved > JUMP])


def right(steps: Steps, streams: Sequence[Stream], names: Sequence[str]) -> dict[str, int]:
    """How many takes but each stream's first are read rightly, by way. names: of the labels."""
    index = {name.upper(): k for k, name in enumerate(steps.metadata.class_names)}
    mapped = np.array([index.get(name.upper(), -1) for name in names])
    wanted = np.concatenate([mapped[stream.labels[1:]] for stream in streams])
    found: dict[str, list[F32]] = {}
    for stream in streams:
        for way, starts in starts_of(stream).items():
            if way != "runs on":
                for start, end in zip(starts[1:], stream.ends[1:], strict=True):
                    found.setdefault(way, []).append(stream.frames[start:end])
    answers = {way: steps.last(*padded(windows)) for way, windows in found.items()}
    answers["runs on"] = running(steps, streams)
    return {way: int((each == wanted).sum()) for way, each in answers.items()}


def padded(windows: Sequence[F32]) -> tuple[F32, I64]:
    """As one array with zeros behind, and their lengths."""
    lengths = np.array([len(window) for window in windows])
    together = np.zeros((len(windows), int(lengths.max()), windows[0].shape[1]), np.float32)
    for k, window in enumerate(windows):
        together[k, : len(window)] = window
    return together, lengths


def running(steps: Steps, streams: Sequence[Stream]) -> I64:
    """The classes answered at takes' ends by states that run on."""
    together, _ = padded([stream.frames for stream in streams])
    each = np.stack(list(steps.all(together)), axis=1)
    return np.concatenate([each[k, stream.ends[1:] - 1] for k, stream in enumerate(streams)])


def run(given: argparse.Namespace) -> None:
    """One model on one file of recordings, in every setting that is asked for."""
    steps, recordings = Steps(given.model), load_recordings(given.recordings)
    x, used = (
        canonical_takes(recordings, recordings.sequences.shape[1]),
        used_frames(recordings.sequences, recordings.lengths),
    )
    for frames in given.frames:
        for between in given.between:
            for seed in range(given.seeds):
                rng = np.random.default_rng(seed)
                streams = [
                    joined(x[part], used[part], recordings.labels[part], frames, between, rng)
                    for part in signings(recordings, given.sessions, given.signers, rng)
                ]
                row = {
                    "name": given.name,
                    "model_sha256": sha256_file(given.model),
                    "recordings": given.recordings.name,
                    "sessions": list(given.sessions),
                    "signers": list(given.signers),
                    "frames": list(frames),
                    "between": between,
                    "seed": seed,
                    "streams": len(streams),
                    "takes": sum(len(stream.ends) - 1 for stream in streams),
                    "right": right(steps, streams, recordings.class_names),
                }
                with given.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")


def show(given: argparse.Namespace) -> None:
    """A table of accuracies for each kind of model, a row a way, a column a setting; seeds together."""
    rows = [json.loads(line) for line in given.results.read_text(encoding="utf-8").splitlines()]
    for kind in dict.fromkeys(kind_of(row) for row in rows):
        own = [row for row in rows if kind_of(row) == kind]
        settings = list(dict.fromkeys(setting_of(row) for row in own))
        print(f"\n{kind}\n\n| way | {' | '.join(settings)} |\n|---|{'---:|' * len(settings)}")
        for way in own[0]["right"]:
            shares = [accuracy([row for row in own if setting_of(row) == setting], way) for setting in settings]
            print(f"| {way} | {' | '.join(f'{share * 100:.1f} %' for share in shares)} |")


def kind_of(row: dict[str, Any]) -> str:
    """Of `student, seed 1`, the student."""
    return str(row["name"]).partition(", seed")[0]


def setting_of(row: dict[str, Any]) -> str:
    """In words."""
    return f"{row['frames'][0]} to {row['frames'][1]} frames, {row['between']} between"


def accuracy(rows: Sequence[dict[str, Any]], way: str) -> float:
    """Of all of them together, a ratio."""
    return sum(row["right"][way] for row in rows) / sum(row["takes"] for row in rows)


def pair(text: str) -> tuple[int, int]:
    """20-30 as (20, 30)."""
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def main() -> None:
    """The command line."""
    parser, commands = command_line(__doc__, run=run, show=show)
    one = commands["run"]
    one.add_argument("model", type=Path)
    one.add_argument("recordings", type=Path)
    one.add_argument("--name", required=True)
    one.add_argument("--sessions", nargs="*", default=[])
    one.add_argument("--signers", nargs="*", default=[])
    one.add_argument("--frames", nargs="*", type=pair, default=[(20, 30), (45, 60)])
    one.add_argument("--between", nargs="*", type=int, default=[0, 6])
    one.add_argument("--seeds", type=int, default=1)
    one.add_argument("--results", type=Path, required=True)
    obey(parser)


if __name__ == "__main__":
    main()
