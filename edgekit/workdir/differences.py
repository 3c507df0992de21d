"""How the settings that a stage was made with differ from those wanted now, with the flag that says each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The flag that says a setting, for messages; other settings are said with --set.
FLAGS: Mapping[str, str] = {
    "data.sha256": "--data",
    "data.split": "--split",
    "data.mix": "--set data.mix=none for what was made without",
    "seed": "--seed",
    "teacher": "--teacher",
    "class_names": "--class-names",
    "pretrain": "--pretrain",
    "pretrain.source": "--pretrain",
    "training.epochs": "--epochs of edgekit train",
    "tune.epochs": "--epochs of edgekit tune",
    "tune.folds": "--folds",
    "search.epochs": "--epochs of edgekit search",
    "distill.temperature": "--temperature",
    "distill.alpha": "--alpha",
    "distill.training.epochs": "--epochs of edgekit distill",
    "prune.sparsity": "--sparsity",
    "prune.method": "--method",
    "prune.scope": "--scope",
    "prune.ramp": "--ramp",
    "prune.recovery.training.epochs": "--epochs of edgekit prune",
    "quantize.scheme": "--scheme",
}


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """`key was old, now new` for every leaf that differs between two JSON-ready trees."""
    lines: list[str] = []
    for key in sorted({*old, *new}):
        before, now = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            lines += differences(before, now, f"{prefix}{key}.")
        elif before != now:
            name = f"{prefix}{key}"
            flag = f" ({FLAGS[name]})" if name in FLAGS else ""
            lines.append(f"{name} was {_short(before)}, now {_short(now)}{flag}")
    return lines


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."
