"""A model on a device that is elsewhere: how much work a prediction is, and how long it can take there."""

from edgekit.device.estimate import Estimate, estimate_latency, network_kind
from edgekit.device.sources import model_work
from edgekit.device.transfer import Band, latency_band
from edgekit.device.work import UnknownWork, Work

__all__ = ["Band", "Estimate", "UnknownWork", "Work", "estimate_latency", "latency_band", "model_work", "network_kind"]
