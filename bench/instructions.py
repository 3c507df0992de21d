"""Instructions of a prediction and of a stream's step on Arm, under emulation: the same number in every run.

    python bench/instructions.py --results bench/results/instructions.json

Two students, of 40 and of 64 units with seeded random weights, in fp32 and INT8, cross-compiled with the generated
Makefile's options and -mcpu, for Cortex-A53 (A72's are the same instructions), Cortex-A76 and 32-bit Cortex-A7. A count
is the difference of a program that answers 30 times from one that answers 60 times, divided by 30. Takes are golden
ones. On Cortex-A53 a count of INT8 depends on takes and weights by some percent, because large numbers need more
instructions: `most` is what no take exceeds.

Needs gcc, aarch64-linux-gnu-gcc, arm-linux-gnueabihf-gcc, and a qemu-aarch64 and qemu-arm that load plugins: Debian's
qemu-user does, qemu-user-static does not. What is counted are instructions, not time: a Raspberry Pi's latency has to
be measured on one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgekit.data import Normalisation
from edgekit.errors import EdgekitError
from edgekit.export import export_onnx
from edgekit.model import Architecture, RecurrentClassifier
from edgekit.native import Network, read_network
from edgekit.native.program import FAST, STRICT
from edgekit.native.source import header, source
from edgekit.native.tables import numbers
from edgekit.native.takes import golden_takes
from edgekit.quantize import QuantizeConfig, quantize_onnx

PLUGIN = Path(__file__).with_suffix(".c")
#: Calls of the shorter run: a whole turn of what a stream keeps.
CALLS = 30
TAKES = 3
NAMES = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
#: Units to dense units.
STUDENTS = {40: 160, 64: 256}


@dataclass(frozen=True)
class Board:
    """compiler, flags, emulator, cpu: programs and their options."""

    compiler: str
    flags: tuple[str, ...]
    emulator: str
    cpu: str


BOARDS = {
    "Cortex-A53": Board("aarch64-linux-gnu-gcc", ("-mcpu=cortex-a53",), "qemu-aarch64", "cortex-a53"),
    "Cortex-A76": Board("aarch64-linux-gnu-gcc", ("-mcpu=cortex-a76",), "qemu-aarch64", "cortex-a76"),
    "Cortex-A7": Board("arm-linux-gnueabihf-gcc", ("-mcpu=cortex-a7", "-mfpu=neon-vfpv4"), "qemu-arm", "cortex-a7"),
}
#: What is counted, and the argument of the program that does it.
WHAT = {"prediction": "p", "step": "s", "step without an answer": "k"}
#: As if every number were large.
MOST = "-DEK_HEAVY"

PROGRAM = """
#include "model.h"
#include <stdlib.h>
#define TAKES {takes}
#define NUMBERS (MODEL_FRAMES * MODEL_FEATURES)
static const float landmarks[TAKES * NUMBERS] = {{
{landmarks}
}};
static model_context context;
static model_stream stream;
static float logits[MODEL_CLASSES];
int main(int count, char **arguments)
{{
    const char what = *arguments[count - 2];
    long i, runs = atol(arguments[count - 1]), wrong = 0;
    model_reset(&stream);
    for (i = 0; i < MODEL_FRAMES; i++)
        wrong += model_step(&stream, landmarks + i * MODEL_FEATURES, MODEL_FEATURES, NULL, 0);
    for (i = 0; i < runs; i++) {{
        const float *frame = landmarks + i % (TAKES * MODEL_FRAMES) * MODEL_FEATURES;
        if (what == 'p')
            wrong += model_predict(&context, landmarks + i % TAKES * NUMBERS, MODEL_FRAMES, MODEL_FEATURES, logits,
                                   MODEL_CLASSES);
        else
            wrong += model_step(&stream, frame, MODEL_FEATURES, what == 'k' ? NULL : logits,
                                what == 'k' ? 0 : MODEL_CLASSES);
    }}
    return wrong != 0;
}}
"""


def run(command: Sequence[str | Path]) -> str:
    """What a command says on stderr. Raises EdgekitError where it fails."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdgekitError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stderr


