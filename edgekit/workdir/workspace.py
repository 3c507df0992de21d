"""The work directory while a command holds it: options, finished stages, what is up to date and what is not."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from edgekit.artifacts import MANIFEST, fingerprint, lock, read_manifest, sha256_file, write_manifest, write_text
from edgekit.config import settings_text
from edgekit.data import DataConfig, Recordings
from edgekit.errors import InputError, MissingExtraError, StateError
from edgekit.reading import StrPath
from edgekit.results import Figures, Record, StageResult, read_figures
from edgekit.workdir.commands import next_command
from edgekit.workdir.dataset import Dataset, data_digest, prepare_dataset, read_recordings
from edgekit.workdir.differences import differences
from edgekit.workdir.environment import versions
from edgekit.workdir.options import Options
from edgekit.workdir.settings import Settings

F = TypeVar("F")

#: All settings of the last command that made something.
SETTINGS_FILE = "config.yaml"


class Watcher(Protocol):
    """Whoever shows what happens. All calls come from the thread that runs the pipeline."""

    def stage(self, name: str, event: str, detail: str = "") -> None:
        """event: "start", "done", "skip", "plan", or "trial" for one line amid a stage."""

    def epoch(self, stage: str, epoch: Any) -> None:
        """A finished `edgekit.train.Epoch`."""

    def note(self, text: str) -> None:
        """One line worth reading."""


class Silent:
    """Shows nothing."""

    def stage(self, name: str, event: str, detail: str = "") -> None:
        """Nothing."""

    def epoch(self, stage: str, epoch: Any) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Outcome:
    """What a stage made: files below the work directory, and its figures."""

    outputs: tuple[Path, ...]
    figures: Figures


@dataclass(frozen=True)
class Stage:
    """One step. config and inputs decide whether it is up to date, with `recipe`, which grows when its code changes
    what it makes. inputs: name to SHA-256 or fingerprint. guess: how long it will take here, in a few words; empty
    where it is a matter of seconds. trains: whether what it makes took training, and so is never replaced for other
    settings without being asked. check: raises an InputError before it is made, or would be."""

    name: str
    recipe: int
    upstream: tuple[str, ...]
    config: Callable[[], Mapping[str, Any]]
    inputs: Callable[[], Mapping[str, str]]
    run: Callable[[], Outcome]
    guess: Callable[[], str] = str
    trains: bool = True
    check: Callable[[], None] = lambda: None


class Workspace:
    """Holds the lock from `open_workspace` on. owned: the stages that this command may make again."""

    def __init__(
        self, path: Path, options: Options, manifest: dict[str, Any], watcher: Watcher, *, force: bool, dry_run: bool
    ) -> None:
        self.path = path
        self.options = options
        self.settings = Settings(options)
        self.watcher = watcher
        self.force = force
        self.dry_run = dry_run
        self._manifest = manifest
        self._ensured: dict[str, Record | None] = {}
        self._made = False
        self._resume_files: set[Path] = set()
        self._datasets: dict[int | Literal["auto"], Dataset] = {}

    @cached_property
    def recordings(self) -> Recordings:
        """What `options.recordings` names, read once a command. Raises DataError."""
        return read_recordings(self.options.recordings, self.settings)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the recordings, without reading their takes. Raises DataError."""
        return data_digest(self.options.recordings, self.settings)

    def dataset(self, sequence_length: int | Literal["auto"]) -> Dataset:
        """The recordings at one length, split and with statistics; made once a command. "auto": the length that fits
        the takes to train on. Raises DataError."""
        if sequence_length not in self._datasets:
            config = self.settings.section("data", DataConfig).model_copy(update={"sequence_length": sequence_length})
            made = prepare_dataset(self.recordings, config, self.digest)
            self._datasets[made.sequence_length] = self._datasets[sequence_length] = made
        return self._datasets[sequence_length]

    def record(self, name: str) -> Record | None:
        """What the manifest says of a stage; None when it never finished."""
        found = self._manifest["stages"].get(name)
        if found is None:
            return None
        trees = ("config", "inputs", "outputs", "metrics")
        try:
            record = Record(**found)
            good = all(isinstance(getattr(record, tree), dict) for tree in trees)
            good = good and all(map(_lies_within, record.outputs))
        except TypeError:
            good = False
        if not good:
            raise self._damaged(name)
        return record

    def _damaged(self, name: str) -> StateError:
        return StateError(f"{self.path / MANIFEST}: damaged (the record of '{name}'); move it away to start over")

    def result(self, name: str, kind: type[F]) -> StageResult[F] | None:
        """A finished stage with its figures; None when it never finished. Raises StateError for figures of no `kind`,
        as a much older edgekit may have left them."""
        record = self.record(name)
        try:
            return None if record is None else StageResult(name, record, read_figures(kind, record.metrics))
        except ValueError:
            raise self._damaged(name) from None

    def finished(self, name: str, kind: type[F]) -> StageResult[F]:
        """Like `result`, of a stage that is up to date by now."""
        found = self.result(name, kind)
        if found is None:
            raise StateError(f"{self.path}: the stage '{name}' is not made yet; make it first")
        return found

    def remember(self, **changes: Any) -> None:
        """Keep top-level values in the manifest."""
        self._manifest.update(changes)
        if not self.dry_run:
            write_manifest(self.path, self._manifest)

    def recall(self, key: str, default: Any = None) -> Any:
        """A top-level value of the manifest."""
        return self._manifest.get(key, default)

    def ensure(self, stages: Mapping[str, Stage], name: str, owned: frozenset[str]) -> Record | None:
        """Bring a stage up to date, its upstream stages first. None only in a dry run.

        A stage is made when it is missing, or what it was made from has been made again; an owned one with force, too.
        One that trains and was made with other settings, or from a file from outside that has changed, is a StateError,
        whoever asks, unless force is given; any other one is made again. The options are remembered, but not those that
        lead to an InputError before anything was made.
        """
        self._refuse_mismatch(stages, name)
        before, self._made = self._manifest["options"], False
        self.remember(options=self.options.to_dict())
        try:
            return self._ensure(stages, name, owned)
        except InputError:
            if not self._made:
                self.remember(options=before)
            raise

    def _refuse_mismatch(self, stages: Mapping[str, Stage], name: str) -> None:
        for upstream in stages[name].upstream:
            self._refuse_mismatch(stages, upstream)
        record, stage = self.record(name), stages[name]
        if record is None or self.force or not stage.trains:
            return
        changes = differences(record.config, dict(stage.config())) or self._moved(stage, record)
        if changes:
            alone = next_command(self.path, *name.split(), "--force")
            raise StateError(
                f"{self.path}: the stage '{name}' was made with other settings: {'; '.join(changes[:4])}"
                f"{self._said_now()}. Leave these out, or give them as they were, to use it as it is; give --force to"
                f" replace it (`{alone}` replaces it alone), or choose another --workdir"
            )

    def _moved(self, stage: Stage, record: Record) -> list[str]:
        """Files from outside that a stage was made from and that have changed; what other stages made is not meant."""
        made = {path for name in stage.upstream if (found := self.record(name)) for path in found.outputs}
        now = {key: digest for key, digest in stage.inputs().items() if key not in made}
        return [f"{key} has changed" for key, digest in now.items() if record.inputs.get(key, digest) != digest]

    def _said_now(self) -> str:
        """The options that stand for many settings and have changed, in brackets: `--preset`, `--student`."""
        before = Options.from_dict(self._manifest["options"], self.path)
        flags = ("preset", "student")
        said = [
            f"--{flag} {getattr(self.options, flag)}"
            for flag in flags
            if getattr(before, flag) != getattr(self.options, flag)
        ]
        return f" (given now: {' '.join(said)})" if said else ""

    def _ensure(self, stages: Mapping[str, Stage], name: str, owned: frozenset[str]) -> Record | None:
        if name in self._ensured:
            return self._ensured[name]
        stage = stages[name]
        for upstream in stage.upstream:
            self._ensure(stages, upstream, owned)
        record = self.record(name)
        reason = self._stale(stage, record, name in owned)
        if reason:
            stage.check()
        if not reason:
            self.watcher.stage(name, "skip", "up to date")
        elif self.dry_run:
            guess = stage.guess()
            self.watcher.stage(name, "plan", f"{reason}; {guess}" if guess else reason)
            record = None
        else:
            record = self._make(stage, reason)
        self._ensured[name] = record
        return record

    def _stale(self, stage: Stage, record: Record | None, owned: bool) -> str:
        if record is None:
            return "not made yet"
        if self.dry_run and any(self._ensured.get(name, record) is None for name in stage.upstream):
            return "an earlier stage would be made again"
        changes = differences(record.config, dict(stage.config()))
        if changes:
            return "settings changed: " + "; ".join(changes[:4])
        if record.recipe != stage.recipe:
            return "made by an older edgekit"
        inputs = dict(stage.inputs())
        moved = [key for key in inputs if record.inputs.get(key) != inputs[key]]
        if moved:
            return f"{moved[0]} changed"
        for relative, digest in record.outputs.items():
            file = self.path / relative
            if not file.is_file():
                return f"{relative} is missing"
            if sha256_file(file) != digest:
                return f"{relative} was changed"
        return "--force" if owned and self.force else ""

    def _make(self, stage: Stage, reason: str) -> Record:
        self.watcher.stage(stage.name, "start", reason)
        started_s = time.monotonic()
        outcome = stage.run()
        record = Record(
            config=dict(stage.config()),
            inputs=dict(stage.inputs()),
            recipe=stage.recipe,
            outputs={str(path.relative_to(self.path)): sha256_file(path) for path in outcome.outputs},
            metrics=outcome.figures.to_dict(),
            seed=self.settings.seed,
            wall_s=round(time.monotonic() - started_s, 3),
            versions=versions(),
        )
        self._made = True
        self._manifest["stages"][stage.name] = record.to_dict()
        write_manifest(self.path, self._manifest)
        while self._resume_files:  # not before the manifest knows the stage
            self._resume_files.pop().unlink(missing_ok=True)
        self._store_settings()
        self.watcher.stage(stage.name, "done", f"{record.wall_s:.0f} s")
        return record

    def _store_settings(self) -> None:
        """Every resolved setting of the command that makes something, as --config accepts it."""
        with contextlib.suppress(MissingExtraError):  # a stage that needs no training extra may run without it
            text = settings_text(self.settings.resolved())
            write_text(self.path / SETTINGS_FILE, text + "\n")

    def resume_file(self, stage: str, key: Mapping[str, Any]) -> Path:
        """Where an interrupted run of this stage goes on. One made with other settings is left behind and deleted; all
        are when the stage is made."""
        folder = self.path / ".resume"
        path = folder / f"{stage.replace(' ', '-')}-{fingerprint(key)[:16]}.ckpt"
        for other in folder.glob(f"{stage.replace(' ', '-')}-*"):
            if other != path:
                self.watcher.stage(stage, "note", "its interrupted training had other settings, and is discarded")
                other.unlink()
        if self.force and path not in self._resume_files:
            path.unlink(missing_ok=True)
        self._resume_files.add(path)
        return path


