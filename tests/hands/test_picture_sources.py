"""Pictures from videos, folders and cameras: times, which way up they are, and what is said where there are none."""

from __future__ import annotations

import errno
import itertools
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import HAND, FilmCamera, grey, turn_film, write_film

from edgekit.errors import InputError, MissingExtraError
from edgekit.hands import cameras
from edgekit.hands.opencv import opencv
from edgekit.hands.picture import Picture
from edgekit.hands.pictures import open_pictures

cv2 = pytest.importorskip("cv2")


def read(source: Any, **options: Any) -> list[Picture]:
    with open_pictures(source, **options) as pictures:
        return list(pictures)


@pytest.fixture
def fake_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FilmCamera:
    """Twelve pictures, after which the camera is unplugged."""
    camera = FilmCamera(write_film(tmp_path / "camera.mp4", grey(12)))
    monkeypatch.setattr("edgekit.hands.pictures.open_camera", lambda number: camera)
    monkeypatch.setattr(cameras, "GONE_AFTER_S", 3 * cameras.PAUSE_S)
    return camera


@pytest.mark.parametrize("rate", [1, 30, 60])
@pytest.mark.parametrize(("suffix", "fourcc"), [("mp4", "mp4v"), ("avi", "MJPG"), ("mkv", "MJPG")])
def test_a_video_has_its_own_times(tmp_path: Path, rate: int, suffix: str, fourcc: str) -> None:
    film = write_film(tmp_path / f"film.{suffix}", grey(5), rate, fourcc)
    with open_pictures(film) as pictures:
        found = list(pictures)
    assert (pictures.name, pictures.kind, pictures.rate, pictures.count) == (str(film), "video", rate, 5)
    assert [one.time_s for one in found] == pytest.approx([k / rate for k in range(5)], abs=1e-3)
    assert [round(float(one.pixels.mean()) / 8) for one in found] == [0, 1, 2, 3, 4]
    assert {(one.pixels.shape, str(one.pixels.dtype)) for one in found} == {((48, 64, 3), "uint8")}


def test_red_comes_first(tmp_path: Path) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[:, :, 0] = 250
    cv2.imwrite(str(tmp_path / "red.png"), red[:, :, ::-1])
    for source in (write_film(tmp_path / "red.mp4", [red]), tmp_path / "red.png"):
        assert read(source)[0].pixels.mean(axis=(0, 1)) == pytest.approx([250, 0, 0], abs=8)


def test_a_video_of_a_turned_phone_is_upright(tmp_path: Path) -> None:
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:24] = 250  # the upper half as stored: the right one, turned clockwise
    shown = read(turn_film(write_film(tmp_path / "film.mp4", [frame] * 3)))[0]
    assert (shown.pixels.shape, shown.aspect) == ((64, 48, 3), 0.75)
    assert shown.pixels[:, 26:].mean() > 200 > 50 > shown.pixels[:, :22].mean()


def test_a_picture_of_a_turned_phone_is_upright(tmp_path: Path) -> None:
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:24] = 250
    done, content = cv2.imencode(".jpg", frame)
    assert done
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    jpeg = content.tobytes()
    tagged = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    (tmp_path / "phone.jpg").write_bytes(tagged)
    shown = read(tmp_path / "phone.jpg")[0].pixels
    assert shown.shape == (64, 48, 3)
    assert shown[:, 26:].mean() > 200 > 50 > shown[:, :22].mean()


def test_a_folder_of_pictures_is_in_natural_order(tmp_path: Path) -> None:
    for name, light in (("take10.png", 100), ("take9.JPG", 50), (".hidden.png", 0), ("notes.txt", 0)):
        path = tmp_path / name
        kind = ".png" if name.endswith("txt") else path.suffix.lower()
        path.write_bytes(cv2.imencode(kind, np.full((8, 8), light, np.uint8))[1].tobytes())
    with open_pictures(tmp_path) as pictures:
        found = list(pictures)
    assert (pictures.kind, pictures.rate, pictures.count) == ("pictures", None, 2)
    assert [int(one.pixels.mean()) for one in found] == [50, 100]
    assert [one.time_s for one in found] == pytest.approx([0, 1 / 30])
    assert [one.time_s for one in read(tmp_path, rate=2)] == [0, 0.5]


