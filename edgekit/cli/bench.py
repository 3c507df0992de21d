"""edgekit bench"""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli.common import Command, Common, common_options, emit, flags, parse_shape, parse_value, workspace

#: What is compared with what, and where the report goes. In the order of `--help`.
_OPTIONS = (
    click.option("--data", type=click.Path(path_type=Path), help="Labelled recordings, for accuracy and as input: .npz,"
                 " .csv, .parquet, or a folder of classes [the work directory's]."),
    click.option("--split", type=click.Choice(["session", "signer"]), help="Whether --part test is other days or other"
                 " people [session]."),
    click.option("--part", type=click.Choice(["validation", "test", "train", "all"]), help="Which of the labelled takes"
                 " accuracy is measured on [validation]."),
    click.option("--parent", type=click.Path(path_type=Path), metavar="MODEL.onnx", help="The float32 file that MODEL"
                 " was made from: for max_accuracy_drop [the work directory's, of its INT8 file]."),
    click.option("--baseline", type=click.Path(path_type=Path), metavar="FILE.json", help="What bench --json said of"
                 " an earlier model on a machine like this one."),
    click.option("--max-regression", metavar="RATIO", help="By how much latency, memory, size and accuracy may be"
                 " worse than the baseline's: 10% or 0.1."),
    click.option("--junit", type=click.Path(path_type=Path), metavar="FILE.xml", help="Write the verdicts as JUnit XML,"
                 " a case a row: a failure where violated, an error where undecided."),
    click.option("--markdown", type=click.Path(path_type=Path), metavar="FILE.md", help="Write the report as Markdown,"
                 " as for a comment on a pull request."),
)  # fmt: skip


def _options(function: Command) -> Command:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command()
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--profile", "-p", default="raspberry-pi", show_default=True, help="Name, or a YAML file.")
@click.option("--repeats", type=click.IntRange(1), help="Samples at least of each process [1000].")
@click.option("--processes", type=click.IntRange(1), help="Fresh processes to measure in [3].")
@click.option("--time-limit", type=click.FloatRange(0, min_open=True), help="Seconds of measuring latency [60].")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Also run paced, so many takes a second.")
@click.option("--duration", type=click.FloatRange(0, min_open=True), help="Also run for so many seconds [10].")
@click.option("--sweep", is_flag=True, help="Also survey 1, 2, 4 threads and batches of 1, 4, 16.")
@click.option(
    "--evidence",
    type=click.Choice(["measured on device", "emulated", "estimated", "measured on this host"]),
    help="The least that is accepted [estimated].",
)
@click.option("--shape", "shapes", multiple=True, metavar="NAME=1,30,63", help="Sizes of an input that has none.")
@click.option("--value", "values", multiple=True, metavar="NAME=NUMBER", help="What fills an input: a sampling rate.")
@_options
@common_options
def bench(
    common: Common,
    model: Path | None,
    profile: str,
    part: str | None,
    parent: Path | None,
    baseline: Path | None,
    max_regression: str | None,
    junit: Path | None,
    markdown: Path | None,
    repeats: int | None,
    processes: int | None,
    time_limit: float | None,
    rate: float | None,
    duration: float | None,
    sweep: bool,
    evidence: str | None,
    shapes: tuple[str, ...],
    values: tuple[str, ...],
) -> int:
    """Measure an ONNX file, enforce a device profile.

    Size, latency and memory against the profile's limits, and accuracy where labelled takes are given. MODEL is any
    ONNX file; default: the work directory's INT8 file and data.

    Exit code 0: within budget, 3: a constraint is violated, 4: the evidence is too weak to decide. With 2, wrong usage
    or input, no file is written.

    \b
    Example:
      edgekit bench --profile raspberry-pi
      edgekit bench other.onnx --profile raspberry-pi-4b --json
      edgekit bench model.int8.onnx --data my-signs.npz --part test --parent model.onnx
      edgekit bench model.int8.onnx --baseline main.json --max-regression 10% --junit bench.xml
    """
    from edgekit.pipeline import bench_model, check_reports, write_reports
    from edgekit.report import bench_text

    said = {
        "repeats": repeats,
        "processes": processes,
        "threads": common.threads,
        "time_limit_s": time_limit,
        "rate_hz": rate,
        "duration_s": duration,
        "sweep": sweep or None,
        "evidence": evidence,
        "shapes": dict(parse_shape(text) for text in shapes) or None,
        "values": dict(parse_value(text) for text in values) or None,
    }
    allowed = parse_regression(baseline, max_regression)
    check_reports(junit, markdown)
    labelled = any(given is not None for given in (common.data, part, parent))
    with workspace(common, flags(bench=said), read_only=True) as opened:
        result = bench_model(
            opened,
            model,
            profile,
            parent=parent,
            part=part,
            labelled=labelled,
            baseline=baseline,
            max_regression=allowed,
        )
    write_reports(result, junit, markdown)
    emit(common.json, result.to_dict(), lambda: bench_text(result))
    return result.exit_code


def parse_regression(baseline: Path | None, text: str | None) -> float:
    """`10%` or `0.1` as 0.1; 0 where there is no baseline. Raises UsageError for one without the other, or no ratio."""
    if (baseline is None) != (text is None):
        raise click.UsageError("--baseline and --max-regression belong together: give both")
    if text is None:
        return 0.0
    try:
        ratio = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise click.UsageError(f"--max-regression {text}: expected a ratio from 0 to 1, such as 10% or 0.1")
    return ratio
