"""What surrounds a run of the training loop: none of it changes what a run learns, but for the hardware's rounding."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgekit.train.hardware import Hardware
from edgekit.train.logs import RunLogs
from edgekit.train.progress import Listener


@dataclass(frozen=True)
class RunSetup:
    """Where a run keeps what it needs to go on, and who hears of it.

    resume_file: written after each epoch; a run that finds it goes on after the last finished epoch and ends where an
    uninterrupted one would; it is deleted at the end, unless keep_resume_file says that the caller does that. None: an
    interrupted run starts anew. listener: called after every epoch. section: of the settings, where the run's
    TrainingConfig stands, for messages. hardware: what computes; an interrupted run has to go on with the same. logs:
    where people follow the run; None: nowhere.
    """

    resume_file: Path | None = None
    listener: Listener | None = None
    section: str = "training"
    hardware: Hardware = field(default_factory=Hardware)
    logs: RunLogs | None = None
    keep_resume_file: bool = False

    def __post_init__(self) -> None:
        if self.resume_file is not None:
            object.__setattr__(self, "resume_file", Path(self.resume_file))
