"""Models that start from the weights that edgekit comes with: what they answer at once, when, and what is said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgekit.artifacts import sha256_file
from edgekit.data import Recordings, SynthConfig, fit_normalisation, save_recordings, synthesise_hands
from edgekit.data.pretraining import PretrainConfig, refuse_pretraining, unlike_shipped
from edgekit.errors import DataError
from edgekit.model import VARIANTS, Architecture, build_model, load_model
from edgekit.model.shipped import same_preprocessing, shipped_like, shipped_shapes, start_from_shipped
from edgekit.runtime import inspect_model
from edgekit.shipped import open_box
from edgekit.stages.start import Origin
from edgekit.train import TrainingConfig
from edgekit.workdir import Options, Settings, said_options

pytestmark = pytest.mark.usefixtures("models_run_here")

Cli = Callable[..., Any]
LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
#: A run of seconds: two of the letters, the small model, one epoch.
ONE_EPOCH = ("train", "edge", "--threads=1", "--set=training.epochs=1", "--set=logging.tensorboard=false")


def some_hands(names: tuple[str, ...] = ("A", "b"), takes: int = 6, seed: int = 3) -> Recordings:
    """Takes of the first letters, by a synthetic hand that passes for a recorded one."""
    made = synthesise_hands(SynthConfig(people=1, takes_per_letter=takes, seed=seed))
    kept = made.take(np.flatnonzero(made.labels < len(names)))
    return replace(kept, class_names=names, synthetic=False, signer=None, session=None)


@pytest.fixture
def hands(tmp_path: Path) -> Path:
    save_recordings(tmp_path / "hands.npz", some_hands())
    return tmp_path / "hands.npz"


@pytest.mark.parametrize(("name", "variant"), [("teacher", "accurate"), ("student", "edge")])
def test_before_any_training_it_answers_as_the_shipped_model_does(name: str, variant: str) -> None:
    """Whatever the statistics of the recordings: those of the weights come along."""
    box, made = open_box(), some_hands(LETTERS, takes=2)
    shipped, letters = load_model(box.model(name))
    x = made.sequences[:, :30]
    model = build_model(VARIANTS[variant], fit_normalisation(x[:4], "hand", True), 26, seed=1)
    assert shipped_like(box, model.architecture) == name, "the variants' shapes are what is shipped"
    order = np.random.default_rng(0).permutation(26)
    assert start_from_shipped(model, [letters[k].lower() for k in order], box, name) == 26
    with torch.no_grad():
        theirs, own = shipped(torch.from_numpy(x)), model.eval()(torch.from_numpy(x))
    assert torch.equal(own, theirs[:, torch.from_numpy(order)])


def test_classes_of_other_names_start_afresh() -> None:
    box, made = open_box(), some_hands(LETTERS, takes=2)
    normalisation = fit_normalisation(made.sequences[:, :30], "hand", True)
    model, untouched = (build_model(VARIANTS["edge"], normalisation, 3, seed=1) for _ in range(2))
    assert start_from_shipped(model, ("wave", "A", "hello"), box, "student") == 2 - 1
    kept = (model.output.weight != untouched.output.weight).any(dim=1)
    assert kept.tolist() == [False, True, False]


def test_weights_that_were_stored_as_float16_are_float32_again() -> None:
    teacher = load_model(open_box().model("teacher"))[0]
    assert {parameter.dtype for parameter in teacher.parameters()} == {torch.float32}
    assert teacher.preprocess.mean.dtype == torch.float32
    weight = teacher.dense.weight
    assert torch.equal(weight, weight.half().float())


def test_other_shapes_are_none_of_the_shipped() -> None:
    box = open_box()
    for changed in ({"hidden_size": 63}, {"type": "gru"}, {"bidirectional": True}, {"dense": 255}, {"num_layers": 2}):
        config = VARIANTS["edge"].model_copy(update=changed)
        assert shipped_like(box, Architecture.of(config, 63, 26)) is None, changed
    dropout = VARIANTS["edge"].model_copy(update={"dropout": 0.1})
    assert shipped_like(box, Architecture.of(dropout, 63, 5)) == "student"
    assert shipped_like(box, Architecture.of(dropout, 126, 5)) is None
    assert same_preprocessing(box, "student", "hand", True)
    assert not same_preprocessing(box, "student", "hand", False)
    assert {name: shape.describe() for name, shape in shipped_shapes(box).items()} == {
        "teacher": "LSTM 256x3, bidirectional, dense 256",
        "student": "LSTM 64x1, dense 256",
    }


@pytest.mark.parametrize(
    ("recordings", "every", "words"),
    [
        (some_hands(("A", "wave")), False, ""),
        (some_hands(("A", "wave")), True, "not every class of memory is called by one (wave)"),
        (some_hands(("hello", "wave")), False, "no class of memory is called by one (hello, wave)"),
        (some_hands(("a", "B")), True, ""),
    ],
)
def test_whom_the_weights_are_of_use(recordings: Recordings, every: bool, words: str) -> None:
    reason = unlike_shipped(replace(recordings, source="memory"), every)
    assert reason.endswith(words)
    assert bool(reason) == bool(words)


def test_what_was_said_and_can_not_be_is_refused_by_the_flags_name() -> None:
    two = Recordings(
        np.ones((8, 4, 126), np.float32), np.full(8, 4), np.arange(8) % 2, ("A", "B"), None, None, "signs.npz"
    )
    with pytest.raises(
        DataError, match=r"^--pretrain shipped \(pretrain\.source\): the shipped weights read 63 numbers"
    ):
        refuse_pretraining(PretrainConfig(source="shipped"), two)
    refuse_pretraining(PretrainConfig(source="auto"), two)


def test_standard_and_quick_look_for_it_and_the_specification_does_not() -> None:
    found = {
        preset: Settings(Options(preset=preset)).section("pretrain", PretrainConfig).source
        for preset in ("standard", "quick", "specification")
    }
    assert found == {"standard": "auto", "quick": "auto", "specification": "none"}


def test_letters_start_from_the_shipped_weights_and_it_is_said(cli: Cli, tmp_path: Path, hands: Path) -> None:
    answer = cli(*ONE_EPOCH, f"--data={hands}", f"--workdir={tmp_path / 'work'}")
    assert answer.code == 0, answer.err
    assert "note: train edge: starts from the shipped student's weights, for 2 of 2 classes\n" in answer.err
    manifest = json.loads((tmp_path / "work/manifest.json").read_text())
    config = manifest["stages"]["train edge"]["config"]
    assert config["pretrain"] == {"source": "shipped", "sha256": open_box().files["student/model.safetensors"]}
    assert config["training"]["lr_scheduler"]["type"] == "cosine"
    assert config["training"]["epochs"] == 1, "what was said wins"
    assert config["training"]["learning_rate"] == 3e-4, "where nothing was"
    shipped, kept = load_model(open_box().model("student"))[0], load_model(tmp_path / "work/models/edge")[0]
    assert np.array_equal(kept.normalisation.mean, shipped.normalisation.mean)
    assert np.abs((kept.dense.weight - shipped.dense.weight).detach().numpy()).max() < 0.05, "it went on from there"


def test_a_model_file_says_from_which_weights_it_started(cli: Cli, tmp_path: Path, hands: Path) -> None:
    answer = cli(*ONE_EPOCH, f"--data={hands}", f"--workdir={tmp_path / 'work'}")
    assert answer.code == 0, answer.err
    metadata = inspect_model(tmp_path / "work/models/edge/model.onnx").metadata
    sha256 = open_box().files["student/model.safetensors"]
    assert metadata is not None
    assert metadata.trained_on == f"hands.npz and synthetic hands, from the shipped weights {sha256[:12]}"
    assert metadata.parents == (sha256_file(tmp_path / "work/models/edge/model.safetensors"), sha256)


def test_the_file_for_the_device_says_who_its_teacher_was_and_evaluate_counts_what_that_one_knew(
    cli: Cli, tmp_path: Path, hands: Path, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A student of another shape than the shipped one's, taught by a model that started there."""
    models = (
        "--teacher=edge",
        "--set=model.hidden_size=64",
        "--set=data.mix=none",
        "--set=gates.max_accuracy_drop=0.9",
    )
    answer = cli("quantize", f"--workdir={tmp_path / 'work'}", f"--data={hands}", *tiny, *models)
    assert answer.code == 0, answer.err
    sha256 = open_box().files["student/model.safetensors"]
    origin = f"hands.npz, taught by a model from the shipped weights {sha256[:12]}"
    for name in ("student/model.onnx", "model.onnx", "model.int8.onnx"):
        metadata = inspect_model(tmp_path / "work" / name).metadata
        assert metadata is not None
        assert (metadata.trained_on, metadata.parents[-1]) == (origin, sha256)

    def told(*data: str, seen: int) -> str:
        """By evaluate, where the shipped weights have learned from the first takes."""
        monkeypatch.setattr("edgekit.shipped.box.Box.seen", lambda self, x, lengths: np.arange(len(x)) < seen)
        shown = cli("evaluate", tmp_path / "work/model.int8.onnx", *data, f"--workdir={tmp_path / 'none'}")
        assert shown.code == 0, shown.err
        return " ".join(shown.out.split())

    save_recordings(tmp_path / "others.npz", some_hands(seed=4))
    others = f"it was trained on other recordings than these ({origin}), which may hold some of them"
    more = ", and the shipped weights that it goes back to have learned from 5 of them"
    assert others + more in told(f"--data={tmp_path / 'others.npz'}", "--part=all", seen=5)
    none = told(f"--data={tmp_path / 'others.npz'}", "--part=all", seen=0)
    assert others in none
    assert "goes back to" not in none
    assert "has learned from 12 of these 12 takes" in told(f"--data={hands}", "--part=all", seen=12)
    assert "has learned from" not in told(f"--data={hands}", "--part=test", seen=0)


