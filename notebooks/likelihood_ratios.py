# %% [markdown]
# (sec-ratios)=
# # Summaries: one number for an event
#
# The {ref}`Kolmogorov-Smirnov test <sec-ks>` sees one number per event. The radius of a ring event says nothing about its angles; a generator can get every angle wrong and the test on the radius will not notice.
# The most sensitive summary is the likelihood ratio $p_{\rm true}(x)/p_{\rm gen}(x)$: by the lemma of Neyman and Pearson no other summary has a larger distance $D$ between the two densities. On toys it is known exactly (*LR$_{truth}$*). In real life a classifier is trained to tell generated events from true ones; its
# output, turned into odds, approximates the ratio (*LR$_{class}$*). This page shows the three summaries for the rings, and how a classifier can fool the test.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from functools import partial
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.axes import Axes
from scipy import stats

from gampl import kolmogorov, plots
from gampl.calibration import null_values, over_training_sets
from gampl.distances import Comparison, trace
from gampl.processes import GaussianRing
from gampl.ratio import LearnedRatio, cross_fit, held_out
from gampl.regions import radius
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.ring_comparisons import in_bulk, true_log_ratio
from gampl_book.ring_ensembles import train_or_load, training_events
from gampl_book.studies import RING_DIMENSIONS, ring, trainings
from gampl_book.verdicts import LEVEL

page = Page("likelihood_ratios", profile, seed)
plan = trainings(profile, seed)
n_train = plan[ring(2, "bayesian", 1)].n_train
FOR_CLASSIFIER = 4 * n_train  # generated events, half of them to train on and half to check the classifier
members, repetitions = page.settings["members"], page.settings["pseudo_experiments"]
posteriors = {}
for dim in RING_DIMENSIONS:
    outcome = train_or_load(plan[ring(dim, "bayesian", 1)])
    page.count_training(outcome.history.seconds, outcome.history.device)
    posteriors[dim] = outcome
page.record("members", members)
page.record("pseudo_experiments", repetitions)

# %% [markdown]
# ## A classifier must not see what it is tested on
#
# A classifier that is trained on the reference events remembers some of them. It gives them a higher ratio than new true events, and the test finds a difference where there is none. So the events are split: one part trains the classifier, the other is tested
# (`held_out`, the default here). Or all events are tested, each with a classifier that did not see it (`cross_fit`). The table tries these with a *perfect* generator, in 2D, with {glue:text}`likelihood_ratios_pseudo_experiments` pseudo-experiments each
# of $\ntrain$ reference events. An honest test rejects at the 5 % level in 5 % of them.


# %% tags=["hide-input"]
def in_sample(reference: np.ndarray, generated: np.ndarray, seed: int) -> LearnedRatio:
    """What not to do: the values of the very events that the classifier was trained on."""
    honest = held_out(reference, generated, seed)
    seen = reference[~np.isin(reference[:, 0], honest.reference_events[:, 0])]
    return LearnedRatio(honest.summary, seen, honest.summary(seen), honest.generated)


WAYS = {"in sample": in_sample, "held out": held_out, "cross-fitted, 5 folds": partial(cross_fit, folds=5)}
critical = stats.kstwobign.ppf(0.95)
null, rows = {}, []
for way, learn in WAYS.items():
    null[way] = null_values(
        GaussianRing(2).sample, n_train, FOR_CLASSIFIER, 20 * n_train, repetitions, seed, learn=learn
    )
    rejected = int((null[way] > critical).sum())
    low, high = stats.binomtest(rejected, repetitions).proportion_ci(0.95)
    name = way.split(",")[0].replace(" ", "_").replace("-", "_")
    page.record(f"null_{name}", 100 * rejected / repetitions, (100 * low, 100 * high), 0.95, digits=2)
    page.record(f"null_K_{name}", null[way].mean())
    rows.append(
        [way, f"{null[way].mean():.2f}", f"{100 * rejected / repetitions:.1f} % ({100 * low:.1f} to {100 * high:.1f})"]
    )
markdown_table(["classifier", "mean $K$ (expected 0.87)", "rejected at 5 % (95 % interval)"], rows)

