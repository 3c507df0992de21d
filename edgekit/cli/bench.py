"""edgekit bench"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import options as o
from edgekit.cli.common import Common, emit, flags, measuring_settings, shared, show_plan, workspace
from edgekit.cli.declaring import command, plain_number

if TYPE_CHECKING:
    from edgekit.bench import BenchResult
    from edgekit.runtime import Runtime
    from edgekit.workdir import Workspace


@command(
    o.PROFILE,
    o.RUNTIME.saying("native: compile the file for this machine, and measure that."),
    o.REPEATS,
    o.PROCESSES,
    o.TIME_LIMIT,
    o.RATE,
    o.DURATION,
    o.SWEEP,
    o.EVIDENCE,
    o.EMULATE,
    o.MAX_INSTRUCTIONS,
    o.SHAPE,
    o.VALUE,
    o.INFERENCE_THREADS,
    o.PART.saying("Which labelled takes to measure accuracy on [validation].", default=None),
    o.PARENT,
    o.BASELINE,
    o.MAX_REGRESSION,
    o.WORKDIR,
    o.CONFIG,
    o.SET,
    o.SEED.saying("Seed of random input, and of the synthetic hands [0]."),
    o.DATA.saying(
        "Labelled recordings, for accuracy and as input: .npz, .csv, .parquet, or a folder of classes"
        " [the work directory's]."
    ),
    o.COLUMNS,
    o.SPLIT.saying("Whether --part test means other days or other people [session]."),
    o.CLASS_NAMES,
    o.DRY_RUN,
    o.JSON,
    o.QUIET,
    o.JUNIT,
    o.MARKDOWN,
    o.HTML,
)
@click.argument("model", required=False, type=o.PATH)
@shared
def bench(
    common: Common,
    model: Path | None,
    profile: str,
    runtime: Runtime,
    part: str | None,
    parent: Path | None,
    baseline: Path | None,
    max_regression: str | None,
    junit: Path | None,
    markdown: Path | None,
    html: Path | None,
    class_names: str | None,
    emulate: bool,
    max_instructions: int | None,
    **measuring: Any,
) -> int:
    """Measure an ONNX file and enforce a device profile.

    Compares size, latency and memory with the profile's limits, and accuracy if labelled takes are given. MODEL is any
    ONNX file, or the word shipped for the student that edgekit comes with; default: the work directory's own file and
    data.

    Exit code 0: within budget; 3: a constraint is violated; 4: the evidence is too weak to decide; 2: wrong usage or
    input, and no file is written.

    \b
    Example:
      edgekit bench --profile raspberry-pi
      edgekit bench other.onnx --profile raspberry-pi-4b --json
      edgekit bench --profile raspberry-pi --emulate
      edgekit bench model.int8.onnx --data my-signs.npz --part test --parent model.onnx
      edgekit bench model.int8.onnx --baseline main.json --max-regression 10% --junit bench.xml
    """
    from edgekit.evaluate import parse_class_names
    from edgekit.jobs import check_reports

    if max_instructions is not None and not emulate:
        raise click.UsageError("--max-instructions: instructions are counted on emulated cores; add --emulate")
    said = measuring_settings(common.threads, measuring)
    allowed, names = parse_regression(baseline, max_regression), parse_class_names(class_names)
    reports = {"junit": junit, "markdown": markdown, "html": html}
    check_reports(*reports.values())
    labelled = any(given is not None for given in (common.data, part, parent))
    asked = {"parent": parent, "part": part, "labelled": labelled, "baseline": baseline}
    with workspace(common, flags(bench=said), read_only=True) as opened:
        if common.dry_run:
            planned = {**asked, "emulate": emulate, "reports": tuple(reports.values())}
            return _plan(common, opened, model, profile, planned)
        told = {"max_regression": allowed, "class_names": names, "runtime": runtime}
        told |= {"emulate": emulate, "max_instructions": max_instructions}
        result = _measure(opened, model, profile, {**asked, **told})
    return _tell(common, result, reports)


def _plan(common: Common, opened: Workspace, model: Path | None, profile: str, asked: dict[str, Any]) -> int:
    from edgekit.jobs import plan_bench

    plan_bench(opened, model, profile, **asked)
    show_plan(common, opened)
    return 0


def _measure(opened: Workspace, model: Path | None, profile: str, asked: dict[str, Any]) -> BenchResult:
    from edgekit.jobs import bench_model

    return bench_model(opened, model, profile, **asked)


def _tell(common: Common, result: BenchResult, reports: dict[str, Path | None]) -> int:
    """The result as files and on stdout; returns the exit code."""
    from edgekit.jobs import write_reports
    from edgekit.report import bench_text

    write_reports(result, **reports)
    emit(common.as_json, result.to_dict(), lambda: bench_text(result))
    return result.exit_code


def parse_regression(baseline: Path | None, text: str | None) -> float:
    """`10%` or `0.1` as 0.1; 0 where there is no baseline. Raises UsageError for one without the other, or no ratio."""
    if (baseline is None) != (text is None):
        raise click.UsageError("--baseline and --max-regression belong together: give both")
    if text is None:
        return 0.0
    try:
        ratio = float(plain_number(text).removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise click.UsageError(f"--max-regression {text}: expected a ratio from 0 to 1, such as 10% or 0.1")
    return ratio
