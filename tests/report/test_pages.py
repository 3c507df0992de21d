"""Reports as pages: one file that needs nothing else, harmless whatever a name holds, the same bytes for the same
result, and each section by its rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import made_pages as made
import numpy as np
import pytest

from edgekit.bench import Measurement
from edgekit.errors import GateError
from edgekit.evaluate import evaluate_predictions
from edgekit.profiles import Profile
from edgekit.report import bench_page, chain_page, compare_page, search_page
from edgekit.report.page.document import style

#: What a person, a class or a path may be called.
EVIL = "<script>alert('x')</script>\"'><img src=http://evil.example/x onerror=alert(1)>&amp;\x1b[31m\u202e"
VOID = {"meta", "br", "hr", "col"}


class Page(HTMLParser):
    """What a page holds. Raises AssertionError for elements that are not closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append((self.open[-1] if self.open else "", data.replace("\u00a0", " ")))

    @property
    def text(self) -> str:
        """All that is shown."""
        return "".join(data for tag, data in self.words if tag != "style")

    def of(self, tag: str) -> Iterator[dict[str, str | None]]:
        """Attributes of every such element."""
        return (attributes for name, attributes in self.tags if name == tag)

    def sections(self) -> list[str]:
        """Of its sections, in order."""
        return [str(section["id"]) for section in self.of("section")]


PAGES: dict[str, Callable[[], str]] = {
    "run": lambda: chain_page(made.chain()),
    "bench": lambda: bench_page(made.bench(accuracy=made.accuracy())),
    "bench of a file alone": lambda: bench_page(made.bench()),
    "compare": lambda: compare_page(made.compare()),
    "search": lambda: search_page(made.search()),
}
pages = pytest.mark.parametrize("write", list(PAGES.values()), ids=list(PAGES))


@pages
def test_a_page_needs_nothing_from_elsewhere_and_runs_nothing(write: Callable[[], str]) -> None:
    text = write()
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src", "srcset")], tag
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in style()
    assert "@import" not in style()
    assert not re.search(r"https?:|//\w", text)
    policy = next(each["content"] for each in page.of("meta") if each.get("http-equiv"))
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/]{43}='; base-uri 'none'; form-action 'none'", policy or ""
    )


@pages
def test_the_same_result_is_the_same_bytes_and_they_are_few(write: Callable[[], str]) -> None:
    assert write() == write()
    assert len(write().encode()) < 400_000


@pages
def test_headings_are_in_order_and_every_link_has_its_section(write: Callable[[], str]) -> None:
    page = Page(write())
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [str(attributes["id"]) for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(link["href"])[1:] for link in page.of("a")} <= set(ids)
    assert [str(link["href"])[1:] for link in page.of("a")][1:] == page.sections()


@pages
def test_pictures_have_words_and_tables_have_headers(write: Callable[[], str]) -> None:
    page = Page(write())
    drawings = list(page.of("svg"))
    assert drawings
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in drawings)
    assert all(th["scope"] in ("row", "col") for th in page.of("th"))
    tables = [tag for tag, _ in page.tags if tag in ("table", "caption")]
    assert tables == ["table", "caption"] * (len(tables) // 2)
    frames = [each for each in page.of("div") if each.get("class") == "scroll"]
    assert all(each["tabindex"] == "0" and each["aria-label"] for each in frames)


@pages
def test_no_section_is_empty(write: Callable[[], str]) -> None:
    for section in re.findall(r"<section.*?</section>", write(), re.DOTALL):
        without = re.sub(r"<h2.*?</h2>|<p class=\"lead\">.*?</p>", "", section)
        assert re.sub(r"<[^>]*>", "", without).strip()


def evil_chain() -> str:
    data = replace(made.DATA, source=EVIL, rule=EVIL)
    names = (EVIL, *made.LETTERS[1:])
    result = made.chain(data, evaluation=made.evaluation(names, who=EVIL), failure=GateError(EVIL))
    return chain_page(replace(result, settings={EVIL: EVIL}, environment={EVIL: EVIL}))


EVILS: dict[str, Callable[[], str]] = {
    "run": evil_chain,
    "bench": lambda: bench_page(
        made.bench(Profile(name=EVIL, max_latency_ms=1), EVIL, accuracy=made.accuracy((EVIL, "B"), who=EVIL))
    ),
    "compare": lambda: compare_page(made.compare("a", EVIL.replace("/", ""))),
    "search": lambda: search_page(made.search(replace(made.DATA, source=EVIL), profile=EVIL, commands=(EVIL,))),
}


@pytest.mark.parametrize("write", list(EVILS.values()), ids=list(EVILS))
def test_what_users_call_things_is_shown_and_never_obeyed(write: Callable[[], str]) -> None:
    text = write()
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "img"}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "<script>alert('x')<" in page.text
    assert not set("\x1b\u202e") & set(text)
    text.encode()


