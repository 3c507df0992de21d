"""Starting from weights that were trained on synthetic hands."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgekit.data import Normalisation, SynthConfig, fit_length, fit_normalisation, synthesise_hands
from edgekit.errors import ConfigError
from edgekit.model import ModelConfig, RecurrentClassifier, build_model
from edgekit.pipeline import Options, Settings
from edgekit.pipeline.pretrain import PretrainConfig, pretrain_model

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


def test_recordings_of_something_else_are_refused() -> None:
    model = build_model(ModelConfig(hidden_size=4), Normalisation("standard", False, np.zeros(5, np.float32),
                        np.ones(5, np.float32)), 2)  # fmt: skip
    with pytest.raises(ConfigError, match=r"63 features, the recordings 5"):
        pretrain_model(model, ("a", "b"), SMALL, None, 30, 0)


def test_it_is_off_unless_said_and_decides_the_outcome() -> None:
    assert Settings(Options()).section("pretrain", PretrainConfig).described() == {}
    assert SMALL.described()["pretrain"]["people"] == SMALL.people


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

    monkeypatch.setattr("edgekit.pipeline.pretrain.synthesise_hands", keep)
    monkeypatch.setattr("edgekit.pipeline.pretrain.train_model", lambda model, *takes, **how: trained.extend(takes))
    config = PretrainConfig(source="synthetic", people=1, takes_per_letter=2)
    with pytest.raises(AttributeError):  # nothing was trained
        pretrain_model(fresh(3), NAMES, config, None, frames, 0)
    assert [(one.min_frames, one.max_frames) for one in made] == [(shortest, longest)] * 2
    assert [takes.x.shape[1] for takes in trained[:2]] == [frames] * 2
