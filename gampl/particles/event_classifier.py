"""The classifier behind LR_class of LHC events, section 5.2 of the paper: boosted trees on features.

`features` are those of the public code of the paper's generators: each jet, the distance of each pair of jets, and the
sums of jets that have names, such as the tops and the W bosons: trees cannot find masses from the jets alone.
"""

from collections.abc import Mapping
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from gampl.basics import Floats
from gampl.particles.kinematics import COORDINATES, cartesian, cylindrical, delta_r
from gampl.ratio import Classifier, LearnedRatio, MakeClassifier, held_out

LIGHT = 0.1  # GeV: a jet below it is one massless particle and round-off, which must not tell a generator's apart
FOLDS = 5
LARGEST = 30.0  # of features, far beyond any event, but not beyond a generator's pT = 0 or eta = 1000


class EventProcess(Protocol):
    """A process of events with several particles, such as `gampl.processes.TopPair`."""

    @property
    def particles(self) -> tuple[str, ...]:
        """Names of the rows of an event."""

    @property
    def composites(self) -> Mapping[str, tuple[str, ...]]:
        """Sums of particles that have names."""


def features(momenta: ArrayLike, process: EventProcess) -> Floats:
    """Numbers of each event for a classifier, (n, particles, 4) to (n, features).

    ln pT, cos phi, sin phi, eta and ln m of each particle; Delta R of each pair; ln pT, cos phi, sin phi, y and ln m of
    each composite, in this order and each for all particles or pairs before the next. With logarithms no tail is long;
    sine and cosine know that angles are periodic; and the rapidity of a pair without pT is finite.

    All are finite, within 30 of zero, if the momenta are; and NaN for an event whose momenta are not. A ValueError if
    these, (pT, phi, eta, m) in GeV and radians, have another shape.
    """
    p, names = np.asarray(momenta, dtype=np.float64), process.particles
    if p.ndim != 3 or p.shape[1:] != (len(names), len(COORDINATES)):
        raise ValueError(f"momenta of {', '.join(names)} must have shape (n, {len(names)}, 4), got {p.shape}")
    first, second = np.triu_indices(len(names), 1)
    with np.errstate(all="ignore"):  # momenta that are not finite, or far beyond reason
        components = cartesian(p)
        parts = [[names.index(name) for name in composite] for composite in process.composites.values()]
        sums = np.stack([components[:, rows].sum(axis=1) for rows in parts], axis=1)
        composites = cylindrical(sums)
        composites[..., 2] = np.arctanh(sums[..., 3] / sums[..., 0])
        numbers = np.concatenate([_numbers(p), delta_r(p[:, first], p[:, second]), _numbers(composites)], axis=1)
    numbers = np.clip(np.nan_to_num(numbers, nan=LARGEST), -LARGEST, LARGEST)
    numbers[~np.isfinite(p).all(axis=(1, 2))] = np.nan
    return numbers


def _numbers(p: Floats) -> Floats:
    """The numbers of objects (pT, phi, eta or y, m): (n, objects, 4) to (n, 5 objects)."""
    pt, phi, longitudinal, m = np.moveaxis(p, -1, 0)
    return np.concatenate(
        [np.log(np.maximum(pt, 0)), np.cos(phi), np.sin(phi), longitudinal, np.log(np.maximum(m, LIGHT))], axis=1
    )


def event_classifier(process: EventProcess) -> MakeClassifier:
    """Makes classifiers of events, shape (n, particles, 4), for `gampl.ratio`. They need scikit-learn.

    Five times, gradient boosting of small trees (Friedman 2001) learns from four fifths of the events and stops when
    a part of these no longer gains; a logistic function, fitted to the other fifth, turns its scores into
    probabilities (Platt 1999), without which the trees are sure of differences that do not exist. The mean of the five
    is taken, which gives no two events the same value.

    Networks are a second opinion: `gampl.particles.event_network`. On five distortions no larger tree or further
    feature had a smaller loss. The probabilities are rather too close to each other: log odds should be 1.0 to 1.4
    times as large, and twice where there is next to nothing to find. Training takes 1 s of one core for 5 000 events of
    each class, a million events take 10 to 35 s. All cores are used; where several processes share them, one thread
    each (OMP_NUM_THREADS=1) is much faster.
    """

    def make(seed: int) -> Classifier:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer

        to_features = FunctionTransformer(partial(features, process=process))
        return make_pipeline(to_features, calibrated_trees(seed, max_features=0.3))

    return make


def calibrated_trees(seed: int, max_features: float = 1.0) -> Classifier:
    """The trees of `event_classifier` for rows of numbers, (n, features); each split tries a share of the features."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees = HistGradientBoostingClassifier(
        learning_rate=0.1,
        max_iter=400,
        max_leaf_nodes=15,
        max_features=max_features,
        early_stopping=True,
        validation_fraction=0.15,
        random_state=seed,
    )
    return CalibratedClassifierCV(trees, cv=FOLDS)


def held_out_events(
    process: EventProcess, reference: ArrayLike, generated: ArrayLike, seed: int, *, train_share: float = 0.5
) -> LearnedRatio:
    """`gampl.ratio.held_out` with `event_classifier`, for events (pT, phi, eta, m), shape (n, particles, 4).

    Generated events that are not finite are not trained on: in the stream to be tested, where they count as lost, the
    ratio of such events is NaN. ``functools.partial`` with the process serves `gampl.calibration.null_values`. A
    ValueError if the shapes are wrong or true events not finite; or as `held_out`.
    """
    fake = np.asarray(generated, dtype=np.float64)
    usable = fake[np.isfinite(fake).all(axis=tuple(range(1, fake.ndim)))]
    return held_out(reference, usable, seed, train_share=train_share, make_classifier=event_classifier(process))
