"""An earlier bench as the limit: like with like, differences inside the noise are none, real ones fail."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bench import BenchConfig, BenchResult, Measurement, hold_against, read_baseline
from edgekit.bench.baseline import Baseline, as_baseline, compare_baseline, parse_baseline
from edgekit.bench.result import SCHEMA_VERSION
from edgekit.errors import InputError
from edgekit.evaluate.accuracy import Accuracy
from edgekit.measure import FedInput, Machine, WorkerResult
from edgekit.profiles import Profile
from edgekit.runtime import ModelInfo

MACHINE = {
    "system": "Linux", "release": "6.1", "architecture": "x86_64", "cpu_model": "Test CPU", "cores": 2,
    "device_tree_model": None, "load_1min": 0.5, "python": "3.11.2", "numpy": "2.0.0", "onnxruntime": "1.20.0",
}  # fmt: skip


def samples(seed: int, median_ns: float = 1e6, sigma: float = 0.05, count: int = 1000) -> tuple[int, ...]:
    """Latencies (count,) with a long tail."""
    draws = np.random.default_rng(seed).lognormal(0, sigma, count) * median_ns
    return tuple(int(value) for value in draws)


def worker(runs: tuple[int, ...], peak: int | None = 60_000_000) -> WorkerResult:
    return WorkerResult(
        samples_ns=runs,
        thread_cpu_ns=(),
        warmup_ns=(),
        import_ns=1,
        session_ns=1,
        first_run_ns=1,
        peak_rss_bytes=peak,
        memory_reason=None,
        stages=(),
        inputs=(FedInput("landmarks", "tensor(float)", (1, 30, 63), "takes"),),
        machine=Machine.from_dict(MACHINE),
    )


def result(
    *processes: tuple[int, ...],
    peaks: tuple[int | None, ...] = (60_000_000,),
    size_bytes: int = 40_000,
    outcomes: str | None = None,
) -> BenchResult:
    """A finished bench whose profile limits nothing."""
    accuracy = None
    if outcomes is not None:
        accuracy = Accuracy(outcomes.count("1") / len(outcomes), len(outcomes), "all", "x", False, outcomes, "digest")
    info = ModelInfo(Path("model.onnx"), size_bytes, "ab" * 32, None, 8, {}, "", (), (), {})
    measurement = Measurement(tuple(map(worker, processes)), tuple(worker((), peak) for peak in peaks))
    return BenchResult(info, Profile(name="x"), BenchConfig(), 1, measurement, (), accuracy)


def saved(earlier: BenchResult, folder: Path, **changes: Any) -> Baseline:
    """Through a file, as a user does. changes: PATH__TO__KEY=value, on the JSON."""
    content = json.loads(json.dumps(earlier.to_dict()))
    for name, value in changes.items():
        place = content
        *parts, last = name.split("__")
        for part in parts:
            place = place[int(part) if part.isdigit() else part]
        place[last] = value
    path = folder / "baseline.json"
    path.write_text(json.dumps(content))
    return read_baseline(path)


def verdicts(found: BenchResult) -> dict[str, str]:
    return {row.quantity.removesuffix(" against the baseline"): row.verdict for row in found.rows}


@pytest.mark.parametrize("sigma", [0.001, 0.05, 1.0])
@pytest.mark.parametrize("limit", [0.0, 0.1])
def test_the_same_samples_are_no_change_and_never_a_regression(tmp_path: Path, sigma: float, limit: float) -> None:
    one = result(samples(0, sigma=sigma), samples(1, sigma=sigma))
    found = hold_against(one, saved(one, tmp_path), limit)
    assert [row.measured for row in found.rows] == [0, 0, 0]
    assert "fail" not in verdicts(found).values()
    assert verdicts(found)["file size"] == "pass"


def test_a_fifth_slower_fails_ten_percent_and_passes_thirty(tmp_path: Path) -> None:
    earlier = saved(result(samples(0), samples(1), samples(2)), tmp_path)
    slower = result(*(samples(seed, 1.2e6) for seed in (3, 4, 5)))
    assert hold_against(slower, earlier, 0.1).exit_code == 3
    assert hold_against(slower, earlier, 0.3).exit_code == 0
    row = hold_against(slower, earlier, 0.1).rows[0]
    assert row.measured == pytest.approx(0.2, abs=0.02)
    assert (row.constraint, row.limit, row.unit) == ("max_regression", 0.1, "ratio")


def test_a_difference_inside_the_noise_is_undecided(tmp_path: Path) -> None:
    """9 % slower with a tail that p95 sways by 10 %: neither within 10 % for certain, nor beyond."""
    found = hold_against(
        result(samples(3, 1.09e6, sigma=0.5, count=300)),
        saved(result(samples(0, sigma=0.5, count=300)), tmp_path),
        0.1,
    )
    assert verdicts(found)["latency p95"] == "undecided"
    assert found.exit_code == 4


def test_processes_that_disagree_are_undecided(tmp_path: Path) -> None:
    """One process in three lies badly in memory: its samples alone would say 20 % slower."""
    earlier = saved(result(samples(0), samples(1), samples(2)), tmp_path)
    found = hold_against(result(samples(3), samples(4), samples(5, 1.2e6)), earlier, 0.1)
    assert verdicts(found)["latency p95"] == "undecided"


def test_too_few_samples_for_an_interval_are_undecided(tmp_path: Path) -> None:
    """Twenty runs can't tell that p95 is low enough; that it is twice as high they can."""
    earlier = saved(result(samples(0)), tmp_path)
    found = hold_against(result(samples(3, 0.5e6, count=20)), earlier, 0.1)
    assert verdicts(found)["latency p95"] == "undecided"
    assert "raise --repeats" in found.rows[0].note
    json.dumps(found.to_dict(), allow_nan=False)
    assert verdicts(hold_against(result(samples(3, 2e6, count=20)), earlier, 0.1))["latency p95"] == "fail"


