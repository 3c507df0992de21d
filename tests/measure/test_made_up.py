"""What decides how much work a run is is never made up: lengths, counts, sizes, conditions, and axes that are time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgekit.bench import BenchConfig, CompareConfig, bench_onnx, compare_onnx
from edgekit.cli import run_cli
from edgekit.errors import ShapeError
from edgekit.measure import WorkerRequest, run_worker
from edgekit.report.bench import bench_text
from edgekit.runtime.axes import TimeAxis, time_axes
from edgekit.runtime.deciding import _PLACES, STEADY, decided_by

FLOAT, INT32, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL
HIDDEN, TIME = 8, 300
FEW = BenchConfig(processes=1, repeats=50, min_time_s=0, time_limit_s=0.5)
node = helper.make_node

Tensor = tuple[str, int, Sequence[int | str | None] | None]
Arrays = Mapping[str, NDArray[np.generic]]
Save = Callable[..., Path]

WEIGHTS = {
    "W": np.zeros((1, 4 * HIDDEN, 4), np.float32),
    "R": np.zeros((1, 4 * HIDDEN, HIDDEN), np.float32),
    "zero": np.array([0]), "one": np.array([1]), "true": np.array(True), "scalar": np.array([], np.int64),
    "sizes": np.array([1, 4]), "wide": np.ones((4, 64), np.float32), "table": np.ones((9, 4), np.float32),
}  # fmt: skip
X = ("x", FLOAT, [TIME, 1, 4])


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """(nodes, inputs, functions, name): a file that gives y, with WEIGHTS."""

    def make(
        nodes: Sequence[onnx.NodeProto],
        inputs: Sequence[Tensor],
        functions: Sequence[onnx.FunctionProto] = (),
        name: str = "model.onnx",
        opset: int = 17,
    ) -> Path:
        graph = helper.make_graph(
            list(nodes), "test", [helper.make_tensor_value_info(*item) for item in inputs],
            [helper.make_tensor_value_info("y", FLOAT, None)],
            [numpy_helper.from_array(array, key) for key, array in WEIGHTS.items()],
        )  # fmt: skip
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9, functions=list(functions))
        onnx.save(model, tmp_path / name)
        return tmp_path / name

    return make


def lstm(x: str = "x", lengths: str = "") -> onnx.NodeProto:
    """Of the last state."""
    return node("LSTM", [x, "W", "R", "", lengths], ["", "y"], hidden_size=HIDDEN, name="lstm")


def info(name: str, kind: int = FLOAT, shape: Sequence[int | str] | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def body() -> onnx.GraphProto:
    """Of a loop that doubles v."""
    inputs = [info("i", INT64, []), info("c", BOOL, []), info("v")]
    nodes = [node("Identity", ["c"], ["goes_on"]), node("Add", ["v", "v"], ["next"])]
    return helper.make_graph(nodes, "body", inputs, [info("goes_on", BOOL, []), info("next")])


def until(limit: str) -> onnx.GraphProto:
    """Of a loop that counts to a number from outside."""
    inputs = [info("i", INT64, []), info("c", BOOL, []), info("v")]
    nodes = [node("Less", ["i", limit], ["goes_on"]), node("Add", ["v", "v"], ["next"])]
    return helper.make_graph(nodes, "body", inputs, [info("goes_on", BOOL, []), info("next")])


def arm(name: str, inner: str) -> onnx.GraphProto:
    """A branch: x and what `inner` makes of the number n."""
    nodes = [node("Cast", ["n"], [f"{name} n"], to=INT32), lstm("x", f"{name} n")]
    nodes[-1].output[1] = name
    return helper.make_graph(nodes if inner else [node("Identity", ["x"], [name])], name, [], [info(name)])


def length_function(inside: str) -> onnx.FunctionProto:
    """Twice a number, or what another function makes of it."""
    domain = "own" if inside == "Inner" else ""
    nodes = [node(inside, ["a", "a"][: 1 if domain else 2], ["b"], domain=domain)]
    name = "Inner" if not domain else "Outer"
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a"], ["b"], nodes, opsets)


LEN32, LEN64 = ("n", INT32, [1]), ("n", INT64, [1])
TO_INT32 = node("Cast", ["m"], ["k"], to=INT32)
#: Name to nodes, inputs, functions, and the place that n reaches.
DECIDING: dict[str, tuple[list[onnx.NodeProto], list[Tensor], list[onnx.FunctionProto], str]] = {
    "as it is": ([lstm(lengths="n")], [X, LEN32], [], "the sequence_lens of LSTM 'lstm'"),
    "cast": ([node("Cast", ["n"], ["k"], to=INT32), lstm(lengths="k")], [X, LEN64], [], "sequence_lens"),
    "a real number": (
        [node("Cast", ["n"], ["k"], to=INT32), lstm(lengths="k")], [X, ("n", FLOAT, [1])], [], "sequence_lens",
    ),
    "a mask": (
        [node("Cast", ["n"], ["c"], to=INT32), node("ReduceSum", ["c", "zero"], ["k"], keepdims=0), lstm(lengths="k")],
        [X, ("n", BOOL, [TIME, 1])], [], "sequence_lens",
    ),
    "gathered": (
        [node("Gather", ["n", "zero"], ["m"]), TO_INT32, lstm(lengths="k")],
        [X, ("n", INT64, [3])], [], "sequence_lens",
    ),
    "a slice": ([node("Slice", ["x", "zero", "n", "zero"], ["k"]), lstm("k")], [X, LEN64], [], "the ends of Slice"),
    "a shape": (
        [node("Concat", ["n", "sizes"], ["s"], axis=0), node("Expand", ["z", "s"], ["k"]), lstm("k")],
        [("z", FLOAT, [1, 1, 4]), LEN64], [], "the shape of Expand",
    ),
    "arithmetic": (
        [node("Mul", ["n", "n"], ["a"]), node("Add", ["a", "one"], ["b"]), node("Tile", ["z", "b"], ["y"])],
        [("z", FLOAT, [1]), LEN64], [], "the repeats of Tile",
    ),
    "a range": (
        [node("Squeeze", ["n"], ["a"]), node("Range", ["a", "a", "a"], ["k"]), node("Cast", ["k"], ["y"], to=FLOAT)],
        [LEN64], [], "of Range",
    ),
    "a loop's count": (
        [node("Reshape", ["n", "scalar"], ["k"]), node("Loop", ["k", "true", "z"], ["y"], body=body(), name="loop")],
        [("z", FLOAT, [1]), LEN64], [], "the trip count of Loop 'loop'",
    ),
    "a loop's condition": (
        [node("Reshape", ["n", "scalar"], ["k"]), node("Loop", ["", "true", "z"], ["y"], body=until("k"))],
        [("z", FLOAT, [1]), LEN64], [], "the condition of Loop",
    ),
    "what a loop carries": (
        [
            node("Loop", ["", "true", "n"], ["k"], body=body()),
            node("Cast", ["k"], ["m"], to=INT32), lstm(lengths="m"),
        ],
        [X, LEN64], [], "sequence_lens",
    ),
    "a branch": (
        [
            node("Cast", ["n"], ["b"], to=BOOL), node("Reshape", ["b", "scalar"], ["c"]),
            node("If", ["c"], ["y"], then_branch=arm("then", ""), else_branch=arm("else", "")),
        ],
        [("x", FLOAT, [2]), LEN64], [], "the condition of If",
    ),
    "inside a branch": (
        [node("If", ["true"], ["y"], then_branch=arm("then", "LSTM"), else_branch=arm("else", ""))],
        [X, LEN64], [], "the sequence_lens of LSTM 'lstm'",
    ),
    "a function": (
        [node("Inner", ["n"], ["m"], domain="own"), TO_INT32, lstm(lengths="k")],
        [X, LEN64], [length_function("Add")], "sequence_lens",
    ),
    "a function in a function": (
        [node("Outer", ["n"], ["m"], domain="own"), TO_INT32, lstm(lengths="k")],
        [X, LEN64], [length_function("Add"), length_function("Inner")], "sequence_lens",
    ),
    "k of TopK": ([node("TopK", ["z", "n"], ["y", ""])], [("z", FLOAT, [9]), LEN64], [], "the k of TopK"),
    "a padding": ([node("Pad", ["z", "n"], ["y"])], [("z", FLOAT, [9]), ("n", INT64, [2])], [], "the pads of Pad"),
    "a depth": ([node("OneHot", ["zero", "n", "v"], ["y"])], [("v", FLOAT, [2]), LEN64], [], "the depth of OneHot"),
    "how many there are": (
        [node("NonZero", ["n"], ["a"]), node("Cast", ["a"], ["y"], to=FLOAT)],
        [("n", INT64, [5, 5])], [], "the input of NonZero",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DECIDING)
def test_what_decides_the_work_is_asked_for(save: Save, name: str) -> None:
    nodes, inputs, functions, place = DECIDING[name]
    path = save(nodes, inputs, functions)
    found = decided_by(path.read_bytes())
    assert list(found) == ["n"]
    assert place in found["n"]
    if name in ("as it is", "a mask", "a function in a function", "a loop's condition", "a real number"):
        with pytest.raises(
            ShapeError, match=r"input 'n' \(.*\) reaches the .* it is never made up; give --value n=\.\.\."
        ):
            run_worker(WorkerRequest(path, "memory", repeats=1))


HARMLESS = {
    "rows of a table": [node("Gather", ["table", "n"], ["k"]), lstm("k")],
    "their number": [
        node("Shape", ["n"], ["s"]), node("Expand", ["wide", "s"], ["e"]), node("ReduceMax", ["e"], ["y"]),
    ],
    "a mask by number": [
        node("Cast", ["n"], ["f"], to=FLOAT), node("Add", ["x", "f"], ["k"]),
        node("ReduceMean", ["k"], ["y"], axes=[0]),
    ],
    "a place": [node("GatherND", ["wide", "n"], ["y"])],
    "a number among floats": [node("Cast", ["n"], ["f"], to=FLOAT), node("Mul", ["f", "f"], ["y"])],
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_chooses_is_filled_in(save: Save, name: str) -> None:
    assert decided_by(save(HARMLESS[name], [("n", INT64, [5, 1]), X]).read_bytes()) == {}


def test_the_real_length_makes_the_real_measurement(save: Save, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:  # type: ignore[type-arg]
    """One frame of 300, which the worker would make up, takes a fraction of the time."""
    path = save(*DECIDING["as it is"][:2])
    arguments = [str(path), "--processes=1", "--repeats=50", "--time-limit=1", f"--workdir={tmp_path}", "--json"]
    for command in (["bench", *arguments], ["compare", str(path), *arguments]):
        assert run_cli(command) == 2
        out, err = capsys.readouterr()
        assert (out, "--value n=..." in err) == ("", True)
    least_ns = {}
    for frames in (1, TIME):
        run_cli(["bench", *arguments, f"--value=n={frames}"])
        content = json.loads(capsys.readouterr().out)
        assert content["processes"]["latency"][0]["inputs"][1]["source"] == "value"
        least_ns[frames] = min(content["processes"]["latency"][0]["samples_ns"])
    assert least_ns[TIME] > 2 * least_ns[1]


def test_each_compared_file_is_looked_at(save: Save) -> None:
    """The first model leaves its whole number alone; the second steps so many times, and calls it otherwise."""
    plain = save([node("Identity", ["x"], ["y"])], [X, LEN32], name="plain.onnx")
    length = save([lstm(lengths="k")], [X, ("k", INT32, [1])], name="length.onnx")
    few = CompareConfig(processes=1, repeats=5, warmup=0)
    with pytest.raises(ShapeError, match=r"length.onnx: input 'n' .* reaches the sequence_lens .* --value n="):
        compare_onnx([plain, length], few)
    result = compare_onnx([plain, length], few.model_copy(update={"values": {"n": 3}}))
    assert result.measured[0].inputs[1].source == "value"


def test_several_numbers_are_given_row_by_row(save: Save) -> None:
    path = save([node("Resize", ["z", "", "", "n"], ["y"])], [("z", FLOAT, [1, 1, 4, 4]), ("n", INT64, [4])])
    request = WorkerRequest(path, "memory", repeats=1)
    assert run_worker(WorkerRequest(path, "memory", repeats=1, values={"n": (1, 1, 8, 8)})).inputs[1].source == "value"
    with pytest.raises(
        ShapeError, match=r"--value n=1,2: 2 numbers for input 'n' of shape \[4\]; give one for all, or 4"
    ):
        run_worker(WorkerRequest(path, "memory", repeats=1, values={"n": (1, 2)}))
    with pytest.raises(ShapeError, match="reaches the sizes of Resize"):
        run_worker(request)


def test_data_that_decides_is_random_and_that_is_said(save: Save) -> None:
    """How many of many real numbers are above zero: no length that somebody forgot, but real data may take longer."""
    nodes = [node("Relu", ["z"], ["a"]), node("NonZero", ["a"], ["b"]), node("Cast", ["b"], ["y"], to=FLOAT)]
    result = bench_onnx(save(nodes, [("z", FLOAT, [5, 5])]), "raspberry-pi", FEW)
    assert "note: how much work a run is depends on the numbers of input 'z', which reaches the input of NonZero:" in (
        bench_text(result)
    )
    harmless = bench_onnx(save([node("Relu", ["z"], ["y"])], [("z", FLOAT, [5, 5])]), "raspberry-pi", FEW)
    assert "how much work" not in bench_text(harmless)


def test_a_fed_back_count_is_asked_for(save: Save) -> None:
    """It would start at zero and grow: which run is the application's is not for edgekit to say."""
    nodes = [
        node("Slice", ["x", "zero", "state", "zero"], ["k"]), node("ReduceSum", ["k"], ["y"]),
        node("Add", ["state", "one"], ["stateN"]),
    ]  # fmt: skip
    path = save(nodes, [X, ("state", INT64, [1])])
    model = onnx.load(path)
    model.graph.output.append(info("stateN", INT64, [1]))
    onnx.save(model, path)
    with pytest.raises(ShapeError, match=r"input 'state' .* reaches the ends of Slice"):
        run_worker(WorkerRequest(path, "memory", repeats=1))


