# %% [markdown]
# (sec-reweighting)=
# # What reweighting costs
#
# A classifier $D$ that tells true events from generated ones knows how to mend the generator: weights $w=D/(1-D)$ are an estimate of $p_{\rm true}/p_{\rm gen}$, and weighted events follow the true density if the estimate is right {cite}`jetgpt`. The true events that the classifier learns from are usually those that the generator was trained on. So the same finite sample is looked at twice.
# What does that do to the amplification? The {ref}`Gaussian fit <sec-line>` answers in closed form: a classifier that is free to follow the training events replaces the generator's $G$ by its own, which is near one. The page then repeats this with networks on the rings and on the leading-order process, asks whether the averaging estimate notices, and ends with rules.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from functools import partial
from itertools import chain

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from scipy import stats

from gampl import averaging, plots
from gampl.kolmogorov import MEAN
from gampl.processes import GaussianLine
from gampl.ratio import cross_fit, default_classifier
from gampl.reweighting import Reweighting
from gampl_book.pages import Page, markdown_table, rounded, with_interval
from gampl_book.reweighted_networks import HEAVIER, STRETCH, SYSTEMS, finite_only, rings, top_pairs
from gampl_book.reweighters import (
    ARE_TREES,
    CENTRES,
    HOW,
    LINE,
    TITLES,
    WAYS,
    calibrated_trees,
    learned,
    logistic,
    nothing,
    posterior,
    reweighted,
    treat,
    unregularised_trees,
)
from gampl_book.scaling import geometric_mean
from gampl_book.trained_costs import of_trained

page = Page("reweighting", profile, seed)
sizes = dict(page.settings)
of_tops = sizes.pop("top_pairs")
experiments, slow, slowest, ensembles, slow_ensembles, N, n_gen, sets = sizes.values()
n_train, n_generated, WIDE = 1000, 4000, 1.2
GENERATORS = {"good": GaussianLine.fit_mean, "poor": partial(GaussianLine.fit_mean, width=WIDE)}
REGIONS = {"centre": (0.0, 0.5), "tail": (2.0, 3.0)}
edges = list(REGIONS.values())
truth = np.array([np.diff(stats.norm.cdf(ends))[0] for ends in edges])
line = GaussianLine()
tops = {f"tops_{name}": value for name, value in of_tops.items()}
for name, value in (sizes | tops | {"n_generated": n_generated, "width": WIDE}).items():
    page.record(name, value)

# %% [markdown]
# ## One dimension: what to expect
#
# The truth is a unit Gaussian, $\ntrain=1000$. The *good* generator is the fit of section 3.2 of {cite:t}`forecasting`, a unit Gaussian around the mean $\hat\mu$ of the training events; its region $[0,0.5)$ has $G_0=70$. The *poor* one fits the mean, too, but has a width of {glue:text}`reweighting_width` instead of one. Five classifiers learn the weights:
#
# - *Logistic regression in $x$.* With unlimited generated events its best fit gives the weighted generated events the mean of the true ones that it has seen {cite}`owen_imbalanced`. A Gaussian with weights $e^{a+bx}$ is a shifted Gaussian. So the good generator, whose mean is right already, stays what it is; the poor one stays too wide.
# - *Logistic regression in $x$ and $x^2$* matches mean and variance. Both generators become a Gaussian with two fitted numbers. For the region $[a,b)$ and with the normal density $\varphi$,
#
# ```{math}
# :label: eq-reweighting-two
# G = \frac{I(1-I)}{(\varphi(a)-\varphi(b))^2 + \tfrac12\,(a\,\varphi(a)-b\,\varphi(b))^2} .
# ```
#
# - *A histogram* of 20 bins has $w_b = (n_b/n)/p_{{\rm gen},b}$. The weighted probability of a bin is $n_b/n$, whatever the generator: the bins have forgotten it, and $G=1$.
# - *Trees, calibrated,* are boosted trees that stop early and whose scores Platt's method turns into probabilities, as for the events of {ref}`sec-ratios`; and *trees, unregularised,* are fifty that nobody stops. They have no closed form.
#
# Generated events fluctuate as well. With $n_g$ of them the classifier's variance has a second, similar part, and to first order all of these $G$ are divided by $1+n/n_g$. That part is free to remove, since generated events are free. Here $n_g=$ {glue:text}`reweighting_n_generated`.


# %% tags=["hide-input"]
def two_numbers(a: float, b: float) -> float:
    """G of a Gaussian with fitted mean and width, to first order."""
    pdf, integral = stats.norm.pdf, np.diff(stats.norm.cdf([a, b]))[0]
    return integral * (1 - integral) / ((pdf(a) - pdf(b)) ** 2 + (a * pdf(a) - b * pdf(b)) ** 2 / 2)


def one_number(a: float, b: float) -> float:
    """The same with a fitted mean."""
    integral = np.diff(stats.norm.cdf([a, b]))[0]
    return integral * (1 - integral) / np.diff(stats.norm.pdf([a, b]))[0] ** 2


