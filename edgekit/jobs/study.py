"""What a study is made of: what decides its numbers, where it is, and the data that its trials read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import StateError
from edgekit.workdir.differences import differences
from edgekit.workdir.extras import needs_extra
from edgekit.workdir.workspace import Workspace

if TYPE_CHECKING:
    from edgekit.config import StageConfig
    from edgekit.stages.data import StageData
    from edgekit.train import Folds, TrainingConfig
    from edgekit.tune import Job, TuneConfig

#: Settings that decide no trial's numbers: what the grid sets, what tuning replaces, and how fast it is made.
UNDECIDED: Mapping[str, set[str]] = {
    "training": {"epochs", "min_epochs", "learning_rate", "early_stopping", "lr_scheduler", "prefetch"},
    "regularization": {"dropout"},
    "model": {"hidden_size", "num_layers", "dropout"},
    "tune": {"trials"},
}


@dataclass(frozen=True)
class Study:
    """variant: whose size, layers, dropout and learning rate are tried. key: what decides the trials' numbers and which
    are stopped, JSON-ready. data: the recordings of the work directory. job: what its trials share. folds: of them."""

    path: Path
    variant: str
    config: TuneConfig
    key: Mapping[str, Any]
    data: StageData
    job: Job
    folds: Folds

    @property
    def best_file(self) -> Path:
        """Where the best point goes."""
        return self.path.with_name("best.yaml")

    def remove(self) -> None:
        """Leave nothing of an earlier one."""
        for old in (self.path, self.best_file):
            old.unlink(missing_ok=True)


def tune_config(workspace: Workspace) -> TuneConfig:
    """The section `tune`. Raises ConfigError."""
    with needs_extra("tune"):
        from edgekit.tune import TuneConfig
    return workspace.settings.section("tune", TuneConfig)


def read_before(workspace: Workspace) -> Mapping[str, Any] | None:
    """The key of the study that is there and goes on; None where there is none, or it shall be made anew. Raises
    StateError for one that is damaged."""
    with needs_extra("tune"):
        from edgekit.study.board import study_key
    return None if workspace.force else study_key(_path(workspace))


def prepare_study(data: StageData, variant: str, before: Mapping[str, Any] | None, *, alone: bool) -> Study:
    """before: see `read_before`; its sequences' length is kept. alone: whether one trial has the machine. Raises
    StateError when `before` is the key of another study."""
    workspace = data.workspace
    path, config = _path(workspace), tune_config(workspace)
    data.kept_configs = [*([before] if before else []), *data.kept_configs]
    key = _key(data, variant, config)
    refuse_mismatch(path, before, key)
    folds, part = make_folds(data, config)
    return Study(path, variant, config, key, data, make_job(data, variant, config, folds, part, alone=alone), folds)


def _path(workspace: Workspace) -> Path:
    return workspace.path / "tune" / "study.db"


def _key(data: StageData, variant: str, config: TuneConfig) -> dict[str, Any]:
    """See `Study`."""
    from edgekit.train import LossConfig, RegularizationConfig, TrainingConfig

    settings = data.workspace.settings
    sections: Mapping[str, StageConfig] = {
        "training": settings.section("training", TrainingConfig),
        "loss": settings.section("loss", LossConfig),
        "regularization": settings.section("regularization", RegularizationConfig),
        "augmentation": data.augmentation,
        "model": settings.model(variant),
        "tune": config,
    }
    decided = {name: kind.model_dump(mode="json", exclude=UNDECIDED.get(name)) for name, kind in sections.items()}
    return {**decided, "data": data.decides()["data"], "variant": variant, "seed": settings.seed}


def refuse_mismatch(path: Path, before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> None:
    """Raises StateError when `before` is the key of another study than `now`. path: of the study."""
    changes = [] if not before else differences(before, now)
    if changes:
        raise StateError(
            f"{path}: the study was made with other settings: {'; '.join(changes[:4])}. Leave these out to continue"
            " with it, give --force to start it over, or choose another --workdir"
        )


def make_folds(data: StageData, config: TuneConfig) -> tuple[Folds, NDArray[np.int64]]:
    """The training and validation parts in folds, and all takes of both, int64 indices in order; takes of the test part
    are not in them."""
    from edgekit.train import grouped_folds

    dataset = data.dataset
    part = np.sort(np.concatenate([dataset.split.train, dataset.split.validation]))
    return grouped_folds(dataset.recordings, part, config.folds, config.by, data.workspace.settings.seed), part


def make_job(
    data: StageData,
    variant: str,
    config: TuneConfig,
    folds: Folds,
    part: NDArray[np.int64],
    *,
    alone: bool = True,
) -> Job:
    """What the trials share: the takes of `part`, and `folds` as indices into them. alone: see `prepare_study`."""
    from edgekit.train import LossConfig, RegularizationConfig
    from edgekit.tune import Job

    dataset, settings = data.dataset, data.workspace.settings
    return Job(
        x=dataset.x[part],
        labels=dataset.labels[part],
        folds=tuple((np.searchsorted(part, a), np.searchsorted(part, b)) for a, b in folds.pairs),
        classes=len(dataset.class_names),
        kind=dataset.normalisation.kind,
        displacement=dataset.normalisation.displacement,
        model=settings.model(variant),
        training=_training(data, config, alone),
        loss=settings.section("loss", LossConfig),
        regularization=settings.section("regularization", RegularizationConfig),
        augmentation=data.augmented,
        seed=settings.seed,
        mix=data.mix,
    )


def _training(data: StageData, config: TuneConfig, alone: bool) -> TrainingConfig:
    """As the settings say, with what tuning replaces. A core is left for reading ahead where one trial is alone."""
    from edgekit.train import TrainingConfig

    training = data.workspace.settings.section("training", TrainingConfig)
    prefetch = False if training.prefetch == "auto" and not alone else training.prefetch
    replaced = {"prefetch": prefetch, "epochs": config.epochs, "lr_scheduler": config.lr_scheduler}
    return training.model_copy(update={**replaced, "min_epochs": 1, "early_stopping": None})
