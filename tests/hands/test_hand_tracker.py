"""The hand tracker's arithmetic, its networks' files, and, where the networks were made, hands found and lost.

hand.png is a rendering of the generic hand of @webxr-input-profiles/assets 1.0.19 (MIT).
"""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.cli import run_cli
from edgekit.errors import InputError, ModelFileError, ShapeError
from edgekit.hands import NETWORKS, HandTracker, make_networks, networks_folder, state_of
from edgekit.hands.palms import anchors, decoded, merged
from edgekit.hands.regions import Region, around_hand, turn
from edgekit.hands.tracker import distinct

CONVERTER = all(importlib.util.find_spec(name) for name in ("tflite", "onnx"))
READY = importlib.util.find_spec("cv2") and all(state_of(network) == "ready" for network in NETWORKS)
needs_converter = pytest.mark.skipif(not CONVERTER, reason="the packages tflite and onnx are not both installed")
needs_networks = pytest.mark.skipif(not READY, reason="no OpenCV, or `edgekit hands setup` was not run")
PICTURE = Path(__file__).with_name("hand.png")


def test_anchors_are_the_centres_of_both_grids() -> None:
    found = anchors()
    assert found.shape == (2016, 2)
    assert found[:3].tolist() == [[0.5 / 24, 0.5 / 24], [0.5 / 24, 0.5 / 24], [1.5 / 24, 0.5 / 24]]
    assert found[-1].tolist() == [11.5 / 12, 11.5 / 12]


def test_boxes_of_one_palm_become_their_weighted_mean_and_others_stay() -> None:
    boxes, scores = np.zeros((2016, 18), np.float32), np.full(2016, -100, np.float32)
    boxes[:, 2:4] = 19.2
    for row, score in ((0, 2.0), (1, 0.5), (2015, 1.0)):
        scores[row] = score
    boxes[1, 0] = 1.92
    palms, sure = decoded(boxes, scores, 0.5)
    assert sure.tolist() == sorted(sure, reverse=True)
    rows = merged(palms, sure)
    weights = 1 / (1 + np.exp([-2.0, -0.5]))
    assert rows.shape == (2, 18)
    assert rows[0, 0] == pytest.approx(0.5 / 24 + 0.01 * weights[1] / weights.sum())
    assert rows[1, :2] == pytest.approx([11.5 / 12, 11.5 / 12])


def test_a_turned_hand_has_the_same_region_turned() -> None:
    points = np.random.default_rng(0).normal(size=(21, 2))
    points[[5, 9, 13]] -= [0, 5]
    upright, turned = around_hand(points), around_hand(points @ turn(0.4).T)
    assert turned.angle - upright.angle == pytest.approx(0.4)
    corners = np.array([[0.0, 0], [1, 0], [0, 1]])
    middle = Region(np.array([10.0, 20]), 4, 0).points(corners)
    assert middle.tolist() == [[8, 18], [12, 18], [8, 22]]


def test_regions_of_one_hand_are_one() -> None:
    first, near, far = (Region(np.array([x, 0.0]), 10, 0) for x in (0, 1, 20))
    assert distinct([first, near, far]) == [first, far]


def test_another_file_than_the_wheel_is_refused_and_nothing_written(tmp_path: Path) -> None:
    if not CONVERTER:
        pytest.skip("the packages tflite and onnx are not both installed")
    broken, other = tmp_path / "broken.whl", tmp_path / "other.whl"
    broken.write_bytes(b"no zip")
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr(NETWORKS[0].member, b"x")
    for wheel in (broken, other):
        with pytest.raises(InputError, match=r"is not (the wheel|that) of mediapipe 0\.10\.14"):
            make_networks(wheel, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_without_networks_it_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path))
    assert networks_folder() == tmp_path / "hands"
    assert run_cli(["hands", "status"]) == 2
    assert capsys.readouterr().out.count("missing") == 3
    (tmp_path / "hands").mkdir()
    (tmp_path / "hands" / "palm_detection_full.onnx").write_bytes(b"x")
    assert state_of(NETWORKS[0]) == "not the file that setup makes"
    if importlib.util.find_spec("cv2"):
        with pytest.raises(ModelFileError, match=r"run `edgekit hands setup` once"):
            HandTracker()


@pytest.mark.parametrize("settings", [{"num_hands": 3}, {"threads": 0}, {"least_palm": 2.0}])
def test_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^HandTracker: .*expected"):
        HandTracker(**settings)


@pytest.fixture
def hand() -> Any:
    cv2 = pytest.importorskip("cv2")
    return np.ascontiguousarray(cv2.imread(str(PICTURE))[:, :, ::-1])


@needs_networks
def test_a_hand_is_found_lost_and_found_again(hand: Any) -> None:
    tracker, empty = HandTracker(), np.full_like(hand, 127)
    first, second = tracker.track(hand), tracker.track(hand)
    assert [len(first), len(second), len(tracker.track(empty)), len(tracker.track(hand))] == [1, 1, 0, 1]
    landmarks = first[0].landmarks
    assert (landmarks.shape, landmarks.dtype) == ((21, 3), np.float32)
    assert first[0].label == "L", "a right hand, seen unmirrored"
    assert np.abs(landmarks - second[0].landmarks)[:, :2].max() < 0.05
    mirrored = HandTracker().track(hand[:, ::-1])[0]
    assert mirrored.label == "R"


@needs_networks
def test_two_hands_are_followed_beside_each_other(hand: Any) -> None:
    both = np.concatenate([hand, hand[:, ::-1]], axis=1)
    tracker = HandTracker(num_hands=2)
    for _ in range(3):
        found = tracker.track(both)
        assert sorted(one.label for one in found) == ["L", "R"]
    assert len(HandTracker().track(both)) == 1


@needs_networks
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (4000, 3, 3)])
def test_odd_pictures_have_no_hand(shape: tuple[int, ...]) -> None:
    assert HandTracker(num_hands=2).track(np.zeros(shape, np.uint8)) == []


@needs_networks
@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((9, 9), np.uint8),
        np.zeros((9, 9, 4), np.uint8),
        np.zeros((9, 9, 3)),
        np.zeros((0, 9, 3), np.uint8),
        "x",
    ],
    ids=["grey", "rgba", "float", "empty", "text"],
)
def test_what_is_no_picture_is_one_message(picture: Any) -> None:
    with pytest.raises(ShapeError, match=r"^the picture .* expected "):
        HandTracker().track(picture)
