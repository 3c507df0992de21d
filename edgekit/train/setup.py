"""What surrounds a run of the training loop: none of it changes what an uninterrupted run on this machine learns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.train.progress import Listener


@dataclass(frozen=True)
class RunSetup:
    """Where a run keeps what it needs to go on, and who hears of it.

    resume_file: written after each epoch; a run that finds it goes on after the last finished epoch and ends where an
    uninterrupted one would; it is deleted at the end. None: an interrupted run starts anew. listener: called after
    every epoch. section: of the settings, where the run's TrainingConfig stands, for messages.
    """

    resume_file: Path | None = None
    listener: Listener | None = None
    section: str = "training"
