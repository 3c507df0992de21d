"""A real Chromium, headless, whose camera is a film; driven by Playwright. Nothing of it is installed by edgekit."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
CAMERA = "--use-fake-device-for-media-stream"
ALLOWED = "--use-fake-ui-for-media-stream"
PATIENCE_S = 90.0


@contextmanager
def chromium(*flags: str) -> Iterator[Any]:
    """Playwright's Browser, with a profile of its own. Skips where Chromium or Playwright is missing."""
    if CHROMIUM is None:
        pytest.skip("needs chromium on the PATH")
    driver = pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *flags], headless=True)
        try:
            yield browser
        finally:
            browser.close()


def with_film(film: Path) -> list[str]:
    """Flags of a camera that shows this film, and is allowed."""
    return [CAMERA, ALLOWED, f"--use-file-for-fake-video-capture={film}"]


def wait_for(answers: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """The first answer that is true. The page's policy forbids what Playwright itself would wait with."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if answer := answers():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"nothing within {patience_s:g} s")


def open_page(browser: Any, address: str, script: str = "", **context: Any) -> Any:
    """A page that has loaded tracker and model. Its requests are in `page.asked`, what went wrong in `page.faults`.
    script: runs in it before its own."""
    page = browser.new_context(**context).new_page()
    page.add_init_script(script)
    page.asked, page.faults = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda told: page.faults.append(told.text) if told.type == "error" else None)
    page.goto(address)
    wait_for(lambda: page.is_enabled("#start") or page.is_visible("#trouble"))
    return page


def events(page: Any) -> list[dict[str, Any]]:
    """What the reader told so far: kind, label and seconds since the page began to load."""
    found = page.evaluate(
        "performance.getEntriesByType('mark').filter((mark) => mark.name.startsWith('edgekit '))"
        ".map((mark) => ({ kind: mark.name.slice(8), label: mark.detail, time_s: mark.startTime / 1000 }))"
    )
    return list(found)
