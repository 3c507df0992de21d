"""Inputs that once failed, made anew each time: name to what makes the case in the current folder."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from . import checks
from .cases import CORE, Case, copy
from .inputs import argument
from .mutate import arrays, trees
from .seeds import TINY

Maker = Callable[[Path], Case]
CORPUS: dict[str, Maker] = {}
QUICK = ("--repeats=5", "--processes=1", "--time-limit=1", "--workdir=none")


def _case(name: str) -> Callable[[Maker], Maker]:
    def keep(maker: Maker) -> Maker:
        CORPUS[name] = maker
        return maker

    return keep


def _npz(seeds: Path, **changes: np.ndarray | bytes) -> str:
    """The recordings with other arrays; bytes stand for a member as it is."""
    with np.load(seeds / "data/hands.npz") as found:
        members: dict[str, np.ndarray | bytes] = {**found, **changes}
    with zipfile.ZipFile(f"{CORE}.npz", "w", zipfile.ZIP_STORED) as archive:
        for name, value in members.items():
            archive.writestr(f"{name}.npy", value if isinstance(value, bytes) else arrays.npy_bytes(value))
    return f"{CORE}.npz"


def _model(seeds: Path, name: str, change: Callable[[onnx.ModelProto], object]) -> str:
    model = onnx.load(seeds / "models" / name)
    change(model)
    Path(f"{CORE}.onnx").write_bytes(model.SerializeToString())
    return f"{CORE}.onnx"


def _tensor(model: onnx.ModelProto, name: str) -> TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def _quantize(name: str) -> Case:
    argv = ("quantize", name, "-o", "target.onnx", "--json")
    return Case(argv, name, may_write=("target.onnx",), check=checks.sound_model(name, "target.onnx"))


@_case("a header of .npy without its last bracket")
def _unclosed_header(seeds: Path) -> Case:
    body = arrays.npy_bytes(np.zeros((20, 63), np.float32))
    Path(f"{CORE}.npy").write_bytes(body.replace(b"63), }", b"63,   "))
    return Case(("predict", f"{CORE}.npy", "--model", str(seeds / "models/lstm.int8.onnx")), "")


@_case("a code point that Unicode does not have")
def _no_code_point(seeds: Path) -> Case:
    body = arrays.npy_bytes(np.array(["A", "B", "C"]))[:-4] + b"\xff\xff\xff\x7f"
    return Case(("data", "check", _npz(seeds, class_names=body)), "")


@_case("a lone surrogate as a class name, written as CSV")
def _surrogate(seeds: Path) -> Case:
    name = _npz(seeds, class_names=np.array(["A", "B", "\ud800"]))
    return Case(("data", "clean", name, "target.csv"), "", may_write=("target.csv",))


@_case("a session that CSV can't hold")
def _odd_session(seeds: Path) -> Case:
    name = _npz(seeds, session=np.array(["\udcff"] * 12))
    check = checks.same_recordings(name, "target.csv")
    return Case(("data", "convert", name, "target.csv"), "", may_write=("target.csv",), check=check)


@_case("control characters in class names")
def _escapes(seeds: Path) -> Case:
    return Case(("data", "check", _npz(seeds, class_names=np.array(["\x1b[31mA", "B\r", "\x9b31m"]))), "")


@_case("an archive that grows")
def _bomb(seeds: Path) -> Case:
    """2 GB of zeros in 2 MB: the same compressed megabyte over and over."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (41_611, 200, 63)})
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(head.getvalue()) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = first + block * 2000 + b"\x03\x00"
    name = _npz(seeds, sequences=packed)
    with zipfile.ZipFile(name) as archive:
        at = archive.getinfo("sequences.npy").header_offset
    size = len(head.getvalue()) + 2000 * 2**20
    _claim(Path(name), b"PK\x03\x04", at, 8, size)
    _claim(Path(name), b"PK\x01\x02", 0, 10, size)
    return Case(("data", "check", name), "")


def _claim(path: Path, kind: bytes, start: int, method: int, size: int) -> None:
    """The first record of that kind from there on says deflated, and this size; its member is the archive's first."""
    content = bytearray(path.read_bytes())
    at = content.index(kind, start)
    content[at + method : at + method + 2] = (8).to_bytes(2, "little")
    sizes = at + method + 14
    content[sizes : sizes + 4] = size.to_bytes(4, "little")
    path.write_bytes(content)


@_case("a member that claims terabytes")
def _claims(seeds: Path) -> Case:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (10**10, 30, 63)})
    return Case(("data", "check", _npz(seeds, sequences=head.getvalue())), "")


