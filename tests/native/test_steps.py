"""A stream's answers are those of takes that end with its frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.native import Network, compile_model, read_network, reference
from edgekit.native.takes import golden_takes

F32 = NDArray[np.float32]
MakeFile = Callable[..., Path]

#: cell, hidden, both, readout, preprocessing, features, standardisation, scheme.
LSTM = ("lstm", (8,), False, "mean", "hand+displacement", 63, "explicit", "int8-weights")
SHAPES = {
    "lstm-int8": LSTM,
    "lstm-fp32": (*LSTM[:-1], "fp32"),
    "gru-deep-int8": ("gru", (5, 17, 6), False, "final", "hand", 126, "explicit", "int8-weights"),
    "lstm-deep-fp32": ("lstm", (5, 9), False, "final", "hand+displacement", 126, "fold", "fp32"),
    "gru-fp32": ("gru", (20,), False, "mean", "standard", 10, "fold", "fp32"),
    "lstm-dynamic": (*LSTM[:3], "final", *LSTM[4:-1], "int8-dynamic"),
}


def _stream(network: Network) -> F32:
    """Two takes, the first without a hand at first, one behind the other: float32 (frames, features)."""
    return golden_takes(network.frames, 2).reshape(-1, network.frames.features)


@pytest.mark.parametrize("shape", SHAPES)
def test_after_each_frame_the_answer_is_that_of_a_take_which_ends_there(make_file: MakeFile, shape: str) -> None:
    """The twin in numpy: integers to the last bit, floats but for the order of a product's sums."""
    network = read_network(make_file(*SHAPES[shape]))
    x = _stream(network)[None]
    got, exact = reference.stream(network, x)[0], network.arithmetic == "int8"
    last = x.shape[1] if network.readout == "final" else network.frames.count
    for t in range(1, last + 1):
        wanted = reference.predict(network.of_frames(t), x[:, :t])[0]
        assert np.abs(got[t - 1] - wanted).max() <= (0.0 if exact else 1e-6)


def test_a_mean_is_over_the_last_frames_of_a_long_stream(make_file: MakeFile) -> None:
    network = read_network(make_file(*SHAPES["lstm-fp32"]))
    x = np.tile(_stream(network), (3, 1))
    got = reference.stream(network, x[None])[0, -1]
    h = reference._last_layer(network.of_frames(len(x)), x[None])[0][0][0]
    wanted = reference.dense_layers(network, h[-network.frames.count :].mean(axis=0)[None])[0]
    assert np.abs(got - wanted).max() <= 1e-6


def test_takes_that_are_read_backwards_have_no_stream(make_file: MakeFile, tmp_path: Path) -> None:
    path = make_file(both=True)
    with pytest.raises(TypeError, match="has no stream"):
        reference.stream(read_network(path), np.zeros((1, 12, 63), np.float32))
    compile_model(path, tmp_path / "c", build=False)
    assert "#define MODEL_STREAMS 0" in (tmp_path / "c" / "model.h").read_text(encoding="utf-8")
    assert "int EK_STEP(" not in (tmp_path / "c" / "model.c").read_text(encoding="utf-8")