def test_the_verdict_comes_first_with_its_sign_and_the_file() -> None:
    page = Page(bench_page(made.bench()))
    shown = page.text.partition("Skip to the report")[2]
    assert shown.index("Fits raspberry-pi") < shown.index("model.int8.onnx") < shown.index("Limits of")
    assert page.sections()[0] == "limits"
    failed = made.bench(Profile(name="tiny", max_model_mb=0.001))
    assert "Does not fit tiny" in Page(bench_page(failed)).text
    assert "35.3 x limit" in Page(bench_page(failed)).text


def test_a_run_has_every_section_in_its_order() -> None:
    assert Page(chain_page(made.chain())).sections() == [
        "limits", "models", "latency", "memory", "learning", "classes", "takes", "done", "machine",
    ]  # fmt: skip


def test_what_is_not_there_has_no_section_and_is_said_with_its_reason() -> None:
    page = Page(bench_page(made.bench()))
    assert page.sections() == ["limits", "latency", "memory", "machine", "absent"]
    assert "no labelled takes were read" in page.text
    silent = made.worker(peak_rss_bytes=None, memory_reason="Plan9 has no /proc", stages=())
    page = Page(bench_page(made.bench(measurement=Measurement((silent,), (silent,)))))
    assert page.sections() == ["limits", "latency", "machine", "absent"]
    assert "Plan9 has no /proc" in page.text
    stopped = replace(silent, stopped="an allocation failed", samples_ns=(), thread_cpu_ns=())
    page = Page(bench_page(made.bench(measurement=Measurement((), (stopped,), memory_limit_bytes=10**8))))
    assert page.sections() == ["limits", "machine", "absent"]
    assert "stopped at the limit of 100 MB" in page.text


def test_a_run_without_logs_or_without_mistakes_says_so() -> None:
    labels = np.arange(52) % 26
    logits = np.eye(26, dtype=np.float32)[labels]
    right = evaluate_predictions(labels, labels, made.LETTERS)
    misread = made.find_misread(made.hands(52), labels, logits, made.LETTERS, ["take"] * 52)
    evaluation = replace(made.evaluation(), metrics=right, misread=misread)
    page = Page(chain_page(made.chain(curves=(), evaluation=evaluation)))
    assert page.sections() == ["limits", "models", "latency", "memory", "classes", "done", "machine", "absent"]
    assert "the logs beside the models are gone or were changed" in page.text
    assert "all 52 were read right" in page.text


def test_a_run_without_a_bench_has_no_figures_of_one() -> None:
    page = Page(chain_page(made.chain(bench=None)))
    assert page.sections() == ["models", "learning", "classes", "takes", "done", "machine"]


def test_takes_are_drawn_as_hands_and_what_is_no_hand_is_listed() -> None:
    text = chain_page(made.chain())
    assert text.count('class="card"') == 24
    assert text.count('class="thumb"') >= 48
    page = Page(chain_page(made.chain(evaluation=made.evaluation(features=62))))
    assert "62 numbers a frame are no hand landmarks" in page.text
    assert 'class="card"' not in chain_page(made.chain(evaluation=made.evaluation(features=62)))


def test_a_take_without_any_hand_is_said_to_have_none() -> None:
    found = made.evaluation().misread
    assert found is not None
    blank = replace(found.shown[0], frames=np.zeros_like(found.shown[0].frames))
    evaluation = replace(made.evaluation(), misread=replace(found, shown=(blank,), right={}))
    text = chain_page(made.chain(evaluation=evaluation))
    assert "no hand was found in it" in text
    assert f"no {blank.true} was read right" in text