def test_a_state_of_one_real_number_that_decides_has_to_be_given(save: Save) -> None:
    """It would start at zero, and so would the work."""
    nodes = [
        node("Cast", ["state"], ["whole"], to=INT64), node("Slice", ["x", "zero", "whole", "zero"], ["k"]),
        node("ReduceSum", ["k"], ["y"]), node("Identity", ["state"], ["stateN"]),
    ]  # fmt: skip
    path = save(nodes, [X, ("state", FLOAT, [1])])
    model = onnx.load(path)
    model.graph.output.append(info("stateN", FLOAT, [1]))
    onnx.save(model, path)
    with pytest.raises(ShapeError, match=r"input 'state' .* reaches the ends of Slice"):
        bench_onnx(path, "raspberry-pi", FEW)


def test_a_state_of_several_real_numbers_that_decides_starts_as_zeros_and_that_is_said(save: Save) -> None:
    """As it is of random data."""
    nodes = [
        node("NonZero", ["state"], ["b"]), node("Cast", ["b"], ["y"], to=FLOAT), node("Add", ["x", "state"], ["z"]),
        node("Add", ["state", "state"], ["stateN"]),
    ]  # fmt: skip
    path = save(nodes, [("x", FLOAT, [1, 2]), ("state", FLOAT, [1, 2])])
    model = onnx.load(path)
    model.graph.output.append(info("stateN", FLOAT, [1, 2]))
    onnx.save(model, path)
    said = bench_text(bench_onnx(path, "raspberry-pi", FEW))
    assert "depends on the numbers of input 'state', which reaches the input of NonZero: they start as zeros" in said
    assert "of input 'x'" not in said