@_case("a pipe among the takes")
def _pipe_inside(seeds: Path) -> Case:
    copy(seeds / "data/takes", CORE)
    os.mkfifo(f"{CORE}/A/pipe.npy")
    return Case(("data", "check", CORE), "")


@_case("brackets in a work directory's manifest")
def _deep_manifest(seeds: Path) -> Case:
    Path(CORE).mkdir()
    tree = {"schema_version": 1, "options": {}, "stages": {"train edge": "@@deep@@"}}
    Path(CORE, "manifest.json").write_bytes(trees.as_json(tree))
    return Case(("config", "--workdir", CORE), "")


@_case("brackets in a model's class names")
def _deep_metadata(seeds: Path) -> Case:
    def change(model: onnx.ModelProto) -> None:
        next(item for item in model.metadata_props if item.key == "edgekit.class_names").value = "[" * 5000

    return Case(("predict", str(seeds / "data/take.npy"), "--model", _model(seeds, "lstm.onnx", change)), "")


@_case("a length of 200 million frames")
def _long(seeds: Path) -> Case:
    def change(model: onnx.ModelProto) -> None:
        next(item for item in model.metadata_props if item.key == "edgekit.sequence_length").value = "200000000"

    return Case(("predict", str(seeds / "data/take.npy"), "--model", _model(seeds, "lstm.onnx", change)), "")


YAMLS = (
    "!!bool y",
    "!!int abc",
    "!!timestamp x",
    "!!set [a]",
    "? [a, b]\n: 1",
    "? {a: 1}\n: 2",
    "2024-99-99",
    '"\\U7fffffff"',
)
for _number, _text in enumerate((*YAMLS, trees.BOMB, "[" * 5000, "y" * 70_000)):

    def _setting(seeds: Path, text: str = _text) -> Case:
        argv = ("config", "--workdir=none", "--set", argument(f"training.learning_rate={text}"))
        return Case(argv, "", names=("training",))

    def _settings(seeds: Path, text: str = _text) -> Case:
        Path(f"{CORE}.yaml").write_text(f"max_model_mb: 10\nx: {text}\n" if text in YAMLS[:4] else f"{text}\n")
        return Case(("profiles", f"{CORE}.yaml"), "")

    CORPUS[f"setting {_number} of YAML's own kind"] = _setting
    CORPUS[f"profile {_number} of YAML's own kind"] = _settings

#: Where a file is expected: the command, and what it is called there.
PLACES: dict[str, Callable[[Path, str], tuple[str, ...]]] = {
    "recordings.npz": lambda seeds, name: ("data", "check", name),
    "recordings.csv": lambda seeds, name: ("data", "check", name),
    "take.npy": lambda seeds, name: ("predict", name, "--model", str(seeds / "models/lstm.int8.onnx")),
    "model.onnx": lambda seeds, name: ("quantize", name, "-o", "target.onnx"),
    "own.onnx": lambda seeds, name: ("predict", str(seeds / "data/take.npy"), "--model", name),
    "benched.onnx": lambda seeds, name: ("bench", name, *QUICK),
    "settings.yaml": lambda seeds, name: ("config", "--config", name, "--workdir=none"),
    "limits.yaml": lambda seeds, name: ("bench", str(seeds / "models/lstm.int8.onnx"), "--profile", name, *QUICK),
    "baseline.json": lambda seeds, name: (
        *("bench", str(seeds / "models/lstm.int8.onnx"), "--baseline", name, "--max-regression=10%", *QUICK),
    ),
    "teacher.onnx": lambda seeds, name: (
        *("distill", "--teacher", name, *TINY, "--data", str(seeds / "data/hands.npz"), "--workdir=work"),
    ),
}
for _place, _argv in PLACES.items():

    def _pipe(seeds: Path, place: str = _place, argv: Callable[[Path, str], tuple[str, ...]] = _argv) -> Case:
        os.mkfifo(f"{CORE}-{place}")
        return Case(argv(seeds, f"{CORE}-{place}"), "", may_write=("work",))

    def _zeros(seeds: Path, place: str = _place, argv: Callable[[Path, str], tuple[str, ...]] = _argv) -> Case:
        Path(f"{CORE}-{place}").symlink_to("/dev/zero")
        return Case(argv(seeds, f"{CORE}-{place}"), "", may_write=("work",))

    def _loop(seeds: Path, place: str = _place, argv: Callable[[Path, str], tuple[str, ...]] = _argv) -> Case:
        Path(f"{CORE}-{place}").symlink_to(f"{CORE}-{place}")
        return Case(argv(seeds, f"{CORE}-{place}"), "", may_write=("work",))

    CORPUS[f"a pipe as {_place}"] = _pipe
    CORPUS[f"/dev/zero as {_place}"] = _zeros
    CORPUS[f"a link to itself as {_place}"] = _loop


