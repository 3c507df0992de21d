"""How well are words read as they are spelled, without being told where a letter or a word begins?

    python bench/words.py run MODEL.onnx LETTERS.npz IDLE.npz --name NAME --signer signer-2 --results words.jsonl
    python bench/words.py show words.jsonl
    python bench/words.py tune MODEL.onnx LETTERS.npz IDLE.npz --signer signer-1 --sessions 2022-03-07

Words are real takes of letters joined one behind the other, with idle hands or no hand between words: see
bench/word_streams.py. MODEL must not have learned from the takes that are named. Ways to read them:

naive: the label of a window of the last 20 frames (`edgekit predict`), repeats collapsed; frames without a hand are
left out. held: the same, where it is the answer for ten frames on end with at least 0.8 each
(examples/stream/letters.py). reader: `edgekit.live.Reader`; with --step of a step model, too. told: the model's
answer to each letter's frames alone, at their end, by somebody who knows where they begin: what the model can read at
all.

Judged: a word is right when its letters were written and no other ones; whether the word was ended before the next
one is judged apart. Letter errors are the least number of letters to change, add and remove, by letters spelled. What
is written between two words counts as the earlier one's. A letter can be read from the frame on from which the answer
to its own frames alone is right and stays so; its lag is counted from there, and from its first frame. Idle takes that
are called a letter are those during which anything is written; takes in which no hand is seen are not among them.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from commands import command_line, obey
from numpy.typing import NDArray
from word_streams import Spelled, Takes, streams

from edgekit.artifacts import sha256_file
from edgekit.data import Recordings, fit_length, load_recordings
from edgekit.evaluate import predict_batches, softmax
from edgekit.live import Event, Reader, Thresholds
from edgekit.live.speller import Change, Seen, Speller
from edgekit.runtime import Predictor, open_predictor

F32 = NDArray[np.float32]
FRAMES, WINDOW, HOLD, LEAST = 30, 20, 10, 0.8

#: What was written when: (frame, letter), and frames where a word ended.
Written = list[tuple[int, str]]


class Kept:
    """Stands in for a reader's answers: keeps the takes that it would have read; then gives what was answered."""

    steps = False

    def __init__(self, inner: Any) -> None:
        self._most = inner._most
        self.window: list[F32] = []
        self.takes: list[F32] = []
        self.outputs: Iterator[F32] | None = None

    def push(self, frame: F32, resting: int) -> F32:
        if self.outputs is not None:
            return next(self.outputs)
        self.window = [*self.window[1 - self._most :], frame]
        last = self.window[-(resting + 1) :] if resting else self.window
        self.takes.append(fit_length(np.stack(last)[None], np.array([len(last)]), FRAMES)[0])
        return np.zeros(26, np.float32)

    def reset(self) -> None:
        self.window = []


@dataclass
class Prepared:
    """A stream and what the model answers: reader: outputs in a reader's turn; window: (frame, probabilities) of the
    last 20 frames; own: for each letter, the labels of its own frames alone, one a frame."""

    stream: Spelled
    reader: F32
    window: list[tuple[int, F32]]
    own: list[list[str]]


def prepare(model: Path, predictor: Predictor, names: Sequence[str], stream: Spelled) -> Prepared:
    reader = Reader(model)
    kept = reader._answers = Kept(reader._answers)  # type: ignore[assignment]
    for frame in stream.frames:
        reader.read(frame)
    seen = np.flatnonzero(stream.frames.any(axis=1))
    last = [stream.frames[max(t - WINDOW + 1, 0) : t + 1] for t in seen]
    own = [stream.frames[a : k + 1] for a, b, _ in stream.letters for k in range(a, b)]
    labels = iter(predict_batches(predictor, padded(own)).argmax(axis=1).tolist())
    return Prepared(
        stream,
        predict_batches(predictor, np.stack(kept.takes)),
        list(zip(seen.tolist(), softmax(predict_batches(predictor, padded(last))), strict=True)),
        [[names[next(labels)] for _ in range(a, b)] for a, b, _ in stream.letters],
    )


