"""What can't fit a profile, known before anything is trained: sizes and multiply-adds do not depend on weights, and
neither do latency and memory, which files with first weights tell as well."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.artifacts import scratch_folder
from edgekit.bench.run import MEMORY_RUNS, MEMORY_TAKES, choose_takes, memory_limit_bytes
from edgekit.device import Work, estimate_latency
from edgekit.errors import ConfigError
from edgekit.export import export_onnx
from edgekit.measure import WorkerRequest, run_worker
from edgekit.model import GATES, Architecture, build_model
from edgekit.profiles import Profile
from edgekit.prune import PruneConfig
from edgekit.prune.choosing import behind, ratios_for
from edgekit.quantize import quantize_onnx
from edgekit.report.tables import milliseconds, size
from edgekit.results.searching import Recipe, Ruled, RuledOut, StudentPoint
from edgekit.search.settings import model_of, possible
from edgekit.search.trial import SearchTask

#: A file has no more bytes a parameter than this, and so many more: only what comes closer to a limit is written.
MOST_BYTES = 4
MOST_OVERHEAD = 100_000
#: No process that runs a model of edgekit's takes more than this and so many bytes for each parameter, and no run more
#: than this and so long for each multiply-add, on any machine that could train it: only closer limits are measured.
MOST_MEMORY_BYTES, MOST_PARAMETER_BYTES = 200_000_000, 40
MOST_RUN_S, MOST_MAC_S = 5e-3, 1e-8
#: Runs of each file that is timed with first weights.
RUNS = 60
LIMIT_S = 20.0


@dataclass(frozen=True)
class Candidate:
    """A file that may be made. shape: of the pruned model; None where the settings leave that open before."""

    point: StudentPoint
    recipe: Recipe
    shape: Architecture | None

    def ruled_out(self, kind: Ruled, reason: str, excess: float | None = None) -> RuledOut:
        """It, with the reason."""
        return RuledOut(self.point, self.recipe, kind, reason, excess)


Sorted = tuple[list[Candidate], list[RuledOut]]


def rule_out(task: SearchTask, profile: Profile) -> tuple[dict[StudentPoint, tuple[Recipe, ...]], tuple[RuledOut, ...]]:
    """What is left to be made of each student, and what can't fit. task.wanted: everything that was asked for.

    Only what certainly fails is ruled out: a file beyond the limit, a board that could not be that fast at its best, a
    fastest run here beyond the limit, or too much memory for the smallest of all.
    """
    left, out = _possible(task, profile)
    with scratch_folder("search") as folder:
        files = _Untrained(task, folder)
        for rule in (_by_size, _by_memory, _by_time):
            left, more = rule(left, profile, files)
            out += more
    wanted: dict[StudentPoint, tuple[Recipe, ...]] = {}
    for one in left:
        wanted[one.point] = (*wanted.get(one.point, ()), one.recipe)
    return wanted, tuple(out)


def _possible(task: SearchTask, profile: Profile) -> Sorted:
    """What there can be at all, by its shape; and what no board could run in time."""
    left: list[Candidate] = []
    out: list[RuledOut] = []
    for point, recipes in task.wanted.items():
        whole = Architecture.of(model_of(point, task.student), task.train.x.shape[2], len(task.class_names))
        for recipe in recipes:
            try:
                one = Candidate(point, recipe, shape_after(whole, recipe.sparsity, task.pruning))
                reason = possible(point, recipe) or _too_small(one, task)
            except ConfigError:
                one, reason = Candidate(point, recipe, None), "it can't lose that much"
            found = one.ruled_out("impossible", reason) if reason else _too_much_work(one, task, profile)
            out += [found] if found else []
            left += [] if found else [one]
    return left, out


def shape_after(whole: Architecture, sparsity: float, config: PruneConfig) -> Architecture | None:
    """What pruning leaves of a student, where that does not depend on its weights: the first widths with at most
    1 - sparsity of its parameters, as `edgekit.prune` tries them. Raises ConfigError where there are none."""
    if config.method == "unstructured":
        return whole
    if config.budget != "parameters" or config.unit_rules["widths"] == "free" or config.steps > 1:
        return None
    first, allowed = config.unit_rules["widths"] == "recurrent", (1.0 - sparsity) * whole.parameters
    for ratio in ratios_for((*whole.hidden_sizes, whole.dense)):
        hidden = tuple(_kept(width, ratio) for width in whole.hidden_sizes)
        dense = _kept(whole.dense, behind(ratio) if first else ratio)
        shape = replace(whole, hidden_sizes=hidden, dense=dense)
        if shape.parameters <= allowed:
            return shape
    raise ConfigError(f"prune.sparsity: {sparsity} is more than it can lose")


def _kept(width: int, ratio: float) -> int:
    """Units that are left when so much of them goes; one at least."""
    return max(1, width - math.floor(width * ratio + 1e-9))


def _too_small(one: Candidate, task: SearchTask) -> str:
    """Why there is nothing in it to quantise; empty where there is."""
    shape, least = one.shape, task.quantization.min_elements
    if shape is None:
        return ""
    gates, widths = GATES[shape.cell], enumerate(shape.hidden_sizes)
    sizes = [shape.directions(k) * gates * hidden * max(shape.input_size(k), hidden) for k, hidden in widths]
    largest = max(*sizes, shape.dense * shape.readout_size, shape.classes * shape.dense)
    return "" if largest >= least else f"its largest weight has {largest} numbers; quantize.min_elements is {least}"


def _too_much_work(one: Candidate, task: SearchTask, profile: Profile) -> RuledOut | None:
    """For a board that computes as fast as it can at all."""
    limit = profile.max_latency_s
    if one.shape is None or limit is None:
        return None
    work = Work(one.shape.macs(task.train.x.shape[1]), 0, 0, 0, 0, "its shape")
    floors = {board.name: estimate_latency(work, board).floor_s or 0.0 for board in profile.boards}
    board = max(floors, key=floors.__getitem__, default="")
    if not board or floors[board] <= limit:
        return None
    text = f"at least {milliseconds(floors[board])} on a {board}, allowed {milliseconds(limit)}"
    return one.ruled_out("latency", text, floors[board] / limit)


class _Untrained:
    """Files with first weights, made when they are asked for."""

    def __init__(self, task: SearchTask, folder: Path) -> None:
        self.task = task
        self.folder = folder
        self.takes = choose_takes(task.validation.x)
        self._made: dict[tuple[Architecture, str], Path] = {}

    def file(self, one: Candidate) -> Path:
        """One of the candidate's shape, which is known, as small as its export can be."""
        shape, task = one.shape, self.task
        if shape is None:
            raise ConfigError("search: the shape is not known before; please report this as a bug")
        key = (shape, one.recipe.scheme)
        if key not in self._made:
            config = model_of(one.point, task.student).model_copy(
                update={"hidden_size": shape.hidden_sizes[0], "dense": shape.dense}
            )
            model = build_model(config, task.normalisation, len(task.class_names), task.seed)
            frames, number = task.train.x.shape[1], len(self._made)
            fp32, int8 = self.folder / f"{number}.onnx", self.folder / f"{number}.int8.onnx"
            about = {**task.about, "sequence_length": frames, "standardisation": "fold"}
            export_onnx(model, fp32, class_names=task.class_names, **about)
            quantize_onnx(fp32, int8, task.quantization.model_copy(update={"scheme": one.recipe.scheme}))
            self._made[key] = int8
        return self._made[key]

    def fastest_s(self, some: Sequence[Candidate]) -> Mapping[Path, float]:
        """Fastest run of each one's file here, all in turns."""
        files = list(dict.fromkeys(map(self.file, some)))
        others = tuple(files[1:] or files)
        request = WorkerRequest(
            files[0], "compare", others=others, takes=self.takes, repeats=RUNS, max_time_s=LIMIT_S, warmup=5
        )
        result = run_worker(request)
        samples = (result.samples_ns, *result.others_ns)
        return {file: min(own) / 1e9 for file, own in zip(files, samples, strict=False)}


