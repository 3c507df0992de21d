"""On what a stage trains: what was asked for, chosen once, stored in the manifest and used again. Imports torch."""

from __future__ import annotations

from typing import Any

from torch import nn

from edgekit.errors import ConfigError, StateError
from edgekit.train import Hardware, Precision, choose_threads, choose_threads_and_precision, cuda_gpus
from edgekit.workdir.options import Options
from edgekit.workdir.workspace import Workspace

#: Of `Options`; None and "auto" ask for nothing.
ASKED = ("accelerator", "accelerators", "precision", "threads")


def stage_hardware(
    workspace: Workspace, stage: str, model: nn.Module, shape: tuple[int, int, int], *, going_on: bool
) -> Hardware:
    """The hardware of a stage's run. shape: (batch, time, features) of a step.

    The same options use the same hardware again. A run that goes on after an interruption keeps what it began with:
    StateError where the options now say otherwise or this machine lacks it. Raises ConfigError for options that can't
    be met here.
    """
    asked = {name: getattr(workspace.options, name) for name in ASKED}
    stored = workspace.recall("hardware", {})
    known: dict[str, Any] = stored if isinstance(stored, dict) else {}
    before = _stored(known.get(stage))
    if before is not None and going_on:
        _check_unchanged(workspace, stage, asked, before, shape[0])
        hardware = before
    elif before is not None and known[stage].get("asked") == asked and _is_here(before, shape[0]):
        hardware = before
    else:
        hardware = choose_hardware(workspace.options, model, shape)
        workspace.remember(hardware={**known, stage: {"asked": asked, "chosen": hardware.to_dict()}})
    workspace.watcher.note(f"{stage}: training on {hardware.describe()}")
    return hardware


def choose_hardware(options: Options, model: nn.Module, shape: tuple[int, int, int]) -> Hardware:
    """What was asked for; for the rest: CUDA when present, one of them, fp32, and threads by a short trial on the CPU.

    precision "auto" tries bf16 along with the threads; on GPUs it is fp32. Raises ConfigError for what can't be had.
    """
    threads, precision = options.threads, options.precision or "fp32"
    automatic: Precision = "fp32"
    hardware = asked_hardware(options, shape[0])
    if hardware.cuda:
        return hardware
    if hardware.accelerators > 1:
        threads = 1
    if precision == "auto":
        threads, automatic = choose_threads_and_precision(model, shape, threads)
    elif threads is None:
        threads = choose_threads(model, shape)
    chosen = automatic if precision == "auto" else hardware.precision
    return Hardware(hardware.accelerator, hardware.accelerators, chosen, threads)


def asked_hardware(options: Options, batch_size: int, setting: str = "training.batch_size") -> Hardware:
    """What was asked for, before any trial: threads None and fp32 where that decides. setting: that says batch_size.
    Raises ConfigError."""
    accelerator, precision = options.accelerator or "auto", options.precision or "fp32"
    if accelerator == "auto":
        accelerator = "cuda" if cuda_gpus() >= (options.accelerators or 1) else "cpu"
    asked = "fp32" if precision == "auto" else precision
    hardware = Hardware(accelerator, options.accelerators or 1, asked, options.threads)  # type: ignore[arg-type]
    hardware.check(batch_size, setting)
    return hardware


def _stored(entry: Any) -> Hardware | None:
    """None for what this edgekit can't read: it chooses anew."""
    try:
        return Hardware(**entry["chosen"])
    except (TypeError, KeyError, ConfigError):
        return None


def _is_here(hardware: Hardware, batch_size: int) -> bool:
    try:
        hardware.check(batch_size)
    except ConfigError:
        return False
    return True


def _check_unchanged(
    workspace: Workspace, stage: str, asked: dict[str, Any], before: Hardware, batch_size: int
) -> None:
    began = f"{workspace.path}: the interrupted training of '{stage}' began on {before.describe()}"
    for name, value in asked.items():
        if value not in (None, "auto") and value != getattr(before, name):
            raise StateError(
                f"{began}, and --{name} now says {value}; leave it as it was to continue, or give --force to start over"
            )
    if not _is_here(before, batch_size):
        raise StateError(f"{began}, which this machine lacks; continue where it began, or give --force to start over")
