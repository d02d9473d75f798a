"""Makes samples to try `gampl` on: ten members that were fitted to the same Gaussian events, and true events.

    python examples/gaussian_members.py samples

A member is what a fit of the mean to the n_train = 1000 training events could be: a Gaussian whose mean is drawn from
its posterior. For the region 0 <= x < 0.5 the amplification factor of such a fit is known, G = 70.4: Eq. (30) of the
paper.
"""

import sys
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


def main(folder: Path) -> None:
    """Write train.csv, holdout.csv and member_0.csv to member_9.csv, each with one column x, and a process file."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    train, holdout = rng.normal(size=(2, N_TRAIN))
    (folder / "process.yml").write_text(PROCESS, encoding="utf-8")
    write(folder / "train.csv", train)
    write(folder / "holdout.csv", holdout)
    for member in range(MEMBERS):
        mean = rng.normal(0.0, 1 / np.sqrt(N_TRAIN))
        write(folder / f"member_{member}.csv", rng.normal(mean, 1.0, size=N_GEN))


def write(path: Path, values: np.ndarray) -> None:
    """One number per line, below the name of the column."""
    np.savetxt(path, values, fmt="%.6f", header="x", comments="")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "samples"))
