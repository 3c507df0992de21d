"""HTML and SVG from elements: what is not markup already is escaped, so that no name of a user's can become any."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from edgekit.text import plain


class Html(str):
    """Markup. Only `tag`, `join` and the files of this package make it; any other text is escaped on its way in."""

    __slots__ = ()


#: What an element can hold: markup as it is, text escaped, None left out, and several of these.
Content = str | None | Iterable["Content"]
Attribute = str | float | bool | None

#: The space between a number and its unit, where no line breaks.
_UNIT = re.compile(r"(?<=\d) (?=%|MB|KB|GB|ms\b)")
#: Elements that have no end tag.
_VOID = frozenset({"meta", "br", "hr", "col"})


def tag(name: str, /, *content: Content, **attributes: Attribute) -> Html:
    """`<name attributes>content</name>`. Attributes: `class_` is class, `aria_label` is aria-label; None and False are
    left out, True has no value, numbers are written as `number` does."""
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*content)}</{name}>")


def join(*content: Content) -> Html:
    """All of it, one behind the other."""
    return Html("".join(map(_escaped, content)))


def unbroken(text: str) -> Html:
    """Text with its own spaces and no others, escaped."""
    return Html(html.escape(plain(text)))


def number(value: float) -> str:
    """A coordinate with at most two decimals: `12.5`, `7`."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _escaped(content: Content) -> str:
    if content is None or isinstance(content, Html):
        return content or ""
    if isinstance(content, str):
        return html.escape(plain(_UNIT.sub("\u00a0", content)))
    return "".join(map(_escaped, content))


def _attribute(name: str, value: Attribute) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    text = value if isinstance(value, str) else number(value)
    return f' {name}="{html.escape(plain(text))}"'