def padded(takes: Sequence[F32]) -> F32:
    return np.concatenate([fit_length(take[None], np.array([len(take)]), FRAMES) for take in takes])


def naive(prepared: Prepared, names: Sequence[str]) -> Written:
    """Repeats collapsed."""
    found: Written = []
    for t, row in prepared.window:
        label = names[int(row.argmax())]
        if not found or found[-1][1] != label:
            found.append((t, label))
    return found


def held(prepared: Prepared, names: Sequence[str]) -> Written:
    """As examples/stream/letters.py does."""
    found, last, count, written = [], "", 0, ""
    for t, row in prepared.window:
        label = names[int(row.argmax())] if row.max() >= LEAST else ""
        last, count = label, count + 1 if label == last else 1
        if label != written and count >= HOLD:
            written = label
            found += [(t, label)] if label else []
    return found


def read(model: Path, prepared: Prepared, thresholds: Thresholds | None, given: Reader | None = None) -> list[Event]:
    """What a reader tells; by the outputs that were prepared, or by its own."""
    reader = given or Reader(model, thresholds=thresholds)
    if given is None:
        kept = reader._answers = Kept(reader._answers)  # type: ignore[assignment]
        kept.outputs = iter(prepared.reader)
    return [*(event for frame in prepared.stream.frames for event in reader.read(frame)), *reader.end()]


def told(prepared: Prepared) -> Written:
    return [(b - 1, own[-1]) for (_, b, _), own in zip(prepared.stream.letters, prepared.own, strict=True)]


