"""Which hidden size, layers, dropout and learning rate: a grid, scored by cross-validation.

Loads without Optuna and Ray; `edgekit.train.tuning.board` needs the first, `edgekit.train.tuning.cluster` both.
"""

from __future__ import annotations

from edgekit.train.tuning.local import run_here
from edgekit.train.tuning.settings import Point, PruningConfig, TuneConfig
from edgekit.train.tuning.trial import Job, TrialResult, hopeless, run_trial

__all__ = ["Job", "Point", "PruningConfig", "TrialResult", "TuneConfig", "hopeless", "run_here", "run_trial"]