of_generated = 1 + n_train / n_generated  # generated events fluctuate, too
EXPECTED = {
    ("good", "none"): one_number(0, 0.5),
    ("good", "logistic"): one_number(0, 0.5) / of_generated,
    **{(of, "quadratic"): two_numbers(0, 0.5) / of_generated for of in GENERATORS},
    **{(of, "histogram"): 1 / of_generated for of in GENERATORS},
}
for (of, classifier), value in EXPECTED.items():
    page.record(f"expected_{of}_{classifier}", value, digits=2)
page.record("G_two_numbers", two_numbers(0, 0.5), digits=2)
page.record("free", of_generated)

# %% [markdown]
# {numref}`fig-reweighting-weights` shows what the classifiers learn from one training set. The exact weights of the good generator hardly differ from one. What a free classifier adds to them are the fluctuations of the two samples.

# %% mystnb={"figure": {"name": "fig-reweighting-weights", "caption": "Weights from classifiers that were trained on one training set and on events of the good (left) and of the poor generator (right). Black: exact ratio of the densities."}, "image": {"alt": "Two panels with weights against x. The exact ratio is flat on the left and a hill on the right; logistic regression and calibrated trees are smooth or have few steps; the histogram has steps of some 10 per cent; unregularised trees jump up and down."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True)
shown = np.abs(CENTRES[:, 0]) < 3
x, data = CENTRES[shown], {"x": CENTRES[shown, 0]}
COLOURS = dict(zip(("none", *LINE), (plots.TRUE, plots.ESTIMATE, plots.STAT, plots.MODEL, *plots.OTHERS), strict=False))
for ax, (of, fit) in zip(axes, GENERATORS.items(), strict=True):
    training = line.sample(n_train, page.rng(1))
    for classifier, make in reversed(LINE.items()):
        ((generator, ratio),) = treat("training", training, fit, make, n_generated, page.rng(2))
        data[f"{of} {classifier}"] = Reweighting(ratio)(x)
        thin = 0.6 if classifier == "unregularised" else 1.5
        ax.plot(x, data[f"{of} {classifier}"], color=COLOURS[classifier], lw=thin, label=TITLES[classifier])
    data[f"{of} exact"] = np.exp(line.log_prob(x) - generator.log_prob(x))
    ax.plot(x, data[f"{of} exact"], color=plots.TRUE, lw=1.2, ls="--", label="exact")
    ax.set(yscale="log", ylim=(0.1, 10), xlabel="$x$", title=f"{of} generator", xlim=(-3, 3))
axes[0].set_ylabel("weight")
plots.shared_legend(axes, columns=6)
page.figure(figure, "weights", data)

# %% [markdown]
# (sec-reweighting-table)=
# ## One dimension: measured
#
# {glue:text}`reweighting_experiments` training sets are drawn. On each the generator is fitted, a classifier learns the weights, and the density of the reweighted events is integrated on a fine grid: what is measured are the errors of generator and classifier, and no fluctuation of a sample. The classifier's true events are
#
# - *the training events* once more;
# - *as many fresh ones*, so that $2\,\ntrain$ true events have been used;
# - *cross-fitted* ones (`gampl.ratio.cross_fit`): each generated event gets its weight from one of two classifiers, of which neither saw its half of the generated and of the true events. Which one is decided as if by lot. So the density of the reweighted events is the mean over the two, and all training events have a part in it, as before;
# - *another half than the generator*: generator and classifier learn from different halves of the training events, once each way round, and half of the events come from either.
#
# The two kinds of trees take long. They see the training events or fresh ones {glue:text}`reweighting_slow` times, and are trained in the other two ways {glue:text}`reweighting_slowest` times. From the deviations, $G=I(1-I)/(\ntrain\langle(I-I_{\rm true})^2\rangle)$, with 95 % intervals from 2000 bootstrap samples of the experiments. The last columns are for the training events: the *differential* $G$ from the mean Kolmogorov-Smirnov distance to the truth, the effective number of events $(\sum w)^2/\sum w^2$ per generated event, and the share of weights above {glue:text}`reweighting_largest`, which are clipped.


# %% tags=["hide-input"]
def over_experiments(values: np.ndarray, worth, stream: int) -> tuple[float, np.ndarray]:
    """A function of the mean over experiments, with a 95 % interval by their bootstrap."""
    rows = page.rng(stream).integers(len(values), size=(2000, len(values)))
    return float(worth(values.mean())), np.sort(np.quantile(worth(values[rows].mean(axis=1)), [0.025, 0.975]))


def times(classifier: str, way: str) -> int:
    """How many experiments a classifier and a way can have."""
    if classifier not in ARE_TREES:
        return experiments
    return slow if way in ("training", "fresh") else slowest


