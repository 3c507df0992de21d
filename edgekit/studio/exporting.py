"""The page as files that any server of files can host: networks, model and onnxruntime-web included."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import __version__
from edgekit.artifacts import json_text, replaced_folder
from edgekit.errors import InputError
from edgekit.hands import networks_folder
from edgekit.hands.networks import HAND, PALM, find_network
from edgekit.hands.papers import CARD, LICENSE
from edgekit.reading import StrPath
from edgekit.studio.assets import FILES, PAPERS, find_asset, find_paper
from edgekit.studio.model import PageModel, licences_of

PAGE = Path(__file__).with_name("page")
#: In index.html, and in its place in an exported one.
SERVED, STATIC = '<meta name="edgekit-studio" content="served">', '<meta name="edgekit-studio" content="static">'


@dataclass(frozen=True)
class ExportResult:
    """folder: of the page. files, bytes: how many, and how large together."""

    folder: Path
    model: str
    files: int
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "folder": str(self.folder)}


def export_page(
    folder: StrPath, workdir: StrPath, model: StrPath | None = None, beside: StrPath | None = None
) -> ExportResult:
    """Write the page into a new or an empty folder, whole or not at all.

    It reads letters and words; it records nothing, for which there is no server. beside: a second model. Raises
    InputError for a folder that holds something, ModelFileError as `open_studio` does.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: holds something already; name a folder that is empty or not there yet")
    page_model = PageModel(workdir, model)
    second = None if beside is None else PageModel(workdir, beside)
    sources = _sources(page_model) | ({} if second is None else _beside(second))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with replaced_folder(folder) as made:
        for name, path in sources.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, made / name)
        index = (made / "index.html").read_text(encoding="utf-8")
        (made / "index.html").write_text(index.replace(SERVED, STATIC), encoding="utf-8")
        other = None if second is None else second.to_dict()
        told = {"version": __version__, "model": page_model.to_dict(), "beside": other}
        (made / "api" / "studio.json").write_text(json_text(told), encoding="utf-8")
    files = [path for path in folder.rglob("*") if path.is_file()]
    return ExportResult(folder, str(page_model.path), len(files), sum(path.stat().st_size for path in files))


def _sources(model: PageModel) -> dict[str, Path]:
    """Names in the folder to the files that they are copies of. Raises ModelFileError where one is missing."""
    page = {path.name: path for path in PAGE.iterdir() if path.is_file()}
    ort = {f"ort/{name}": find_asset(name) for name in FILES} | {f"ort/{name}": find_paper(name) for name in PAPERS}
    networks = {"api/palm.onnx": find_network(PALM), "api/hand.onnx": find_network(HAND)}
    papers = {f"licences/hand-tracker/{name}": networks_folder() / name for name in (LICENSE, CARD)}
    licences = {f"licences/model/{path.name}": path for path in licences_of(model)}
    return {**page, **ort, **networks, "api/model.onnx": model.path, **papers, **licences}


def _beside(second: PageModel) -> dict[str, Path]:
    """The second model, and its licences."""
    return {"api/beside.onnx": second.path, **{f"licences/beside/{path.name}": path for path in licences_of(second)}}
