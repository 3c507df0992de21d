"""Models that start from weights trained on synthetic hands: for users with few takes of their own."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from edgekit.data import AugmentConfig, SynthConfig, canonical_takes, synthesise_hands
from edgekit.data.pretraining import PretrainConfig
from edgekit.data.synthetic.matching import as_letter, takes_like
from edgekit.model import RecurrentClassifier
from edgekit.train import RunSetup, SchedulerConfig, Takes, TrainingConfig, train_model

#: Seed of the people that the pretraining validates on, beside the training's own.
OTHER_PEOPLE = 1_000_003


def pretrain_model(
    model: RecurrentClassifier,
    class_names: Sequence[str],
    config: PretrainConfig,
    augmentation: AugmentConfig | None,
    sequence_length: int,
    seed: int,
    setup: RunSetup | None = None,
) -> float:
    """Train `model` in place on synthetic letters; returns the accuracy on other synthetic people.

    The model's statistics stay those of the recordings. Rows of the output layer are kept for classes that are called
    by a letter; other classes start afresh. model: reads one hand, see `refuse_pretraining`.
    """
    own, takes = model.output, config.takes_per_letter
    made = _takes(config.people, takes, seed, sequence_length)
    others = max(2, config.people // 10)
    held = _takes(others, 2, seed + OTHER_PEOPLE, sequence_length)
    letters = SynthConfig().class_names
    model.output = torch.nn.Linear(own.in_features, len(letters))
    torch.nn.init.xavier_uniform_(model.output.weight, generator=torch.Generator().manual_seed(seed))
    torch.nn.init.zeros_(model.output.bias)
    training = TrainingConfig(
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        lr_scheduler=SchedulerConfig(type="cosine"),
        early_stopping=None,
    )
    result = train_model(model, made, held, training, augmentation=augmentation, seed=seed, setup=setup)
    _keep_letters(own, model.output, class_names, letters)
    model.output = own
    return result.val_accuracy


def _takes(people: int, takes_per_letter: int, seed: int, sequence_length: int) -> Takes:
    """Hands that sign for as long as the recordings' takes last."""
    own = {"people": people, "takes_per_letter": takes_per_letter, "seed": seed}
    config = takes_like(sequence_length).model_copy(update=own)
    made = synthesise_hands(config)
    return Takes(canonical_takes(made, sequence_length), made.labels)


def _keep_letters(own: torch.nn.Linear, learnt: torch.nn.Linear, names: Sequence[str], letters: Sequence[str]) -> None:
    """Copy the rows of classes that are letters, in either case."""
    with torch.no_grad():
        for k, name in enumerate(names):
            letter = as_letter(name)
            if letter is not None:
                row = letters.index(letter)
                own.weight[k], own.bias[k] = learnt.weight[row], learnt.bias[row]
