"""How long stages will take, guessed for dry runs from a few batches of each model. Imports torch."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from edgekit.data import AugmentConfig, Mix
from edgekit.data.pretraining import PretrainConfig
from edgekit.errors import ConfigError
from edgekit.model import ModelConfig
from edgekit.report import duration
from edgekit.stages.accelerator import choose_hardware
from edgekit.train import Pace, RunSetup, Takes, TrainingConfig, measure_pace
from edgekit.workdir.dataset import Dataset
from edgekit.workdir.options import Options
from edgekit.workdir.workspace import Watcher

UNKNOWN = "how long it will take can't be told in advance"


def measuring(what: str) -> str:
    """What takes some seconds before a guess. what: the model or models."""
    return f"measuring a few batches of {what}, to estimate how long training will take"


class Guesses:
    """Each model is measured once, with the batches that it is trained with first, and that is told first."""

    def __init__(
        self,
        options: Options,
        dataset: Dataset,
        build: Callable[[ModelConfig], nn.Module],
        augmentation: AugmentConfig | None,
        watcher: Watcher,
        mix: Mix | None,
    ) -> None:
        self.options = options
        self.dataset = dataset
        self.build = build
        self.augmentation = augmentation
        self.watcher = watcher
        self.mix = mix
        self._known: dict[str, Pace | None] = {}

    def training(
        self, model: ModelConfig, config: TrainingConfig, pretrain: PretrainConfig | None, before_s: float = 0.0
    ) -> str:
        """A run, for people. pretrain: a run on synthetic hands before it. before_s: what else its stage has to do."""
        pace, split = self._pace(model, config), self.dataset.split
        if pace is None:
            return UNKNOWN
        own_s = before_s + pace.training_s(self._takes, len(split.validation), config.epochs)
        pretraining_s = 0.0
        if pretrain is not None:
            pretraining_s = pace.training_s(pretrain.takes, pretrain.takes // 20, pretrain.epochs)
        return (
            f"about {duration(max(own_s + pretraining_s, 1.0))} here"
            + (f", {duration(pretraining_s)} of it pretraining" if pretraining_s else "")
            + ("" if config.early_stopping is None else f", less if it stops before epoch {config.epochs}")
        )

    def labelling_s(self, teacher: ModelConfig, config: TrainingConfig, copies: int) -> float:
        """Seconds in which a teacher answers so many copies of the training takes."""
        pace = self._pace(teacher, config)
        return 0.0 if pace is None else pace.reading_s(copies * self._takes)

    @property
    def _takes(self) -> int:
        """Of an epoch."""
        train = self.dataset.split.train
        return len(train) if self.mix is None else sum(self.mix.counts(self.dataset.labels[train]))

    def _pace(self, model: ModelConfig, config: TrainingConfig) -> Pace | None:
        key = model.model_dump_json()
        if key not in self._known:
            self.watcher.stage("guess", "trial", measuring(f"the {model.say_layers()}"))
            self._known[key] = self._measure(self.build(model), config)
        return self._known[key]

    def _measure(self, module: nn.Module, config: TrainingConfig) -> Pace | None:
        """None where a few batches on the CPU of this process tell nothing: on GPUs, in several processes, and where
        the loss is not finite."""
        hardware = choose_hardware(self.options, module, (config.batch_size, *self.dataset.x.shape[1:]))
        if hardware.cuda or hardware.accelerators > 1:
            return None
        takes = Takes(*self.dataset.part(self.dataset.split.train))
        try:
            return measure_pace(module, takes, config, self.augmentation, RunSetup(hardware=hardware), mix=self.mix)
        except ConfigError:
            return None
