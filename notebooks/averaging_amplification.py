# %% [markdown]
# (sec-averaging)=
# # Averaging amplification of the rings
#
# Now the estimate meets networks. For each training set and each of the four posteriors of the {ref}`previous page <sec-rings>` we integrate every
# member over three choices of region, as the paper does: **region 2**, in the lower flank of the radius; **regions 2 to 19** combined, everything but the tails;
# and **region 20**, the upper tail. Because the truth is known, each estimate has a true counterpart to be held against.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from gampl import averaging, plots
from gampl.calibration import expected_rms_pull, over_training_sets, pulls, rms_pull
from gampl.processes import GaussianRing
from gampl_book.integrals import shell_integrals
from gampl_book.kept_results import beside
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.profiles import section
from gampl_book.ring_ensembles import train_or_load, training_events
from gampl_book.studies import RING_DIMENSIONS, posteriors_of, ring, trainings
from gampl_book.trained_costs import of_trained

page = Page("averaging_amplification", profile, seed)
page.made_of(trainings=section(profile, "trainings"))
plan, POSTERIORS = trainings(profile, seed), posteriors_of(profile)
training_sets = sorted({int(name.split("/")[-1]) for name in plan})
n_train = plan[ring(2, "bayesian", 1)].n_train
shells = GaussianRing(2).shells(20)  # the same radii in every dimension
truth = GaussianRing(2).integrals(shells)
REGIONS = {"region2": slice(1, 2), "combined": slice(1, 19), "region20": slice(19, 20)}
NAMES = {"region2": "region 2", "combined": "regions 2-19", "region20": "region 20"}

# %% [markdown]
# ## Integrals of members
#
# The integral of a member over a region can be counted from generated events, with binomial noise that must then be subtracted. Or it
# can be computed: draw all coordinates but the last from quasi-random numbers that are *common to all members*, and integrate the last one
# analytically. This is the default here; counting is shown beside it below.

# %% tags=["hide-input"]
integrals, errors, posteriors = {}, {}, {}
for dim in RING_DIMENSIONS:
    for kind in POSTERIORS:
        for k in training_sets:
            outcome = train_or_load(plan[ring(dim, kind, k)])
            page.count_training(outcome.history.seconds, outcome.history.device)
            values = shell_integrals(
                outcome.densities,
                shells.edges,
                page.settings["integral_points"],
                replicates=page.settings["replicates"],
                seed=seed,
            )
            integrals[dim, kind, k], errors[dim, kind, k] = values.values, values.standard_error
            posteriors[dim, kind, k] = outcome
        first = posteriors[dim, kind, training_sets[0]].members[0]
        page.cost(f"ring{dim}d_{kind}", **of_trained(first, training_events(first.training)))

ratios = [np.median(errors[key].mean(0) / integrals[key].std(0, ddof=1)) for key in integrals]
page.record("training_sets", len(training_sets))
page.record("draws", len(integrals[2, "bayesian", 1]))
page.record("ensemble", len(integrals[2, POSTERIORS[-1], 1]))
page.record("numerical_error", max(ratios), digits=2)

# %% [markdown]
# The numerical error of the integrals, in units of the members' spread, is {glue:text}`averaging_amplification_numerical_error` in the median region of the
# worst posterior. Because they use the same numbers their errors go together, and add less than that to their spread.
#
# ## Amplification curves
#
# {numref}`fig-rings-curves` is drawn for the first training set by counting, with {glue:text}`averaging_amplification_draws` draws of the Bayesian network; the plateau of the exact
# integrals is the thin line.

# %% tags=["hide-input"]
n_gen = np.geomspace(100, page.settings["n_gen_max"], 16).round().astype(int)
counts = {}
for dim in RING_DIMENSIONS:
    posterior = posteriors[dim, "bayesian", 1]
    streams = (posterior.stream(member, int(n_gen[-1]), seed) for member in range(len(posterior)))
    counts[dim], n_lost = averaging.count_stream(streams, shells, n_gen)
    page.record(f"lost_ring{dim}d", n_lost)


def by_counting(dim: int, region: str) -> averaging.Amplification:
    part = REGIONS[region]
    return averaging.from_counts(counts[dim][:, :, part], n_gen, n_train, truth=truth[part])