@_case("recurrent weights of rank 2")
def _flat(seeds: Path) -> Case:
    def change(model: onnx.ModelProto) -> None:
        _tensor(model, "R").dims[:] = [16, 64]

    name = _model(seeds, "plain.onnx", change)
    return Case(("quantize", name, "-o", "target.onnx", "--scheme=int8-dynamic"), "", may_write=("target.onnx",))


@_case("a weight that is a segment of another")
def _segment(seeds: Path) -> Case:
    def change(model: onnx.ModelProto) -> None:
        _tensor(model, "D").segment.begin = 1

    return _quantize(_model(seeds, "plain.onnx", change))


@_case("a weight whose sizes contradict its bytes")
def _contradiction(seeds: Path) -> Case:
    def change(model: onnx.ModelProto) -> None:
        _tensor(model, "W").dims[:] = [1, 64, 64]

    return _quantize(_model(seeds, "plain.onnx", change))


@_case("one weight that is no number")
def _nan(seeds: Path) -> Case:
    def change(model: onnx.ModelProto) -> None:
        weight = _tensor(model, "W")
        values = numpy_helper.to_array(weight).copy()
        values[0, 0, 0] = np.nan
        weight.raw_data = values.tobytes()

    return _quantize(_model(seeds, "plain.onnx", change))


def _grown(model: onnx.ModelProto, nodes: list[onnx.NodeProto], name: str) -> None:
    model.graph.node.extend(nodes)
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.INT64, None))


for _times in (24, 40):

    def _doubling(seeds: Path, times: int = _times) -> Case:
        nodes = [helper.make_node("Shape", ["landmarks"], ["g0"])]
        nodes += [helper.make_node("Concat", [f"g{k}", f"g{k}"], [f"g{k + 1}"], axis=0) for k in range(times)]
        name = _model(seeds, "plain.onnx", lambda model: _grown(model, nodes, f"g{times}"))
        return Case(("bench", name, *QUICK, "--json"), "")

    CORPUS[f"sizes that double {_times} times"] = _doubling


@_case("a range of a billion")
def _range(seeds: Path) -> Case:
    ends = [numpy_helper.from_array(np.array(value), name) for name, value in (("a", 0), ("b", 10**9), ("c", 1))]

    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer.extend(ends)
        _grown(model, [helper.make_node("Range", ["a", "b", "c"], ["grown"])], "grown")

    return Case(("bench", _model(seeds, "plain.onnx", change), *QUICK, "--json"), "")


@_case("an operator that fails while it runs, whose log has colours")
def _failing(seeds: Path) -> Case:
    def change(model: onnx.ModelProto) -> None:
        sizes = numpy_helper.from_array(np.array([7, 7]), "sizes")
        model.graph.initializer.append(sizes)
        model.graph.node.append(helper.make_node("Reshape", ["logits", "sizes"], ["seven"]))
        model.graph.output.append(helper.make_tensor_value_info("seven", TensorProto.FLOAT, None))

    return Case(("predict", str(seeds / "data/take.npy"), "--model", _model(seeds, "lstm.onnx", change)), "")


@_case("a Parquet column called after a control character")
def _column(seeds: Path) -> Case:
    import pyarrow.parquet as pq

    table = pq.read_table(seeds / "data/hands.parquet")
    names = ["\x00\x1b[31m" if name == "x0" else name for name in table.column_names]
    pq.write_table(table.rename_columns(names), f"{CORE}.parquet")
    return Case(("data", "check", f"{CORE}.parquet"), "")


@_case("a number of 5,000 digits in a stream")
def _digits(seeds: Path) -> Case:
    line = json.dumps([0] * 63).replace("0", "9" * 5000, 1)
    argv = ("predict", "--model", str(seeds / "models/lstm.int8.onnx"), "--min-frames=1")
    return Case(argv, "", stdin=line.encode() + b"\n", names=("line 1",), lines=True)


@_case("numbers that a wide picture makes too large for float32")
def _too_wide(seeds: Path) -> Case:
    with np.load(seeds / "data/hands.npz") as found:
        sequences = found["sequences"].copy()
    sequences[0, 0, 0] = 3e38
    name = _npz(seeds, sequences=sequences, aspect=np.array(100.0))
    return Case(("predict", name, "--model", str(seeds / "models/lstm.int8.onnx"), "--json"), "")
