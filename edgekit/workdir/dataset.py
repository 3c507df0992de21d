"""Recordings to what training and testing read: the right length, split, with the training part's statistics."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import fingerprint, json_text, parse_json, sha256_file
from edgekit.data import (
    RECORDINGS,
    DataConfig,
    Normalisation,
    Recordings,
    Split,
    SynthConfig,
    canonical_takes,
    choose_kind,
    choose_length,
    fit_normalisation,
    load_recordings,
    refuse_impossible,
    split_recordings,
    synthesise_hands,
    used_frames,
)
from edgekit.errors import ConfigError, DataError
from edgekit.reading import open_file
from edgekit.results import DataDescription
from edgekit.workdir.settings import Settings

#: How `split_recordings` chooses signers.
SIGNER_RULE = "fewest signers with a fifth of the takes"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Takes of one length with their split.

    x: float32 (takes, time, features), landmarks in canonical form; labels: int64 (takes,). digest: of the recordings,
    not of the settings that split them. used: frames of each take up to its last one with a hand (takes,).
    split_settings: what decides the split, as JSON.
    """

    x: NDArray[np.float32]
    labels: NDArray[np.int64]
    recordings: Recordings
    split: Split
    normalisation: Normalisation
    digest: str
    used: NDArray[np.int64]
    split_settings: str = ""

    @property
    def sequence_length(self) -> int:
        """Frames of every take."""
        return int(self.x.shape[1])

    @property
    def takes_cut(self) -> int:
        """Takes that have frames with a hand behind the last one that is read."""
        return int((self.used > self.sequence_length).sum())

    @property
    def class_names(self) -> tuple[str, ...]:
        """One a label, in order."""
        return self.recordings.class_names

    def part(self, index: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(x, labels) of some takes."""
        return self.x[index], self.labels[index]

    def name_for_people(self) -> str:
        """For those who only have the model: no paths of this machine, and synthetic is called so. Bytes of a file's
        name that are no UTF-8 are written as `\\xff`, because ONNX can't hold them."""
        source = self.recordings.source
        if Path(source).exists():
            source = Path(source).name + (" (synthetic)" if self.recordings.synthetic else "")
        return os.fsencode(source).decode("utf-8", "backslashreplace")

    def describe(self) -> DataDescription:
        """For reports and the manifest."""
        return DataDescription(
            source=self.recordings.source,
            synthetic=self.recordings.synthetic,
            sha256=self.digest,
            takes=self.recordings.takes,
            classes=len(self.class_names),
            features=self.recordings.features,
            sequence_length=self.sequence_length,
            takes_cut=self.takes_cut,
            longest_frames=int(self.used.max(initial=0)),
            train=len(self.split.train),
            validation=len(self.split.validation),
            test=len(self.split.test),
            test_unseen=len(self.split.unseen),
            rule=self.split.rule,
        )


def data_digest(path: str | None, settings: Settings) -> str:
    """SHA-256 of the recordings at `path`; for None, of the settings that the synthetic hands come from."""
    if path is None:
        return fingerprint({"synthetic hands": settings.section("synth", SynthConfig).model_dump(mode="json")})
    if not Path(path).is_dir():
        with open_file(Path(path), RECORDINGS):
            pass  # raises for what is no file that can be read
    try:
        return sha256_file(Path(path))
    except OSError as error:
        raise DataError(f"{error.filename or path}: can't be read: {error.strerror or error}") from None


def read_recordings(path: str | None, settings: Settings) -> Recordings:
    """The recordings at `path`, or the embedded synthetic hands for None. Raises DataError."""
    columns = settings.section("data", DataConfig).columns
    if path is not None:
        return load_recordings(Path(path), columns)
    if columns is not None:
        raise ConfigError(f"columns {columns!r}: there is no table without --data; leave it out")
    return synthesise_hands(settings.section("synth", SynthConfig))


def prepare_dataset(recordings: Recordings, config: DataConfig, digest: str) -> Dataset:
    """Length rule, split and statistics. Raises DataError when the recordings can't be used so.

    config.sequence_length "auto": what fits the takes to train on.
    """
    refuse_impossible(recordings, config.preprocessing)
    split = split_recordings(recordings, config.split, config.test_sessions, config.test_signers)
    said = config.sequence_length
    length = choose_length(recordings, split.train) if said == "auto" else said
    x = canonical_takes(recordings, length)
    kind = choose_kind(config.preprocessing, recordings.features)
    normalisation = fit_normalisation(x[split.train], kind, config.displacement)
    used = used_frames(recordings.sequences, recordings.lengths)
    return Dataset(x, recordings.labels, recordings, split, normalisation, digest, used, split_text(config))


def split_text(config: DataConfig) -> str:
    """What decides the split, as JSON, for `split_again`."""
    said = config.model_dump(mode="json", include={"split", "test_sessions", "test_signers"})
    return json_text({**said, **split_rule(config)})


def split_rule(config: DataConfig) -> dict[str, str]:
    """Which rule chooses the signers to test on, where a rule does; until there were many, all but one were tested."""
    return {"rule": SIGNER_RULE} if config.split == "signer" and not config.test_signers else {}


def split_again(text: str, recordings: Recordings) -> Split:
    """The split of `recordings` that `split_text` told. Raises DataError or ConfigError where that can't be known."""
    try:
        told = parse_json(text)
        rule = told.pop("rule", None)
        config = DataConfig.model_validate(told)
    except (ValueError, TypeError, AttributeError) as error:  # pydantic's own is a ValueError
        raise DataError(f"split: {error}") from None
    if rule != split_rule(config).get("rule"):
        raise DataError(f"split: by another rule ({rule})")
    return split_recordings(recordings, config.split, config.test_sessions, config.test_signers)
