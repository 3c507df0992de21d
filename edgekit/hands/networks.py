"""The two networks of the hand tracker: where they lie, whether they are what they should be, and how they are made.

They are MediaPipe's palm_detection_full and hand_landmark_full (Google, Apache-2.0), taken from the wheel of MediaPipe
0.10.14, which is unzipped and never imported. Nothing here needs onnx but `make_networks`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from edgekit.artifacts.digests import sha256_bytes, sha256_file
from edgekit.artifacts.scratch import scratch_folder
from edgekit.artifacts.writing import write_bytes
from edgekit.errors import InputError, ModelFileError, missing_extra
from edgekit.reading import StrPath

VERSION = "0.10.14"
#: What pip is asked for: one wheel, whatever the machine and its Python, because it is only unzipped.
REQUEST = ("download", f"mediapipe=={VERSION}", "--no-deps", "--only-binary=:all:", "--python-version", "3.11",
           "--implementation", "cp", "--platform", "manylinux2014_x86_64", "--disable-pip-version-check")  # fmt: skip
SETUP = "python -m edgekit.hands setup"


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
    """$EDGEKIT_CACHE/hands, else edgekit/hands in $XDG_CACHE_HOME or ~/.cache."""
    own = os.environ.get("EDGEKIT_CACHE")
    if own:
        return Path(own) / "hands"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgekit" / "hands"


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


def make_networks(wheel: StrPath | None = None, folder: StrPath | None = None) -> list[str]:
    """Make the networks that are not ready; the names of those made, none where all were there.

    wheel: MediaPipe's, or None to let pip fetch it. Raises InputError where it can't be had or is another version's,
    MissingExtraError without tflite or onnx, ModelFileError where what is made has not the known SHA-256; that is not
    written.
    """
    wanted = [network for network in NETWORKS if state_of(network, folder) != "ready"]
    if not wanted:
        return []
    _require_converter()
    if wheel is not None:
        return _make_from(Path(wheel), wanted, folder)
    with scratch_folder("hands") as scratch:
        return _make_from(_fetched(scratch), wanted, folder)


def _require_converter() -> None:
    """Before anything is fetched."""
    for package, extra in (("tflite", "camera"), ("onnx", "onnx")):
        if importlib.util.find_spec(package) is None:
            raise missing_extra("hands setup", package, extra)


def _place(network: Network, folder: StrPath | None) -> Path:
    return Path(networks_folder() if folder is None else folder) / f"{network.name}.onnx"


def _make_from(wheel: Path, wanted: list[Network], folder: StrPath | None) -> list[str]:
    from edgekit.hands.convert import convert_tflite

    sources = {network: _source(wheel, network) for network in wanted}
    made = {network: convert_tflite(sources[network], network.outputs, network.name) for network in wanted}
    for network, content in made.items():
        if sha256_bytes(content) != network.made_sha256:
            raise ModelFileError(
                f"{network.name}.onnx came out with SHA-256 {sha256_bytes(content)}, not {network.made_sha256}: this "
                "onnx or tflite writes other bytes. Not written. Known to work: onnx 1.17 and 1.23, tflite 2.18"
            )
        write_bytes(_place(network, folder), content)
    return [network.name for network in wanted]


def _source(wheel: Path, network: Network) -> bytes:
    """The .tflite file inside the wheel, checked."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(network.member)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise InputError(f"{wheel} is not the wheel of mediapipe {VERSION}: {error}") from None
    if sha256_bytes(content) != network.sha256:
        raise InputError(f"{wheel}: {network.member} is not that of mediapipe {VERSION} (SHA-256 {network.sha256})")
    return content


def _fetched(folder: Path) -> Path:
    """The wheel, by the user's own pip, in `folder`."""
    command = [sys.executable, "-m", "pip", *REQUEST, "--quiet", "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted(folder.glob("*.whl"))
    if done.returncode or not found:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        advice = f"`python -m pip {' '.join(REQUEST[:3])} ...` where there is one, then --wheel FILE.whl"
        raise InputError(f"pip could not fetch mediapipe {VERSION} ({last}); without a network: {advice}")
    return found[0]
