"""Small parts that every section is made of: tables, figures with their words, notes, and how a figure was obtained."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgekit.report.page.markup import Content, Html, tag, unbroken

#: The kinds of evidence, and the mark that each has beside its words: full, half, empty.
_EVIDENCE = {"measured on device": "device", "measured on this host": "host", "estimated": "estimated"}
#: What each verdict is called and marked with; never by its colour alone.
_VERDICTS = {"pass": ("\u2713", "pass"), "fail": ("\u2715", "fail"), "undecided": ("?", "undecided")}


def evidence(words: str) -> Html:
    """How a figure was obtained, as a mark and words."""
    return tag("span", words, class_=f"evidence {_EVIDENCE.get(words, 'other')}")


def verdict_mark(verdict: str) -> Html:
    """`pass`, `fail` or `undecided` with its sign."""
    sign, word = _VERDICTS[verdict]
    return tag("span", tag("span", sign, aria_hidden="true"), f" {word}", class_=f"verdict {verdict}")


def table(
    headers: Sequence[Content],
    rows: Iterable[Sequence[Content]],
    caption: str,
    left: int = 1,
    also: Sequence[int] = (),
    class_: str = "",
) -> Html:
    """A table whose rows are headed by their first cell. left: how many columns hold words; also: those further on that
    do, or hold drawings; the others hold figures.

    It scrolls by itself where it is wider than the page, by keyboard, too.
    """
    sides = ["words" if index < left or index in also else "figure" for index in range(len(headers))]
    head = (
        tag("th" if header else "td", header, scope="col" if header else None, class_=side)
        for header, side in zip(headers, sides, strict=True)
    )
    body = (
        tag(
            "tr",
            (
                tag("td" if index else "th", cell, scope=None if index else "row", class_=side)
                for index, (cell, side) in enumerate(zip(row, sides, strict=True))
            ),
        )
        for row in rows
    )
    shown = tag("table", tag("caption", caption), tag("thead", tag("tr", head)), tag("tbody", body), class_=class_)
    return scrolling(shown, caption)


def scrolling(content: Content, label: str) -> Html:
    """What may be wider than a narrow page, in a frame that scrolls."""
    return tag("div", content, class_="scroll", tabindex="0", role="region", aria_label=label)


def figure(drawing: Content, caption: Content, how: str | None = None, title: str = "", class_: str = "") -> Html:
    """A drawing under its title, its words, and how its figures were obtained."""
    heading = tag("p", title, class_="figure-title") if title else None
    said = [caption, " " if how else None, None if how is None else evidence(how)]
    return tag(
        "figure", tag("figcaption", heading, said) if heading or caption or how else None, drawing, class_=class_
    )


def as_table(summary: str, shown: Content, on_paper: bool = False) -> Html:
    """The figures of a drawing as a table, closed until somebody asks. on_paper: open there, where nobody can ask."""
    return tag("details", tag("summary", summary), shown, class_=None if on_paper else "screen")


def grid(*content: Content) -> Html:
    """What stands side by side where there is room."""
    return tag("div", (tag("div", each) for each in content if each is not None), class_="grid")


def notes(lines: Iterable[Content]) -> Html | None:
    """A list of sentences; nothing for none."""
    items = [tag("li", line) for line in lines]
    return tag("ul", items, class_="notes") if items else None


def verbatim(text: str) -> Html:
    """Text of which every space counts, such as a command."""
    return tag("pre", unbroken(text), tabindex="0")


def callout(content: Content, kind: str = "note") -> Html:
    """A sentence that nobody shall overlook. kind: note or warning."""
    return tag("p", content, class_=f"callout {kind}")


def tile(label: str, value: Content, about: Content, how: str | None = None) -> Html:
    """One of the figures that stand above all others."""
    return tag(
        "div",
        tag("dt", label),
        tag("dd", value, class_="value"),
        tag("dd", about, class_="about"),
        None if how is None else tag("dd", evidence(how), class_="about"),
        class_="tile",
    )


def tiles(*content: Html | None) -> Html:
    """A row of them."""
    return tag("dl", content, class_="tiles")


def facts(pairs: Iterable[tuple[str, Content]]) -> Html:
    """Names and what they are."""
    return tag("dl", ((tag("dt", name), tag("dd", value)) for name, value in pairs), class_="facts")


def capital(text: str) -> str:
    """With its first letter as a sentence has it, where that is a word; names of files and figures stay as they are."""
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+(?=[ ,:]|$)", text) else text


def key_of(text: str) -> str:
    """An anchor: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"
