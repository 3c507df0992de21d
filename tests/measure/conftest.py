"""The worker as a module, with sessions and a clock that are made up: nothing sleeps, nothing is opened."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import pytest

from edgekit.measure import WORKER


@pytest.fixture
def worker() -> ModuleType:
    """The worker as a module."""
    spec = importlib.util.spec_from_file_location("worker", WORKER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.random.seed(0)
    return module


class FakeModels:
    """Sessions that take a set time on a clock of their own, or one drawn anew each run, and a record of who ran when.

    slept_ns: what the worker slept, on the same clock. A session uses `cpu_share` of its time.
    """

    def __init__(self, *takes_ns: int | Callable[[], int], cpu_share: float = 1.0) -> None:
        self.now_ns, self.cpu_ns, self.slept_ns = 0, 0, 0
        self.ran: list[tuple[int, int]] = []
        self.cpu_share = cpu_share
        self.turns = [
            (SimpleNamespace(run=self._model(index, each)), [{"x": 0}, {"x": 1}, {"x": 2}])
            for index, each in enumerate(takes_ns)
        ]
        self.clock = SimpleNamespace(
            perf_counter_ns=lambda: self.now_ns, thread_time_ns=lambda: self.cpu_ns, sleep=self._sleep
        )

    def _model(self, index: int, takes_ns: int | Callable[[], int]) -> Callable[[None, dict[str, int]], None]:
        def run(_: None, feed: dict[str, int]) -> None:
            self.ran.append((index, feed["x"]))
            took = takes_ns() if callable(takes_ns) else takes_ns
            self.now_ns += took
            self.cpu_ns += round(took * self.cpu_share)

        return run

    def _sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)
        self.slept_ns += round(seconds * 1e9)


@pytest.fixture
def fake_models(worker: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeModels]:
    """Models whose clock the worker then goes by."""

    def make(*takes_ns: int | Callable[[], int], cpu_share: float = 1.0) -> FakeModels:
        models = FakeModels(*takes_ns, cpu_share=cpu_share)
        monkeypatch.setattr(worker, "time", models.clock)
        return models

    return make
