"""How large K is for a perfect generator, by pseudo-experiments: for tests that do not follow Kolmogorov's law.

The values that cross-fitting gives to the reference are not independent, and K of Eq. (34) is larger than its
law says. With a generator's own events in the place of the reference, the generator is perfect by construction;
repeating everything then gives the law that holds, for any way to learn a summary.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.kolmogorov import KolmogorovSmirnov, rescaled
from gampl.likelihood_ratio import LearnedRatio, cross_fit

Floats = NDArray[np.float64]


def null_values(
    draw: Callable[[int, np.random.Generator], ArrayLike],
    n_ref: int,
    n_generated: int,
    n_test: int,
    repetitions: int,
    seed: int,
    *,
    learn: Callable[[ArrayLike, ArrayLike, int], LearnedRatio] = cross_fit,
) -> Floats:
    """Values of K for a perfect generator, sorted, shape (repetitions,).

    Each repetition draws a reference, events to train on and events to test, learns the ratio and measures K.

    Args:
        draw: Makes that many fresh events, such as ``process.sample`` or the ``sample`` of the generator under test.
        n_ref: Events given to ``learn`` as reference.
        n_generated: Events given to ``learn`` as generated.
        n_test: Fresh generated events of the test.
        repetitions: How often to repeat; p-values cannot be below 1 / (1 + repetitions).
        seed: Of all draws and trainings.
        learn: `cross_fit`, `held_out`, or either with settings, by ``functools.partial``.

    Raises:
        ValueError: If ``repetitions`` or ``n_test`` is not positive, or ``learn`` refuses the samples.
    """
    if repetitions < 1:
        raise ValueError(f"repetitions must be positive, got {repetitions}")
    if n_test < 1:
        raise ValueError(f"n_test must be positive, got {n_test}")
    values = np.empty(repetitions)
    for i, rng in enumerate(np.random.default_rng(seed).spawn(repetitions)):
        ratio = learn(draw(n_ref, rng), draw(n_generated, rng), int(rng.integers(2**31)))
        test = KolmogorovSmirnov(ratio.reference)
        test.update(ratio(draw(n_test, rng)))
        values[i] = rescaled(test.distance, test.n_ref, test.n_gen)
    return np.sort(values)


def p_value(K: float, null: ArrayLike) -> float:
    """Probability of a value as large as ``K`` for a perfect generator, by its rank among ``null``: never 0.

    A test that rejects at p <= alpha does so for a perfect generator in at most a share alpha of all cases (Davison and
    Hinkley 1997, section 4.2).

    Raises:
        ValueError: If ``null`` is empty, or a number is NaN.
    """
    values = np.asarray(null, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"null must hold values of K, shape (repetitions,), got {values.shape}")
    if np.isnan(values).any() or np.isnan(K):
        raise ValueError("K and null must not be NaN")
    return float((1 + (values >= K).sum()) / (1 + values.size))
