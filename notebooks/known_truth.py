# %% [markdown]
# (sec-known-truth)=
# # With known truth
#
# How far can an estimated amplification be trusted? On LHC events the paper compares it with a holdout, as far as that reaches. Here {glue:text}`known_truth_kinds` kinds of generator learn the {ref}`leading-order process <sec-leading-order>`, whose density is known exactly, from {glue:text}`known_truth_n_smallest` to {glue:text}`known_truth_n_largest` training events. Every estimate has the true value beside it, with both estimators: the validation that the paper could not do on a physics process. Do the estimates agree with the truth? Do their intervals hold it as often as promised? And which generator amplifies most?

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats

from gampl import averaging, differential, plots
from gampl.calibration import expected_rms_pull, pulls
from gampl.generators.settings import DENSITIES
from gampl.kolmogorov import MEAN, KolmogorovSmirnov, distance_to_density
from gampl.processes.leading_order_coordinates import m_tt
from gampl.ratio import exact_log_ratio
from gampl.regions import Intervals
from gampl.training import LeadingOrder
from gampl_book import event_ensembles, event_studies
from gampl_book.pages import Page, markdown_table, rounded

page = Page("known_truth", profile, seed)
n_truth, n_regions, tail, n_ratio, n_references = page.settings.values()
plan = {name: t for name, t in event_studies.trainings(profile, seed).items() if name.startswith("leading_order")}
SIZES = sorted({t.n_train for t in plan.values()})
MIDDLE, PLACES = SIZES[len(SIZES) // 2], {SIZES[0]: "smallest", SIZES[-1]: "largest"}
TITLES = {kind: event_studies.TITLES[kind] for kind in dict.fromkeys(t.architecture.kind for t in plan.values())}
N_GEN = event_studies.n_gen(profile, next(iter(plan)))
process = event_ensembles.leading_order_process(LeadingOrder())
LABELS = dict(zip(process.observables, ("$m$", "$Y$", r"$\cos\theta^*$", r"$\phi$", "$p_T$"), strict=True))

# %% [markdown]
# ## Questions and generators
#
# *Regions:* {glue:text}`known_truth_regions` intervals of about equal probability in each of the four coordinates, mass $m$ and rapidity $Y$ of the pair, $\cos\theta^*$ and $\phi$, and in the transverse momentum $p_T$ of the tops; as on the rings the outer two are left out. And one region of large mass: the {glue:text}`known_truth_tail_percent` % of events above {glue:text}`known_truth_tail_edge` GeV. That of Eq. (43) has too few events for this size ({ref}`sec-lo-region`). All probabilities come from quadrature. *Summaries:* the mass, and the true likelihood ratio.
#
# The members of an ensemble share their training events, each with Poisson weights of its own ({ref}`sec-members`). Each makes {glue:text}`known_truth_n_gen` events; those whose training failed, or that lost more than one event in a thousand, are left out and listed here. Each ensemble gets a *fresh* reference of its own, as many true events as it was trained on.

# %% tags=["hide-input"]
truth_sample = process.sample(n_truth, page.rng(0))
VALUES = {o: np.sort(observable(truth_sample)) for o, observable in process.observables.items()}
REGIONS = {o: Intervals.quantiles(truth_sample, n_regions, process.observables[o]) for o in VALUES}
EXACT = {o: process.integrals(regions) for o, regions in REGIONS.items()}
INNER = {o: (REGIONS[o][1:-1], EXACT[o][1:-1]) for o in VALUES}
large = Intervals(np.quantile(VALUES["m_tt"], 1 - tail), np.inf, m_tt)
INNER["tail"] = large, process.integrals(large)


def read(kind, n_train, stream):
    """All that the page needs of one ensemble."""
    name = event_studies.leading_order(n_train, kind)
    ensemble = event_ensembles.ensemble(name, profile, seed)
    events = [ensemble.sample(k, N_GEN, seed) for k in range(len(ensemble))]
    grid, found = np.geomspace(N_GEN / 40, N_GEN, 12).round().astype(int), {"ensemble": ensemble, "averaging": {}}
    for o, (regions, truth) in INNER.items():
        counts, _ = averaging.count_stream(([x] for x in events), regions, grid)
        found["averaging"][o] = averaging.from_counts(counts, grid, n_train, truth=truth)
        found["integrals", o] = counts[-1] / N_GEN  # (members, regions)
    ratios = [exact_log_ratio(process.log_prob, one.log_prob) for one in ensemble.members]
    found["events"], found["m"] = [x[:n_ratio] for x in events], [np.sort(m_tt(x)) for x in events]
    found["LR"] = [ratio(x) for ratio, x in zip(ratios, found["events"], strict=True)]
    training = event_ensembles.training_events(plan[f"{name}/0"], profile)
    for name, reference in (("fresh", process.sample(n_train, page.rng(stream))), ("training", training)):
        found["m", name] = [m_tt(reference)] * len(ensemble)
        found["LR", name] = [ratio(reference[:n_ratio]) for ratio in ratios]
    for one in ensemble.members:
        page.count_training(one.history.seconds, one.history.device)
    return found


ensembles = {key: read(*key, 1 + i) for i, key in enumerate(product(TITLES, SIZES))}
N = min(len(here["ensemble"]) for here in ensembles.values())
sizes = {f"n_{place}": n for n, place in PLACES.items()} | {"n_middle": MIDDLE, "n_gen": N_GEN, "members": N}
sizes |= {"ensembles": len(ensembles), "kinds": len(TITLES), "growth_n": SIZES[-1] // SIZES[0]}
for name, value in (page.settings | sizes | {"tail_edge": round(large.low[0])}).items():
    page.record(name, value)
page.record("tail_percent", 100 * INNER["tail"][1][0], digits=2)
print("left out:", [(*key, e["ensemble"].excluded) for key, e in ensembles.items() if e["ensemble"].excluded] or "none")

# %% [markdown]
# (sec-known-density)=
# ## Is the generators' density right?
#
# The likelihood ratio needs $p_{\rm gen}$: of a flow by integrating the divergence of its velocity, and of all generators with the Jacobian of the coordinates. A mistake there would look like a bad generator. But generated events with weights $w=p_{\rm true}/p_{\rm gen}$ follow the *true* density, however bad the generator: the mean weight is one, and the weighted distribution of each coordinate is the exact one. The table tests this with {glue:text}`known_truth_n_ratio` events of each member for $\ntrain=$ {glue:text}`known_truth_n_middle`, by Kolmogorov-Smirnov distances with $(\sum w)^2/\sum w^2$ events. Every second row leaves out the Jacobian on purpose.


# %% tags=["hide-input"]
def true_cdf(o, values):
    """Distribution function of an observable: exact at the edges of the regions, in between by the large sample."""
    below = np.searchsorted(VALUES[o], values) / n_truth
    return np.interp(below, np.linspace(0, 1, n_regions + 1), np.minimum([0, *np.cumsum(EXACT[o])], 1))


def weighted_p_value(o, events, weights):
    """p-value of the Kolmogorov-Smirnov distance of weighted events to the exact distribution."""
    values, share = process.observables[o](events), weights / weights.sum()
    order = np.argsort(values)
    above = np.cumsum(share[order]) - true_cdf(o, values[order])
    distance = max(above.max(), (share[order] - above).max())
    return stats.kstwobign.sf(distance / np.sqrt((share**2).sum()))


rows, p_values, off = [], [], {}
for kind, title in TITLES.items():
    here = ensembles[kind, MIDDLE]
    events, generator = np.concatenate(here["events"]), here["ensemble"].members[0].generator
    x = generator.coordinates.to_network(torch.from_numpy(events))
    log_jacobian = generator.coordinates.log_jacobian(x).numpy()
    for name, missing in (("complete", 0.0), ("without Jacobian", log_jacobian)):
        weights = np.nan_to_num(np.exp(np.concatenate(here["LR"]) + missing))  # a lost event has none
        mean, error = weights.mean(), weights.std() / np.sqrt(weights.size)
        p_values.append([weighted_p_value(o, events, weights) for o in list(LABELS)[:4]])
        off[kind, name] = abs(mean - 1) / error
        rows.append([title, name, f"{mean:.3g} ± {error:.1g}", *(f"{p:.1g}" for p in p_values[-1])])
        page.record(f"weight_{kind}_{name.split()[0]}", mean, [mean - 1.96 * error, mean + 1.96 * error], 0.95)
markdown_table(["generator", "density", "mean weight", *(f"$p$ of {o}" for o in list(LABELS.values())[:4])], rows)

# %% tags=["nbval-check-output", "hide-input"]
print("mean weights of explicit densities are one, within 4 errors:", max(off[k, "complete"] for k in DENSITIES) < 4)
print("weighted events follow all four exact distributions, p-values above 1e-4:", np.min(p_values[::2]) > 1e-4)
print("without the Jacobian none is:", min(value for (_, name), value in off.items() if name != "complete") > 4)


# %% [markdown]
# (sec-known-averaging)=
# ## Averaging
#
# {numref}`fig-known-curves` is made like Fig. 13 of the paper, with the exact integral in the place of the holdout's. Where the dashed line leaves the green one depends on the members alone, where the black line does on the truth.

# %% mystnb={"figure": {"name": "fig-known-curves", "caption": "Uncertainty of the integral over the region of large mass against the number of generated events, for the middle one of the training sizes (as in Fig. 13 of the paper). Black: deviation from the exact integral."}, "image": {"alt": "One log-log panel for each generator: the statistical line falls, the estimated and the true uncertainty follow it with wiggles and then level off."}} tags=["hide-input"]
figure, axes = plt.subplots(1, len(TITLES), figsize=(3.8 * len(TITLES), 4.3), sharey=True)
data = {}
for ax, (kind, title) in zip(axes, TITLES.items(), strict=True):
    result = ensembles[kind, MIDDLE]["averaging"]["tail"]
    result.plot(ax, legend=False)
    ax.set_title(f"{title}, true $G$ = {rounded(result.G_true, 2)}", loc="left", fontsize=10)
    ax.label_outer()
    data[kind] = result.to_dict()["curve"]
plots.shared_legend(axes, columns=4)
page.figure(figure, "known_curves", data)

# %% [markdown]
# Now more regions and all training sizes. The *pull* is the deviation of the members' mean from the truth in units of their spread, root mean square over the regions; calibrated ensembles of {glue:text}`known_truth_members` would have {glue:text}`known_truth_expected_pull`. For $N$ members and one region, and as long as the noise of counting is small, it says by how much the estimate is off:
#
# $$ G / G_{\rm true} = 1 - 1/N + {\rm pull}^2 , \qquad {\rm pull}^2 \sim (1 + 1/N)\, F_{1, N-1} \;\text{ if calibrated,} $$
#
# with Fisher's $F$. The true $G$ is that of these members and is counted, too; where the noise of counting exceeds the deviation it is ∞.

# %% tags=["hide-input"]
page.record("expected_pull", expected_rms_pull(N) if N >= 4 else np.inf)
rows = []
for (kind, n), here in ensembles.items():
    rows.append([TITLES[kind], n])
    for o in ("m_tt", "pT_top", "tail"):
        result, pull = here["averaging"][o], np.sqrt(np.mean(pulls(here["integrals", o], INNER[o][1]) ** 2))
        rows[-1].append(f"$G${result.words}; true {rounded(result.G_true, 2)}; pull {pull:.1f}")
markdown_table(["generator", r"$n_\mathrm{train}$", "regions of $m$", "regions of $p_T$", "large mass"], rows)


# %% mystnb={"figure": {"name": "fig-known-averaging", "caption": "Averaging estimate against truth, with 68.3 % intervals; the larger the marker, the more training events. On the diagonal the estimate is right. Shaded: where 68.3 % of calibrated ensembles of so few members would lie, for a single region. Open triangles at the upper edge: a lower limit, where the bar begins. Larger numbers are drawn at the edge."}, "image": {"alt": "Six log-log panels of estimated against true number of equivalent events: regions of mass, rapidity, cosine, azimuth, transverse momentum, and the region of large mass. A marker for each generator and training size, a diagonal and a band around it."}} tags=["hide-input"]
def confront(ax, question, results, truths, title):
    """Draw and record estimated and true n_equiv of all ensembles, with intervals."""
    limits = 10, (highest := 100 * max(SIZES))
    ax.plot(limits, limits, color=plots.TRUE, lw=0.8)
    for (kind, n), result in results.items():
        x, left, right = np.minimum(truths[kind, n], 0.7 * highest)
        y, low, high = np.minimum([result.n_equiv, *result.n_equiv_interval], 0.7 * highest)
        style = {"color": plots.GENERATORS[kind], "ms": 3.5 + 2.5 * SIZES.index(n), "lw": 1.0, "alpha": 0.85}
        style |= {"marker": "^", "mfc": "none"} if np.isinf(result.n_equiv) else {"marker": "o"}
        bars = np.abs([[[y - low], [high - y]], [[x - left], [right - x]]])
        ax.errorbar(x, y, *bars, label=TITLES[kind] if n == MIDDLE else None, **style)
        key = f"{question}_{kind}_{PLACES.get(n, n)}"
        page.record(key, result.G, result.interval, result.level, digits=2)
        page.record(f"{key}_true", truths[kind, n][0] / n, digits=2)
    ax.set(xscale="log", yscale="log", xlim=limits, ylim=limits, title=title, aspect="equal")
    ax.set(xlabel=r"$n_{\rm equiv}$ true", ylabel=r"$n_{\rm equiv}$ estimated")
    ax.label_outer()
    inside = [r.n_equiv_interval.low <= truths[key][0] <= r.n_equiv_interval.high for key, r in results.items()]
    page.record(f"{question}_holds", int(sum(inside)))
    return {f"{kind} {n}": [r.n_equiv, *r.n_equiv_interval, *truths[kind, n]] for (kind, n), r in results.items()}


def expected(N):
    """For N calibrated members: 68.3 % range of estimated / true n_equiv of a region, and share of intervals with the truth."""
    pull_squared, width = stats.f(1, N - 1, scale=1 + 1 / N), stats.chi2.ppf([0.1585, 0.8415], N - 1) / (N - 1)
    return 1 - 1 / N + pull_squared.ppf([0.1585, 0.8415]), -np.diff(pull_squared.cdf(1 / width - 1 + 1 / N))[0]


page.record("holds_expected", 100 * expected(N)[1], digits=2)
figure, axes = plt.subplots(2, 3, figsize=(11, 8.2), sharex=True, sharey=True)
truths, data = {}, {}
for ax, o in zip(axes.ravel(), INNER, strict=True):
    results = {key: here["averaging"][o] for key, here in ensembles.items()}
    truths[o] = {key: (result.n_equiv_true,) * 3 for key, result in results.items()}
    ax.fill_between([1, 1e9], *np.outer(expected(N)[0], [1, 1e9]), color="0.5", alpha=0.15, lw=0)
    data[o] = confront(ax, o, results, truths[o], f"regions of {LABELS[o]}" if o in LABELS else "large mass")
plots.shared_legend(axes.ravel(), columns=len(TITLES))
page.figure(figure, "known_averaging", data)

# %% [markdown]
# In the mass most estimates are near the truth; in $p_T$ those of the transformer are not. With {glue:text}`known_truth_n_largest` training events it is said to be worth {glue:text}`known_truth_pT_top_transformer_largest` training samples ({glue:text}`known_truth_pT_top_transformer_largest_low` to {glue:text}`known_truth_pT_top_transformer_largest_high`), and is worth {glue:text}`known_truth_pT_top_transformer_largest_true`. {numref}`fig-known-shared` shows how well its members agree with each other, and how well with the truth. Their networks are alike and were all trained for the same few steps, and what they have in common no spread can reveal. It is what {ref}`the tail of the rings <sec-averaging>` showed, but in the bulk.
#
# The intervals are made for the members' own spread. That of {glue:text}`known_truth_members` calibrated members holds the truth of a single region in {glue:text}`known_truth_holds_expected` % of cases. Found, of {glue:text}`known_truth_ensembles` each: {glue:text}`known_truth_m_tt_holds` in $m$, {glue:text}`known_truth_y_tt_holds` in $Y$, {glue:text}`known_truth_cos_theta_holds` in $\cos\theta^*$, {glue:text}`known_truth_phi_holds` in $\phi$, {glue:text}`known_truth_pT_top_holds` in $p_T$, {glue:text}`known_truth_tail_holds` for large mass. (The questions to one ensemble are not independent.)

# %% mystnb={"figure": {"name": "fig-known-shared", "caption": "Integrals of the members over the regions of the transverse momentum, divided by the exact ones, for the largest training samples. Grey: statistical uncertainty of as many true events."}, "image": {"alt": "One panel for each generator with a line for each member around one. What the lines of a panel have in common is what their spread does not show."}} tags=["hide-input"]
figure, axes = plt.subplots(1, len(TITLES), figsize=(3.7 * len(TITLES), 3.5), sharey=True)
exact, data = INNER["pT_top"][1], {"region": np.arange(2, n_regions)}
error = np.sqrt((1 - exact) / exact / SIZES[-1])
for ax, (kind, title) in zip(axes, TITLES.items(), strict=True):
    share = ensembles[kind, SIZES[-1]]["integrals", "pT_top"] / exact
    ax.fill_between(data["region"], 1 - error, 1 + error, color="0.85", lw=0)
    ax.plot(data["region"], share.T, color=plots.GENERATORS[kind], lw=0.8, marker=".", ms=4)
    ax.set(xlabel="region of $p_T$", ylabel="integral / exact", title=title, xticks=range(2, n_regions, 4))
    ax.label_outer()
    data |= {f"{kind} {k}": values for k, values in enumerate(share)}
page.figure(figure, "known_shared", data)

# %% [markdown]
# (sec-known-differential)=
# ## Differential
#
# Each member's events are compared with the fresh reference and, as in the paper, with the training data: in the mass all of them, in the likelihood ratio up to {glue:text}`known_truth_n_ratio` of either, since the exact divergence of a flow is expensive. The truth needs no reference. In the mass it is the distance to the exact distribution function, in the likelihood ratio the *total variation* of the densities,
#
# $$ D_{\rm LR} = \max_c \big| P_{\rm true}({\rm LR}<c) - P_{\rm gen}({\rm LR}<c) \big| = \big\langle \max(0,\, 1 - p_{\rm true}/p_{\rm gen}) \big\rangle_{\rm gen}, \qquad n_{\rm equiv} = (\langle K\rangle / D_{\rm LR})^2 , $$
#
# because the difference is largest at $c=1$. As an average, and not the maximum of a fluctuating curve, it is found with few events.


# %% tags=["hide-input"]
def ks(reference, values):
    """Kolmogorov-Smirnov distance of two samples."""
    test = KolmogorovSmirnov(reference)
    test.update(values)
    return test.distance


SUMMARIES, tested, rows = {"m": "$m$", "LR": "LR$_{truth}$"}, {}, []
for summary, ((kind, n), here) in product(SUMMARIES, ensembles.items()):
    if summary == "m":
        distances = [float(distance_to_density(true_cdf("m_tt", masses))) for masses in here["m"]]
        result = differential.combine([differential.from_distances([d], np.inf, N_GEN, n) for d in distances])
        true_n_equiv = result.n_equiv, *result.n_equiv_interval
    else:
        parts = 1 - np.exp(np.minimum(np.nan_to_num(here["LR"], nan=-np.inf), 0))  # lost events are not true
        error = np.sqrt(parts.var(axis=1).sum() / parts.shape[1]) / len(parts)
        true_n_equiv = tuple((MEAN / (parts.mean() + shift)) ** 2 for shift in (0, error, -error))
    truths.setdefault(summary, {})[kind, n] = true_n_equiv
    true, low, high = (rounded(end / n, 2) for end in true_n_equiv)
    rows.append([SUMMARIES[summary], TITLES[kind], n, f"{true} ({low} to {high})"])
    for name, label in (("fresh", "holdout"), ("training", "training")):
        distances = [ks(*pair) for pair in zip(here[summary, name], here[summary], strict=True)]
        n_gen, n_ref = here[summary][0].size, here[summary, name][0].size
        result = differential.from_distances(distances, n_gen, n_ref, n, reference_is=label)
        tested.setdefault((summary, name), {})[kind, n] = result
        rows[-1].append(f"$G${result.words}")
markdown_table(["", "generator", r"$n_\mathrm{train}$", "true $G$", "fresh reference", "training data (biased)"], rows)

# %% mystnb={"figure": {"name": "fig-known-differential", "caption": "Differential estimates against truth, with 68.3 % intervals; markers as before."}, "image": {"alt": "Four log-log panels of estimated against true number of equivalent events, for mass and likelihood ratio. Markers for fresh references and for the training data, and the diagonal."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 4, figsize=(13.5, 4.2), sharex=True, sharey=True)
data = {}
for ax, ((summary, name), results) in zip(axes, tested.items(), strict=True):
    title = f"{SUMMARIES[summary]}, {'fresh events' if name == 'fresh' else 'training data'}"
    data[title] = confront(ax, f"{summary}_{name}", results, truths[summary], title)
plots.shared_legend(axes, columns=len(TITLES))
page.figure(figure, "known_differential", data)

# %% [markdown]
# With fresh references {glue:text}`known_truth_m_fresh_holds` of {glue:text}`known_truth_ensembles` intervals hold the truth in the mass, and {glue:text}`known_truth_LR_fresh_holds` in the likelihood ratio; 68.3 % are promised. In the mass a new reference costs next to nothing. With {glue:text}`known_truth_references` for each training size {glue:text}`known_truth_coverage` % of the intervals hold it, and {glue:text}`known_truth_coverage_worst` % for the least favourable ensemble: they are made for the worst shape of the difference ({ref}`sec-ks-interval`), and are longer than need be for this one. In the likelihood ratio the estimates come out low, by a median factor of {glue:text}`known_truth_LR_low`: the difference has a broad maximum at $c=1$, where fluctuations only add, and by more than Eq. (36) takes off.
#
# With the training data as reference only {glue:text}`known_truth_LR_training_holds` hold it in the likelihood ratio. The transformer with the fewest training events reaches $G=$ {glue:text}`known_truth_LR_training_transformer_smallest` (at least {glue:text}`known_truth_LR_training_transformer_smallest_low`), where {glue:text}`known_truth_LR_training_transformer_smallest_true` is right: training has drawn it towards these very events, and the most sensitive summary shows it most. More training events do not always help: the spline flow with the most has at least {glue:text}`known_truth_LR_training_spline_largest_low` instead of {glue:text}`known_truth_LR_training_spline_largest_true`.

# %% tags=["nbval-check-output", "hide-input"]
covered, rng = dict.fromkeys(ensembles, 0.0), page.rng(101)
for n, _ in product(SIZES, range(n_references)):
    reference = m_tt(process.sample(n, rng))
    for kind in TITLES:
        samples = ensembles[kind, n]["m"]
        low, high = differential.from_samples(samples, reference, n, n_gen=N_GEN).n_equiv_interval
        covered[kind, n] += (low <= truths["m"][kind, n][0] <= high) / n_references
page.record("coverage", 100 * (mean := np.mean(list(covered.values()))), digits=2)
page.record("coverage_worst", 100 * min(covered.values()), digits=2)
page.record("LR_low", np.median([r.n_equiv / truths["LR"][k][0] for k, r in tested["LR", "fresh"].items()]), digits=2)
print("intervals hold the truth in the mass at least as often as promised:", mean > 0.683)
print("no summary is as sharp as the likelihood ratio:", all(truths["LR"][k][0] < truths["m"][k][2] for k in ensembles))

# %% [markdown]
# (sec-known-answers)=
# ## Which generator amplifies most?
#
# It depends on the question and on the number of training events, here as on the other pages ({ref}`sec-amplifies`): see {numref}`fig-known-answers`, and the table below it for the generator that is ahead with the fewest and with the most training events. For $G$ to stay constant from {glue:text}`known_truth_n_smallest` to {glue:text}`known_truth_n_largest` training events, $n_{\rm equiv}$ would have to grow by a factor {glue:text}`known_truth_growth_n`. In the likelihood ratio it grows by {glue:text}`known_truth_growth_LR_transformer` for the transformer, {glue:text}`known_truth_growth_LR_autoregressive` for the autoregressive generator and {glue:text}`known_truth_growth_LR_spline` for the spline flow. A generator whose $n_{\rm equiv}$ grows less than its training sample is limited by something else than the number of events, such as its size or the length of its training.

# %% mystnb={"figure": {"name": "fig-known-answers", "caption": "True number of equivalent events against training events; on the line $G=1$. Left: averaging. Right: differential."}, "image": {"alt": "Four log-log panels of true n_equiv against n_train for three generators. A line for each generator and the diagonal, on which G is one."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 4, figsize=(13.5, 3.9), sharey=True)
titles, data = ("regions of $m$", "regions of $p_T$", "distance in $m$", "distance in LR$_{truth}$"), {"n_train": SIZES}
for ax, question, title in zip(axes, ("m_tt", "pT_top", *SUMMARIES), titles, strict=True):
    ax.plot(SIZES, SIZES, color=plots.TRUE, lw=0.8)
    for kind in TITLES:
        values = data[f"{question} {kind}"] = [truths[question][kind, n][0] for n in SIZES]
        page.record(f"growth_{question}_{kind}", values[-1] / values[0], digits=2)
        ax.plot(SIZES, values, color=plots.GENERATORS[kind], marker="o", label=TITLES[kind])
    ax.set(xscale="log", yscale="log", xlabel=r"$n_{\rm train}$", ylabel=r"$n_{\rm equiv}$ true", title=title)
    ax.label_outer()
plots.shared_legend(axes, columns=len(TITLES))
page.figure(figure, "known_answers", data)

# %% tags=["hide-input"]
rows = []
for question, title in zip(("m_tt", "pT_top", *SUMMARIES), titles, strict=True):
    ahead = [TITLES[max(TITLES, key=lambda kind: truths[question][kind, n][0])] for n in (SIZES[0], SIZES[-1])]
    above = sum(truths[question][key][0] > key[1] for key in ensembles)
    rows.append([title, *ahead, f"{above} of {len(ensembles)}"])
sizes_of = [f"ahead with {n} training events" for n in (SIZES[0], SIZES[-1])]
markdown_table(["question", *sizes_of, "ensembles with a true $G>1$"], rows)

# %% [markdown]
# *What the laptop size cannot show.* {glue:text}`known_truth_members` members resolve $G$ poorly, as the bars show, and there is one training set for each size. The networks are small and trained for seconds: the order of the generators says nothing about what they can do at the sizes of the profile *paper*. An $n_{\rm equiv}$ above {glue:text}`known_truth_n_gen`, the number of generated events, is known only roughly, be it estimated or true, and the region of Eq. (43) cannot be tested.
#
# ## Exercises
#
# ```{exercise}
# :label: ex-known-tv
# Compute $D_{\rm LR}$ from true events instead of generated ones. By how much does the largest difference of two samples' distribution functions exceed it?
# ```
#
# ````{solution} ex-known-tv
# :class: dropdown
# It is the average of $\max(0, 1-p_{\rm gen}/p_{\rm true})$ over true events, and the same only if both densities are normalised. The difference of samples contains their fluctuation, about $\sqrt{1/n_{\rm ref}+1/\ngen}$, of which Eq. (36) takes off a part.
# ````

# %% tags=["hide-input", "hide-output"]
for kind, title in TITLES.items():
    references, generated = ensembles[kind, MIDDLE]["LR", "fresh"], ensembles[kind, MIDDLE]["LR"]
    of_true = (1 - np.exp(np.minimum(-np.array(references), 0))).mean()
    distance = np.mean([ks(*pair) for pair in zip(references, generated, strict=True)])
    of_generated = MEAN / truths["LR"][kind, MIDDLE][0] ** 0.5
    print(f"{title}: {of_generated:.3f} from generated, {of_true:.3f} from true events; samples {distance:.3f}")

# %% [markdown]
# ```{exercise}
# :label: ex-known-members
# Would more members help? Use `expected` for up to 100 calibrated ones.
# ```
#
# ````{solution} ex-known-members
# :class: dropdown
# They determine their own spread better, and the interval of $G$ becomes shorter. But the truth stays where it is, a further throw away from their mean, and the shorter interval holds it less often. What more members do not show is how far all of them are off.
# ````

# %% tags=["hide-input", "hide-output"]
for members in (4, 10, 30, 100):
    (low, high), share = expected(members)
    print(f"{members} members: estimated / true from {low:.2f} to {high:.2f}, interval holds the truth in {share:.0%}")
