"""Plain tables and numbers as people read them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

WIDTH = 120


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", left: int = 1) -> str:
    """Text of a table. The first `left` columns are aligned left, the others right."""
    shown = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, title_style="")
    for index, header in enumerate(headers):
        shown.add_column(header, justify="left" if index < left else "right", overflow="fold")
    for row in rows:
        shown.add_row(*row)
    text = io.StringIO()
    Console(file=text, width=WIDTH, color_system=None, markup=False, highlight=False).print(shown)
    return "\n".join(line.rstrip() for line in text.getvalue().strip("\n").splitlines())


def known(value: float | None, shown: Callable[[Any], str]) -> str:
    """A figure as `shown` writes it, a dash for none."""
    return "-" if value is None else shown(value)


def percent(ratio: float) -> str:
    """0.934 as `93.4 %`."""
    return f"{100 * ratio:.1f} %"


def milliseconds(seconds: float) -> str:
    """Three significant digits: `0.041 ms`."""
    return f"{1e3 * seconds:.3g} ms"


def size(size_bytes: float) -> str:
    """`34.1 KB`, `8.20 MB` (10^3, 10^6)."""
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.1f} KB"


def count(number: int) -> str:
    """`56,346`."""
    return f"{number:,}"


def pairs(values: Iterable[tuple[str, str]]) -> str:
    """`name  value` a line, values aligned."""
    rows = list(values)
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
