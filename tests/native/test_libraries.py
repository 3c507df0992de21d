"""The shared library through its binding: every variant answers alike, and what can't be answered is an error."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgekit.bench import CompareConfig, compare_onnx
from edgekit.cli import run_cli
from edgekit.data import canonical_takes, load_recordings
from edgekit.errors import ConfigError, DataError, ModelFileError, ShapeError
from edgekit.evaluate import hand_is_seen
from edgekit.measure import WorkerRequest, run_worker
from edgekit.native import compile_model, read_network, reference
from edgekit.native.building import find_compiler
from edgekit.native.takes import golden_takes
from edgekit.predict import predict_frames, predict_takes
from edgekit.report import compare_text
from edgekit.results import CompileResult
from edgekit.runtime import Rejection, is_library, open_native, open_predictor, open_stream
from edgekit.shipped import open_box

Capture = pytest.CaptureFixture[str]
LETTERS = Path(__file__).resolve().parents[3] / "shared" / "data" / "asl-letters.npz"


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> CompileResult:
    """The shipped student in integers, once."""
    if find_compiler() is None:
        pytest.skip("no C compiler is installed")
    return compile_model(open_box().student, tmp_path_factory.mktemp("native") / "letters", name="letters")


def test_every_variant_gives_the_bits_of_the_numpy_twin(compiled: CompileResult) -> None:
    network = read_network(compiled.source)
    x = golden_takes(network.frames, 4, seed=5)
    wanted = reference.predict(network, x)
    variants = open_native(compiled.folder).variants
    assert variants[-1] == "baseline"
    for variant in variants:
        assert (open_native(compiled.folder, variant)(x) == wanted).all()


def test_a_library_keeps_the_rule_for_no_sign(make_file: Callable[..., Path], tmp_path: Path) -> None:
    """It answers with the same logits, and whoever asks judges them as the file's."""
    if find_compiler() is None:
        pytest.skip("no C compiler is installed")
    path, rule = make_file(), Rejection("energy", 1e6, 'takes of "train"', 0.005)
    model, metadata = onnx.load(path), open_predictor(path).info.metadata
    assert metadata is not None
    onnx.helper.set_model_props(model, replace(metadata, no_sign=rule).to_props())
    onnx.save(model, path)
    made = compile_model(path, tmp_path / "ruled")
    info = open_native(made.folder).info
    assert info.metadata is not None
    assert info.metadata.no_sign == rule
    take = np.random.default_rng(0).uniform(0.2, 0.8, (12, 63)).astype(np.float32)
    np.save(tmp_path / "take.npy", take)
    ways = [(path, "onnxruntime"), (made.folder, "native")]
    (silent,), (also,) = (predict_takes(model, tmp_path / "take.npy", runtime=runtime) for model, runtime in ways)
    assert (silent.label, also.label) == (None, None)
    (named,) = predict_takes(made.folder, tmp_path / "take.npy", runtime="native", reject=False)
    assert named.label in tuple("ABCDE")


def test_threads_that_share_a_predictor_get_their_own_answers(compiled: CompileResult) -> None:
    predictor = open_native(compiled.folder)
    x = golden_takes(read_network(compiled.source).frames, 4, seed=5)
    wanted = predictor(x)

    def ask(k: int) -> bool:
        return all((predictor(x[k % 4 : k % 4 + 1]) == wanted[k % 4]).all() for _ in range(100))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(8)))


def test_the_library_says_what_the_file_said(compiled: CompileResult) -> None:
    predictor, file = open_native(compiled.folder), open_predictor(compiled.source)
    assert predictor.info.metadata is not None
    assert file.info.metadata is not None
    assert predictor.info.metadata.class_names == file.info.metadata.class_names
    assert predictor.info.metadata.parents == (file.info.sha256,)
    assert (predictor.input_shape, predictor.classes) == (("batch", 30, 63), 26)
    assert predictor.info.size_bytes == compiled.library_bytes


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((0, 30, 63)), "an empty batch can't be run"),
        (np.zeros((1, 29, 63)), r"shape \(1, 29, 63\); expected \(batch, 30, 63\)"),
        (np.full((1, 30, 63), np.nan), "every value must be finite"),
        (np.array(["a"]), "expected float32 numbers"),
    ],
)
def test_input_is_checked_as_for_onnx_runtime(compiled: CompileResult, x: np.ndarray, message: str) -> None:  # type: ignore[type-arg]
    for predictor in (open_native(compiled.folder), open_predictor(compiled.source)):
        with pytest.raises(ShapeError, match=message):
            predictor(x)