def check_tools() -> None:
    """Raises EdgekitError that names what is missing."""
    needed = {"gcc", *(tool for board in BOARDS.values() for tool in (board.compiler, board.emulator))}
    missing = sorted(tool for tool in needed if shutil.which(tool) is None)
    if missing:
        raise EdgekitError(
            f"not on the PATH: {', '.join(missing)}; on Debian: apt-get install gcc qemu-user gcc-aarch64-linux-gnu"
            " gcc-arm-linux-gnueabihf"
        )


def build_plugin(folder: Path) -> Path:
    """The plugin, for the version of the interface that this qemu speaks. Raises EdgekitError where it loads none."""
    made = folder / "plugin.so"
    (folder / "nothing.c").write_text("int main(void) { return 0; }\n", encoding="utf-8")
    nothing = folder / "nothing"
    run(["aarch64-linux-gnu-gcc", "-static", "-o", nothing, folder / "nothing.c"])
    for version in range(1, 6):
        run(["gcc", "-O2", "-shared", "-fPIC", f"-DPLUGIN_VERSION={version}", "-o", made, PLUGIN])
        try:
            if "instructions: " in run(["qemu-aarch64", "-plugin", made, nothing]):
                return made
        except EdgekitError:
            continue
    raise EdgekitError("qemu-aarch64 loads no plugin; a build with plugins is needed, such as Debian's qemu-user")


def students(folder: Path) -> Mapping[str, Network]:
    """Name to network: fp32 and INT8 of each student."""
    normalisation = Normalisation("hand", True, np.zeros(63, np.float32), np.ones(63, np.float32))
    found = {}
    for units, dense in STUDENTS.items():
        torch.manual_seed(0)
        model = RecurrentClassifier(Architecture("lstm", 63, (units,), False, dense, 26), normalisation).eval()
        fp32 = folder / f"{units}.onnx"
        export_onnx(model, fp32, class_names=NAMES, sequence_length=30)
        int8 = quantize_onnx(fp32, folder / f"{units}.int8.onnx", QuantizeConfig(scheme="int8-weights")).target
        found[f"INT8, {units} units"], found[f"fp32, {units} units"] = read_network(int8), read_network(fp32)
    return found


def write_program(network: Network, folder: Path) -> None:
    """model.c, model.h and count.c."""
    takes = "\n".join(numbers(golden_takes(network.frames, TAKES)))
    texts = {
        "model.c": source(network, "model"),
        "model.h": header(network, "model"),
        "count.c": PROGRAM.format(takes=TAKES, landmarks=takes),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def counted(board: Board, plugin: Path, folder: Path) -> dict[str, int]:
    """What is counted to instructions of one call, of the program in `folder`."""
    found = {}
    for prefix, flags in (("", ()), ("most: ", (MOST,))):
        program = folder / "count"
        options = [*STRICT, *FAST, *board.flags, *flags, "-static"]
        run([board.compiler, *options, "-o", program, folder / "count.c", folder / "model.c", "-lm"])
        start: list[str | Path] = [board.emulator, "-cpu", board.cpu, "-plugin", plugin, program]
        for name, argument in WHAT.items():
            once, twice = (executed([*start, argument, f"{calls:03}"]) for calls in (CALLS, 2 * CALLS))
            found[prefix + name] = round((twice - once) / CALLS)
    return found


def executed(command: Sequence[str | Path]) -> int:
    """Instructions of a program under the plugin."""
    lines = [line for line in run(command).splitlines() if line.startswith("instructions: ")]
    return int(lines[-1].split()[1])


def count() -> dict[str, Any]:
    """Everything."""
    check_tools()
    found: dict[str, Any] = {"tools": {}, "models": {}}
    for tool in ("aarch64-linux-gnu-gcc", "arm-linux-gnueabihf-gcc", "qemu-aarch64"):
        said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
        found["tools"][tool] = said.splitlines()[0]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        plugin = build_plugin(folder)
        for name, network in students(folder).items():
            write_program(network, folder)
            found["models"][name] = {board: counted(how, plugin, folder) for board, how in BOARDS.items()}
            print(name, json.dumps(found["models"][name], indent=1), file=sys.stderr)
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    try:
        found = count()
    except EdgekitError as error:
        sys.exit(f"error: {error}")
    for model, boards in found["models"].items():
        for board, counts in boards.items():
            print(f"{model:16} {board:12} " + "  ".join(f"{name} {value:,}" for name, value in counts.items()))
    if given.results:
        given.results.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
