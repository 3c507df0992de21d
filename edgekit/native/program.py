"""What is written beside model.c: the test program with its golden vectors, and a Makefile."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from edgekit.native.network import F32, Arithmetic
from edgekit.native.source import VARIANTS, filled, kernel
from edgekit.native.tables import c_float, numbers

#: Warnings are errors; no rounding of products and sums together.
STRICT = ("-std=c99", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-pedantic")
FAST = ("-O3",)


@dataclass(frozen=True, eq=False)
class Goldens:
    """takes float32 (takes, frames, features), logits float32 (takes, classes). allowed: how far a logit of the
    compiled program may be off; 0 means the same bits."""

    takes: F32
    logits: F32
    allowed: float
    about: str


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
    }
    return filled(kernel("test.c"), values)


def makefile(name: str, arithmetic: Arithmetic) -> str:
    """Makefile: `check`, the default, builds and runs the test program, `library` makes the shared library."""
    variants = VARIANTS[arithmetic]
    objects = " ".join(f"{name}.{variant}.o" for variant in variants)
    rules = "\n\n".join(
        f"{name}.{variant}.o: {name}.c {name}.h\n\t$(CC) $(STRICT) $(CFLAGS) {shlex.join(flags)} -fPIC"
        f" -DEK_VARIANT={variant} -c $< -o $@"
        for variant, flags in variants.items()
    )
    return filled(
        kernel("Makefile"),
        {"name": name, "strict": shlex.join(STRICT), "fast": shlex.join(FAST), "objects": objects, "rules": rules},
    )
