"""Drawings as SVG in the page: a panel with two axes, and the marks on it. Colours come from the page's style.

A panel is 420 units wide, about as many pixels on a wide page, and little less on a phone: its letters stay readable
on both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgekit.report.page.axes import Axis
from edgekit.report.page.markup import Content, Html, number, tag

WIDTH = 420.0


@dataclass(frozen=True)
class Panel:
    """x, y: its axes. Sizes are in units of the drawing; the plot lies inside the four edges."""

    x: Axis
    y: Axis
    height: float = 250.0
    left: float = 48.0
    right: float = 14.0
    top: float = 12.0
    bottom: float = 42.0

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of both axes lies."""
        return self.across(x), self.up(y)

    def across(self, x: float) -> float:
        """Where a number of the x axis lies."""
        return self.left + self.x.place(x) * (WIDTH - self.left - self.right)

    def up(self, y: float) -> float:
        """Where a number of the y axis lies."""
        return self.height - self.bottom - self.y.place(y) * (self.height - self.top - self.bottom)

    def draw(self, label: str, *marks: Content) -> Html:
        """The panel with its marks. label: what is to be seen, for those who don't see it."""
        return drawing(WIDTH, self.height, label, self.rows(), self.columns(), marks, self._title())

    def rows(self) -> Iterable[Html]:
        """The y axis: lines across the plot, and the numbers beside them."""
        for value, text in self.y.ticks:
            y = self.up(value)
            yield line((self.left, y), (WIDTH - self.right, y), "grid-line")
            yield words(text, self.left - 7, y + 4, "tick", "end")

    def columns(self) -> Iterable[Html]:
        """The x axis with its numbers and its title."""
        base = self.height - self.bottom
        yield line((self.left, base), (WIDTH - self.right, base), "axis-line")
        for value, text in self.x.ticks:
            x = self.across(value)
            yield line((x, base), (x, base + 4), "axis-line")
            yield words(text, x, base + 17, "tick", "middle")
        yield words(self.x.title, (self.left + WIDTH - self.right) / 2, self.height - 6, "axis-title", "middle")

    def _title(self) -> Iterable[Html]:
        if self.y.title:
            y = (self.top + self.height - self.bottom) / 2
            turned = f"rotate(-90 12 {number(y)})"
            yield tag("text", self.y.title, x=12, y=y, class_="axis-title", text_anchor="middle", transform=turned)


def drawing(width: float, height: float, label: str, *content: Content, class_: str | None = None) -> Html:
    """An SVG picture that says what it shows."""
    size = f"0 0 {number(width)} {number(height)}"
    return tag("svg", content, viewBox=size, role="img", aria_label=label, class_=class_)


def line(start: tuple[float, float], end: tuple[float, float], class_: str) -> Html:
    """From one point to another."""
    return tag("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=class_)


def words(text: str, x: float, y: float, class_: str, anchor: str | None = None) -> Html:
    """Text at a point. anchor: start (the default), middle or end."""
    return tag("text", text, x=x, y=y, class_=class_, text_anchor=anchor)


def path(points: Sequence[tuple[float, float]], class_: str) -> Html:
    """A line through points."""
    return tag("path", d=trace(points), class_=class_)


def trace(points: Sequence[tuple[float, float]]) -> str:
    """`M1 2L3 4`: the line through points as a path's data."""
    return "M" + "L".join(f"{number(round(x, 1))} {number(round(y, 1))}" for x, y in points)


def block(x: float, y: float, width: float, height: float, class_: str, hint: str = "") -> Html:
    """A rectangle, no thinner than can be seen. hint: shown where the mouse rests."""
    told = tag("title", hint) if hint else None
    return tag("rect", told, x=x, y=y, width=max(width, 0.5), height=max(height, 0.0), class_=class_)


def dot(x: float, y: float, radius: float, class_: str, hint: str = "") -> Html:
    """A round mark."""
    return tag("circle", tag("title", hint) if hint else None, cx=x, cy=y, r=radius, class_=class_)


def bar(share: float, label: str, kind: str = "fill") -> Html:
    """A bar as long as a share of its place, for a cell of a table. kind: its colour; `over` or `open` for a share
    above 1, which fills the place."""
    filled = tag("rect", x=0, y=0, width=100 * min(max(share, 0.004), 1.0), height=10, class_=kind)
    return tag(
        "svg",
        tag("rect", x=0, y=0, width=100, height=10, class_="track"),
        filled,
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        class_="bar",
    )
