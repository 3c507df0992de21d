"""JUnit XML: what readers expect of it, what they would take for green, and names that mean harm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest

from edgekit.report import bench_junit

#: What the readers' schema (Jenkins' junit-10.xsd) has: children in order, attributes, those that must be there.
SCHEMA: dict[str, tuple[tuple[str, ...], set[str], set[str]]] = {
    "testsuites": (("testsuite",), {"name", "tests", "failures", "errors", "skipped", "time"}, set()),
    "testsuite": (
        ("properties", "testcase", "system-out"),
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
        {"name", "tests", "failures", "errors"},
    ),
    "properties": (("property",), set(), set()),
    "property": ((), {"name", "value"}, {"name", "value"}),
    "testcase": (("skipped", "error", "failure", "system-out"), {"name", "classname", "time"}, {"name", "classname"}),
    "failure": ((), {"message", "type"}, set()),
    "error": ((), {"message", "type"}, set()),
    "skipped": ((), {"message"}, set()),
    "system-out": ((), set(), set()),
}


def check(node: ElementTree.Element) -> None:
    """Fails for what the schema does not have."""
    children, allowed, required = SCHEMA[node.tag]
    assert required <= set(node.attrib) <= allowed
    order = [children.index(child.tag) for child in node]
    assert order == sorted(order)
    for child in node:
        check(child)


def read(result: Any) -> ElementTree.Element:
    """The suite, after the whole document was checked."""
    root = ElementTree.fromstring(bench_junit(result))
    check(root)
    (suite,) = root
    for holder in (root, suite):
        counted = {"tests": "testcase", "failures": "testcase/failure", "errors": "testcase/error"}
        for total, path in {**counted, "skipped": "testcase/skipped"}.items():
            assert int(holder.attrib[total]) == len(suite.findall(path))
    return suite


def test_a_case_a_row_with_profile_board_and_constraint(bench: Any, row: Any) -> None:
    suite = read(bench(row("pass"), row("fail", "Raspberry Pi 5"), row("undecided", "Raspberry Pi Zero 2 W")))
    assert [(case.attrib["classname"], case.attrib["name"]) for case in suite.findall("testcase")] == [
        ("raspberry-pi/this machine", "max_latency_ms: latency p95"),
        ("raspberry-pi/Raspberry Pi 5", "max_latency_ms: latency p95"),
        ("raspberry-pi/Raspberry Pi Zero 2 W", "max_latency_ms: latency p95"),
    ]
    assert [[child.tag for child in case] for case in suite.findall("testcase")] == [
        ["system-out"], ["failure"], ["error"],
    ]  # fmt: skip


@pytest.mark.parametrize("evidence", ["estimated", "measured on this host"])
@pytest.mark.parametrize("verdict", ["pass", "fail", "undecided"])
@pytest.mark.parametrize("board", [None, "Raspberry Pi 5"])
def test_the_report_is_red_exactly_where_the_exit_code_is_not_0(
    bench: Any, row: Any, evidence: str, verdict: str, board: str | None
) -> None:
    result = bench(row("pass"), row(verdict, board), evidence=evidence)
    suite = read(result)
    red = int(suite.attrib["failures"]) + int(suite.attrib["errors"])
    assert (red > 0) == (result.exit_code != 0)


def test_figures_evidence_machine_versions_and_digest_are_there(bench: Any, row: Any) -> None:
    suite = read(bench(row("fail", measured=0.25, note="1000 samples")))
    properties = {item.attrib["name"]: item.attrib["value"] for item in suite.iter("property")}
    expected = {
        "verdict": "fail", "exit_code": "3", "model.sha256": "ab" * 32, "evidence": "measured on this host",
        "machine.cpu_model": "Test CPU", "machine.onnxruntime": "1.20.0", "machine.device_tree_model": "unknown",
    }  # fmt: skip
    assert expected.items() <= properties.items()
    (failure,) = suite.iter("failure")
    message = "latency p95 250 ms, limit 100 ms, margin 2.5 x limit: fail, measured on this host; 1000 samples"
    assert failure.text == message
    assert failure.attrib == {"message": "latency p95: 250 ms, limit 100 ms", "type": "fail"}


@pytest.mark.parametrize("hostile", ['<&">]]>', "\x00\x1b[31m\x0b", "\udc80\ufffe", "line\nbreak\ttab", "😀 ä"])
def test_hostile_names_stay_text(bench: Callable[..., Any], row: Any, hostile: str) -> None:
    suite = read(bench(row("fail", hostile, hostile), name=hostile, path=hostile, cpu_model=hostile))
    (case,) = suite.findall("testcase")
    shown = "".join(
        sign if sign in "\t\n" or (sign >= " " and sign not in "\udc80\ufffe") else "\ufffd" for sign in hostile
    )
    assert case.attrib["classname"] == f"{shown}/{shown}"
    assert suite.attrib["name"] == f"{shown}: {shown}"
    assert case.attrib["name"] == "max_latency_ms: latency p95"


def test_a_profile_without_limits_is_an_empty_suite(bench: Any) -> None:
    assert read(bench()).attrib["tests"] == "0"
