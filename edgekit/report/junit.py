"""A bench result as JUnit XML, as the test reports of GitHub actions, GitLab and Jenkins read it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree

from edgekit import __version__
from edgekit.bench import BenchResult, Row
from edgekit.report.bench import verdict_line
from edgekit.report.rows import limit_text, margin_text, measured_text

#: What XML 1.0 can't hold, not even escaped: control characters, half surrogate pairs, and two that are no characters.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def bench_junit(result: BenchResult) -> bytes:
    """One suite for the bench, one case a row: UTF-8, with an XML declaration.

    A violated constraint is a `failure`. An undecided one is an `error`, the word for a test that came to no end:
    readers show `skipped` as green or grey, and a gate that could not decide must not look as if it had. An
    undecided row that has no say in the verdict (see `BenchResult.counts`) is `skipped`: so a report is red where the
    exit code is not 0, and only there. A case has no time: what a bench measures is no test's duration.
    """
    cases = [(row, _outcome(result, row)) for row in result.rows]
    totals = {"tests": str(len(cases))}
    for total, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        totals[total] = str(sum(outcome == kind for _, outcome in cases))
    root = _node(None, "testsuites", {"name": "edgekit bench", **totals})
    suite = _node(root, "testsuite", {"name": f"{result.profile.name}: {result.info.path.name}", **totals})
    properties = _node(suite, "properties")
    for name, value in _properties(result):
        _node(properties, "property", {"name": name, "value": value})
    for row, outcome in cases:
        _case(suite, result, row, outcome)
    _node(suite, "system-out", text=verdict_line(result))
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _outcome(result: BenchResult, row: Row) -> str | None:
    undecided = "error" if result.counts(row) else "skipped"
    return {"pass": None, "fail": "failure", "undecided": undecided}[row.verdict]


def _case(suite: ElementTree.Element, result: BenchResult, row: Row, outcome: str | None) -> None:
    place = row.board or "this machine"
    names = {"classname": f"{result.profile.name}/{place}", "name": f"{row.constraint}: {row.quantity}"}
    case = _node(suite, "testcase", names)
    facts = _facts(row)
    if outcome is None:
        _node(case, "system-out", text=facts)
    elif outcome == "skipped":
        _node(case, outcome, {"message": facts})
    else:
        message = f"{row.quantity}: {measured_text(row)}, limit {limit_text(row)}"
        _node(case, outcome, {"message": message, "type": row.verdict}, text=facts)


def _facts(row: Row) -> str:
    """`latency p95 0.041 ms, limit 100 ms, margin 100.0 %: pass, measured on this host; 1000 samples`."""
    margin = "" if row.margin_ratio is None else f", margin {margin_text(row)}"
    found = f"{row.quantity} {measured_text(row)}, limit {limit_text(row)}{margin}"
    return f"{found}: {row.verdict}, {row.evidence}" + (f"; {row.note}" if row.note else "")


def _properties(result: BenchResult) -> Iterable[tuple[str, str]]:
    yield "edgekit", __version__
    yield "verdict", result.verdict
    yield "exit_code", str(result.exit_code)
    yield "profile", result.profile.name
    yield "model.path", str(result.info.path)
    yield "model.sha256", result.info.sha256
    yield "model.size_bytes", str(result.info.size_bytes)
    yield "evidence", ", ".join(dict.fromkeys(row.evidence for row in result.rows))
    yield "threads", str(result.threads)
    for name, value in result.measurement.machine.to_dict().items():
        yield f"machine.{name}", "unknown" if value is None else str(value)


def _node(
    parent: ElementTree.Element | None, tag: str, attributes: Mapping[str, Any] | None = None, text: str | None = None
) -> ElementTree.Element:
    clean = {name: _clean(value) for name, value in (attributes or {}).items()}
    node = ElementTree.Element(tag, clean) if parent is None else ElementTree.SubElement(parent, tag, clean)
    node.text = None if text is None else _clean(text)
    return node


def _clean(text: str) -> str:
    """What XML can't hold becomes a replacement character; the rest is escaped when it is written."""
    return _FORBIDDEN.sub("\ufffd", text)
