"""The same C as a WebAssembly module: clang and wasm-ld and nothing else, with 128-bit vectors; Node runs its test."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import ConfigError
from edgekit.native.building import answer_of, check, run_tool, works
from edgekit.native.network import Network
from edgekit.native.program import FAST, STRICT, Goldens
from edgekit.native.source import filled, header, kernel, source
from edgekit.native.tables import c_float, numbers

TARGET = "--target=wasm32"
#: No C library; vectors and copies of memory are instructions, which every engine has that has vectors at all.
FREE = ("-ffreestanding", "-fno-math-errno", "-msimd128", "-mbulk-memory")
#: Bytes of the stack, which holds no arrays.
STACK_BYTES = 16384
#: The file with what JavaScript sees; no model is called so.
SHELL = "ek_module"
#: The first clang with all of the vector instructions, and the first Node that is sure to have them.
CLANG, NODE = 13, 18


@dataclass(frozen=True)
class WasmTools:
    """clang: its path. version: its first line. linker: the path of wasm-ld. node: its version, where there is one."""

    clang: str
    version: str
    linker: str
    node: str | None


def find_wasm_tools() -> WasmTools:
    """clang, wasm-ld and, where it is there, Node. Raises ConfigError that says what to install."""
    found = {name: shutil.which(name) for name in ("clang", "wasm-ld")}
    clang, linker = found["clang"], found["wasm-ld"]
    if clang is None or linker is None:
        missing = " and ".join(name for name, path in found.items() if path is None)
        raise ConfigError(
            f"--target wasm32 needs clang and wasm-ld; not on the PATH: {missing}. Install LLVM's:"
            " `apt-get install clang lld`, or `brew install llvm lld`"
        )
    version = answer_of([clang, "--version"])
    if _major(version) < CLANG or not works([clang, TARGET, *FREE, "-x", "c", "-c", os.devnull, "-o", os.devnull]):
        raise ConfigError(
            f"--target wasm32: {clang} ({version or 'no version'}) can't make WebAssembly with vectors; install LLVM's"
            f" clang, version {CLANG} or newer"
        )
    return WasmTools(clang, version, linker, _node())


def _node() -> str | None:
    """Of a Node that can run the test."""
    version = answer_of(["node", "--version"]) if shutil.which("node") else ""
    return version if _major(version) >= NODE else None


def _major(version: str) -> int:
    """`Debian clang version 14.0.6` and `v20.20.2` to 14 and 20; 0 where there is none."""
    found = re.search(r"(?:version |^v)(\d+)", version)
    return int(found[1]) if found else 0


def module_files(network: Network, goldens: Goldens, name: str) -> Mapping[str, str]:
    """By file name: the loader and the test program, both JavaScript."""
    values = {
        "name": name,
        "frames": str(network.frames.count),
        "features": str(network.frames.features),
        "takes": str(len(goldens.takes)),
        "about": goldens.about,
        "allowed": c_float(goldens.allowed).removesuffix("f"),
        "landmarks": "\n".join(line.replace("f", "") for line in numbers(goldens.takes)),
        "expected": "\n".join(line.replace("f", "") for line in numbers(goldens.logits)),
        "called": goldens.called_in_c(),
    }
    return {f"{name}.mjs": filled(kernel("loader.mjs"), values), "test.mjs": filled(kernel("test.mjs"), values)}


def build_module(tools: WasmTools, network: Network, scripts: Mapping[str, str], folder: Path, name: str) -> Path:
    """name.wasm in `folder`, which `scripts` come to lie beside; its test has run where there is Node. Raises
    EdgekitError where clang or wasm-ld fails, GateError where the module does not compute what it should."""
    named = {"name": name, "NAME": name.upper()}
    texts = {f"{name}.c": source(network, name), f"{name}.h": header(network, name)}
    texts |= {f"{SHELL}.c": filled(kernel("wasm.c"), named), **scripts}
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    for part in (name, SHELL):
        options = (TARGET, *STRICT, *FAST, *FREE, "-c", str(folder / f"{part}.c"), "-o", str(folder / f"{part}.o"))
        run_tool([tools.clang, *options])
    module = folder / f"{name}.wasm"
    parts = [str(folder / f"{part}.o") for part in (name, SHELL)]
    run_tool([tools.linker, "--no-entry", "--strip-all", "-z", f"stack-size={STACK_BYTES}", "-o", str(module), *parts])
    if tools.node is not None:
        check(["node", str(folder / "test.mjs")], f"{name}.wasm, made with {shlex.quote(tools.clang)},")
    return module
