"""The page of `search`: what it would take and why, the front, how the students learned, and what was never trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgekit.report.chain import SYNTHETIC, data_text
from edgekit.report.page.axes import linear, whole
from edgekit.report.page.bench import bench_evidence, measured_missing, measured_sections
from edgekit.report.page.document import Missing, Section, document
from edgekit.report.page.drawing import Panel, dot, path, words
from edgekit.report.page.front import front_section
from edgekit.report.page.machine import machine_section
from edgekit.report.page.markup import Content, Html, join, tag
from edgekit.report.page.parts import callout, capital, facts, figure, notes, table, tile, tiles, verbatim
from edgekit.report.page.sizes import SizedFile, sizes_table
from edgekit.report.page.verdict import bench_tiles, headline
from edgekit.report.searching import search_notes
from edgekit.report.tables import count, known, percent
from edgekit.report.tuning import duration
from edgekit.results.searching import SearchResult, StudentTrial

#: Students up to which each curve has its name.
MOST_NAMED = 6
_STATES = {"finished": "taught to the end", "pruned": "given up", "failed": "failed"}


def search_page(result: SearchResult) -> str:
    """The whole page; the same facts as the text, and pictures."""
    front = front_section(result)
    sections = [
        *([] if front is None else [front]),
        *_chosen(result),
        *_students(result),
        *_ruled_out(result),
        *_last(result),
    ]
    title = f"edgekit search: {result.profile}"
    return document(title, _head(result), sections, _missing(result))


def _head(result: SearchResult) -> Html:
    about = f"{result.profile}: {len(result.trials)} of {result.size} students, {len(result.models)} files"
    if result.chosen is None:
        first = headline("search", "fail", f"it would take none: {result.failure}", about)
        return join(first, _synthetic(result))
    row = result.front[result.chosen - 1]
    first = headline("search", row.verdict, f"{row.model.describe()}: row {row.number}, {result.reason}", about)
    low, high = row.model.interval
    takes = f"on {count(row.model.int8.takes)} validation takes, 95 % interval {100 * low:.1f} to {100 * high:.1f}"
    accuracy = tile("Accuracy", percent(row.model.accuracy), f"{takes}; flattered, as the best of many", None)
    return join(
        first,
        _synthetic(result),
        tiles(accuracy, *([] if result.bench is None else bench_tiles(result.bench))),
        _commands(result),
    )


def _synthetic(result: SearchResult) -> Html | None:
    return callout(f"{SYNTHETIC}.", "warning") if result.data.synthetic else None


def _commands(result: SearchResult) -> Html:
    text = "\n".join(result.commands)
    return join(
        tag(
            "p",
            "To make it the work directory's student, with its own, longer schedule, and see it on test takes, once:",
            class_="under",
        ),
        verbatim(text),
    )


def _chosen(result: SearchResult) -> Iterable[Section]:
    return () if result.bench is None else measured_sections(result.bench)


def _students(result: SearchResult) -> Iterable[Section]:
    if not result.trials:
        return
    looked = [trial for trial in result.trials if trial.accuracies]
    yield Section(
        "students",
        "Students",
        [
            _looks(looked) if looked else None,
            table(
                ("student", "ended", "parameters", "looks", "last look", "best file", "took"),
                map(_cells, result.trials),
                "Every student that was taught",
                left=2,
            ),
            notes(map(capital, search_notes(result))),
        ],
        lead="Accuracy of each unpruned student on validation takes at each look; one that lay behind the others was"
        " given up.",
    )


def _looks(trials: Sequence[StudentTrial]) -> Html:
    most = max(len(trial.accuracies) for trial in trials)
    panel = Panel(whole(1, most, "look"), linear(0, 100, "accuracy, %", 5), height=260)
    told = "; ".join(f"{trial.point.describe()} {percent(trial.accuracies[-1])}" for trial in trials)
    curves = (_curve(panel, trial, len(trials) <= MOST_NAMED) for trial in trials)
    return figure(
        panel.draw(f"Accuracy of {len(trials)} students by look. Last: {told}.", curves),
        "Full lines were taught to the end, dashed ones given up.",
        "measured on validation takes",
        "How the students learned",
        "narrow",
    )


def _curve(panel: Panel, trial: StudentTrial, named: bool) -> Iterable[Html]:
    points = [panel.at(look, 100 * accuracy) for look, accuracy in enumerate(trial.accuracies, 1)]
    kind = "student" if trial.state == "finished" else "student given-up"
    if len(points) > 1:
        yield path(points, f"curve {kind}")
    x, y = points[-1]
    if named:
        yield words(trial.point.describe(), x - 6, y - 8, "mark-label", "end")
    yield dot(x, y, 3, f"point {kind}", f"{trial.point.describe()}: {percent(trial.accuracies[-1])}")


def _cells(trial: StudentTrial) -> list[Content]:
    last = trial.accuracies[-1] if trial.accuracies else None
    ended = _STATES[trial.state] + (f": {trial.error}" if trial.error else "")
    return [
        trial.point.describe(),
        ended,
        count(trial.parameters),
        str(len(trial.accuracies)),
        known(last, percent),
        known(trial.accuracy, percent),
        duration(trial.elapsed_s),
    ]


def _ruled_out(result: SearchResult) -> Iterable[Section]:
    if not result.ruled_out:
        return
    rows = [
        [one.point.describe(), f"{one.recipe.sparsity:g}", one.recipe.scheme, capital(one.reason)]
        for one in result.ruled_out
    ]
    shown = table(("student", "sparsity", "scheme", "why"), rows, "Files that were not made", left=4)
    yield Section(
        "ruled-out", "Never trained", shown, "What certainly would not fit, or can't be made, is known before training."
    )


def _last(result: SearchResult) -> Iterable[Section]:
    lines = [line.partition(": ") for line in data_text(result.data).splitlines()]
    pairs: list[tuple[str, Content]] = [(name.lower(), capital(text)) for name, _, text in lines if name != "Note"]
    files = [SizedFile(f"row {row.number}, {row.model.describe()}", row.model.size_bytes) for row in result.front]
    if files:
        yield Section("sizes", "Size", sizes_table(files, "Files of the front"))
    yield Section("data", "Data", facts(pairs))
    if result.machine is not None:
        evidence = "measured on this host" if result.bench is None else bench_evidence(result.bench)
        yield machine_section(result.machine, evidence)


def _missing(result: SearchResult) -> list[Missing]:
    found = [Missing("Accuracy on test takes, by class", "a search does not read them: the commands above do, once")]
    if result.bench is None:
        return [*found, Missing("Latency and memory", "no file was chosen")]
    return [*found, *measured_missing(result.bench)]
