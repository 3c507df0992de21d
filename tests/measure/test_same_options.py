"""The worker and the process that predictions run in open a model alike: what is measured is what is used.

Both are single files that run alone, so the options stand in each; here they are compared by their effect.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import onnxruntime
import pytest

from edgekit.measure import worker
from edgekit.runtime import child


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
