"""The comparison with other runtimes: its protocol, its arithmetic, and that nothing is left out of the table."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "bench"))  # as its scripts find each other

import peer_environments  # noqa: E402
import peer_limit  # noqa: E402
import peer_models  # noqa: E402
import peer_table  # noqa: E402
import peers  # noqa: E402

FAKE = """
import numpy as np
from serve import Runner

class Fake(Runner):
    version, about = "1", "fake"
    def set(self, take):
        self.take = take
    def run(self):
        if self.way == "dies":
            raise SystemExit("a model too far: /somewhere/private/model.x")
    def logits(self):
        return self.take[0] + (1 if self.way == "wrong" else 0)
    def empty(self):
        return None if self.way == "bare" else lambda: None

def prepare(folder, way):
    if way == "unfit":
        raise ValueError("no such operator")
    (folder / "prepared").write_text(way)

def load(folder, way):
    print("chatter of a runtime")
    runner = Fake()
    runner.way = way
    return runner
"""
WAYS = ("fp32", "bare", "wrong", "dies", "unfit")


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> peer_models.Case:
    """Three takes of one frame, whose logits are the frame; and a runtime `of_fake` that answers so."""
    workers = tmp_path / "workers"
    workers.mkdir()
    shutil.copy(peers.SERVE, workers / "serve.py")
    (workers / "of_fake.py").write_text(FAKE, encoding="utf-8")
    monkeypatch.setattr(peers, "SERVE", workers / "serve.py")
    takes = np.arange(9, dtype=np.float32).reshape(3, 1, 3)
    np.save(tmp_path / "takes.npy", takes)
    for name in ("network.onnx", "network.int8.onnx"):
        (tmp_path / name).write_bytes(b"")
    return peer_models.Case("fake", tmp_path, None, takes[:, 0].astype(np.float64))  # type: ignore[arg-type]


def opened(case: peer_models.Case, *ways: str) -> dict[str, Any]:
    peer = peer_environments.Peer("fake", "of_fake", (), ways)
    rows = {}
    for row, told, worker in peers.open_rows(case, (peer,), case.folder):
        rows[row] = told
        if worker is not None:
            worker.close()
    return rows


def test_a_worker_answers_times_and_tells_its_size(case: peer_models.Case) -> None:
    peer = peer_environments.Peer("fake", "of_fake", (), ("fp32",))
    ((row, told, worker),) = peers.open_rows(case, (peer,), case.folder)
    assert row == "fake fp32"
    assert told["error"] == told["changed"] == 0
    assert told["peak_bytes"] > 10**6
    assert worker is not None
    assert len(worker.ask(do="time", take=1, warm=2, calls=7)["ns"]) == 7
    assert all(took >= 0 for took in worker.ask(do="empty", warm=1, calls=3)["ns"])
    worker.close()


def test_a_runtime_without_an_empty_call_has_none(case: peer_models.Case) -> None:
    peer = peer_environments.Peer("fake", "of_fake", (), ("bare",))
    ((_, _, worker),) = peers.open_rows(case, (peer,), case.folder)
    assert worker is not None
    assert worker.ask(do="empty", warm=1, calls=3) == {"ns": []}
    worker.close()


def test_every_way_is_a_row_whatever_happens(case: peer_models.Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "FP32_WAYS", ("fp32", "wrong"))
    rows = opened(case, *WAYS)
    assert list(rows) == [f"fake {way}" for way in WAYS]
    assert rows["fake wrong"] == {"failed": "its answers are 1 off, allowed for fp32 are 0.0001"}
    assert rows["fake dies"]["failed"] == "ended (1): a model too far: model.x"
    assert rows["fake unfit"]["failed"] == "cannot take the model: ValueError: no such operator"


def test_a_runtime_that_is_not_to_be_had_is_a_row(case: peer_models.Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(command: Any) -> str:
        raise peer_environments.Unavailable("does not install: ERROR: No matching distribution")

    monkeypatch.setattr(peer_environments, "_run", refuse)
    gone = peer_environments.Peer("gone", "of_gone", ("gone==1",), ("fp32",))
    never = peer_environments.Peer("never", "of_never", (), ("fp32",), "it sends reports")
    rows = {row: told for row, told, _ in peers.open_rows(case, (gone, never), case.folder)}
    assert rows["gone fp32"] == {"failed": "does not install: ERROR: No matching distribution"}
    assert rows["never fp32"] == {"failed": "it sends reports"}
    of_model = {"rounds": 1, "rows": rows, "limit": {"ns": {}, "cycles": {}, "clock_ghz": 0.0}}
    shown = peer_table.show("model", of_model)
    assert "No matching distribution" in shown
    assert "it sends reports" in shown


def test_pytorch_for_graphics_cards_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def plan(command: Any) -> str:
        commands.append(command)
        names = ["torch", "nvidia-cublas"]
        return json.dumps({"install": [{"metadata": {"name": name}} for name in names]})

    monkeypatch.setattr(peer_environments, "_run", plan)
    peer = peer_environments.Peer("heavy", "of_heavy", ("torch==9",), ("eager",))
    with pytest.raises(peer_environments.Unavailable, match="CUDA build \\(nvidia-cublas\\)"):
        peer_environments.python_of(peer, tmp_path)
    assert not any("install" in command and "--dry-run" not in command for command in commands)


def test_an_environment_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def run(command: Any) -> str:
        commands.append(command)
        (tmp_path / "new").mkdir(exist_ok=True)
        return '{"install": []}'

    monkeypatch.setattr(peer_environments, "_run", run)
    peer = peer_environments.Peer("new", "of_new", ("new==1",), ("fp32",))
    assert peer_environments.python_of(peer, tmp_path) == tmp_path / "new" / "bin" / "python"
    made = len(commands)
    peer_environments.python_of(peer, tmp_path)
    assert len(commands) == made == 3
    newer = peer_environments.Peer("new", "of_new", ("new==2",), ("fp32",))
    peer_environments.python_of(newer, tmp_path)
    assert len(commands) == 2 * made


def test_what_was_prepared_is_used_again_until_something_changes(case: peer_models.Case) -> None:
    peer = peer_environments.Peer("fake", "of_fake", ("fake==1",), ("fp32",))
    first = peers.recipe(peer, "fp32", case)
    assert peers.recipe(peer, "fp32", case) == first
    (case.folder / "network.onnx").write_bytes(b"other weights")
    assert peers.recipe(peer, "fp32", case) != first
    assert peers.recipe(peer_environments.Peer("fake", "of_fake", ("fake==2",), ()), "fp32", case) != first


def row(p50: int, empty: int = 0, error: float = 0.0, changed: int = 0) -> dict[str, Any]:
    return {
        "ns": [p50, p50, p50 + 1000],
        "empty_ns": [empty] * 3 if empty else [],
        "error": error,
        "changed": changed,
        "peak_bytes": 2_000_000,
        "libraries": {"lib.so": 1_000_000},
        "model": {"m": 500_000},
        "about": "",
    }


def model(**rows: Any) -> dict[str, Any]:
    ns = {"limit int8, INT8": [5_000] * 3, "limit int8, INT16": [9_000] * 3, "limit fp32, FP32": [15_000] * 3}
    cycles = {"int8": {"at_least": 10_000.0}}
    named = {name.replace("_", " "): told for name, told in rows.items()}
    return {"takes": 100, "rounds": 3, "rows": named, "limit": {"ns": ns, "cycles": cycles, "clock_ghz": 2.0}}


def test_figures_are_those_of_the_samples() -> None:
    told = peer_table.figures(row(20_000, empty=3_000))
    assert (told["p50_us"], told["empty_us"]) == (20.0, 3.0)
    assert told["p99_us"] == pytest.approx(20.98)
    assert (told["peak_mb"], told["shipped_mb"]) == (2.0, 1.5)


def test_the_fastest_peer_answers_the_question_and_is_not_edgekits() -> None:
    of_model = model(
        edgekit_int8=row(10_000),
        saturating=row(20_000, error=3.0, changed=6),
        rounded=row(30_000, error=0.1, changed=5),
        exact=row(40_000, empty=15_000),
        gone={"failed": "does not install"},
    )
    assert peer_table.fastest_peer(of_model) == ("rounded", 30.0)
    assert peer_table.fastest_peer(of_model, exact=True) == ("exact", 40.0)
    assert peer_table.fastest_peer(of_model, without_calls=True) == ("exact", 25.0)
    with pytest.raises(ValueError, match="no peer"):
        peer_table.fastest_peer(model(edgekit_int8=row(10_000)))


def test_claims_say_what_is_reached_missed_and_not_timed() -> None:
    of_model = model(edgekit_int8=row(10_000), edgekit_fp32=row(31_000), peer=row(40_000, empty=15_000))
    said = "\n".join(peer_table.claims({"flags": ["avx2"], "models": {peer_table.STUDENT: of_model}}))
    assert re.search(r"reached +INT8, 64 units.*without VNNI.*at least 4 times as fast: 4\.00 \(peer; 2\.50 ", said)
    assert re.search(r"MISSED +fp32, 64 units.*1\.4 times as fast: 1\.29", said)
    assert re.search(r"reached +student, 64 units, int8: at most 2 times the machine's limit: 2\.00", said)
    assert re.search(r"MISSED +student, 64 units, fp32: at most 2 times the machine's limit: 2\.07", said)
    assert said.count("not timed") == 3


def test_the_network_behind_the_preprocessing_is_the_files(tmp_path: Path) -> None:
    case = peer_models.make_case("student pruned to 40 units", tmp_path / "case")
    landmarks = np.load(case.folder / "landmarks.npy")
    whole = onnxruntime.InferenceSession(str(case.folder / "whole.int8.onnx"))
    there = whole.run(None, {"landmarks": landmarks})[0]
    assert np.abs(there - case.exact).max() < 1e-5  # fp32 sums in another order
    onnx.checker.check_model(onnx.load(case.folder / "network.onnx"))
    took = peer_models.work(case.network)
    assert took == {"products": 30 * 160 * (63 + 40) + 160 * 40 + 26 * 160, "functions": 6000, "weights": 27_040}


def test_the_derived_limit_is_the_larger_of_products_and_bytes_and_the_functions_behind(tmp_path: Path) -> None:
    case = peer_models.make_case("student pruned to 40 units", tmp_path / "case")
    cycles = peer_limit.derived(case.network, "fp32")
    assert cycles["products"] == 30 * 160 * (63 + 40) / 16
    assert cycles["bytes"] == 30 * 160 * (40 + 63 / 4) * 4 / 64
    assert cycles["functions"] == 30 * 5 * 25
    assert cycles["at_least"] == cycles["products"] + cycles["functions"]


def test_the_page_tells_what_was_measured() -> None:
    found = json.loads((ROOT / "bench" / "results" / "peers.json").read_text(encoding="utf-8"))
    text = (ROOT / "docs" / "native.md").read_text(encoding="utf-8").partition("<!-- figures of peers")[2]
    rows = {
        name: cells.split(" | ") for name, cells in re.findall(r"^\| ([^|]+?) \| (.+) \|$", text.split("\n\n")[1], re.M)
    }
    models = found["models"]
    for peer in peer_environments.PEERS:
        for way in peer.ways:
            told = [of_model["rows"][f"{peer.name} {way}"] for of_model in models.values()]
            for cell, one in zip(rows[f"{peer.name} {way}"], told, strict=True):
                if "failed" in one:
                    assert cell == one["failed"]
                    continue
                p50, p99 = np.percentile(one["ns"], [50, 99]) / 1e3
                assert cell == f"{p50:,.1f} ({p99:,.1f})"
    assert peer_table.page(found) in text
