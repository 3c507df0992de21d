"""The page of `compare`: which file is faster, how sure that is, and how their runs were spread."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from edgekit.bench import CompareResult, TimeRatio
from edgekit.measure import MedianInterval
from edgekit.report.bench import input_notes
from edgekit.report.compare import (
    HEADERS,
    comparison_rows,
    file_names,
    in_words,
    method_text,
    origin_text,
    runtime_notes,
)
from edgekit.report.page.axes import Axis, linear, logarithm, within
from edgekit.report.page.document import Missing, Section, document
from edgekit.report.page.drawing import WIDTH, Panel, block, dot, drawing, line, words
from edgekit.report.page.latency import SUMMARY_HEADERS, distribution, summary_cells, time_axis
from edgekit.report.page.machine import machine_section
from edgekit.report.page.markup import Html, tag
from edgekit.report.page.parts import capital, figure, grid, notes, table
from edgekit.report.page.sizes import SizedFile, sizes_table
from edgekit.report.page.verdict import headline

_NOT_COMPARED = (
    Missing("Memory", "files that take turns share a process; bench measures each alone"),
    Missing("Accuracy", "a comparison is of times; evaluate, or bench with --parent, tells accuracy"),
)


def compare_page(result: CompareResult) -> str:
    """The whole page; the same facts as the text."""
    names = file_names(result)
    found = [in_words(ratio, names[0]) for ratio in result.ratios]
    about = tag("span", f"{len(names)} files in turn, each against {names[0]}")
    head = headline("compare", "none", _sentence(result, names, found), about)
    sections = [_times(result, names, found), _runs(result, names), _sizes(result, names), _machine(result)]
    return document(f"edgekit compare: {', '.join(names)}", head, sections, _NOT_COMPARED)


_SHORTLY = {
    "faster": "{} is faster",
    "slower": "{} is slower",
    "same": "No difference that counts",
    "undecided": "Can't tell which is faster",
}


def _sentence(result: CompareResult, names: Sequence[str], found: Sequence[str]) -> str:
    """One file against the first in a few words, several by their number; behind the colon what was found."""
    if len(found) == 1:
        verdict = result.ratios[0].verdict
        text = found[0] if verdict in ("faster", "slower") else found[0].partition(": ")[2]
        return f"{_SHORTLY[verdict].format(names[1])}: {names[1]}: {text}"
    each = "; ".join(f"{name}: {text}" for name, text in zip(names[1:], found, strict=True))
    return f"{len(found)} files against {names[0]}: {each}"


def _evidence(result: CompareResult) -> str:
    return "measured on device" if result.board else "measured on this host"


def _times(result: CompareResult, names: Sequence[str], found: Sequence[str]) -> Section:
    drawn = _ratios(result, names)
    said = [f"{name}: {text}" for name, text in zip(names[1:], found, strict=True)]
    lines = [*said, *input_notes(result.measured[0].inputs), *runtime_notes(result.infos)]
    return Section(
        "time",
        "Time against the first file",
        [
            drawn,
            notes(capital(text.removeprefix("note: ")) for text in lines),
            table(HEADERS, comparison_rows(result), "Every file", left=2),
        ],
        lead=f"{capital(method_text(result)).replace(chr(10), '. ')}. Faster or slower is said only where every process"
        " says so.",
    )


def _ratios(result: CompareResult, names: Sequence[str]) -> Html:
    """Each process's median ratio with its interval, a group a file, beside 1."""
    rows = [
        (name, ratio, process)
        for name, ratio in zip(names[1:], result.ratios, strict=True)
        for process in ratio.processes
    ]
    ends = [
        end
        for _, _, process in rows
        for end in (process.median, process.low, process.high)
        if math.isfinite(end) and end > 0
    ]
    axis = _ratio_axis([*ends, 1.0], f"time over that of {names[0]}, a factor")
    heads = len(result.ratios)
    height = 26.0 * heads + 15 * len(rows) + 74
    panel = Panel(axis, linear(0, 1, "", 1, lambda _: ""), height=height, left=14, top=22)
    effect = 1 + result.ratios[0].smallest_effect_ratio
    low, high = panel.across(1 / effect), panel.across(effect)
    told = "; ".join(f"{name}: {ratio.ratio:.3g}" for name, ratio in zip(names[1:], result.ratios, strict=True))
    shown = drawing(
        WIDTH,
        height,
        f"Time of each file over that of {names[0]}, process by process. {told}.",
        block(low, 18, high - low, height - panel.bottom - 18, "no-effect", "no difference that counts"),
        panel.columns(),
        line((panel.across(1), 18), (panel.across(1), height - panel.bottom), "limit-line"),
        words("as long", panel.across(1), 13, "limit-label", "middle"),
        _groups(panel, result, names),
    )
    caption = "A dot is the median ratio of a process, its line the interval of it. Left of 1 is faster."
    return figure(shown, caption, _evidence(result), class_="narrow")


def _ratio_axis(ratios: Sequence[float], title: str) -> Axis:
    low, high = min(ratios), max(ratios)
    if high > 2 * low:
        return logarithm(ratios, title)
    room = max(0.1 * (high - low), 0.03)
    return within(low - room, high + room, title, 6)


def _groups(panel: Panel, result: CompareResult, names: Sequence[str]) -> Iterable[Html]:
    y = 24.0
    for name, ratio in zip(names[1:], result.ratios, strict=True):
        yield words(name, panel.left, y + 12, "row-label")
        yield words(f"{ratio.ratio:.3f}", WIDTH - panel.right, y + 12, "mark-label", "end")
        y += 26
        for process in ratio.processes:
            yield from _process(panel, process, ratio, y)
            y += 15


def _process(panel: Panel, process: MedianInterval, ratio: TimeRatio, y: float) -> Iterable[Html]:
    low = panel.across(process.low) if process.low > 0 and math.isfinite(process.low) else panel.left
    high = panel.across(process.high) if math.isfinite(process.high) else WIDTH - panel.right
    yield line((low, y), (high, y), "interval")
    yield dot(panel.across(process.median), y, 4, "mark-strong", f"{process.median:.3g} of {ratio.ratio:.3g} in all")


def _runs(result: CompareResult, names: Sequence[str]) -> Section:
    """Each file's runs on one axis, so that they can be compared by eye."""
    samples = [
        tuple(sample for one in result.measured for sample in (one.samples_ns, *one.others_ns)[index])
        for index in range(len(names))
    ]
    axis = time_axis(samples)
    drawings = [
        distribution(each, summary, name, _evidence(result), axis)
        for each, summary, name in zip(samples, result.latency, names, strict=True)
    ]
    rows = [summary_cells(name, summary) for name, summary in zip(names, result.latency, strict=True)]
    return Section(
        "runs",
        "Latency",
        [grid(*drawings), table(SUMMARY_HEADERS, rows, "Latency of each file on this machine")],
        lead="Every round of all processes.",
    )


def _sizes(result: CompareResult, names: Sequence[str]) -> Section:
    files = [SizedFile(name, info.size_bytes) for name, info in zip(names, result.infos, strict=True)]
    return Section("size", "Size", sizes_table(files, "What the files weigh"))


def _machine(result: CompareResult) -> Section:
    config = result.config
    more = [
        ("threads used", str(config.threads)),
        ("processes", str(config.processes)),
        ("origin", capital(origin_text(result))),
    ]
    paths = [
        (name, tag("span", f"SHA-256 {info.sha256}", class_="digest"))
        for name, info in zip(file_names(result), result.infos, strict=True)
    ]
    return machine_section(result.machine, _evidence(result), [*more, *paths])
