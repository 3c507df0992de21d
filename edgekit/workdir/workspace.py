"""The work directory while a command holds it: options, recordings, finished stages, resume files."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from edgekit.artifacts import MANIFEST, fingerprint, lock, read_manifest, write_manifest, write_text
from edgekit.config import settings_text
from edgekit.data import DataConfig, Recordings
from edgekit.errors import MissingExtraError, StateError
from edgekit.reading import StrPath
from edgekit.results import Record, StageResult, read_figures
from edgekit.workdir.dataset import Dataset, data_digest, prepare_dataset, read_recordings
from edgekit.workdir.options import Options
from edgekit.workdir.settings import Settings

F = TypeVar("F")

#: All settings of the last command that made something.
SETTINGS_FILE = "config.yaml"


class Watcher(Protocol):
    """Whoever shows what happens. All calls come from the thread that runs the command."""

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


class Workspace:
    """Holds the lock from `open_workspace` on."""

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

    def outputs(self, *names: str) -> dict[str, str]:
        """Files that stages have made, to SHA-256; without logs, which nothing is made from."""
        records = [record for name in names if (record := self.record(name)) is not None]
        found = {path: digest for record in records for path, digest in record.outputs.items()}
        return {path: digest for path, digest in found.items() if not path.endswith(".csv")}

    def remember(self, **changes: Any) -> None:
        """Keep top-level values in the manifest."""
        self._manifest.update(changes)
        if not self.dry_run:
            write_manifest(self.path, self._manifest)

    def recall(self, key: str, default: Any = None) -> Any:
        """A top-level value of the manifest."""
        return self._manifest.get(key, default)

    def keep(self, name: str, record: Record) -> None:
        """Keep a finished stage's record, and the settings that it was made with. Its resume files have served."""
        self._manifest["stages"][name] = record.to_dict()
        write_manifest(self.path, self._manifest)
        while self._resume_files:  # not before the manifest knows the stage
            self._resume_files.pop().unlink(missing_ok=True)
        self._store_settings()

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
    """Lock the work directory and merge what it remembers with what was said; `Updates.ensure` keeps that.

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
