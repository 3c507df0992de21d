"""Recordings in, arrays out: formats, quality, splits, preprocessing, augmentation, synthetic hands. numpy
only."""

from edgekit.data.augment import AugmentConfig, augment
from edgekit.data.canonical import canonical_landmarks, canonical_takes
from edgekit.data.cleaning import BROKEN, KINDS, Cleaning, Dropped, clean_recordings, find_dropped
from edgekit.data.formats import (
    Conversion,
    Layout,
    choose_layout,
    convert_recordings,
    load_leniently,
    load_recordings,
    losses,
    refuse_existing,
    save_recordings,
)
from edgekit.data.hand import (
    F32,
    HAND_FEATURES,
    I64,
    LANDMARKS,
    MIDDLE_BASE,
    WRIST,
    count_hands,
    frames_seen,
    frames_with_hand,
    hands_seen,
    knows_hands,
)
from edgekit.data.joining import join_recordings
from edgekit.data.layouts.npy import read_take
from edgekit.data.layouts.raw import RECORDINGS, BadFrame
from edgekit.data.length import USUAL_FRAMES, choose_length, fit_length, used_frames
from edgekit.data.mislabels import Mislabel, OutOfFold, class_thresholds, confident_classes
from edgekit.data.mix import NOTHING, Mix, letters_signed, mix_for, mix_of_synthetic, refuse_mix
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
from edgekit.data.synthetic import SynthConfig, draw_preview, synthesise_hands
from edgekit.data.training_checks import refuse_impossible, training_note
from edgekit.data.validation import runs_of, validation_folds

__all__ = [
    "BROKEN",
    "F32",
    "HAND_FEATURES",
    "HAND_SIZE_FLOOR",
    "I64",
    "KINDS",
    "LANDMARKS",
    "MIDDLE_BASE",
    "NOTHING",
    "RECORDINGS",
    "USUAL_FRAMES",
    "WRIST",
    "AugmentConfig",
    "BadFrame",
    "Cleaning",
    "Conversion",
    "DataConfig",
    "Dropped",
    "Layout",
    "Mislabel",
    "Mix",
    "Normalisation",
    "OutOfFold",
    "QualityReport",
    "Recordings",
    "Split",
    "SynthConfig",
    "apply_normalisation",
    "augment",
    "canonical_landmarks",
    "canonical_takes",
    "check_recordings",
    "choose_kind",
    "choose_layout",
    "choose_length",
    "class_thresholds",
    "clean_recordings",
    "confident_classes",
    "convert_recordings",
    "count_hands",
    "draw_preview",
    "find_dropped",
    "fit_length",
    "fit_normalisation",
    "frames_seen",
    "frames_with_hand",
    "hands_seen",
    "join_recordings",
    "knows_hands",
    "letters_signed",
    "load_leniently",
    "load_recordings",
    "losses",
    "mix_for",
    "mix_of_synthetic",
    "normalise_hands",
    "read_take",
    "refuse_existing",
    "refuse_impossible",
    "refuse_mix",
    "runs_of",
    "save_recordings",
    "split_recordings",
    "synthesise_hands",
    "training_note",
    "used_frames",
    "validation_folds",
]
