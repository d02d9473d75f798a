"""How often generators that remember their training events are found out, and honest ones suspected.

    python benchmarks/memorisers.py [experiments]

Each experiment draws 1000 training events, as many held-out ones and three members of one column. Members that remember
resample the training events, in four disguises; they are tried in a tenth of the experiments. An honest generator knows
mean and width of the training events and makes 10^6 events, in single or in double precision. The seeds are fixed; 3000
experiments, as by default, take four minutes of one core, and exclude a rate of 1 in 1000 at 95 % if nobody is
suspected.
"""

# ruff: noqa: T201
import sys
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gampl.report.suspects import Kept, copies, memories, repeating

Floats = NDArray[np.floating]
Members = Callable[[np.random.Generator, Floats], Sequence[Floats]]  # of training events

N_TRAIN, N_GEN, MEMBERS, BATCH = 1000, 10**6, 3, 100_000


def resampled(disguise: Callable[[np.random.Generator, Floats], Floats]) -> Members:
    """Members that remember."""
    return lambda rng, train: [disguise(rng, rng.choice(train, BATCH)) for _ in range(MEMBERS)]


def shuffled(rng: np.random.Generator, train: Floats) -> Sequence[Floats]:
    """Members of which one is another one in a different order; they remember nothing."""
    members = [rng.normal(train.mean(), train.std(), BATCH) for _ in range(MEMBERS)]
    return [*members[:-1], rng.permutation(members[0])]


def honest(rng: np.random.Generator, train: Floats) -> Sequence[Floats]:
    """Members that have learned mean and width, in a precision that is drawn for all."""
    dtype = rng.choice([np.float32, np.float64])
    means = train.mean() + train.std() * rng.normal(size=MEMBERS) / np.sqrt(N_TRAIN)
    return [rng.normal(mean, train.std(), N_GEN).astype(dtype) for mean in means]


CASES: dict[str, Members] = {
    "copies": resampled(lambda _, events: events),
    "copies in single precision": resampled(lambda _, events: events.astype(np.float32)),
    "smeared by 1e-3": resampled(lambda rng, events: events + rng.normal(scale=1e-3, size=events.size)),
    "another member, shuffled": shuffled,
    "honest": honest,
}


def is_suspected(members: Members, seed: Sequence[int]) -> bool:
    """Whether anything is said of members of a new training sample."""
    rng = np.random.default_rng(seed)
    train, holdout = rng.normal(size=(2, N_TRAIN, 1))
    kept = {}
    for k, events in enumerate(members(rng, train[:, 0])):
        kept[f"m{k}"] = Kept()
        for start in range(0, events.size, BATCH):
            kept[f"m{k}"].update({"x": events[start : start + BATCH]})
    return bool([*memories(train, holdout, kept)] or copies(kept) or [*repeating(kept)])


def main() -> None:
    """Print a line for each case."""
    experiments = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    for number, (name, members) in enumerate(CASES.items()):
        tried = experiments if members is honest else max(experiments // 10, 1)
        suspected = sum(is_suspected(members, [8, number, k]) for k in range(tried))
        if members is honest:
            bound = f"fewer than {100 * stats.beta.ppf(0.95, suspected + 1, tried - suspected):.2g} %"
        else:
            bound = f"more than {100 * stats.beta.ppf(0.05, suspected, tried - suspected + 1):.1f} %"
        print(f"{name:28} {suspected:4} of {tried} ({bound} at 95 %)", flush=True)


if __name__ == "__main__":
    main()