def exact(dim: int, kind: str, k: int, region: str) -> averaging.Amplification:
    part = REGIONS[region]
    return averaging.from_integrals(integrals[dim, kind, k][:, part], n_train, truth=truth[part])


def draw_curves(regions: list[str], name: str) -> None:
    figure, axes = plt.subplots(len(regions), 2, figsize=(10.5, 4.1 * len(regions) + 0.9), squeeze=False)
    data = {"n_gen": n_gen}
    for row, region in zip(axes, regions, strict=True):
        for ax, dim in zip(row, RING_DIMENSIONS, strict=True):
            result = by_counting(dim, region)
            result.plot(ax, legend=False)
            plateau = exact(dim, "bayesian", 1, region).curve.sigma_model[0]
            ax.axhline(plateau, color="0.4", lw=0.8, label="exact plateau")
            ax.set_title(f"{dim}D, {NAMES[region]}", loc="left")
            curve = result.curve
            data[f"{dim}d_{region}_exact_plateau"] = np.full(n_gen.size, plateau)
            data |= {
                f"{dim}d_{region}_{key}": getattr(curve, key)
                for key in (
                    "sigma_stat",
                    "sigma_est",
                    "sigma_model",
                    "sigma_model_low",
                    "sigma_model_high",
                    "sigma_true",
                )
            }
    plots.shared_legend(axes.ravel(), columns=5)
    page.figure(figure, name, data)


# %% mystnb={"figure": {"name": "fig-rings-curves", "caption": "Amplification curves of the Bayesian network, first training set (Fig. 4 of the paper). Top: region 2. Bottom: regions 2 to 19 combined. Left: 2D. Right: 4D. Black: deviation from the true integrals, which includes what all members have in common, while their spread does not."}, "image": {"alt": "Four log-log panels of integral uncertainty against generated events for region 2 and regions 2 to 19 in two and four dimensions: statistical lines fall, estimates and true deviations bend into plateaus."}} tags=["hide-input"]
draw_curves(["region2", "combined"], "rings_curves")

# %% mystnb={"figure": {"name": "fig-rings-tail", "caption": "The same for region 20, the upper tail (Fig. 5 of the paper). Where the black line levels off above the estimate, the members agree with each other better than with the truth."}, "image": {"alt": "Two log-log panels for region 20 in two and four dimensions: the true deviation and the members' spread level off."}} tags=["hide-input"]
draw_curves(["region20"], "rings_tail")

# %% [markdown]
# Counting and integrating must agree. Per member and region the difference is binomial; summed over all of them it follows a $\chi^2$ distribution.
# For this comparison the integrals of the first few members are computed with more points, so that counting is what limits it.

# %% tags=["nbval-check-output"]
CHECKED = 5
for dim in RING_DIMENSIONS:
    few = posteriors[dim, "bayesian", 1].densities[:CHECKED]
    precise = shell_integrals(few, shells.edges, 16 * page.settings["integral_points"], replicates=4, seed=seed)
    share, probability = counts[dim][-1][:CHECKED] / n_gen[-1], precise.values
    variance = probability * (1 - probability) / n_gen[-1] + precise.standard_error**2
    # 19 of 20 shares are independent; their quadratic form is chi-squared with 19 degrees of freedom per member
    chi2 = (((share - probability) ** 2 / variance) * (1 - probability)).sum()
    print(f"{dim}D: counts and integrals agree: {stats.chi2.sf(chi2, 19 * CHECKED) > 1e-4}")

# %% tags=["hide-input"]
rows = []
for dim in RING_DIMENSIONS:
    for region in REGIONS:
        counted, integrated = by_counting(dim, region), exact(dim, "bayesian", 1, region)
        rows.append(
            [
                f"{dim}D",
                NAMES[region],
                f"$G$ {counted.words}",
                f"$G$ {integrated.words}",
                rounded(counted.G_true),
                rounded(integrated.G_true),
            ]
        )
    # where counting finds no spread, its n_equiv is infinite and the quotient zero
    page.record(f"plateau_ring{dim}d", np.sqrt(exact(dim, "bayesian", 1, "region2").G / by_counting(dim, "region2").G))
