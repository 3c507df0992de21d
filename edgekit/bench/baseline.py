"""An earlier bench of a like machine as the limit: what may not have become worse, and by how much."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.artifacts import parse_json
from edgekit.bench.changes import BaselineChanges, Change, change_end_text
from edgekit.bench.intervals import process_interval
from edgekit.bench.result import SCHEMA_VERSION, BenchResult, Row
from edgekit.bench.settings import EMULATED, ON_DEVICE, ON_HOST, Evidence
from edgekit.bench.verdict import this_board
from edgekit.errors import InputError
from edgekit.evaluate import Flips
from edgekit.measure import percentile
from edgekit.reading import FileKind, StrPath, parsing, read_text

_MAKE = "make it with edgekit bench --json > main.json"
BASELINE = FileKind("JSON of an earlier bench", InputError, 500 * 10**6, _MAKE, _MAKE)

#: What must be the same on both sides, as a person calls it.
_FACTS = ("cpu_model", "architecture", "cores", "device_tree_model", "onnxruntime")

#: What may differ, and is said.
_NOTED = ("system", "release", "python", "numpy")


#: What the figures of a core are called.
INSTRUCTIONS = "instructions on {}"


@dataclass(frozen=True)
class Baseline:
    """What a bench's JSON holds that a later one is compared with.

    like: name to value of everything that must be the same. noted: of what may differ. percent: the constrained
    percentile of latency. latency_ns: the samples of each process that has some. peaks_bytes: of the memory processes
    where the system told. outcomes: "1" for right and "0" for wrong, one a labelled take, and takes_sha256 of these;
    empty and None where none were scored. load: what others did to the machine meanwhile, empty for nothing.
    instructions: of a prediction, by emulated core, and counted_in: what computed there; empty where nothing was
    emulated.
    """

    source: str
    model_sha256: str
    like: Mapping[str, Any]
    noted: Mapping[str, Any]
    percent: float
    latency_ns: tuple[tuple[int, ...], ...]
    peaks_bytes: tuple[int, ...]
    size_bytes: int
    outcomes: str
    takes_sha256: str | None
    load: str
    instructions: Mapping[str, int] = field(default_factory=dict)
    counted_in: str = ""


def read_baseline(path: StrPath) -> Baseline:
    """What an earlier `edgekit bench --json` said. Raises InputError for a file that is no such thing."""
    path = Path(path)
    text = read_text(path, BASELINE)
    with parsing(path, BASELINE):
        content = parse_json(text)
    if not isinstance(content, dict) or content.get("kind") != "bench":
        raise InputError(f"{path}: not the result of a bench; make it with edgekit bench --json")
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema_version {version}, this edgekit reads {SCHEMA_VERSION}; bench the old model again"
        )
    try:
        found = parse_baseline(content, str(path))
        if not found.latency_ns:
            raise ValueError("no latency samples")
        return found
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{path}: damaged ({type(error).__name__}: {error}); make it again") from None


def parse_baseline(content: Mapping[str, Any], source: str) -> Baseline:
    """What `BenchResult.to_dict` gives as a baseline. Raises LookupError, TypeError or ValueError for anything else."""
    machine, processes = content["machine"], content["processes"]
    results = [*processes["latency"], *processes["memory"]]
    accuracy = content.get("accuracy") or {}
    emulated = content.get("emulation") or {}
    percent = float(content["profile"]["latency_percentile"])
    if not 0 < percent < 100:
        raise ValueError(f"latency_percentile: {percent}")
    like = {
        **{name: machine[name] for name in _FACTS},
        "threads": content["config"]["threads"],
        "input": _input_text((item["shape"], item["source"]) for item in results[0]["inputs"]),
        "latency_percentile": percent,
    }
    return Baseline(
        source=source,
        model_sha256=str(content["model"]["sha256"]),
        like=like,
        noted={name: machine.get(name) for name in _NOTED},
        percent=percent,
        latency_ns=tuple(_positive(process["samples_ns"]) for process in processes["latency"] if process["samples_ns"]),
        peaks_bytes=_positive(
            [process["peak_rss_bytes"] for process in processes["memory"] if process["peak_rss_bytes"] is not None]
        ),
        size_bytes=_positive([content["model"]["size_bytes"]])[0],
        outcomes=_outcomes(accuracy.get("outcomes") or ""),
        takes_sha256=accuracy.get("takes_sha256"),
        load=next((str(item["text"]) for item in content["disturbances"] if item["kind"] == "foreign load"), ""),
        instructions=_instructions(emulated),
        counted_in=str(emulated.get("runtime", "")),
    )


def as_baseline(result: BenchResult) -> Baseline:
    """The result as its JSON would be read: `parse_baseline(result.to_dict(), ...)`, without writing it."""
    measurement, machine = result.measurement, result.measurement.machine
    facts, accuracy = machine.to_dict(), result.accuracy
    percent = float(result.profile.latency_percentile)
    like = {
        **{name: facts.get(name) for name in _FACTS},
        "threads": result.threads,
        "input": _input_text((item.shape, item.source) for item in measurement.inputs),
        "latency_percentile": percent,
    }
    return Baseline(
        source=str(result.info.path),
        model_sha256=result.info.sha256,
        like=like,
        noted={name: facts.get(name) for name in _NOTED},
        percent=percent,
        latency_ns=tuple(process.samples_ns for process in measurement.latency if process.samples_ns),
        peaks_bytes=tuple(
            process.peak_rss_bytes for process in measurement.memory if process.peak_rss_bytes is not None
        ),
        size_bytes=result.info.size_bytes,
        outcomes=(accuracy.outcomes if accuracy else None) or "",
        takes_sha256=accuracy.takes_sha256 if accuracy else None,
        load=next((found.text for found in measurement.disturbances if found.kind == "foreign load"), ""),
        instructions={} if result.emulation is None else result.emulation.instructions,
        counted_in="" if result.emulation is None else result.emulation.emulated.runtime,
    )


def _input_text(inputs: Iterable[tuple[Sequence[int], str]]) -> str:
    """`takes [1, 30, 63]`: source and shape of each input."""
    return "; ".join(f"{source} {list(shape)}" for shape, source in inputs)


def _positive(values: Sequence[Any]) -> tuple[int, ...]:
    wrong = [value for value in values if type(value) is not int or value <= 0]
    if wrong:
        raise ValueError(f"{wrong[0]!r}: expected a whole number above 0")
    return tuple(values)


def _instructions(emulated: Mapping[str, Any]) -> dict[str, int]:
    """Core to instructions, of the cores on which the model started."""
    runs = [run for run in emulated.get("runs", ()) if not run["failure"]]
    counts = _positive([run["instructions"] for run in runs])
    return {str(run["core"]): count for run, count in zip(runs, counts, strict=True)}


def _outcomes(text: Any) -> str:
    if not isinstance(text, str) or set(text) - set("01"):
        raise ValueError("outcomes: expected a text of 0 and 1")
    return text


def refuse_unlike(now: Baseline, earlier: Baseline) -> None:
    """Raises InputError naming every fact that keeps the two from being compared."""
    unlike = [
        f"{name} was {earlier.like[name]}, is {value}"
        for name, value in now.like.items()
        if earlier.like[name] != value
    ]
    if now.instructions:  # counts are the same on every machine
        facts = {name: (earlier.like[name], now.like[name]) for name in ("input",)}
        facts["what computed on the emulated cores"] = (
            earlier.counted_in or "nothing, without --emulate",
            now.counted_in,
        )
        unlike = [f"{name} was {old}, is {new}" for name, (old, new) in facts.items() if old != new]
        if earlier.counted_in and not earlier.instructions:
            unlike.append("the baseline's model started on no emulated core")
    takes = [(side.takes_sha256, len(side.outcomes)) for side in (earlier, now)]
    if earlier.outcomes and takes[0] != takes[1]:
        unlike.append(f"accuracy was measured on {'other' if now.outcomes else 'labelled'} takes (--data, --part)")
    if unlike:
        raise InputError(
            f"{earlier.source}: results of unlike benches can't be compared: {'; '.join(unlike)}."
            " Bench both models alike"
        )


def compare_baseline(now: Baseline, earlier: Baseline) -> tuple[Change, ...]:
    """Every figure of the baseline: latency, peak memory, file size, accuracy. Where instructions were counted, they
    stand for latency and memory, which depend on the machine. Raises InputError for unlike benches."""
    refuse_unlike(now, earlier)
    size = now.size_bytes / earlier.size_bytes - 1
    if now.instructions:
        counts = [_counted(core, now, earlier) for core in earlier.instructions]
        return tuple(
            change for change in (*counts, Change("file size", size, size, size), _accuracy(now, earlier)) if change
        )
    found = [_latency(now, earlier), _memory(now, earlier), Change("file size", size, size, size)]
    found += [_gone(INSTRUCTIONS.format(core)) for core in earlier.instructions]
    return tuple(change for change in (*found, _accuracy(now, earlier)) if change is not None)


def _counted(core: str, now: Baseline, earlier: Baseline) -> Change:
    """Exact: neither side has an interval."""
    name = INSTRUCTIONS.format(core)
    if core not in now.instructions:
        return _gone(name)
    ratio = now.instructions[core] / earlier.instructions[core] - 1
    return Change(name, ratio, ratio, ratio)


def _gone(quantity: str) -> Change:
    return Change(quantity, None, note="the baseline has a figure, this bench has none")


def _latency(now: Baseline, earlier: Baseline) -> Change:
    """Change of the constrained percentile over all samples.

    Ends: those of any process's interval against the opposite ones. A process has its own luck in memory, which its
    samples don't show; so all processes have to agree. Load by others makes runs slower and never faster: of a side
    that had it, the lower end is the fastest run.
    """
    ours, theirs = (np.concatenate(side.latency_ns) for side in (now, earlier))
    ratio = percentile(ours, now.percent) / percentile(theirs, now.percent)
    (low, high), (old_low, old_high) = _ends(now), _ends(earlier)
    note = "; ".join(f"{who}: {side.load}" for who, side in (("now", now), ("baseline", earlier)) if side.load)
    if math.inf in (high, old_high):
        note = "too few samples for an interval; raise --repeats"
    return Change(f"latency p{now.percent:g}", ratio - 1, low / old_high - 1, high / old_low - 1, note)


def _ends(side: Baseline) -> tuple[float, float]:
    """Ends of the latency in seconds, both above 0; the upper one may be infinite."""
    fastest = min(min(samples) for samples in side.latency_ns) / 1e9
    found = [process_interval(samples, side.percent) for samples in side.latency_ns]
    low = fastest if side.load else max(fastest, min(each.low for each in found))
    return low, max(each.high for each in found)


def _memory(now: Baseline, earlier: Baseline) -> Change | None:
    """Change of the largest peak; its ends: the processes' extremes against the opposite ones."""
    ours, theirs = now.peaks_bytes, earlier.peaks_bytes
    if not theirs:
        return None
    if not ours:
        return _gone("peak memory")
    ratio = max(ours) / max(theirs)
    return Change("peak memory", ratio - 1, min(ours) / max(theirs) - 1, max(ours) / min(theirs) - 1)


