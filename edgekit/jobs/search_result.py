"""What a search found, measured: the front, each of its files against the profile, and which one to take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from edgekit.artifacts import write_json, write_text
from edgekit.bench import Accuracy, BenchConfig, BenchResult, Parent, bench_onnx
from edgekit.errors import EdgekitError, GateError, WeakEvidenceError
from edgekit.jobs.scores import median_latencies_s
from edgekit.jobs.search_task import Search
from edgekit.measure import Machine
from edgekit.report import can_draw, choice_text, draw_front, search_page, weakest_text
from edgekit.results.searching import FrontRow, SearchedModel, SearchResult, StudentTrial
from edgekit.results.tuning import STATES
from edgekit.search.board import place_of
from edgekit.search.front import choose, pareto_front, standard_error
from edgekit.search.settings import model_of
from edgekit.stages.names import PRUNED, STUDENT
from edgekit.workdir.commands import next_command


def search_result(search: Search, trials: Sequence[StudentTrial]) -> SearchResult:
    """Everything, with `search.json`, the picture and the settings of every row written."""
    models = [model for trial in trials for model in trial.models if model.recipe in search.task.wanted[model.point]]
    latencies_s = _latencies_s(search, models)
    floor, limit = search.config.min_accuracy or 0.0, search.profile.max_model_bytes
    good = [one for one in models if one.accuracy >= floor and (limit is None or one.size_bytes <= limit)]
    front, benches = _front(search, pareto_front(good, latencies_s), latencies_s)
    machine = benches[0].measurement.machine if benches else None
    result = _described(search, trials, front, latencies_s, machine)
    bench = None if result.chosen is None else benches[result.chosen - 1]
    return _left(search, replace(result, failure=_failure(result, models), bench=bench))


def _described(
    search: Search,
    trials: Sequence[StudentTrial],
    front: tuple[FrontRow, ...],
    latencies_s: Mapping[str, float],
    machine: Machine | None,
) -> SearchResult:
    config, chosen = search.config, choose(front)
    return SearchResult(
        profile=search.profile.name,
        min_accuracy=config.min_accuracy,
        epochs=config.epochs,
        recovery_epochs=config.recovery_epochs,
        size=config.size(len(search.points)),
        files=len(config.students) * len(config.recipes),
        trials=tuple(sorted(trials, key=lambda trial: STATES.index(trial.state))),
        ruled_out=search.ruled_out,
        latencies_s=latencies_s,
        front=front,
        chosen=None if chosen is None else chosen[0].number,
        reason="" if chosen is None else choice_text(*chosen, standard_error(chosen[1].model)),
        commands=() if chosen is None else _commands(search, chosen[0]),
        picture=search.folder / "search.png" if can_draw() and latencies_s else None,
        data=search.stages.data.describe(),
        machine=machine,
    )


def _left(search: Search, result: SearchResult) -> SearchResult:
    """The result with its files written; those of an earlier one go."""
    for old in search.folder.glob("point-*.yaml"):
        if old not in {row.settings for row in result.front}:
            old.unlink()
    for row in result.front:
        command = " && ".join(_commands(search, row))
        head = f"# {row.model.describe()}. Use: {command}\n"
        write_text(row.settings, head + yaml.safe_dump(_tree(search, row.model)))
    if result.picture is not None:
        draw_front(result, result.picture)
    write_json(search.folder / "search.json", result.to_dict())
    write_text(search.folder / "report.html", search_page(result))
    return result


def _latencies_s(search: Search, models: Sequence[SearchedModel]) -> dict[str, float]:
    """Median of every file here, all in turns."""
    files = {model.name: place_of(model, search.models) for model in models}
    if not files:
        return {}
    search.workspace.watcher.stage("search", "trial", f"{len(files)} files take turns, to see which are faster")
    found = median_latencies_s(
        [*files.values(), *([*files.values()] if len(files) == 1 else [])], search.task.validation.x
    )
    return {name: found[file] for name, file in files.items()}


def _front(
    search: Search, models: Sequence[SearchedModel], latencies_s: Mapping[str, float]
) -> tuple[tuple[FrontRow, ...], list[BenchResult]]:
    rows: list[FrontRow] = []
    benches: list[BenchResult] = []
    config = search.workspace.settings.section("bench", BenchConfig)
    for number, model in enumerate(models, 1):
        file = place_of(model, search.models)
        search.workspace.watcher.stage("search", "trial", f"bench {number}/{len(models)}  {model.describe()}")
        takes = search.task.validation.x
        bench = bench_onnx(file, search.profile, config, takes=takes, accuracy=_accuracy(model, file))
        benches.append(bench)
        rows.append(
            FrontRow(
                number=number,
                model=model,
                file=file,
                latency_p50_s=latencies_s[model.name],
                peak_rss_bytes=bench.measurement.peak_rss_bytes,
                verdict=bench.verdict,
                weakest=weakest_text(bench),
                settings=search.folder / f"point-{number}.yaml",
            )
        )
    return tuple(rows), benches


def _accuracy(model: SearchedModel, file: Path) -> Accuracy:
    """What was found when the file was made."""
    loss = model.int8
    parent = Parent(
        path=f"{file.stem} in fp32, which was not kept",
        sha256=None,
        accuracy=loss.fp32_accuracy,
        flips=loss.flips,
        max_abs_difference=loss.max_abs_difference,
        mean_abs_difference=loss.mean_abs_difference,
        labels_changed=loss.changed,
    )
    return Accuracy(loss.int8_accuracy, loss.takes, "validation", "the work directory's data", parent=parent)


def _tree(search: Search, model: SearchedModel) -> dict[str, object]:
    """Settings that make it again, with the work directory's own schedule."""
    dense = model_of(model.point, search.task.student).dense
    return {
        "student": {**model.point.to_dict(), "dense": dense},
        "prune": {"sparsity": model.recipe.sparsity},
        "quantize": {"scheme": model.recipe.scheme},
    }