def test_what_load_by_others_explains_is_undecided(tmp_path: Path) -> None:
    """It makes runs slower: no fail where this bench had it, no pass where the baseline had it."""
    load = [{"kind": "foreign load", "text": "other programs kept 1.00 of 2 cores busy"}]
    quiet, loaded = (result(samples(0, median, 0.1), samples(1, median, 0.1)) for median in (1e6, 1.3e6))
    assert verdicts(hold_against(quiet, saved(loaded, tmp_path), 0.1))["latency p95"] == "pass"
    was_loaded = saved(loaded, tmp_path, disturbances=load)
    found = hold_against(quiet, was_loaded, 0.1)
    assert verdicts(found)["latency p95"] == "undecided"
    assert "baseline: other programs kept 1.00 of 2 cores busy" in found.rows[0].note
    now = replace(saved(loaded, tmp_path), load="busy")
    (latency, *_) = compare_baseline(now, saved(quiet, tmp_path))
    assert latency.judge(0.1) == "undecided"
    assert compare_baseline(replace(now, load=""), saved(quiet, tmp_path))[0].judge(0.1) == "fail"


def test_memory_and_size_are_compared(tmp_path: Path) -> None:
    earlier = saved(result(samples(0), peaks=(60_000_000, 61_000_000)), tmp_path)
    more = hold_against(result(samples(0), peaks=(80_000_000, 81_000_000), size_bytes=50_000), earlier, 0.1)
    assert verdicts(more) == {"latency p95": "pass", "peak memory": "fail", "file size": "fail"}
    near = hold_against(result(samples(0), peaks=(60_000_000, 67_000_000)), earlier, 0.1)
    assert verdicts(near)["peak memory"] == "undecided"


def test_a_figure_that_only_the_baseline_has_is_undecided_and_one_that_it_lacks_is_not_compared(tmp_path: Path) -> None:
    whole, bare = result(samples(0)), result(samples(0), peaks=(None,))
    gone = hold_against(bare, saved(whole, tmp_path), 0.1)
    assert verdicts(gone)["peak memory"] == "undecided"
    assert "this bench has none" in gone.rows[1].note
    json.dumps(gone.to_dict(), allow_nan=False)
    assert "peak memory" not in verdicts(hold_against(whole, saved(bare, tmp_path), 0.1))
    stopped = hold_against(result(()), saved(whole, tmp_path), 0.1)
    assert verdicts(stopped) == {"latency p95": "undecided"}


