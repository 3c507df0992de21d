"""Structured pruning of any module: study it, take units out in one step or several, and let it recover after each."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.errors import ConfigError, GateError, InputError
from edgekit.model import count_parameters
from edgekit.prune.choosing import Cost, choose
from edgekit.prune.costs import count_macs
from edgekit.prune.importance import Scores, magnitudes, taylor
from edgekit.prune.probing import unit_count
from edgekit.prune.removal import removal_error, without_units
from edgekit.prune.settings import PruneConfig
from edgekit.prune.structure import Structure, study, takes_to_try
from edgekit.train import FitResult, RunSetup, Takes, TrainingConfig

#: Lets a module recover, in place, by so much training, surrounded by what a setup says.
Recover = Callable[[nn.Module, TrainingConfig, RunSetup | None], FitResult]


@dataclass(frozen=True)
class PruneStep:
    """One time that units went, and the recovery after it. cost: of the budget, in its unit."""

    parameters: int
    cost: float
    val_accuracy: float


@dataclass(frozen=True)
class Shrunk:
    """A module that has lost units and recovered. structure: of the module before it lost any."""

    module: nn.Module
    structure: Structure
    steps: tuple[PruneStep, ...]
    recovery: FitResult


def cost_of(config: PruneConfig, structure: Structure, takes: Tensor, latency: Cost | None) -> Cost:
    """What the budget counts. takes: float32 (takes, time, features). Raises ConfigError where latency is to be counted
    and nobody measures it."""
    if config.budget == "latency" and latency is None:
        raise ConfigError(
            "prune.budget: latency is measured by a function that is passed to prune_model as latency, from Python;"
            " parameters, macs and units need none"
        )
    given: Any = latency
    if not (given is None or callable(given)):
        raise InputError(f"prune_model: latency is {type(latency).__name__}; expected a function of a module, or None")
    if config.budget != "latency" and latency is not None:
        raise ConfigError(f"prune_model: latency: a function for a budget of {config.budget}; set budget to latency")

    def units(module: nn.Module) -> float:
        parts = dict(module.named_modules())
        return sum(unit_count(parts[name]) for name in structure.widths)

    known: dict[str, Cost] = {"parameters": count_parameters, "macs": lambda m: count_macs(m, takes), "units": units}
    return known.get(config.budget) or _measured(latency)


def _measured(latency: Cost | None) -> Cost:
    def cost(module: nn.Module) -> float:
        value: Any = latency(copy.deepcopy(module).eval()) if latency else 0.0  # it may do to its module what it likes
        if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 < float(value) < float("inf"):
            raise ConfigError(f"prune_model: latency gave {value!r:.40} for a module; expected a number above 0")
        return float(value)

    return cost


def scores_of(module: nn.Module, structure: Structure, config: PruneConfig, train: Takes) -> Scores:
    """How much each group of units matters."""
    return magnitudes(module, structure) if config.importance == "magnitude" else taylor(module, structure, train)


def smaller(
    module: nn.Module,
    structure: Structure,
    scores: Scores,
    config: PruneConfig,
    cost: Cost,
    allowed: float,
    takes: Tensor,
) -> nn.Module:
    """A copy that costs at most `allowed`, proven on takes float32 (takes, time, features).

    Raises ConfigError where that is out of reach, GateError where the rest would compute something else.
    """
    plan = choose(module, structure, scores, config, cost, allowed)
    wrong = removal_error(module, structure.layers, plan, takes)
    if wrong is not None:
        raise GateError(f"prune_model: layers that can lose units one by one can't do so together: {wrong}")
    return without_units(module, structure.layers, plan).eval()


def check_reachable(module: nn.Module, config: PruneConfig, x: NDArray[np.float32]) -> None:
    """Raises ConfigError where a module of this shape can't lose what `config` asks for, or latency would have to be
    measured. x: takes float32 (takes, time, features)."""
    takes = takes_to_try(x)
    structure = study(module.eval(), takes)
    cost = cost_of(config, structure, takes, None)
    choose(module, structure, magnitudes(module, structure), config, cost, cost(module) * (1.0 - config.sparsity))


def shrink(
    module: nn.Module,
    config: PruneConfig,
    train: Takes,
    takes: Tensor,
    recover: Recover,
    setup: RunSetup | None,
    latency: Cost | None,
) -> Shrunk:
    """Prune a copy of `module`, which is on the CPU, in evaluation mode, and has single recurrent layers.

    Of s steps, step k leaves (1 - sparsity)^(k / s) of the budget: every step takes the same part of what is there.
    takes: some of `train`, to probe and to prove on.
    """
    first = structure = study(module, takes)
    cost = cost_of(config, structure, takes, latency)
    whole, steps = cost(module), []
    for k in range(1, config.steps + 1):
        allowed = whole * (1.0 - config.sparsity) ** (k / config.steps)
        scores = scores_of(module, structure, config, train)
        module = smaller(module, structure, scores, config, cost, allowed, takes)
        recovery = recover(module, _share(config, k), _setup_of(setup, k, config.steps))
        steps.append(PruneStep(count_parameters(module), cost(module), recovery.val_accuracy))
        structure = study(module, takes) if k < config.steps else structure
    _clear(setup, config.steps)
    return Shrunk(module, first, tuple(steps), recovery)


def _share(config: PruneConfig, step: int) -> TrainingConfig:
    """A step's training: its part of the epochs, the last steps have those that are left over."""
    training, steps = config.recovery.training, config.steps
    epochs = training.epochs * step // steps - training.epochs * (step - 1) // steps
    return training.model_copy(update={"epochs": epochs, "min_epochs": min(training.min_epochs, epochs)})


def _setup_of(setup: RunSetup | None, step: int, steps: int) -> RunSetup | None:
    """The last step's run is surrounded as was said; earlier ones have files of their own."""
    if setup is None or step == steps:
        return setup
    logs = setup.logs and replace(setup.logs, folder=setup.logs.folder / f"step-{step}")
    return replace(setup, resume_file=_step_file(setup, step), logs=logs, keep_resume_file=True)


def _step_file(setup: RunSetup, step: int) -> Path | None:
    return setup.resume_file and setup.resume_file.with_name(f"step{step}-{setup.resume_file.name}")


def _clear(setup: RunSetup | None, steps: int) -> None:
    files = [] if setup is None else [_step_file(setup, step) for step in range(1, steps)]
    for file in files:
        if file is not None:
            file.unlink(missing_ok=True)
