"""A model file that reads one frame a run: written from one that reads takes, and proven against it."""

from edgekit.stepping.writing import write_step_model

__all__ = ["write_step_model"]