def test_accuracy_is_compared_take_by_take(tmp_path: Path) -> None:
    earlier = saved(result(samples(0), outcomes="1" * 900 + "0" * 100), tmp_path)
    assert verdicts(hold_against(result(samples(0), outcomes="1" * 900 + "0" * 100), earlier, 0.1)) == {
        "latency p95": "pass", "peak memory": "pass", "file size": "pass", "accuracy lost": "pass",
    }  # fmt: skip
    worse = hold_against(result(samples(0), outcomes="0" * 200 + "1" * 800), earlier, 0.1)
    assert verdicts(worse)["accuracy lost"] == "undecided", "200 lost and 100 gained: 11 % less, 8 to 14"
    assert verdicts(hold_against(result(samples(0), outcomes="0" * 1000), earlier, 0.1))["accuracy lost"] == "fail"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"machine__cpu_model": "Other"}, "cpu_model was Other, is Test CPU"),
        ({"machine__architecture": "aarch64"}, "architecture was aarch64"),
        ({"machine__cores": 4}, "cores was 4, is 2"),
        ({"machine__device_tree_model": "Raspberry Pi 5"}, "device_tree_model was Raspberry Pi 5"),
        ({"machine__onnxruntime": "1.19.0"}, "onnxruntime was 1.19.0"),
        ({"config__threads": 4}, "threads was 4, is 1"),
        ({"profile__latency_percentile": 99}, "latency_percentile was 99.0, is 95.0"),
        ({"processes__latency__0__inputs__0__source": "random"}, "input was random"),
        ({"processes__latency__0__inputs__0__shape": [1, 20, 63]}, "[1, 20, 63]"),
        ({"machine__cores": 4, "config__threads": 4}, "cores was 4, is 2; threads was 4, is 1"),
    ],
)  # fmt: skip
def test_unlike_machines_are_refused_by_name(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    one = result(samples(0))
    with pytest.raises(InputError) as error:
        hold_against(one, saved(one, tmp_path, **changes), 0.1)
    assert named in str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize("outcomes", [None, "1111"])
def test_accuracy_on_other_takes_is_refused(tmp_path: Path, outcomes: str | None) -> None:
    earlier = saved(result(samples(0), outcomes="1110"), tmp_path, accuracy__takes_sha256="another digest")
    with pytest.raises(InputError, match=r"accuracy was measured on .* takes \(--data, --part\)"):
        hold_against(result(samples(0), outcomes=outcomes), earlier, 0.1)


def test_a_baseline_without_accuracy_is_compared_without(tmp_path: Path) -> None:
    found = hold_against(result(samples(0), outcomes="1111"), saved(result(samples(0)), tmp_path), 0.1)
    assert "accuracy lost" not in verdicts(found)


def test_another_python_is_a_note(tmp_path: Path) -> None:
    one = result(samples(0))
    found = hold_against(one, saved(one, tmp_path, machine__python="3.12.1", machine__numpy="2.1.0"), 0.1)
    assert found.exit_code == 0
    assert found.baseline is not None
    assert found.baseline.notes == ("python was 3.12.1, is 3.11.2", "numpy was 2.1.0, is 2.0.0")


def test_what_is_no_result_of_a_bench_is_refused(tmp_path: Path) -> None:
    good = json.loads(json.dumps(result(samples(0)).to_dict()))
    path = tmp_path / "b.json"
    texts = {"": "JSON", "[1]": "not the result", "null": "not the result", '{"kind": "compare"}': "not the result"}
    texts["[" * 100_000] = "JSON"
    for version in (SCHEMA_VERSION + 1, 99, "1", None):
        texts[json.dumps({**good, "schema_version": version})] = f"this edgekit reads {SCHEMA_VERSION}"
    for key in ("machine", "config", "profile", "processes", "model"):
        texts[json.dumps({name: value for name, value in good.items() if name != key})] = f"damaged (KeyError: '{key}'"
        for wrong in (None, [], "x", 3, {}):
            texts[json.dumps({**good, key: wrong})] = "damaged"
    for outcomes in (3, "012", ["1"]):
        texts[json.dumps({**good, "accuracy": {"outcomes": outcomes}})] = "damaged"
    for wrong in ([], [0], [-5], [1.5], ["x"], None, [True]):
        broken = copy.deepcopy(good)
        broken["processes"]["latency"][0]["samples_ns"] = wrong
        texts[json.dumps(broken)] = "damaged"
        texts[json.dumps({**good, "processes": {"latency": wrong, "memory": []}})] = "damaged"
    for text, message in texts.items():
        path.write_text(text)
        with pytest.raises(InputError) as error:
            read_baseline(path)
        assert message in str(error.value), text[:80]
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="can't be read as JSON"):
        read_baseline(path)
    with pytest.raises(InputError, match="no such file"):
        read_baseline(tmp_path / "none.json")


def test_rows_of_the_profile_stay_and_the_worst_verdict_counts(tmp_path: Path) -> None:
    one = replace(result(samples(0)), profile=Profile(name="x"))
    earlier = saved(one, tmp_path, model__size_bytes=20_000)
    found = hold_against(one, earlier, 0.1)
    assert (found.verdict, found.exit_code) == ("fail", 3)
    assert found.to_dict()["baseline"]["max_regression_ratio"] == 0.1


@pytest.mark.parametrize("outcomes", [None, "110"])
def test_a_result_is_held_against_as_its_json_would_be_read(outcomes: str | None) -> None:
    now = result(samples(0), samples(1), peaks=(60_000_000, None), outcomes=outcomes)
    for found in (now, replace(now, threads=2)):
        assert as_baseline(found) == parse_baseline(json.loads(json.dumps(found.to_dict())), str(found.info.path))
