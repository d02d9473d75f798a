"""How often weights that come from the training sample are found out without a receipt, and honest ones suspected.

    python benchmarks/reweighted.py [experiments]

Each experiment draws 1000 training events and as many fresh ones of a normal distribution, and 1000 or 10 000 held-out
ones. The member is a Gaussian around the mean of a bootstrapped copy of the training events, 20 000 events. Its weights
are learned from 4000 more of them and from the training events, or from the fresh ones, or are the exact ones of
kernels around the training events. The seeds are fixed; classifiers that take long are tried in a tenth of the
experiments; 2000, as by default, take a quarter of an hour of one core.
"""

# ruff: noqa: T201
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gampl.ratio import default_classifier
from gampl.report.reweighted import FALSE_ALARMS, follow_probability
from gampl.report.suspects import Kept
from gampl.reweighting import Reweighting
from gampl_book.reweighters import LINE, learned

N_TRAIN, N_GEN, N_LEARNED, WIDTH = 1000, 20_000, 4000, 0.1
CLASSIFIERS = {**LINE, "functions": default_classifier}
QUICK = ("histogram", "quadratic", "kernels")


def probability(name: str, is_fresh: bool, n_holdout: int, seed: Sequence[int]) -> float:
    """That of the weights of a member of a new training sample."""
    rng = np.random.default_rng(seed)
    train, fresh, holdout = (rng.normal(size=(n, 1)) for n in (N_TRAIN, N_TRAIN, n_holdout))
    mean = rng.choice(train, N_TRAIN).mean()
    x = rng.normal(mean, 1, size=(N_GEN, 1))
    weights: NDArray[np.float64]
    if name == "kernels":
        generator = stats.gaussian_kde(train[:, 0], WIDTH)
        x = generator.resample(2000, rng).T
        weights = stats.norm.pdf(x[:, 0]) / generator(x[:, 0])
    else:
        generated = rng.normal(mean, 1, size=(N_LEARNED, 1))
        weights = Reweighting(learned(fresh if is_fresh else train, generated, CLASSIFIERS[name], seed[-1]))(x)
    kept = Kept()
    kept.update({"x": x[:, 0]}, weights)
    return follow_probability(train, holdout, [kept])


def main() -> None:
    """Print a line for each case."""
    experiments = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    cases = [(name, True, N_TRAIN) for name in ("histogram", "quadratic", "unregularised")] + [
        ("kernels", True, N_TRAIN)
    ]
    cases += [
        (name, False, n)
        for name in ("quadratic", "functions", "calibrated", "histogram", "unregularised")
        for n in (1000, 10_000)
    ]
    for number, (name, is_fresh, n_holdout) in enumerate(cases):
        tried = experiments if name in QUICK and is_fresh else max(experiments // 10, 1)
        p = np.array([probability(name, is_fresh, n_holdout, [9, number, k]) for k in range(tried)])
        suspected = int((p < FALSE_ALARMS).sum())
        low, high = stats.binomtest(suspected, tried).proportion_ci(0.95)
        what = "honest" if is_fresh else "training events"
        rate = f"{suspected:4} of {tried} ({100 * low:.2g} to {100 * high:.2g} %)"
        below = f"p < 0.1 in {100 * (p < 0.1).mean():.1f} %"
        print(f"{name:14} {what:16} {n_holdout:6} held out: {rate}, {below}", flush=True)


if __name__ == "__main__":
    main()
