"""The wheels of numpy and ONNX Runtime for 64-bit Arm: fetched by the user's own pip, unzipped, never installed."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from edgekit.artifacts import replaced_folder, scratch_folder, sha256_file
from edgekit.artifacts.fetching import Watch, fetch_with_pip
from edgekit.device.emulator.places import SETUP, numpy_version
from edgekit.errors import InputError
from edgekit.reading import reason

#: Kinds of Linux that wheels for 64-bit Arm are built for; the root's C library is newer than all of them.
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")

#: Wheels that were looked at: those of the versions that are meant by themselves, for the Python of Debian 12.
KNOWN_SHA256: Mapping[str, str] = {
    f"{name}_aarch64.whl": digest
    for name, digest in {
        "numpy-2.4.6-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28": (
            "0ab0a9c4ffb1a6d95ef519fe4247dba8eb6b18ad93999f76b7f657039acabd47"
        ),
        "onnxruntime-1.32.0-cp311-cp311-manylinux_2_28": (
            "2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c"
        ),
    }.items()
}
#: About what both take, for saying how far a download is.
WHEELS_BYTES = 39_161_762


def make_site(folder: Path, python: str, onnxruntime: str, watch: Watch | None = None) -> dict[str, str]:
    """Both packages in `folder`; file name to SHA-256 of what was fetched. python: such as 3.11. Raises InputError
    where they can't be had."""
    digits = python.replace(".", "")
    wanted = [f"onnxruntime=={onnxruntime}", f"numpy=={numpy_version(python, onnxruntime)}"]
    request = ["download", *wanted, "--no-deps", "--only-binary=:all:", "--python-version", python]
    request += ["--implementation", "cp", "--abi", f"cp{digits}"]
    request += [word for platform in PLATFORMS for word in ("--platform", platform)]
    what = f"ONNX Runtime {onnxruntime} and numpy for 64-bit Arm and Python {python}"
    elsewhere = f"where this version has no such wheel, name another: `{SETUP} --onnxruntime VERSION`"
    with scratch_folder("wheels") as scratch:
        files = fetch_with_pip(what, request, scratch, elsewhere=elsewhere, whole_bytes=WHEELS_BYTES, watch=watch)
        found = {file.name: sha256_file(file) for file in files}
        _refuse_unknown(found)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with replaced_folder(folder) as made:
            for file in files:
                _unzip(file, made)
    return found


def _refuse_unknown(found: Mapping[str, str]) -> None:
    for name, digest in found.items():
        if KNOWN_SHA256.get(name, digest) != digest:
            raise InputError(f"{name}, as pip fetched it, has not the SHA-256 {KNOWN_SHA256[name]}; try another index")


def _unzip(file: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder)
    except (zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{file.name} is no wheel: {reason(error)}") from None
