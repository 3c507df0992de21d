"""The supervised losses."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from edgekit.train.settings import LossConfig

#: (logits float32 (batch, classes), labels int64 (batch,)) to a scalar, the mean over the batch, in nats.
Loss = Callable[[Tensor, Tensor], Tensor]
#: (logits float32 (batch, classes), batch: x, labels int64 (batch,) and what else the epoch holds) to a scalar in nats,
#: a mean over the batch: several processes weigh what their shares of a batch give by the number of takes. One that
#: is a module learns along with the model.
Objective = Callable[[Tensor, tuple[Tensor, ...]], Tensor]


def supervised_loss(config: LossConfig) -> Loss:
    """The loss that `config` names.

    categorical_crossentropy: against y * (1 - e) + e / classes, e the label smoothing (Szegedy et al. 2016, section 7).
    focal: see `focal_loss`.
    """
    smoothing, alpha, gamma = config.label_smoothing, config.alpha, config.gamma
    if alpha is None or gamma is None:
        return lambda logits, labels: nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    return lambda logits, labels: focal_loss(logits, labels, alpha, gamma, smoothing)


def focal_loss(
    logits: Tensor, labels: Tensor, alpha: float = 0.25, gamma: float = 2.0, label_smoothing: float = 0.0
) -> Tensor:
    """Mean over the batch of sum_k alpha * y_k * (1 - p_k)^gamma * -log p_k, in nats.

    logits float32 (batch, classes), p their softmax; labels int64 (batch,); y the labels, smoothed to
    y * (1 - e) + e / classes. gamma 0 and alpha 1: cross-entropy. Finite, with a finite gradient, for all finite
    logits: log p comes from log_softmax, 1 - p from -expm1(log p). Source: Lin et al. 2017, equation 5, over all
    classes as in Keras's CategoricalFocalCrossentropy.
    """
    classes = logits.shape[1]
    log_p = torch.log_softmax(logits, dim=1)
    missing = (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).tiny)  # 0 has no slope for gamma below 1
    target = (
        nn.functional.one_hot(labels, classes).to(log_p.dtype) * (1.0 - label_smoothing) + label_smoothing / classes
    )
    return -(alpha * target * missing**gamma * log_p).sum(dim=1).mean()
