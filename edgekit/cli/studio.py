"""edgekit studio"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli import options as o
from edgekit.cli.common import emit, refuse_given
from edgekit.cli.declaring import command
from edgekit.cli.terminal import complain, say

if TYPE_CHECKING:
    from edgekit.studio import Studio


@command(
    o.MODEL.saying("The model that answers [the work directory's file for the device, else edgekit's own]."),
    o.BESIDE,
    o.PORT,
    o.SIGNER.saying("Who signs; the page asks, too."),
    o.EXPORT_PAGE,
    o.NPM_PACKAGE,
    o.WORKDIR.saying("Where to find the model and the report, and where takes are recorded to."),
    o.JSON.saying("With setup and --export: the result as JSON on stdout."),
)
@click.argument("setup", type=click.Choice(["setup"]), required=False)
def studio(
    setup: str | None,
    model: Path | None,
    beside: Path | None,
    port: int,
    signer: str | None,
    page_folder: Path | None,
    package: Path | None,
    workdir: Path,
    as_json: bool,
) -> int:
    """A page in your browser: the camera, your hand, the letter, the word, and takes to record.

    Open the address that it prints. Pictures stay in the page: tracker and model run there. Only this machine can
    reach the server, and only who knows the address. Needs `edgekit hands setup` and `edgekit studio setup` once: the
    latter lets npm fetch onnxruntime-web, 33 MB, of which 14 MB go to $EDGEKIT_CACHE/studio, by default
    ~/.cache/edgekit/studio. Takes go to my-signs.npz in the work directory, as `edgekit record` writes them.

    --export writes the page with networks and model into a folder, for any server of files; it records nothing.

    Ctrl-C ends it, with exit code 130.

    \b
    Example:
      edgekit studio setup
      edgekit studio --signer anna
      edgekit studio --export page
    """
    if setup is not None:
        refuse_given(
            {"model", "beside", "port", "signer", "page_folder", "workdir"}, "setup only puts onnxruntime-web in place"
        )
        return _set_up(package, as_json)
    if package is not None:
        raise click.UsageError("--package goes with setup: edgekit studio setup --package FILE.tgz")
    if page_folder is not None:
        refuse_given({"port", "signer"}, "--export serves nothing")
        return _export(page_folder, workdir, model, beside, as_json)
    refuse_given({"as_json"}, "the studio has no result")
    return _serve(workdir, model, port, signer or "", beside)


def _set_up(package: Path | None, as_json: bool) -> int:
    from edgekit.cli.progress import alive
    from edgekit.studio import assets_state, make_assets

    with alive("studio"):
        made = make_assets(package)
    state = assets_state()
    lines = [f"{one['name']}: {'made' if made else one['state']}\n  file    {one['path']}" for one in state["files"]]
    title = f"{state['package']} {state['version']}, MIT"
    emit(as_json, {**state, "made": made}, lambda: "\n".join([title, *lines]))
    return 0


def _export(folder: Path, workdir: Path, model: Path | None, beside: Path | None, as_json: bool) -> int:
    from edgekit.report.tables import size
    from edgekit.studio import export_page

    result = export_page(folder, workdir, model, beside)
    text = (
        f"{result.folder}: {result.files} files, {size(result.bytes)}, with {result.model}\n"
        f"try it: python -m http.server --bind 127.0.0.1 --directory {result.folder}\n"
        "browsers give a page the camera from https and from this machine only; nothing is recorded"
    )
    emit(as_json, result.to_dict(), lambda: text)
    return 0


def _serve(workdir: Path, model: Path | None, port: int, signer: str, beside: Path | None) -> int:
    from edgekit.studio import open_studio

    with open_studio(workdir, model, port, signer, beside) as opened:
        _tell(opened)
        opened.wait()
    return 0


def _tell(opened: Studio) -> None:
    if opened.model.note is not None:
        complain(f"edgekit: note: {opened.model.note}")
    say(f"studio: {opened.address}\n  model   {opened.model.path}\n  takes   {opened.takes.path}\nCtrl-C ends it")