# %% tags=["nbval-check-output"]
exact = stats.kstest(null["held out"], stats.kstwobign.cdf).pvalue
print(f"held out: no deviation of K from the Kolmogorov distribution is seen: {exact > 1e-3}")
print(f"in sample: one is: {stats.kstest(null['in sample'], stats.kstwobign.cdf).pvalue < 1e-3}")

# %% [markdown]
# In sample, the test rejects a perfect generator in {glue:text}`likelihood_ratios_null_in_sample` % of the cases; held out, in {glue:text}`likelihood_ratios_null_held_out` % ({glue:text}`likelihood_ratios_null_held_out_low` to
# {glue:text}`likelihood_ratios_null_held_out_high`); cross-fitted, in {glue:text}`likelihood_ratios_null_cross_fitted` % ({glue:text}`likelihood_ratios_null_cross_fitted_low` to {glue:text}`likelihood_ratios_null_cross_fitted_high`).
# Cross-fitted values are not independent, since each fold helped to train the classifiers of the others. Their $K$ has to be compared with its own distribution, from pseudo-experiments such as these (`gampl.calibration.null_values`), and not with Kolmogorov's. LR$_{truth}$ is missing from the table: for a perfect generator it is one
# for all events, and there is nothing to order them by.
#
# ## The null test of the paper
#
# Figure 7 of the paper compares the training data with independent test data, both true, using the radius and the output of classifiers that were trained on generated against training data. Each line of {numref}`fig-null-test` is one network member with its own classifier.
# The radius must follow the curve of true events, since neither sample has been used to choose it. A classifier must do so only if the reference is neither among its own training events nor among those of the *generator*: where a member of the posterior has followed its training events, a classifier that learns
# this from some of them may recognise others. So there are three versions: in sample; with the held-out half of the training data; and with the held-out half of fresh data.

# %% tags=["hide-input"]
n_test = np.geomspace(100, page.settings["n_test"], 12).round().astype(int)
CASES = {
    "radius, training data": plots.STAT,
    "classifier, in sample": plots.OTHERS[0],
    "classifier, held-out training data": plots.MODEL,
    "classifier, held-out fresh data": plots.ESTIMATE,
}
ratios, null_curves, sizes = {}, {}, {}
for dim in RING_DIMENSIONS:
    process, outcome = GaussianRing(dim), posteriors[dim]
    training, fresh = training_events(outcome.training), process.sample(n_train, page.rng(10 + dim))
    curves = {case: [] for case in CASES}
    for member in range(members):
        generated = outcome.sample(member, FOR_CLASSIFIER, seed + 100)
        on_training, on_fresh = (held_out(events, generated, seed) for events in (training, fresh))
        seen = in_sample(training, generated, seed)
        ratios[dim, member] = on_fresh
        comparisons = [
            Comparison(radius, radius(training)),
            Comparison(seen, seen.reference),
            on_training.comparison(),
            on_fresh.comparison(),
        ]
        test = process.sample(int(n_test[-1]), page.rng(1000 * dim + member))
        for curve, distances in zip(curves.values(), trace([test], comparisons, n_test).distances, strict=True):
            curve.append(distances)
    sizes = dict(zip(CASES, (np.size(c.reference) for c in comparisons), strict=True))
    for case, values in curves.items():
        null_curves[dim, case] = np.array(values)
        K = kolmogorov.rescaled(null_curves[dim, case][:, -1], sizes[case], n_test[-1])
        name = case.replace(",", "").replace(" ", "_").replace("-", "_")
        page.record(f"K_ring{dim}d_{name}", K.mean())
        page.record(f"below_ring{dim}d_{name}", stats.kstwobign.cdf(K.mean()))

