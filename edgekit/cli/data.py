"""edgekit data"""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli.common import emit, flags, json_option


@click.group()
def data() -> None:
    """Check recordings, or make synthetic ones."""


@data.command()
@click.argument("recordings", type=click.Path(path_type=Path))
@json_option
def check(recordings: Path, as_json: bool) -> None:
    """What RECORDINGS hold and what is wrong with them: empty takes, frames without a hand, small classes.

    \b
    Example:
      edgekit data check my-signs.npz
    """
    from edgekit.data import check_recordings, load_recordings
    from edgekit.report import quality_text

    report = check_recordings(load_recordings(recordings)).to_dict()
    emit(as_json, report, lambda: quality_text(report))


@data.command()
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--people", type=click.IntRange(1), help="Different hands.")
@click.option("--takes-per-letter", type=click.IntRange(1), help="Of each person.")
@click.option("--seed", type=click.IntRange(0), help="Same seed, same hands.")
@json_option
def synth(output: Path, people: int | None, takes_per_letter: int | None, seed: int | None, as_json: bool) -> None:
    """Write synthetic recordings of the 26 letters to OUTPUT (.npz). Synthetic accuracy is not real accuracy.

    \b
    Example:
      edgekit data synth hands.npz --people 8 --seed 1
    """
    from edgekit.config import build
    from edgekit.data import SynthConfig, save_recordings, synthesise_hands

    said = flags(synth={"people": people, "takes_per_letter": takes_per_letter, "seed": seed})
    made = synthesise_hands(build(SynthConfig, said.get("synth", {}), "data synth"))
    save_recordings(output, made)
    about = {"path": str(output), "takes": made.takes, "classes": made.classes, "synthetic": True}
    emit(as_json, about, lambda: f"{output}: {made.takes} synthetic takes of {made.classes} letters")
