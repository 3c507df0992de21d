"""Starting from weights that were trained on synthetic hands."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgekit.data import (
    Recordings,
    SynthConfig,
    fit_length,
    fit_normalisation,
    save_recordings,
    synthesise_hands,
)
from edgekit.data.pretraining import PretrainConfig, refuse_pretraining
from edgekit.errors import DataError
from edgekit.model import ModelConfig, RecurrentClassifier, build_model
from edgekit.train.pretraining import pretrain_model
from edgekit.workdir import Options, Settings

Cli = Callable[..., Any]
SMALL = PretrainConfig(source="synthetic", people=10, takes_per_letter=4, epochs=8, batch_size=16)
NAMES = ("b", "wave", "L")


def fresh(classes: int) -> RecurrentClassifier:
    made = synthesise_hands(SynthConfig(people=1, takes_per_letter=2))
    normalisation = fit_normalisation(fit_length(made.sequences, made.lengths, 30), "hand", True)
    return build_model(ModelConfig(hidden_size=32, dense=64), normalisation, classes, 0)


@pytest.fixture(scope="module")
def pretrained() -> tuple[RecurrentClassifier, RecurrentClassifier, float]:
    torch.set_num_threads(1)
    model, untouched = fresh(len(NAMES)), fresh(len(NAMES))
    return model, untouched, pretrain_model(model, NAMES, SMALL, None, 30, 0)


Pretrained = tuple[RecurrentClassifier, RecurrentClassifier, float]


def test_it_learns_the_letters_of_people_it_has_not_seen(pretrained: Pretrained) -> None:
    assert pretrained[2] > 0.2, "chance is 0.04"


def test_letters_keep_what_was_learnt_and_other_classes_start_afresh(pretrained: Pretrained) -> None:
    model, untouched, _ = pretrained
    assert model.output.weight.shape == untouched.output.weight.shape
    changed = (model.output.weight != untouched.output.weight).any(dim=1)
    assert changed.tolist() == [True, False, True]
    assert not torch.equal(model.dense.weight, untouched.dense.weight)
    assert np.array_equal(model.normalisation.mean, untouched.normalisation.mean), "statistics are the recordings'"


def test_a_pretrained_model_tells_its_letters_apart_at_once(pretrained: Pretrained) -> None:
    made = synthesise_hands(SynthConfig(people=10, takes_per_letter=2, seed=9))
    x = fit_length(made.sequences, made.lengths, 30)
    b, ell = (x[made.labels == made.class_names.index(name)] for name in "BL")
    with torch.no_grad():
        logits = [pretrained[0](torch.from_numpy(part)) for part in (b, ell)]
    right = [(logits[0][:, 0] > logits[0][:, 2]), (logits[1][:, 2] > logits[1][:, 0])]
    assert torch.cat(right).float().mean() > 0.8


def hands(features: int, names: tuple[str, ...]) -> Recordings:
    x = np.ones((8, 4, features), np.float32)
    return Recordings(x, np.full(8, 4), np.arange(8) % len(names), names, None, None, "signs.npz")


@pytest.mark.parametrize(
    ("features", "names", "words"),
    [
        (126, ("A", "B"), r"synthetic hands have 63 numbers per frame, signs\.npz 126 \(two hands\); leave it out"),
        (5, ("A", "B"), r"63 numbers per frame, signs\.npz 5; leave it out, or use --pretrain none"),
        (63, ("hello", "no"), r"letters A to Z, and no class of signs\.npz is called by one \(hello, no\); leave"),
    ],
)
def test_recordings_that_it_can_not_help_are_refused_by_the_flags_name(
    features: int, names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(DataError, match=r"^--pretrain synthetic \(pretrain\.source\): .*" + words):
        refuse_pretraining(SMALL, hands(features, names))
    refuse_pretraining(PretrainConfig(), hands(features, names))


def test_classes_that_are_letters_in_either_case_are_enough() -> None:
    refuse_pretraining(SMALL, hands(63, ("b", "wave")))


def test_the_refusal_comes_before_pytorch(tmp_path: Path) -> None:
    save_recordings(tmp_path / "two.npz", hands(126, ("A", "B")))
    code = (
        "import sys; from edgekit.cli import run_cli; code = run_cli(sys.argv[1:]); print(code, 'torch' in sys.modules)"
    )
    words = ("run", f"--workdir={tmp_path / 'work'}", f"--data={tmp_path / 'two.npz'}", "--pretrain=synthetic")
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "False"]
    assert "--pretrain synthetic (pretrain.source): synthetic hands have 63" in done.stderr
    assert not (tmp_path / "work/manifest.json").exists(), "what was refused is not remembered"


def test_preset_quick_shrinks_it() -> None:
    quick = Settings(Options(preset="quick")).section("pretrain", PretrainConfig)
    whole = Settings(Options()).section("pretrain", PretrainConfig)
    assert quick.takes * quick.epochs < 0.1 * whole.takes * whole.epochs


def test_it_is_off_unless_said() -> None:
    assert PretrainConfig().source == "none"
    assert Settings(Options()).section("pretrain", PretrainConfig).source == "auto", "which is never synthetic"


@pytest.mark.parametrize(("frames", "shortest", "longest"), [(30, 20, 60), (12, 20, 60), (50, 33, 50), (300, 200, 300)])
def test_synthetic_takes_last_as_long_as_the_recordings(
    frames: int, shortest: int, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer ones are made longer, or most of what the model learns from would be a last frame that is repeated."""
    made, trained = [], []
    real = synthesise_hands

    def keep(config: SynthConfig) -> object:
        made.append(config)
        return real(config)

    monkeypatch.setattr("edgekit.train.pretraining.synthesise_hands", keep)
    monkeypatch.setattr("edgekit.train.pretraining.train_model", lambda model, *takes, **how: trained.extend(takes))
    config = PretrainConfig(source="synthetic", people=1, takes_per_letter=2)
    with pytest.raises(AttributeError):  # nothing was trained
        pretrain_model(fresh(3), NAMES, config, None, frames, 0)
    assert [(one.min_frames, one.max_frames) for one in made] == [(shortest, longest)] * 2
    assert [takes.x.shape[1] for takes in trained[:2]] == [frames] * 2


