"""The stage that exports the pruned model to ONNX and rounds its weights, to the scheme said or the one that pays."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from edgekit.artifacts import scratch_folder, write_bytes
from edgekit.bench import CompareConfig
from edgekit.export import Standardisation, verify_parity
from edgekit.model import RecurrentClassifier
from edgekit.quantize import ChainQuantizeConfig, QuantizeResult, check_cell, quantize_onnx
from edgekit.quantize.choosing import Candidate, Limits, candidates_for, keep_small, measure_and_choose
from edgekit.quantize.gates import int8_loss, least_lossy_standardisation
from edgekit.quantize.settings import Scheme
from edgekit.results import FineTuning, Int8Loss, QuantizationFigures, SchemeChoice
from edgekit.stages.fine_tuning import FineTuner, Tuned, why_due
from edgekit.stages.names import FP32_NAME, INT4_NAME, INT8_NAME, QUANTIZED, file_of_scheme
from edgekit.stages.no_sign import NO_SIGN_RECIPE, Knowing, know_no_sign
from edgekit.stages.prune import PruneStage
from edgekit.stages.training_run import export_model
from edgekit.train import ALONE
from edgekit.workdir.updates import Outcome, Stage


@dataclass(frozen=True)
class Form:
    """The pruned model with rounded weights: its file, what it loses against fp32, and what fine-tuning did to it."""

    scheme: Scheme
    quantized: QuantizeResult
    loss: Int8Loss
    tuned: Tuned | None = None
    tuning: FineTuning | None = None

    @property
    def kept(self) -> Tuned | None:
        """What fine-tuning came to, where the file has it."""
        return self.tuned if self.tuning is not None and self.tuning.kept else None


@dataclass(frozen=True)
class Left:
    """The rounded file of the finished stage. bits: of a stored weight. tuned: whether it was fine-tuned."""

    file: Path
    bits: int
    tuned: bool


class QuantizeStage(Stage):
    """The ONNX files of the pruned model, fp32 and with rounded weights; a matter of seconds, unless it learns once
    more."""

    name = QUANTIZED
    recipe = 5

    def __init__(self, pruned: PruneStage) -> None:
        self.pruned = pruned
        self.context = pruned.context
        self.gates = self.context.gates
        self.workspace = self.context.workspace
        self.fp32, self.folder = self.workspace.path / FP32_NAME, self.workspace.path / "fine-tuned"
        record = self.workspace.record(self.name)
        self.trains = record is not None and record.metrics.get("tuning") is not None

    @cached_property
    def quantize(self) -> ChainQuantizeConfig:
        """How it is quantised."""
        return self.context.settings.section("quantize", ChainQuantizeConfig)

    @cached_property
    def tuner(self) -> FineTuner:
        """Who fine-tunes it."""
        return FineTuner(self.pruned, self.quantize)

    @property
    def upstream(self) -> tuple[str, ...]:
        """The stage that prunes."""
        return (self.pruned.name,)

    def config(self) -> dict[str, Any]:
        """The settings that decide what is made, JSON-ready; gates that only judge it change no file."""
        deciding = {"max_parity_difference"}
        deciding |= {"max_accuracy_drop", "accuracy_drop_margin"} if self.quantize.scheme == "auto" else set()
        gates = self.gates.model_dump(mode="json", include=deciding)
        said = {"quantize": self.quantize.model_dump(mode="json"), "gates": gates}
        return said | ({} if self.context.data.letters is None else {"no_sign": NO_SIGN_RECIPE})

    def inputs(self) -> dict[str, str]:
        """The pruned model's files."""
        return self.workspace.outputs(self.pruned.name)

    def check_scheme(self) -> None:
        """Raises ConfigError when the student's cell can't have the quantisation scheme, before it is trained."""
        check_cell(self.quantize.scheme, self.pruned.student.model.type, "student")
        _ = self.tuner.recovery

    def guess(self) -> str:
        """How long fine-tuning will take here, where it is certain."""
        if self.quantize.fine_tuning != "always":
            return ""
        recovery = self.tuner.recovery
        labelling_s = self.pruned.teacher.labelling_s(recovery)
        return self.context.guesses.training(self.pruned.model, recovery.training, None, labelling_s)

    def run(self) -> Outcome:
        """Make it, set up before anything is computed: nothing that this process did or was told before has a say."""
        with ALONE.applied():
            return self.make()

    def make(self) -> Outcome:
        """Export the way that loses least when rounded, round, and choose where the scheme is auto."""
        data, choice = self.context.data, self.earlier_choice() or self._kept_small()
        knowing = self.knowing
        schemes = self._schemes(choice)
        takes, class_names = data.validation_takes(), data.dataset.class_names
        config = self.quantize.of_file("int8-weights" if self.quantize.scheme == "auto" else self.quantize.scheme)
        chosen, trials = (
            ("explicit", {})
            if choice is not None and not choice.trials
            else least_lossy_standardisation(self.export, config, self.gates, takes, class_names)
        )
        self.export(self.fp32, chosen)
        parity = verify_parity(knowing.model, self.fp32, takes.x, self.gates.max_parity_difference)
        with scratch_folder("forms") as folder:
            form: Form | None = None
            if self.quantize.scheme == "auto" and choice is None:
                choice, form = self._choose(schemes, folder)
            elif schemes:
                form = self._form(schemes[0], self._target(schemes[0]), folder)
            outputs, quantized = self._leave(form)
        figures = QuantizationFigures(
            standardisation=chosen,
            standardisation_trials=trials,
            parity=parity,
            int8=None if form is None else form.loss,
            quantized=quantized,
            tuning=None if form is None else form.tuning,
            choice=choice,
            no_sign=self._left_knowing(form).figures,
        )
        return Outcome(outputs, figures)

    @cached_property
    def knowing(self) -> Knowing:
        """The pruned model, and when it says that nobody signs."""
        found = know_no_sign(self.context, self.pruned.load())
        if found.note:
            self._note(found.note)
        return found

    def export(self, target: Path, standardisation: Standardisation = "explicit") -> RecurrentClassifier:
        """Write the fp32 ONNX file of the model that is rounded to `target`; returns that model."""
        known, pruned = self.knowing, self.pruned
        export_model(self.context.data, known.model, pruned.weights, target, pruned.origin, standardisation, known.rule)
        return known.model

    def left(self) -> Left | None:
        """What the finished stage left beside the fp32 file; None where that is for the device."""
        figures = self.workspace.finished(self.name, QuantizationFigures).figures
        if figures.quantized is None:
            return None
        tuned = figures.tuning is not None and figures.tuning.kept
        bits = 4 if figures.scheme == "int4-weights" else 8
        return Left(self._target(figures.scheme), bits, tuned)

    def earlier_choice(self) -> SchemeChoice | None:
        """What was chosen from the same model by the same settings, on whatever machine, where only files have to be
        made again; None where there is no such choice, or it shall be made anew."""
        record = self.workspace.record(self.name)
        if record is None or self.workspace.force or record.recipe != self.recipe:
            return None
        if record.config != self.config() or record.inputs != self.inputs():
            return None
        made = self.workspace.finished(self.name, QuantizationFigures).figures.choice
        if made is not None:
            self._note(f"{made.scheme}, as chosen before; --force measures and chooses anew")
        return made

    def _kept_small(self) -> SchemeChoice | None:
        """fp32, where the scheme is auto and no weight is large enough for another form."""
        if self.quantize.scheme != "auto":
            return None
        with scratch_folder("forms") as folder:
            self.export(folder / FP32_NAME, "explicit")
            choice = keep_small(folder / FP32_NAME, self.quantize.min_elements)
        if choice is not None:
            self._note(f"{choice.scheme}: {choice.reason}")
        return choice

    def _schemes(self, choice: SchemeChoice | None) -> tuple[Scheme, ...]:
        """What has to be made: one scheme, or all that apply, or with a choice of fp32 none."""
        if choice is None and self.quantize.scheme != "auto":
            return (self.quantize.scheme,)
        found = candidates_for(self.pruned.model.type)
        return found if choice is None else tuple(each for each in found if each == choice.scheme)

    def _choose(self, schemes: Sequence[Scheme], folder: Path) -> tuple[SchemeChoice, Form | None]:
        """folder: where the candidates are made."""
        compare = self.context.settings.section("compare", CompareConfig)
        forms = {scheme: self._form(scheme, folder / f"{scheme}.onnx", folder) for scheme in schemes}
        candidates: dict[str, Candidate] = {
            s: Candidate(form.quantized.target, form.loss, form.tuning) for s, form in forms.items()
        }
        self.workspace.watcher.stage(self.name, "trial", f"timing {', '.join(('fp32', *schemes))} side by side")
        x = self.context.data.validation_takes().x
        choice = measure_and_choose(self.fp32, candidates, x, Limits(self.gates, self.quantize), compare)
        self._note(f"{choice.scheme}: {choice.reason}")
        return choice, next((form for form in forms.values() if form.scheme == choice.scheme), None)

    def _form(self, scheme: Scheme, target: Path, folder: Path) -> Form:
        """The model in a scheme at `target`; or in `folder`, where it was fine-tuned and is better by that."""
        config = self.quantize.of_file(scheme)
        plain = quantize_onnx(self.fp32, target, config)
        before = self._loss(target)
        reason = why_due(self.quantize, before)
        if not reason:
            return Form(scheme, plain, before)
        self._note(f"{scheme} learns once more under the teacher: {reason}")
        tuned, place = self.tuner.tuned(config), folder / f"tuned-{scheme}"
        self.tuner.leave(tuned, place)
        again = quantize_onnx(place / FP32_NAME, place / file_of_scheme(scheme), config)
        after = self._loss(again.target)
        kept = self.quantize.fine_tuning == "always" or after.flips.drop <= before.flips.drop
        tuning = tuned.figures(config, reason, before, after, kept)
        return Form(scheme, again if kept else plain, after if kept else before, tuned, tuning)

    def _loss(self, file: Path) -> Int8Loss:
        """Of a rounded file against fp32, on validation takes."""
        data = self.context.data
        return int8_loss(self.fp32, file, data.validation_takes(), data.dataset.class_names)

    def _leave(self, form: Form | None) -> tuple[tuple[Path, ...], QuantizeResult | None]:
        """The form in its place, and nothing of another one. Returns the stage's outputs, and what was rounded."""
        if form is None:
            self._clear(self.fp32, None)
            return (self.fp32,), None
        target, kept, made = self._target(form.scheme), form.kept, form.quantized
        files = () if kept is None else self.tuner.leave(kept, self.folder)
        if made.target != target:
            write_bytes(target, made.target.read_bytes())
        self._clear(target, kept)
        source = self.fp32 if kept is None else self.folder / FP32_NAME
        return (self.fp32, target, *files), replace(made, source=source, target=target)

    def _left_knowing(self, form: Form | None) -> Knowing:
        """Of the model that the file for the device is of."""
        return self.knowing if form is None or form.kept is None else form.kept.knowing

    def _clear(self, target: Path, kept: Tuned | None) -> None:
        for name in {INT8_NAME, INT4_NAME} - {target.name}:
            (self.workspace.path / name).unlink(missing_ok=True)
        if kept is None and self.folder.exists():
            shutil.rmtree(self.folder)

    def _target(self, scheme: str) -> Path:
        return self.workspace.path / file_of_scheme(scheme)

    def _note(self, text: str) -> None:
        self.workspace.watcher.stage(self.name, "note", text)