page.record("largest", round(Reweighting(nothing).largest))
measured, about = {}, {}
for of, fit in GENERATORS.items():
    cases = [("none", "training", None), *((c, way, make) for c, make in LINE.items() for way in WAYS)]
    for number, (classifier, way, make) in enumerate(cases):
        rng, rows = page.rng(100 + number), []  # the training sets of a case; the good and the poor have the same
        for _ in range(times(classifier, way)):
            training = line.sample(n_train, rng)
            plain = [(fit(training), nothing)]
            density = reweighted(plain if make is None else treat(way, training, fit, make, n_generated, rng))
            squares = (density.integrals(edges) - truth) ** 2
            rows.append([*squares, density.distance(), density.n_effective, density.clipped])
        values, key = np.array(rows).T, (of, classifier, way)
        for region, deviations, binomial in zip(REGIONS, values, truth * (1 - truth) / n_train, strict=False):
            measured[region, *key] = over_experiments(deviations, lambda mean, b=binomial: b / mean, 1)
        measured["differential", *key] = over_experiments(values[2], lambda mean: (MEAN / mean) ** 2 / n_train, 1)
        about[key] = values[3:].mean(axis=1)
        for what in (*REGIONS, "differential"):
            page.record(f"{what}_{of}_{classifier}_{way}", *measured[what, *key], 0.95, digits=2)
        page.record(f"n_effective_{of}_{classifier}_{way}", about[key][0], digits=2)
        page.record(f"clipped_{of}_{classifier}_{way}", 100 * about[key][1], digits=2)

# for the claims ledger: the distance after over before, and the share of G that is kept
for classifier in LINE:
    before, (after, ends) = (measured["differential", "poor", c, "training"] for c in ("none", classifier))
    page.record(f"gap_{classifier}", (before[0] / after) ** 0.5, np.sqrt(before[0] / ends[::-1]), 0.95, digits=2)
    G, ends = measured["centre", "good", classifier, "training"]
    page.record(f"kept_{classifier}", G / one_number(0, 0.5), ends / one_number(0, 0.5), 0.95, digits=2)


for of in GENERATORS:
    rows = []
    for classifier in ("none", *LINE):
        cells = [
            with_interval(*measured["centre", of, classifier, w])
            for w in (WAYS if classifier != "none" else ["training"])
        ]
        expected = EXPECTED.get((of, classifier))
        rows.append([TITLES[classifier], "–" if expected is None else rounded(expected, 2), *cells])
        rows[-1] += [""] * (6 - len(rows[-1]))
        rows[-1].append(with_interval(*measured["differential", of, classifier, "training"]))
        n_effective, clipped = about[of, classifier, "training"]
        rows[-1] += [rounded(n_effective, 2), f"{100 * clipped:.2g} %"]
    header = [f"**{of}**, $[0,0.5)$", "expected", *WAYS.values(), "differential", "effective", "clipped"]
    display(markdown_table(header, rows))

# %% mystnb={"figure": {"name": "fig-reweighting-line", "caption": "Amplification after reweighting by five classifiers, with 95 % intervals over experiments, in the region 0 to 0.5. Lines: without weights. Crosses: closed forms."}, "image": {"alt": "Two panels with a logarithmic axis, good and poor generator, with points and error bars for five classifiers and four ways to choose true events, a line for the generator without weights and a dashed one at one."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True)
data = {}
for ax, of in zip(axes, GENERATORS, strict=True):
    for shift, (way, color) in enumerate(zip(WAYS, COLOURS.values(), strict=False)):
        found = [measured["centre", of, classifier, way] for classifier in LINE]
        G, ends = np.array([f[0] for f in found]), np.array([f[1] for f in found]).T
        at = np.arange(len(LINE)) + 0.15 * (shift - 1.5)
        ax.errorbar(at, G, np.abs(ends - G), fmt="o", ms=4, color=color, label=WAYS[way])
        data |= {f"{of} {way}": G, f"{of} {way} low": ends[0], f"{of} {way} high": ends[1]}
    for place, classifier in enumerate(LINE):
        if (of, classifier) in EXPECTED:
            ax.plot(place + 0.4, EXPECTED[of, classifier], "x", color="0.4", ms=7, label="closed form")
    ax.axhline(measured["centre", of, "none", "training"][0], color=plots.TRUE, lw=1, label="without weights")
    ax.axhline(1, color="0.7", lw=0.8, ls="--")
    ax.set(yscale="log", title=f"{of} generator")
    ax.set_xticks(range(len(LINE)), [TITLES[c].replace(", ", ",\n") for c in LINE], fontsize=8)
axes[0].set_ylabel("$G$ true")
plots.shared_legend(axes, columns=6)
page.figure(figure, "line", data)

# %% tags=["nbval-check-output"]
none, free = (measured["centre", "good", c, "training"] for c in ("none", "histogram"))
gain = measured["centre", "poor", "quadratic", "training"][1][0] / measured["centre", "poor", "none", "training"][1][1]
print(f"good generator: a histogram costs G, intervals apart: {free[1][1] < none[1][0]}")
print(f"poor generator: a classifier that knows the shape gains, intervals apart: {gain > 1}")
# G expected over G measured is a chi-squared number per degree of freedom, but for the first order
low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], experiments) / experiments * [1 / 1.3, 1.3]
quotients = [value / measured["centre", *key, "training"][0] for key, value in EXPECTED.items()]
print("closed forms agree:", all(low < quotient < high for quotient in quotients))