def test_a_dry_run_guesses_how_long_each_stage_takes(cli: Cli, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    options = ("--pretrain=synthetic", "--set=pretrain.people=1000", "--set=training.early_stopping.patience=3")
    answer = cli("quantize", f"--workdir={tmp_path / 'work'}", *tiny, *options, "--dry-run")
    assert answer.code == 0
    time = r"\d+ (s|min)|\d+\.\d h"
    train = rf"\? train accurate: not made yet; about ({time}) here, ({time}) of it pretraining, less if it stops"
    assert re.search(train, answer.err)
    assert re.search(rf"\? distill: not made yet; about ({time}) here, ({time}) of it pretraining\n", answer.err)
    assert re.search(rf"\? prune: not made yet; about ({time}) here\n", answer.err)
    assert "? quantize: not made yet\n" in answer.err
    assert not (tmp_path / "work").exists()


def test_it_has_a_name_of_its_own_and_goes_on_after_an_interruption(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ("--pretrain=synthetic", "--set=pretrain.people=1", "--set=pretrain.epochs=3")
    command = ("train", "edge", *tiny, *small, "-v")
    whole = cli(*command, f"--workdir={tmp_path / 'whole'}")
    assert whole.code == 0, whole.err
    assert "> pretrain edge: 104 takes of 1 synthetic people, 3 epochs\n" in whole.err
    assert [f"pretrain edge epoch {k}/3" in whole.err for k in (1, 2, 3)] == [True] * 3
    assert re.search(r"  done in \d+ s, accuracy 0\.\d+ on other synthetic people\n> train edge: from there", whole.err)
    assert (tmp_path / "whole/logs/pretrain-edge/training_log.csv").exists()

    def interrupt(self: Any, stage: str, epoch: Any) -> None:
        if (stage, epoch.epoch) == ("pretrain edge", 2):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("edgekit.cli.progress.Console.epoch", interrupt)
        assert cli(*command, f"--workdir={tmp_path / 'broken'}").code == 130
    again = cli(*command, f"--workdir={tmp_path / 'broken'}")
    assert "pretrain edge epoch 1/3" not in again.err
    assert "pretrain edge epoch 2/3" in again.err
    weights = [(tmp_path / place / "models/edge/model.safetensors").read_bytes() for place in ("whole", "broken")]
    assert weights[0] == weights[1]
    assert list((tmp_path / "broken/.resume").iterdir()) == []


def test_interrupted_after_its_pretraining_a_run_does_not_pretrain_again(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ("--pretrain=synthetic", "--set=pretrain.people=1", "--set=pretrain.epochs=2", "--set=training.epochs=3")
    command = ("train", "edge", *tiny, *small, "-v")
    assert cli(*command, f"--workdir={tmp_path / 'whole'}").code == 0
    for at in (1, 2):  # before and after the first epoch is kept

        def interrupt(self: Any, stage: str, epoch: Any, at: int = at) -> None:
            if (stage, epoch.epoch) == ("train edge", at):
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("edgekit.cli.progress.Console.epoch", interrupt)
            assert cli(*command, f"--workdir={tmp_path / 'broken'}").code == 130
    again = cli(*command, f"--workdir={tmp_path / 'broken'}")
    assert "pretrain edge epoch" not in again.err
    weights = [(tmp_path / place / "models/edge/model.safetensors").read_bytes() for place in ("whole", "broken")]
    assert weights[0] == weights[1]
