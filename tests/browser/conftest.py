"""A real browser: Debian's Chromium, steered by playwright (extra `browser`), and axe-core, which checks accessibility.

All of it may be missing: each fixture then skips, and says what is missing and how it comes. EDGEKIT_CHROMIUM names
another Chromium.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

#: Nothing of a test's browser goes out: no component, no account, no first run, no QUIC.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Where a Chromium is; None where there is none."""
    said = os.environ.get("EDGEKIT_CHROMIUM")
    names = (said,) if said else ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    return next((found for found in map(shutil.which, names) if found), None)


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Any]]:
    """(flags, more of playwright's options): a new browser, closed at the end of all tests; for tests that need flags
    of their own, such as a camera that is a file. Most want `browser`."""
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium is here: apt-get install chromium, or set EDGEKIT_CHROMIUM")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install -e '.[browser]'"
    )
    with playwright.sync_playwright() as driver:
        yield lambda *flags, **more: driver.chromium.launch(executable_path=chromium, args=[*FLAGS, *flags], **more)


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Any]) -> Iterator[Any]:
    """One headless Chromium for all tests; each opens its own context: `browser.new_context(color_scheme="dark")`."""
    opened = launch()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def axe_source() -> str:
    """The script of axe-core, as the package axe-playwright-python carries it."""
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("axe-core is not here: pip install -e '.[browser]'")
    return (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def check_accessibility(axe_source: str) -> Callable[..., list[str]]:
    """(page, impacts): what axe-core finds on an open page of these impacts [critical, serious], a line each."""

    def check(page: Any, impacts: tuple[str, ...] = ("critical", "serious")) -> list[str]:
        page.evaluate(axe_source + "\n;0")
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['impact']}: {one['id']}: {one['help']}: {node['html'][:200]}"
            for one in found["violations"]
            if one["impact"] in impacts
            for node in one["nodes"]
        ]

    return check
