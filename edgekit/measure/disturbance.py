"""What disturbed a measurement, recognised in its own samples and in what the machine did meanwhile.

A disturbance is a fact to read beside a figure. Whether it keeps a verdict from being reached is for `edgekit.bench`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.measure.result import WorkerResult

Kind = Literal["warm-up", "drift", "outliers", "interruptions", "waiting", "foreign load"]

#: Runs whose median is compared when the end of the warm-up is looked for.
WARMUP_WINDOW = 10

#: A change of level is one that chance gives less often than this, and that is at least so large.
DRIFT_ALPHA = 0.01
DRIFT_RATIO = 0.02
DRIFT_BLOCKS = 50
DRIFT_BLOCK_RUNS = 10

#: An outlier takes more than so many medians; so large a share of them is named.
OUTLIER_RATIO = 2.0
OUTLIER_SHARE = 0.01

#: Switches to another process, a run; from here on p99 is made of them.
INTERRUPTED_SHARE = 0.01

#: Waits a run at which the model itself is one that waits.
WAITS_PER_RUN = 0.5

#: Share of the time of the runs in which the thread did not run.
WAITING_SHARE = 0.05

#: Cores that others kept busy, of all of them.
FOREIGN_CORES = 0.25

#: The system counts busy time in ticks of 10 ms: over less time than this their rounding would look like load.
LEAST_ELAPSED_S = 0.25

QUIET = "stop other programs and bench again"


@dataclass(frozen=True)
class Disturbance:
    """A measured fact beyond its threshold, and what to do about it.

    process: the latency process it was seen in, from 0. measured, threshold: in `unit` ("runs" or "ratio" or "cores").
    text: the same in words. next_step: a remedy.
    """

    kind: Kind
    process: int
    measured: float
    threshold: float
    unit: Literal["runs", "ratio", "cores"]
    text: str
    next_step: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class Change:
    """A lasting change of level. run: the first on the new level, `blur_runs` more or less, where it is a step.

    ratio: new median over the old one.
    """

    run: int
    blur_runs: int
    ratio: float


def find_disturbances(result: WorkerResult, process: int = 0, threads: int = 1) -> tuple[Disturbance, ...]:
    """What disturbed one latency process.

    threads: of the model; with more than one, waiting can't be told from the thread's CPU time, as it waits for the
    others. Where the system does not tell about switches or other processes, nothing is said about them.
    """
    found = [
        _warmup(result, process),
        _drift(result, process),
        _outliers(result, process),
        _interruptions(result, process),
        _waiting(result, process) if threads == 1 else None,
        _foreign_load(result, process),
    ]
    return tuple(each for each in found if each is not None)


def warmup_end(runs_ns: ArrayLike) -> int | None:
    """How many runs passed until the process was steady; None for fewer than 100 runs.

    runs_ns: (n,) all runs from the first after opening. Steady is where two windows of `WARMUP_WINDOW` runs in a row
    have medians no higher than the highest of such medians in the second half. Of independent runs the first windows
    are the highest of n / 20 with a probability of 20 / n, two in a row with (20 / n) squared.
    """
    windows = _windows(runs_ns, WARMUP_WINDOW)
    if len(windows) < 10:
        return None
    steady = windows <= windows[len(windows) // 2 :].max()
    return int(np.argmax(steady[:-1] & steady[1:])) * WARMUP_WINDOW


def level_change(samples_ns: ArrayLike) -> Change | None:
    """The one lasting change of level that explains the samples best, or None where chance explains them as well.

    samples_ns: (n,) in the order taken. Pettitt's test on the medians of 50 equal blocks, fewer when there are fewer
    than 500 samples: it makes no assumption about their distribution, and finds a slow drift as well as a step. Its
    significance must reach `DRIFT_ALPHA`, and the medians before and after differ by `DRIFT_RATIO` (tests measure how
    often it is wrong). None for fewer than 200 samples. Source: Pettitt 1979, Applied Statistics 28.
    """
    samples = np.asarray(samples_ns, dtype=np.float64)
    blocks = min(DRIFT_BLOCKS, samples.size // DRIFT_BLOCK_RUNS)
    if blocks < 20:
        return None
    length = samples.size // blocks
    medians = np.median(samples[: blocks * length].reshape(blocks, length), axis=1)
    signs = np.sign(medians[None, :] - medians[:, None])
    # for each t: pairs of one block of the first t and one after, later higher less later lower
    statistic = max(abs(float(signs[:t, t:].sum())) for t in range(1, blocks))
    chance = 2 * math.exp(-6 * statistic**2 / (blocks**3 + blocks**2))
    run = _step(medians) * length
    ratio = float(np.median(samples[run:]) / np.median(samples[:run]))
    if chance > DRIFT_ALPHA or max(ratio, 1 / ratio) < 1 + DRIFT_RATIO:
        return None
    return Change(run, length, ratio)


def _step(medians: NDArray[np.float64]) -> int:
    """Where a step fits the medians best: the first after it, by least squares."""
    count = len(medians)
    before = np.cumsum(medians)[:-1]
    places = np.arange(1, count)
    means = (medians.sum() - before) / (count - places) - before / places
    return int(np.argmax(means**2 * places * (count - places))) + 1


def _windows(runs_ns: ArrayLike, length: int) -> NDArray[np.float64]:
    runs = np.asarray(runs_ns, dtype=np.float64)
    count = runs.size // length
    medians: NDArray[np.float64] = np.median(runs[: count * length].reshape(count, length), axis=1)
    return medians


def _warmup(result: WorkerResult, process: int) -> Disturbance | None:
    end, given = warmup_end(result.warmup_ns + result.samples_ns), len(result.warmup_ns)
    if end is None or end <= given:
        return None
    text = f"steady only after {end} runs, {given} of them were warm-up"
    return Disturbance("warm-up", process, end, given, "runs", text, f"give --set bench.warmup={2 * end}")


def _drift(result: WorkerResult, process: int) -> Disturbance | None:
    change = level_change(result.samples_ns)
    if change is None:
        return None
    way = "slower" if change.ratio > 1 else "faster"
    by = f"{100 * abs(change.ratio - 1):.1f} % {way}"
    text = f"{by} from run {change.run} of {len(result.samples_ns)} on (limit {100 * DRIFT_RATIO:g} %)"
    step = "look at clock and temperature with --duration 60, or bench again on a quieter machine"
    return Disturbance("drift", process, change.ratio - 1, DRIFT_RATIO, "ratio", text, step)


def _outliers(result: WorkerResult, process: int) -> Disturbance | None:
    samples = np.asarray(result.samples_ns, dtype=np.float64)
    times = samples / max(float(np.median(samples)), 1.0)
    share = float(np.mean(times > OUTLIER_RATIO))
    if share <= OUTLIER_SHARE:
        return None
    text = (
        f"{100 * share:.1f} % of runs took over {OUTLIER_RATIO:g} medians (limit 1 %), the longest {times.max():,.0f}"
    )
    return Disturbance("outliers", process, share, OUTLIER_SHARE, "ratio", text, QUIET)


def _interruptions(result: WorkerResult, process: int) -> Disturbance | None:
    switches, runs = result.use.involuntary_switches, len(result.samples_ns)
    if switches is None or switches <= max(INTERRUPTED_SHARE * runs, 5):
        return None
    text = f"interrupted for other processes {switches:.0f} times in {runs} runs (limit 1 in 100)"
    return Disturbance("interruptions", process, switches / runs, INTERRUPTED_SHARE, "ratio", text, QUIET)


def _waiting(result: WorkerResult, process: int) -> Disturbance | None:
    """Wall time without CPU time: of a model that waits by itself, or of one that has to share its core."""
    wall, cpu = sum(result.samples_ns), sum(result.thread_cpu_ns)
    share = 1 - cpu / wall if wall and len(result.thread_cpu_ns) == len(result.samples_ns) else 0.0
    if share <= WAITING_SHARE:
        return None
    own = (result.use.voluntary_switches or 0) >= WAITS_PER_RUN * len(result.samples_ns)
    text = f"{100 * share:.1f} % of the time of the runs was spent waiting{'' if own else ' for a core'} (limit 5 %)"
    if own:
        return Disturbance("waiting", process, share, WAITING_SHARE, "ratio", text, "look for I/O in the model")
    return Disturbance("foreign load", process, share, WAITING_SHARE, "ratio", text, QUIET)


def _foreign_load(result: WorkerResult, process: int) -> Disturbance | None:
    busy, own, elapsed = result.use.busy_cpu_s, result.use.cpu_s, result.use.elapsed_s
    if busy is None or own is None or not elapsed or elapsed < LEAST_ELAPSED_S:
        return None
    cores = (busy - own) / elapsed
    if cores <= FOREIGN_CORES:
        return None
    text = f"other programs kept {cores:.2f} of {result.machine.cores} cores busy (limit {FOREIGN_CORES:g})"
    return Disturbance("foreign load", process, cores, FOREIGN_CORES, "cores", text, QUIET)
