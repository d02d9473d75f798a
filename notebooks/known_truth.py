# %% [markdown]
# (sec-known-truth)=
# # With known truth
#
# How far can an estimated amplification be trusted? On LHC events the paper compares it with a holdout, as far as that reaches. Here the generators learn the {ref}`leading-order process <sec-leading-order>`, whose density is known exactly, so that every estimate has a true value beside it: of both estimators, for {glue:text}`known_truth_kinds` kinds of generator, and for
# {glue:text}`known_truth_n_smallest` to {glue:text}`known_truth_n_largest` training events. This is the validation that the paper could not do on a physics process. Do the estimates agree with the truth? Do their intervals hold it as often as promised? And which generator amplifies most?

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats

from gampl import averaging, differential, event_ensembles, event_studies, plots
from gampl.calibration import expected_rms_pull, pulls
from gampl.event_settings import DENSITIES, LeadingOrder, Solver
from gampl.kolmogorov import MEAN, KolmogorovSmirnov, distance_to_density
from gampl.likelihood_ratio import exact_log_ratio
from gampl.pages import Page, markdown_table, rounded
from gampl.processes.leading_order_coordinates import m_tt
from gampl.regions import Intervals

page = Page("known_truth", profile, seed)
n_truth, n_regions, tail, n_ratio, n_references = (
    page.settings[k] for k in ("n_truth", "regions", "tail", "n_ratio", "references")
)
plan = {name: t for name, t in event_studies.trainings(profile, seed).items() if name.startswith("leading_order")}
SIZES = sorted({t.n_train for t in plan.values()})
MIDDLE, PLACES = SIZES[len(SIZES) // 2], {SIZES[0]: "smallest", SIZES[-1]: "largest"}
TITLES = {kind: event_studies.TITLES[kind] for kind in dict.fromkeys(t.generator.kind for t in plan.values())}
N_GEN = event_studies.n_gen(profile, next(iter(plan)))
process = event_ensembles.leading_order_process(LeadingOrder())
LABELS = {"m_tt": "$m$", "y_tt": "$Y$", "cos_theta": r"$\cos\theta^*$", "pT_top": "$p_T$", "tail": "large mass"}

# %% [markdown]
# ## Questions and generators
#
# *Regions:* {glue:text}`known_truth_regions` intervals of about equal probability in the mass $m$ and rapidity $Y$ of the pair, in $\cos\theta^*$ and in the transverse momentum $p_T$ of the tops; as on the rings the outer two are left out. And one region of large mass. That of Eq. (43), 2.0 to 2.2 TeV, has a probability of $2.8\cdot10^{-4}$ here ({ref}`sec-lo-region`), too
# few events for this size. We take the {glue:text}`known_truth_tail_percent` % above {glue:text}`known_truth_tail_edge` GeV. All probabilities come from quadrature. *Summaries:* the mass, and the true likelihood ratio.
#
# All members of an ensemble have the same training events. Each makes {glue:text}`known_truth_n_gen` events, and is left out if its training failed or more than one in a thousand of its events is not finite; the table says which were. Each ensemble gets a *fresh* reference of its own, as many true events as it was trained on.

# %% tags=["hide-input"]
truth_sample = process.sample(n_truth, page.rng(0))
VALUES = {o: np.sort(process.observables[o](truth_sample)) for o in LABELS if o != "tail"}
REGIONS = {o: Intervals.quantiles(truth_sample, n_regions, process.observables[o]) for o in VALUES}
REGIONS["tail"] = Intervals(np.quantile(VALUES["m_tt"], 1 - tail), np.inf, m_tt)
EXACT = {o: process.integrals(regions) for o, regions in REGIONS.items()}
INNER = {o: slice(None) if o == "tail" else slice(1, -1) for o in REGIONS}


def log_ratios(one, events):
    """LR_truth of events (n, 4) for one member, (n,)."""
    return exact_log_ratio(process.log_prob, one.log_prob)(events)


def read(kind, n_train, stream):
    """All that the page needs of one ensemble."""
    name = event_studies.leading_order(n_train, kind)
    ensemble = event_ensembles.ensemble(name, profile, seed)
    events = [ensemble.sample(k, N_GEN, seed) for k in range(len(ensemble))]
    grid, found = np.geomspace(N_GEN / 100, N_GEN, 12).round().astype(int), {"ensemble": ensemble, "averaging": {}}
    for o, regions in REGIONS.items():
        counts = averaging.count_stream(([x] for x in events), regions, grid)[0][:, :, INNER[o]]
        found["averaging"][o] = averaging.from_counts(counts, grid, n_train, truth=EXACT[o][INNER[o]])
        found["integrals", o] = counts[-1] / N_GEN  # (members, regions)
    found["events"] = [x[:n_ratio] for x in events]
    found["m"], found["LR"] = (
        [np.sort(m_tt(x)) for x in events],
        list(map(log_ratios, ensemble.members, found["events"])),
    )
    training = event_ensembles.training_events(plan[f"{name}/0"], profile)
    for name, reference in (("fresh", process.sample(n_train, page.rng(stream))), ("training", training)):
        found["m", name] = [m_tt(reference)] * len(ensemble)
        found["LR", name] = [log_ratios(one, reference[:n_ratio]) for one in ensemble.members]
    for one in ensemble.members:
        page.count_training(one.member.history.seconds, one.member.history.device)
    return found


ensembles = {key: read(*key, 1 + i) for i, key in enumerate(product(TITLES, SIZES))}
rows = []
for kind, title in TITLES.items():
    parts = {n: ensembles[kind, n]["ensemble"] for n in SIZES}
    left_out = [f"{n}: member {k}, {why}" for n, part in parts.items() for k, why in part.excluded.items()]
    rows.append([title, ", ".join(str(len(part)) for part in parts.values()), "; ".join(left_out) or "none"])
N = min(len(here["ensemble"]) for here in ensembles.values())
sizes = {f"n_{place}": n for n, place in PLACES.items()} | {"n_middle": MIDDLE, "n_gen": N_GEN, "n_ratio": n_ratio}
sizes |= {"members": N, "ensembles": len(ensembles), "references": n_references, "regions": n_regions}
for name, value in (sizes | {"kinds": len(TITLES), "tail_edge": REGIONS["tail"].low[0]}).items():
    page.record(name, value)
page.record("tail_percent", 100 * EXACT["tail"][0], digits=2)
markdown_table(["generator", f"members, $n_\\mathrm{{train}}$ = {', '.join(map(str, SIZES))}", "left out"], rows)

# %% [markdown]
# (sec-known-density)=
# ## Is the generators' density right?
#
# The likelihood ratio needs $p_{\rm gen}$: of a flow by integrating the divergence of its velocity, and of all generators with the Jacobian of the coordinates. A mistake there would look like a bad generator. But generated events with weights $w=p_{\rm true}/p_{\rm gen}$ follow the *true* density, however bad the generator: the mean weight is one, and the weighted distribution of each coordinate the exact one. The table tests this with
# {glue:text}`known_truth_n_ratio` events of each member for $\ntrain=$ {glue:text}`known_truth_n_middle` (the scale of the weighted Kolmogorov-Smirnov distance is found by multiplying each event's contribution with a normal number, many times). Every second row leaves out the Jacobian on purpose. The solver of the flow takes few steps; four times as many change its log density by {glue:text}`known_truth_solver_error` on average.


# %% tags=["hide-input"]
def true_cdf(o, values):
    """Distribution function of an observable: exact at the edges of the regions, in between by the large sample."""
    if o == "phi":
        return 0.5 + values / (2 * np.pi)
    below = np.searchsorted(VALUES[o], values) / n_truth
    return np.interp(below, np.linspace(0, 1, n_regions + 1), np.minimum([0, *np.cumsum(EXACT[o])], 1))


def weighted_p_value(o, events, weights, rng, multipliers=200):
    """p-value of the Kolmogorov-Smirnov distance of weighted events to the exact distribution."""
    values = process.observables[o](events)
    order = np.argsort(values)
    w, F = weights[order] / weights.sum(), true_cdf(o, values[order])
    distance = np.maximum(np.abs(np.cumsum(w) - F), np.abs(np.cumsum(w) - w - F)).max()
    noise = rng.normal(size=(multipliers, w.size)) * w
    scale = np.abs(np.cumsum(noise, axis=1) - F * noise.sum(axis=1, keepdims=True)).max(axis=1).mean()
    return stats.kstwobign.sf(MEAN * distance / scale)


rows, p_values, off, solver_error, rng = [], [], [], dict.fromkeys(TITLES, 0.0), page.rng(100)
coordinates = {o: LABELS[o] for o in ("m_tt", "y_tt", "cos_theta")} | {"phi": r"$\phi$"}
for kind, title in TITLES.items():
    here = ensembles[kind, MIDDLE]
    events, generator = np.concatenate(here["events"]), here["ensemble"].members[0].member.generator
    x = torch.from_numpy(events)
    if kind not in DENSITIES:
        solver = event_studies.solver(profile)
        finer = generator.log_prob(x[:100], solver=Solver(solver.method, 4 * solver.steps))
        solver_error[kind] = float((finer - generator.log_prob(x[:100])).abs().mean())
    log_jacobian = generator.coordinates.log_jacobian(generator.coordinates.to_network(x)).numpy()
    for name, extra in (("complete", 0.0), ("without Jacobian", log_jacobian)):
        weights = np.exp(np.concatenate(here["LR"]) + extra)
        mean, error = weights.mean(), weights.std() / np.sqrt(weights.size)
        p_values.append([weighted_p_value(o, events, weights, rng) for o in coordinates])
        off.append((abs(mean - 1) - solver_error[kind]) / error)
        rows.append([title, name, f"{mean:.3g} ± {error:.1g}", *(f"{p:.1g}" for p in p_values[-1])])
        if name == "complete":
            page.record(f"weight_{kind}", mean, [mean - 1.96 * error, mean + 1.96 * error], 0.95)
page.record("solver_error", max(solver_error.values()), digits=2)
markdown_table(["generator", "density", "mean weight", *(f"$p$ of {label}" for label in coordinates.values())], rows)

# %% tags=["nbval-check-output", "hide-input"]
print("mean weights are one, within 4 standard errors beyond the solver's error:", max(off[::2]) < 4)
print("weighted events follow all four exact distributions, p-values above 1e-4:", np.min(p_values[::2]) > 1e-4)
print("without the Jacobian no mean weight is one:", min(off[1::2]) > 4)

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
    ax.set_ylabel("" if data else "uncertainty of the integral")
    data[kind] = result.to_dict()["curve"]
plots.shared_legend(axes, columns=4)
page.figure(figure, "known_curves", data)

# %% [markdown]
# Now more regions and all training sizes. The *pull* is the deviation of the members' mean from the truth in units of their spread, root mean square over the regions; calibrated ensembles of {glue:text}`known_truth_members` would have {glue:text}`known_truth_expected_pull`. For $N$ members and one region, and as long as the noise of counting is small, it says by how much the estimate is off:
#
# ```{math}
# :label: eq-known-pull
# G / G_{\rm true} = 1 - 1/N + {\rm pull}^2 , \qquad {\rm pull}^2 \sim (1 + 1/N)\, F_{1, N-1} \;\text{ if calibrated,}
# ```
#
# with Fisher's $F$. The true $G$ is that of these members and is counted, too; where the noise of counting exceeds the deviation it is ∞.

# %% tags=["hide-input"]
page.record("expected_pull", expected_rms_pull(N) if N >= 4 else np.inf)
rows, held = [], {kind: [] for kind in TITLES}
for (kind, n), here in ensembles.items():
    row = [TITLES[kind], n]
    for o, result in here["averaging"].items():
        held[kind].append(result.n_equiv_interval.low <= result.n_equiv_true <= result.n_equiv_interval.high)
        if o in ("m_tt", "pT_top", "tail"):
            pull = np.sqrt(np.mean(pulls(here["integrals", o], EXACT[o][INNER[o]]) ** 2))
            row.append(f"$G${result.words}; true {rounded(result.G_true, 2)}; pull {pull:.1f}")
            if n in PLACES:
                page.record(f"{o}_{kind}_{PLACES[n]}", result.G, result.interval, result.level, digits=2)
                page.record(f"{o}_{kind}_{PLACES[n]}_true", result.G_true, digits=2)
    rows.append(row)
for kind in TITLES:
    page.record(f"holds_{kind}", sum(held[kind]))
page.record("questions", len(held[kind]))
markdown_table(["generator", r"$n_\mathrm{train}$", "regions of $m$", "regions of $p_T$", "large mass"], rows)


# %% mystnb={"figure": {"name": "fig-known-averaging", "caption": "Averaging estimate against truth, with 68.3 % intervals; the larger the marker, the more training events. On the diagonal the estimate is right. Shaded: where 68.3 % of calibrated ensembles of so few members would lie, for a single region. Open triangles at an edge: not resolved, the bar begins at the lower limit."}, "image": {"alt": "Five log-log panels of estimated against true number of equivalent events: regions of mass, rapidity, cosine, transverse momentum, and the region of large mass. Most points lie on the diagonal or in the band, those of the transformer in transverse momentum far above."}} tags=["hide-input"]
def scatter(ax, results, truths, title):
    """Estimated against true n_equiv of all ensembles, with intervals; returns the numbers."""
    highest = 100 * max(SIZES)
    limits = 10, highest
    ax.plot(limits, limits, color=plots.TRUE, lw=0.8)
    for (kind, n), result in results.items():
        (true, left, right), (low, high) = np.minimum(truths[kind, n], highest), result.n_equiv_interval
        x, y = min(true, 0.7 * highest), min(result.n_equiv, 0.7 * highest)
        marker = ">" if true > x else "^" if result.n_equiv > y else "o"
        bars = np.abs([[[y - low], [min(high, highest) - y]], [[x - left], [right - x]]])
        style = {"color": plots.GENERATORS[kind], "ms": 3.5 + 2.5 * SIZES.index(n), "lw": 1.0, "alpha": 0.85}
        label = TITLES[kind] if n == MIDDLE else None
        ax.errorbar(x, y, *bars, marker=marker, mfc=None if marker == "o" else "none", label=label, **style)
    ax.set(xscale="log", yscale="log", xlim=limits, ylim=limits, title=title, aspect="equal")
    return {f"{kind} {n}": [r.n_equiv, *r.n_equiv_interval, *truths[kind, n]] for (kind, n), r in results.items()}


def expected(N):
    """For N calibrated members: 68.3 % range of estimated / true n_equiv of a region, and share of intervals with the truth."""
    pull_squared, width = stats.f(1, N - 1, scale=1 + 1 / N), stats.chi2.ppf([0.1585, 0.8415], N - 1) / (N - 1)
    return 1 - 1 / N + pull_squared.ppf([0.1585, 0.8415]), -np.diff(pull_squared.cdf(1 / width - 1 + 1 / N))[0]


figure, axes = plt.subplots(2, 3, figsize=(11, 7.9), sharex=True, sharey=True)
data = {}
for ax, o in zip(axes.ravel(), REGIONS, strict=False):
    results = {key: here["averaging"][o] for key, here in ensembles.items()}
    ax.fill_between([1, 1e9], *np.outer(expected(N)[0], [1, 1e9]), color="0.5", alpha=0.15, lw=0)
    truths = {key: (r.n_equiv_true,) * 3 for key, r in results.items()}
    data[o] = scatter(ax, results, truths, f"{'' if o == 'tail' else 'regions of '}{LABELS[o]}")
axes[1, 2].set_axis_off()
axes[1, 2].legend(*axes[0, 0].get_legend_handles_labels(), loc="center")
figure.supxlabel(r"$n_{\rm equiv}$ true", fontsize=10)
figure.supylabel(r"$n_{\rm equiv}$ estimated", fontsize=10)
page.figure(figure, "known_averaging", data)

# %% [markdown]
# In the mass most estimates are near the truth; in $p_T$ those of the transformer are not. With {glue:text}`known_truth_n_largest` training events it is said to be worth {glue:text}`known_truth_pT_top_transformer_largest` training samples ({glue:text}`known_truth_pT_top_transformer_largest_low` to {glue:text}`known_truth_pT_top_transformer_largest_high`), and is worth {glue:text}`known_truth_pT_top_transformer_largest_true`.
# {numref}`fig-known-shared` shows why: its members agree with each other better than with the truth. Their networks are alike and were all trained for the same few steps, and what they have in common no spread can reveal. It is what {ref}`the tail of the rings <sec-averaging>` showed, but in the bulk.
#
# The intervals are made for the members' own spread. That of a calibrated ensemble of {glue:text}`known_truth_members` holds the truth of a single region in {glue:text}`known_truth_holds_expected` % of cases. Found: {glue:text}`known_truth_holds_transformer` of {glue:text}`known_truth_questions` (transformer), {glue:text}`known_truth_holds_autoregressive` (autoregressive), {glue:text}`known_truth_holds_spline` (spline flow); the five questions to one ensemble are not independent.

# %% mystnb={"figure": {"name": "fig-known-shared", "caption": "Integrals of the members over the regions of the transverse momentum, divided by the exact ones, for the largest training samples. Grey: statistical uncertainty of as many true events."}, "image": {"alt": "One panel for each generator with a line for each member around one. Those of the transformer share a wave that is several times wider than their spread."}} tags=["hide-input"]
page.record("holds_expected", 100 * expected(N)[1], digits=2)
figure, axes = plt.subplots(1, len(TITLES), figsize=(3.7 * len(TITLES), 3.5), sharey=True)
exact, below = EXACT["pT_top"][1:-1], np.cumsum(EXACT["pT_top"])[:-1]
centres, error = below[1:] - 0.5 * exact, np.sqrt((1 - exact) / exact / SIZES[-1])
data = {"distribution function": centres}
for ax, (kind, title) in zip(axes, TITLES.items(), strict=True):
    share = ensembles[kind, SIZES[-1]]["integrals", "pT_top"] / exact
    ax.fill_between(centres, 1 - error, 1 + error, color="0.85", lw=0)
    ax.plot(centres, share.T, color=plots.GENERATORS[kind], lw=0.8, marker=".", ms=4)
    ax.axhline(1, color=plots.TRUE, lw=0.8)
    ax.set(xlabel="true distribution function of $p_T$", xlim=(0, 1), title=title)
    data |= {f"{kind} {k}": values for k, values in enumerate(share)}
axes[0].set_ylabel("integral / exact")
page.figure(figure, "known_shared", data)

# %% [markdown]
# (sec-known-differential)=
# ## Differential
#
# Each member's events are compared with the fresh reference and, as in the paper, with the training data: in the mass all of them, in the likelihood ratio up to {glue:text}`known_truth_n_ratio` of either, since the exact divergence of a flow is expensive. The truth needs no reference. In the mass it is the distance to the exact distribution function, in the likelihood ratio the *total variation* of the densities,
#
# ```{math}
# :label: eq-known-tv
# D_{\rm LR} = \max_c \big| P_{\rm true}({\rm LR}<c) - P_{\rm gen}({\rm LR}<c) \big| = \big\langle \max(0,\, 1 - p_{\rm true}/p_{\rm gen}) \big\rangle_{\rm gen}, \qquad n_{\rm equiv} = (\langle K\rangle / D_{\rm LR})^2 ,
# ```
#
# because the difference is largest at $c=1$. As an average, and not the maximum of a fluctuating curve, it is found with few events.


# %% tags=["hide-input"]
def ks(reference, values):
    """Kolmogorov-Smirnov distance of two samples."""
    test = KolmogorovSmirnov(reference)
    test.update(values)
    return test.distance


def true_n_equiv(summary, here, n):
    """n_equiv from the distance to the true density, and its 68.3 % interval."""
    if summary == "m":
        distances = [float(distance_to_density(true_cdf("m_tt", masses))) for masses in here["m"]]
        result = differential.combine([differential.from_distances([d], np.inf, N_GEN, n) for d in distances])
        return result.n_equiv, *result.n_equiv_interval
    parts = np.maximum(0, 1 - np.exp(here["LR"]))
    distance, error = parts.mean(), np.sqrt(parts.var(axis=1).sum() / parts.shape[1]) / len(parts)
    return tuple((MEAN / d) ** 2 for d in (distance, distance + error, distance - error))


tested, truths, rows, SUMMARIES = {}, {"m": {}, "LR": {}}, [], {"m": "$m$", "LR": "LR$_{truth}$"}
for summary, ((kind, n), here) in product(SUMMARIES, ensembles.items()):
    truths[summary][kind, n] = true_n_equiv(summary, here, n)
    true, *interval = (end / n for end in truths[summary][kind, n])
    rows.append(
        [SUMMARIES[summary], TITLES[kind], n, f"{rounded(true, 2)} ({' to '.join(rounded(x, 2) for x in interval)})"]
    )
    key = f"{summary}_{kind}_{PLACES.get(n, n)}"
    page.record(f"{key}_true", true, interval, 0.683, digits=2)
    for name, label in (("fresh", "holdout"), ("training", "training")):
        distances = [ks(*pair) for pair in zip(here[summary, name], here[summary], strict=True)]
        n_ref, n_gen = here[summary, name][0].size, here[summary][0].size
        result = differential.from_distances(distances, n_gen, n_ref, n, reference_is=label)
        tested.setdefault((summary, name), {})[kind, n] = result
        rows[-1].append(f"$G${result.words}")
        page.record(f"{key}_{name}", result.G, result.interval, result.level, digits=2)
header = ["generator", r"$n_\mathrm{train}$", "true $G$", "fresh reference", "training data (biased)"]
markdown_table(["summary", *header], rows)

# %% mystnb={"figure": {"name": "fig-known-differential", "caption": "Differential estimates against truth, with 68.3 % intervals; markers as before."}, "image": {"alt": "Four log-log panels of estimated against true number of equivalent events, for mass and likelihood ratio. With fresh references the points lie around the diagonal, with the training data most lie above it."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 4, figsize=(13.5, 4.2), sharex=True, sharey=True)
data = {}
for ax, ((summary, name), results) in zip(axes, tested.items(), strict=True):
    title = f"{SUMMARIES[summary]}, {'fresh events' if name == 'fresh' else 'training data'}"
    data[title] = scatter(ax, results, truths[summary], title)
    ax.set_xlabel(r"$n_{\rm equiv}$ true")
axes[0].set_ylabel(r"$n_{\rm equiv}$ estimated")
plots.shared_legend(axes, columns=len(TITLES))
page.figure(figure, "known_differential", data)

# %% [markdown]
# With fresh references {glue:text}`known_truth_m_fresh_holds` of {glue:text}`known_truth_ensembles` intervals hold the truth in the mass and {glue:text}`known_truth_LR_fresh_holds` in the likelihood ratio; 68.3 % are promised. So few throws say little, but in the mass a new reference costs next to nothing: with {glue:text}`known_truth_references` for each training size {glue:text}`known_truth_coverage` % of the intervals hold it, for the least favourable ensemble
# {glue:text}`known_truth_coverage_worst` %. With the training data as reference {glue:text}`known_truth_m_training_holds` and {glue:text}`known_truth_LR_training_holds` do. The smallest transformer reaches $G=$ {glue:text}`known_truth_LR_transformer_smallest_training` (at least {glue:text}`known_truth_LR_transformer_smallest_training_low`) in the likelihood ratio, where {glue:text}`known_truth_LR_transformer_smallest_true` is right: training has drawn it towards these very events,
# and the most sensitive summary shows it most. With more training events the bias becomes smaller, but not for all: the largest spline flow still gets {glue:text}`known_truth_LR_spline_largest_training` (at least {glue:text}`known_truth_LR_spline_largest_training_low`) instead of {glue:text}`known_truth_LR_spline_largest_true`.

# %% tags=["nbval-check-output", "hide-input"]
for (summary, name), results in tested.items():
    inside = [r.n_equiv_interval.low <= truths[summary][k][0] <= r.n_equiv_interval.high for k, r in results.items()]
    page.record(f"{summary}_{name}_holds", sum(inside))
covered, rng = dict.fromkeys(ensembles, 0.0), page.rng(101)
for n, _ in product(SIZES, range(n_references)):
    reference = m_tt(process.sample(n, rng))
    for kind in TITLES:
        distances = [ks(reference, masses) for masses in ensembles[kind, n]["m"]]
        low, high = differential.from_distances(distances, N_GEN, n, n).n_equiv_interval
        covered[kind, n] += (low <= truths["m"][kind, n][0] <= high) / n_references
page.record("coverage", 100 * np.mean(list(covered.values())), digits=2)
page.record("coverage_worst", 100 * min(covered.values()), digits=2)
print("intervals hold the truth in the mass at least as often as promised:", np.mean(list(covered.values())) > 0.683)
print("no summary is as sharp as the likelihood ratio:", all(truths["LR"][k][0] < truths["m"][k][2] for k in ensembles))

# %% [markdown]
# (sec-known-answers)=
# ## Which generator amplifies most?
#
# It depends on the question and on the number of training events, as {numref}`fig-known-answers` shows: for regions most ensembles lie above the line $G=1$, for the likelihood ratio all lie far below it. From {glue:text}`known_truth_n_smallest` to {glue:text}`known_truth_n_largest` training events $n_{\rm equiv}$ in the likelihood ratio grows by a factor
# {glue:text}`known_truth_growth_transformer` for the transformer, {glue:text}`known_truth_growth_autoregressive` for the autoregressive generator and {glue:text}`known_truth_growth_spline` for the spline flow; $G$ stays constant if it grows by {glue:text}`known_truth_growth_n`. So $G$ falls: these networks have few parameters and few steps, and what limits them with many training events is not the events.

# %% mystnb={"figure": {"name": "fig-known-answers", "caption": "True number of equivalent events against training events; on the line $G=1$. Left: averaging. Right: differential."}, "image": {"alt": "Four log-log panels of true n_equiv against n_train for three generators. In regions of mass and transverse momentum most points are above the diagonal, for the distance in the mass around it, for the likelihood ratio far below."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 4, figsize=(13.5, 3.9), sharey=True)
by_region = {o: {key: here["averaging"][o].n_equiv_true for key, here in ensembles.items()} for o in ("m_tt", "pT_top")}
by_summary = {s: {key: value[0] for key, value in values.items()} for s, values in truths.items()}
titles, data = ("regions of $m$", "regions of $p_T$", "distance in $m$", "distance in LR$_{truth}$"), {}
for ax, title, values in zip(axes, titles, (by_region | by_summary).values(), strict=True):
    ax.plot(SIZES, SIZES, color=plots.TRUE, lw=0.8)
    for kind in TITLES:
        data[f"{title}, {kind}"] = [values[kind, n] for n in SIZES]
        ax.plot(SIZES, data[f"{title}, {kind}"], color=plots.GENERATORS[kind], marker="o", label=TITLES[kind])
    ax.set(xscale="log", yscale="log", xlabel=r"$n_{\rm train}$", title=title)
for kind in TITLES:
    page.record(f"growth_{kind}", truths["LR"][kind, SIZES[-1]][0] / truths["LR"][kind, SIZES[0]][0], digits=2)
page.record("growth_n", SIZES[-1] / SIZES[0], digits=2)
axes[0].set_ylabel(r"$n_{\rm equiv}$ true")
plots.shared_legend(axes, columns=len(TITLES))
page.figure(figure, "known_answers", {"n_train": SIZES} | data)

# %% [markdown]
# *What the laptop size cannot show.* {glue:text}`known_truth_members` members resolve $G$ to a factor of about six, and there is one training set for each size. The networks are small and trained for minutes: the order of the generators says nothing about what they can do at the sizes of the paper, for which there is the profile *paper*. With {glue:text}`known_truth_n_gen` events
# larger $n_{\rm equiv}$ than that are counted only roughly, and the paper's region of mass cannot be tested at all.
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
# With $p_{\rm gen}/p_{\rm true}$ for its inverse, $D_{\rm LR}$ is the same average over true events. The two agree only if both densities are normalised. The difference of samples contains their fluctuation, about $\sqrt{1/n_{\rm ref}+1/\ngen}$, which Eq. (36) takes off in quadrature.
# ````

# %% tags=["hide-input", "hide-output"]
for kind, title in TITLES.items():
    here = ensembles[kind, MIDDLE]
    of_generated = np.maximum(0, 1 - np.exp(here["LR"])).mean()
    of_true = np.maximum(0, 1 - np.exp(-np.array(here["LR", "fresh"]))).mean()
    distance = np.mean([ks(*pair) for pair in zip(here["LR", "fresh"], here["LR"], strict=True)])
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
