"""Which student, how much pruned and how quantised: students under one teacher, and what they cost on a device.

Loads without Optuna; `edgekit.search.board` needs it.
"""

from __future__ import annotations

from edgekit.search.answers import TeacherAnswers, remember_answers
from edgekit.search.settings import SearchConfig, StoppingConfig
from edgekit.search.trial import SearchTask

__all__ = ["SearchConfig", "SearchTask", "StoppingConfig", "TeacherAnswers", "remember_answers"]
