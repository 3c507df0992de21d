"""INT8 form of one file, without a work directory."""

from __future__ import annotations

from pathlib import Path

from edgekit.config import Tree
from edgekit.reading import StrPath
from edgekit.results import QuantizeResult
from edgekit.workdir import Options, Settings, needs_extra


def quantize_file(
    source: StrPath,
    target: StrPath | None,
    said: Tree,
    calibration: StrPath | None = None,
    max_difference: float | None = None,
) -> QuantizeResult:
    """INT8 or INT4 form of any fp32 ONNX file; target defaults to `int8_path`, beside it. said: a settings tree.
    calibration: an `.npz` of takes to prove it on. max_difference: of its outputs; beyond it is a GateError."""
    source = Path(source)
    target = None if target is None else Path(target)
    with needs_extra("quantize"):
        from edgekit.quantize import ChainQuantizeConfig, Proving, quantize_onnx
    settings = Settings(Options(settings=said))
    settings.check(said)
    config = settings.section("quantize", ChainQuantizeConfig).of_one_file()
    proving = Proving(None if calibration is None else Path(calibration), max_difference)
    return quantize_onnx(Path(source), Path(target or int8_path(source, config.scheme)), config, proving)


def int8_path(source: StrPath, scheme: object = None) -> Path:
    """Where the rounded form of a file goes unless said otherwise: `NAME.int8.onnx`, or `NAME.int4.onnx`."""
    return Path(source).with_suffix(".int4.onnx" if scheme == "int4-weights" else ".int8.onnx")
