"""Values at the edge of what a field may hold: the words that every mutator draws from."""

from __future__ import annotations

from random import Random
from typing import Any

NUMBERS = (
    0, -1, 1, 2, 3, 127, 255, 2**31 - 1, 2**31, 2**32, 2**34, 2**53 + 1, 2**63 - 1, -(2**63), 2**64, 10**30, 0.5, -0.0,
    1e-320, 1e39, 1.7e308, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
#: For fields of fixed width: sizes, counts, indices.
INTEGERS = tuple(value for value in NUMBERS if isinstance(value, int) and -(2**63) <= value < 2**63)
TEXTS = (
    "", " ", "A", "a", " A", "A ", "é", "日本", "a\tb", "a\nb", "a\rb", "\x00", "\x1b[31mred\x1b[0m", "\x9b31m",
    "\x1b]0;title\x07", "\u202egnp", "\ud800", "\ufeff", "..", ".", "../../escape", "/etc/hostname", "a/b", "a\\b",
    "CON", "-", "--help", "nan", "inf", "null", "true", "1e3", "0x10", "1_000", "٣", "2024-01-01", "2024-13-45",
    "os:system", "this:main", "x" * 300, "y" * 70_000, "%s%n", "{}", "{0.__class__}", "$(true)", "float16",
)  # fmt: skip
#: Stands for brackets nested so deep that a recursive parser runs out of stack; see `trees.nested`.
DEEP = "@@deep@@"


def number(rng: Random) -> float:
    """Any of them, or one near."""
    value = rng.choice(NUMBERS)
    return value if rng.random() < 0.7 else rng.choice((rng.randint(-10, 100), rng.uniform(-2, 2), rng.getrandbits(40)))


def text(rng: Random) -> str:
    """One of the words."""
    return rng.choice(TEXTS)


def scalar(rng: Random) -> Any:
    """What JSON and YAML can hold at a leaf."""
    kind = rng.random()
    if kind < 0.45:
        return number(rng)
    return text(rng) if kind < 0.8 else rng.choice((None, True, False))