# %% mystnb={"figure": {"name": "fig-null-test", "caption": "Test of true against true events (Fig. 7 of the paper): distance between a reference and an independent test sample of variable size, rescaled to K so that references of different sizes share one band (black line and grey bands: mean and one to three sigma of the Kolmogorov distribution). Lines: mean over members, with the central 68 % of the members shaded. All members share the reference, so a line as a whole may lie anywhere in the band."}, "image": {"alt": "Two panels in two and four dimensions with K against the size of the test sample: one line for each of four ways to choose summary and reference, over grey bands."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True)
data = {"n_test": n_test}
for ax, dim in zip(axes, RING_DIMENSIONS, strict=True):
    for sigmas, shade in ((3, "0.93"), (2, "0.86"), (1, "0.79")):
        ax.axhspan(*kolmogorov.band(2 * stats.norm.cdf(sigmas) - 1), color=shade, lw=0)
    ax.axhline(kolmogorov.MEAN, color=plots.TRUE, lw=0.8)
    for case, color in CASES.items():
        K = kolmogorov.rescaled(null_curves[dim, case], sizes[case], n_test)
        ax.plot(n_test, K.mean(axis=0), color=color, label=case)
        ax.fill_between(n_test, *np.quantile(K, [0.16, 0.84], axis=0), color=color, alpha=0.25, lw=0)
        data[f"{dim}d {case}"] = K.mean(axis=0)
    ax.set(xscale="log", xlabel="test events", title=f"{dim}D", ylim=(0.3, 2.6))
axes[0].set_ylabel("$K$")
plots.shared_legend(axes, columns=2)
page.figure(figure, "null_test", data)

# %% [markdown]
# With {glue:text}`likelihood_ratios_members` members the mean of $K$ in 2D is {glue:text}`likelihood_ratios_K_ring2d_radius_training_data` for the radius, {glue:text}`likelihood_ratios_K_ring2d_classifier_in_sample` for classifiers in sample,
# {glue:text}`likelihood_ratios_K_ring2d_classifier_held_out_training_data` held out from the training data and {glue:text}`likelihood_ratios_K_ring2d_classifier_held_out_fresh_data` with fresh data; in 4D it is
# {glue:text}`likelihood_ratios_K_ring4d_radius_training_data`, {glue:text}`likelihood_ratios_K_ring4d_classifier_in_sample`, {glue:text}`likelihood_ratios_K_ring4d_classifier_held_out_training_data` and
# {glue:text}`likelihood_ratios_K_ring4d_classifier_held_out_fresh_data`. Each is a single reference, and a $K$ between 0.48 and 1.48 is nothing special (95 %): to tell the versions apart takes the pseudo-experiments above, or a $K$ outside this range.
#
# (sec-ratios-distributions)=
# ## The three summaries
#
# Below, a first member and its classifier. As in the paper the events in regions 2 to 19 are shown, all of them and a *refined* sample: only those with $0.95 < {\rm LR}_{class} < 1.05$, where the classifier finds nothing wrong.


# %% tags=["hide-input"]
n_shown = page.settings["n_shown"]
COLUMNS = {"truth": "LR$_{truth}$", "class": "LR$_{class}$", "R": "$R$"}
BINS = {"truth": np.linspace(0, 2.5, 41), "class": np.linspace(0.5, 1.5, 41), "R": np.linspace(0.8, 1.2, 41)}


def shown(dim: int, member: int = 0) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """Summaries of reference, fresh true and generated events, by (sample, all or refined)."""
    learned = ratios[dim, member]
    samples = {
        "reference": learned.reference_events,
        "true": GaussianRing(dim).sample(n_shown, page.rng(20 + dim)),
        "generated": posteriors[dim].sample(member, n_shown, seed),
    }
    values = {}
    for name, events in samples.items():
        events = events[in_bulk(events)]
        log_ratios = {"truth": true_log_ratio(posteriors[dim], member)(events), "class": learned(events)}
        one = {key: np.exp(logs) for key, logs in log_ratios.items()} | {"R": radius(events)}
        refined = np.abs(one["class"] - 1) < 0.05
        values[name, "all"], values[name, "refined"] = one, {key: v[refined] for key, v in one.items()}
    return values


