# %% [markdown]
# (sec-crossfit)=
# # Cross-fitting the generator
#
# A holdout costs events that could have been trained on. Cross-fitting needs none: divide the training events into folds, train a generator without each, and test it against the fold that it did not see. The distances
# are averaged (`differential.combine`), and their law is that of a mean of independent $K$. The price is that each fold is a small reference, that the networks are trained several times, and that the result is about generators with fewer training events.
#
# The folds must not be pooled into one sample. Every fold has also trained the generators of the others, and in the sum what distinguishes a fold from its own generator cancels: pooling is the training data as reference in disguise (first exercise).

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import numpy as np
from scipy import stats

from gampl import differential
from gampl.kolmogorov import distance_to_density
from gampl.processes import GaussianRing
from gampl.regions import Observable, radius
from gampl.result import Amplification
from gampl_book.pages import Page, markdown_table
from gampl_book.ring_comparisons import compare_members, true_log_ratio
from gampl_book.ring_ensembles import left_out_events, train_or_load
from gampl_book.studies import crossfit, ring, trainings

page = Page("cross_fitting", profile, seed)
plan = trainings(profile, seed)
n_train = plan[ring(2, "bayesian", 1)].n_train
repetitions = page.settings["pseudo_experiments"]
page.record("pseudo_experiments", repetitions)

# %% [markdown]
# ## Size and power
#
# To measure size and power, take Gaussians whose mean is fitted and whose width is fixed at a value that is right or wrong.


# %% tags=["hide-input"]
def distances(reference: np.ndarray, mean: np.ndarray, width: float = 1.0) -> np.ndarray:
    """Distances of references, shape (..., n_ref), to Gaussians of the given means, shape (...)."""
    return distance_to_density(stats.norm.cdf(reference, mean[..., None], width))


def estimate(distance: float, n_ref: int, trained_on: int = n_train, level: float = 0.683) -> Amplification:
    return differential.from_distances([distance], np.inf, n_ref, trained_on, level=level)


