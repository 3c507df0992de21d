"""Which hidden size, layers, dropout and learning rate: a grid, scored by cross-validation.

Loads without Optuna and Ray; `edgekit.tune.board` needs the first.
"""

from __future__ import annotations

from edgekit.results import Point, TrialResult
from edgekit.study import run_here
from edgekit.tune.settings import PruningConfig, TuneConfig
from edgekit.tune.trial import Job, hopeless, run_trial

__all__ = ["Job", "Point", "PruningConfig", "TrialResult", "TuneConfig", "hopeless", "run_here", "run_trial"]
