"""Comparisons: what processes must agree on before a file is called faster, and real files in real processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest

from edgekit.bench import CompareConfig, TimeRatio, compare_onnx
from edgekit.errors import InputError, ModelFileError, ShapeError
from edgekit.measure import FedInput, Machine, MedianInterval, WorkerRequest, WorkerResult, run_worker
from edgekit.report import compare_text
from edgekit.report.compare import in_words

Measure = Callable[[WorkerRequest], WorkerResult]

FEW = CompareConfig(repeats=60, warmup=5, processes=3)


def named(path: Path, name: str) -> Path:
    """The file under another name, so that the next one does not replace it."""
    return path.rename(path.with_name(name))


def made_up(
    *times: float, luck: float = 0.0, noise: float = 0.05, seed: int = 0, machine: str | None = None
) -> Measure:
    """Stands for the worker: models that take `times` microseconds.

    luck: how much a model's time differs from process to process, a ratio; noise: from run to run.
    """
    rng = np.random.default_rng(seed)

    def measure(request: WorkerRequest) -> WorkerResult:
        shape = (len(times), request.repeats)
        factors = rng.lognormal(0, luck, (len(times), 1)) * rng.lognormal(0, noise, shape)
        columns = (1e3 * np.array(times)[:, None] * factors).round().astype(int).tolist()
        return WorkerResult(
            samples_ns=tuple(columns[0]),
            thread_cpu_ns=(),
            warmup_ns=(),
            import_ns=1,
            session_ns=1,
            first_run_ns=1,
            peak_rss_bytes=None,
            memory_reason="made up",
            stages=(),
            inputs=(FedInput("landmarks", "tensor(float)", (1, 30, 63), "random"),),
            machine=Machine(cpu_model="made up", cores=4, device_tree_model=machine),
            others_ns=tuple(tuple(column) for column in columns[1:]),
        )

    return measure


@pytest.fixture
def files(lstm_file) -> list[Path]:
    """Three files that nobody runs."""
    return [named(lstm_file(), name) for name in ("a.onnx", "b.onnx", "c.onnx")]


def found(*processes: tuple[float, float, float], least: float = 0.02) -> TimeRatio:
    """From (low, median, high) of each process."""
    return TimeRatio(tuple(MedianInterval(median, low, high) for low, median, high in processes), least)


@pytest.mark.parametrize(
    ("processes", "verdict"),
    [
        ([(0.70, 0.75, 0.80), (0.80, 0.85, 0.99)], "faster"),
        ([(1.01, 1.20, 1.30), (1.10, 1.15, 1.20)], "slower"),
        # one process is not sure of the side, or sure of the other one
        ([(0.70, 0.75, 0.80), (0.90, 0.95, 1.01)], "undecided"),
        ([(0.70, 0.75, 0.80), (1.20, 1.25, 1.30)], "undecided"),
        # all are sure of the side, but of a difference that copies of one file show as well
        ([(0.98, 0.985, 0.99), (0.985, 0.99, 0.995)], "undecided"),
        ([(0.985, 0.99, 0.995), (0.99, 0.993, 0.999)], "same"),
        ([(0.99, 1.0, 1.01), (0.985, 0.99, 1.0)], "same"),
        ([(0.99, 1.0, 1.03)], "undecided"),
        ([(0.0, 0.5, float("inf"))], "undecided"),
    ],
)
def test_the_rule(processes: list[tuple[float, float, float]], verdict: str) -> None:
    assert found(*processes).verdict == verdict


def test_exchanging_the_files_exchanges_faster_and_slower_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    opposite = {"faster": "slower", "slower": "faster", "same": "same", "undecided": "undecided"}
    seen = set()
    for _ in range(500):
        middle = rng.normal(rng.normal(0, 0.03), 0.005, 3)
        ends = np.exp(np.stack([middle - rng.uniform(0.001, 0.02), middle, middle + rng.uniform(0.001, 0.02)], axis=1))
        forth = found(*ends.tolist())
        back = found(*(1 / ends[:, ::-1]).tolist())
        assert back.verdict == opposite[forth.verdict]
        assert back.ratio == pytest.approx(1 / forth.ratio)
        assert (back.low, back.high) == pytest.approx((1 / forth.high, 1 / forth.low))
        seen.add(forth.verdict)
    assert seen == set(opposite)


def test_copies_of_a_file_are_not_told_apart(files: list[Path]) -> None:
    """With memory luck of half a percent, as measured: not once in 200 comparisons.

    Without a smallest effect, five processes that agree by chance would be a verdict once in 16.
    """
    config = CompareConfig(repeats=100)
    ratios = [
        compare_onnx(files[:2], config, measure=made_up(60, 60, luck=0.005, noise=0.002, seed=seed)).ratios[0]
        for seed in range(200)
    ]
    assert {ratio.verdict for ratio in ratios} <= {"same", "undecided"}
    fooled = [replace(ratio, smallest_effect_ratio=0.0).verdict != "undecided" for ratio in ratios]
    assert sum(fooled) > 200 / 100


@pytest.mark.parametrize(("other", "verdict"), [(48.0, "faster"), (60.0, "same"), (80.0, "slower")])
def test_a_difference_is_found_with_its_size(files: list[Path], other: float, verdict: str) -> None:
    (ratio,) = compare_onnx(files[:2], measure=made_up(60, other, luck=0.003)).ratios
    assert ratio.verdict == verdict
    assert ratio.ratio == pytest.approx(other / 60, rel=0.01)
    assert ratio.low <= ratio.ratio <= ratio.high


def test_every_file_is_compared_with_the_first(files: list[Path]) -> None:
    result = compare_onnx(files, measure=made_up(60, 30, 120))
    assert [ratio.verdict for ratio in result.ratios] == ["faster", "slower"]
    assert [latency.p50_s for latency in result.latency] == pytest.approx([60e-6, 30e-6, 120e-6], rel=0.02)


def test_what_the_processes_are_asked(files: list[Path]) -> None:
    """Each opens another file first, and has its share of the time."""
    asked: list[WorkerRequest] = []

    def spy(request: WorkerRequest) -> WorkerResult:
        asked.append(request)
        return made_up(1, 1, 1)(request)

    takes = np.zeros((200, 30, 63), np.float32)
    compare_onnx(files, CompareConfig(processes=4, time_limit_s=8, threads=2, repeats=70), takes, measure=spy)
    assert [request.opened_first for request in asked] == [0, 1, 2, 0]
    for request in asked:
        assert (request.mode, request.models) == ("compare", tuple(files))
        assert (request.max_time_s, request.threads, request.repeats) == (2, 2, 70)
        assert request.takes is not None
        assert request.takes.shape == (64, 30, 63)


def test_json_holds_every_sample_and_says_where_it_was_measured(files: list[Path]) -> None:
    result = compare_onnx(files, CompareConfig(repeats=50, processes=2), measure=made_up(60, 30, 120))
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert (content["schema_version"], content["kind"]) == (1, "compare")
    assert content["baseline"] == str(files[0])
    assert [model["path"] for model in content["models"]] == [str(path) for path in files]
    assert [entry["model"] for entry in content["comparisons"]] == [str(path) for path in files[1:]]
    for process in content["processes"]:
        assert [len(samples) for samples in (process["samples_ns"], *process["others_ns"])] == [50, 50, 50]
    ratios = np.array(content["processes"][0]["others_ns"][0]) / np.array(content["processes"][0]["samples_ns"])
    assert content["comparisons"][0]["processes"][0]["median"] == pytest.approx(np.median(ratios), rel=1e-3)
    assert (content["evidence"], content["board"]) == ("measured on this host", None)
    assert content["machine"]["cpu_model"] == "made up"


def test_too_few_rounds_say_so_and_stay_json(files: list[Path]) -> None:
    result = compare_onnx(files[:2], CompareConfig(repeats=7), measure=made_up(60, 10))
    assert result.ratios[0].verdict == "undecided"
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["comparisons"][0]["high"] is None
    assert "can't tell: too few rounds" in compare_text(result)


def test_the_text_says_which_is_faster_and_whose_times_these_are(files: list[Path]) -> None:
    host = compare_text(compare_onnx(files, measure=made_up(60, 30, 120)))
    assert "b.onnx: 2 times as fast as a.onnx" in host
    assert "c.onnx: takes 2 times as long as a.onnx" in host
    assert "5,000 rounds in 5 processes" in host
    assert host.splitlines()[-1].startswith("measured on this host: these are not a device's times")
    board = compare_text(compare_onnx(files, measure=made_up(60, 30, 120, machine="Raspberry Pi 4 Model B Rev 1.4")))
    assert board.splitlines()[-1] == "measured on device: Raspberry Pi 4 Model B"


def test_files_of_one_name_are_told_apart_by_their_paths(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "a.onnx"
    twin.write_bytes(files[0].read_bytes())
    text = compare_text(compare_onnx([files[0], twin], measure=made_up(60, 30)))
    assert f"{twin}: 2 times as fast as {files[0]}" in text.replace("\n", "")


@pytest.mark.parametrize(
    ("processes", "words"),
    [
        ([(0.75, 0.76, 0.77)], "1.32 times as fast as A"),
        ([(1.30, 1.32, 1.34)], "takes 1.32 times as long as A"),
        ([(0.99, 1.0, 1.01)], "no difference from A that counts: 0.990 to 1.010 times its time, 2 % would count"),
        ([(0.9, 1.0, 1.1)], "can't tell: 0.900 to 1.100 times the time of A"),
    ],
)
def test_verdicts_in_words(processes: list[tuple[float, float, float]], words: str) -> None:
    assert in_words(found(*processes), "A").startswith(words)


def test_more_work_is_told_apart_in_a_real_run(lstm_file) -> None:
    """LSTM 256 has 11 times the multiply-adds of LSTM 64, and takes at least twice as long on any machine."""
    small, large = named(lstm_file(64), "small.onnx"), named(lstm_file(256), "large.onnx")
    (ratio,) = compare_onnx([small, large], FEW).ratios
    assert ratio.verdict == "slower"
    assert ratio.ratio > 2
    (back,) = compare_onnx([large, small], FEW).ratios
    assert back.verdict == "faster"
    assert back.ratio < 1 / 2


def test_a_file_of_another_scheme_and_other_input_names_is_compared(tiny_model, tmp_path: Path) -> None:
    """INT8 as onnxruntime's own tool writes it, which edgekit's metadata names."""
    import onnx
    from onnxruntime.quantization import quantize_dynamic

    from edgekit.export import export_onnx

    export_onnx(tiny_model(), tmp_path / "edge.onnx", class_names=("a", "b", "c"))
    quantize_dynamic(tmp_path / "edge.onnx", tmp_path / "dynamic.onnx")
    model = onnx.load(tmp_path / "dynamic.onnx")
    for entry in model.metadata_props:
        if entry.key == "edgekit.scheme":
            entry.value = '"int8-dynamic"'
    for node in model.graph.node:
        node.input[:] = ["x" if name == "landmarks" else name for name in node.input]
    model.graph.input[0].name = "x"
    onnx.save(model, tmp_path / "dynamic.onnx")
    result = compare_onnx([tmp_path / "edge.onnx", tmp_path / "dynamic.onnx"], FEW)
    assert [model["scheme"] for model in result.to_dict()["models"]] == ["fp32", "int8-dynamic"]
    assert "int8-dynamic" in compare_text(result)


@pytest.mark.parametrize("count", [0, 1])
def test_one_file_is_nothing_to_compare(files: list[Path], count: int) -> None:
    with pytest.raises(InputError, match=rf"models to compare: {count}; give two files or more, ONNX or compiled"):
        compare_onnx(files[:count])


def test_bad_files_and_takes_raise_before_anything_is_measured(files: list[Path], tmp_path: Path) -> None:
    def never(request: WorkerRequest) -> WorkerResult:
        raise AssertionError("measured")

    (tmp_path / "junk.onnx").write_bytes(b"junk" * 100)
    for name in ("junk.onnx", "missing.onnx"):
        with pytest.raises(ModelFileError, match=name):
            compare_onnx([files[0], tmp_path / name], measure=never)
    for takes in (np.zeros((0, 30, 63)), np.full((1, 30, 63), np.nan)):
        with pytest.raises(ShapeError):
            compare_onnx(files, takes=takes, measure=never)


def test_inputs_of_different_shapes_are_refused(lstm_file) -> None:
    long, short = named(lstm_file(time=30), "long.onnx"), named(lstm_file(time=20), "short.onnx")
    with pytest.raises(ShapeError, match=r"short\.onnx: its input is .* only models of the same input"):
        compare_onnx([long, short], FEW)


def test_sizes_left_open_are_given_for_the_first_file(lstm_file) -> None:
    first, second = named(lstm_file(time="time"), "first.onnx"), named(lstm_file(time="time"), "second.onnx")
    seen = []

    def spy(request: WorkerRequest) -> WorkerResult:
        seen.append(run_worker(replace(request, repeats=1)))
        return seen[-1]

    compare_onnx([first, second], CompareConfig(processes=1, shapes={"landmarks": (1, 7, 63)}), measure=spy)
    assert seen[0].inputs[0].shape == (1, 7, 63)


@pytest.mark.parametrize(
    "wrong", [{"repeats": 0}, {"processes": 0}, {"confidence": 1}, {"smallest_effect_ratio": -1}, {"repeat": 5}]
)
def test_a_wrong_config_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        CompareConfig(**wrong)