FOLDS, WIDTHS = 5, (1.0, 1.03, 1.06, 1.1, 1.15)
rng = page.rng(1)
events = rng.normal(size=(repetitions, FOLDS, n_train // FOLDS))
holdout = rng.normal(size=(repetitions, n_train))
fold_means = (events.sum(axis=(1, 2))[:, None] - events.sum(axis=2)) / (n_train * (1 - 1 / FOLDS))


def excluded(results: list[Amplification]) -> float:
    """Share of the experiments whose 95 % interval does not reach to an unlimited G."""
    return float(np.mean([np.isfinite(r.interval.high) for r in results]))


def folded(means: np.ndarray, width: float) -> list[Amplification]:
    rest = n_train - n_train // FOLDS
    table = distances(events, means, width)
    return [differential.combine([estimate(d, n_train // FOLDS, rest, 0.95) for d in row]) for row in table]


def held_out(means: np.ndarray, width: float) -> list[Amplification]:
    return [estimate(d, n_train, level=0.95) for d in distances(holdout, means, width)]


def one_fold(means: np.ndarray, width: float) -> list[Amplification]:
    part = n_train // FOLDS
    return [estimate(d, part, n_train - part, 0.95) for d in distances(events[:, 0], means[:, 0], width)]


perfect = np.zeros((repetitions, FOLDS))
shares = {
    "perfect": [excluded(way) for way in (folded(perfect, 1.0), one_fold(perfect, 1.0), held_out(perfect[:, 0], 1.0))]
}
for width in WIDTHS:
    tests = folded(fold_means, width), one_fold(fold_means, width), held_out(events.mean(axis=(1, 2)), width)
    shares[f"width {width:g}"] = [excluded(way) for way in tests]
page.record("size_folds", 100 * shares["perfect"][0], digits=2)
page.record("size_holdout", 100 * shares["perfect"][2], digits=2)
page.record("power_folds", 100 * shares["width 1.1"][0], digits=2)
page.record("power_one_fold", 100 * shares["width 1.1"][1], digits=2)
page.record("power_holdout", 100 * shares["width 1.1"][2], digits=2)
rows = [[name, *(f"{100 * share:.1f} %" for share in pair)] for name, pair in shares.items()]
markdown_table(
    [
        "generator",
        f"{FOLDS} folds exclude $G=\\infty$ (95 %)",
        "one fold kept aside excludes it",
        "holdout of $n_{\\rm train}$ further events excludes it",
    ],
    rows,
)


# %% tags=["nbval-check-output"]
def has_size(share: float) -> bool:
    return abs(share - 0.05) < 0.01 + 4 * np.sqrt(0.05 * 0.95 / repetitions)


print(
    f"a perfect generator is excluded as often as 95 % say: folds {has_size(shares['perfect'][0])}, holdout {has_size(shares['perfect'][2])}"
)
pooled = distances(events.reshape(repetitions, -1), fold_means.mean(axis=1))
print(f"pooled folds would look closer than true events: {pooled.mean() * np.sqrt(n_train) < 0.8}")

# %% [markdown]
# All have their size (nominal 5 %: {glue:text}`cross_fitting_size_folds` % for the folds and {glue:text}`cross_fitting_size_holdout` % for the holdout, with the perfect generator). A width that is wrong by 10 % is noticed in {glue:text}`cross_fitting_power_holdout` % of the
# experiments with a holdout of $\ntrain$ further events, in {glue:text}`cross_fitting_power_folds` % with the folds, and in {glue:text}`cross_fitting_power_one_fold` % if a single fold is kept aside, which like cross-fitting needs no further events and saves all trainings but one. On the rings, with the networks trained anew without each fold:

# %% tags=["hide-input"]
folds, members, n_gen = plan[crossfit(0, 1)].process.folds, page.settings["members"], page.settings["n_gen"]
SUMMARIES = {"radius": "radius $R$", "ratio": "true likelihood ratio"}


def tested(name: str, reference: np.ndarray, stream_seed: int) -> dict[str, Amplification]:
    """Results of a trained posterior for both summaries."""
    outcome = train_or_load(plan[name])
    page.count_training(outcome.history.seconds, outcome.history.device)

    def summaries(member: int) -> dict[str, Observable]:
        return {"radius": radius, "ratio": true_log_ratio(outcome, member)}

    found = compare_members(outcome, {"fold": reference}, n_gen, summaries, members=members, seed=stream_seed)
    return {summary: result for (summary, _), result in found.items()}


rows = []
for k in sorted({int(name.split("/")[-1]) for name in plan if "/crossfit/" in name}):
    by_fold = [
        tested(name, left_out_events(plan[name]), seed + fold) for fold in range(folds) for name in [crossfit(fold, k)]
    ]
    fresh = tested(ring(2, "bayesian", k), GaussianRing(2).sample(n_train, page.rng(100 + k)), seed)
    for summary, title in SUMMARIES.items():
        combined = differential.combine([found[summary] for found in by_fold])
        page.record(f"{summary}_{k}", combined.G, combined.interval, combined.level, digits=2)
        page.record(f"fresh_{summary}_{k}", fresh[summary].G, fresh[summary].interval, fresh[summary].level, digits=2)
        rows.append([k, title, f"$G$ {combined.words}", f"$G$ {fresh[summary].words}"])
markdown_table(["training set (2D)", "summary", f"{folds} folds", "$n_{\\rm train}$ fresh events"], rows)

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-reference-pool
# Show for the Gaussian fit that the difference between the mean of the pooled folds and the mean of their generators vanishes.
# ```
#
# ````{solution} ex-reference-pool
# :class: dropdown
# With fold means $m_j$ the generator of fold $k$ has the mean $(\sum_j m_j - m_k)/(K-1)$. Averaged over $k$ this is $\sum_j m_j/K$, the mean of the pooled events. So to first order nothing is left to see.
# ````

# %% tags=["hide-input", "hide-output"]
print(f"largest difference: {np.abs(fold_means.mean(axis=1) - events.mean(axis=(1, 2))).max():.1e}")

# %% [markdown]
# ```{exercise}
# :label: ex-crossfit-power
# How large is a holdout that notices a wrong density as well as five folds of $\ntrain/5$ events each do, in the limit of a small difference?
# ```
#
# ````{solution} ex-crossfit-power
# :class: dropdown
# Not five times a fold. For a small distance $D$ the mean of $K$ grows only in second order, by an amount proportional to $n_{\rm ref}D^2$, because to first order a difference adds to upward fluctuations as often as it is taken from downward ones. The mean of five folds scatters $\sqrt5$ times less than one
# $K$, but its signal is that of a reference of $\ntrain/5$. So it does what a single reference of $\sqrt5\,\ntrain/5\approx0.45\,\ntrain$ would. The cell compares the powers (95 %).
# ````

# %% tags=["hide-input", "hide-output"]
part = rng.normal(size=(repetitions, round(n_train / np.sqrt(FOLDS))))
for width in (1.06, 1.1):
    single = excluded([estimate(d, part.shape[1], level=0.95) for d in distances(part, np.zeros(repetitions), width)])
    print(
        f"width {width}: {part.shape[1]} events {100 * single:.0f} %, folds {100 * excluded(folded(perfect, width)):.0f} %"
    )
