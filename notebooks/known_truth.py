# %% [markdown]
# (sec-known-truth)=
# # With known truth
#
# How far can one trust an estimated amplification? On LHC events the paper compares it with a holdout, as far as that reaches. Here the generators learn the {ref}`leading-order process <sec-leading-order>`, whose density is known exactly, so that every estimate has a true value beside it: of both estimators, for several generators, and for
# training samples of {glue:text}`known_truth_n_smallest` to {glue:text}`known_truth_n_largest` events. It is the validation that could not be made on the physics process of the paper. Three questions lead through the page. Do the estimates agree with the truth? Do their intervals hold it as often as they promise? And which generator amplifies most?

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
from gampl.amplification import Amplification
from gampl.calibration import expected_rms_pull, pulls
from gampl.event_settings import LeadingOrder
from gampl.kolmogorov import MEAN, KolmogorovSmirnov, distance_to_density
from gampl.likelihood_ratio import exact_log_ratio
from gampl.pages import Page, markdown_table, rounded
from gampl.processes.leading_order_coordinates import m_tt
from gampl.regions import Intervals

page = Page("known_truth", profile, seed)
torch.set_num_threads(1)
n_truth, n_regions, tail, n_ratio, n_references = (
    page.settings[k] for k in ("n_truth", "regions", "tail", "n_ratio", "references")
)
plan = {name: t for name, t in event_studies.trainings(profile, seed).items() if name.startswith("leading_order")}
SIZES = sorted({t.n_train for t in plan.values()})
KINDS = list(dict.fromkeys(t.generator.kind for t in plan.values()))
MIDDLE, PLACES = SIZES[len(SIZES) // 2], {SIZES[0]: "smallest", SIZES[-1]: "largest"}
N_GEN = event_studies.n_gen(profile, next(iter(plan)))
COLOURS = dict(zip(KINDS, (plots.ESTIMATE, plots.MODEL, plots.STAT, *plots.OTHERS), strict=False))
process = event_ensembles.leading_order(LeadingOrder())
LABELS = {"m_tt": "$m$", "y_tt": "$Y$", "cos_theta": r"$\cos\theta^*$", "pT_top": "$p_T$", "phi": r"$\phi$"}
for name, value in {"n_gen": N_GEN, "n_ratio": n_ratio, "n_middle": MIDDLE, "percent": 100 * tail}.items():
    page.record(name, value)
for n, place in PLACES.items():
    page.record(f"n_{place}", n)

# %% [markdown]
# ## Truth and generators
#
# Two kinds of question are asked. *Regions:* {glue:text}`known_truth_regions` intervals of about equal probability in each of four observables, mass $m$ and rapidity $Y$ of the pair, $\cos\theta^*$, and the transverse momentum $p_T$ of the tops; as on the rings the two outer ones are left out. And one region of large mass. The paper's, from 2.0 to 2.2 TeV, has a probability of $2.8\cdot10^{-4}$ here
# ({ref}`sec-lo-region`): too few events for this size. We take the {glue:text}`known_truth_percent` % of the events above {glue:text}`known_truth_tail_edge` GeV. The probabilities are computed by quadrature, for any edges. *Summaries:* the mass, and the true likelihood ratio.
#
# All members of an ensemble have the same training events. Each makes {glue:text}`known_truth_n_gen` events, and is left out if its training failed or too many of its events are not finite: see the table. Each ensemble gets a *fresh* reference of its own, as many true events as it was trained on.

# %% tags=["hide-input"]
truth_sample = process.sample(n_truth, page.rng(0))
REGIONS = {o: Intervals.quantiles(truth_sample, n_regions, process.observables[o]) for o in LABELS if o != "phi"}
EXACT = {o: process.integrals(regions) for o, regions in REGIONS.items()}
REGIONS["tail"] = Intervals(np.quantile(m_tt(truth_sample), 1 - tail), np.inf, m_tt)
EXACT["tail"] = process.integrals(REGIONS["tail"])
SORTED = {o: np.sort(process.observables[o](truth_sample)) for o in EXACT if o != "tail"}
INNER = {o: slice(None) if o == "tail" else slice(1, -1) for o in REGIONS}
page.record("regions", n_regions)
page.record("tail_edge", REGIONS["tail"].low[0])
page.record("tail_percent", 100 * EXACT["tail"][0])


def true_cdf(o, values):
    """Distribution function of an observable: exact at the edges of the regions, in between by the large sample."""
    if o == "phi":
        return 0.5 + values / (2 * np.pi)
    below = np.searchsorted(SORTED[o], values) / n_truth
    return np.interp(below, np.linspace(0, 1, n_regions + 1), np.minimum([0, *np.cumsum(EXACT[o])], 1))


def log_ratios(one, events):
    """LR_truth of events (n, 4) for one member, (n,)."""
    density = one.member.generator.log_prob
    return exact_log_ratio(process.log_prob, lambda x: density(torch.from_numpy(x)).numpy(force=True))(events)


def read(kind, n_train, stream):
    """All that the page needs of one ensemble."""
    name = event_studies.leading_order(n_train, kind)
    ensemble = event_ensembles.ensemble(name, profile, seed)
    for one in ensemble.members:
        page.count_training(one.member.history.seconds, one.member.history.device)
    events = [ensemble.sample(k, N_GEN, seed) for k in range(len(ensemble))]
    reference = {
        "fresh": process.sample(n_train, page.rng(stream)),
        "training": event_ensembles.training_events(plan[f"{name}/0"], profile),
    }
    grid = np.geomspace(N_GEN / 100, N_GEN, 12).round().astype(int)
    return {
        "members": ensemble.members,
        "excluded": ensemble.excluded,
        "grid": grid,
        "counts": {o: averaging.count_stream(([x] for x in events), r, grid)[0] for o, r in REGIONS.items()},
        "masses": [np.sort(m_tt(x)) for x in events],
        "first": [x[:n_ratio] for x in events],
        "ratios": [log_ratios(one, x[:n_ratio]) for one, x in zip(ensemble.members, events, strict=True)],
        "reference masses": {name: m_tt(x) for name, x in reference.items()},
        "reference ratios": {
            name: [log_ratios(one, x[:n_ratio]) for one in ensemble.members] for name, x in reference.items()
        },
    }


ensembles = {key: read(*key, 1 + i) for i, key in enumerate(product(KINDS, SIZES))}
rows = []
for kind in KINDS:
    members = [len(ensembles[kind, n]["members"]) for n in SIZES]
    left_out = [f"{n}: member {k}, {why}" for n in SIZES for k, why in ensembles[kind, n]["excluded"].items()]
    rows.append([event_studies.TITLES[kind], ", ".join(map(str, members)), "; ".join(left_out) or "none"])
n_members = min(len(e["members"]) for e in ensembles.values())
page.record("members", n_members)
page.record("excluded", sum(len(e["excluded"]) for e in ensembles.values()))
markdown_table(["generator", f"members, $n_\\mathrm{{train}}$ = {', '.join(map(str, SIZES))}", "left out"], rows)

# %% [markdown]
# (sec-known-density)=
# ## Is the generators' density right?
#
# The likelihood ratio needs $p_{\rm gen}$ from each generator: for a flow by integrating the divergence of its velocity, and for all of them with the Jacobian of the coordinates. A mistake there would look like a bad generator. But it can be found: generated events that are weighted with $w=p_{\rm true}/p_{\rm gen}$ follow the *true* density, whatever the generator. So the mean weight is one, and the weighted distribution
# of each coordinate is the exact one. The table tests this with {glue:text}`known_truth_n_ratio` events of each member for $\ntrain=$ {glue:text}`known_truth_n_middle`; the scale of the weighted Kolmogorov-Smirnov distance comes from multiplying each event's contribution with a normal number, many times. Every second row leaves out the Jacobian on purpose.


# %% tags=["hide-input"]
def weighted_p_value(o, events, weights, rng, multipliers=200):
    """p-value of the Kolmogorov-Smirnov distance of weighted events to the exact distribution."""
    values = process.observables[o](events)
    order = np.argsort(values)
    w, F = weights[order] / weights.sum(), true_cdf(o, values[order])
    up_to = np.cumsum(w)
    distance = np.maximum(np.abs(up_to - F), np.abs(up_to - w - F)).max()
    noise = rng.normal(size=(multipliers, w.size)) * w
    scale = np.abs(np.cumsum(noise, axis=1) - F * noise.sum(axis=1, keepdims=True)).max(axis=1).mean()
    return stats.kstwobign.sf(MEAN * distance / scale)


rows, p_values, off = [], {True: [], False: []}, []
COORDINATES, rng = ("m_tt", "y_tt", "cos_theta", "phi"), page.rng(100)
for kind in KINDS:
    here = ensembles[kind, MIDDLE]
    events, log_weights = np.concatenate(here["first"]), np.concatenate(here["ratios"])
    coordinates = here["members"][0].member.generator.coordinates
    log_jacobian = coordinates.log_jacobian(coordinates.to_network(torch.from_numpy(events))).numpy()
    for complete in (True, False):
        weights = np.exp(log_weights + (0 if complete else log_jacobian))
        p_values[complete].append([weighted_p_value(o, events, weights, rng) for o in COORDINATES])
        mean, error = weights.mean(), weights.std() / np.sqrt(weights.size)
        row = [event_studies.TITLES[kind], "complete" if complete else "without Jacobian"]
        rows.append([*row, f"{mean:.3g} ± {error:.1g}", *(f"{p:.1g}" for p in p_values[complete][-1])])
        if complete:
            off.append((mean - 1) / error)
            page.record(f"weight_{kind}", mean, [mean - 1.96 * error, mean + 1.96 * error], 0.95)
markdown_table(["generator", "density", "mean weight", *(f"$p$ of {LABELS[o]}" for o in COORDINATES)], rows)

# %% tags=["nbval-check-output", "hide-input"]
print("mean weights within 4 standard errors of one:", bool((np.abs(off) < 4).all()))
print("weighted events follow all four exact distributions, p-values above 1e-4:", np.min(p_values[True]) > 1e-4)
print("without the Jacobian each generator fails in at least one:", bool((np.min(p_values[False], axis=1) < 1e-4).all()))

# %% [markdown]
# (sec-known-averaging)=
# ## Averaging
#
# {numref}`fig-known-curves` is made like Fig. 13 of the paper, for the region of large mass, with the exact integral in the place of the holdout's. Where the dashed line leaves the green one depends on the members alone, where the black line does depends on the truth.

# %% mystnb={"figure": {"name": "fig-known-curves", "caption": "Uncertainty of the integral over the region of large mass against the number of generated events, for the middle one of the training sizes (as in Fig. 13 of the paper). Black: deviation from the exact integral."}, "image": {"alt": "One log-log panel for each generator: the statistical line falls, the estimated and the true uncertainty follow it and then level off."}} tags=["hide-input"]
averaged: dict[tuple[str, str, int], Amplification] = {}
for (kind, n), here in ensembles.items():
    for o, part in INNER.items():
        counts = here["counts"][o][:, :, part]
        averaged[o, kind, n] = averaging.from_counts(counts, here["grid"], n, truth=EXACT[o][part])
figure, axes = plt.subplots(1, len(KINDS), figsize=(3.8 * len(KINDS), 4.3), sharey=True)
data = {}
for ax, kind in zip(axes, KINDS, strict=True):
    result = averaged["tail", kind, MIDDLE]
    result.plot(ax, legend=False)
    ax.set_title(f"{event_studies.TITLES[kind]}, true $G$ = {rounded(result.G_true, 2)}", loc="left", fontsize=10)
    data[kind] = result.to_dict()["curve"]
for ax in axes[1:]:
    ax.set_ylabel("")
plots.shared_legend(axes, columns=4)
page.figure(figure, "known_curves", data)

# %% [markdown]
# Now all regions and training sizes. The *pull* is the deviation of the members' mean from the truth in units of their spread, root mean square over regions; {glue:text}`known_truth_members` members of a calibrated ensemble would have {glue:text}`known_truth_expected_pull`. The true $G$ is that of these members; it also rests on {glue:text}`known_truth_n_gen` events of each, and where their noise is
# larger than the deviation it comes out as ∞.

# %% tags=["hide-input"]
page.record("expected_pull", expected_rms_pull(n_members) if n_members >= 4 else np.inf)
rows = []
for (kind, n), here in ensembles.items():
    row = [event_studies.TITLES[kind], n]
    for o in ("m_tt", "pT_top", "tail"):
        result, part = averaged[o, kind, n], INNER[o]
        pull = np.sqrt(np.mean(pulls(here["counts"][o][-1][:, part] / N_GEN, EXACT[o][part]) ** 2))
        row.append(f"$G${result.words}; true {rounded(result.G_true, 2)}; pull {pull:.1f}")
        if n in PLACES:
            page.record(f"{o}_{kind}_{PLACES[n]}", result.G, result.interval, result.level, digits=2)
            page.record(f"{o}_{kind}_{PLACES[n]}_true", result.G_true, digits=2)
            page.record(f"{o}_{kind}_{PLACES[n]}_pull", pull, digits=2)
    rows.append(row)
titles = ["regions of the mass", "regions of $p_T$", "large mass"]
markdown_table(["generator", r"$n_\mathrm{train}$", *titles], rows)

# %% mystnb={"figure": {"name": "fig-known-averaging", "caption": "Averaging estimate against truth, with 68.3 % intervals; the larger the marker, the more training events. On the diagonal the estimate is right. Shaded: where 68.3 % of the points of calibrated ensembles of so few members would lie, for a single region. A triangle at the right edge: true value not resolved; at the upper edge: estimate not resolved."}, "image": {"alt": "Five log-log panels of estimated against true number of equivalent events, for regions of mass, rapidity, cosine and transverse momentum and for the region of large mass. Most points lie near the diagonal, those of the transformer in transverse momentum far above it."}} tags=["hide-input"]
LIMITS = (10, 1e6) if SIZES[-1] < 1e5 else (10, 1e8)


def scatter(ax, results, truths, title):
    """Estimated against true n_equiv of all ensembles with intervals."""
    ax.plot(LIMITS, LIMITS, color=plots.TRUE, lw=0.8)
    for (kind, n), result in results.items():
        true, true_low, true_high = truths[kind, n]
        low, high = np.clip(result.n_equiv_interval, *LIMITS)
        x, y = np.clip([true, result.n_equiv], None, [0.75 * LIMITS[1]] * 2)
        marker = ">" if true > x else "^" if result.n_equiv > y else "o"
        style = {"color": COLOURS[kind], "ms": 3.5 + 2.5 * SIZES.index(n), "alpha": 0.85, "lw": 1.0}
        label = event_studies.TITLES[kind] if n == MIDDLE else None
        bars = [[max(y - low, 0)], [max(high - y, 0)]], [[max(x - true_low, 0)], [max(min(true_high, LIMITS[1]) - x, 0)]]
        ax.errorbar(x, y, *bars, marker=marker, mfc="none" if marker != "o" else None, label=label, **style)
    ax.set(xscale="log", yscale="log", xlim=LIMITS, ylim=LIMITS, title=title, aspect="equal")


def columns(results, truths):
    """Data of such a panel for the download."""
    keys = list(results)
    names = ("n_equiv", "low", "high", "true", "true_low", "true_high")
    values = [(results[k].n_equiv, *results[k].n_equiv_interval, *truths[k]) for k in keys]
    return {"ensemble": [f"{kind} {n}" for kind, n in keys]} | dict(zip(names, zip(*values, strict=True), strict=True))


# of N calibrated members, estimated / true = (N - 1) / N + (1 + 1 / N) F with Fisher's F of 1 and N - 1 degrees of freedom
N, F_law = n_members, stats.f(1, n_members - 1)
reach = (N - 1) / N + (1 + 1 / N) * F_law.ppf([0.1585, 0.8415])
figure, axes = plt.subplots(2, 3, figsize=(11.5, 8.2), sharex=True, sharey=True)
data = {}
for ax, o in zip(axes.ravel(), REGIONS, strict=False):
    results = {(kind, n): averaged[o, kind, n] for kind, n in ensembles}
    truths = {key: (r.n_equiv_true,) * 3 for key, r in results.items()}
    ax.fill_between(LIMITS, *np.outer(reach, LIMITS), color="0.5", alpha=0.15, lw=0)
    scatter(ax, results, truths, "large mass" if o == "tail" else f"regions of {LABELS[o]}")
    data[o] = columns(results, truths)
axes[1, 2].set_axis_off()
for ax in (axes[0, 2], *axes[1, :2]):
    ax.set_xlabel(r"$n_{\rm equiv}$ true")
axes[0, 2].tick_params(labelbottom=True)
for ax in axes[:, 0]:
    ax.set_ylabel(r"$n_{\rm equiv}$ estimated")
axes[1, 2].legend(*axes[0, 0].get_legend_handles_labels(), loc="center")
page.figure(figure, "known_averaging", data)

# %% [markdown]
# In the mass most estimates are near the truth, in $p_T$ those of the transformer are not: with {glue:text}`known_truth_n_largest` training events it is said to be worth {glue:text}`known_truth_pT_top_transformer_largest` training samples ({glue:text}`known_truth_pT_top_transformer_largest_low` to {glue:text}`known_truth_pT_top_transformer_largest_high`), and the truth is
# {glue:text}`known_truth_pT_top_transformer_largest_true`. {numref}`fig-known-shared` shows why. Its members agree with each other better than with the truth: their networks are alike and have all been trained for the same few steps. What they have in common no spread can reveal. It is what {ref}`the tail of the rings <sec-averaging>` showed, only in the bulk of a distribution.

# %% mystnb={"figure": {"name": "fig-known-shared", "caption": "Integrals of the members over the regions of the transverse momentum, divided by the exact ones, for the largest training samples. Grey band: statistical uncertainty of the training events."}, "image": {"alt": "Three panels of lines, one for each member, around one. The transformer's share a wave that is several times wider than their spread."}} tags=["hide-input"]
figure, axes = plt.subplots(1, len(KINDS), figsize=(3.7 * len(KINDS), 3.5), sharey=True)
exact, data = EXACT["pT_top"], {}
centres = np.cumsum(exact) - 0.5 * exact
for ax, kind in zip(axes, KINDS, strict=True):
    share = ensembles[kind, SIZES[-1]]["counts"]["pT_top"][-1] / N_GEN / exact
    error = np.sqrt((1 - exact) / exact / SIZES[-1])
    ax.fill_between(centres, 1 - error, 1 + error, color="0.85", lw=0)
    ax.plot(centres, share.T, color=COLOURS[kind], lw=0.8, marker=".", ms=4)
    ax.axhline(1, color=plots.TRUE, lw=0.8)
    ax.set(xlabel="true distribution function of $p_T$", xlim=(0, 1), title=event_studies.TITLES[kind])
    data |= {"distribution function": centres} | {f"{kind} {k}": s for k, s in enumerate(share)}
axes[0].set_ylabel("integral / exact")
page.figure(figure, "known_shared", data)

# %% [markdown]
# How often do the intervals hold the true $G$? They are made for the members' own spread; of {glue:text}`known_truth_members` members of a calibrated ensemble {glue:text}`known_truth_holds_expected` % would hold it for a single region, since the truth is further away than the members are from their mean ({ref}`sec-averaging`).

# %% tags=["hide-input"]
# with nu = N - 1 the interval reaches from a to b times the estimate, a = chi2_low / nu; it holds the truth for 1 / b < ratio < 1 / a
a, b = stats.chi2.ppf([0.1585, 0.8415], N - 1) / (N - 1)
ends = (np.array([1 / b, 1 / a]) - (N - 1) / N) / (1 + 1 / N)
page.record("holds_expected", 100 * (F_law.cdf(ends[1]) - F_law.cdf(ends[0])), digits=2)
rows, held = [], {}
for kind in KINDS:
    row = [event_studies.TITLES[kind]]
    for o in REGIONS:
        results = [averaged[o, kind, n] for n in SIZES]
        held[kind, o] = [r.n_equiv_interval.low <= r.n_equiv_true <= r.n_equiv_interval.high for r in results]
        row.append(f"{sum(held[kind, o])} of {len(SIZES)}")
    page.record(f"holds_{kind}", 100 * np.mean([held[kind, o] for o in REGIONS]), digits=2)
    rows.append([*row, f"{np.mean([held[kind, o] for o in REGIONS]):.0%}"])
markdown_table(["intervals with the truth", *(LABELS.get(o, "large mass") for o in REGIONS), "all"], rows)

# %% [markdown]
# (sec-known-differential)=
# ## Differential
#
# Each member's events are compared with the fresh reference and, as in the paper, with the training data. The mass uses all of them, the likelihood ratio up to {glue:text}`known_truth_n_ratio` of either: the exact divergence of a flow is expensive. The truth needs no reference. For the mass it is the distance to the exact distribution function. For the likelihood ratio it is the *total variation* of the two densities, an average over generated events,
#
# ```{math}
# :label: eq-known-tv
# D_{\rm LR} = \max_c \big| P_{\rm true}({\rm LR}<c) - P_{\rm gen}({\rm LR}<c) \big| = \Big\langle \max\big(0,\, 1 - p_{\rm true}/p_{\rm gen}\big) \Big\rangle_{\rm gen}, \qquad n_{\rm equiv} = (\langle K\rangle / D_{\rm LR})^2 ,
# ```
#
# since the difference is largest at $c=1$. Few events give it precisely, because no maximum over a fluctuating curve has to be taken.


# %% tags=["hide-input"]
def ks(reference, values):
    """Kolmogorov-Smirnov distance of two samples."""
    test = KolmogorovSmirnov(reference)
    test.update(values)
    return test.distance


def true_in_mass(here, n):
    """True n_equiv from the distance of the members' masses to the exact distribution, with its 68.3 % interval."""
    distances = [float(distance_to_density(true_cdf("m_tt", masses))) for masses in here["masses"]]
    result = differential.combine([differential.from_distances([d], np.inf, N_GEN, n) for d in distances])
    return (result.n_equiv, *result.n_equiv_interval)


def true_in_ratio(here):
    """True n_equiv from the total variation, with its 68.3 % interval."""
    parts = np.array([np.maximum(0, 1 - np.exp(ratios)) for ratios in here["ratios"]])
    distance, error = parts.mean(), np.sqrt(parts.var(axis=1).sum() / parts.shape[1]) / len(parts)
    return tuple((MEAN / d) ** 2 for d in (distance, distance + error, distance - error))


tested, truths = {}, {"m": {}, "LR": {}}
for key, here in ensembles.items():
    n = key[1]
    truths["m"][key], truths["LR"][key] = true_in_mass(here, n), true_in_ratio(here)
    for name in ("fresh", "training"):
        reference = here["reference masses"][name]
        label = {"reference_is": "training" if name == "training" else "holdout"}
        distances = [ks(reference, masses) for masses in here["masses"]]
        tested["m", name, *key] = differential.from_distances(distances, N_GEN, reference.size, n, **label)
        pairs = zip(here["reference ratios"][name], here["ratios"], strict=True)
        used = here["reference ratios"][name][0].size
        distances = [ks(of_reference, values) for of_reference, values in pairs]
        tested["LR", name, *key] = differential.from_distances(distances, n_ratio, used, n, **label)

rows = []
for (kind, n), summary in product(ensembles, ("m", "LR")):
    fresh, training = (tested[summary, name, kind, n] for name in ("fresh", "training"))
    true, low, high = (end / n for end in truths[summary][kind, n])
    if n in PLACES:
        prefix = f"{summary}_{kind}_{PLACES[n]}"
        page.record(f"{prefix}_true", true, [low, high], 0.683, digits=2)
        page.record(f"{prefix}_fresh", fresh.G, fresh.interval, fresh.level, digits=2)
        page.record(f"{prefix}_training", training.G, training.interval, training.level, digits=2)
    true_words = f"{rounded(true, 2)} ({rounded(low, 2)} to {rounded(high, 2)})"
    titles = [event_studies.TITLES[kind], n, "$m$" if summary == "m" else "LR$_{truth}$"]
    rows.append([*titles, true_words, f"$G${fresh.words}", f"$G${training.words}"])
rows.sort(key=lambda row: row[2], reverse=True)
header = ["generator", r"$n_\mathrm{train}$", "summary", "true $G$", "fresh reference", "training data (biased)"]
markdown_table(header, rows)

# %% mystnb={"figure": {"name": "fig-known-differential", "caption": "Differential estimates against truth, with 68.3 % intervals; markers as before. Left: against fresh events. Right: against the training data. Top: mass. Bottom: true likelihood ratio."}, "image": {"alt": "Four log-log panels of estimated against true number of equivalent events. With fresh references the points lie around the diagonal, with the training data most lie above it."}} tags=["hide-input"]
figure, axes = plt.subplots(2, 2, figsize=(8.6, 8.8), sharex=True, sharey=True)
data = {}
for row, (summary, title) in zip(axes, (("m", "mass"), ("LR", "LR$_{truth}$")), strict=True):
    for ax, name in zip(row, ("fresh", "training"), strict=True):
        results = {key: tested[summary, name, *key] for key in ensembles}
        scatter(ax, results, truths[summary], f"{title}, {'fresh events' if name == 'fresh' else 'training data'}")
        data[f"{summary} {name}"] = columns(results, truths[summary])
for ax in axes[1]:
    ax.set_xlabel(r"$n_{\rm equiv}$ true")
for ax in axes[:, 0]:
    ax.set_ylabel(r"$n_{\rm equiv}$ estimated")
plots.shared_legend(axes.ravel(), columns=len(KINDS))
page.figure(figure, "known_differential", data)

# %% [markdown]
# With a fresh reference {glue:text}`known_truth_m_fresh_holds` of {glue:text}`known_truth_ensembles` intervals hold the truth in the mass and {glue:text}`known_truth_LR_fresh_holds` in the likelihood ratio; 68.3 % are promised. With the training data as reference it is {glue:text}`known_truth_m_training_holds` and {glue:text}`known_truth_LR_training_holds`.
# Nine throws say little about coverage; but in the mass a new reference costs next to nothing. With {glue:text}`known_truth_references` fresh references for each ensemble {glue:text}`known_truth_coverage` % of the intervals hold the truth, for the least favourable ensemble {glue:text}`known_truth_coverage_worst` %.
#
# Against its training data the smallest transformer reaches $G=$ {glue:text}`known_truth_LR_transformer_smallest_training` (at least {glue:text}`known_truth_LR_transformer_smallest_training_low`) in the likelihood ratio, and the truth is {glue:text}`known_truth_LR_transformer_smallest_true`: the training data have drawn the generator towards themselves, and the most sensitive summary feels it most. For larger samples the bias becomes smaller, but does not go away by
# itself: the spline flow with {glue:text}`known_truth_n_largest` events still gets {glue:text}`known_truth_LR_spline_largest_training` (at least {glue:text}`known_truth_LR_spline_largest_training_low`) where {glue:text}`known_truth_LR_spline_largest_true` is right.

# %% tags=["hide-input"]
for summary, name in product(("m", "LR"), ("fresh", "training")):
    intervals = {key: tested[summary, name, *key].n_equiv_interval for key in ensembles}
    page.record(f"{summary}_{name}_holds", sum(i.low <= truths[summary][k][0] <= i.high for k, i in intervals.items()))
page.record("ensembles", len(ensembles))
page.record("references", n_references)
coverage, rng = {}, page.rng(101)
for key, here in ensembles.items():
    true = truths["m"][key][0]
    held = []
    for _ in range(n_references):
        reference = m_tt(process.sample(key[1], rng))
        distances = [ks(reference, masses) for masses in here["masses"]]
        low, high = differential.from_distances(distances, N_GEN, reference.size, key[1]).n_equiv_interval
        held.append(low <= true <= high)
    coverage[key] = np.mean(held)
total = np.mean(list(coverage.values()))
spread = np.sqrt(sum(c * (1 - c) for c in coverage.values()) / n_references) / len(coverage)
page.record("coverage", 100 * total, [100 * (total - 1.96 * spread), 100 * (total + 1.96 * spread)], 0.95, digits=3)
page.record("coverage_worst", 100 * min(coverage.values()), digits=3)
