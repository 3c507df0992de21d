"""Quantisation-aware fine-tuning: a model learns once more under its teacher, with weights as its file will hold them.

The forward pass sees rounded weights; the gradient passes the rounding as if it were not there (straight-through
estimator) and moves the weights behind them. Source: Jacob et al. 2018, section 3; Bengio et al. 2013, section 4.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.data import AugmentConfig, Mix
from edgekit.distill import DistillConfig, Teachers, distill_model
from edgekit.model import RecurrentClassifier
from edgekit.quantize.integers import dequantize_rows, quantize_rows
from edgekit.quantize.settings import QuantizeConfig
from edgekit.train import FitResult, RunSetup, Takes


def rounded_names(model: RecurrentClassifier, config: QuantizeConfig) -> tuple[str, ...]:
    """The parameters that the scheme rounds: every weight of a recurrent layer, and dense ones of `min_elements`."""
    matrices = ((name, weight) for name, weight in model.named_parameters() if weight.ndim == 2)
    return tuple(
        name for name, weight in matrices if name.startswith("recurrent.") or weight.numel() >= config.min_elements
    )


@torch.no_grad()
def rounded(weight: Tensor, bits: int) -> Tensor:
    """A weight (rows, in) as the file stands for it: one symmetric scale a row, the file's own arithmetic."""
    values = weight.detach().cpu().numpy()
    return torch.from_numpy(dequantize_rows(*quantize_rows(values, 0, bits), 0)).to(weight.device)


@torch.no_grad()
def equalised(model: RecurrentClassifier) -> RecurrentClassifier:
    """A copy that computes the same, whose first layer's weights are as large in each column as in the others.

    What a column gains is taken from the standard deviation that its input is divided by: (x - mean) / std times w is
    (x - mean) / (std / c) times w / c, where c is the column's root mean square, and 1 in the geometric mean of all
    columns; a column of zeros has 1. One scale a row then wastes fewer of its steps. Source: Nagel et al. 2019,
    section 4.1, between an affine layer and the next.
    """
    found = copy.deepcopy(model)
    named = found.recurrent[0].named_parameters()
    weights: list[Tensor] = [weight for name, weight in named if name.startswith("weight_ih")]
    size = torch.cat(weights).double().square().mean(dim=0).sqrt()
    size = torch.where(size > 0, size, 1.0)
    factor = (size / size.log().mean().exp()).float()
    for weight in weights:
        weight.div_(factor)
    found.preprocess.std.div_(factor)
    return found


class RoundedWeights:
    """Keeps weights where the file can hold them while a model trains; an `edgekit.train.Projection`.

    names: of the parameters; bits: of a number in the file. Each has a weight behind it, which takes up what every step
    of the optimiser adds to the rounded one, and is rounded again. A weight that was zero at the beginning stays zero.
    behind: by parameter name, empty before the first epoch.
    """

    settled_from = 0

    def __init__(self, names: tuple[str, ...], bits: int) -> None:
        self.names = names
        self.bits = bits
        self.behind: dict[str, Tensor] = {}

    @torch.no_grad()
    def begin_epoch(self, module: nn.Module, epoch: int) -> None:
        """Round what is not yet rounded; later epochs go on from the weights behind."""
        for name in self.names:
            weight = module.get_parameter(name)
            behind = self.behind.setdefault(name, weight.detach().clone())
            weight.copy_(rounded(behind, self.bits))

    @torch.no_grad()
    def apply(self, module: nn.Module) -> None:
        """Hand a step on to the weights behind, and round them again, in place."""
        for name in self.names:
            weight = module.get_parameter(name)
            behind = self.behind[name].to(weight.device)
            behind = torch.where(behind == 0, behind, behind + (weight - rounded(behind, self.bits)))
            self.behind[name] = behind
            weight.copy_(rounded(behind, self.bits))

    def state_dict(self) -> dict[str, Any]:
        """The weights behind, on the CPU."""
        return {"behind": {name: weight.cpu() for name, weight in self.behind.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take those of an interrupted run."""
        self.behind = dict(state_dict["behind"])


@dataclass(frozen=True)
class FineTuned:
    """A model whose weights are rounded already, in evaluation mode, and how its training went."""

    model: RecurrentClassifier
    fit: FitResult


def fine_tune(
    model: RecurrentClassifier,
    teacher: Teachers,
    train: Takes,
    validation: Takes,
    recovery: DistillConfig,
    config: QuantizeConfig,
    *,
    augmentation: AugmentConfig | None = None,
    mix: Mix | None = None,
    seed: int = 0,
    setup: RunSetup | None = None,
) -> FineTuned:
    """Teach a model once more with its weights as a file of scheme `config.scheme` will hold them.

    model: untouched; its columns are `equalised` first. recovery: how it learns, as after pruning, from the same copies
    and synthetic people. Export the result with its standardisation explicit: folded into the weights, they would be
    rounded anew. Activations are not rounded, whatever the scheme. Raises as `distill_model` does.
    """
    tuned = equalised(model)
    fit = distill_model(
        teacher,
        tuned,
        train,
        validation,
        recovery,
        augmentation=augmentation,
        mix=None if mix is None else mix.apart(),
        seed=seed,
        setup=setup,
        projection=RoundedWeights(rounded_names(tuned, config), config.bits),
    )
    return FineTuned(tuned.eval(), fit)
