"""The stage that trains one variant from the recordings."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from edgekit.model import ModelConfig
from edgekit.stages.context import Context
from edgekit.stages.model_stage import ModelStage
from edgekit.stages.names import train_stage_name
from edgekit.stages.training_run import deciding, leave_model, training_figures
from edgekit.train import LossConfig, RegularizationConfig, TrainingConfig, train_model
from edgekit.workdir.updates import Outcome


class TrainStage(ModelStage):
    """A variant, or `custom`, trained on labels; the teacher, unless that is from elsewhere."""

    section = "training"

    def __init__(self, context: Context, variant: str) -> None:
        super().__init__(context, train_stage_name(variant), f"models/{variant}")
        self.variant = variant

    @cached_property
    def model(self) -> ModelConfig:
        """The variant, with the section `model` on top. Raises ConfigError."""
        return self.context.settings.model(self.variant)

    @cached_property
    def training(self) -> TrainingConfig:
        """How it is trained."""
        return self.context.settings.section("training", TrainingConfig)

    def config(self) -> dict[str, Any]:
        """The settings that decide what is made, JSON-ready."""
        settings = self.context.settings
        regularization = deciding(settings.section("regularization", RegularizationConfig))
        del regularization["dropout"]  # it is in `model`
        return {
            **self.context.data.decides(),
            "model": self.model.model_dump(mode="json"),
            **self.context.starts.described(self.start),
            "training": deciding(self.training),
            "loss": deciding(settings.section("loss", LossConfig)),
            "regularization": regularization,
        }

    def guess(self) -> str:
        """How long it will take here."""
        return self.guess_training()

    def make(self) -> Outcome:
        """Train the variant."""
        context, data, settings = self.context, self.context.data, self.context.settings
        context.check_ahead()
        model = context.build(self.model)
        setup = self.setup(model)
        with setup.hardware.applied():
            self.begin(model, setup)
            result = train_model(
                model,
                data.train_takes(),
                data.validation_takes(),
                self.training,
                augmentation=data.augmented,
                mix=data.mix,
                loss=settings.section("loss", LossConfig),
                regularization=settings.section("regularization", RegularizationConfig),
                seed=settings.seed,
                setup=setup,
            )
            figures = training_figures(data, model, result, setup)
            outcome = leave_model(data.dataset, self.folder, model, result, figures)
            self.leave_onnx(model)
            return outcome