def test_a_teacher_from_the_same_weights_adds_nothing_and_another_one_is_told() -> None:
    own, other = Origin(("a",), ("from a",)), Origin(("b", "a"), ("from b",))
    assert own.taught_by(own) == own
    assert own.taught_by(other) == Origin(("a", "b"), ("from a", "taught by a model from b"))
    assert Origin().taught_by(other) == Origin(("b", "a"), ("taught by a model from b",))


def test_a_work_directorys_settings_file_has_the_schedule_that_was_used(cli: Cli, tmp_path: Path, hands: Path) -> None:
    command = (*ONE_EPOCH, f"--data={hands}", f"--workdir={tmp_path / 'work'}")
    assert cli(*command).code == 0
    stored = Settings(said_options(Options(), tmp_path / "work/config.yaml")).section("training", TrainingConfig)
    assert (stored.epochs, stored.learning_rate, stored.lr_scheduler.type) == (1, 3e-4, "cosine")
    shown = cli("config", f"--workdir={tmp_path / 'work'}", "--json").json
    assert (shown["training"]["learning_rate"], shown["distill"]["training"]["epochs"]) == (3e-4, 40)
    assert "= train edge: up to date" in cli(*command).err


def test_interrupted_it_ends_in_the_same_bits(
    cli: Cli, tmp_path: Path, hands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (*ONE_EPOCH[:3], "--set=training.epochs=3", "--set=logging.tensorboard=false", f"--data={hands}")
    assert cli(*command, f"--workdir={tmp_path / 'whole'}").code == 0

    def interrupt(self: Any, stage: str, epoch: Any) -> None:
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("edgekit.cli.progress.Console.epoch", interrupt)
        assert cli(*command, f"--workdir={tmp_path / 'broken'}").code == 130
    assert cli(*command, f"--workdir={tmp_path / 'broken'}").code == 0
    weights = [(tmp_path / place / "models/edge/model.safetensors").read_bytes() for place in ("whole", "broken")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--set=model.hidden_size=8",), "the model is LSTM 8x1, dense 256, and no shipped weights have that shape"),
        (("--set=data.displacement=false",), "read takes otherwise than data.preprocessing and data.displacement say"),
    ],
)
def test_models_that_do_not_fit_start_from_nothing_unless_it_was_said(
    cli: Cli, tmp_path: Path, hands: Path, options: tuple[str, ...], words: str
) -> None:
    command = (*ONE_EPOCH, *options, f"--data={hands}", f"--workdir={tmp_path / 'work'}")
    refused = cli(*command, "--pretrain=shipped")
    assert (refused.code, refused.out) == (2, "")
    assert "--pretrain shipped (pretrain.source): " in refused.err
    assert words in refused.err
    assert not (tmp_path / "work/manifest.json").exists()
    answer = cli(*command)
    assert answer.code == 0, answer.err
    assert "note: train edge: starts from nothing: " in answer.err
    assert words in answer.err
    manifest = json.loads((tmp_path / "work/manifest.json").read_text())
    assert "pretrain" not in manifest["stages"]["train edge"]["config"]


