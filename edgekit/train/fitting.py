"""`fit`: the one way into the training loop. Lightning, which takes seconds to import, comes with the first run."""

from __future__ import annotations

from torch import nn

from edgekit.errors import ConfigError
from edgekit.train.frameworks import import_lightning
from edgekit.train.losses import Objective
from edgekit.train.projection import Projection
from edgekit.train.result import FitResult
from edgekit.train.settings import TrainingConfig
from edgekit.train.setup import RunSetup
from edgekit.train.takes import EpochSource, Takes


def fit(
    module: nn.Module,
    source: EpochSource,
    validation: Takes,
    objective: Objective,
    config: TrainingConfig,
    *,
    seed: int = 0,
    weight_decay: float = 0.0,
    projection: Projection | None = None,
    setup: RunSetup | None = None,
) -> FitResult:
    """Train `module` in place and leave it in evaluation mode with the weights of the best epoch, or of the last where
    config.keep says so. edgekit's own models then know how many frames they were trained on.

    Best is the highest validation accuracy, then the lowest validation loss. weight_decay applies to the kernels of
    linear layers only. projection: what stays true of the weights after every step, and so of the weights that are
    left.

    Raises InterruptedRunError on Ctrl-C, ConfigError when a batch's loss or gradients are no longer finite, before the
    optimiser's step, or the projection settles after the last epoch, StateError when the resume file does not fit.
    """
    setup = setup or RunSetup()
    setup.hardware.check(config.batch_size)
    settled_from = 0 if projection is None else projection.settled_from
    if settled_from >= config.epochs:
        raise ConfigError(f"training.epochs: {config.epochs} are not enough, the weights settle after {settled_from}")
    import_lightning()
    from edgekit.train.loop import run_epochs

    return run_epochs(module, source, validation, objective, config, seed, weight_decay, projection, setup)
