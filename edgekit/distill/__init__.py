"""Knowledge distillation: a student learns from a teacher's logits and from the labels"""

from edgekit.distill.learning import (
    DistillConfig,
    distill_model,
    distillation_loss,
    teacher_objective,
    teacher_source,
)
from edgekit.distill.retention import measure_retention, require_retention
from edgekit.distill.teachers import MeanTeacher, Teachers, each_teacher

__all__ = [
    "DistillConfig",
    "MeanTeacher",
    "Teachers",
    "distill_model",
    "distillation_loss",
    "each_teacher",
    "measure_retention",
    "require_retention",
    "teacher_objective",
    "teacher_source",
]
