"""The stage that exports the pruned model to ONNX and quantises it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from edgekit.export import verify_parity
from edgekit.quantize import QuantizeConfig, check_cell, quantize_onnx
from edgekit.quantize.gates import int8_loss, least_lossy_standardisation
from edgekit.results import QuantizationFigures
from edgekit.stages.names import QUANTIZED
from edgekit.stages.prune import PruneStage
from edgekit.train import ALONE
from edgekit.workdir.updates import Outcome, Stage


class QuantizeStage(Stage):
    """The two ONNX files of the pruned model, fp32 and INT8; a matter of seconds."""

    name = QUANTIZED
    recipe = 3
    trains = False

    def __init__(self, pruned: PruneStage) -> None:
        self.pruned = pruned
        self.context = pruned.context
        self.gates = self.context.gates
        folder = self.context.workspace.path
        self.fp32, self.int8 = folder / "model.onnx", folder / "model.int8.onnx"

    @cached_property
    def quantize(self) -> QuantizeConfig:
        """How it is quantised."""
        return self.context.settings.section("quantize", QuantizeConfig)

    @property
    def upstream(self) -> tuple[str, ...]:
        """The stage that prunes."""
        return (self.pruned.name,)

    def config(self) -> dict[str, Any]:
        """The settings that decide what is made, JSON-ready."""
        gates = self.gates.model_dump(mode="json", exclude={"min_retention"})  # which judges, and changes no file
        return {"quantize": self.quantize.model_dump(mode="json"), "gates": gates}

    def inputs(self) -> dict[str, str]:
        """The pruned model's files."""
        return self.context.workspace.outputs(self.pruned.name)

    def check_scheme(self) -> None:
        """Raises ConfigError when the student's cell can't have the quantisation scheme, before it is trained."""
        check_cell(self.quantize.scheme, self.pruned.student.model.type, "student")

    def run(self) -> Outcome:
        """Make it, set up before anything is computed: nothing that this process did or was told before has a say."""
        with ALONE.applied():
            return self.make()

    def make(self) -> Outcome:
        """Export the way that loses least in INT8, and quantise."""
        data = self.context.data
        takes, class_names = data.validation_takes(), data.dataset.class_names
        chosen, trials = least_lossy_standardisation(self.pruned.export, self.quantize, self.gates, takes, class_names)
        model = self.pruned.export(self.fp32, chosen)
        figures = QuantizationFigures(
            standardisation=chosen,
            standardisation_trials=trials,
            parity=verify_parity(model, self.fp32, takes.x, self.gates.max_parity_difference),
            quantized=quantize_onnx(self.fp32, self.int8, self.quantize),
            int8=int8_loss(self.fp32, self.int8, takes, class_names),
        )
        return Outcome((self.fp32, self.int8), figures)
