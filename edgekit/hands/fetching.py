"""The wheel of MediaPipe, fetched by the user's own pip from wherever that is set up to fetch from."""

from __future__ import annotations

from pathlib import Path

from edgekit.artifacts.digests import sha256_file
from edgekit.artifacts.fetching import Watch, fetch_with_pip
from edgekit.errors import InputError

VERSION = "0.10.14"
#: One wheel, whatever the machine and its Python, because it is only unzipped.
REQUEST = ("download", f"mediapipe=={VERSION}", "--no-deps", "--only-binary=:all:", "--python-version", "3.11",
           "--implementation", "cp", "--platform", "manylinux2014_x86_64")  # fmt: skip
WHEEL_SHA256 = "a807328339e7356fda0bb14df12fedbf1d33bdf81649c5f8666b0026b1cc30b4"
WHEEL_BYTES = 35_664_771
ELSEWHERE = (
    f"on a machine with a network, `pip {' '.join(REQUEST)}` makes a .whl file; bring it here and run"
    " `edgekit hands setup --wheel FILE.whl`"
)


def fetch_wheel(folder: Path, watch: Watch | None = None) -> Path:
    """The wheel in `folder`, which is empty, with the known SHA-256.

    Raises InputError with what to do: without pip, without a network, and for a file that is not that wheel.
    """
    (found, *_) = fetch_with_pip(
        f"mediapipe {VERSION}", REQUEST, folder, elsewhere=ELSEWHERE, whole_bytes=WHEEL_BYTES, watch=watch
    )
    if sha256_file(found) != WHEEL_SHA256:
        raise InputError(f"{found.name}, as pip fetched it, has not the SHA-256 {WHEEL_SHA256}; {ELSEWHERE}")
    return found
