"""Stages brought up to date: what is made, what is skipped, and what is refused."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.artifacts import sha256_file
from edgekit.errors import InputError, StateError
from edgekit.results import Figures, Record
from edgekit.workdir.commands import next_command
from edgekit.workdir.differences import differences
from edgekit.workdir.environment import versions
from edgekit.workdir.options import Options
from edgekit.workdir.workspace import Workspace


@dataclass(frozen=True)
class Outcome:
    """What a stage made: files below the work directory, and its figures."""

    outputs: tuple[Path, ...]
    figures: Figures


class Stage(ABC):
    """One step. config and inputs decide whether it is up to date, with `recipe`.

    recipe: grows when the stage's code changes what it makes. trains: whether what it makes took training, and so is
    never replaced for other settings without being asked.
    """

    name: str
    recipe: int = 1
    trains: bool = True

    @property
    def upstream(self) -> tuple[str, ...]:
        """Names of the stages that it is made from."""
        return ()

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The settings that decide what is made, JSON-ready."""

    def changes(self, record: Record) -> list[str]:
        """How its settings differ from those that `record` was made with, for messages."""
        return differences(record.config, self.config())

    def inputs(self) -> dict[str, str]:
        """What it is made from: name to SHA-256 or fingerprint."""
        return {}

    @abstractmethod
    def run(self) -> Outcome:
        """Make it."""

    def guess(self) -> str:
        """How long it will take here, in a few words; empty where it is a matter of seconds."""
        return ""

    def check(self) -> None:
        """Raises an InputError before it is made, or would be."""
        return


class Updates:
    """Brings the stages of a workspace up to date, each at most once. stages: by name."""

    def __init__(self, workspace: Workspace, stages: Mapping[str, Stage]) -> None:
        self.workspace = workspace
        self.stages = stages
        self._ensured: dict[str, Record | None] = {}
        self._made = False

    def ensure(self, name: str, owned: frozenset[str]) -> Record | None:
        """Bring a stage up to date, its upstream stages first. None only in a dry run. owned: the stages that this
        command may make again.

        A stage is made when it is missing, or what it was made from has been made again; an owned one with force, too.
        One that trains and was made with other settings, or from a file from outside that has changed, is a StateError,
        whoever asks, unless force is given; any other one is made again. The options are remembered, but not those that
        lead to an InputError before anything was made.
        """
        self._refuse_mismatch(name)
        before, self._made = self.workspace.recall("options"), False
        self.workspace.remember(options=self.workspace.options.to_dict())
        try:
            return self._ensure(name, owned)
        except InputError:
            if not self._made:
                self.workspace.remember(options=before)
            raise

    def _refuse_mismatch(self, name: str) -> None:
        stage, record, path = self.stages[name], self.workspace.record(name), self.workspace.path
        for upstream in stage.upstream:
            self._refuse_mismatch(upstream)
        if record is None or self.workspace.force or not stage.trains:
            return
        changes = stage.changes(record) or self._moved(stage, record)
        if changes:
            alone = next_command(path, *name.split(), "--force")
            raise StateError(
                f"{path}: the stage '{name}' was made with other settings: {'; '.join(changes[:4])}"
                f"{self._said_now()}. Leave these out, or give them as they were, to use it as it is; give --force to"
                f" replace it (`{alone}` replaces it alone), or choose another --workdir"
            )

    def _moved(self, stage: Stage, record: Record) -> list[str]:
        """Files from outside that a stage was made from and that have changed; what other stages made is not meant."""
        made = {path for name in stage.upstream if (found := self.workspace.record(name)) for path in found.outputs}
        now = {key: digest for key, digest in stage.inputs().items() if key not in made}
        return [f"{key} has changed" for key, digest in now.items() if record.inputs.get(key, digest) != digest]

    def _said_now(self) -> str:
        """The options that stand for many settings and have changed, in brackets: `--preset`, `--student`."""
        before, now = Options.from_dict(self.workspace.recall("options"), self.workspace.path), self.workspace.options
        flags = ("preset", "student")
        said = [f"--{flag} {getattr(now, flag)}" for flag in flags if getattr(before, flag) != getattr(now, flag)]
        return f" (given now: {' '.join(said)})" if said else ""

    def _ensure(self, name: str, owned: frozenset[str]) -> Record | None:
        if name not in self._ensured:
            for upstream in self.stages[name].upstream:
                self._ensure(upstream, owned)
            self._ensured[name] = self._update(self.stages[name], name in owned)
        return self._ensured[name]

    def _update(self, stage: Stage, owned: bool) -> Record | None:
        record, watcher = self.workspace.record(stage.name), self.workspace.watcher
        reason = self._stale(stage, record, owned)
        if not reason:
            watcher.stage(stage.name, "skip", "up to date")
            return record
        stage.check()
        if not self.workspace.dry_run:
            return self._make(stage, reason)
        guess = stage.guess()
        watcher.stage(stage.name, "plan", f"{reason}; {guess}" if guess else reason)
        return None

    def _stale(self, stage: Stage, record: Record | None, owned: bool) -> str:
        """Why a stage has to be made; empty where it is up to date."""
        if record is None:
            return "not made yet"
        if self.workspace.dry_run and any(self._ensured.get(name, record) is None for name in stage.upstream):
            return "an earlier stage would be made again"
        changes = stage.changes(record)
        if changes:
            return "settings changed: " + "; ".join(changes[:4])
        if record.recipe != stage.recipe:
            return "made by an older edgekit"
        moved = [key for key, digest in stage.inputs().items() if record.inputs.get(key) != digest]
        if moved:
            return f"{moved[0]} changed"
        return self._damage(record) or ("--force" if owned and self.workspace.force else "")

    def _damage(self, record: Record) -> str:
        """The first file that is not as the stage left it."""
        for relative, digest in record.outputs.items():
            file = self.workspace.path / relative
            if not file.is_file():
                return f"{relative} is missing"
            if sha256_file(file) != digest:
                return f"{relative} was changed"
        return ""

    def _make(self, stage: Stage, reason: str) -> Record:
        path, watcher = self.workspace.path, self.workspace.watcher
        watcher.stage(stage.name, "start", reason)
        started_s = time.monotonic()
        outcome = stage.run()
        record = Record(
            config=stage.config(),
            inputs=stage.inputs(),
            recipe=stage.recipe,
            outputs={str(file.relative_to(path)): sha256_file(file) for file in outcome.outputs},
            metrics=outcome.figures.to_dict(),
            seed=self.workspace.settings.seed,
            wall_s=round(time.monotonic() - started_s, 3),
            versions=versions(),
        )
        self._made = True
        self.workspace.keep(stage.name, record)
        watcher.stage(stage.name, "done", f"{record.wall_s:.0f} s")
        return record
