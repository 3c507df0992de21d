"""A model on a device that is elsewhere: how much work a prediction is, and how long it can take there."""

from edgekit.device.estimate import Estimate, estimate_latency
from edgekit.device.sources import model_work
from edgekit.device.work import UnknownWork, Work

__all__ = ["Estimate", "UnknownWork", "Work", "estimate_latency", "model_work"]