def test_a_camera_gives_each_picture_or_the_newest_until_it_goes_away(fake_camera: FilmCamera) -> None:
    seen: list[Picture] = []
    with open_pictures(3, newest=False) as pictures:
        assert (pictures.name, pictures.kind, pictures.rate, pictures.count) == ("camera 3", "camera", 30, None)
        with pytest.raises(InputError, match=r"^camera 3: gives no pictures any more; is it still plugged in"):
            seen.extend(pictures)
    assert [round(float(one.pixels.mean()) / 8) for one in seen] == list(range(12))
    assert seen[0].time_s == 0
    assert all(a.time_s <= b.time_s for a, b in itertools.pairwise(seen))
    assert fake_camera.closed


def test_who_reads_slowly_gets_the_newest_picture(fake_camera: FilmCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    """The camera waits before its ninth picture for the reader to have the first."""
    taken, behind, reads = threading.Event(), threading.Event(), iter(range(100))
    once = fake_camera.read

    def read_on() -> tuple[bool, Any]:
        number = next(reads)
        if number == 1:
            assert taken.wait(10)
        if number == 9:
            behind.set()
            assert done.wait(10)
        return once()

    done = threading.Event()
    monkeypatch.setattr(fake_camera, "read", read_on)
    with open_pictures(0) as pictures:
        first = next(iter(pictures))
        taken.set()
        assert behind.wait(10)
        second = next(iter(pictures))
        done.set()
    assert [round(float(one.pixels.mean()) / 8) for one in (first, second)] == [0, 8]


def test_a_camera_that_stops_in_the_middle_keeps_nobody_waiting(
    fake_camera: FilmCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As drivers do: `read` does not come back."""
    stuck, reads, once = threading.Event(), iter(range(100)), fake_camera.read
    monkeypatch.setattr(fake_camera, "read", lambda: once() if next(reads) < 2 else (stuck.wait(10), None))
    with open_pictures(0, newest=False) as pictures, pytest.raises(InputError, match="gives no pictures any more"):
        list(pictures)
    stuck.set()


def test_a_camera_without_pictures_is_one_message(fake_camera: FilmCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_camera, "read", lambda: (False, None))
    with pytest.raises(InputError, match=r"^camera 0: gives no picture$"), open_pictures("0"):
        pass
    assert fake_camera.closed


@pytest.mark.skipif(bool(cameras.cameras()), reason="there is a camera")
@pytest.mark.parametrize("source", [0, "0", "/dev/video0"])
def test_no_camera_is_one_message(source: Any) -> None:
    with pytest.raises(InputError, match=r"^camera 0: is not there; no camera is connected\. A video will do"):
        read(source)


def test_a_file_that_is_called_like_a_camera_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "film.mp4", grey(2)).rename(tmp_path / "0")
    assert len(read("0")) == 2


def bad_file(name: str, place: Path) -> Path:
    """Something at `place` that can't be read."""
    path = place / name
    if name == "folder":
        path.mkdir()
        (path / "film.mp4").write_bytes(b"x")
    elif name.startswith("cut"):
        cut = HAND.read_bytes() if path.suffix == ".png" else write_film(place / "whole.mp4", grey(9)).read_bytes()
        path.write_bytes(cut[: len(cut) // 2])
    elif name.startswith("empty"):
        write_film(path, [], 30, "MJPG")
    elif name.startswith("zero"):
        path.write_bytes(b"")
    elif name.startswith("text"):
        path.write_text("no pictures in here\n" * 50)
    return path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing.mp4", "no such file; give a video, a folder of pictures, or a camera's number"),
        ("zero.mp4", "is empty (0 bytes)"),
        ("zero.jpg", "is empty (0 bytes); save it as JPEG or PNG"),
        ("text.mp4", "can't be read as a video, or is cut off; give an .mp4"),
        ("text.png", "can't be read as a picture: damaged, too large or another kind"),
        ("cut.mp4", "can't be read as a video, or is cut off"),
        ("cut.png", "can't be read as a picture"),
        ("empty.avi", "is a video without a frame"),
        ("folder", "holds no pictures (.jpg, .jpeg"),
    ],
)
def test_what_is_no_picture_is_one_message_and_no_library_talks(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    path = bad_file(name, tmp_path)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_damaged_picture_in_a_folder_is_named_when_it_comes(tmp_path: Path) -> None:
    for name, content in (("1.png", HAND.read_bytes()), ("2.png", b"x")):
        (tmp_path / name).write_bytes(content)
    with open_pictures(tmp_path) as pictures:
        assert next(iter(pictures)).pixels.shape == (240, 320, 3)
        with pytest.raises(InputError, match=r"2\.png: can't be read as a picture"):
            next(iter(pictures))


def test_pipes_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "film.mp4")
    for path in (tmp_path / "film.mp4", Path(os.devnull)):
        with pytest.raises(InputError, match="give a video as a regular file"):
            read(path)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_is_above_zero(rate: float) -> None:
    with pytest.raises(InputError, match="expected pictures a second, above 0"):
        read(HAND, rate=rate)


def test_a_negative_number_is_no_camera() -> None:
    with pytest.raises(InputError, match="camera -1: cameras are counted from 0"):
        read(-1)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No module named 'cv2'"), r"camera program needs OpenCV: pip install '\.\[camera\]'"),
        (
            ImportError("libGL.so.1: no such file"),
            r"can't be loaded \(libGL\.so\.1: no such file\): pip install opencv-py",
        ),
    ],
)
def test_without_opencv_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, error: ImportError, said: str) -> None:
    def refuse(name: str) -> Any:
        raise error

    monkeypatch.setattr("importlib.import_module", refuse)
    with pytest.raises(MissingExtraError, match=said):
        opencv("camera program")


