"""A page as a whole: one file that needs nothing else, with its sections and the way to each.

The page holds no script, and its Content-Security-Policy lets a browser load nothing and run nothing: its style is
allowed by its hash alone.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import __version__
from edgekit.report.page.markup import Content, Html, join, tag


@dataclass(frozen=True)
class Section:
    """A part of a page under its heading. key: its anchor. lead: what to see in it, in a sentence or two."""

    key: str
    title: str
    body: Content
    lead: Content = None


@dataclass(frozen=True)
class Missing:
    """What a report of this kind could hold and this one does not. why: and what to do for it."""

    what: str
    why: str


def document(title: str, head: Content, sections: Sequence[Section], missing: Sequence[Missing] = ()) -> str:
    """The whole page. head: what comes before the first section, with the one heading of the first order."""
    shown = [*sections, *([_absent(missing)] if missing else [])]
    body = tag(
        "body",
        tag("a", "Skip to the report", class_="skip", href="#main"),
        tag(
            "main",
            tag("header", head, class_="top"),
            _contents(shown),
            map(_section, shown),
            id="main",
            tabindex="-1",
        ),
        tag("footer", tag("p", f"Written by edgekit {__version__}. One file: nothing is loaded from elsewhere.")),
    )
    return f"<!doctype html>\n{tag('html', _head(title), body, lang='en')}\n"


def _head(title: str) -> Html:
    css = style()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        Html(f"<style>{css}</style>"),
    )


@functools.cache
def style() -> str:
    """The style of all pages."""
    return (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def _contents(sections: Sequence[Section]) -> Html:
    links = (tag("li", tag("a", section.title, href=f"#{section.key}")) for section in sections)
    return tag("nav", tag("ul", links), aria_label="Sections", class_="contents")


def _section(section: Section) -> Html:
    heading = tag("h2", section.title, id=f"{section.key}-title")
    lead = None if section.lead is None else tag("p", section.lead, class_="lead")
    return tag("section", heading, lead, section.body, id=section.key, aria_labelledby=f"{section.key}-title")


def _absent(missing: Sequence[Missing]) -> Section:
    rows = (join(tag("dt", each.what), tag("dd", each.why)) for each in missing)
    return Section("absent", "Not in this report", tag("dl", rows, class_="facts"))
