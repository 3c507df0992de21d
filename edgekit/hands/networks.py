"""The two networks of the hand tracker: where they lie, whether they are what they should be, and how they are made.

They are MediaPipe's palm_detection_full and hand_landmark_full (Google, Apache-2.0), taken from the wheel of MediaPipe
0.10.14, which is unzipped and never imported. Nothing here needs onnx but `make_networks`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.artifacts.digests import sha256_bytes, sha256_file
from edgekit.artifacts.fetching import Watch, cache_folder
from edgekit.artifacts.scratch import scratch_folder
from edgekit.artifacts.writing import refuse_unwritable, write_bytes
from edgekit.errors import InputError, ModelFileError, missing_extra
from edgekit.hands.fetching import VERSION, fetch_wheel
from edgekit.hands.papers import CARD, LICENSE, card
from edgekit.reading import FileKind, StrPath, open_file, reason

WHEEL = FileKind("the wheel of mediapipe", InputError, 10**9)
SETUP = "edgekit hands setup"
#: What recordings say they were read with.
TRACKER = f"edgekit.hands, MediaPipe {VERSION} full"
#: The licence inside the wheel.
LICENSE_MEMBER = f"mediapipe-{VERSION}.dist-info/LICENSE"


@dataclass(frozen=True)
class Network:
    """name: the ONNX file's, without suffix. member: the path inside the wheel, with its SHA-256. outputs: names."""

    name: str
    member: str
    sha256: str
    made_sha256: str
    outputs: tuple[str, ...]


PALM = Network(
    "palm_detection_full",
    "mediapipe/modules/palm_detection/palm_detection_full.tflite",
    "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    "6f1d0c03583816ddc0b43855a3c734a44fd828a5489f6ba40171ac21d2437b5a",
    ("boxes", "scores"),
)
HAND = Network(
    "hand_landmark_full",
    "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
    "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    "2bb303e481121c223e1427cbf4e9c2a778760c5fdf6824dfb9a431d0831d3333",
    ("landmarks", "presence", "handedness", "world"),
)
NETWORKS = (PALM, HAND)


def networks_folder() -> Path:
    """Where `setup` puts them: see `edgekit.artifacts.fetching.cache_folder`."""
    return cache_folder("hands")


def state_of(network: Network, folder: StrPath | None = None) -> str:
    """`ready`, `missing`, or `not the file that setup makes`."""
    path = _place(network, folder)
    if not path.is_file():
        return "missing"
    return "ready" if sha256_file(path) == network.made_sha256 else "not the file that setup makes"


def find_network(network: Network, folder: StrPath | None = None) -> Path:
    """The path of a network's file. Raises ModelFileError with what to do where it is missing or another file."""
    path, state = _place(network, folder), state_of(network, folder)
    if state != "ready":
        raise ModelFileError(f"{path}: {state}; run `{SETUP}` once")
    return path


def papers_there(folder: StrPath | None = None) -> bool:
    """Whether licence and card lie beside the networks."""
    return all((_folder(folder) / name).is_file() for name in (LICENSE, CARD))


def make_networks(wheel: StrPath | None = None, folder: StrPath | None = None, watch: Watch | None = None) -> list[str]:
    """Make the networks that are not ready, and write their licence and card; the names of those made.

    wheel: MediaPipe's, of any system, or None to let pip fetch it. watch: see `fetch_wheel`. Where all is there,
    nothing is done. Raises InputError where the wheel can't be had or is another version's, or the folder can't be
    written, MissingExtraError without tflite or onnx, ModelFileError where what is made has not the known SHA-256; that
    is not written.
    """
    wanted = [network for network in NETWORKS if state_of(network, folder) != "ready"]
    if not wanted and papers_there(folder):
        return []
    _require_converter()
    refuse_unwritable(_folder(folder) / LICENSE)
    if wheel is not None:
        return _make_from(Path(wheel), wanted, _folder(folder))
    with scratch_folder("hands") as scratch:
        return _make_from(fetch_wheel(scratch, watch), wanted, _folder(folder))


def _require_converter() -> None:
    """Before anything is fetched."""
    for package, extra in (("tflite", "camera"), ("onnx", "onnx")):
        if importlib.util.find_spec(package) is None:
            raise missing_extra("hands setup", package, extra)


def _folder(folder: StrPath | None) -> Path:
    return Path(networks_folder() if folder is None else folder)


def _place(network: Network, folder: StrPath | None) -> Path:
    return _folder(folder) / f"{network.name}.onnx"


def _make_from(wheel: Path, wanted: list[Network], folder: Path) -> list[str]:
    from edgekit.hands.convert import convert_tflite

    with _opened(wheel) as archive:
        sources = {network: _source(archive, wheel, network) for network in wanted}
        license_text = archive.read(LICENSE_MEMBER)
    made = {network: convert_tflite(sources[network], network.outputs, network.name) for network in wanted}
    for network, content in made.items():
        _check_made(network, content)
    write_bytes(folder / LICENSE, license_text)
    write_bytes(folder / CARD, tracker_card().encode())
    for network, content in made.items():
        write_bytes(_place(network, folder), content)
    return [network.name for network in wanted]


def _check_made(network: Network, content: bytes) -> None:
    if sha256_bytes(content) != network.made_sha256:
        raise ModelFileError(
            f"{network.name}.onnx came out with SHA-256 {sha256_bytes(content)}, not {network.made_sha256}: this "
            "onnx or tflite writes other bytes. Not written. Known to work: onnx 1.17 and 1.23, tflite 2.18"
        )


@contextlib.contextmanager
def _opened(wheel: Path) -> Iterator[zipfile.ZipFile]:
    with open_file(wheel, WHEEL) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield archive
        except (zipfile.BadZipFile, KeyError, EOFError) as error:
            raise InputError(f"{wheel} is not the wheel of mediapipe {VERSION}: {reason(error)}") from None


def _source(archive: zipfile.ZipFile, wheel: Path, network: Network) -> bytes:
    """The .tflite file inside the wheel, checked."""
    content = archive.read(network.member)
    if sha256_bytes(content) != network.sha256:
        raise InputError(f"{wheel}: {network.member} is not that of mediapipe {VERSION} (SHA-256 {network.sha256})")
    return content


def tracker_card() -> str:
    """The card that lies beside the networks."""
    return card([(one.name, one.member, one.sha256) for one in NETWORKS], VERSION)


def tracker_state(folder: StrPath | None = None) -> dict[str, Any]:
    """What is there and what is missing, JSON-ready."""
    states = [(network, state_of(network, folder)) for network in NETWORKS]
    listed = [
        {"name": one.name, "state": state, "path": str(_place(one, folder)), "sha256": one.made_sha256}
        | {"member": one.member, "member_sha256": one.sha256}
        for one, state in states
    ]
    ready = all(state == "ready" for _, state in states)
    papers = {name: str(_folder(folder) / file) for name, file in (("license", LICENSE), ("card", CARD))}
    known = {"version": VERSION, "setup": SETUP}
    return {"ready": ready, "networks": listed, "papers": papers if papers_there(folder) else None, **known}