# %% [markdown]
# *The good generator* has $G=$ {glue:text}`reweighting_centre_good_none_training` without weights. Logistic regression on its training events leaves {glue:text}`reweighting_centre_good_logistic_training` of it, and only because generated events fluctuate; with $x^2$ it is {glue:text}`reweighting_centre_good_quadratic_training`, calibrated trees {glue:text}`reweighting_centre_good_calibrated_training`, the histogram {glue:text}`reweighting_centre_good_histogram_training` and unregularised trees {glue:text}`reweighting_centre_good_unregularised_training`. *The poor generator* has {glue:text}`reweighting_centre_poor_none_training` and becomes {glue:text}`reweighting_centre_poor_logistic_training`, {glue:text}`reweighting_centre_poor_quadratic_training`, {glue:text}`reweighting_centre_poor_calibrated_training`, {glue:text}`reweighting_centre_poor_histogram_training` and {glue:text}`reweighting_centre_poor_unregularised_training`, in the same order. A classifier that can express the fault gives every generator the $G$ of a fit with the classifier's own freedom. For a generator below that it is a gain, for one above it a loss.
#
# *Fresh events* would bring back what is lost if the repeated use of the training events were to blame. With as many fresh ones $G$ is {glue:text}`reweighting_centre_good_quadratic_fresh` with $x^2$ and {glue:text}`reweighting_centre_good_histogram_fresh` with the histogram; the closed forms are the same. What costs $G$ is the classifier's freedom: the weighted events carry the fluctuation of the sample that it saw, old or new. And fresh events have a price. Per true event used, these numbers are half as large. The same generator, fitted to all $2\,\ntrain$ events, would double its $\nequiv$ in this region.
#
# *Cross-fitting and separate halves* keep no true event out of the result, they only decide which classifier sees which; $G$ with the histogram is {glue:text}`reweighting_centre_good_histogram_folds` and {glue:text}`reweighting_centre_good_histogram_halves`. Cross-fitting serves to *test* ({ref}`sec-ratios`) and not to mend. It does make the weights the mean of two classifiers that have fewer events each, and so they have less freedom: for calibrated trees $G$ is {glue:text}`reweighting_centre_good_calibrated_folds` ({glue:text}`reweighting_centre_good_calibrated_folds_low` to {glue:text}`reweighting_centre_good_calibrated_folds_high`) for the good generator, which needs none, and {glue:text}`reweighting_centre_poor_calibrated_folds` ({glue:text}`reweighting_centre_poor_calibrated_folds_low` to {glue:text}`reweighting_centre_poor_calibrated_folds_high`) for the poor one, which does.
#
# *The number of generated events* is part of the price as long as they are not free. With only as many as there are training events, $n_g=\ntrain$, the formula above leaves logistic regression in $x$ with $G_0/2$.

# %% [markdown]
# (sec-reweighting-estimate)=
# ## Does the estimate notice?
#
# The averaging estimate knows the scatter of the members only. Here {glue:text}`reweighting_members` members are fitted to bootstrap samples of one training set ({ref}`sec-members`), reweighted in different ways and given to `gampl.averaging.from_integrals`. *One for all* is a classifier that learns from events of all members and from the training events, from as many fresh ones, or cross-fitted; *one each* from the training events, from the member's own bootstrap sample of them, or from a random half, and from the member's events. Subsets of a share $1-f$ scatter with $f/(1-f)$ of the sampling variance {eq}`eq-members-subset`, which for halves is one; and unlike bootstrap samples they hold no event twice, which trees that stop by events held back would notice.
#
# The table has the geometric mean of the estimates over {glue:text}`reweighting_ensembles` training sets ({glue:text}`reweighting_slow_ensembles` for trees), the true $G$ of the pooled members, which is what the estimate is about, and how often the interval of the members' mean, with Student's $t$ for their spread, holds the truth. An honest posterior does so in 68.3 % of the cases.