def _accuracy(now: Baseline, earlier: Baseline) -> Change | None:
    """Accuracy lost on the same takes, as a ratio of the baseline's; the interval is that of paired flips."""
    right = earlier.outcomes.count("1")
    if not right:
        return None
    pairs = list(zip(earlier.outcomes, now.outcomes, strict=True))
    flips = Flips(len(pairs), pairs.count(("1", "0")), pairs.count(("0", "1")))
    measured, low, high = (drop * len(pairs) / right for drop in (flips.drop, *flips.interval()))
    return Change("accuracy lost", measured, low, high)


def hold_against(result: BenchResult, earlier: Baseline, max_regression: float) -> BenchResult:
    """The result with a row for each figure of an earlier bench: worse by more than `max_regression`, a ratio, fails.

    A difference that the interval can't tell from the limit is undecided; so is a figure that only the baseline has.
    Raises InputError for unlike benches.
    """
    now = as_baseline(result)
    known = bool(now.latency_ns or now.instructions)
    changes = compare_baseline(now, earlier) if known else (_gone(f"latency p{earlier.percent:g}"),)
    evidence = ON_DEVICE if this_board(result.profile.boards, result.measurement.machine) else ON_HOST
    counted = {INSTRUCTIONS.format(core) for core in earlier.instructions}
    rows = tuple(
        _row(change, max_regression, EMULATED if change.quantity in counted else evidence) for change in changes
    )
    notes = tuple(
        f"{name} was {old}, is {now.noted[name]}" for name, old in earlier.noted.items() if now.noted[name] != old
    )
    about = BaselineChanges(earlier.source, earlier.model_sha256, max_regression, changes, notes)
    return replace(result, rows=(*result.rows, *rows), baseline=about)


def _row(change: Change, limit: float, evidence: Evidence) -> Row:
    low, high = change.ends
    return Row(
        constraint="max_regression",
        quantity=f"{change.quantity} against the baseline",
        board=None,
        measured=change.measured,
        limit=limit,
        unit="ratio",
        evidence=evidence,
        verdict=change.judge(limit),
        note=_interval_note(change, limit),
        low=low,
        high=high,
    )


def _interval_note(change: Change, limit: float) -> str:
    if change.low == change.high or not math.isfinite(change.high):
        return change.note
    low, high = (change_end_text(change.quantity, end) for end in (change.low, change.high))
    parts = [f"the interval of the change is {low} to {high}, in %", change.note]
    if change.judge(limit) == "undecided":
        parts.append("more takes, --repeats or --processes on a quiet machine may tell")
    return "; ".join(part for part in parts if part)
