"""The worker and the process that predictions run in open a model alike: what is measured is what is used.

Both are single files that run alone, so the options, and what they tell of ONNX Runtime's errors, stand in each; here
they are compared by their effect.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnxruntime
import pytest
from onnx import helper

from edgekit.errors import ModelFileError
from edgekit.measure import worker
from edgekit.runtime import child
from edgekit.runtime.session import open_session


class Recorded(onnxruntime.SessionOptions):
    """The real options; `entries` are the config entries that were added, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, str] = {}

    def add_session_config_entry(self, name: str, value: str) -> None:
        super().add_session_config_entry(name, value)
        self.entries[name] = value


def said(options: Recorded) -> dict[str, Any]:
    """Every option that there is, and every config entry."""
    names = [name for name in dir(onnxruntime.SessionOptions) if not name.startswith("_")]
    plain = {name: getattr(options, name) for name in names if not callable(getattr(options, name))}
    return {**plain, "entries": options.entries}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], list[str]]]:
    """(options, providers) of every session that is opened; none really is."""
    found: list[tuple[dict[str, Any], list[str]]] = []

    def session(model: object, sess_options: Recorded, providers: list[str]) -> SimpleNamespace:
        found.append((said(sess_options), providers))
        return SimpleNamespace(get_inputs=list, get_outputs=list)

    monkeypatch.setattr(onnxruntime, "SessionOptions", Recorded)
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(child, "limit_memory", lambda *_: None)
    return found


@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_measured_is_opened_as_what_is_used(threads: int, opened: list[Any]) -> None:
    worker.open_session(onnxruntime, "model.onnx", threads, 0)
    child.Model({"threads": threads, "limit_bytes": 1}).open(b"")
    measured, used = opened
    assert measured == used
    options, providers = measured
    assert providers == ["CPUExecutionProvider"]
    assert (options["intra_op_num_threads"], options["inter_op_num_threads"]) == (threads, 1)
    assert options["entries"]["session.intra_op.allow_spinning"] == "0"
    assert len(options) > 10


@pytest.mark.parametrize(
    "change",
    [
        lambda options: setattr(options, "enable_mem_pattern", False),
        lambda options: options.add_session_config_entry("session.set_denormal_as_zero", "1"),
    ],
    ids=["option", "entry"],
)
def test_an_option_that_one_of_them_sets_is_seen(
    change: Any, opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    alike = child.session_options

    def other(runtime: Any, threads: int) -> Any:
        options = alike(runtime, threads)
        change(options)
        return options

    monkeypatch.setattr(child, "session_options", other)
    worker.open_session(onnxruntime, "model.onnx", 1, 0)
    child.Model({"threads": 1, "limit_bytes": 1}).open(b"")
    assert opened[0] != opened[1]


INSTALL = "; install a newer onnxruntime, or export the model again with an older opset, such as 17"
ERRORS = {
    "/ort/core/graph/model.cc:180 onnxruntime::Model::Model(onnx::ModelProto&&, const PathString&, const Logger&) "
    "Unsupported model IR version: 30, max supported IR version: 14\n": "IR version 30, and it reads 14 at most"
    + INSTALL,
    "Load model from m.onnx failed:/ort/core/graph/model_load_utils.h:56 void onnxruntime::model_load_utils::Validate("
    "const std::unordered_map<std::string, int>&, const Logger&, bool) ONNX Runtime only *guarantees* support for "
    "models stamped with official released onnx opset versions. Opset 99 is under development and support for this is "
    "limited. Current official support for domain ai.onnx is till opset 26.": "opset 99 of ai.onnx, and it reads 26 at "
    "most" + INSTALL,
    "failed:/ort/core/graph/graph.cc:12 void Check(int, std::vector<std::pair<int, int>> (*)()) Node 'a' is bad": (
        "Node 'a' is bad"
    ),
    "graph.cc:12 no brackets": "graph.cc:12 no brackets",
    "graph.cc:12 f(int)": "graph.cc:12 f(int)",
    "x.cc:1 f( never closed": "x.cc:1 f( never closed",
    "": "ValueError",
    "a" * 400: "a" * 300,
}


@pytest.mark.parametrize("text", ERRORS)
@pytest.mark.parametrize("program", [worker, child])
def test_both_tell_the_reason_and_not_where_it_stands_in_the_source(program: Any, text: str) -> None:
    assert program.said_by_runtime(ValueError(text)) == ERRORS[text]


def test_the_real_error_of_a_file_from_the_future_is_told_whole(tmp_path: Path) -> None:
    model = helper.make_model(helper.make_graph([], "g", [], []), ir_version=99)
    (tmp_path / "new.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match=r"IR version 99, and it reads \d+ at most; install a newer onnxruntime"):
        open_session(tmp_path / "new.onnx", tmp_path / "new.onnx")
