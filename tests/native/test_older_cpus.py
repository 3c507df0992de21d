"""The shared library on CPUs that lack what the fastest ways need, emulated: nothing illegal, and the same bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from native_machines import ARM64, run

from edgekit.native import compile_model, read_network, reference
from edgekit.native.building import Compiler, build_library, find_compiler
from edgekit.native.program import Goldens, golden_stream
from edgekit.native.takes import golden_takes

MakeFile = Callable[..., Path]
Write = Callable[..., Path]
Need = Callable[[str], str]

#: What qemu calls a CPU, and the ways through the library that it has.
CPUS = {
    "core2duo": ["baseline"],
    "Nehalem": ["baseline"],
    "Haswell": ["avx2", "baseline"],
}
ARM_CPUS = {"cortex-a53": ["baseline"], "cortex-a72": ["baseline"], "cortex-a76": ["dotprod", "baseline"]}
#: Where Debian's cross compiler has its C library.
ROOT = "/usr/aarch64-linux-gnu"

ASK = """
#include "model.h"
#include <stdio.h>
int ek_variant_count(void);
const char *ek_variant_name(int variant);
int ek_variant_runs(int variant);
int ek_predict_with(int variant, model_context *, const float *, size_t, size_t, float *, size_t);
static model_context context;
static float landmarks[MODEL_FRAMES * MODEL_FEATURES], logits[MODEL_CLASSES];
int main(void)
{
    int variant;
    for (variant = -1; variant <= ek_variant_count(); variant++) {
        int status = ek_predict_with(variant, &context, landmarks, MODEL_FRAMES, MODEL_FEATURES, logits, MODEL_CLASSES);
        if (status != (ek_variant_runs(variant) ? MODEL_OK : MODEL_ERROR_VARIANT))
            return 1;
        if (ek_variant_runs(variant))
            puts(ek_variant_name(variant));
    }
    return 0;
}
"""


@pytest.mark.slow
def test_an_older_cpu_gets_what_it_has(make_file: MakeFile, need: Need, tmp_path: Path) -> None:
    emulator, gcc, compiler = need("qemu-x86_64"), need("gcc"), find_compiler()
    if compiler is None or compiler.family != "x86_64":
        pytest.skip("the compiler is not one for x86-64")
    path = make_file("lstm", (5,), kind="standard", features=10, scheme="int8-weights")
    folder = compile_model(path, tmp_path / "out").folder
    (folder / "ask.c").write_text(ASK, encoding="utf-8")
    for name in ("ask", "test"):
        run([gcc, "-O1", "-o", name, f"{name}.c", "libmodel.so", "-Wl,-rpath,$ORIGIN", "-lm"], folder)
    for cpu, ways in CPUS.items():
        said = [line for line in run([emulator, "-cpu", cpu, "./ask"], folder).splitlines() if "qemu" not in line]
        assert said == ways, cpu
        assert "3 takes, largest difference of a logit 0, allowed 0" in run([emulator, "-cpu", cpu, "./test"], folder)


@pytest.mark.slow
def test_a_library_for_arm_uses_dot_products_where_they_are(make_file: MakeFile, write_c: Write, need: Need) -> None:
    emulator, gcc = need("qemu-aarch64"), need(ARM64)
    path = make_file("lstm", (24,), kind="standard", features=40, scheme="int8-weights")
    network = read_network(path)
    x = golden_takes(network.frames, 3)
    folder = write_c(path, Goldens(x, reference.predict(network, x), 0.0, "", golden_stream(network, x)))
    library, variants = build_library(Compiler((gcc,), "", "aarch64-linux-gnu"), folder, "model", "int8")
    assert (library.name, variants) == ("libmodel.so", ("dotprod", "baseline"))
    (folder / "ask.c").write_text(ASK, encoding="utf-8")
    for name in ("ask", "test"):
        run([gcc, "-O1", "-o", name, f"{name}.c", "libmodel.so", "-Wl,-rpath,$ORIGIN", "-lm"], folder)
    for cpu, ways in ARM_CPUS.items():
        start = [emulator, "-L", ROOT, "-cpu", cpu]
        assert run([*start, "./ask"], folder).splitlines() == ways, cpu
        assert "3 takes, largest difference of a logit 0, allowed 0" in run([*start, "./test"], folder)