def histogram_panels(dim: int, values: dict) -> None:
    figure, axes = plt.subplots(2, 3, figsize=(11, 5.4), sharex="col", sharey="col")
    data = {}
    for row, sample in zip(axes, ("reference", "generated"), strict=True):
        for ax, (key, label) in zip(row, COLUMNS.items(), strict=True):
            for selection, color in (("all", plots.ESTIMATE), ("refined", plots.OTHERS[0])):
                shares = np.histogram(values[sample, selection][key], BINS[key])[0] / len(values[sample, "all"][key])
                ax.stairs(shares / np.diff(BINS[key]), BINS[key], color=color, label=selection, lw=1.3)
                data[f"{sample} {selection} {key}"] = shares
            ax.set_title(f"{sample}", fontsize=10)
            if row is axes[1]:
                ax.set_xlabel(label)
        row[0].set_ylabel("density")
    axes[0, 2].legend()
    page.figure(figure, f"histograms_{dim}d", data)


def difference_panel(ax: Axes, values: dict, key: str, selection: str, color: str) -> np.ndarray:
    """Differences of the distribution functions of generated and true events, with the reach of the reference."""
    grid = BINS[key]
    F = {
        s: np.searchsorted(np.sort(values[s, selection][key]), grid) / len(values[s, selection][key])
        for s in ("reference", "true", "generated")
    }
    ax.plot(grid, F["generated"] - F["true"], color=color, lw=1.6, label=f"{selection}: generated - true")
    ax.plot(
        grid, F["generated"] - F["reference"], color=color, lw=0.9, ls="--", label=f"{selection}: generated - reference"
    )
    reach = kolmogorov.half_width(0.95) / np.sqrt(len(values["reference", selection][key]))
    ax.axhspan(-reach, reach, color=color, alpha=0.1, lw=0)
    return np.stack([F["generated"], F["true"], F["reference"]])


def ecdf_panels(dim: int, values: dict) -> None:
    figure, axes = plt.subplots(2, 3, figsize=(11, 6), sharex="col", height_ratios=(1.4, 1))
    data = {}
    for (upper, lower), (key, label) in zip(axes.T, COLUMNS.items(), strict=True):
        for selection, color in (("all", plots.ESTIMATE), ("refined", plots.OTHERS[0])):
            F = difference_panel(lower, values, key, selection, color)
            for values_of, style, name in zip(F, ("-", ":", "--"), ("generated", "true", "reference"), strict=True):
                upper.plot(BINS[key], values_of, color=color, ls=style, lw=1.3, label=f"{selection}, {name}")
                data[f"{key} {selection} {name}"] = values_of
        lower.set_xlabel(label)
    axes[0, 0].set_ylabel("distribution function")
    axes[1, 0].set_ylabel("difference")
    plots.shared_legend(axes[0], columns=3)
    page.figure(figure, f"ecdfs_{dim}d", data)


def distances(values: dict) -> dict[tuple[str, str], float]:
    """Between the many true and the generated events, by (all or refined, summary); nan if none passes the cut."""
    return {
        (selection, key): stats.ks_2samp(true, generated, method="asymp").statistic
        if min(map(len, (true, generated)))
        else np.nan
        for selection in ("all", "refined")
        for key in COLUMNS
        for true, generated in [(values["true", selection][key], values["generated", selection][key])]
    }


values = {dim: shown(dim) for dim in RING_DIMENSIONS}
D, kept = {}, {}
for dim, member in product(RING_DIMENSIONS, range(members)):
    one = values[dim] if member == 0 else shown(dim, member)
    D[dim, member] = distances(one)
    kept[dim, member] = 100 * len(one["generated", "refined"]["R"]) / len(one["generated", "all"]["R"])
for dim in RING_DIMENSIONS:
    shares = [kept[dim, member] for member in range(members)]
    page.record(f"kept_ring{dim}d", shares[0], digits=2)
    page.record(f"kept_least_ring{dim}d", min(shares), digits=2)
    page.record(f"kept_most_ring{dim}d", max(shares), digits=2)
    for key in COLUMNS:
        reference, generated = (values[dim][sample, "all"][key] for sample in ("reference", "generated"))
        K = kolmogorov.rescaled(stats.ks_2samp(reference, generated).statistic, len(reference), len(generated))
        page.record(f"below_ring{dim}d_reference_{key}", stats.kstwobign.cdf(K))

