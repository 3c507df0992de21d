"""The pages of reports in a real browser: nothing is asked for, nothing is wider than a phone, axe finds nothing
serious, in light, in dark and on paper, and everything that scrolls is reached by the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import made_pages as made
import pytest

from edgekit.report import bench_page, chain_page, compare_page, search_page

pytestmark = pytest.mark.slow

PAGES: dict[str, Callable[[], str]] = {
    "run": lambda: chain_page(made.chain()),
    "bench": lambda: bench_page(made.bench(accuracy=made.accuracy())),
    "compare": lambda: compare_page(made.compare("a.onnx", "b.onnx", "c.onnx")),
    "search": lambda: search_page(made.search()),
}
SIZES = {"wide": {"width": 1200, "height": 900}, "phone": {"width": 390, "height": 844}}
#: Wide content scrolls in a frame of its own; the page itself never does.
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each page as a file."""
    folder = tmp_path_factory.mktemp("pages")
    for name, write in PAGES.items():
        (folder / f"{name}.html").write_text(write(), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in PAGES}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_opened_from_disk_asks_for_nothing_and_axe_finds_nothing_serious(
    browser: Any,
    check_accessibility: Callable[..., list[str]],
    files: dict[str, Path],
    name: str,
    size: str,
    scheme: str,
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport=SIZES[size], offline=True)
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(files[name].as_uri())
    assert page.evaluate(TOO_WIDE) <= 0
    assert check_accessibility(page, ("critical", "serious", "moderate", "minor")) == []
    assert (asked, said) == ([files[name].as_uri()], [])
    context.close()


def test_markup_in_a_name_does_nothing_even_where_it_would_get_through(browser: Any, files: dict[str, Path]) -> None:
    """The page's own policy is the second wall: a script, a handler and a picture in it are refused."""
    evil = "<script>window.evil = 1</script><img src='https://evil.example/x.png' onerror='window.evil = 2'><style>h1{}"
    text = files["run"].read_text(encoding="utf-8").replace("</main>", f"{evil}</style></main>")
    changed = files["run"].with_name("changed.html")
    changed.write_text(text, encoding="utf-8")
    context = browser.new_context()
    page, refused, answered = context.new_page(), [], []
    page.on("requestfailed", lambda request: refused.append((request.url, request.failure)))
    page.on("response", lambda response: answered.append(response.url))
    page.goto(changed.as_uri())
    assert page.evaluate("window.evil === undefined")
    assert refused == [("https://evil.example/x.png", "csp")]
    assert answered == [changed.as_uri()]
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_the_keyboard_alone_reaches_everything_that_scrolls_or_opens(
    browser: Any, files: dict[str, Path], name: str
) -> None:
    page = browser.new_page(viewport=SIZES["phone"])
    page.goto(files[name].as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    reached = set()
    everything = page.locator("a[href], summary, .scroll, pre").count()
    for _ in range(2 * everything):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
    hidden = page.locator("details:not([open]) .scroll, details:not([open]) pre").count()
    assert len(reached - {-1}) >= everything - hidden - 1
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_prints_on_a_few_sheets_of_its_own_light(browser: Any, files: dict[str, Path], name: str) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(files[name].as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    sheets = page.pdf(format="A4").count(b"/Type /Page\n")
    assert 1 <= sheets <= 15
    context.close()