def _lies_within(relative: str) -> bool:
    """Whether a path, as another may have written it, names something below the folder that it is relative to."""
    parts = re.split(r"[\\/]", relative)
    return bool(relative) and ".." not in parts and parts[0] != "" and not re.match("[A-Za-z]:", relative)


@contextlib.contextmanager
def open_workspace(
    path: StrPath,
    said: Options,
    watcher: Watcher | None = None,
    *,
    force: bool = False,
    dry_run: bool = False,
    read_only: bool = False,
) -> Iterator[Workspace]:
    """Lock the work directory and merge what it remembers with what was said; `ensure` keeps that.

    dry_run, read_only: nothing is locked or written, not even the folder. Raises StateError when another process holds
    it or it is damaged, ConfigError for settings that are wrong, before anything is written.
    """
    path = Path(path)

    nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise StateError(f"{path}: can't be used as a work directory: {nearest} is not a folder")

    def read() -> Workspace:
        manifest = read_manifest(path)
        options = Options.from_dict(manifest["options"], path).updated(said)
        return Workspace(path, options, manifest, watcher or Silent(), force=force, dry_run=dry_run)

    read().settings.check(said.settings)  # what is remembered was checked when it was said
    with contextlib.nullcontext() if dry_run or read_only else lock(path):
        yield read()