def test_numbers_that_are_too_large_are_an_error(compiled: CompileResult) -> None:
    with pytest.raises(ShapeError, match=r"libletters\.so: a number is too large: beyond 1e15, or too far"):
        open_native(compiled.folder)(np.full((1, 30, 63), 1e20, np.float32))


def test_the_place_of_numbers_that_are_too_large_is_said(compiled: CompileResult, tmp_path: Path) -> None:
    np.save(tmp_path / "huge.npy", np.full((30, 63), 1e20, np.float32))
    with pytest.raises(ShapeError, match=r"huge\.npy: .*libletters\.so: a number is too large: beyond 1e15"):
        predict_takes(compiled.folder, tmp_path / "huge.npy", runtime="native")
    lines = [json.dumps([size] * 63) for size in (0.5, 0.5, 1e20)]
    for step in (False, True):
        with pytest.raises(DataError, match=r"line 3: .*libletters\.so: a number is too large"):
            list(predict_frames(compiled.folder, lines, 1, None, "native", step=step))


def test_a_variant_that_is_not_there_is_named(compiled: CompileResult) -> None:
    with pytest.raises(ConfigError, match="variant 'avx9' is not in it"):
        open_native(compiled.folder, "avx9")


def test_a_library_for_another_machine_is_refused_before_it_is_loaded(compiled: CompileResult, tmp_path: Path) -> None:
    assert compiled.library is not None
    content = bytearray(compiled.library.read_bytes())
    content[18:20] = (243).to_bytes(2, "little")  # RISC-V
    (tmp_path / "libother.so").write_bytes(content)
    with pytest.raises(ModelFileError, match="compiled for machine 243, and this is"):
        open_native(tmp_path)


def test_what_is_no_library_of_edgekits_is_refused(compiled: CompileResult, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"an ONNX file; `edgekit compile"):
        open_native(compiled.source)
    with pytest.raises(ModelFileError, match="holds 0 libraries"):
        open_native(tmp_path)
    (tmp_path / "libx.so").write_bytes(b"no library at all")
    with pytest.raises(ModelFileError, match="not a shared library"):
        open_native(tmp_path)
    assert compiled.library is not None
    shutil.copy(compiled.library, tmp_path / "libx.so")
    with (tmp_path / "libx.so").open("r+b") as file:
        file.truncate(compiled.library_bytes - 1)
    with pytest.raises(ModelFileError, match="cut short; copy or compile it again"):
        open_native(tmp_path)
    python = next(Path(sys.base_prefix).rglob("_ctypes*.so"), None)
    if python is not None:
        with pytest.raises(ModelFileError, match="no library of edgekit compile"):
            open_native(python)


def test_every_variant_steps_as_the_twin_does(compiled: CompileResult) -> None:
    """To the last bit, also beyond the frames of a take; a frame may be taken in without an answer."""
    network = read_network(compiled.source)
    x = golden_takes(network.frames, 2, seed=5)
    frames = x.reshape(-1, 63)[:40]
    wanted = reference.stream(network, frames[None])[0]
    for variant in open_native(compiled.folder).variants:
        predictor = open_native(compiled.folder, variant)
        stream = predictor.stream()
        assert (np.stack([stream.step(frame) for frame in frames]) == wanted).all()
        assert (predictor(x[:1])[0] == wanted[29]).all()
        stream.reset()
        for frame in frames[:5]:
            stream.skip(frame)
        assert (stream.step(frames[5]) == wanted[5]).all()