def _by_size(some: list[Candidate], profile: Profile, files: _Untrained) -> Sorted:
    limit = profile.max_model_bytes
    if limit is None:
        return some, []
    left: list[Candidate] = []
    out: list[RuledOut] = []
    for one in some:
        shape = one.shape
        sure = shape is None or MOST_BYTES * shape.parameters + MOST_OVERHEAD <= limit
        size_bytes = 0 if sure else files.file(one).stat().st_size
        if size_bytes <= limit:
            left.append(one)
        else:
            out.append(one.ruled_out("size", f"{size(size_bytes)}, allowed {size(limit)}", size_bytes / limit))
    return left, out


def _by_memory(some: list[Candidate], profile: Profile, files: _Untrained) -> Sorted:
    """Where the smallest takes too much, all do."""
    limit = profile.ram_limit_bytes()
    known = [one for one in some if one.shape is not None]
    parameters = {one: one.shape.parameters for one in known if one.shape}
    if limit is None or not known or MOST_MEMORY_BYTES + MOST_PARAMETER_BYTES * max(parameters.values()) <= limit:
        return some, []
    least = min(known, key=parameters.__getitem__)
    request = WorkerRequest(
        files.file(least),
        "memory",
        takes=files.takes[:MEMORY_TAKES],
        repeats=MEMORY_RUNS,
        memory_limit_bytes=memory_limit_bytes(profile),
    )
    peak = run_worker(request).peak_rss_bytes
    if peak is None or peak <= limit:
        return some, []
    reason = f"a process that runs the smallest takes {size(peak)} here, allowed {size(limit)}"
    return [], [one.ruled_out("memory", reason, peak / limit) for one in some]


def _by_time(some: list[Candidate], profile: Profile, files: _Untrained) -> Sorted:
    """Whose fastest run here is beyond the limit. The least and the most work of each scheme are tried first: mostly
    they tell that there is nothing to look for."""
    limit, known = profile.max_latency_s, [one for one in some if one.shape is not None]
    if limit is None or not known:
        return some, []
    frames = files.task.train.x.shape[1]
    ends = list(_ends(known, frames))
    work = max(one.shape.macs(frames) for one in ends if one.shape)
    if MOST_RUN_S + MOST_MAC_S * work <= limit or max(files.fastest_s(ends).values()) <= limit:
        return some, []
    times_s = files.fastest_s(known)
    slow = {one: fastest_s for one in known if (fastest_s := times_s[files.file(one)]) > limit}
    out = [one.ruled_out("latency", _too_slow(fastest_s, limit), fastest_s / limit) for one, fastest_s in slow.items()]
    return [one for one in some if one not in slow], out


def _too_slow(fastest_s: float, limit_s: float) -> str:
    return f"its fastest run here took {milliseconds(fastest_s)}, allowed {milliseconds(limit_s)}"


def _ends(some: Sequence[Candidate], frames: int) -> Iterator[Candidate]:
    """Least and most work of each scheme."""
    for scheme in dict.fromkeys(one.recipe.scheme for one in some):
        own = sorted(
            (one for one in some if one.recipe.scheme == scheme),
            key=lambda one: one.shape.macs(frames) if one.shape else 0,
        )
        yield from dict.fromkeys((own[0], own[-1]))