# %% mystnb={"figure": {"name": "fig-histograms-2d", "caption": "2D ring: distributions of the three summaries (Fig. 8 of the paper) for the reference events, which neither network nor classifier has seen, and for generated ones; all (blue) and refined (red), normalised to all."}, "image": {"alt": "Six panels of histograms of the true likelihood ratio, the learned ratio and the radius, above for the reference and below for generated events, with the refined sample as a part of each."}} tags=["hide-input"]
histogram_panels(2, values[2])

# %% mystnb={"figure": {"name": "fig-histograms-4d", "caption": "The same for the 4D ring."}, "image": {"alt": "Six panels of histograms as before, in four dimensions."}} tags=["hide-input"]
histogram_panels(4, values[4])

# %% mystnb={"figure": {"name": "fig-ecdfs-2d", "caption": "2D ring: empirical distribution functions of the three summaries (Fig. 9 of the paper), above, and the differences that the test looks at, below: from a large true sample (solid) and from the reference of the test (dashed). The shaded bands are what a reference of this size cannot resolve (95 %)."}, "image": {"alt": "Three columns: distribution functions nearly on top of each other, below them their differences with a shaded band around zero."}} tags=["hide-input"]
ecdf_panels(2, values[2])

# %% mystnb={"figure": {"name": "fig-ecdfs-4d", "caption": "The same for the 4D ring."}, "image": {"alt": "Three columns of distribution functions and differences in four dimensions."}} tags=["hide-input"]
ecdf_panels(4, values[4])

# %% [markdown]
# The refined sample keeps {glue:text}`likelihood_ratios_kept_ring2d` % of the generated events in 2D and {glue:text}`likelihood_ratios_kept_ring4d` % in 4D. That is the first member: over all {glue:text}`likelihood_ratios_members`, each with a classifier of its own, it is {glue:text}`likelihood_ratios_kept_least_ring2d` to {glue:text}`likelihood_ratios_kept_most_ring2d` % in 2D and {glue:text}`likelihood_ratios_kept_least_ring4d` to
# {glue:text}`likelihood_ratios_kept_most_ring4d` % in 4D. The cut is made on LR$_{class}$ itself. If the ratio is calibrated, what passes has densities of the score that differ by 5 % at most, and then the distance in this
# summary is at most 0.025, whatever the generator: $\nequiv>1200$ by construction. What the cut does for the other summaries is a fair question, and the {ref}`next page <sec-differential>` answers it. Between the many true events and those of the first member the distances are as in the table. The quotients below it are geometric means over the members, and the ranges in which that of one more member would lie.

# %% tags=["hide-input"]
rows = []
for dim in RING_DIMENSIONS:
    for key, label in COLUMNS.items():
        for selection in ("all", "refined"):
            page.record(f"D_ring{dim}d_{selection}_{key}", D[dim, 0][selection, key])
        rows.append([f"{dim}D", label, *(f"{D[dim, 0][selection, key]:.3f}" for selection in ("all", "refined"))])
display(markdown_table(["", "summary", "distance, all", "distance, refined"], rows))


def quotient(dim: int, above: tuple[str, str], below: tuple[str, str]) -> tuple[float, tuple[float, float]]:
    """Quotient of two distances: geometric mean over the members, and where that of one more would lie."""
    found = [D[dim, member][above] / D[dim, member][below] for member in range(members)]
    return over_training_sets(found, LEVEL) if np.isfinite(found).all() else (found[0], (0.0, np.inf))


rows = []
for dim in RING_DIMENSIONS:
    quotients = {f"cut_ring{dim}d_{key}": (("refined", key), ("all", key)) for key in COLUMNS}
    quotients |= {f"R_over_{key}_ring{dim}d": (("all", "R"), ("all", key)) for key in ("class", "truth")}
    for name, (above, below) in quotients.items():
        centre, (low, high) = quotient(dim, above, below)
        page.record(name, centre, (low, high), LEVEL, digits=2)
        what = f"{COLUMNS[above[1]]}, {above[0]}, over {COLUMNS[below[1]]}, {below[0]}"
        rows.append([f"{dim}D", what, f"{rounded(centre, 2)} ({rounded(low, 2)} to {rounded(high, 2)})"])
