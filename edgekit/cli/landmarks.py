"""edgekit landmarks"""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli import options as o
from edgekit.cli.common import emit
from edgekit.cli.declaring import command
from edgekit.cli.terminal import apart_from_libraries, complain


@command(
    o.TAKES_OUTPUT,
    o.LABEL,
    o.SIGNER,
    o.SESSION,
    o.HANDS,
    o.KEPT_RATE,
    o.SECONDS,
    o.REPLACE,
    o.JSON,
    o.QUIET,
)
@click.argument("source", type=o.PATH)
def landmarks(
    source: Path,
    output: Path,
    label: str | None,
    signer: str | None,
    session: str | None,
    num_hands: int,
    rate: float,
    seconds: float | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Read hand landmarks from videos, pictures or a camera, as recordings.

    SOURCE: a video, a picture, a camera's number, or a folder: FOLDER/CLASS/FILE, FOLDER/SIGNER/CLASS/FILE or
    FOLDER/SIGNER/SESSION/CLASS/FILE. A video is a take, and so is a picture. Needs `edgekit hands setup` once.

    Models read 30 frames a second: faster videos are thinned to that, slower ones stay as they are, which is said.
    Frames without a hand stay as frames without one.

    Exit code 2 if a take had to be left out, because it shows no hand or can't be read; the file holds the others. A
    run that is interrupted goes on where it was when it is started again.

    \b
    Example:
      edgekit landmarks my-videos -o my-signs.npz
      edgekit landmarks A.mp4 -o a.npz --label A --signer anna --session 2026-11-27
      edgekit landmarks 0 -o a.npz --label A --seconds 3
    """
    from edgekit.cli.following import Following
    from edgekit.jobs import LandmarksOptions, read_landmarks
    from edgekit.report import landmarks_text

    options = LandmarksOptions(label, signer, session, num_hands, rate, seconds, force)
    with apart_from_libraries(), Following(quiet=quiet) as following:
        result = read_landmarks(source, output, options, following.at)
    emit(as_json, result.to_dict(), lambda: landmarks_text(result))
    if result.left_out:
        complain(f"edgekit: error: {source}: {result.left_out} of the takes left out; {output} holds the others")
    return 2 if result.left_out else 0
