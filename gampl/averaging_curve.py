"""The lines of Fig. 1: what the spread of the members' integrals says at each number of generated events."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gampl.amplification import AveragingCurve, Interval, State
from gampl.spread import Spread

Floats = NDArray[np.float64]


def model_interval(spread: Spread, level: float) -> tuple[State, Interval]:
    """What can be said about sigma_model^2: an interval, or only a one-sided limit where that would be empty."""
    low, high = spread.model_interval(level)
    if high <= 0:
        return State.LOWER_LIMIT, Interval(0.0, spread.model_limit(level))
    return (State.VALUE if low > 0 else State.UNBOUNDED), Interval(low, high)


def averaging_curve(spreads: Sequence[Spread], level: float, truth: Floats | None) -> AveragingCurve:
    """The lines of Fig. 1, from the spreads at increasing n_gen."""
    if not np.isfinite(spreads[-1].n_gen):
        return _exact_curve(spreads[-1], level, truth)
    model = np.array([s.model for s in spreads])
    low, high = np.transpose([model_interval(s, level)[1] for s in spreads])
    return AveragingCurve(
        n_gen=np.array([s.n_gen for s in spreads]),
        sigma_stat=np.sqrt([s.statistical for s in spreads]),
        sigma_est=np.sqrt([s.total for s in spreads]),
        sigma_model=np.sqrt(np.where(model > 0, model, np.nan)),
        sigma_model_low=np.sqrt(np.maximum(low, 0)),
        sigma_model_high=np.sqrt(np.maximum(high, 0)),
        sigma_true=None if truth is None else np.sqrt([s.deviation(truth) for s in spreads]),
    )


def _exact_curve(spread: Spread, level: float, truth: Floats | None) -> AveragingCurve:
    """Lines for any n_gen from the integrals' limits: two decades to either side of n_equiv."""
    n_gen = np.maximum(spread.binomial / spread.total, 200) * np.logspace(-2, 2, 41)
    stat = spread.binomial / n_gen
    ones = np.ones_like(n_gen)
    low, high = spread.model_interval(level)
    return AveragingCurve(
        n_gen=n_gen,
        sigma_stat=np.sqrt(stat),
        sigma_est=np.sqrt(spread.total * (1 - 1 / n_gen) + stat),
        sigma_model=np.sqrt(spread.total) * ones,
        sigma_model_low=np.sqrt(low) * ones,
        sigma_model_high=np.sqrt(high) * ones,
        sigma_true=None if truth is None else np.sqrt(spread.deviation(truth) + stat),
        is_exact=True,
    )
