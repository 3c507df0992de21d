"""Predictions for takes by models that were not trained on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.data import OutOfFold, Recordings
from edgekit.data.disagreement import NEIGHBOURS, pose_vectors
from edgekit.data.findings import own_frames_seen
from edgekit.data.grouping import unit_key
from edgekit.errors import DataError
from edgekit.train.folds import grouped_folds

TREES = 100
SHRINKAGE = 0.1


def predict_out_of_fold(recordings: Recordings, folds: int = 5, seed: int = 0) -> OutOfFold:
    """Class probabilities of every take from the folds that leave its run out (see `grouped_folds`).

    Model: mean of the probabilities of linear discriminant analysis and extremely randomised trees on `pose_vectors`.
    Not judged are takes without a hand, and those of which a fold trains fewer than 5 of their class and signer: other
    people alone do not show how somebody signs. Raises DataError where no take can be judged.
    """
    seen = own_frames_seen(recordings)
    vectors = pose_vectors(recordings, seen)
    usable = np.flatnonzero(seen.any(axis=1))
    made = grouped_folds(recordings, usable, folds, "run", seed)
    key = unit_key(recordings.labels, recordings.signer)
    probabilities = np.full((recordings.takes, recordings.classes), np.nan)
    for train, held in made.pairs:
        mates = np.bincount(key[train], minlength=int(key.max()) + 1)
        fair = held[mates[key[held]] >= NEIGHBOURS]
        if len(fair) and len(np.unique(recordings.labels[train])) > 1:
            probabilities[fair] = _predict(vectors, recordings.labels, train, fair, recordings.classes, seed)
    judged = int(np.isfinite(probabilities).all(axis=1).sum())
    if not judged:
        raise DataError(
            f"{recordings.source}: no take can be judged out of fold: that needs two classes or more, and of each"
            f" signer {NEIGHBOURS} takes of a class in another run; record more, or check without it"
        )
    rule = f"{len(made.pairs)} folds that divide no run of takes; {judged} of {recordings.takes} takes judged"
    return OutOfFold(probabilities, rule)


def _predict(
    vectors: NDArray[np.float32],
    labels: NDArray[np.int64],
    train: NDArray[np.int64],
    held: NDArray[np.int64],
    classes: int,
    seed: int,
) -> NDArray[np.float64]:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.ensemble import ExtraTreesClassifier, VotingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    linear = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE))
    trees = ExtraTreesClassifier(TREES, random_state=seed)
    model = VotingClassifier([("linear", linear), ("trees", trees)], voting="soft").fit(vectors[train], labels[train])
    probabilities = np.zeros((len(held), classes))
    probabilities[:, model.classes_] = model.predict_proba(vectors[held])
    return probabilities
