"""Size and peak memory of whole C programs around compiled models, by what they are linked with.

    python bench/program_sizes.py --results bench/results/program-sizes.json

The models are those of bench/native.py, with random weights: neither figure depends on them. Programs are compiled with
-Os and for AVX2, and stripped; each answers a hundred times, then says the VmHWM of its own process. What needs
musl-gcc is named as missing where it is not installed (Debian: musl-tools).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from native import fp32_files, program

from edgekit.native import Network, read_network
from edgekit.native.source import header, source
from edgekit.quantize import QuantizeConfig, quantize_onnx


def measure() -> dict[str, Any]:
    """Model to arithmetic to way of linking to figures, and the compiler."""
    said = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = {"compiler": said.splitlines()[0], "models": {}}
    with tempfile.TemporaryDirectory() as place:
        for name, fp32 in fp32_files(Path(place)).items():
            made = quantize_onnx(fp32, fp32.with_suffix(".int8.onnx"), QuantizeConfig(scheme="int8-weights"))
            networks = {"fp32": read_network(fp32), "int8": read_network(made.target)}
            found["models"][name] = {kind: _programs(network, Path(place)) for kind, network in networks.items()}
    return found


def _programs(network: Network, folder: Path) -> dict[str, Any]:
    """Of the model in `folder`, whose C is written over."""
    (folder / "model.c").write_text(source(network, "model"), encoding="utf-8")
    (folder / "model.h").write_text(header(network, "model"), encoding="utf-8")
    return program(folder)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    text = json.dumps(measure(), indent=1)
    print(text)
    if given.results:
        given.results.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