markdown_table(["", "", "estimated, counting (68 %)", "estimated, exact (68 %)", "true, counting", "true, exact"], rows)

# %% [markdown]
# The intervals in this table say how well a finite number of members determines *their own* spread. They do not say whether the spread is right.
#
# ## Several training sets
#
# One training set is one throw of the dice. The paper shows one; here are {glue:text}`averaging_amplification_training_sets`. The table gives the geometric mean of the estimated
# and of the true amplification over them, and the range in which a further training set would lie (95 % prediction interval, Student's $t$ on $\ln G$).
# The *pull* is the distance of the members' mean from the truth in units of their spread. It is the check that belongs to every $G$ from a posterior. Its root mean square
# over regions and training sets is one for a calibrated posterior with many members; for {glue:text}`averaging_amplification_draws` it is
# {glue:text}`averaging_amplification_expected_draws`, for the {glue:text}`averaging_amplification_ensemble` members of an ensemble {glue:text}`averaging_amplification_expected_ensemble`, because few members do not know
# their own spread well. For the same reason the geometric mean of $G$ from ensembles of ten is too large by 12 %.

# %% tags=["hide-input"]
PAPER = {
    (2, "region2"): "2.6",
    (2, "combined"): "≈ 7",
    (2, "region20"): "< 1",
    (4, "region2"): "1.9",
    (4, "combined"): "≈ 2.8 (true 1.3)",
    (4, "region20"): "≈ 0",
}
amplification = {
    (dim, kind, k, region): exact(dim, kind, k, region)
    for dim in RING_DIMENSIONS
    for kind in POSTERIORS
    for k in training_sets
    for region in REGIONS
}
page.record("expected_draws", expected_rms_pull(len(integrals[2, "bayesian", 1])))
page.record("expected_ensemble", expected_rms_pull(len(integrals[2, POSTERIORS[-1], 1])))
rows = []
for dim in RING_DIMENSIONS:
    for kind in POSTERIORS:
        by_set = [pulls(integrals[dim, kind, k], truth) for k in training_sets]
        pull, pull_range = rms_pull(by_set)
        page.record(f"pull_ring{dim}d_{kind}", pull, pull_range, 0.683)
        for region, part in REGIONS.items():
            results = [amplification[dim, kind, k, region] for k in training_sets]
            cells = {}
            for label, numbers in {
                "G": [r.G for r in results],
                "Gtrue": [r.G_true for r in results],
                "ratio": [r.G / r.G_true for r in results],
                "sigma_ratio": [np.sqrt(r.G_true / r.G) for r in results],  # sigma_est / sigma_true
            }.items():
                centre, interval = over_training_sets(numbers)
                page.record(f"{label}_ring{dim}d_{kind}_{region}", centre, interval, 0.95)
                cells[label] = f"{rounded(centre, 2)} ({rounded(interval.low, 2)} to {rounded(interval.high, 2)})"
            region_pull = np.sqrt(np.mean([p[part] ** 2 for p in by_set]))
            paper = PAPER[dim, region] if kind == "bayesian" else ""
            rows.append(
                [
                    f"{dim}D",
                    NAMES[region],
                    kind,
                    paper,
                    cells["G"],
                    cells["Gtrue"],
                    cells["ratio"],
                    rounded(region_pull, 2),
                ]
            )
    tails = [
        np.sqrt(tail.G_true / tail.G * bulk.G / bulk.G_true)
        for tail, bulk in (
            (amplification[dim, "bayesian", k, "region20"], amplification[dim, "bayesian", k, "region2"])
            for k in training_sets
        )
    ]
    page.record(f"tail_ring{dim}d_bayesian", *over_training_sets(tails), 0.95)
rows.sort(key=lambda row: (row[0], list(NAMES.values()).index(row[1])))
markdown_table(["", "region", "posterior", "paper", "$G$ estimated", "$G$ true", "estimated / true", "rms pull"], rows)