# %% tags=["hide-input"]
NOMINAL = 0.683
rows, cover, estimates = [], {}, {}
share = stats.t.ppf((1 + NOMINAL) / 2, N - 1) * np.sqrt(1 + 1 / N)
cases = [("good", "none", "none"), ("poor", "none", "none")]
cases += [(of, c, how) for c in ("quadratic", "histogram") for of in GENERATORS for how in list(HOW)[1:]]
cases += [(of, "calibrated", how) for of in GENERATORS for how in ("shared", "fresh", "folds")]
cases += [("good", "calibrated", how) for how in ("resampled", "halved")]
for number, (of, classifier, how) in enumerate(cases):
    rng = page.rng(300 + number)
    runs = ensembles if classifier not in ARE_TREES else slow_ensembles
    integrals = np.array(
        [
            posterior(line.sample(n_train, rng), GENERATORS[of], how, LINE.get(classifier), (N, n_generated), rng)
            for _ in range(runs)
        ]
    )
    G = [averaging.from_integrals(one, n_train, truth=truth[:1]).G for one in integrals]
    deviation = integrals.mean(axis=1) - truth[0]
    key, binomial = f"{of}_{classifier}_{how}", truth[0] * (1 - truth[0]) / n_train
    estimates[key] = over_experiments(np.log(G), np.exp, 2)
    true = over_experiments(deviation**2, lambda mean, b=binomial: b / mean, 2)
    inside = int((np.abs(deviation) < share * integrals.std(axis=1, ddof=1)).sum())
    cover[key] = stats.binomtest(inside, runs).proportion_ci(0.95)
    page.record(f"estimate_{key}", *estimates[key], 0.95, digits=2)
    page.record(f"pooled_{key}", *true, 0.95, digits=2)
    page.record(f"inflation_{key}", estimates[key][0] / true[0], digits=2)
    page.record(f"cover_{key}", 100 * inside / runs, [100 * end for end in cover[key]], 0.95, digits=2)
    held = f"{100 * inside / runs:.0f} % ({100 * cover[key][0]:.0f} to {100 * cover[key][1]:.0f})"
    rows.append([of, TITLES[classifier], HOW[how], with_interval(*estimates[key]), with_interval(*true), held])
markdown_table(["generator", "weights", "classifiers", "$G$ estimated", "$G$ pooled, true", "truth held"], rows)

# %% tags=["nbval-check-output"]
print("one classifier for all, histogram: G is overestimated:", estimates["good_histogram_shared"][1][0] > 5)
honest = estimates["good_histogram_resampled"][1][1]
print("bootstrap samples, histogram: much less so:", honest < estimates["good_histogram_shared"][1][0] / 4)

# %% [markdown]
# With one histogram for all, the good generator is said to have $G=$ {glue:text}`reweighting_estimate_good_histogram_shared`, and has {glue:text}`reweighting_pooled_good_histogram_shared`: all members carry the same fluctuation of the same weights, and their scatter is still that of the generators. The interval holds the truth in {glue:text}`reweighting_cover_good_histogram_shared` % of the cases. With a classifier each the estimate is {glue:text}`reweighting_estimate_good_histogram_own` as long as all learn from the same true events, since then only the generated ones differ. With bootstrap samples it is {glue:text}`reweighting_estimate_good_histogram_resampled`, and the truth is held in {glue:text}`reweighting_cover_good_histogram_resampled` % ({glue:text}`reweighting_cover_good_histogram_resampled_low` to {glue:text}`reweighting_cover_good_histogram_resampled_high`); with random halves in {glue:text}`reweighting_cover_good_histogram_halved` % ({glue:text}`reweighting_cover_good_histogram_halved_low` to {glue:text}`reweighting_cover_good_histogram_halved_high`). Fresh events for one histogram do not help: the estimate is {glue:text}`reweighting_estimate_good_histogram_fresh`, the truth {glue:text}`reweighting_pooled_good_histogram_fresh`. For calibrated trees the coverage is {glue:text}`reweighting_cover_good_calibrated_shared` % ({glue:text}`reweighting_cover_good_calibrated_shared_low` to {glue:text}`reweighting_cover_good_calibrated_shared_high`) with one for all. In bootstrap samples trees meet copies of the events by which they stop: the true $G$ is {glue:text}`reweighting_pooled_good_calibrated_resampled` ({glue:text}`reweighting_pooled_good_calibrated_resampled_low` to {glue:text}`reweighting_pooled_good_calibrated_resampled_high`) there, and {glue:text}`reweighting_pooled_good_calibrated_halved` ({glue:text}`reweighting_pooled_good_calibrated_halved_low` to {glue:text}`reweighting_pooled_good_calibrated_halved_high`) with halves. The poor generator without weights is said to have {glue:text}`reweighting_estimate_poor_none_none`, and its truth is held in {glue:text}`reweighting_cover_poor_none_none` % of the cases. Weights have nothing to do with that: a width that all members have in common does not scatter.

# %% [markdown]
# (sec-reweighting-networks)=
# ## Networks
#
# Now trained ensembles: of the 2D ring ({ref}`sec-rings`) the bootstrap ensemble of each of {glue:text}`reweighting_sets` training sets, and of the leading-order process ({ref}`sec-known-truth`) bootstrap ensembles of {glue:text}`reweighting_tops_members` spline flows, trained on {glue:text}`reweighting_tops_n_train` events each. *Good* is an ensemble as it is; *poor* is the same with a known fault: all events of the ring stretched by {glue:text}`reweighting_stretch_percent` %, and pairs of tops whose $(m-2m_t)/(m_{\rm max}-m)$ is {glue:text}`reweighting_heavier` times larger. The regions are the inner ones of 20 of the radius or of the mass; the *tail* is the outermost of the radius, or the upper tenth of the mass in five regions. Weights are learned from $4\,\ntrain$ generated events that are not used again, and both estimates are those of `gampl.averaging.from_samples` with weights. The true $G$ is that of the members, with their own scatter, as on {ref}`the other pages <sec-averaging>`; the generated events of an ensemble cannot show that it is more than their number over $\ntrain$, which is then written as a lower limit; quotients of two such numbers say nothing. *Exact* weights are $p_{\rm true}/p_{\rm gen}$ of each member. The tables have geometric means over the training sets with their 95 % intervals; quotients are taken set by set.


