"""Where everything was measured, with which software and settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from edgekit.measure import Machine
from edgekit.report.page.document import Section
from edgekit.report.page.markup import Content
from edgekit.report.page.parts import as_table, facts, verbatim

_NAMES = {
    "system": "system",
    "release": "kernel",
    "architecture": "architecture",
    "cpu_model": "processor",
    "cores": "cores",
    "memory_bytes": "memory",
    "device_tree_model": "board",
    "load_1min": "load when measured",
    "python": "Python",
    "numpy": "numpy",
    "onnxruntime": "ONNX Runtime",
}


def machine_section(
    machine: Machine, evidence: str, more: Iterable[tuple[str, Content]] = (), body: Content = None
) -> Section:
    """more: further facts; body: what comes below them."""
    pairs = [(name, _shown(key, machine.to_dict().get(key))) for key, name in _NAMES.items()]
    known = [(name, value) for name, value in pairs if value is not None]
    lead = (
        "Everything timed here was timed on this machine, which is the board itself."
        if evidence == "measured on device"
        else "Times and memory were measured on this machine, which is not the device: a board's own figures come from"
        " a bench on the board."
    )
    return Section("machine", "Machine", [facts([*known, *more]), body], lead)


def _shown(key: str, value: Any) -> str | None:
    if value is None:
        return None
    return f"{value / 1e9:.1f} GB" if key.endswith("_bytes") else f"{value:.2f}" if key == "load_1min" else str(value)


def environment_facts(environment: Mapping[str, Any]) -> list[tuple[str, Content]]:
    """Versions of what worked."""
    return [
        (name.removesuffix("_bytes").replace("_", " "), _shown(name, value) or "unknown")
        for name, value in environment.items()
    ]


def settings_details(settings: Mapping[str, Any]) -> Content:
    """Every setting, closed until somebody asks."""
    text = yaml.safe_dump(dict(settings), sort_keys=False).rstrip()
    return as_table("Every setting, as a file that --config takes", verbatim(text))
