"""The page's arithmetic beside edgekit's own, on the same numbers, pictures and streams; under Node.js."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from letter_film import LETTERS, held

from edgekit.data import SynthConfig, synthesise_hands
from edgekit.hands.networks import HAND, PALM, find_network
from edgekit.hands.palms import decoded, merged
from edgekit.hands.regions import Region, around_hand, around_palm, cut
from edgekit.hands.takes import Thinning
from edgekit.live import Reader
from edgekit.shipped import open_box
from edgekit.studio.model import PageModel

pytestmark = pytest.mark.usefixtures("models_run_here")
Page = Callable[..., Any]
SIZE = (640, 480)


def as_region(region: Region) -> dict[str, float]:
    return {"x": region.centre[0], "y": region.centre[1], "side": region.side, "angle": region.angle}


def test_regions_are_where_python_lays_them(page: Page) -> None:
    rng = np.random.default_rng(0)
    hands, box, points = rng.normal(200, 60, (20, 21, 2)), rng.uniform(50, 90, 4), rng.normal(200, 60, (7, 2))
    palm = {"box": dict(zip(("x", "y", "width", "height"), box, strict=True)), "points": points.tolist()}
    told = page("geometry", hands=hands.tolist(), palm=palm)
    regions = [*map(around_hand, hands), around_palm(box, points)]
    for found, expected in zip([*told["hands"], told["palm"]], regions, strict=True):
        assert found == pytest.approx(as_region(expected), abs=1e-9)


def test_palms_are_decoded_and_merged_alike(page: Page) -> None:
    rng = np.random.default_rng(1)
    boxes, scores = rng.normal(0, 20, (2016, 18)).astype(np.float32), rng.normal(-6, 1, 2016).astype(np.float32)
    boxes[:, 2:4] = 60
    scores[[5, 6, 7, 900]] = [3, 2, 2.5, 1]
    told = page("palms", boxes=boxes.ravel().tolist(), scores=scores.tolist(), least=0.5)
    assert told == pytest.approx(merged(*decoded(boxes, scores, 0.5))[0].tolist(), abs=1e-9)
    assert page("palms", boxes=boxes.ravel().tolist(), scores=[-9.0] * 2016, least=0.5) is None


@pytest.mark.parametrize("replicate", [True, False])
def test_a_cut_out_has_opencvs_pixels(page: Page, tmp_path: Path, replicate: bool) -> None:
    """Exactly those of OpenCV 5; before that it placed pixels in steps of 1/32, which changes some by a few of 255."""
    cv2 = pytest.importorskip("cv2")
    rng, region = np.random.default_rng(2), Region(np.array([40.3, 30.9]), 70.0, 0.4)
    picture = np.repeat(np.repeat(rng.integers(0, 256, (8, 10, 3), np.uint8), 8, 0), 8, 1)
    file = as_file(tmp_path / "picture", picture)
    told = page("cut", picture={"file": file, "width": 80, "height": 64}, region=as_region(region), side=48,
                replicate=replicate)  # fmt: skip
    apart = np.abs(np.array(told).reshape(48, 48, 3) - cut(picture, region, 48, replicate)[0])
    assert float(apart.max()) <= (1e-6 if int(cv2.__version__.partition(".")[0]) >= 5 else 4.01 / 255)


def as_file(path: Path, picture: Any) -> str:
    """RGBA as a canvas has it."""
    opaque = np.full((*picture.shape[:2], 1), 255, np.uint8)
    path.write_bytes(np.concatenate([picture, opaque], axis=2).tobytes())
    return str(path)


def worst_px(page: Page, folder: Path, pictures: list[Any], fresh: bool) -> list[float]:
    """Of each picture with a hand the worst landmark's distance from Python's, in pixels. fresh: each is of another
    scene, else both follow the hand from picture to picture. Infinite where one of them alone finds a hand."""
    from edgekit.hands import HandTracker

    files = [as_file(folder / f"{k}.rgba", picture) for k, picture in enumerate(pictures)]
    networks = {"palm": str(find_network(PALM)), "hand": str(find_network(HAND))}
    told = page("track", width=SIZE[0], height=SIZE[1], files=files, fresh=fresh, **networks)
    tracker, worst = HandTracker(), []
    for seen, picture in zip(told, pictures, strict=True):
        if fresh:
            tracker.reset()
        hands = tracker.track(picture)
        if hands and seen is not None:
            apart = np.array(seen["landmarks"]).reshape(21, 3) - hands[0].landmarks
            worst.append(float(np.linalg.norm(apart[:, :2] * SIZE, axis=1).max()))
            assert seen["label"] == hands[0].label or worst[-1] > 1
        elif hands or seen is not None:
            worst.append(float("inf"))
    return worst


@pytest.mark.slow
@pytest.mark.usefixtures("ready")
def test_the_tracker_finds_the_hands_of_all_letters(page: Page, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    worst = worst_px(page, tmp_path, [picture for letter in LETTERS for picture in held(letter, 2)], fresh=True)
    print(f"{len(worst)} pictures: worst landmark {np.median(worst):.4f} px in the median, {max(worst):.4f} at most")
    assert len(worst) > 40
    assert max(worst) < 0.1


@pytest.mark.slow
@pytest.mark.usefixtures("ready")
def test_the_tracker_follows_hands_of_all_letters(page: Page, tmp_path: Path) -> None:
    """Each cut-out lies where the last hand was, so that the last digits of two builds of ONNX Runtime grow: within a
    pixel on hands that the networks are sure of, without bound on M, N, S and T, which they take for several things."""
    pytest.importorskip("cv2")
    worst = worst_px(page, tmp_path, [picture for letter in LETTERS for picture in held(letter, 10)], fresh=False)
    print(f"{len(worst)} pictures: worst landmark {np.median(worst):.3f} px in the median, "
          f"{np.quantile(worst, 0.9):.2f} at the 90th percentile")  # fmt: skip
    assert len(worst) > 200
    assert float(np.median(worst)) < 0.5


def stream(seed: int, letters: str, rate: float) -> list[dict[str, Any]]:
    """Synthetic hands that spell, with frames that are lost, hands that the tracker calls right now and then, and times
    that shake."""
    rng, people = np.random.default_rng(seed), synthesise_hands(SynthConfig(people=1, takes_per_letter=2, seed=seed))
    frames: list[Any] = []
    for letter in letters:
        if letter == " ":
            frames += [None] * 30
            continue
        take = rng.choice(np.flatnonzero(people.labels == people.class_names.index(letter)))
        signed = people.sequences[take][people.sequences[take].any(axis=1)]
        last = signed[0] if not frames or frames[-1] is None else frames[-1]
        frames += [last + (signed[0] - last) * k / 6 for k in range(1, 6)]
        frames += list(signed)
    aspect, mirrored = float(rng.choice([4 / 3, 16 / 9, 9 / 16])), bool(rng.random() < 0.5)
    told, time = [], 0.0
    for frame in frames[:: max(round(30 / rate), 1)] if rate < 30 else frames:
        time += float(rng.uniform(0.7, 1.3)) / rate
        seen = None if frame is None or rng.random() < 0.03 else as_recorded(frame, aspect, mirrored)
        label = "R" if mirrored ^ bool(rng.random() < 0.05) else "L"
        hand = None if seen is None else {"label": label, "landmarks": seen}
        told.append({"hand": hand, "time": time, "aspect": aspect})
    return told


def as_recorded(frame: Any, aspect: float, mirrored: bool) -> list[float]:
    """A canonical frame as a picture of that shape, and of the other hand, gives it."""
    points, factor = np.array(frame, np.float32).reshape(21, 3).copy(), np.float32(4 / 3 / aspect)
    points[:, 0] = 0.5 + (-1 if mirrored else 1) * factor * (points[:, 0] - 0.5)
    points[:, 2] *= factor
    return [float(value) for value in points.ravel()]


STREAMS = [
    (0, "LOW ", 30.0),
    (1, "HELLO JAZZ ", 30.0),
    (2, "QUICK FOX ", 19.0),
    (3, "VOWY IJ DZ", 60.0),
    (4, "ABC", 12.0),
]


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    ("given", "least"), [(STREAMS[:1], 2), pytest.param(STREAMS, 20, marks=pytest.mark.slow)], ids=["one", "five"]
)
def test_the_reader_tells_what_pythons_reader_tells(
    page: Page, given: list[tuple[int, str, float]], least: int
) -> None:
    """The same events at the same frames, and probabilities as near as two builds of ONNX Runtime are."""
    model = PageModel("nowhere", open_box().student)
    streams = [stream(*each) for each in given]
    told = page("read", model=model.to_dict(), file=str(model.path), streams=streams)
    letters = 0
    for answer, frames in zip(told, streams, strict=True):
        reader, expected = Reader(model.path), []
        for frame in frames:
            hand = frame["hand"] or {}
            expected += reader.read(hand.get("landmarks"), frame["time"], hand.get("label"), frame["aspect"])
        expected += reader.end()
        kinds = [(event["kind"], event["label"], event["frame"], event["text"]) for event in answer["events"]]
        assert kinds == [(event.kind, event.label, event.frame, event.text) for event in expected]
        for found, event in zip(answer["events"], expected, strict=True):
            assert (found["probability"] or 0) == pytest.approx(event.probability or 0, abs=2e-5)
        letters += sum(event.kind == "letter" for event in expected)
    assert letters >= least


def test_pictures_are_thinned_alike(page: Page) -> None:
    rng = np.random.default_rng(3)
    for rate in (20.0, 30.0, 60.0):
        times = np.cumsum(rng.uniform(0.8, 1.2, 120) / rate).tolist()
        thinning = Thinning(30.0)
        assert page("thin", times=times) == [thinning.keeps(time) for time in times]
