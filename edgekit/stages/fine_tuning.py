"""Fine-tuning of the pruned model with rounded weights: when it is due, on what it trains, and what it leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.artifacts import sha256_file, write_text
from edgekit.config import build
from edgekit.distill import DistillConfig
from edgekit.model import save_model
from edgekit.quantize import ChainQuantizeConfig, QuantizeConfig
from edgekit.quantize.fine_tuning import FineTuned, fine_tune
from edgekit.results import FineTuning, Int8Loss, UsedHardware
from edgekit.stages.no_sign import Knowing, know_no_sign
from edgekit.stages.prune import PruneStage
from edgekit.stages.training_run import export_model, run_setup
from edgekit.train import CSV_NAME, Hardware, TrainingConfig, csv_text

WEIGHTS = "model.safetensors"


def why_due(config: ChainQuantizeConfig, loss: Int8Loss) -> str:
    """Why the model has to learn once more; empty where it has not. loss: of the rounded file against fp32."""
    if config.fine_tuning == "always":
        return "asked for"
    if config.fine_tuning == "never" or not config.loses_too_much(loss.flips):
        return ""
    lost, allowed = 100 * loss.flips.drop, 100 * config.allowed_loss
    return f"rounding loses {lost:.2f} points on validation takes, more than {allowed:g}"


@dataclass(frozen=True)
class Tuned:
    """What one fine-tuning came to, before it is written."""

    found: FineTuned
    hardware: Hardware
    knowing: Knowing

    def figures(self, config: QuantizeConfig, reason: str, before: Int8Loss, after: Int8Loss, kept: bool) -> FineTuning:
        """For the record."""
        fit = self.found.fit
        return FineTuning(
            bits=config.bits,
            reason=reason,
            before=before,
            after=after,
            kept=kept,
            epochs=len(fit.history),
            best_epoch=fit.best_epoch,
            elapsed_s=fit.elapsed_s,
            hardware=UsedHardware(**self.hardware.to_dict()),
        )


class FineTuner:
    """Fine-tunes the pruned model of a workspace, at most once for each number of bits."""

    def __init__(self, pruned: PruneStage, config: ChainQuantizeConfig) -> None:
        self.pruned = pruned
        self.context = pruned.context
        self.config = config
        self._known: dict[int, Tuned] = {}

    @property
    def recovery(self) -> DistillConfig:
        """As after pruning, for epochs and at a learning rate of its own; the best epoch's weights are kept, since
        rounding makes single epochs jump. Raises ConfigError."""
        recovery = self.pruned.prune.recovery
        own = {
            "epochs": self.config.epochs,
            "learning_rate": self.config.learning_rate,
            "keep": "best",
            "min_epochs": 1,
        }
        training = build(TrainingConfig, {**recovery.training.model_dump(), **own}, "quantize")
        return recovery.model_copy(update={"training": training})

    def tuned(self, config: QuantizeConfig) -> Tuned:
        """Of so many bits; schemes that round alike share it."""
        if config.bits not in self._known:
            self._known[config.bits] = self._tune(config)
        return self._known[config.bits]

    def _tune(self, config: QuantizeConfig) -> Tuned:
        context, recovery, model = self.context, self.recovery, self.pruned.load()
        data, name = context.data, f"fine-tune int{config.bits}"
        teacher = self.pruned.teacher.module()
        setup = run_setup(
            context.workspace,
            data.dataset,
            name,
            self._key(config, recovery),
            model,
            section="quantize",
            batch_size=recovery.training.batch_size,
        )
        with setup.hardware.applied():
            found = fine_tune(
                model,
                teacher,
                data.train_takes(),
                data.validation_takes(),
                recovery,
                config,
                augmentation=data.augmented,
                mix=data.mix,
                seed=context.settings.seed,
                setup=setup,
            )
        return Tuned(found, setup.hardware, know_no_sign(context, found.model))

    def _key(self, config: QuantizeConfig, recovery: DistillConfig) -> dict[str, Any]:
        """What decides the outcome; a run interrupted under another one is not gone on with."""
        said = {"bits": config.bits, "min_elements": config.min_elements, "recovery": recovery.model_dump(mode="json")}
        return {**said, **self.context.workspace.outputs(self.pruned.name)}

    def leave(self, tuned: Tuned, folder: Path) -> tuple[Path, ...]:
        """Weights, description and log in `folder`, and an ONNX file beside them, which is no output, since it can be
        written again. Returns the outputs; `folder / "model.onnx"` is what rounded files are made from."""
        data, model = self.context.data, tuned.found.model
        files = save_model(model, folder, data.dataset.class_names)
        log = write_text(folder / CSV_NAME, csv_text(tuned.found.fit.history))
        origin = self.pruned.origin
        own = replace(origin, parents=(sha256_file(self.pruned.weights), *origin.parents))
        known = tuned.knowing
        export_model(data, known.model, folder / WEIGHTS, folder / "model.onnx", own, no_sign=known.rule)
        return (*files, log)