def test_an_operator_that_nobody_knows_may_decide(save: Save) -> None:
    path = save([node("Guess", ["n"], ["k"], domain="own"), lstm("x")], [X, LEN64])
    assert "operator own.Guess, of which edgekit does not know" in decided_by(path.read_bytes())["n"]


@pytest.mark.parametrize("depth", [40, 300])
def test_functions_that_call_each_other_without_end_are_no_harm(save: Save, depth: int) -> None:
    """A chain calls the next one twice: a thousand million million paths. And one that calls itself."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = [
        helper.make_function("own", f"F{k}", ["a"], ["c"], [
            node(f"F{(k + 1) % depth}", [a], [b], domain="own") for a, b in ("ab", "bc")
        ], opsets) for k in range(depth)
    ]  # fmt: skip
    path = save([node("F0", ["n"], ["k"], domain="own"), node("Cast", ["k"], ["y"], to=FLOAT)], [LEN64], functions)
    assert "n" in decided_by(path.read_bytes())


def test_every_operator_of_the_standard_is_either_steady_or_decided() -> None:
    """Control flow has rules of its own; text is never fed, and an image decoder's size is in its bytes."""
    names = {schema.name for schema in onnx.defs.get_all_schemas_with_history() if schema.domain == ""}
    steady = {name for name in STEADY if "." not in name}
    own_rules = {"If", "Loop", "Scan", "SequenceMap"}
    text = {"ImageDecoder", "RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit"}
    assert names - steady - set(_PLACES) - own_rules - text == set()
    assert not steady & set(_PLACES)


