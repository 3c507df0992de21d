"""What people follow a run by: a CSV that grows by a row an epoch, and TensorBoard's files.

Neither has a say in what is learned. `tensorboard --logdir FOLDER` shows the files of all runs below a folder. What
writes them while a run goes on is in `edgekit.train.loggers`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field
from torch import Tensor

from edgekit.config import StageConfig
from edgekit.train.progress import Epoch

CSV_NAME = "training_log.csv"


class LogConfig(StageConfig):
    """What TensorBoard gets. The CSV log is always written."""

    tensorboard: bool = Field(default=True, description="whether files for TensorBoard are written")
    histogram_every: int = Field(default=1, ge=0, description="epochs between histograms of every weight; 0: none")
    graph: bool = Field(default=True, description="whether the model's graph is among them")


@dataclass(frozen=True)
class RunLogs:
    """folder: of this run alone. class_names: of the labels, in order; empty: numbers stand for them."""

    folder: Path
    config: LogConfig = field(default_factory=LogConfig)
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))


def csv_text(history: Sequence[Epoch], header: bool = True) -> str:
    """One row an epoch, as in `edgekit.train.Epoch`, six significant digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(Epoch.__dataclass_fields__), lineterminator="\n")
    if header:
        writer.writeheader()
    for epoch in history:
        writer.writerow({key: f"{value:.6g}" for key, value in epoch.to_dict().items()})
    return text.getvalue()


def class_accuracies(confusion: Tensor, class_names: Sequence[str] = ()) -> dict[str, float]:
    """Accuracy (recall) of each class that has takes, by name; a class without a name is called by its number.

    confusion: (classes, classes), row the true class, column the predicted one, counts of takes.
    """
    takes, right = confusion.sum(dim=1).tolist(), confusion.diagonal().tolist()
    names = [*class_names, *map(str, range(len(class_names), len(takes)))]
    return {name: right[k] / takes[k] for k, name in enumerate(names[: len(takes)]) if takes[k]}
