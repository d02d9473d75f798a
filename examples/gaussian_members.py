"""Makes samples to try `gampl` on: ten members that were fitted to the same Gaussian events, and true events.

    python examples/gaussian_members.py samples

The generator is a Gaussian of unit width whose mean is fitted to n_train = 1000 events. A member is such a fit to a
bootstrapped copy of the one training sample, train.csv, in which each event counts a Poisson number of times. That is
how members have to be made: they scatter around the training sample's mean as means of training samples scatter around
the truth. Another seed, as a second argument, makes another training sample and other members.

In the region 0 <= x < 0.5 a fit to n_train events is worth G0 = 70.4 training samples, Eq. (30) of the paper. That is
what G estimates. On average over training samples, the ten members pooled are worth G0 / (1 + 1/10) = 64, and one of
them alone G0 / 2 = 35, because its own scatter comes on top of that of the training sample. What these very members are
worth depends on how lucky their training sample is; as the truth is known here, it is computed and printed.
"""

import sys
from math import erf, sqrt
from pathlib import Path

import numpy as np

N_TRAIN, N_GEN, MEMBERS = 1_000, 500_000, 10
PROCESS = f"""\
title: A Gaussian
n_train: {N_TRAIN}
train: train.csv
holdout: holdout.csv
members: member_*.csv
regions: [0 <= x < 0.5, {{observable: x, quantiles: 10}}]
summaries: x
"""


def main(folder: Path, seed: int = 1) -> None:
    """Write train.csv, holdout.csv and member_0.csv to member_9.csv, each with one column x, and a process file."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "process.yml").write_text(PROCESS, encoding="utf-8")
    train, holdout = rng.normal(size=(2, N_TRAIN))
    write(folder / "train.csv", train)
    write(folder / "holdout.csv", holdout)
    means = fitted_means(train, rng)
    for member, mean in enumerate(means):
        write(folder / f"member_{member}.csv", rng.normal(mean, 1.0, size=N_GEN))
    pooled, one = worth(means)
    print(f"in 0 <= x < 0.5 the pooled sample of these members is worth {pooled:.0f} training samples,")
    print(f"that of one of them {one:.0f}; on average over training samples it is 64 and 35")


def fitted_means(train: np.ndarray, rng: np.random.Generator) -> list[float]:
    """Fits of the mean to bootstrapped copies of the training sample, one for each member."""
    return [float(np.average(train, weights=rng.poisson(1.0, size=train.size))) for _ in range(MEMBERS)]


def worth(means: list[float]) -> tuple[float, float]:
    """True G of the pooled members and of one of them, in the region 0 <= x < 0.5: Eqs. (11) and (18)."""
    integrals = np.array([erf((0.5 - mean) / sqrt(2)) - erf(-mean / sqrt(2)) for mean in means]) / 2
    truth = erf(0.5 / sqrt(2)) / 2
    one_event = truth * (1 - truth) / N_TRAIN
    return float(one_event / (integrals.mean() - truth) ** 2), float(one_event / ((integrals - truth) ** 2).mean())


def write(path: Path, values: np.ndarray) -> None:
    """One number per line, below the name of the column."""
    np.savetxt(path, values, fmt="%.6f", header="x", comments="")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "samples"), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
