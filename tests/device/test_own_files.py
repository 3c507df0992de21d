"""edgekit's own files: the work that metadata and nodes tell is what the graph is counted to be, and never less."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from edgekit.data import HAND_FEATURES, Normalisation
from edgekit.device import UnknownWork, Work, model_work
from edgekit.device.graph import graph_work
from edgekit.device.sources import OWN_OPERATORS
from edgekit.errors import ModelFileError
from edgekit.export import export_onnx
from edgekit.model import Architecture, RecurrentClassifier
from edgekit.quantize import QuantizeConfig, quantize_onnx
from edgekit.runtime import inspect_model

pytestmark = pytest.mark.usefixtures("models_run_here")

COUNTS = Path(__file__).with_name("instruction_counts.csv")

#: Row of instruction_counts.csv to cell, hidden sizes, whether the first layer runs both ways, dense units, scheme.
COUNTED = {
    "own_edge": ("lstm", (64,), False, 256, "fp32"),
    "own_edge_int8": ("lstm", (64,), False, 256, "int8-weights"),
    "own_pruned_int8": ("lstm", (33,), False, 150, "int8-weights"),
    "own_edge_bi_int8": ("lstm", (64,), True, 256, "int8-weights"),
    "own_accurate": ("lstm", (256, 256, 256), True, 256, "fp32"),
    "own_balanced_int8": ("gru", (128, 128), False, 256, "int8-weights"),
    "own_tiny": ("lstm", (4,), False, 8, "fp32"),
    "own_tiny_dynamic": ("lstm", (4,), False, 8, "int8-dynamic"),
    "own_lstm33_dynamic": ("lstm", (33,), False, 256, "int8-dynamic"),
    "own_edge_dynamic": ("lstm", (64,), False, 256, "int8-dynamic"),
    "own_edge_bi_dynamic": ("lstm", (64,), True, 256, "int8-dynamic"),
    "own_lstm128_dynamic": ("lstm", (128,), False, 256, "int8-dynamic"),
    "own_base_dynamic": ("lstm", (128, 128), True, 256, "int8-dynamic"),
    "own_accurate_dynamic": ("lstm", (256, 256, 256), True, 256, "int8-dynamic"),
}

#: Every shape, also more layers than a variant has.
SHAPES = [
    pytest.param(
        *(cell, hidden_sizes, both_ways, scheme),
        marks=pytest.mark.slow if scheme != "fp32" and len(hidden_sizes) in (2, 3) else (),  # 1 and 6 layers suffice
    )
    for cell, hidden_sizes, both_ways, scheme in itertools.product(
        ("lstm", "gru"),
        ((20,), (20, 18), (20, 18, 16), (12,) * 6),
        (False, True),
        ("fp32", "int8-weights", "int8-dynamic"),
    )
    if (cell, scheme) != ("gru", "int8-dynamic")
]


def write(
    folder: Path,
    cell: str,
    hidden_sizes: tuple[int, ...],
    both_ways: bool,
    dense: int = 64,
    scheme: str = "fp32",
    readout: str = "mean",
) -> Path:
    """A file that edgekit exported and, unless it is to be fp32, quantised."""
    statistics = (np.zeros(HAND_FEATURES, np.float32), np.ones(HAND_FEATURES, np.float32))
    architecture = Architecture(cell, HAND_FEATURES, hidden_sizes, both_ways, dense, 26, readout=readout)  # type: ignore[arg-type]
    model = RecurrentClassifier(architecture, Normalisation("hand", True, *statistics), 30).eval()
    path = folder / "model.onnx"
    export_onnx(model, path, class_names=tuple(str(k) for k in range(26)))
    if scheme == "fp32":
        return path
    return quantize_onnx(path, folder / "model.int8.onnx", QuantizeConfig(scheme=scheme)).target  # type: ignore[arg-type]


def known(work: Work | UnknownWork) -> Work:
    assert isinstance(work, Work), work
    return work


@pytest.mark.parametrize("row", COUNTED)
def test_the_counted_files_have_the_work_that_the_table_says(tmp_path: Path, row: str) -> None:
    with COUNTS.open(newline="") as file:
        table = {line["model"]: line for line in csv.DictReader(file)}
    work = vars(known(model_work(inspect_model(write(tmp_path, *COUNTED[row])))))
    assert {name: str(work[name]) for name in table[row].keys() & work.keys()} == {
        name: table[row][name] for name in ("matrix_macs", "conv_macs", "steps", "nodes", "elements")
    }


def test_every_own_file_that_was_counted_is_made_again_here() -> None:
    with COUNTS.open(newline="") as file:
        assert {line["model"] for line in csv.DictReader(file) if line["model"].startswith("own")} == set(COUNTED)


@pytest.mark.parametrize(("cell", "hidden_sizes", "both_ways", "scheme"), SHAPES)
def test_the_graph_has_the_macs_of_the_metadata_and_no_more_steps_or_nodes(
    tmp_path: Path, cell: str, hidden_sizes: tuple[int, ...], both_ways: bool, scheme: str
) -> None:
    """The exception are the wrist's products, 30 x 3 x 63, which the metadata leaves out of 'multiply-adds'."""
    for readout in ("mean", "final"):
        path = write(tmp_path, cell, hidden_sizes, both_ways, scheme=scheme, readout=readout)
        said, counted = known(model_work(inspect_model(path))), known(graph_work(path, {}))
        assert said.macs == counted.macs - 30 * 3 * HAND_FEATURES
        assert counted.steps == 30 * (len(hidden_sizes) + both_ways) <= said.steps
        assert counted.nodes <= said.nodes


@pytest.mark.parametrize("kind", ["hand", "standard"])
@pytest.mark.parametrize("hands", [1, 2])
@pytest.mark.parametrize("displacement", [True, False])
@pytest.mark.parametrize("standardisation", ["explicit", "fold"])
def test_the_exporter_writes_no_operator_that_makes_a_file_foreign(
    kind: str, hands: int, displacement: bool, standardisation: str
) -> None:
    """Readouts, cells and schemes are in the tests above."""
    features = hands * HAND_FEATURES
    statistics = (np.zeros(features, np.float32), np.ones(features, np.float32))
    normalisation = Normalisation(kind, displacement, *statistics)  # type: ignore[arg-type]
    model = RecurrentClassifier(Architecture("lstm", features, (4, 3), True, 5, 2), normalisation, 30)
    content = export_onnx(model, None, class_names=("A", "B"), standardisation=standardisation).content  # type: ignore[arg-type]
    assert {node.op_type for node in onnx.load_from_string(content).graph.node} <= OWN_OPERATORS


def test_work_that_edgekit_did_not_put_into_its_file_is_counted(tmp_path: Path) -> None:
    """Someone added a convolution and kept the metadata."""
    path = write(tmp_path, "lstm", (20,), False)
    model = onnx.load(path)
    weight = np.zeros((4, 30, 3), np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "kernel"))
    model.graph.node.append(helper.make_node("Conv", ["landmarks", "kernel"], ["extra"], name="extra"))
    path.write_bytes(model.SerializeToString())
    work = known(model_work(inspect_model(path)))
    assert work.conv_macs == 61 * weight.size
    assert work.source == "counted from the graph"


def test_metadata_can_not_shorten_the_takes_that_the_input_declares(tmp_path: Path) -> None:
    path = write(tmp_path, "lstm", (20,), False)
    model = onnx.load(path)
    props = {item.key: item.value for item in model.metadata_props}
    helper.set_model_props(model, {**props, "edgekit.sequence_length": "2"})
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match="its metadata says 2 frames of 63 numbers"):
        inspect_model(path)
