"""The stages of a workspace by name, in order. Imports torch; needs the extra `train`."""

from __future__ import annotations

from functools import cached_property

from edgekit.model import VARIANTS
from edgekit.results import Record
from edgekit.stages.context import Context
from edgekit.stages.distill import DistillStage
from edgekit.stages.model_stage import ModelStage
from edgekit.stages.names import PRUNED, QUANTIZED, STUDENT
from edgekit.stages.preflight import epochs_elsewhere
from edgekit.stages.prune import PruneStage
from edgekit.stages.quantize import QuantizeStage
from edgekit.stages.teacher import Teacher
from edgekit.stages.train import TrainStage
from edgekit.workdir.settings import CUSTOM
from edgekit.workdir.updates import Stage, Updates
from edgekit.workdir.workspace import Workspace


class Stages:
    """All stages of one workspace, built when asked for."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.context = Context(workspace)
        self.data = self.context.data

    @cached_property
    def teacher(self) -> Teacher:
        """The teacher that the settings name."""
        return Teacher(self.context)

    @cached_property
    def student(self) -> DistillStage:
        """The stage that distils."""
        return DistillStage(self.context, self.teacher)

    @cached_property
    def pruned(self) -> PruneStage:
        """The stage that prunes."""
        return PruneStage(self.student)

    @cached_property
    def quantized(self) -> QuantizeStage:
        """The stage that quantises."""
        return QuantizeStage(self.pruned)

    @cached_property
    def table(self) -> dict[str, Stage]:
        """Every stage by name, those that train variants first."""
        own = self.teacher.own
        for stage in (self.student,) if own is None else (own, self.student):
            _ = stage.model  # an unknown name is an error here, with a suggestion, before hours of training
        trained = [TrainStage(self.context, variant) for variant in (*VARIANTS, CUSTOM)]
        return {stage.name: stage for stage in (*trained, self.student, self.pruned, self.quantized)}

    @property
    def chain(self) -> tuple[str, ...]:
        """Names of the stages that lead to the INT8 file, in order."""
        return (*self.teacher.stages, STUDENT, PRUNED, QUANTIZED)

    def ensure(self, name: str, owned: frozenset[str]) -> Record | None:
        """See `Updates.ensure`."""
        self.context.goal = self._closure(name)
        self.fine_tune(self.context.goal)
        self.keep(*self.context.goal, again=owned if self.workspace.force else frozenset())
        self._tell_epochs()
        return Updates(self.workspace, self.table).ensure(name, owned)

    def _tell_epochs(self) -> None:
        """Where training.epochs was said: which stages that are still to be made it does not shorten."""
        missing = [self.table[name] for name in self.context.goal if self.workspace.record(name) is None]
        runs = [(s.name, s.section, s.training.epochs) for s in missing if isinstance(s, ModelStage)]
        text = epochs_elsewhere(self.workspace.options.settings, runs)
        if text:
            self.workspace.watcher.stage("training.epochs", "note", text)

    def fine_tune(self, goal: tuple[str, ...]) -> None:
        """Let the settings be those of `FINE_TUNING` for the stages of `goal` that start from the shipped weights.
        Raises ConfigError where such a start was said and can't be."""
        found = [stage for name in goal if isinstance(stage := self.table[name], ModelStage)]
        sections = [stage.section for stage in found if stage.start.source == "shipped"]
        if sections:
            self.workspace.settings = self.workspace.settings.fine_tuned(sections)

    def _closure(self, name: str) -> tuple[str, ...]:
        """A stage and all that it is made from, the first first."""
        upstream = (earlier for direct in self.table[name].upstream for earlier in self._closure(direct))
        return tuple(dict.fromkeys((*upstream, name)))

    def keep(self, *nearest: str, again: frozenset[str] = frozenset()) -> None:
        """Look at what was made here before and stays: its sequences' length is kept. again: stages that don't stay."""
        names = dict.fromkeys((*nearest, *self.chain, *self.table))
        records = [self.workspace.record(name) for name in names if name not in again]
        self.data.kept_configs = [record.config for record in records if record is not None]