def test_stderr_that_is_closed_is_no_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(handle: int) -> int:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(os, "dup", closed)
    assert len(read(HAND)) == 1


def test_a_video_whose_name_is_no_text_is_one_message(tmp_path: Path) -> None:
    """OpenCV dies of such names."""
    place = tmp_path / os.fsdecode(b"\xff.mp4")
    try:
        write_film(tmp_path / "film.mp4", grey(2)).rename(place)
    except OSError:
        pytest.skip("this file system holds no such names")
    with pytest.raises(InputError, match="its name is not text"):
        read(place)


@pytest.mark.parametrize(
    ("across", "down", "turn", "expected"),
    [
        (0, 1, 0, (48, 64)),
        (1, 1, 0, (48, 64)),
        (4, 3, 0, (48, 85)),
        (8, 9, 0, (54, 64)),
        (4, 3, 90, (64, 64)),
        (3041, 3040, 0, (48, 64)),
        (100, 1, 0, (48, 64)),
        (float("nan"), 1, 0, (48, 64)),
    ],
)
def test_pixels_are_square(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, across: float, down: float, turn: int, expected: tuple[int, int]
) -> None:
    """As camcorders write them: 1440 pixels of 1080 lines that are shown as 1920."""
    known = {cv2.CAP_PROP_SAR_NUM: across, cv2.CAP_PROP_SAR_DEN: down, cv2.CAP_PROP_ORIENTATION_META: turn}
    opened = cv2.VideoCapture

    class Anamorphic:
        def __init__(self, *given: Any) -> None:
            self.capture = opened(*given)
            self.read, self.release, self.isOpened = self.capture.read, self.capture.release, self.capture.isOpened

        def get(self, part: int) -> float:
            return float(known[part]) if part in known else self.capture.get(part)

    film = write_film(tmp_path / "film.mp4", grey(2))
    monkeypatch.setattr(cv2, "VideoCapture", Anamorphic)
    assert {one.pixels.shape[:2] for one in read(film)} == {expected}