# %% tags=["hide-input"]
page.record("stretch_percent", round(100 * (STRETCH - 1)))
page.record("heavier", HEAVIER)
NETWORKS = {
    "quadratic": partial(logistic, degree=2),
    "default": default_classifier,
    "calibrated": calibrated_trees,
    "unregularised": unregularised_trees,
}
LEARNED_FROM = {
    "none": "",
    "training": "training events",
    "fresh": "fresh events",
    "folds": "cross-fitted",
    "halved": "one each, halves",
}


def learned_ratios(network, rng):
    """The log ratio of each member, by classifier and what it has learned from."""
    n, training, events = network.n_train, network.training, network.events
    fresh, members = network.draw(n, rng), len(events)
    pool = finite_only(np.concatenate([one[n_gen : n_gen + 4 * n // members] for one in events]))
    ratios = {("none", "none"): [nothing] * members, ("exact", "none"): network.exact}
    for classifier, make in NETWORKS.items():
        for way, true in (("training", training), ("fresh", fresh)):
            ratios[classifier, way] = [learned(true, pool, make, seed)] * members
    for classifier in ("default", "calibrated"):
        make = NETWORKS[classifier]
        ratios[classifier, "folds"] = [cross_fit(training, pool, seed, folds=2, make_classifier=make)] * members
        ratios[classifier, "halved"] = [
            learned(training[rng.permutation(n)[::2]], finite_only(one[n_gen:]), make, seed + k)
            for k, one in enumerate(events)
        ]
    return ratios


found, most = {}, {}  # of each training set: true and estimated G, effective and clipped share; largest G of a system
every = chain(rings(profile, seed, n_gen, sets), top_pairs(seed, n_gen, sets, *of_tops.values(), page.rng(5)))
for number, network in enumerate(every):
    ensemble, used = network.ensemble, [one[:n_gen] for one in network.events]
    if "good" in network.system:  # the poor one is the same network
        page.count_training(ensemble.history.seconds, ensemble.history.device)
    most[network.system] = n_gen * len(used) / network.n_train
    for key, ratios in learned_ratios(network, page.rng(400 + number)).items():
        weights = [Reweighting(ratio)(one) for ratio, one in zip(ratios, used, strict=True)]
        worths = [
            averaging.from_samples(used, regions, network.n_train, weights=weights, truth=truth)
            for regions, truth in network.regions.values()
        ]
        w = np.concatenate(weights)
        shares = w.sum() ** 2 / (w**2).sum() / w.size, (w >= Reweighting(nothing).largest).mean()
        numbers = *(min(G, most[network.system]) for one in worths for G in (one.G_true, one.G)), *shares
        found.setdefault((network.system, *key), []).append(numbers)
page.cost("top_pairs", **of_trained(network.ensemble.trained[0], network.training))

# %% tags=["hide-input"]
OF_G = {"true", "estimate", "true_tail", "estimate_tail"}
for system in SYSTEMS:
    rows, short = [], system.replace(", ", "_").replace("leading order", "lo")
    for (name, classifier, way), numbers in found.items():
        if name != system:
            continue
        true, estimated, tail_true, tail_estimated, n_effective, clipped = np.array(numbers).T
        before = np.array(found[system, "none", "none"])[:, 0]
        label, cells = f"{short}_{classifier}" + ("" if way == "none" else f"_{way}"), []
        for what, values in {
            "true": true,
            "change": true / before,
            "estimate": estimated,
            "over": estimated / true,
            "true_tail": tail_true,
            "estimate_tail": tail_estimated,
            "over_tail": tail_estimated / tail_true,
        }.items():
            mean = geometric_mean(values, most=most[system] if what in OF_G else np.inf)
            page.record(f"{what}_{label}", *mean, 0.95, digits=2)
            if what != "estimate_tail":
                cells.append(with_interval(*mean))
        page.record(f"n_effective_{label}", n_effective.mean(), digits=2)
        cells += [rounded(n_effective.mean(), 2), f"{100 * clipped.mean():.2g} %"]
        rows.append([TITLES[classifier], LEARNED_FROM[way], *cells])
    header = [f"**{system}**, classifier", "learned from", "$G$ true", "after / before", "$G$ estimated"]
    header += ["estimated / true", "tail, $G$ true", "tail, estimated / true", "effective", "clipped"]
    display(markdown_table(header, rows))

# %% mystnb={"figure": {"name": "fig-reweighting-networks", "caption": "Estimated against true amplification before and after reweighting, geometric means over training sets. Circle: without weights. Squares: one classifier for all members, the training events. Diamonds: fresh events. Crosses: cross-fitted. Triangles: a classifier for each member, from a random half. On the line the estimate is right. Exact weights are left out."}, "image": {"alt": "Four log-log panels for a good and a poor generator of the ring and of the leading-order process, with a diagonal and points for each classifier."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 4, figsize=(13, 4.2), sharex=True, sharey=True)
MARKERS = {"none": "o", "training": "s", "fresh": "D", "folds": "x", "halved": "^"}
shades = {"none": plots.TRUE} | {c: COLOURS[c] for c in COLOURS if c in NETWORKS}
shades["default"] = plots.ESTIMATE
points = {
    key: np.exp(np.log(np.array(numbers)[:, :2]).mean(axis=0)) for key, numbers in found.items() if key[1] != "exact"
}
limits = np.min(list(points.values())) / 1.4, np.max(list(points.values())) * 1.4
data = {"system": [], "classifier": [], "way": [], "true": [], "estimated": []}
for (system, classifier, way), (true, estimated) in points.items():
    label = TITLES[classifier] if classifier != "none" else "without weights"
    ax = axes[SYSTEMS.index(system)]
    style = {"ms": 11, "mfc": "none", "zorder": 5} if classifier == "none" else {"ms": 6, "alpha": 0.85}
    label = label if way in ("none", "training") else None
    ax.plot(true, estimated, MARKERS[way], color=shades[classifier], ls="none", label=label, **style)
    for column, value in zip(data.values(), (system, classifier, way, true, estimated), strict=True):
        column.append(value)
for ax, system in zip(axes, SYSTEMS, strict=True):
    ax.plot(limits, limits, color=plots.TRUE, lw=0.8)
    ax.set(xscale="log", yscale="log", xlim=limits, ylim=limits, title=system, xlabel="$G$ true")
    ax.title.set_fontsize(10)
axes[0].set_ylabel("$G$ estimated")
plots.shared_legend(axes, columns=6)
page.figure(figure, "networks", data)

# %% [markdown]
# Trees that nobody stops change $G$ of the good ensembles by a factor {glue:text}`reweighting_change_ring_good_unregularised_training` ({glue:text}`reweighting_change_ring_good_unregularised_training_low` to {glue:text}`reweighting_change_ring_good_unregularised_training_high`) for the ring and {glue:text}`reweighting_change_lo_good_unregularised_training` ({glue:text}`reweighting_change_lo_good_unregularised_training_low` to {glue:text}`reweighting_change_lo_good_unregularised_training_high`) for top pairs, calibrated ones by {glue:text}`reweighting_change_ring_good_calibrated_training` ({glue:text}`reweighting_change_ring_good_calibrated_training_low` to {glue:text}`reweighting_change_ring_good_calibrated_training_high`) and {glue:text}`reweighting_change_lo_good_calibrated_training` ({glue:text}`reweighting_change_lo_good_calibrated_training_low` to {glue:text}`reweighting_change_lo_good_calibrated_training_high`). For the poor ones calibrated trees change it by {glue:text}`reweighting_change_ring_poor_calibrated_training` ({glue:text}`reweighting_change_ring_poor_calibrated_training_low` to {glue:text}`reweighting_change_ring_poor_calibrated_training_high`) and {glue:text}`reweighting_change_lo_poor_calibrated_training` ({glue:text}`reweighting_change_lo_poor_calibrated_training_low` to {glue:text}`reweighting_change_lo_poor_calibrated_training_high`). An interval that holds one says that {glue:text}`reweighting_sets` training sets do not show a change. Exact weights show what is possible: their price is in the effective number of events alone.
#
# The estimate over the true $G$ of the good ring is {glue:text}`reweighting_over_ring_good_none` ({glue:text}`reweighting_over_ring_good_none_low` to {glue:text}`reweighting_over_ring_good_none_high`) without weights; with calibrated trees it is {glue:text}`reweighting_over_ring_good_calibrated_training` ({glue:text}`reweighting_over_ring_good_calibrated_training_low` to {glue:text}`reweighting_over_ring_good_calibrated_training_high`) with one classifier for all members and {glue:text}`reweighting_over_ring_good_calibrated_halved` ({glue:text}`reweighting_over_ring_good_calibrated_halved_low` to {glue:text}`reweighting_over_ring_good_calibrated_halved_high`) with one each; for top pairs {glue:text}`reweighting_over_lo_good_none`, {glue:text}`reweighting_over_lo_good_calibrated_training` ({glue:text}`reweighting_over_lo_good_calibrated_training_low` to {glue:text}`reweighting_over_lo_good_calibrated_training_high`) and {glue:text}`reweighting_over_lo_good_calibrated_halved` ({glue:text}`reweighting_over_lo_good_calibrated_halved_low` to {glue:text}`reweighting_over_lo_good_calibrated_halved_high`). What all members have in common without any weights, such as what their kind of network cannot learn, is in these numbers too, and a classifier for each member does not remove it: only weights that mend the error in common do. In the tail the estimate of the poor generators without weights is {glue:text}`reweighting_over_tail_ring_poor_none` ({glue:text}`reweighting_over_tail_ring_poor_none_low` to {glue:text}`reweighting_over_tail_ring_poor_none_high`) times the truth for the ring and {glue:text}`reweighting_over_tail_lo_poor_none` ({glue:text}`reweighting_over_tail_lo_poor_none_low` to {glue:text}`reweighting_over_tail_lo_poor_none_high`) times for top pairs.
#
# ## Rules
#
# 1. **What a classifier has seen, the reweighted generator has seen.** With $n$ true events that the generator did not have, $\ntrain$ becomes $\ntrain+n$ in every $G$. If there are fresh events, training the generator on them is the rival.
# 2. **Test with events that neither has seen.** Training events of the classifier look right after reweighting as those of the generator do before.
# 3. **Reweight only what is worse than the classifier.** Before, look at a held-out part: if the weights do not lower the loss there, or scatter no more than those between two halves of the true events do, leave them. Weights that are not needed cost $G$.
# 4. **Take the least capacity that can express the fault**, few physical numbers before all coordinates, with early stopping and calibration; and many generated events, which are free.
# 5. **For the averaging estimate give every member a classifier of its own**, on a sample of its own: a random half of the training events, or the bootstrap sample of the member, unless the classifier stops by events that it holds back. A classifier that all share, or a training sample that all share, is an error in common. No scatter shows it. It does not remove errors that the members have in common without any weights.
# 6. **Cross-fitting and separate halves do not keep any training event out of the result.** All of them end up in the weights. What they change is the classifier's freedom; cross-fitting is for tests.
#
# In a shell, `gampl reweight samples/member_0.csv --true samples/train.csv --output samples/weighted.csv` learns the weights ({ref}`sec-your-samples`), with `--share 0.5` and another `--seed` for each member as the fifth rule says. It leaves a receipt from which `gampl averaging` and `gampl differential` know what the classifier has seen, and their reports warn where these rules are broken.
#
# ## Exercises
#
# ```{exercise}
# :label: ex-reweighting-histogram
# Show that a histogram with $B$ bins makes every generator worth $G=1$ for a union of bins, if generated events are unlimited. What is $G$ for a region inside one bin?
# ```
#
# ````{solution} ex-reweighting-histogram
# :class: dropdown
# The weighted probability of bin $b$ is $p_{{\rm gen},b}\,w_b=n_b/n$, the share of true events that the classifier saw there, which fluctuates as counting does: its variance is $I(1-I)/n$, and sums of bins count sums of events. A region that holds a share $s$ of the *generated* events of its bin has $\hat I=s\,n_b/n$. With the right $s$ its variance is $s^2 I_b(1-I_b)/n$ instead of $sI_b(1-sI_b)/n$, and so $G=(1-sI_b)/(s(1-I_b))>1$: inside a bin the generator's shape is kept.
# ````

# %% tags=["hide-input", "hide-output"]
bin_probability, share_of_bin = 0.05, 0.25
print(f"a quarter of a bin: G = {(1 - share_of_bin * bin_probability) / (share_of_bin * (1 - bin_probability)):.3g}")

# %% [markdown]
# ```{exercise}
# :label: ex-reweighting-free
# How many generated events does logistic regression in $x$ need to keep 99 % of the good generator's $G$? And to keep 99 % of what it would have itself, with $x$ and $x^2$?
# ```
#
# ````{solution} ex-reweighting-free
# :class: dropdown
# $G$ is divided by $1+n/n_g$ in both cases, so $n_g=99\,n$. For $x$ and $x^2$ this is 99 % of the number in {eq}`eq-reweighting-two`, and no number of generated events makes more of it.
# ````

# %% tags=["hide-input", "hide-output"]
for n_g in (n_train, n_generated, 99 * n_train):
    kept = 1 / (1 + n_train / n_g)
    print(f"n_g = {n_g}: x {kept * one_number(0, 0.5):.3g}, x and x^2 {kept * two_numbers(0, 0.5):.3g}")

# %% [markdown]
# ```{exercise}
# :label: ex-reweighting-everything
# A classifier is trained on the training events and $n$ fresh ones together. What is $G$ of the histogram then, and what that of the good generator if it is fitted to all of them?
# ```
#
# ````{solution} ex-reweighting-everything
# :class: dropdown
# The histogram's weighted events are worth the $\ntrain+n$ true ones in the bins: $G=1$ per true event used, and $1+n/\ntrain$ by the generator's. The fit is worth $G_0(\ntrain+n)$ events, $G_0$ per true event used.
# ````

# %% tags=["hide-input", "hide-output"]
rng, squares = page.rng(6), []
for _ in range(experiments):
    true = line.sample(2 * n_train, rng)
    generator = line.fit_mean(true[:n_train])
    ratio = learned(true, generator.sample(8 * n_train, rng), LINE["histogram"], seed)
    squares.append((reweighted([(generator, ratio)]).integrals(edges)[0] - truth[0]) ** 2)
print(f"histogram: n_equiv = {truth[0] * (1 - truth[0]) / np.mean(squares):.0f}, from {2 * n_train} true events")
