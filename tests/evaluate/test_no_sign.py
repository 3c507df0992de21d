"""When an answer says that nobody signs: by the file's rule, by its class, and without a hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.errors import ModelFileError, ShapeError
from edgekit.evaluate import are_signs, hand_is_seen, means_no_sign, sign_scores, softmax, takes_with_hand
from edgekit.runtime import ModelMetadata, Rejection

METADATA = ModelMetadata(("A", "B", "no_sign"), 30, 63)
SURE, WEAK, NOTHING = [9.0, 0.0, 0.0], [0.3, 0.2, 0.1], [0.0, 0.0, 9.0]
LOGITS = np.array([SURE, WEAK, NOTHING], np.float32)


def test_the_scores_are_the_largest_probability_and_the_log_of_the_sum() -> None:
    np.testing.assert_allclose(sign_scores(LOGITS, "probability"), softmax(LOGITS).max(axis=1), rtol=1e-6)
    np.testing.assert_allclose(sign_scores(LOGITS, "energy"), np.log(np.exp(LOGITS).sum(axis=1)), rtol=1e-6)


def test_scores_of_huge_logits_are_numbers() -> None:
    least = np.finfo(np.float32).min
    huge = np.array([[3e38, least, 0.0], [least, least, least]], np.float32)
    for score in ("probability", "energy"):
        assert np.isfinite(sign_scores(huge, score)).all()


@pytest.mark.parametrize(("score", "threshold"), [("probability", 0.5), ("energy", 5.0)])
def test_an_answer_below_the_threshold_is_no_sign_and_one_at_it_is(score: str, threshold: float) -> None:
    ruled = replace(METADATA, no_sign=Rejection(score, threshold))  # type: ignore[arg-type]
    assert are_signs(LOGITS, ruled).tolist() == [True, False, False]
    assert are_signs(LOGITS, ruled, reject=False).tolist() == [True, True, False]
    own = float(sign_scores(LOGITS[1:2], score)[0])  # type: ignore[arg-type]
    assert are_signs(LOGITS[1:2], replace(METADATA, no_sign=Rejection(score, own))).all()  # type: ignore[arg-type]


def test_a_class_that_means_no_sign_is_none_and_a_file_without_a_rule_calls_the_rest_signs() -> None:
    assert are_signs(LOGITS, METADATA).tolist() == [True, True, False]
    assert are_signs(LOGITS, None).all()
    assert are_signs(LOGITS, None, ("Nothing", "B", "C")).tolist() == [False, False, True]
    assert [means_no_sign(name) for name in ("No-Sign", "nothing", "N")] == [True, True, False]
    assert not any(means_no_sign(word) for word in ("rest", "none", "blank")), "words that somebody may sign"


def test_logits_of_another_width_are_an_error() -> None:
    with pytest.raises(ShapeError, match=r"expected \(n, 3\), got \(2, 26\)"):
        are_signs(np.zeros((2, 26), np.float32), METADATA)


def test_a_hand_is_lost_after_five_frames_and_only_where_numbers_are_known_to_be_hands() -> None:
    frames = np.ones((12, 63), np.float32)
    frames[8:] = 0
    assert hand_is_seen(frames)
    frames[7] = 0
    assert not hand_is_seen(frames)
    assert not hand_is_seen(np.zeros((2, 126), np.float32))
    assert hand_is_seen(np.zeros((12, 6), np.float32))
    body = np.zeros((12, 225), np.float32)
    body[:, 0] = 1.0  # of the pose
    assert not hand_is_seen(body)


def test_takes_with_a_hand_in_any_frame() -> None:
    x = np.zeros((2, 5, 63), np.float32)
    x[1, 2, 7] = 0.1
    assert takes_with_hand(x).tolist() == [False, True]
    assert takes_with_hand(np.zeros((2, 5, 6), np.float32)).all()


def test_the_rule_goes_through_the_metadata_and_back() -> None:
    ruled = replace(METADATA, no_sign=Rejection("energy", 1.25, "50 validation takes", 0.01))
    assert ModelMetadata.from_props(ruled.to_props()) == ruled
    assert "edgekit.no_sign" not in METADATA.to_props()


@pytest.mark.parametrize(
    "text",
    [
        "{}", "3", '{"score": "energy"}', '{"score": "margin", "threshold": 1.0, "found_on": "", "lost": 0.0}',
        '{"score": "energy", "threshold": "1", "found_on": "", "lost": 0.0}',
        '{"score": "energy", "threshold": 1e999, "found_on": "", "lost": 0.0}',
        '{"score": "energy", "threshold": 1e39, "found_on": "", "lost": 0.0}',
        '{"score": "energy", "threshold": true, "found_on": "", "lost": 0.0}',
        '{"score": ["energy"], "threshold": 1.0, "found_on": "", "lost": 0.0}',
    ],
)  # fmt: skip
def test_a_damaged_rule_is_one_message(text: str) -> None:
    with pytest.raises(ModelFileError, match=r"edgekit\.no_sign is damaged"):
        ModelMetadata.from_props({**METADATA.to_props(), "edgekit.no_sign": text})
