"""edgekit data"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import options as o
from edgekit.cli.common import emit, flags, refuse_given
from edgekit.cli.declaring import Declared, Function, command

if TYPE_CHECKING:
    from edgekit.data import Recordings, SynthConfig


@click.group()
def data() -> None:
    """Check recordings, convert them, or make synthetic ones."""


def of_data(*options: Declared) -> Callable[[Function], click.Command]:
    """One of the group's commands, with these options."""

    def decorate(function: Function) -> click.Command:
        made = command(*options)(function)
        data.add_command(made)
        return made

    return decorate


@of_data(o.OUT_OF_FOLD, o.COLUMNS, o.JSON)
@click.argument("recordings", type=o.PATH)
def check(recordings: Path, out_of_fold: bool, columns: str | None, as_json: bool) -> None:
    """Show what recordings hold and what is wrong with them.

    Finds small classes, lost or frozen hands, NaN, duplicates and takes that look like another class, and says where.

    Exit code 2 if training would refuse them.

    \b
    Example:
      edgekit data check my-signs.npz
      edgekit data check my-signs.npz --out-of-fold
      edgekit data check theirs.csv --columns skip,features,label
    """
    from edgekit.cli.progress import alive
    from edgekit.data import check_recordings, load_leniently
    from edgekit.errors import DataError
    from edgekit.jobs import predict_labels
    from edgekit.report import quality_text

    with alive("check"):
        found, bad = load_leniently(recordings, columns)
        report = check_recordings(found, bad, predict_labels(found) if out_of_fold else None)
    emit(as_json, report.to_dict(), lambda: quality_text(report))
    if report.refusals:
        which = "the reason" if len(report.refusals) == 1 else f"the {len(report.refusals)} reasons"
        raise DataError(f"{recordings}: training would refuse these recordings, for {which} in the report")


@of_data(o.LAYOUT, o.COLUMNS, o.REPLACE, o.JSON)
@click.argument("sources", nargs=-1, required=True, type=o.PATH)
@click.argument("target", type=o.PATH)
def convert(
    sources: tuple[Path, ...], target: Path, layout: Any, columns: str | None, force: bool, as_json: bool
) -> None:
    """Write recordings in another layout, or several as one.

    SOURCES and TARGET may be .npz, .csv, .parquet or a folder. Numbers become float32. The output says where that
    changes any, and what TARGET can't hold. Several sources are joined: classes of one name are one, and so are
    signers and sessions.

    \b
    Example:
      edgekit data convert my-recordings signs.npz
      edgekit data convert theirs.csv mine.npz --columns skip,features,label
      edgekit data convert my-signs.npz theirs.npz everybody.npz
    """
    from edgekit.data import convert_recordings
    from edgekit.report import conversion_text

    conversion = convert_recordings(sources, target, layout, force, columns)
    emit(as_json, conversion.to_dict(), lambda: conversion_text(conversion))


@of_data(o.DROP, o.OUT_OF_FOLD, o.LAYOUT, o.COLUMNS, o.REPLACE, o.JSON)
@click.argument("source", type=o.PATH)
@click.argument("target", type=o.PATH)
def clean(
    source: Path,
    target: Path,
    drop: tuple[str, ...],
    out_of_fold: bool,
    layout: Any,
    columns: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write recordings without the takes that `data check` finds broken.

    SOURCE stays as it is. Of identical takes the first is kept; of identical takes of different classes none. Look
    before you drop frozen, sparse or mislabelled takes.

    \b
    Example:
      edgekit data clean my-signs.npz clean.npz
      edgekit data clean my-signs.npz clean.npz --drop empty --drop mislabelled --out-of-fold
    """
    from edgekit.cli.progress import alive
    from edgekit.data import BROKEN, clean_recordings
    from edgekit.jobs import predict_labels
    from edgekit.report import cleaning_text

    if out_of_fold and "mislabelled" not in drop:
        raise click.UsageError("--out-of-fold looks for wrong labels; name --drop mislabelled, too")
    predict = predict_labels if out_of_fold else None
    with alive("clean"):
        cleaning = clean_recordings(source, target, drop or BROKEN, layout, force, predict, columns)
    emit(as_json, cleaning.to_dict(), lambda: cleaning_text(cleaning))


@of_data(
    o.PEOPLE,
    o.TAKES_PER_LETTER,
    o.SEED.saying("Seed of the hands [0]."),
    o.NO_SIGN,
    o.PREVIEW,
    o.REPLACE,
    o.JSON,
)
@click.argument("output", type=o.PATH, required=False)
def synth(
    output: Path | None,
    people: int | None,
    takes_per_letter: int | None,
    seed: int | None,
    no_sign: bool,
    preview: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write synthetic recordings of the 26 letters, or draw the letters.

    OUTPUT may be .npz, .csv, .parquet or a folder. Synthetic accuracy is not real accuracy.

    \b
    Example:
      edgekit data synth hands.npz --people 8 --seed 1
    """
    from edgekit.config import build
    from edgekit.data import SynthConfig, choose_layout, refuse_existing

    if output is None and preview is None:
        raise click.UsageError("give OUTPUT, --preview FILE.png, or both")
    if output is None:
        refuse_given({"people", "takes_per_letter", "seed", "no_sign"}, "without OUTPUT the letters are only drawn")
    said = flags(synth={"people": people, "takes_per_letter": takes_per_letter, "seed": seed})
    config = build(SynthConfig, {**said.get("synth", {}), "no_sign": no_sign}, "data synth")
    for path in filter(None, (output, preview)):
        refuse_existing(path, force)
    if output is not None:
        choose_layout(output)
    drawn = None if preview is None else _draw(preview)
    made = None if output is None else _write(output, config, force)
    content = {} if made is None else {"path": str(output), "takes": made.takes, "classes": made.classes}
    content |= {"preview": drawn} if made is None else {"synthetic": True, "preview": drawn}
    emit(as_json, content, lambda: "\n".join(_synth_lines(output, made, drawn)))


def _draw(preview: Path) -> str:
    from edgekit.artifacts import write_bytes
    from edgekit.data import draw_preview

    return str(write_bytes(preview, draw_preview()))


def _write(output: Path, config: SynthConfig, force: bool) -> Recordings:
    from edgekit.cli.progress import alive
    from edgekit.data import choose_layout, save_recordings, synthesise_hands

    with alive("synth"):
        made = synthesise_hands(config)
        save_recordings(output, made, choose_layout(output), force)
    return made


def _synth_lines(output: Path | None, made: Recordings | None, drawn: str | None) -> list[str]:
    taken = [f"{output}: {made.takes} synthetic takes of {made.classes} classes"] if made else []
    return taken + ([f"{drawn}: the 26 letters as synthetic hands"] if drawn else [])
