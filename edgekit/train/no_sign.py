"""A finished classifier learns to tell that nobody signs, and keeps every answer that it gives.

A number that is added to all logits of a take changes no probability, only the logarithm of the sum of their
exponentials, which is called their energy. A linear function of what the output layer reads is such a number, and the
output layer can hold it: the same weights and the same bias are added to those of every class. They are fitted so that
energy is the log odds, up to its scale, of a sign against none.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.data import NOTHING, AugmentConfig, Mix, augment
from edgekit.data.disturbing import disturb
from edgekit.errors import ShapeError
from edgekit.evaluate import sign_scores
from edgekit.model import RecurrentClassifier, predict_logits
from edgekit.runtime import Rejection
from edgekit.train.takes import Takes

F32 = NDArray[np.float32]

#: Weight of the squared, standardised coefficients, in nats.
SHRINKING = 1e-2
#: Part of the takes that a threshold may cost, which were read rightly before.
COST = 0.005
ITERATIONS = 150
#: Takes of each kind that a shift is fitted on, at most and at least; recorded ones are drawn, each counts twice.
MOST_TAKES, LEAST_TAKES = 4000, 200
#: Keeps the random numbers apart from those of trainings with the same seed.
STREAM = 0x5167
#: Spread of an input of the output layer below which it says nothing.
LEAST_SPREAD = 1e-3


@dataclass(frozen=True, eq=False)
class Shift:
    """What is added to every logit: bias + sum of weights float64 (inputs of the output layer,) times these inputs."""

    weights: NDArray[np.float64]
    bias: float


def takes_to_fit_on(train: F32, mix: Mix, augmentation: AugmentConfig | None, seed: int) -> tuple[F32, F32]:
    """Takes that sign and takes that don't, for `fit_shift`: recorded ones as they are and spoiled, synthetic people's,
    and hands that sign nothing. train float32 (takes, time, 63). mix: which letters the classes are.

    Spoiled are those that sign alone: jumps and lost frames are no evidence that nobody signs.
    """
    rng = np.random.default_rng((seed, STREAM))
    own = train[rng.permutation(len(train))[:MOST_TAKES]]
    count = int(np.clip(len(train), LEAST_TAKES, MOST_TAKES))
    people = Mix(mix.signs, length=mix.length, stream=STREAM)
    synthetic, _ = people.new_takes(count, train.shape[1], seed, 0)
    both = Mix((*mix.signs, *([NOTHING] * len(mix.signs))), length=mix.length, stream=STREAM + 1)
    hands, labels = both.new_takes(2 * count, train.shape[1], seed, 0)
    nothing = hands[labels >= len(mix.signs)]

    def varied(x: F32) -> F32:
        return x if augmentation is None else augment(x, augmentation, rng)

    signs = np.concatenate([own, disturb(varied(own), rng), disturb(varied(synthetic), rng)])
    return signs, varied(nothing)


def fit_shift(model: RecurrentClassifier, signs: F32, nothing: F32) -> Shift | None:
    """From takes float32 (takes, time, features) that sign and such that don't; both count alike in all. None where
    energy is no evidence of a sign. Raises ShapeError where one of the two is empty."""
    if not len(signs) or not len(nothing):
        raise ShapeError(f"fit_shift: {len(signs)} takes that sign, {len(nothing)} that don't; expected some of both")
    return shift_between(_read(model, signs), _read(model, nothing))


def shift_between(signs: tuple[Tensor, Tensor], nothing: tuple[Tensor, Tensor]) -> Shift | None:
    """Logistic regression on the energy and the standardised inputs of the output layer, these shrunk. None where
    energy is no evidence of a sign, so that it can't be its measure.

    signs, nothing: inputs of the output layer float64 (takes, inputs) and energies of the logits float64 (takes,).
    """
    inputs, energy = torch.cat([signs[0], nothing[0]]), torch.cat([signs[1], nothing[1]])
    mean, spread = inputs.mean(dim=0), inputs.std(dim=0).add(LEAST_SPREAD)
    right = torch.cat([torch.ones(len(signs[0])), torch.zeros(len(nothing[0]))]).double()
    counts = torch.where(right > 0, 0.5 / len(signs[0]), 0.5 / len(nothing[0]))
    found = _regression(torch.cat([(inputs - mean) / spread, energy[:, None]], dim=1), right, counts)
    weights, scale, bias = found[:-2] / spread, float(found[-2]), found[-1]
    if scale <= 0:
        return None
    return Shift((weights / scale).numpy(), float(bias - (weights * mean).sum()) / scale)


def shifted(model: RecurrentClassifier, shift: Shift) -> RecurrentClassifier:
    """A copy that adds it to every logit."""
    made = copy.deepcopy(model)
    with torch.no_grad():
        made.output.weight.add_(torch.from_numpy(shift.weights).to(made.output.weight))
        made.output.bias.add_(shift.bias)
    return made


def find_rule(model: RecurrentClassifier, takes: Takes, found_on: str, cost: float = COST) -> Rejection | None:
    """`rule_for` what a model answers to the takes."""
    return rule_for(predict_logits(model, takes.x), takes.labels, found_on, cost)


def rule_for(logits: F32, labels: NDArray[np.int64], found_on: str, cost: float = COST) -> Rejection | None:
    """The highest threshold of the energy that rejects at most `cost` of the takes, counting those that are read
    rightly. None where none is. logits float32 (takes, classes), labels int64 (takes,)."""
    energies = np.sort(sign_scores(logits, "energy")[logits.argmax(axis=1) == labels])
    if not len(energies):
        return None
    most = min(int(cost * len(labels)), len(energies) - 1)
    return Rejection("energy", float(energies[most]), found_on, most / len(labels))


def _read(model: RecurrentClassifier, x: F32) -> tuple[Tensor, Tensor]:
    """What the output layer reads of takes, and the energy of their logits, float64 (takes, inputs) and (takes,)."""
    kept: list[Tensor] = []
    hook = model.output.register_forward_hook(lambda module, given, logits: kept.append(given[0]))
    try:
        logits = predict_logits(model, x)
    finally:
        hook.remove()
    energy = torch.logsumexp(torch.from_numpy(logits).double(), dim=1)
    return torch.cat(kept).double().cpu(), energy


def _regression(inputs: Tensor, right: Tensor, counts: Tensor) -> Tensor:
    """Coefficients of the inputs float64 (takes, n), the last of which is not shrunk, and of a constant: (n + 1,)."""
    found = torch.zeros(inputs.shape[1] + 1, dtype=torch.float64)
    found[-2] = 1.0
    found.requires_grad_(True)
    optimiser = torch.optim.LBFGS([found], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        odds = inputs @ found[:-1] + found[-1]
        each = nn.functional.binary_cross_entropy_with_logits(odds, right, reduction="none")
        whole: Tensor = (counts * each).sum() + SHRINKING * found[:-2].square().sum()
        whole.backward()
        return whole

    optimiser.step(lambda: float(loss().detach()))
    return found.detach()