# %% mystnb={"figure": {"name": "fig-rings-sets", "caption": "Estimated against true amplification for every training set, posterior and region. On the diagonal the estimate is right. The shaded band is where 68 % of the points of a perfectly calibrated posterior with many members would lie, for a single region: mostly above the diagonal, for the reason given in the text."}, "image": {"alt": "Log-log scatter plot of estimated against true G in two and four dimensions; markers for regions, colours for posteriors; a diagonal and a band of calibrated posteriors."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(11, 5.4), sharex=True, sharey=True)
markers = dict(zip(REGIONS, ("o", "s", "v"), strict=True))
colours = dict(zip(POSTERIORS, (plots.ESTIMATE, plots.MODEL, plots.STAT, plots.OTHERS[0]), strict=False))
columns = {key: [] for key in ("dim", "posterior", "training_set", "region", "G", "G_low", "G_high", "G_true")}
# a calibrated posterior: G_true / G_est = 1 / (1 + z^2) with z a standard normal number
low, high = 1 / (1 + stats.chi2.ppf([0.8415, 0.1585], 1))
for (dim, kind, k, region), result in amplification.items():
    ax = axes[RING_DIMENSIONS.index(dim)]
    ax.plot(
        result.G_true,
        result.G,
        marker=markers[region],
        color=colours[kind],
        ms=6,
        mfc="none" if region == "region20" else None,
        ls="none",
        label=f"{kind}, {NAMES[region]}" if k == 1 else None,
    )
    for key, value in zip(columns, (dim, kind, k, region, result.G, *result.interval, result.G_true), strict=True):
        columns[key].append(value)
line = np.array([min(columns["G_true"]) / 2, 2 * max(columns["G"])])
for ax, dim in zip(axes, RING_DIMENSIONS, strict=True):
    ax.plot(line, line, color=plots.TRUE, lw=0.8)
    ax.fill_between(line, line / high, line / low, color="0.5", alpha=0.15, lw=0)
    ax.set(
        xscale="log", yscale="log", xlabel="$G$ true", title=f"{dim}D", xlim=line, ylim=(min(columns["G"]) / 2, line[1])
    )
axes[0].set_ylabel("$G$ estimated")
plots.shared_legend(axes, columns=4)
page.figure(figure, "rings_sets", columns)

# %% [markdown]
# ### What to make of it
#
# *The size of $G$.* With the Bayesian network we find a geometric mean of $G=$ {glue:text}`averaging_amplification_G_ring2d_bayesian_region2` in region 2 and
# {glue:text}`averaging_amplification_G_ring2d_bayesian_combined` in regions 2 to 19 in two dimensions, where the paper quotes 2.6 and about 7;
# in four dimensions {glue:text}`averaging_amplification_G_ring4d_bayesian_region2` and {glue:text}`averaging_amplification_G_ring4d_bayesian_combined`
# against 1.9 and 2.8. The paper gives none of its network settings, and the {ref}`next page <sec-calibration>` shows how strongly a Bayesian $G$ depends on them.
# Whether a paper's number is inside the prediction interval for one training set stands in the {ref}`claims ledger <sec-claims>`.
#
# *Is the estimate honest?* In the bulk the ratio of estimated to true $G$ is {glue:text}`averaging_amplification_ratio_ring2d_bayesian_combined` (2D) and
# {glue:text}`averaging_amplification_ratio_ring4d_bayesian_combined` (4D) for the Bayesian network, and {glue:text}`averaging_amplification_ratio_ring2d_deep_combined` and
# {glue:text}`averaging_amplification_ratio_ring4d_deep_combined` for the deep ensemble, whose members scatter less than they should ({ref}`sec-members`). A factor of about 1.5 would not be a fault of the posterior, as the next section derives.
#
# *The tail.* In region 20 the true $G$ of the Bayesian network is {glue:text}`averaging_amplification_Gtrue_ring2d_bayesian_region20` in 2D and
# {glue:text}`averaging_amplification_Gtrue_ring4d_bayesian_region20` in 4D, the estimate {glue:text}`averaging_amplification_G_ring2d_bayesian_region20` and
# {glue:text}`averaging_amplification_G_ring4d_bayesian_region20`. Compare with the ratio in the bulk: where the generator saw few events, all members share the same few events and the same
# architecture, extrapolate alike, and the estimate can know their common error only in part.
#
# ### At the paper's size
#
# Where results of a larger run are kept with the project, the table shows them beside those of this run: geometric means over training sets, with the range of one more of them.

