"""What a model file says of its split is enough to make it again, or is not believed."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.data import DataConfig, Recordings, SynthConfig, split_recordings, synthesise_hands
from edgekit.errors import DataError
from edgekit.workdir.dataset import split_again, split_text


@pytest.fixture(scope="module")
def hands() -> Recordings:
    return synthesise_hands(SynthConfig(people=6, takes_per_letter=2))


@pytest.mark.parametrize(
    "config",
    [
        DataConfig(),
        DataConfig(test_sessions=("2000-01-01-synthetic-03",)),
        DataConfig(split="signer"),
        DataConfig(split="signer", test_signers=("synthetic-01", "synthetic-04")),
    ],
)
def test_a_told_split_is_made_again(hands: Recordings, config: DataConfig) -> None:
    expected = split_recordings(hands, config.split, config.test_sessions, config.test_signers)
    again = split_again(split_text(config), hands)
    for part in ("train", "validation", "test"):
        assert np.array_equal(getattr(again, part), getattr(expected, part))


@pytest.mark.parametrize(
    "text",
    [
        '{"split": "signer", "test_sessions": [], "test_signers": []}',  # all but one
        '{"split": "signer", "test_sessions": [], "test_signers": [], "rule": "another"}',
        '{"split": "session", "test_sessions": [], "test_signers": [], "rule": "another"}',
        '{"split": "random"}',
        "[]",
        "",
    ],
)
def test_what_can_not_be_known_is_refused(hands: Recordings, text: str) -> None:
    with pytest.raises(DataError, match="split: "):
        split_again(text, hands)
