"""Predictions, metrics and how sure they are: numpy only, because a device has no scikit-learn."""

from edgekit.evaluate.accuracy import Accuracy, LabelledTakes, Parent, score_accuracy
from edgekit.evaluate.answers import Prediction, StreamAnswer
from edgekit.evaluate.class_names import check_class_names, check_count, match_class_names, parse_class_names
from edgekit.evaluate.evaluation import Evaluation, Silence
from edgekit.evaluate.intervals import (
    CONFIDENCE,
    Flips,
    Retention,
    accuracy_interval,
    points_interval_text,
    points_text,
)
from edgekit.evaluate.metrics import (
    ClassMetrics,
    Metrics,
    evaluate_model,
    evaluate_predictions,
    known_takes,
    map_labels,
)
from edgekit.evaluate.misread import Misread, ReadTake, find_misread
from edgekit.evaluate.no_sign import (
    NO_SIGN,
    are_signs,
    hand_is_seen,
    means_no_sign,
    sign_scores,
    strong_answers,
    takes_with_hand,
)
from edgekit.evaluate.order import OrderCheck, Origin, check_order, complaint, doubt
from edgekit.evaluate.predictions import are_probabilities, checked_logits, predict_batches, softmax
from edgekit.evaluate.seen import CHOSE, LEARNED, Roles, Seen

__all__ = [
    "CHOSE",
    "CONFIDENCE",
    "LEARNED",
    "NO_SIGN",
    "Accuracy",
    "ClassMetrics",
    "Evaluation",
    "Flips",
    "LabelledTakes",
    "Metrics",
    "Misread",
    "OrderCheck",
    "Origin",
    "Parent",
    "Prediction",
    "ReadTake",
    "Retention",
    "Roles",
    "Seen",
    "Silence",
    "StreamAnswer",
    "accuracy_interval",
    "are_probabilities",
    "are_signs",
    "check_class_names",
    "check_count",
    "check_order",
    "checked_logits",
    "complaint",
    "doubt",
    "evaluate_model",
    "evaluate_predictions",
    "find_misread",
    "hand_is_seen",
    "known_takes",
    "map_labels",
    "match_class_names",
    "means_no_sign",
    "parse_class_names",
    "points_interval_text",
    "points_text",
    "predict_batches",
    "score_accuracy",
    "sign_scores",
    "softmax",
    "strong_answers",
    "takes_with_hand",
]