markdown_table(["", "quotient of distances", "one more member, 95 %"], rows)

# %% [markdown]
#
# ## Is the classifier any good?
#
# A test that finds nothing may be a good generator or a bad classifier. Two numbers belong to each LR$_{class}$. The *area under the curve* (AUC) is the probability that a true event has a higher ratio than a generated one; the true
# likelihood ratio reaches the largest possible value. And the *calibration* asks whether what is called a probability is one.

# %% mystnb={"figure": {"name": "fig-calibration", "caption": "Calibration of the first member's classifier: share of true events among held-out events, against the predicted one, in bins of equal content. On the line the classifier is calibrated."}, "image": {"alt": "Two panels with points, error bars and a diagonal in two and four dimensions."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 4.2))
rows, data = [], {}
for ax, dim in zip(axes, RING_DIMENSIONS, strict=True):
    table = ratios[dim, 0].calibration()
    ax.errorbar(
        table.predicted, table.observed, [table.observed - table.low, table.high - table.observed], fmt="o", ms=4
    )
    ends = [table.predicted.min(), table.predicted.max()]
    ax.plot(ends, ends, color=plots.TRUE, lw=0.8)
    ax.set(xlabel="predicted share of true events", ylabel="observed share", title=f"{dim}D")
    data |= {f"{dim}d_{name}": getattr(table, name) for name in ("predicted", "observed", "low", "high")}
    learned = [ratios[dim, member].auc()[0] for member in range(members)]
    truth = values[dim]
    best = stats.mannwhitneyu(truth["true", "all"]["truth"], truth["generated", "all"]["truth"]).statistic
    best /= len(truth["true", "all"]["truth"]) * len(truth["generated", "all"]["truth"])
    page.record(f"auc_ring{dim}d_class", np.mean(learned))
    page.record(f"auc_ring{dim}d_truth", best)
    rows.append(
        [f"{dim}D", f"{np.mean(learned):.3f} (members {min(learned):.3f} to {max(learned):.3f})", f"{best:.3f}"]
    )
page.figure(figure, "calibration", data)

# %% tags=["hide-input"]
markdown_table(["", "AUC of LR$_{class}$", "AUC of LR$_{truth}$ (best possible)"], rows)

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-ratios-invariant
# The test uses $\log{\rm LR}$ in the code and LR in the figures. The classifier's training had more generated than true events. Which of the two matters for the distance, and which for the cut?
# ```
#
# ````{solution} ex-ratios-invariant
# :class: dropdown
# For the distance neither: both are monotone maps, and only the order of the events counts. For the cut around ${\rm LR}=1$ the class sizes matter: the log odds of the classifier contain the log of their ratio, which is subtracted.
# ````

# %% tags=["hide-input", "hide-output"]
learned = ratios[2, 0]
events = posteriors[2].sample(1, 5000, seed)
shifted = Comparison(lambda x: np.exp(learned(x)) * 3, 3 * np.exp(learned.reference))
print(trace([events], [learned.comparison(), shifted], len(events)).distances[:, 0])

# %% [markdown]
# ```{exercise}
# :label: ex-ratios-auc
# A perfect generator has an AUC of 0.5. Is the reverse true?
# ```
#
# ````{solution} ex-ratios-auc
# :class: dropdown
# For the true likelihood ratio yes: its AUC is 0.5 only if the ratio is one almost everywhere. For a learned one no: a classifier that has learned nothing has 0.5 too.
# ````

# %% tags=["hide-input", "hide-output"]
rng = page.rng(5)
wide = GaussianRing(2, width=0.12).sample(FOR_CLASSIFIER, rng)
print(f"ring of width 0.12 for 0.10: AUC {held_out(GaussianRing(2).sample(n_train, rng), wide, seed).auc()[0]:.3f}")
