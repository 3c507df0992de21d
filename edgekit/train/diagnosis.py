"""What went wrong in a training run, as far as its figures show it, and the specification's advice.

Numbers without another source are the specification's: 95 % and 80 %. The others are marked as choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.results import Finding
from edgekit.train.progress import Epoch

OVERFITTED = 0.95
GOOD = 0.80
#: Choices. Validation takes get, in the geometric mean, less than 1 / e of the probability that training takes get.
LOSS_GAP_NATS = 1.0
#: As many epochs as early stopping's patience; a gain of at most one point in so many is none.
WINDOW_EPOCHS = 10
GAIN = 0.01
#: A loss has to fall by this part of the first epoch's within so many epochs.
FALL_RATIO = 0.01
FALL_EPOCHS = 5
#: Of ordinary runs on recorded letters the mean of an epoch is 2 to 3, with single steps up to 25.
EXPLODED_NORM = 100.0
EXPLODED_LOSS_RATIO = 2.0
#: A test accuracy this far below validation.
TEST_GAP = 0.10


@dataclass(frozen=True)
class Fitted:
    """The weights that were kept, scored in evaluation mode, without augmentation and label smoothing.

    Accuracies are ratios from 0 to 1, losses mean cross-entropies in nats.
    """

    train_accuracy: float
    train_loss: float
    val_accuracy: float
    val_loss: float


def diagnose(history: Sequence[Epoch], fitted: Fitted) -> tuple[Finding, ...]:
    """What the finished run shows; nothing for an ordinary one. Gradients first: they explain the rest."""
    found = live_findings(history)
    if not found:
        found = tuple(finding for finding in (overfitting(fitted), underfitting(history, fitted)) if finding)
    return found


def live_findings(history: Sequence[Epoch]) -> tuple[Finding, ...]:
    """What the epochs so far show clearly enough to say so while it trains; the first that fits."""
    found = exploding(history) or loss_not_falling(history)
    return (found,) if found else ()


def overfitting(fitted: Fitted) -> Finding | None:
    """Training accuracy above 95 % with validation below 80 %, or losses more than 1 nat apart."""
    gap = fitted.val_loss - fitted.train_loss
    if fitted.train_accuracy > OVERFITTED and fitted.val_accuracy < GOOD:
        fact = (
            f"training accuracy {_percent(fitted.train_accuracy)} (> {_percent(OVERFITTED)}), validation"
            f" {_percent(fitted.val_accuracy)} (< {_percent(GOOD)})"
        )
    elif gap > LOSS_GAP_NATS:
        fact = (
            f"validation loss {fitted.val_loss:.2f} is {gap:.2f} above the training loss {fitted.train_loss:.2f}"
            f" (> {LOSS_GAP_NATS:g})"
        )
    else:
        return None
    advice = "increase dropout to 0.4-0.5, augment more, add L2 regularisation, or take a smaller model"
    return Finding("overfitting", fact, advice)


def underfitting(history: Sequence[Epoch], fitted: Fitted) -> Finding | None:
    """Both accuracies below 80 %, and neither gained more than a point in the last ten epochs."""
    best = max(fitted.train_accuracy, fitted.val_accuracy)
    if best >= GOOD or len(history) <= WINDOW_EPOCHS:
        return None
    earlier, later = history[:-WINDOW_EPOCHS], history[-WINDOW_EPOCHS:]
    gain = max(
        max(epoch.accuracy for epoch in later) - max(epoch.accuracy for epoch in earlier),
        max(epoch.val_accuracy for epoch in later) - max(epoch.val_accuracy for epoch in earlier),
    )
    if gain > GAIN:
        return None
    fact = (
        f"training accuracy {_percent(fitted.train_accuracy)}, validation {_percent(fitted.val_accuracy)} (both <"
        f" {_percent(GOOD)}), {_percent(max(gain, 0.0))} gained in the last {WINDOW_EPOCHS} epochs (<="
        f" {_percent(GAIN)})"
    )
    return Finding("underfitting", fact, "take a larger model (hidden_size, num_layers), or train longer")


def loss_not_falling(history: Sequence[Epoch]) -> Finding | None:
    """Five epochs or more after which no loss is 1 % below the first one's, and training accuracy is below 80 %."""
    if len(history) < FALL_EPOCHS or max(epoch.accuracy for epoch in history) >= GOOD:
        return None
    first, least = history[0].loss, min(epoch.loss for epoch in history)
    if least < first * (1.0 - FALL_RATIO):
        return None
    least_fall = f"< {_percent(FALL_RATIO)} less"
    fact = f"training loss {first:.4g} in the first epoch, {least:.4g} at best in {len(history)} ({least_fall})"
    advice = (
        "try a learning rate of 0.0001 or 0.01, another initialisation (Xavier, He), and check the preprocessing of the"
        " data: edgekit data check RECORDINGS"
    )
    return Finding("loss not falling", fact, advice)


def exploding(history: Sequence[Epoch]) -> Finding | None:
    """An epoch whose mean gradient norm before clipping is above 100, or whose loss is twice the first one's."""
    for epoch in history:
        where = f"in epoch {epoch.epoch}"
        if epoch.gradient_norm_mean > EXPLODED_NORM:
            fact = f"gradient norm before clipping {epoch.gradient_norm_mean:.3g} {where} (> {EXPLODED_NORM:g})"
        elif epoch.loss > EXPLODED_LOSS_RATIO * history[0].loss:
            fact = f"training loss {epoch.loss:.3g} {where}, {history[0].loss:.3g} in the first (> twice that)"
        else:
            continue
        return Finding("exploding gradients", fact, "reduce the learning rate, or clip gradients to a smaller norm")
    return None


def poor_generalisation(val_accuracy: float, test_accuracy: float) -> Finding | None:
    """Validation at least 80 %, test below that and more than 10 points lower."""
    if val_accuracy < GOOD or test_accuracy >= GOOD or val_accuracy - test_accuracy <= TEST_GAP:
        return None
    fact = (
        f"validation accuracy {_percent(val_accuracy)} (>= {_percent(GOOD)}), test {_percent(test_accuracy)} (<"
        f" {_percent(GOOD)})"
    )
    advice = "record more people and days, augment more strongly, and test on takes like those of its use"
    return Finding("poor generalisation", fact, advice)


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.3g} %"