def test_takes_that_the_weights_were_made_from_are_no_test_of_them(
    cli: Cli, tmp_path: Path, hands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.shipped.box.Box.seen", lambda self, x, lengths: np.arange(len(x)) < 5)
    command = (*ONE_EPOCH, f"--data={hands}", "--dry-run", f"--workdir={tmp_path / 'work'}")
    assert "from the shipped weights" not in cli(*command).err
    assert "from the shipped weights" in cli(*command, "--pretrain=shipped").err
    told = cli(*command[:-2], f"--workdir={tmp_path / 'work'}").err
    assert "starts from nothing: 5 of the 12 takes are among those that the shipped weights were made from" in told
    said = cli(*command[:-2], "--pretrain=shipped", f"--workdir={tmp_path / 'said'}").err
    assert "note: train edge: starts from the shipped student's weights" in said
    assert "note: train edge: 5 of the 12 takes are among those" in said


def test_synthetic_hands_train_from_nothing_and_nothing_is_said(cli: Cli, tmp_path: Path) -> None:
    small = ("--set=synth.people=2", "--set=synth.takes_per_letter=2")
    answer = cli(*ONE_EPOCH, *small, f"--workdir={tmp_path / 'work'}", "--dry-run")
    assert answer.code == 0
    assert "shipped" not in answer.err


def test_a_chain_is_fine_tuned_where_nothing_else_was_said(
    cli: Cli, tmp_path: Path, hands: Path, no_pace: None
) -> None:
    """Teacher and student, each where its shape is the shipped one's; the time that they take is not measured here."""
    work = (f"--workdir={tmp_path / 'work'}", "--threads=1", f"--data={hands}", "--dry-run")
    told = cli("quantize", *work).err
    assert told.count(", from the shipped weights") == 2
    assert re.search(r"\? prune: not made yet; how long it will take can't be told in advance\n", told)
    alone = cli("quantize", *work, "--set=student.hidden_size=8", "--set=prune.sparsity=0.2").err
    assert alone.count(", from the shipped weights") == 1
