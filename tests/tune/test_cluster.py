"""What Ray tells of its trials, as the ledger hears it: no cluster is started here."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from edgekit.errors import ConfigError
from edgekit.tune import Job, Point, TrialResult

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Ray's own imports
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

MakeJob = Callable[..., Job]
POINT = Point(4, 1, 0.2, 0.01)


class Heard:
    """A ledger that goes on with every trial."""

    def __init__(self, go_on: bool = True) -> None:
        self.go_on = go_on
        self.finished: list[TrialResult] = []
        self.lost: list[TrialResult] = []

    def next(self) -> None:
        return None

    def step(self, number: int, accuracies: tuple[float, ...]) -> bool:
        return self.go_on

    def finish(self, number: int, result: TrialResult) -> None:
        self.finished.append(result)

    def lose(self, number: int, result: TrialResult) -> None:
        self.lost.append(result)


def ray_trial(recovers: bool = False) -> Any:
    error = RuntimeError("ray::trial()\n  File x\nValueError: signal only works in main thread\n")
    return SimpleNamespace(
        config={"trial": {"number": 7, "point": POINT.to_dict()}},
        should_recover=lambda: recovers,
        get_error=lambda: error,
    )


def whole() -> dict[str, Any]:
    result = TrialResult(POINT, "finished", (0.5, 0.6, 0.7), 10, 1.0)
    return {"accuracy": 0.6, "result": json.dumps(result.to_dict())}


def test_a_trial_that_ray_runs_again_after_its_result_came_is_finished_once(make_job: MakeJob) -> None:
    from edgekit.study.cluster import _Judge

    heard = Heard()
    judge = _Judge(heard, make_job())
    assert judge.on_trial_result(None, ray_trial(), whole()) == "CONTINUE"
    judge.on_trial_error(None, ray_trial(recovers=True))
    assert judge.on_trial_result(None, ray_trial(), {"accuracy": 0.5, "accuracies": [0.5]}) == "STOP"
    judge.on_trial_error(None, ray_trial())
    assert (len(heard.finished), heard.lost) == (1, [])


def test_a_trial_that_ray_gives_up_is_lost_with_the_workers_reason(make_job: MakeJob) -> None:
    from edgekit.study.cluster import _Judge

    heard = Heard()
    judge = _Judge(heard, make_job())
    judge.on_trial_error(None, ray_trial(recovers=True))
    assert heard.lost == []
    judge.on_trial_error(None, ray_trial())
    assert heard.finished == []
    assert heard.lost[0].error == "its worker died or failed 4 times (ValueError: signal only works in main thread)"


def test_a_hopeless_trial_is_stopped_and_pruned(make_job: MakeJob) -> None:
    from edgekit.study.cluster import _Judge

    heard = Heard(go_on=False)
    told = {"accuracy": 0.1, "accuracies": [0.1], "time_total_s": 2.0}
    assert _Judge(heard, make_job()).on_trial_result(None, ray_trial(), told) == "STOP"
    assert [(one.state, one.accuracies) for one in heard.finished] == [("pruned", (0.1,))]


@pytest.mark.parametrize("address", ["127.0.0.1:9", "nowhere", "127.0.0.1:99999999"])
def test_an_address_without_a_cluster_is_named(address: str) -> None:
    from edgekit.study.cluster import check_address

    with pytest.raises(ConfigError, match=f"--cluster {address}: no Ray cluster there .*local, or HOST:PORT"):
        check_address(address)
