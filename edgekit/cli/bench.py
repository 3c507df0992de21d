"""edgekit bench"""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli.common import Common, common_options, emit, flags, parse_shape, workspace


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
@common_options
def bench(
    common: Common,
    model: Path | None,
    profile: str,
    repeats: int | None,
    processes: int | None,
    time_limit: float | None,
    rate: float | None,
    duration: float | None,
    sweep: bool,
    evidence: str | None,
    shapes: tuple[str, ...],
) -> int:
    """Measure an ONNX file, enforce a device profile.

    Size, latency and memory against the profile's limits. MODEL is any ONNX file; default: the work directory's
    INT8 file.

    Exit code 0: within budget, 3: a constraint is violated, 4: the evidence is too weak to decide.

    \b
    Example:
      edgekit bench --profile raspberry-pi
      edgekit bench other.onnx --profile raspberry-pi-4b --json
    """
    from edgekit.pipeline import bench_model
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
    }
    with workspace(common, flags(bench=said), read_only=True) as opened:
        result = bench_model(opened, model, profile)
    emit(common.json, result.to_dict(), lambda: bench_text(result))
    return result.exit_code
