"""Files learn when nobody signs, where their classes are letters: that for the device, and those beside weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.data import AugmentConfig, Mix
from edgekit.evaluate import strong_answers
from edgekit.model import RecurrentClassifier, predict_logits
from edgekit.results import NoSign
from edgekit.runtime import Rejection
from edgekit.stages.context import Context
from edgekit.train import Takes
from edgekit.train.no_sign import find_rule, fit_shift, shifted, takes_to_fit_on

#: How it is done; another number where files come out otherwise.
NO_SIGN_RECIPE = 1
#: A rule that tells fewer of synthetic hands that sign nothing is none.
LEAST_TOLD = 0.5


@dataclass(frozen=True, eq=False)
class Knowing:
    """A model, and when its answers are no sign. note: why there is no rule; "" where nothing is to be said."""

    model: RecurrentClassifier
    rule: Rejection | None = None
    figures: NoSign | None = None
    note: str = ""


def know_no_sign(context: Context, model: RecurrentClassifier) -> Knowing:
    """The model with logits shifted so that their energy tells a sign from none, and the threshold; as it is where the
    settings or the classes want none, or where too little is told. All its answers stay."""
    data = context.data
    if data.letters is None:
        return Knowing(model)
    seed = context.settings.seed
    return learn_no_sign(model, data.train_takes(), data.known_takes(), data.letters, data.augmented, seed)


def learn_no_sign(
    model: RecurrentClassifier, train: Takes, known: Takes, letters: Mix, augmentation: AugmentConfig | None, seed: int
) -> Knowing:
    """See `know_no_sign`. train: takes that it is fitted on; known: those that the threshold is found on."""
    signs, nothing = takes_to_fit_on(train.x, letters, augmentation, seed)
    shift = fit_shift(model, signs, nothing)
    if shift is None:
        return Knowing(model, note=_none("energy is no evidence of a sign"))
    made = shifted(model, shift)
    rule = find_rule(made, known, f"{len(known)} takes of training and validation")
    if rule is None:
        return Knowing(model, note=_none("no take is read rightly"))
    told = float(1.0 - np.mean(strong_answers(predict_logits(made, nothing), rule)))
    if told < LEAST_TOLD:
        return Knowing(model, note=_none(f"it would tell {told:.0%} of hands that sign nothing"))
    return Knowing(made, rule, NoSign(rule.threshold, len(known), rule.lost, told))


def _none(reason: str) -> str:
    return f"this model can't tell when nobody signs: {reason}"