def _commands(search: Search, row: FrontRow) -> tuple[str, ...]:
    """What makes a row the work directory's student, and benches it."""
    path = search.workspace.path
    force = ("--force",) if _has_student(search) else ()
    profile = ("--profile", search.profile_said)
    return (next_command(path, "quantize", "--config", row.settings, *force), next_command(path, "bench", *profile))


def _has_student(search: Search) -> bool:
    """Whether the work directory has one, which another row replaces; --force leaves alone what is as it shall be."""
    return any(search.workspace.record(name) is not None for name in (STUDENT, PRUNED))


def _failure(result: SearchResult, models: Sequence[SearchedModel]) -> EdgekitError | None:
    """Where there is nothing to take: what came closest."""
    floor = result.min_accuracy
    if result.chosen is not None:
        return None
    if not result.trials:
        return EdgekitError(
            f"search: --budget was over before the first of {result.size} students was begun, so there is no file; give"
            " a longer one: the same command goes on from here"
        )
    if not models:
        reason = next((trial.error for trial in result.trials if trial.error), "none was taught to the end")
        return EdgekitError(f"search: no file was made; the first reason: {reason}")
    best = max(models, key=lambda model: model.accuracy)
    closest = f"closest: {best.describe()}, {100 * best.accuracy:.1f} % on {best.int8.takes} validation takes"
    if not result.front:
        asked = "" if floor is None else f" reaches {100 * floor:g} %"
        return GateError(
            f"search: none of {len(models)} files that fit{asked}; {closest}; give larger search.hidden_size, more"
            " search.epochs, or a lower --min-accuracy"
        )
    if any(row.verdict == "undecided" for row in result.front):
        return WeakEvidenceError(f"search: no file certainly fits {result.profile}: {result.front[0].weakest}")
    return GateError(f"search: none of {len(result.front)} files fits {result.profile}: {result.front[0].weakest}")
