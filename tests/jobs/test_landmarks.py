"""`edgekit landmarks`, with a tracker that sees a hand wherever it is light: classes, rates, and what is left out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import HAND, FakeTracker, FilmCamera, turn_film, write_film

from edgekit.data import Recordings, load_recordings
from edgekit.hands import NETWORKS, Hand, cameras, state_of
from edgekit.hands.takes import Thinning, frame_of

cv2 = pytest.importorskip("cv2")
Cli = Callable[..., Any]
LIGHT = [np.full((48, 64, 3), 100, np.uint8)] * 6
DARK = [np.zeros((48, 64, 3), np.uint8)] * 3


@pytest.fixture(autouse=True)
def fake_tracker(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if not request.node.name.startswith("test_real"):
        monkeypatch.setattr("edgekit.jobs.landmarks.HandTracker", FakeTracker)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def film(path: str, frames: Any = LIGHT, rate: float = 30) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return write_film(Path(path), frames, rate)


def still(path: str, frame: Any = LIGHT[0]) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(path, frame)


def made(path: str = "out.npz") -> Recordings:
    return load_recordings(path)


def test_folders_are_classes_and_files_are_takes(cli: Cli, here: Path) -> None:
    film("v/A/take2.mp4")
    film("v/A/take10.mp4", LIGHT + DARK)
    still("v/B/one.png")
    answer = cli("landmarks", "v", "-o", "out.npz")
    assert answer.code == 0
    found = made()
    assert found.class_names == ("A", "B")
    assert found.take_names is not None
    assert found.take_names.tolist() == ["A/take2", "A/take10", "B/one"]
    assert found.lengths.tolist() == [6, 9, 1]
    assert (found.hand is not None and found.hand.tolist()) == ["L"] * 3
    assert (found.aspect is not None and found.aspect.tolist()) == pytest.approx([4 / 3] * 3)
    assert found.signer is None
    assert found.tracker == "edgekit.hands, MediaPipe 0.10.14 full"
    assert "3 of 16 frames show no hand" in answer.out
    assert "1 take of one picture: a still" in answer.out
    assert not found.sequences[1, 6:].any(), "lost frames are zeros"


def test_people_and_days_are_folders_above_the_class(cli: Cli, here: Path) -> None:
    film("v/anna/2026-11-01/A/1.mp4")
    film("v/ben/2026-11-02/B/1.mp4")
    assert cli("landmarks", "v", "-o", "out.npz").code == 0
    found = made()
    assert (found.signer is not None and found.signer.tolist()) == ["anna", "ben"]
    assert (found.session is not None and found.session.tolist()) == ["2026-11-01", "2026-11-02"]
    film("w/anna/A/1.mp4")
    assert "1 person" in cli("landmarks", "w", "-o", "w.npz", "--session", "2026-11-03").out
    assert [str(names) for names in (made("w.npz").signer, made("w.npz").session)] == ["['anna']", "['2026-11-03']"]


@pytest.mark.parametrize(
    ("rate", "kept", "said"),
    [
        (60, 30, "1 video faster than 30 frames a second: thinned to that"),
        (120, 16, "1 video faster than 30 frames a second"),
        (30, 60, ""),
        (15, 60, "warning: 1 take of 15 frames a second, kept as they are: models read 30, and see a motion 2 times"),
        (1, 60, "30 times as fast; too few frames for letters that move"),
    ],
)
def test_fast_videos_are_thinned_and_slow_ones_named(cli: Cli, here: Path, rate: int, kept: int, said: str) -> None:
    film("A.mp4", [LIGHT[0]] * 60, rate)
    answer = cli("landmarks", "A.mp4", "-o", "out.npz")
    assert answer.code == 0
    assert said in answer.out
    assert made().lengths.tolist() == [kept]
    assert made().class_names == ("A",)


def test_frames_that_come_unevenly_are_kept_at_the_rate_in_the_mean() -> None:
    rng = np.random.default_rng(0)
    for source, least, most in ((30, 595, 600), (33, 590, 605), (50, 590, 605), (24, 480, 480), (240, 595, 602)):
        times = np.arange(20 * source) / source + rng.uniform(-0.1, 0.1, 20 * source) / source
        thinning = Thinning(30)
        assert least <= sum(thinning.keeps(time) for time in times) <= most, source


def test_what_can_not_be_read_and_what_shows_no_hand_is_left_out_and_named(cli: Cli, here: Path) -> None:
    film("v/A/1.mp4")
    film("v/A/dark.mp4", DARK)
    (here / "v/A/bad.mp4").write_text("no video")
    (here / "v/notes.txt").write_text("x")
    answer = cli("landmarks", "v", "-o", "out.npz")
    assert answer.code == 2
    assert "left out, no hand in any frame: 1 (A/dark)" in answer.out
    assert "left out, can't be read: 1 (v/A/bad.mp4: can't be read as a video" in answer.out
    assert "passed over, neither video nor picture: 1 (notes.txt)" in answer.out
    assert "edgekit: error: v: 2 of the takes left out; out.npz holds the others" in answer.err
    assert made().takes == 1
    told = json.loads(cli("landmarks", "v", "-o", "out.npz", "--force", "--json").out)
    assert (told["takes"], told["without_hand"], told["left_out"]) == ({"A": 1}, ["A/dark"], 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dark.mp4", "-o", "new.npz"), "no take with a hand; nothing was written (dark: no hand in any frame)"),
        (("bad.mp4", "-o", "new.npz"), "can't be read as a video"),
        (("none.mp4", "-o", "new.npz"), "none.mp4: no such file; give a video"),
        (("empty", "-o", "new.npz"), "empty: holds neither videos nor pictures; expected FOLDER/CLASS/FILE"),
        (("flat", "-o", "new.npz"), "flat: the files lie in no folder of a class"),
        (("mixed", "-o", "new.npz"), "files lie at different depths"),
        (("good.mp4", "-o", "old.npz"), "old.npz: exists already; give --force"),
        (("good.mp4", "-o", "new.doc"), "new.doc"),
        (("good.mp4", "-o", "new.npz", "--seconds", "3"), "good.mp4 is no camera, and --seconds is a camera's"),
        (("0", "-o", "new.npz"), "camera 0: say"),
        (("0", "-o", "new.npz", "--label", "A"), "camera 0: is not there"),
        (("good.mp4", "-o", "new.npz", "--hands", "3"), "3"),
        (("good.mp4", "-o", "new.npz", "--label", ""), "--label is blank"),
        (("good.mp4", "-o", "good.mp4/new.npz"), "good.mp4 is no folder; name a place of yours"),
        (("blank", "-o", "new.npz"), "its folder's name, which is the class, is blank; rename it"),
        (("bytes", "-o", "new.npz"), "which is not text (its bytes are not UTF-8); rename it"),
    ],
)
def test_bad_input_is_one_message_and_leaves_nothing(cli: Cli, here: Path, words: tuple[str, ...], said: str) -> None:
    film("good.mp4"), film("dark.mp4", DARK), film("flat/1.mp4"), film("mixed/A/1.mp4"), film("mixed/2.mp4")
    film("blank/ /1.mp4"), film("bytes/A/1.mp4").rename(os.fsdecode(b"bytes/A/\xff.mp4"))
    (here / "empty").mkdir()
    (here / "bad.mp4").write_text("x")
    (here / "old.npz").write_bytes(b"old")
    answer = cli("landmarks", *words)
    assert answer.code == 2
    assert said in answer.err
    assert answer.err.count("edgekit: error:") <= 1
    assert "Traceback" not in answer.err
    assert (here / "old.npz").read_bytes() == b"old"
    assert not list(here.glob("*new*"))


def test_links_are_followed_but_for_those_that_lead_back(cli: Cli, here: Path) -> None:
    film("v/A/1.mp4"), film("elsewhere/B/1.mp4")
    (here / "v/B").symlink_to(here / "elsewhere/B")
    (here / "v/A/loop").symlink_to(here / "v")
    (here / "v/A/gone.mp4").symlink_to(here / "nowhere.mp4")
    answer = cli("landmarks", "v", "-o", "out.npz")
    assert answer.code == 2
    assert made().class_names == ("A", "B")
    assert "left out, can't be read: 1 (v/A/gone.mp4: no such file" in answer.out
    assert "passed over, neither video nor picture: 1 (A/loop)" in answer.out


def test_a_place_that_refuses_is_told_before_anything_is_read(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film("A.mp4")
    monkeypatch.setattr(FakeTracker, "track", lambda *given: pytest.fail("a picture was read"))
    monkeypatch.setattr("os.access", lambda place, mode: mode == os.R_OK)
    answer = cli("landmarks", "A.mp4", "-o", "out.npz")
    assert (answer.code, "out.npz: can't be written: you may make no files in" in answer.err) == (2, True)


def test_a_folder_that_can_not_be_read_is_no_folder_without_takes(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film("v/A/1.mp4"), film("v/B/1.mp4")
    scan = os.scandir

    def refuse(place: Any) -> Any:
        if str(place).endswith("B"):
            raise PermissionError(13, "Permission denied", str(place))
        return scan(place)

    monkeypatch.setattr("os.scandir", refuse)
    answer = cli("landmarks", "v", "-o", "out.npz")
    assert (answer.code, "v/B: can't be read: Permission denied" in answer.err) == (2, True)
    assert not (here / "out.npz").exists()


def test_what_was_said_of_a_take_is_said_again_when_a_run_goes_on(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film("v/A/1.mp4", LIGHT * 5, 60), film("v/A/2.mp4")
    whole = write_film(here / "v/A/0.avi", LIGHT * 9, 30, "MJPG").read_bytes()
    (here / "v/A/0.avi").write_bytes(whole[: len(whole) // 2])
    track, goes_on = FakeTracker.track, []  # type: ignore[var-annotated]

    def until(self: FakeTracker, pixels: Any) -> Any:
        if self.resets == 3 and not goes_on:
            raise KeyboardInterrupt
        return track(self, pixels)

    monkeypatch.setattr(FakeTracker, "track", until)
    assert cli("landmarks", "v", "-o", "out.npz").code == 130
    goes_on.append(True)
    answer = cli("landmarks", "v", "-o", "out.npz")
    assert "2 takes had been read by an earlier run" in answer.out
    assert "1 video faster than 30 frames a second: thinned to that" in answer.out
    assert "ended before the end that they announce, and kept: 1 (A/0: " in answer.out


def test_a_flat_folder_has_the_class_that_is_said(cli: Cli, here: Path) -> None:
    film("flat/1.mp4")
    assert cli("landmarks", "flat", "-o", "out.npz", "--label", "B", "--signer", "me").code == 0
    assert made().class_names == ("B",)
    film("v/A/1.mp4")
    assert "leave out --label" in cli("landmarks", "v", "-o", "v.npz", "--label", "B").err


def test_two_hands_are_126_numbers_left_first(cli: Cli, here: Path) -> None:
    film("A.mp4")
    assert cli("landmarks", "A.mp4", "-o", "out.npz", "--hands", "2").code == 0
    found = made()
    assert (found.features, found.hand) == (126, None)
    assert (found.sequences[0, 0, :63] == 2 * found.sequences[0, 0, 63:]).all(), "both called L: the surer one first"
    one, two = (Hand(np.full((21, 3), k, np.float32), label, 0.9, 0.9) for k, label in ((1, "R"), (2, "L")))
    assert frame_of([one, two], 2)[[0, 63]].tolist() == [2, 1]
    assert frame_of([one], 2)[[0, 63]].tolist() == [0, 1]


def test_ctrl_c_keeps_what_was_read_and_the_next_run_goes_on(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        film(f"v/A/{number}.mp4")
    track, calls = FakeTracker.track, []

    def until(self: FakeTracker, pixels: Any) -> Any:
        calls.append(1)
        if len(calls) == 15:
            raise KeyboardInterrupt
        return track(self, pixels)

    monkeypatch.setattr(FakeTracker, "track", until)
    answer = cli("landmarks", "v", "-o", "out.npz")
    assert answer.code == 130
    assert "interrupted: 2 takes read so far, kept in .out.npz.unfinished.npz" in answer.err
    assert not (here / "out.npz").exists()
    os.utime("v/A/1.mp4", (0, 0))  # as if it had been changed since
    answer = cli("landmarks", "v", "-o", "out.npz")
    assert answer.code == 0
    assert "1 take had been read by an earlier run" in answer.out
    assert len(calls) == 15 + 18
    assert made().takes == 4
    assert sorted(path.name for path in here.iterdir()) == ["out.npz", "v"]


def test_a_damaged_file_of_an_interrupted_run_is_as_none(cli: Cli, here: Path) -> None:
    film("A.mp4")
    (here / ".out.npz.unfinished.npz").write_bytes(b"x")
    assert cli("landmarks", "A.mp4", "-o", "out.npz").code == 0
    assert not (here / ".out.npz.unfinished.npz").exists()


@pytest.fixture
def camera(here: Path, monkeypatch: pytest.MonkeyPatch) -> FilmCamera:
    found = FilmCamera(write_film(here / "camera.mp4", LIGHT * 2))
    monkeypatch.setattr("edgekit.hands.pictures.open_camera", lambda number: found)
    monkeypatch.setattr(cameras, "GONE_AFTER_S", 3 * cameras.PAUSE_S)
    times = iter(range(100))
    monkeypatch.setattr(cameras, "now", lambda: next(times) / 30)
    return found


def test_a_camera_that_goes_away_loses_nothing(cli: Cli, here: Path, camera: FilmCamera) -> None:
    answer = cli("landmarks", "0", "-o", "out.npz", "--label", "A")
    assert answer.code == 0
    assert "ended before the end" in answer.out
    assert "camera 0: gives no pictures any more" in answer.out
    assert made().lengths.tolist() == [12]


def test_a_camera_ends_after_the_seconds_that_are_said(cli: Cli, here: Path, camera: FilmCamera) -> None:
    assert cli("landmarks", "0", "-o", "out.npz", "--label", "A", "--seconds", "0.2").code == 0
    assert made().lengths.tolist() == [6]


def test_ctrl_c_ends_a_cameras_take_and_keeps_it(
    cli: Cli, here: Path, camera: FilmCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    track, calls = FakeTracker.track, []

    def until(self: FakeTracker, pixels: Any) -> Any:
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return track(self, pixels)

    monkeypatch.setattr(FakeTracker, "track", until)
    assert cli("landmarks", "0", "-o", "out.npz", "--label", "A").code == 0
    assert made().lengths.tolist() == [4]


def test_a_full_disk_is_one_message(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film("A.mp4")

    def full(*given: Any, **named: Any) -> None:
        raise OSError(28, "No space left on device", "out.npz")

    monkeypatch.setattr("numpy.savez_compressed", full)
    answer = cli("landmarks", "A.mp4", "-o", "out.npz")
    assert answer.code == 2
    assert answer.err.count("edgekit: error: out.npz") == 1
    assert "No space left on device" in answer.err
    assert not (here / "out.npz").exists()
    monkeypatch.undo()
    monkeypatch.chdir(here)
    monkeypatch.setattr("edgekit.jobs.landmarks.HandTracker", FakeTracker)
    assert "1 take had been read" in cli("landmarks", "A.mp4", "-o", "out.npz").out


def test_the_recordings_go_straight_into_data_check(cli: Cli, here: Path) -> None:
    for name in "AB":
        for number in range(4):
            frames = [np.full((48, 64, 3), 60 + 30 * number + k + 9 * (name == "B"), np.uint8) for k in range(6)]
            film(f"v/anna/2026-11-0{number + 1}/{name}/{number}.mp4", frames)
    assert cli("landmarks", "v", "-o", "out.npz").code == 0
    answer = cli("data", "check", "out.npz")
    assert "8 takes of 2 classes" in answer.out
    assert "tracker" not in answer.out, "a known array is not left out"
    assert "signers: 1, sessions: 4" in answer.out
    before = load_recordings("out.npz").tracker
    assert before
    for target in ("out.csv", "out.parquet", "takes", "back.npz"):
        source = "takes" if target == "back.npz" else "out.npz"
        assert "tracker" not in cli("data", "convert", source, target).out, "nothing of it is lost"
        assert load_recordings(target).tracker == before


needs_networks = pytest.mark.skipif(
    any(state_of(network) != "ready" for network in NETWORKS), reason="`edgekit hands setup` was not run"
)


@needs_networks
def test_real_hands_are_found_whichever_way_the_phone_was_held(cli: Cli, here: Path) -> None:
    frame = cv2.imread(str(HAND))[:, :, ::-1]
    frames = [np.pad(frame, ((0, 0), (40, 40), (0, 0)), mode="edge")] * 2
    film("A.mp4", frames)
    turn_film(film("turned.mp4", [np.rot90(one) for one in frames]))
    for name in ("A", "turned"):
        assert cli("landmarks", f"{name}.mp4", "-o", f"{name}.npz").code == 0
    one, other = (made(f"{name}.npz") for name in ("A", "turned"))
    assert one.hand is not None
    assert (one.hand.tolist(), one.aspect is not None and one.aspect.tolist()) == (["L"], pytest.approx([400 / 240]))
    assert np.abs(one.sequences - other.sequences).max() < 0.03, "compression alone tells them apart"


def test_one_file_stands_for_any_copy(cli: Cli, here: Path) -> None:
    film("A.mp4")
    shutil.copy("A.mp4", "B.mp4")
    for name in "AB":
        cli("landmarks", f"{name}.mp4", "-o", f"{name}.npz", "--label", "A")
    assert (made("A.npz").sequences == made("B.npz").sequences).all()