# %% tags=["hide-input"]
NUMBERS = {
    f"{dim}D, {NAMES[region]}, {words}": f"{name}_ring{dim}d_bayesian_{region}"
    for dim in RING_DIMENSIONS
    for region in REGIONS
    for name, words in {"G": "$G$ estimated", "Gtrue": "$G$ true", "ratio": "estimated / true"}.items()
}
beside(page, NUMBERS | {f"{dim}D, rms pull": f"pull_ring{dim}d_bayesian" for dim in RING_DIMENSIONS})

# %% [markdown]
# ## Why a factor two is nobody's fault
#
# Even a perfect posterior does not give $G_{\rm est}=G_{\rm true}$. Let its draws scatter around their mean with variance $s^2$. Perfect
# calibration means that the truth is a further draw from the same distribution: it, too, lies a random $b$ with variance $s^2$ from the mean. The estimate
# measures $s^2$, but the deviation of the draws from the truth is $s^2 + b^2$. For a single region and many members,
#
# ```{math}
# :label: eq-factor-two
# \frac{G_{\rm true}}{G_{\rm est}} = \frac{s^2}{s^2+b^2} = \frac{1}{1+z^2}, \qquad z \sim \mathcal N(0,1) .
# ```
#
# The mean of this ratio is {glue:text}`averaging_amplification_factor_mean`, its median {glue:text}`averaging_amplification_factor_median`, and 68 % of training sets lie between
# {glue:text}`averaging_amplification_factor_low` and {glue:text}`averaging_amplification_factor_high`. Averaging the squared deviations over training sets before dividing gives exactly one half. In the
# {ref}`Gaussian fit <sec-line>` there is no such factor, because there each member has its own training set: the average runs over training sets instead of over
# draws from the posterior of one. The paper's Figs. 4 and 5 are of the second kind.

# %% tags=["nbval-check-output"]
z = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
ratio = 1 / (1 + z**2)
quantiles = np.quantile(ratio, [0.1585, 0.8415])
print(f"G_true / G_est of a perfect posterior: mean {ratio.mean():.2f}, median {np.median(ratio):.2f}")
print(f"68 % between {quantiles[0]:.2f} and {quantiles[1]:.2f}; averaged squares first: {1 / (1 + np.mean(z**2)):.2f}")
for name, value in zip(("mean", "median", "low", "high"), (ratio.mean(), np.median(ratio), *quantiles), strict=True):
    page.record(f"factor_{name}", value, digits=2)

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-averaging-all
# Combine all twenty regions instead of 2 to 19. Does $G$ go up or down, and why?
# ```
#
# ````{solution} ex-averaging-all
# :class: dropdown
# By Eq. (19) the combined $G$ is the average of the regions' $G_i$, each weighted with its model variance: $G = \sum_i \sigma_i^2 G_i / \sum_i \sigma_i^2$. A tail with a small $G_i$ has a large
# $\sigma_i^2$, so it drags the combination down more than its 5 % of the probability suggest. The cell says what happens here.
# ````

# %% tags=["hide-input", "hide-output"]
for dim in RING_DIMENSIONS:
    everything = averaging.from_integrals(integrals[dim, "bayesian", 1], n_train, truth=truth)
    print(f"{dim}D, all regions: G{everything.words}; regions 2-19: G{exact(dim, 'bayesian', 1, 'combined').words}")

# %% [markdown]
# ```{exercise}
# :label: ex-averaging-coarse
# Merge regions 2 to 19 into a single large region. How does its $G$ compare with that of the combination, and what does that say about the resolution of the estimate?
# ```
#
# ````{solution} ex-averaging-coarse
# :class: dropdown
# The single region holds 90 % of the probability, so $I(1-I)$ is small, while errors inside it cancel. The two numbers answer different
# questions: the one large integral does not care whether the radius distribution inside is right. Averaging amplification is always relative to a resolution.
# ````

# %% tags=["hide-input", "hide-output"]
for dim in RING_DIMENSIONS:
    merged = averaging.from_integrals(integrals[dim, "bayesian", 1][:, 1:19].sum(1), n_train, truth=[truth[1:19].sum()])
    print(
        f"{dim}D, one region: G{merged.words}, true {merged.G_true:.3g}; 18 regions: G{exact(dim, 'bayesian', 1, 'combined').words}"
    )
