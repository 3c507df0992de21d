"""Every public function takes a path as `str` or as any `os.PathLike[str]`."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit

#: Not called by users: the command line.
OWN = ("cli", "__main__")


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every function in the `__all__` of a room, or without an underscore in a module that has none, as `room.name`."""
    for found in pkgutil.iter_modules(edgekit.__path__):
        if found.name in OWN:
            continue
        module = importlib.import_module(f"edgekit.{found.name}")
        own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        for name in getattr(module, "__all__", None) or [name for name in own if not name.startswith("_")]:
            function = inspect.unwrap(value) if callable(value := getattr(module, name)) else value
            if inspect.isfunction(function):
                yield f"{found.name}.{name}", function


def takes_paths(function: Callable[..., Any]) -> list[str]:
    """Names of the parameters that are paths, by what they are called or said to be."""
    named = re.compile(r"(.*_)?(path|paths|folder|workdir|file|source|target|junit|markdown|picture|baseline)")
    parameters = inspect.signature(function).parameters.values()
    said = [p.name for p in parameters if re.search(r"\b(StrPath|Path|PathLike)\b", str(p.annotation))]
    called = [p.name for p in parameters if named.fullmatch(p.name) and "str" in str(p.annotation)]
    return sorted({*said, *called})


FUNCTIONS = {name: function for name, function in public_functions() if takes_paths(function)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_said_of_a_path_is_that_a_str_will_do(name: str) -> None:
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    for parameter in takes_paths(FUNCTIONS[name]):
        annotation = str(parameters[parameter].annotation)
        assert "StrPath" in annotation, f"{name}({parameter}: {annotation})"
        assert not re.search(r"(?<!Str)\bPath\b", annotation)


class Place:
    """Somebody else's path."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __fspath__(self) -> str:
        return self.path


@pytest.mark.parametrize("as_path", [str, Place])
def test_the_job_from_python_with_other_paths(
    as_path: Callable[[Path], Any], tiny_model: Callable[..., Any], tmp_path: Path
) -> None:
    """mypy sees to it that what is annotated so is used so; here it is called."""
    from edgekit.bench import BenchConfig, bench_onnx
    from edgekit.data import SynthConfig, convert_recordings, load_recordings, save_recordings, synthesise_hands
    from edgekit.export import export_onnx, verify_parity
    from edgekit.measure import WorkerRequest
    from edgekit.model import load_model, save_model
    from edgekit.profiles import load_profile
    from edgekit.quantize import quantize_onnx
    from edgekit.runtime import inspect_model, open_predictor
    from edgekit.train import RunLogs, RunSetup

    places = {name: as_path(tmp_path / name) for name in ("a.npz", "a.csv", "model", "m.onnx", "i.onnx", "p.yaml")}
    save_recordings(places["a.npz"], synthesise_hands(SynthConfig(people=1, takes_per_letter=2)))
    assert convert_recordings(places["a.npz"], places["a.csv"]).takes == load_recordings(places["a.csv"]).takes == 52
    save_model(tiny_model(), places["model"], ("A", "B", "C"))
    model, names = load_model(places["model"])
    export_onnx(model, places["m.onnx"], class_names=names, sequence_length=6)
    assert verify_parity(model, places["m.onnx"], np.zeros((1, 6, 63), np.float32)).passed
    quantize_onnx(places["m.onnx"], places["i.onnx"])
    assert inspect_model(places["i.onnx"]).path == open_predictor(places["i.onnx"]).info.path == tmp_path / "i.onnx"
    (tmp_path / "p.yaml").write_text("max_model_mb: 1\n")
    assert load_profile(places["p.yaml"]).max_model_mb == 1
    few = BenchConfig(repeats=5, processes=1, min_time_s=0, time_limit_s=0.5)  # nothing limits its latency
    assert bench_onnx(places["i.onnx"], places["p.yaml"], few).verdict == "pass"
    assert WorkerRequest(places["m.onnx"], "compare", others=(places["i.onnx"],)).models == (
        tmp_path / "m.onnx",
        tmp_path / "i.onnx",
    )
    assert RunSetup(places["m.onnx"], logs=RunLogs(places["model"])).resume_file == tmp_path / "m.onnx"