def test_whole_numbers_that_only_tell_a_size_are_places() -> None:
    """Inputs of the standard that are called sizes, shapes, lengths or repeats."""
    telling = ("shape", "sizes", "size", "sequence_lens", "repeats", "split", "depth", "pads", "starts", "ends")
    for schema in onnx.defs.get_all_schemas_with_history():
        for position, item in enumerate(schema.inputs):
            if schema.domain == "" and item.name in telling and schema.name != "Scan":
                assert position in _PLACES[schema.name], (schema.name, item.name)


TIMED = {
    "time first": ([lstm()], ["time", 1, 4], TimeAxis("LSTM 'lstm'", True)),
    "without a batch": ([node("Unsqueeze", ["x", "one"], ["k"]), lstm("k")], ["n", 4], TimeAxis("LSTM 'lstm'", False)),
    "normalised before": ([node("Sub", ["x", "x"], ["k"]), lstm("k")], [None, 1, 4], TimeAxis("LSTM 'lstm'", True)),
}
AXIS_PLACES = {
    "in a branch": ([node("If", ["true"], ["y"], then_branch=arm("then", "LSTM"), else_branch=arm("else", ""))], []),
    "in a function": (
        [node("Steps", ["x", "W", "R"], ["y"], domain="own")],
        [
            helper.make_function(
                "own", "Steps", ["a", "w", "r"], ["h"],
                [node("LSTM", ["a", "w", "r"], ["", "h"], hidden_size=HIDDEN, name="lstm")],
                [helper.make_opsetid("", 17)],
            )
        ],
    ),
    "behind a function": (
        [node("Same", ["x"], ["k"], domain="own"), lstm("k")],
        [
            helper.make_function(
                "own", "Same", ["a"], ["b"], [node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 17)]
            )
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", AXIS_PLACES)
def test_time_is_found_in_branches_and_functions(save: Save, name: str) -> None:
    nodes, functions = AXIS_PLACES[name]
    path = save(nodes, [("x", FLOAT, ["steps", 1, 4]), LEN64], functions)
    assert time_axes(path.read_bytes()) == {"x": TimeAxis("LSTM 'lstm'", True)}


BATCHED = {
    "batch first": [node("Transpose", ["x"], ["k"], perm=[1, 0, 2]), lstm("k")],
    "layout 1": [node("LSTM", ["x", "W", "R"], ["", "y"], hidden_size=HIDDEN, layout=1)],
    "second layer": [
        node("Transpose", ["x"], ["k"], perm=[1, 0, 2]),
        node("LSTM", ["k", "W", "R"], ["all", ""], hidden_size=HIDDEN),
        node("Squeeze", ["all", "one"], ["less"]), lstm("less"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", TIMED)
def test_an_open_first_axis_that_is_time_is_asked_for(save: Save, name: str) -> None:
    """One step of a recurrent layer is another model than is used; one take of a batch is not."""
    nodes, shape, axis = TIMED[name]
    path = save(nodes, [("x", FLOAT, shape)])
    assert time_axes(path.read_bytes()) == {"x": axis}
    with pytest.raises(ShapeError, match="LSTM 'lstm' steps through its first axis, which is open; give --shape x="):
        run_worker(WorkerRequest(path, "memory", repeats=1))
    given = (TIME, *(size for size in shape[1:] if isinstance(size, int)))
    assert run_worker(WorkerRequest(path, "memory", repeats=1, shapes={"x": given})).inputs[0].shape == tuple(given)


@pytest.mark.parametrize("name", BATCHED)
def test_an_open_batch_is_one_take(save: Save, name: str) -> None:
    path = save(BATCHED[name], [("x", FLOAT, ["n", 30, 4])])
    assert time_axes(path.read_bytes()) == {}


def test_embedded_numbers_one_a_step_are_time(save: Save) -> None:
    path = save([node("Gather", ["table", "n"], ["k"]), lstm("k")], [("n", INT64, ["steps", 1])])
    assert time_axes(path.read_bytes()) == {"n": TimeAxis("LSTM 'lstm'", True)}


@pytest.mark.parametrize("kind", ["as it is", "cast"])
def test_a_dry_run_refuses_what_the_bench_would(save: Save, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    from edgekit.cli import run_cli

    nodes, inputs, functions, place = DECIDING[kind]
    model = str(save(nodes, inputs, functions))
    assert run_cli(["bench", model, "--dry-run"]) == 2
    assert place in (said := capsys.readouterr().err)
    assert "give --value n=..." in said
    assert run_cli(["bench", model, "--dry-run", "--value", "n=30"]) == 0
