"""Recordings in, arrays out: formats, quality, splits, preprocessing, augmentation, synthetic hands. numpy
only."""

from edgekit.data.augment import AugmentConfig, augment
from edgekit.data.formats import load_recordings, save_recordings
from edgekit.data.hand import (
    F32,
    HAND_FEATURES,
    I64,
    LANDMARKS,
    MIDDLE_BASE,
    WRIST,
    count_hands,
    frames_seen,
    hands_seen,
)
from edgekit.data.length import fit_length
from edgekit.data.preprocess import (
    HAND_SIZE_FLOOR,
    Normalisation,
    apply_normalisation,
    choose_kind,
    fit_normalisation,
    normalise_hands,
)
from edgekit.data.quality import QualityReport, check_recordings
from edgekit.data.recordings import Recordings
from edgekit.data.settings import DataConfig
from edgekit.data.splits import Split, split_recordings
from edgekit.data.synthetic import SynthConfig, synthesise_hands
from edgekit.data.validation import validation_folds

__all__ = [
    "F32",
    "HAND_FEATURES",
    "HAND_SIZE_FLOOR",
    "I64",
    "LANDMARKS",
    "MIDDLE_BASE",
    "WRIST",
    "AugmentConfig",
    "DataConfig",
    "Normalisation",
    "QualityReport",
    "Recordings",
    "Split",
    "SynthConfig",
    "apply_normalisation",
    "augment",
    "check_recordings",
    "choose_kind",
    "count_hands",
    "fit_length",
    "fit_normalisation",
    "frames_seen",
    "hands_seen",
    "load_recordings",
    "normalise_hands",
    "save_recordings",
    "split_recordings",
    "synthesise_hands",
    "validation_folds",
]