def test_what_is_no_frame_leaves_the_stream_as_it_was(compiled: CompileResult) -> None:
    network = read_network(compiled.source)
    x, stream = golden_takes(network.frames, 1)[0], open_native(compiled.folder).stream()
    wanted = reference.stream(network, x[None])[0]
    for k, frame in enumerate(x[:8]):
        with pytest.raises(ShapeError, match=r"shape \(62,\); expected \(63\)"):
            stream.step(frame[1:])
        with pytest.raises(ShapeError, match="must be finite"):
            stream.step(np.full(63, np.nan))
        with pytest.raises(ShapeError, match="a number is too large"):
            stream.step(np.full(63, 1e20))
        assert (stream.step(frame) == wanted[k]).all()


def test_two_states_take_turns(compiled: CompileResult) -> None:
    """Each answer is that of a take since the answering state began, to the last bit, and `predict --step` gives it."""
    network = read_network(compiled.source)
    x = golden_takes(network.frames, 1, seed=3)[0, :20]
    predictor = open_native(compiled.folder)
    stream = open_stream(predictor, restart=8)
    begins = [0] * 8 + [4] * 4 + [8] * 4 + [12] * 4
    wanted = [reference.stream(network, x[None, begin : n + 1])[0, -1] for n, begin in enumerate(begins)]
    assert all((stream.step(frame) == answer).all() for frame, answer in zip(x, wanted, strict=True))
    lines = [json.dumps(frame.tolist()) for frame in x]
    told = list(predict_frames(compiled.folder, lines, 3, None, "native", step=True, restart=8, reject=False))
    names = read_network(compiled.source).class_names
    hands = [hand_is_seen(x[: n + 1]) for n in range(2, len(x))]
    best = [names[int(logits.argmax())] for logits in wanted[2:]]
    assert [answer.label for answer in told] == [name if hand else None for name, hand in zip(best, hands, strict=True)]
    assert [answer.frame for answer in told] == list(range(2, 20))


def test_a_library_without_a_stream_says_why(compiled: CompileResult) -> None:
    predictor = open_native(compiled.folder)
    predictor._stream_bytes = 0  # what a library of a bidirectional model says
    with pytest.raises(ModelFileError, match="reads takes backwards, too"):
        predictor.stream()


def test_real_takes_are_read_as_onnx_runtime_reads_them(compiled: CompileResult) -> None:
    """Integers: accuracy within 0.2 points; the same weights in fp32: 1e-5 of a logit."""
    if not LETTERS.exists():
        pytest.skip(f"{LETTERS.name} is not here")
    recordings = load_recordings(LETTERS)
    x = canonical_takes(recordings, 30)
    file = open_predictor(compiled.source)
    assert file.info.metadata is not None
    order = [recordings.class_names.index(name) for name in file.info.metadata.class_names]
    wanted, got = file(x), open_native(compiled.folder)(x)
    right = [(np.array(order)[logits.argmax(axis=1)] == recordings.labels).mean() for logits in (wanted, got)]
    flips = int((wanted.argmax(axis=1) != got.argmax(axis=1)).sum())
    assert abs(right[0] - right[1]) <= 0.002, f"{right}, {flips} of {len(x)} labels changed"
    assert flips <= 0.005 * len(x)
    in_float = reference.predict(read_network(compiled.source).in_float(), x[::10])
    assert np.abs(in_float - wanted[::10]).max() <= 1e-5 * max(1.0, float(np.abs(wanted).max()))


def test_takes_are_labelled_as_with_onnx_runtime(compiled: CompileResult, tmp_path: Path, capfd: Capture) -> None:
    np.save(tmp_path / "take.npy", golden_takes(read_network(compiled.source).frames, 1)[0])
    answers = []
    for model, runtime in ((compiled.source, "onnxruntime"), (compiled.folder, "native")):
        line = ["predict", str(tmp_path / "take.npy"), "--model", str(model), "--runtime", runtime, "--json"]
        assert run_cli(line) == 0
        answers.append(json.loads(capfd.readouterr().out)["predictions"][0])
    assert answers[0]["label"] == answers[1]["label"]
    assert answers[0]["probability"] == pytest.approx(answers[1]["probability"], abs=0.01)


