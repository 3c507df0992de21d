"""Figures, table and claims of what bench/peers.py measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

PRUNED, STUDENT, TEACHER = "student pruned to 40 units", "student, 64 units", "teacher, 256x3"
#: What counts as edgekit's own in fp32 and INT8.
OWN = {"fp32": "edgekit fp32", "int8": "edgekit int8"}


def figures(row: Mapping[str, Any]) -> dict[str, float]:
    """p50, p99 and the empty call's p50 in microseconds, memory and shipped bytes in MB, of a row with samples."""
    empty = row["empty_ns"]
    return {
        "p50_us": float(np.percentile(row["ns"], 50)) / 1e3,
        "p99_us": float(np.percentile(row["ns"], 99)) / 1e3,
        "empty_us": float(np.percentile(empty, 50)) / 1e3 if empty else 0.0,
        "peak_mb": row["peak_bytes"] / 1e6,
        "shipped_mb": (sum(row["libraries"].values()) + sum(row["model"].values())) / 1e6,
    }


#: A row that changes more of the labels than that is shown, but is nobody's fastest: it does not answer the question.
MOST_CHANGED = 0.05


def fastest_peer(of_model: Mapping[str, Any], exact: bool = False, without_calls: bool = False) -> tuple[str, float]:
    """The row and its microseconds in the median. exact: of rows within 1e-4 of fp32 only. without_calls: less what
    its empty call takes. Raises ValueError where there is none."""
    times = {}
    for name, row in of_model["rows"].items():
        if name.startswith("edgekit") or "failed" in row or (exact and row["error"] > 1e-4):
            continue
        if row["changed"] > MOST_CHANGED * of_model["takes"]:
            continue
        told = figures(row)
        times[name] = told["p50_us"] - (told["empty_us"] if without_calls else 0.0)
    if not times:
        raise ValueError("no peer was timed")
    best = min(times, key=lambda name: times[name])
    return best, times[best]


def limit_us(of_model: Mapping[str, Any], kind: str) -> float | None:
    """The machine's limit for "fp32" or "int8" in microseconds: the fastest of its measured ways; None without."""
    ways = {name: values for name, values in of_model["limit"]["ns"].items() if name.startswith(f"limit {kind}")}
    return min((float(np.percentile(values, 50)) / 1e3 for values in ways.values()), default=None)


def show(name: str, of_model: Mapping[str, Any]) -> str:
    """One model as text."""
    head = f"{'':34}   p50 us   p99 us empty us  memory MB shipped MB   error changed  settings"
    lines = [f"\n{name}, {of_model['rounds']} rounds", head]
    for row, told in of_model["rows"].items():
        if "failed" in told:
            lines.append(f"{row:34} {told['failed']}")
            continue
        f = figures(told)
        timed = f"{f['p50_us']:8.1f} {f['p99_us']:8.1f} {f['empty_us']:8.2f}"
        sizes = f"{f['peak_mb']:10.2f} {f['shipped_mb']:10.3f}"
        lines.append(f"{row:34} {timed} {sizes} {told['error']:7.1e} {told['changed']:7}  {told['about']}")
    limit = of_model["limit"]
    for kind, cycles in limit["cycles"].items():
        ghz = limit["clock_ghz"]
        took = f"{cycles['at_least'] / ghz / 1e3:8.1f}" if ghz else "       ?"
        lines.append(f"{'limit ' + kind + ', derived':34} {took} at {ghz:.2f} GHz")
    for row, values in limit["ns"].items():
        lines.append(f"{row:34} {np.percentile(values, 50) / 1e3:8.1f} {np.percentile(values, 99) / 1e3:8.1f}")
    return "\n".join(lines)


def claims(found: Mapping[str, Any]) -> list[str]:
    """What was aimed at, and what was reached; aims whose rows were not timed say so."""
    vnni = any("vnni" in flag for flag in found["flags"])
    where = "with VNNI" if vnni else "without VNNI, which the aim presumes"
    aims = [
        (STUDENT, "int8", 4.0, False, f"INT8, 64 units, against the fastest peer ({where})"),
        (STUDENT, "fp32", 1.4, True, "fp32, 64 units, against the fastest peer that is exact"),
        (TEACHER, "int8", 1.0, False, "INT8 teacher against the fastest peer"),
        (TEACHER, "fp32", 1.0, True, "fp32 teacher against the fastest peer that is exact"),
    ]
    lines = [_ratio(found, *aim) for aim in aims]
    own = _own(found, PRUNED, "int8")
    lines.append(_said("INT8, 40 units: at most 6 us", own is not None and own <= 6.0, own, "us"))
    for model in found["models"]:
        for kind in OWN:
            own = _own(found, model, kind)
            least = limit_us(found["models"][model], kind)
            times = None if own is None or least is None else own / least
            met = times is not None and times <= 2.0
            lines.append(_said(f"{model}, {kind}: at most 2 times the machine's limit", met, times, "times"))
    return lines


def _own(found: Mapping[str, Any], model: str, kind: str) -> float | None:
    row = found["models"].get(model, {"rows": {}})["rows"].get(OWN[kind])
    return None if row is None or "failed" in row else figures(row)["p50_us"]


def _ratio(found: Mapping[str, Any], model: str, kind: str, aim: float, exact: bool, about: str) -> str:
    own = _own(found, model, kind)
    text = f"{about}: at least {aim:g} times as fast"
    try:
        best, peer = fastest_peer(found["models"][model], exact)
        _, bare = fastest_peer(found["models"][model], exact, without_calls=True)
    except (KeyError, ValueError):
        return _said(text, False, None, "")
    if own is None:
        return _said(text, False, None, "")
    return _said(text, peer / own >= aim, peer / own, f"({best}; {bare / own:.2f} without what its call takes)")


def _said(text: str, met: bool, value: float | None, unit: str) -> str:
    if value is None:
        return f"not timed  {text}"
    return f"{'reached' if met else 'MISSED':10} {text}: {value:.2f} {unit}"


def page(found: Mapping[str, Any]) -> str:
    """Both tables of docs/native.md, as Markdown."""
    models = found["models"]
    lines = ["| p50, us (p99) | " + " | ".join(models) + " |", "|---|" + "---:|" * len(models)]
    for row in models[STUDENT]["rows"]:
        lines.append(f"| {row} | " + " | ".join(_latency(of_model["rows"][row]) for of_model in models.values()) + " |")
    for kind in OWN:
        cells = [f"{limit_us(of_model, kind) or 0.0:,.1f}" for of_model in models.values()]
        lines.append(f"| the machine's limit, {kind} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "| 64 units | a call of nothing, us | peak memory, MB | shipped, MB | largest error | labels changed |",
    ]
    lines.append("|---|" + "---:|" * 5)
    for row, told in models[STUDENT]["rows"].items():
        if "failed" not in told:
            f = figures(told)
            sizes = f"{f['peak_mb']:.1f} | {f['shipped_mb']:.2f}"
            lines.append(f"| {row} | {f['empty_us']:.1f} | {sizes} | {told['error']:.1e} | {told['changed']} |")
    return "\n".join(lines)


def _latency(row: Mapping[str, Any]) -> str:
    if "failed" in row:
        return str(row["failed"]).replace("|", "/")
    f = figures(row)
    return f"{f['p50_us']:,.1f} ({f['p99_us']:,.1f})"