def test_many_classes_have_their_table_and_no_matrix() -> None:
    names = tuple(f"sign {k}" for k in range(60))
    page = Page(chain_page(made.chain(evaluation=made.evaluation(names))))
    assert "60 classes is too large" in page.text
    assert not any("matrix" in str(each.get("class")) for each in page.of("table"))


def test_the_matrix_holds_every_count_in_its_place() -> None:
    evaluation = made.evaluation()
    text = chain_page(made.chain(evaluation=evaluation))
    matrix = text[text.index('class="matrix') :]
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', matrix[: matrix.index("</table>")])
    counts = [[int(cell or 0) for cell in re.findall(r"<td[^>]*>(\d*)</td>", row)] for _, row in rows]
    assert [name for name, _ in rows] == list(made.LETTERS)
    assert counts == evaluation.metrics.confusion.tolist()


def test_every_run_is_in_the_distribution_or_counted_beyond_it() -> None:
    text = bench_page(made.bench())
    drawn = sum(int(runs.replace(",", "")) for runs in re.findall(r"ms: ([\d,]+) runs</title>", text))
    beyond = re.search(r"([\d,]+) longer ones, up to", text)
    assert drawn + (int(beyond[1].replace(",", "")) if beyond else 0) == 1200


def test_a_comparison_says_who_is_faster_and_keeps_the_names_as_they_are() -> None:
    page = Page(compare_page(made.compare("a.onnx", "b.onnx", slower=1.5)))
    assert "b.onnx is slower" in page.text
    assert "takes 1.5 times as long as a.onnx" in page.text
    assert "A.onnx" not in page.text
    assert "No difference that counts" in Page(compare_page(made.compare(slower=1.0))).text
    assert "2 files against" in Page(compare_page(made.compare("a.onnx", "b.onnx", "c.onnx"))).text


def test_a_search_shows_its_front_and_what_it_would_take() -> None:
    page = Page(search_page(made.search()))
    assert page.sections()[0] == "front"
    assert "LSTM 16x1, sparsity 0.5, int8-weights" in page.text
    nothing = made.search(chosen=None, reason="", commands=(), bench=None, failure=GateError("none of 2 files fits"))
    page = Page(search_page(nothing))
    assert "It would take none" in page.text
    assert "None of 2 files fits" in page.text
    assert "ruled-out" in page.sections()


def test_a_search_that_made_no_file_has_a_page() -> None:
    empty = made.search(
        trials=(), latencies_s={}, front=(), chosen=None, reason="", commands=(), bench=None, machine=None,
        failure=GateError("no file was made"),
    )  # fmt: skip
    assert Page(search_page(empty)).sections() == ["ruled-out", "data", "absent"]


def _luminance(colour: str) -> float:
    """Source: WCAG 2.2, relative luminance."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


INKS = [
    ("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("accent", "paper"), ("good", "paper"),
    ("bad", "paper"), ("open", "paper"), ("open", "open-bg"), ("focus", "paper"), ("good", "good-bg"),
    ("bad", "bad-bg"),
    *(("cell-ink", f"{kind}{k}") for kind in ("hit", "miss") for k in range(1, 6)),
]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(scheme: str) -> None:
    """4.5 to 1, which WCAG asks for; axe can't tell it of letters in drawings. Marks 3 to 1."""
    blocks = re.findall(r":root \{(.*?)\}", style(), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[("light", "dark").index(scheme)]))
    for ink, paper in INKS:
        assert _contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)
    assert _contrast(colours["mark"], colours["paper"]) >= 3


def test_two_models_whose_files_are_of_one_size_are_two_rows() -> None:
    """As a student is and what unstructured pruning leaves of it; a model's PyTorch row and fp32 file are one."""
    rows = [
        made.score(name, form, 229_400, 0.9)
        for name, form in (("student", "PyTorch"), ("pruned", "PyTorch"), ("pruned", "ONNX fp32"))
    ]
    text = Page(chain_page(replace(made.chain(), scores=tuple(rows)))).text
    assert text.count("student, ONNX fp32") == text.count("pruned, ONNX fp32") == 1
