"""edgekit record"""

from __future__ import annotations

import datetime
from pathlib import Path

import click

from edgekit.cli import options as o
from edgekit.cli.common import emit
from edgekit.cli.declaring import command
from edgekit.cli.terminal import apart_from_libraries, complain
from edgekit.errors import InputError, InterruptedRunError


@command(
    o.RECORDED,
    o.TAKES,
    o.CAMERA,
    o.SIGNER.saying("Who signs; without it nobody can test on other people."),
    o.SESSION.saying("When, best as YYYY-MM-DD [today]."),
    o.TAKE_SECONDS,
    o.COUNTDOWN,
    o.HANDS,
    o.TEXT,
    o.JSON,
)
@click.argument("signs", nargs=-1, required=True)
def record(
    signs: tuple[str, ...],
    output: Path,
    takes: int,
    camera: str,
    signer: str | None,
    session: str | None,
    seconds: float,
    countdown: float,
    num_hands: int,
    text: bool,
    as_json: bool,
) -> int:
    """Record takes of SIGNS in front of a camera.

    A countdown, a take of one second, then you keep it or throw it away: Enter, x, s for the next sign, q to end. A
    window shows the picture with your hand, where there is a display; otherwise lines of text are read. Needs
    `edgekit hands setup` once.

    The file is written after every take. The same command goes on where it was: what the file holds by the same signer
    in the same session counts, and another day is another session.

    Exit code 130 if you skip a sign or end it before all is recorded, 2 if the camera goes away; what was kept is in
    the file.

    \b
    Example:
      edgekit record A B C --takes 12 --signer anna -o my-signs.npz
    """
    from edgekit.cli.screens import choose_screen
    from edgekit.data.remarks import counted
    from edgekit.jobs import RecordOptions, record_takes
    from edgekit.report import record_text

    day = session or datetime.date.today().isoformat()
    options = RecordOptions(signer or "", day, takes, seconds, countdown, num_hands)
    with apart_from_libraries():
        result = record_takes(camera, output, signs, options, choose_screen(text))
    if not signer:
        complain("edgekit: note: who signs is unknown; --signer NAME says it")
    emit(as_json, result.to_dict(), lambda: record_text(result))
    if not result.missing:
        return 0
    complain(f"edgekit: error: {result.ended or 'signs were skipped'}; {counted(result.missing, 'take')} missing")
    return InputError.exit_code if result.faulty else InterruptedRunError.exit_code