def edits(wanted: str, got: str) -> list[tuple[str, str, str]]:
    """The fewest changes: (kind, wanted letter, written letter)."""
    cost = np.add.outer(np.arange(len(wanted) + 1), np.arange(len(got) + 1))
    for i, j in itertools.product(range(1, len(wanted) + 1), range(1, len(got) + 1)):
        change = cost[i - 1, j - 1] + (wanted[i - 1] != got[j - 1])
        cost[i, j] = min(change, cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    found, i, j = [], len(wanted), len(got)
    while i or j:
        if i and j and cost[i, j] == cost[i - 1, j - 1] + (wanted[i - 1] != got[j - 1]):
            i, j = i - 1, j - 1
            found += [("changed", wanted[i], got[j])] if wanted[i] != got[j] else []
        elif i and cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
            found.append(("missed", wanted[i], ""))
        else:
            j -= 1
            found.append(("added", "", got[j]))
    return found


class Score:
    """Of streams, added up."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.lags: list[int] = []
        self.since_first: list[int] = []

    def add(self, prepared: Prepared, written: Written, word_ends: Sequence[int] | None = None) -> None:
        stream = prepared.stream
        bounds = [*stream.begins, len(stream.frames)]
        for k, word in enumerate(stream.words):
            inside = [(t, letter) for t, letter in written if bounds[k] <= t < bounds[k + 1]]
            wrong = edits(word, "".join(letter for _, letter in inside))
            self.counts.update(words=1, wrong_words=bool(wrong), letters=len(word), letter_errors=len(wrong))
            self.errors.update(f"{kind} {a}>{b}" for kind, a, b in wrong)
            if word_ends is not None:
                ends = [t for t in word_ends if bounds[k] <= t < bounds[k + 1]]
                right = len(ends) == 1 and all(t <= ends[0] for t, _ in inside)
                self.counts.update(wrong_ends=not right, wrong_with_ends=bool(wrong) or not right)
        self._lag(prepared, written)
        for a, b in stream.idle:
            called = any(a <= t < b for t, _ in written)
            self.counts.update(idle=1, idle_called=called)

    def _lag(self, prepared: Prepared, written: Written) -> None:
        for (a, b, letter), own in zip(prepared.stream.letters, prepared.own, strict=True):
            wrong = [k for k, label in enumerate(own) if label != letter]
            readable = a + (wrong[-1] + 1 if wrong else 0)
            times = [t for t, label in written if a <= t < b + 4 and label == letter]
            self.counts.update(readable=readable < b, readable_late=readable < b and not times)
            if times and readable < b:
                self.lags.append(times[0] - readable)
                self.since_first.append(times[0] - a)

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {**self.counts, "errors": dict(self.errors.most_common(25))}
        for name, lags in (("lag", self.lags), ("since_first", self.since_first)):
            counts = np.bincount(np.maximum(lags, 0), minlength=1).tolist() if lags else []
            found[name] = (
                {"mean": float(np.mean(lags)), "p95": float(np.percentile(lags, 95)), "counts": counts}
                if lags
                else None
            )
        return found


class Heard:
    """Stands in for a reader's speller: keeps what it is told; `spell` tells it to one."""

    def __init__(self, classes: int) -> None:
        self.current, self.average = None, np.zeros(classes, np.float32)
        self.told: list[tuple[int, F32, Seen | None]] = []
        self.frame = 0

    def answer(self, probabilities: F32, seen: Seen) -> list[Change]:
        self.told.append((self.frame, probabilities, seen))
        return []

    def finish(self) -> list[Change]:
        self.told.append((self.frame, self.average, None))
        return []

    def spell(self, speller: Speller) -> Written:
        found: Written = []
        for frame, probabilities, seen in self.told:
            changes = speller.finish() if seen is None else speller.answer(probabilities, seen)
            found += [(frame, speller.names[change.index]) for change in changes if change.kind == "letter"]
        return found


def hear(reader: Reader, prepared: Prepared, own: bool) -> Heard:
    """own: whether the reader's own model answers, rather than what was prepared."""
    heard = reader._speller = Heard(len(reader.names))  # type: ignore[assignment]
    if not own:
        kept = reader._answers = Kept(reader._answers)  # type: ignore[assignment]
        kept.outputs = iter(prepared.reader)
    for heard.frame, frame in enumerate(prepared.stream.frames):
        reader.read(frame)
    return heard


def judge(model: Path, everything: Sequence[Prepared], names: Sequence[str], thresholds: Thresholds | None) -> Score:
    score = Score()
    for prepared in everything:
        events = read(model, prepared, thresholds)
        score.add(prepared, *told_apart(events))
    return score


def told_apart(events: Sequence[Event]) -> tuple[Written, list[int]]:
    """Letters, and where words ended."""
    letters = [(event.frame, str(event.label)) for event in events if event.kind == "letter"]
    return letters, [event.frame for event in events if event.kind == "word ended"]


def part(recordings: Recordings, signers: Sequence[str], sessions: Sequence[str]) -> Recordings:
    """Takes of these people, in sessions whose names begin so; none for all."""
    if recordings.signer is None or recordings.session is None:
        raise SystemExit(f"{recordings.source}: signers or sessions are unknown")
    keep = np.isin(recordings.signer, list(signers)) if signers else np.ones(len(recordings.labels), np.bool_)
    if sessions:
        keep &= np.array([name.startswith(tuple(sessions)) for name in recordings.session.tolist()])
    return recordings.take(keep)


def all_streams(given: argparse.Namespace, seed: int, count: int) -> Iterator[Spelled]:
    """Words by each signer in turn, as many of each."""
    letters, idle = load_recordings(given.letters), load_recordings(given.idle)
    for k, signer in enumerate(given.signer):
        takes = Takes(part(letters, [signer], given.sessions), part(idle, given.idle_signer or [signer], []))
        yield from streams(takes, count // len(given.signer), np.random.default_rng([seed, k]))


def prepare_all(given: argparse.Namespace, seed: int) -> tuple[list[Prepared], tuple[str, ...]]:
    predictor = open_predictor(given.model)
    metadata = predictor.info.metadata
    if metadata is None:
        raise SystemExit(f"{given.model}: no metadata")
    names = metadata.class_names
    return [prepare(given.model, predictor, names, s) for s in all_streams(given, seed, given.words)], names


def run(given: argparse.Namespace) -> None:
    """Every way, a row a seed."""
    for seed in given.seeds:
        everything, names = prepare_all(given, seed)
        ways = {name: Score() for name in ("naive", "held", "told")}
        for prepared in everything:
            for name, written in (
                ("naive", naive(prepared, names)),
                ("held", held(prepared, names)),
                ("told", told(prepared)),
            ):
                ways[name].add(prepared, written)
        ways["reader"] = judge(given.model, everything, names, None)
        if given.step:
            ways["reader by steps"] = Score()
            for prepared in everything:
                ways["reader by steps"].add(prepared, *told_apart(read(given.step, prepared, None, Reader(given.step))))
        row = {"name": given.name, "seed": seed, "model_sha256": sha256_file(given.model), "signers": given.signer}
        row |= {"sessions": given.sessions, "words_asked": given.words}
        row["thresholds"] = dataclasses.asdict(Reader(given.model).thresholds)
        row |= {"ways": {name: score.to_dict() for name, score in ways.items()}}
        if given.results:
            with given.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        print(f"{given.name}, seed {seed}")
        for name, score in ways.items():
            print(f"  {name:16} {line(score.to_dict())}", flush=True)


def line(found: dict[str, Any]) -> str:
    """In words."""
    text = f"words wrong {share(found, 'wrong_words', 'words')}, letters {share(found, 'letter_errors', 'letters')}"
    text += f", idle {share(found, 'idle_called', 'idle')}"
    if "wrong_with_ends" in found:
        text += f", with ends {share(found, 'wrong_with_ends', 'words')}"
    lag = found["lag"]
    return text + (f", lag {lag['mean']:.1f} p95 {lag['p95']:.0f}" if lag else "")


def share(found: dict[str, Any], what: str, of: str) -> str:
    return f"{found.get(what, 0) / max(found.get(of, 0), 1):.1%}"


#: What tune tries, one after the other, keeping the best.
TRIED: dict[str, tuple[float, ...]] = {
    "enter": (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9),
    "smooth": (1, 2, 3, 4, 5),
    "rest": (2, 3, 4, 5, 6, 8),
    "begins": (4, 6, 8, 10),
    "leave": (0.1, 0.2, 0.3, 0.4, 0.5),
    "gone": (2, 3, 4, 6, 8),
    "tail": (6, 9, 12, 15),
    "moving": (2, 3, 4, 6, 8),
    "enter_moving": (0.5, 0.6, 0.7, 0.8),
    "travel": (0.8, 1.2, 1.5, 2.0, 2.5),
    "again": (6, 8, 10, 14, 20),
    "step": (0.25, 0.3, 0.4, 0.5, 0.6),
}


def tune(given: argparse.Namespace) -> None:
    """One threshold after the other, twice: fewest letter errors, what is written of idle hands among them, and a tenth
    of a point for each frame of lag. With --step by the step model's answers."""
    heard: list[tuple[Prepared, Heard]] = []
    for seed in given.seeds:
        everything, names = prepare_all(given, seed)
        heard += [(one, hear(Reader(given.step or given.model), one, given.step is not None)) for one in everything]
    best, found = Thresholds(), tried(heard, names, Thresholds())
    print(f"as it is: {cost_of(found):.4f}, {line(found)}", flush=True)
    cost = cost_of(found)
    for name, values in [*TRIED.items()] * 2:
        for value in values:
            if value == getattr(best, name) or (name == "leave" and value > best.enter):
                continue
            other = dataclasses.replace(best, **{name: value})
            found = tried(heard, names, other)
            if cost_of(found) < cost - 1e-4:
                best, cost = other, cost_of(found)
                print(f"{name} {value}: {cost:.4f}, {line(found)}", flush=True)
    print(best, found["errors"])


def tried(heard: Sequence[tuple[Prepared, Heard]], names: Sequence[str], thresholds: Thresholds) -> dict[str, Any]:
    score = Score()
    for prepared, one in heard:
        score.add(prepared, one.spell(Speller(names, thresholds)))
    return score.to_dict()


def cost_of(found: dict[str, Any]) -> float:
    """See `tune`."""
    return float(found["letter_errors"] / found["letters"] + found["lag"]["mean"] / 1000)


def show(given: argparse.Namespace) -> None:
    """A table for each kind of people, all lists and models together."""
    rows = [json.loads(text) for text in given.results.read_text(encoding="utf-8").splitlines()]
    titles = ("way", "words wrong", "lists", "letters wrong", "with word ends", "idle called a letter", "lag", "95 %")
    for kind in dict.fromkeys(kind_of(row) for row in rows):
        own = [row for row in rows if kind_of(row) == kind]
        words, letters, idle = (sum(row["ways"]["naive"][key] for row in own) for key in ("words", "letters", "idle"))
        print(f"\n{kind}: {len(own)} lists, {words:,} words, {letters:,} letters, {idle:,} idle takes\n")
        print(f"| {' | '.join(titles)} |\n|---|{'---:|' * (len(titles) - 1)}")
        for way in dict.fromkeys(way for row in own for way in row["ways"]):
            print(table_row(way, [row["ways"][way] for row in own if way in row["ways"]]))


def kind_of(row: dict[str, Any]) -> str:
    """Of `strangers, model 1`, the strangers."""
    return str(row["name"]).partition(", model")[0]


def table_row(way: str, found: Sequence[dict[str, Any]]) -> str:
    total: Counter[str] = Counter()
    for one in found:
        total.update({key: value for key, value in one.items() if isinstance(value, int)})
    each = sorted(one["wrong_words"] / one["words"] for one in found)
    ends = share(total, "wrong_with_ends", "words") if "wrong_with_ends" in total else "-"
    lags = np.repeat(*_lags(found)) if way != "told" and found[0]["lag"] else np.array([])
    lag = (f"{lags.mean():.1f}", f"{np.percentile(lags, 95):.0f}") if len(lags) else ("-", "-")
    cells = [share(total, "wrong_words", "words"), f"{each[0]:.1%} to {each[-1]:.1%}"]
    cells += [share(total, "letter_errors", "letters"), ends, share(total, "idle_called", "idle"), *lag]
    return f"| {way} | {' | '.join(cells)} |"


def _lags(found: Sequence[dict[str, Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    longest = max(len(one["lag"]["counts"]) for one in found)
    counts = sum(np.pad(one["lag"]["counts"], (0, longest - len(one["lag"]["counts"]))) for one in found)
    return np.arange(longest), np.asarray(counts)


def main() -> None:
    """The command line."""
    parser, commands = command_line(__doc__, run=run, tune=tune, show=show)
    for one in (commands["run"], commands["tune"]):
        for place in ("model", "letters", "idle"):
            one.add_argument(place, type=Path)
        one.add_argument("--signer", nargs="+", required=True, help="whose takes")
        one.add_argument("--sessions", nargs="*", default=[], help="what their names begin with [all]")
        one.add_argument("--idle-signer", nargs="*", default=[], help="whose idle takes [the same people's]")
        one.add_argument("--words", type=int, default=200)
        one.add_argument("--seeds", type=int, nargs="+", default=[0])
        one.add_argument("--step", type=Path, help="a step model of the same file")
    commands["run"].add_argument("--name", required=True)
    commands["run"].add_argument("--results", type=Path)
    obey(parser)


if __name__ == "__main__":
    main()