def test_a_bench_measures_what_was_compiled(
    compiled: CompileResult, tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.native.compile_model", lambda path, folder: compiled)
    line = ["bench", str(compiled.source), "--runtime", "native", "--workdir", str(tmp_path / "w"), "--json", "--quiet"]
    short = [
        "--repeats",
        "20",
        "--processes",
        "1",
        "--set",
        "bench.min_time_s=0",
        "--evidence",
        "measured on this host",
    ]
    assert run_cli([*line, *short]) == 0
    told = json.loads(capfd.readouterr().out)
    rows = {(row["board"], row["constraint"]): row for row in told["rows"]}
    assert rows[None, "max_model_mb"]["measured"] == told["library"]["size_bytes"] == compiled.library_bytes
    assert told["model"]["size_bytes"] == compiled.source.stat().st_size
    assert "this was compiled; bench on the board" in rows["Raspberry Pi 5", "max_latency_ms"]["note"]
    assert told["machine"]["onnxruntime"] is None
    assert told["memory"]["peak_rss_bytes"] < 40e6  # ONNX Runtime alone takes more


def test_a_library_is_compared_with_the_file_that_it_was_made_of(
    compiled: CompileResult, tmp_path: Path, capfd: Capture
) -> None:
    """Twice as fast is far from the five times that VNNI reaches; plain C would do it, too."""
    short = ["--repeats", "60", "--processes", "2", "--workdir", str(tmp_path / "w"), "--quiet", "--json"]
    assert run_cli(["compare", str(compiled.source), str(compiled.folder), *short]) == 0
    told = json.loads(capfd.readouterr().out)
    file, library = told["models"]
    assert (file["runtime"], file["variant"]) == ("onnxruntime", None)
    assert (library["runtime"], library["path"]) == ("native", str(compiled.library))
    assert library["variant"] == open_native(compiled.folder).variant
    assert library["size_bytes"] == compiled.library_bytes
    assert library["scheme"] is None
    assert library["latency"]["samples"] == 120
    assert told["comparisons"][0]["high"] < 1


def test_a_comparisons_text_shows_what_a_librarys_parent_says(compiled: CompileResult) -> None:
    config = CompareConfig(repeats=20, processes=1)
    text = compare_text(compare_onnx([compiled.folder, compiled.source], config))
    library, file = (line.split() for line in text.splitlines() if line.startswith((" libletters.so", " student")))
    assert library[1:5] == ["compiled,", open_native(compiled.folder).variant, "27,546", "504,960"]
    assert file[1:4] == ["int8-weights", "27,546", "504,960"]
    assert "compiled: a library of edgekit compile, called from Python" in text
    alone = compare_onnx([compiled.folder, compiled.folder], config)
    assert alone.machine.onnxruntime is None
    row = next(line for line in compare_text(alone).splitlines() if "compiled, " in line)
    assert row.split()[1:5] == [*library[1:3], "?", "?"]


def test_files_and_libraries_are_told_apart_by_what_they_hold(compiled: CompileResult, tmp_path: Path) -> None:
    assert compiled.library is not None
    unnamed = Path(shutil.copyfile(compiled.library, tmp_path / "unnamed"))
    (tmp_path / "none").mkdir()
    for path, library in ((unnamed, True), (compiled.folder, True), (compiled.source, False), (tmp_path / "x", False)):
        assert is_library(path) == library
    for bad, message in ((tmp_path / "none", "holds 0 libraries"), (tmp_path / "x.so", "no such file")):
        with pytest.raises(ModelFileError, match=message):
            compare_onnx([compiled.source, bad])


def test_takes_of_another_length_are_refused_and_the_library_is_named(compiled: CompileResult) -> None:
    with pytest.raises(ShapeError, match=r"libletters\.so: input 'landmarks' expects"):
        compare_onnx([compiled.folder, compiled.source], takes=np.zeros((2, 29, 63), np.float32))


def test_a_library_that_cannot_be_loaded_is_named(compiled: CompileResult, tmp_path: Path) -> None:
    """One that asks for more than this machine has is found out when the measuring process opens it."""
    broken = tmp_path / "libbroken.so"
    broken.write_bytes(b"\x7fELF")
    with pytest.raises(ModelFileError, match=r"libbroken\.so: it can't be loaded here: .*too short"):
        run_worker(WorkerRequest(compiled.source, "compare", others=(broken,), compiled=(1,)))
