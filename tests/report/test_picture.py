"""The picture of a confusion matrix: whole, legible, and nothing where it can't be drawn."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import ConfigError, MissingExtraError
from edgekit.evaluate import Evaluation, Metrics, Seen, check_order
from edgekit.report import draw_confusion

pytest.importorskip("matplotlib")


def evaluation(classes: int, synthetic: bool = False, long: bool = False) -> Evaluation:
    names = tuple(f"sign number {k}" if long else f"c{k}" for k in range(classes))
    confusion = np.diag(31 + np.arange(classes))
    confusion[0, 1] = 17
    metrics = Metrics(0.5, int(confusion.sum()), names, {}, confusion)
    order = check_order(np.arange(200) % 2, np.arange(200) % 2, 2)
    files = ("/somewhere/model.int8.onnx", "/elsewhere/signs.npz")
    return Evaluation(*files, "test", synthetic, metrics, "own", order, Seen(0, 0), 30, 0)


def texts(path: Path) -> list[str]:
    """Of an SVG, in order."""
    return ["".join(node.itertext()).strip() for node in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("classes", [2, 26])
def test_every_class_count_and_the_origin_are_written(tmp_path: Path, classes: int) -> None:
    shown = texts(draw_confusion(evaluation(classes), tmp_path / "matrix.svg"))
    for k in range(classes):
        assert shown.count(f"c{k}") == 2, "on both axes"
        assert str(31 + k) in shown
    assert "17" in shown
    assert any("model.int8.onnx on signs.npz, part test: accuracy 50.0 %" in text for text in shown)
    assert not any("SYNTHETIC" in text for text in shown)


def test_synthetic_takes_are_called_so(tmp_path: Path) -> None:
    shown = texts(draw_confusion(evaluation(3, synthetic=True), tmp_path / "matrix.svg"))
    assert any("SYNTHETIC" in text for text in shown)


def test_many_classes_are_colours_without_counts(tmp_path: Path) -> None:
    shown = texts(draw_confusion(evaluation(60, long=True), tmp_path / "matrix.svg"))
    assert shown.count("sign number 59") == 2
    assert "90" not in shown


@pytest.mark.parametrize(
    ("suffix", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml"), ("PNG", b"\x89P")]
)
def test_the_suffix_decides_the_format(tmp_path: Path, suffix: str, magic: bytes) -> None:
    assert draw_confusion(evaluation(2), tmp_path / f"matrix.{suffix}").read_bytes().startswith(magic)


@pytest.mark.parametrize("name", ["matrix.gif", "matrix"])
def test_other_formats_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a name that ends in \.png, \.svg, \.pdf"):
        draw_confusion(evaluation(2), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"--picture needs matplotlib: pip install '\.\[train\]' in a clone"):
        draw_confusion(evaluation(2), tmp_path / "matrix.png")
