"""The harness of kills tells Python's own first moments from edgekit's."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"
STARTING = """Traceback (most recent call last):
  File "<frozen runpy>", line 189, in _run_module_as_main
  File "<frozen importlib._bootstrap>", line 209, in _get_module_lock
KeyboardInterrupt
"""
RUNNING = STARTING.replace("<frozen runpy>", "/home/me/edgekit/start.py")


@pytest.fixture(scope="module")
def has_begun() -> Callable[[str], bool]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCH))
        found: Callable[[str], bool] = runpy.run_path(str(BENCH / "kills.py"))["has_begun"]
    sys.modules.pop("kill_places", None)
    return found


@pytest.mark.parametrize(
    ("said", "begun"),
    [
        (STARTING, False),
        (RUNNING, True),
        (STARTING.replace("KeyboardInterrupt", "ValueError: no"), True),  # not what a signal leaves
        ("edgekit: interrupted\n", True),
        ("", True),
    ],
)
def test_only_a_traceback_without_a_line_of_edgekit_is_pythons_own(
    has_begun: Callable[[str], bool], said: str, begun: bool
) -> None:
    assert has_begun(said) is begun
