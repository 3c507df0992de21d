"""When a compiled model says that nobody signs: the file's rule and hands in frames as C, and what goldens expect."""

from __future__ import annotations

import numpy as np

from edgekit.data import count_hands, knows_hands
from edgekit.data.hand import HAND_PARTS
from edgekit.evaluate import means_no_sign, sign_scores, takes_with_hand
from edgekit.evaluate.no_sign import LOST_FRAMES
from edgekit.native.network import F32, Network
from edgekit.native.tables import c_float
from edgekit.runtime import Rejection

#: How far the energy in C may be from numpy's, in nats; a probability is closer.
CLOSE = 1e-4
#: What goldens say of a take in which nobody signs, and of one whose answer rounding may change.
NOBODY, UNKNOWN = -1, -2


def header_values(network: Network) -> dict[str, str]:
    """What model.h says."""
    return {"rule": _about(network.no_sign), "lost": str(LOST_FRAMES)}


def signing_values(network: Network, rule: str) -> dict[str, str]:
    """Of signing.c. rule: the text of rule.c, for models that have one."""
    parts = _hands(network.frames.features)
    silent = [k for k, name in enumerate(network.class_names) if means_no_sign(name)]
    return {
        "hands": str(len(parts)),
        "parts": ", ".join(f"{{{first}, {behind}}}" for first, behind in parts),
        "silent": "".join(f" || best == {k}" for k in silent),
        "rule": "#define ek_strong(logits) 1" if network.no_sign is None else rule,
    }


def rule_values(rule: Rejection) -> dict[str, str]:
    """Of rule.c. With m the largest logit, energy is m + log of the sum of e to the (logit - m), probability 1 by that
    sum."""
    least = c_float(float(np.float32(rule.threshold)))
    energy = f"best >= {least} || ({least} - best < 80.0f && sum >= ek_exp({least} - best))"
    return {"about": _about(rule), "test": energy if rule.score == "energy" else f"sum * {least} <= 1.0f"}


def signed_classes(network: Network, takes: F32, logits: F32, allowed: float) -> tuple[int, ...]:
    """The class that each of takes float32 (takes, frames, features) is called, by its logits float32 (takes, classes),
    and last that of a take without a hand; NOBODY or UNKNOWN. allowed: how far a logit may be off."""
    best = logits.argmax(axis=1)
    top = np.sort(logits, axis=1)
    known = top[:, -1] - top[:, -2] > 2 * allowed if logits.shape[1] > 1 else np.ones(len(top), np.bool_)
    silent = np.array([means_no_sign(name) for name in network.class_names])
    signs = takes_with_hand(takes) | silent[best]
    if network.no_sign is not None:
        above = sign_scores(logits, network.no_sign.score) - np.float32(network.no_sign.threshold)
        signs, known = signs & (above >= 0), known & (np.abs(above) > allowed + CLOSE)
    empty = NOBODY if knows_hands(network.frames.features) and not silent.any() else UNKNOWN
    return (*np.where(known, np.where(signs, best, NOBODY), UNKNOWN).tolist(), empty)


def _hands(features: int) -> tuple[tuple[int, int], ...]:
    """First feature and behind the last of every hand in a frame; none where nobody knows."""
    if count_hands(features):
        return ((0, features),)
    return tuple((part.start, part.stop) for part in HAND_PARTS.get(features, ()))


def _about(rule: Rejection | None) -> str:
    """In words."""
    return "it has none" if rule is None else f"{rule.score} of at least {rule.threshold:g}"
