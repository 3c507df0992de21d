"""The converted networks compute what LiteRT computes of the source. $EDGEKIT_MEDIAPIPE_WHEEL names the wheel."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.hands import NETWORKS, make_networks, state_of

WHEEL = os.environ.get("EDGEKIT_MEDIAPIPE_WHEEL", "")
pytestmark = pytest.mark.skipif(not WHEEL, reason="$EDGEKIT_MEDIAPIPE_WHEEL names no wheel of mediapipe 0.10.14")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tflite")
    place = tmp_path_factory.mktemp("networks")
    assert make_networks(WHEEL, place) == [network.name for network in NETWORKS]
    return place


def test_what_is_ready_is_not_made_again(folder: Path) -> None:
    assert make_networks(WHEEL, folder) == []
    assert [state_of(network, folder) for network in NETWORKS] == ["ready", "ready"]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_it_answers_as_litert_does(folder: Path, network: Any) -> None:
    """Within 3e-6 of the largest number of an output: float32 sums in another order (seen: 1.8e-6)."""
    onnxruntime = pytest.importorskip("onnxruntime")
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    source = interpreter.Interpreter(model_content=zipfile.ZipFile(WHEEL).read(network.member), num_threads=1)
    source.allocate_tensors()
    entry = source.get_input_details()[0]
    session = onnxruntime.InferenceSession(str(folder / f"{network.name}.onnx"))
    picture = np.random.default_rng(0).random(entry["shape"], dtype=np.float32)
    source.set_tensor(entry["index"], picture)
    source.invoke()
    answers = session.run(list(network.outputs), {"picture": picture})
    for answer, end in zip(answers, source.get_output_details(), strict=True):
        expected = source.get_tensor(end["index"])
        assert np.abs(answer - expected).max() <= 3e-6 * max(np.abs(expected).max(), 1.0)
