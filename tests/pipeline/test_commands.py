"""Commands that are printed for pasting."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from edgekit.cli.options import WORKDIR
from edgekit.data import SynthConfig, synthesise_hands
from edgekit.data.quality import training_note
from edgekit.data.splits import split_recordings
from edgekit.errors import ModelFileError
from edgekit.pipeline import find_model
from edgekit.pipeline.commands import DEFAULT_WORKDIR, next_command


def test_it_works_in_the_same_place_on_the_same_recordings() -> None:
    assert next_command(DEFAULT_WORKDIR, "quantize") == "edgekit quantize"
    assert WORKDIR.attributes["default"] == DEFAULT_WORKDIR
    words = ["edgekit", "train", "base", "--workdir", "it's mine", "--data", "/a b/$HOME.npz"]
    assert shlex.split(next_command(Path("it's mine"), "train", "base", data="/a b/$HOME.npz")) == words


def test_what_to_do_first_is_said_for_the_place_that_was_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"run `edgekit quantize --workdir '[^']*my work'` first"):
        find_model(tmp_path / "my work", None)


def test_recordings_are_named_as_a_shell_wants_them() -> None:
    made = synthesise_hands(SynthConfig(people=1, takes_per_letter=4))
    object.__setattr__(made, "source", "my signs.npz")
    note = training_note(made, split_recordings(made))
    assert note is not None
    assert "`edgekit data check 'my signs.npz'` says where" in note
