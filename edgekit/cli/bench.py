"""edgekit bench"""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli.common import Common, common_options, data_options, emit, flags, parse_shape, workspace


@click.command()
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--profile", "-p", default="raspberry-pi", show_default=True, help="Name, or a YAML file.")
@click.option("--repeats", type=click.IntRange(1), help="Samples wanted of each process [1000].")
@click.option("--processes", type=click.IntRange(1), help="Fresh processes to measure in [1].")
@click.option("--time-limit", type=click.FloatRange(0, min_open=True), help="Seconds of measuring latency [60].")
@click.option(
    "--evidence",
    type=click.Choice(["measured on device", "emulated", "estimated", "measured on this host"]),
    help="The least that is accepted [estimated].",
)
@click.option("--shape", "shapes", multiple=True, metavar="NAME=1,30,63", help="Sizes of an input that has none.")
@click.option(
    "--part",
    type=click.Choice(["validation", "test", "train", "all"]),
    help="Which of the labelled takes accuracy is measured on [validation].",
)
@click.option(
    "--parent",
    type=click.Path(path_type=Path),
    metavar="MODEL.onnx",
    help="The float32 file that MODEL was"
    " made from: its accuracy on the same takes counts against max_accuracy_drop [of the work directory's"
    " INT8 file: its own].",
)
@data_options
@common_options
def bench(
    common: Common,
    model: Path | None,
    profile: str,
    part: str | None,
    parent: Path | None,
    repeats: int | None,
    processes: int | None,
    time_limit: float | None,
    evidence: str | None,
    shapes: tuple[str, ...],
) -> int:
    """Measure an ONNX file, enforce a device profile.

    Size, latency and memory against the profile's limits, and accuracy where labelled takes are given. MODEL is any
    ONNX file; default: the work directory's INT8 file and data.

    Exit code 0: within budget, 3: a constraint is violated, 4: the evidence is too weak to decide.

    \b
    Example:
      edgekit bench --profile raspberry-pi
      edgekit bench other.onnx --profile raspberry-pi-4b --json
      edgekit bench model.int8.onnx --data my-signs.npz --part test --parent model.onnx
    """
    from edgekit.pipeline import bench_model
    from edgekit.report import bench_text

    said = {
        "repeats": repeats,
        "processes": processes,
        "threads": common.threads,
        "time_limit_s": time_limit,
        "evidence": evidence,
        "shapes": dict(parse_shape(text) for text in shapes) or None,
    }
    labelled = any(given is not None for given in (common.data, part, parent))
    with workspace(common, flags(bench=said), read_only=True) as opened:
        result = bench_model(opened, model, profile, parent=parent, part=part, labelled=labelled)
    emit(common.json, result.to_dict(), lambda: bench_text(result))
    return result.exit_code
