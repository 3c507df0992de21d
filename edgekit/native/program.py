"""What is written beside model.c: the test program with its golden vectors, and a Makefile."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edgekit.native import reference
from edgekit.native.network import F32, Arithmetic, Network
from edgekit.native.signing import UNKNOWN
from edgekit.native.source import VARIANTS, filled, kernel
from edgekit.native.tables import c_float, numbers

#: Warnings are errors; no rounding of products and sums together.
STRICT = ("-std=c99", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-pedantic")
FAST = ("-O3",)


@dataclass(frozen=True, eq=False)
class Goldens:
    """takes float32 (takes, frames, features), logits float32 (takes, classes). allowed: how far a logit of the
    compiled program may be off; 0 means the same bits. stream: float32 (frames, classes), what a stream of the takes,
    one behind the other, answers after its frames; as many of them as there are. called: see
    `edgekit.native.signing.signed_classes`; one that is missing is not looked at."""

    takes: F32
    logits: F32
    allowed: float
    about: str
    stream: F32
    called: tuple[int, ...] = ()

    def called_in_c(self) -> str:
        """One a take, and one of a take without a hand."""
        every = (*self.called, *[UNKNOWN] * (len(self.takes) + 1 - len(self.called)))
        return ", ".join(map(str, every))


#: Frames of the golden stream.
STEPS = 48


def golden_stream(network: Network, x: F32) -> F32:
    """What a stream of x float32 (takes, frames, features), one behind the other, answers after each of its first
    frames: float32 (frames, classes); none for a network that has no stream."""
    if not network.streams:
        return np.zeros((0, network.classes), np.float32)
    streamed: F32 = reference.stream(network, x.reshape(1, -1, x.shape[2])[:, :STEPS])[0]
    return streamed


_NO_STREAM = """static int streamed(void) { return 0; }

static void timed_steps(long runs) { (void)runs; }"""


def golden_program(goldens: Goldens, name: str) -> str:
    """test.c"""
    values = {
        "name": name,
        "NAME": name.upper(),
        "takes": str(len(goldens.takes)),
        "about": goldens.about,
        "allowed": c_float(goldens.allowed).removesuffix("f"),
        "landmarks": "\n".join(numbers(goldens.takes)),
        "expected": "\n".join(numbers(goldens.logits)),
        "called": goldens.called_in_c(),
        "steps": str(len(goldens.stream)),
        "streamed": "\n".join(numbers(goldens.stream)),
    }
    streaming = filled(kernel("test_stream.c"), values) if len(goldens.stream) else _NO_STREAM
    return filled(kernel("test.c"), {**values, "streaming": streaming})


def makefile(name: str, arithmetic: Arithmetic) -> str:
    """Makefile: `check`, the default, builds and runs the test program, `library` makes the shared library."""
    ways = {machine: of_machine[arithmetic] for machine, of_machine in VARIANTS.items()}
    objects = "\n".join(
        f"ifneq ($(filter {machine}%,$(MACHINE)),)\nVARIANTS = {_objects(name, variants)}\nendif"
        for machine, variants in ways.items()
        if variants
    )
    rules = "\n\n".join(
        f"{name}.{variant}.o: {name}.c {name}.h\n\t$(CC) $(STRICT) $(CFLAGS) {shlex.join(flags)} -fPIC"
        f" -DEK_VARIANT={variant} -c $< -o $@"
        for variants in ways.values()
        for variant, flags in variants.items()
    )
    return filled(
        kernel("Makefile"),
        {"name": name, "strict": shlex.join(STRICT), "fast": shlex.join(FAST), "objects": objects, "rules": rules},
    )


def _objects(name: str, variants: Iterable[str]) -> str:
    return " ".join(f"{name}.{variant}.o" for variant in variants)
