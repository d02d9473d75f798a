# %% [markdown]
# (sec-jet-radiation)=
# # Jets beyond the training sample
#
# Can a generator make events with more jets than any that it was trained on? A shower does: it radiates jet after jet, and each time decides whether to go on. The poster *Extrapolating Jet Radiation with Autoregressive Transformers* {cite}`jetgpt_extrapolation` gives a network the same structure,
#
# $$ p(x_{1:n}) = p(\text{muons}) \prod_{i=1}^{n} \big[1-p_{\rm stop}(x_{1:i-1})\big]\, p_{\rm kin}(x_i\,|\,x_{1:i-1}) \;\cdot\; p_{\rm stop}(x_{1:n}), $$
#
# trains it on events with few jets, and asks it for more. Here it sees up to {glue:text}`jet_radiation_most`, and is asked for one and two more.
#
# Why this can work is seen at once if the probability to stop is the same after any number of jets: then $P(n)=p_{\rm stop}(1-p_{\rm stop})^n$, and
#
# $$ R\Big(\frac{n+1}{n}\Big) = 1-p_{\rm stop} $$
#
# does not depend on $n$. *Staircase scaling* ({ref}`sec-z-jets`) is a constant probability to stop. A network that has learned a number which does not change has nothing to extrapolate. For Poisson's distribution, $R(n+1/n)=\lambda/(n+1)$, the probability to stop rises with each jet.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from myst_nb import glue

from gampl import averaging, plots
from gampl.processes import ZJets, staircase
from gampl.regions import Intervals
from gampl.store.artifacts import Store
from gampl.training.extrapolation import with_more_jets
from gampl_book import ROOT, more_jets
from gampl_book.kept_results import larger_runs
from gampl_book.more_jets import over_sets
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.radiation import Radiation, distance, observables, radiate
from gampl_book.studies import event_file

page = Page("jet_radiation", profile, seed)
radiation = Radiation(page.settings, ROOT / event_file("z_jets", profile), seed)
most, sets, n_sequences = radiation.most, page.settings["sets"], page.settings["n_sequences"]
early, begin, steps = (page.settings[name] for name in ("early", "begin", "steps"))
for name in ("most", "sets", "n_train", "steps", "early", "begin", "rounds", "draws"):
    page.record(name, page.settings[name])
page.record("next", most + 1)
page.record("after", most + 2)
page.record("before", most - 1)
rates = radiation.rates(0, "natural")
page.record("put_in", rates[-1] / rates[-2])
page.record("censored", rates[-1] / rates[-2] * (1 - rates[-1] / rates[-2]))

# %% [markdown]
# ## Three methods, two samples
#
# One causal transformer sees all numbers of an event in order: muons, then transverse momentum, $\phi$, $\eta$ and mass of each jet. The poster has two transformers, one over particles and one over the numbers of a particle. One over all numbers is one implementation instead of two, that of all autoregressive generators here, and sees at least what the two see. It is told types of particles, never places, so that the fifth jet is to it a jet like the others. After each jet one more output is the logarithm of the odds to stop. Angles have mixtures of wrapped Gaussians where the poster has von Mises distributions: see `gampl.generators.mixture`.
#
# - **Naive**: the likelihood of all decisions. Events with {glue:text}`jet_radiation_most` jets all stop, so that this is what the network is taught.
# - **Bootstrap**: the naive training is interrupted after {glue:text}`jet_radiation_begin` of {glue:text}`jet_radiation_steps` steps, the network makes events, those with {glue:text}`jet_radiation_next` jets are added to the training sample, and it is trained on; this {glue:text}`jet_radiation_rounds` times (`gampl.training.bootstrap_rounds`). How often they occur is put in by hand: here as often as if the last ratio of the training sample went on.
# - **Truncated**: the decision after {glue:text}`jet_radiation_most` jets is left out of the loss.
#
# The poster caps the number of events with no, one and two jets, so that those with many are not too few. We do so with weights, so that all trainings see the same events: in the *capped* sample events with no and with one jet are as frequent as those with two, and more jets are as rare as in nature. In the *natural* one each event weighs what it stands for, but each factor of the product above has its weights scaled to a mean of one, so that it is learned from as many events (`gampl.generators.jets`).
#
# Each generator is trained on {glue:text}`jet_radiation_sets` training sets of {glue:text}`jet_radiation_n_train` events that have no event in common. Intervals are 95 % intervals over these sets. The truth are held-back events.

# %% tags=["hide-input"]
holdout = ZJets().load("holdout", radiation.path)
training_file = ZJets().load("train", radiation.path)
stairs = staircase(holdout)
true_ratio, true_error = stairs.ratio, stairs.ratio_error
LAST, NEXT, AFTER = most - 1, most, most + 1  # of R(n+1/n), by n
NAMES = {LAST: "last", NEXT: "next", AFTER: "after"}
CASES = {
    ("naive", "natural"): ("naive", plots.MODEL),
    ("bootstrap", "natural"): ("bootstrap", plots.STAT),
    ("truncated", "natural"): ("truncated", plots.ESTIMATE),
    ("naive", "capped"): ("naive", plots.MODEL),
    ("bootstrap", "capped"): ("bootstrap", plots.STAT),
    ("truncated", "capped"): ("truncated", plots.ESTIMATE),
    ("truncated", "completed"): ("truncated, completed", plots.OTHERS[0]),
    ("truncated", "sorted"): ("truncated, completed, sorted", plots.OTHERS[1]),
}


def true_events(k):
    """Events with k jets that no generator has seen: held back, or with more jets than in training."""
    parts = [holdout] if k <= most else [holdout, training_file]
    return np.concatenate([part.momenta[part.multiplicity - 2 == k] for part in parts])


TRUE = {k: observables(true_events(k), k) for k in (most, most + 1, most + 2)}
SHAPES = ("pT_last", "eta_last", "m_last", "R_last", "pT_first", "HT", "R_min")


def measure(generator, stream):
    """Rates and shapes of one generator, from a random stream."""
    made = radiate(generator, n_sequences, 1000 * seed + stream)
    found = {"made": made, "ratio": made.ratio, "stop": made.mean_stop}
    for k, true in TRUE.items():
        rows = made.weight[:, k] > 0
        values, w = observables(made.momenta[rows], k), made.weight[rows, k]
        found[k] = values, w
        found["distance", k] = {name: distance(values[name], w, true[name]) for name in SHAPES}
        found["disorder", k] = float(w @ values["disorder"] / w.sum())
        found["close", k] = float(w @ (values["R_min"] < 0.4) / w.sum())
    return found


def trained(ensemble):
    """Counts the time of a training and hands its one generator on."""
    page.count_training(ensemble.history.seconds, ensemble.history.device)
    return ensemble.members[0]


found, bootstraps = {}, {}
for (method, weighting), k in product(CASES, range(sets)):
    if method == "bootstrap":
        bootstraps[weighting, begin, k] = radiation.bootstrap(weighting, k, begin)
        members = [trained(ensemble) for ensemble in bootstraps[weighting, begin, k][1]]
    elif weighting == "sorted":
        members = [trained(radiation.train(method, "completed", k, sorts=True))]
    else:
        members = [trained(radiation.train(method, weighting, k))]
    found[method, weighting, k] = measure(members[-1].generator, k)


def of(method, weighting, what):
    """One number of each training set."""
    return np.array([what(found[method, weighting, k]) for k in range(sets)])


def interval(value, ends, digits=3):
    """A number and its interval in words."""
    return f"{rounded(value, digits)} ({rounded(ends[0], digits)} to {rounded(ends[1], digits)})"


# %% [markdown]
# An event with {glue:text}`jet_radiation_next` jets is one of some hundreds. To look at them without waiting, the generators are asked again and again before they stop, and a weight undoes it: `gampl_book.radiation.Radiated`. Such a sequence, cut off after any of its jets, is an event of weight $p_{\rm stop}\prod(1-p_{\rm stop})/(1-p_{\rm stop}^m)$, and all multiplicities have their shares from the same sequences.
#
# ## The rates

# %% mystnb={"figure": {"name": "fig-radiation-rates", "caption": "Ratios of neighbouring numbers of jets. Points: held-back events, with errors. Bands: smallest and largest of the training sets. To the left of the dotted line are numbers of jets in training. Dashed: staircase with the last ratio of the training sample; dash-dotted: Poisson with its mean number of jets."}, "image": {"alt": "Two panels with ratios against n for natural and capped weights. True ratios are points; those of the generators bend away from them to the right of the line."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(12.5, 4.0))
n_show = most + 2
n_axis = np.arange(n_show)
natural = radiation.rates(0, "natural")
mean_jets = float((np.arange(most + 1) * natural).sum() / natural.sum())
staircase_ratio = float(natural[-1] / natural[-2])
data = {"n": n_axis, "true": true_ratio[:n_show], "error": true_error[:n_show]}
shares = axes[0]
jets = np.arange(most + 3)
shares.errorbar(jets, stairs.probability[: most + 3], stairs.error[: most + 3], fmt="o", ms=4, color=plots.TRUE)
for (method, weighting), (label, color) in CASES.items():
    if weighting != "capped":
        each = np.array([found[method, weighting, k]["made"].probability[: most + 3] for k in range(sets)])
        shares.plot(jets, np.exp(np.log(each).mean(0)), color=color, label=label)
        shares.fill_between(jets, each.min(0), each.max(0), color=color, alpha=0.25, lw=0)
shares.set(yscale="log", xlabel="number of jets $n$", ylabel="$P(n)$, natural weights")
for ax, weighting in zip(axes[1:], ("natural", "capped"), strict=True):
    ax.axhline(staircase_ratio, color="0.5", ls="--", lw=1)
    ax.plot(n_axis, mean_jets / (n_axis + 1), color="0.5", ls="-.", lw=1)
    ax.axvline(most - 0.5, color=plots.TRUE, ls=":", lw=1)
    for (method, other), (label, color) in CASES.items():
        if (other == "capped") == (weighting == "capped"):
            each = np.array([found[method, other, k]["ratio"][:n_show] for k in range(sets)])
            low, high, centre = each.min(0), each.max(0), np.exp(np.log(each).mean(0))
            data |= {f"{label} {other} {name}": v for name, v in (("low", low), ("high", high), ("mean", centre))}
            ax.fill_between(n_axis, low, high, color=color, alpha=0.25, lw=0)
            ax.plot(n_axis, centre, color=color, label=label)
    ax.errorbar(n_axis, true_ratio[:n_show], true_error[:n_show], fmt="o", ms=4, color=plots.TRUE, label="truth")
    ax.set(
        xlabel="$n$",
        ylabel="$R(n+1\\,/\\,n)$",
        title="capped sample" if weighting == "capped" else "natural and completed weights",
        ylim=(0, 0.4),
        xticks=n_axis,
    )
axes[2].set_ylim(0, 0.4)
handles, labels = axes[1].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
page.figure(figure, "rates", data)

# %% tags=["hide-input"]
asked = slice(LAST, AFTER + 1)
ratios = {case: of(*case, lambda f: f["ratio"][asked]) for case in CASES}
more_jets.record(page, ratios, (true_ratio[asked], true_error[asked]))
rows = [["truth", "", *(f"{true_ratio[n]:.3f} ± {true_error[n]:.3f}" for n in NAMES), ""]]
for (method, weighting), (label, _) in CASES.items():
    row = [label, "completed" if weighting == "sorted" else weighting]
    row += [interval(*over_sets(values)) for values in ratios[method, weighting].T]
    price = 1 / of(method, weighting, lambda f: f["made"].probability[most + 1])
    page.record(f"price_{method}_{weighting}", np.exp(np.log(price).mean()), digits=2)
    rows.append([*row, rounded(np.exp(np.log(price).mean()), 2)])
header = ["method", "weights", *(f"$R({n + 1}/{n})$" for n in NAMES), f"generated events for one with {most + 1} jets"]
markdown_table(header, rows)

# %% tags=["hide-input"]
for name, weighting in (("", "capped"), ("_natural", "natural")):
    share = over_sets(100 * of("naive", weighting, lambda f: f["ratio"][NEXT]) / true_ratio[NEXT])
    page.record(f"naive_share{name}", *share, 0.95, digits=2)

# %% [markdown]
# The truth is $R$ = {glue:text}`jet_radiation_R_next_true` for the first ratio beyond training and {glue:text}`jet_radiation_R_after_true` for the second. The truncated loss gives {glue:text}`jet_radiation_R_next_truncated_capped` ({glue:text}`jet_radiation_R_next_truncated_capped_low` to {glue:text}`jet_radiation_R_next_truncated_capped_high`) with the capped sample and {glue:text}`jet_radiation_R_next_truncated_natural` ({glue:text}`jet_radiation_R_next_truncated_natural_low` to {glue:text}`jet_radiation_R_next_truncated_natural_high`) with natural weights, a factor {glue:text}`jet_radiation_natural_over_capped` ({glue:text}`jet_radiation_natural_over_capped_low` to {glue:text}`jet_radiation_natural_over_capped_high`). Out of the box, the naive network reaches {glue:text}`jet_radiation_naive_share` % ({glue:text}`jet_radiation_naive_share_low` to {glue:text}`jet_radiation_naive_share_high`) of the true ratio with the capped sample, and {glue:text}`jet_radiation_naive_share_natural` % with natural weights, where the poster has *few* events. It has to learn that the jet number {glue:text}`jet_radiation_most` is always the last, against all that it learns of other jets, and that takes time: {numref}`fig-radiation-bootstrap` has the ratio after {glue:text}`jet_radiation_early`, {glue:text}`jet_radiation_begin` and {glue:text}`jet_radiation_steps` steps, before the first round.
#
# ### What capping does
#
# {numref}`fig-radiation-stop` shows why. In the capped sample the probability to stop *rises* from jet to jet, because events with few jets have been taken out, and a network goes on as it has learned: from {glue:text}`jet_radiation_stop_first_capped` after none to {glue:text}`jet_radiation_stop_last_capped` after {glue:text}`jet_radiation_before` jets, and on to {glue:text}`jet_radiation_stop_next_capped` after {glue:text}`jet_radiation_most`. With natural weights it goes from {glue:text}`jet_radiation_stop_first_natural` to {glue:text}`jet_radiation_stop_last_natural` and {glue:text}`jet_radiation_stop_next_natural`, in truth from {glue:text}`jet_radiation_stop_first_true` to {glue:text}`jet_radiation_stop_last_true` and {glue:text}`jet_radiation_stop_next_true`. On the poster, which trains on up to six jets and caps up to two, the last three decisions are natural, and capping harms less than here.

# %% mystnb={"figure": {"name": "fig-radiation-stop", "caption": "Probability to stop after $n$ jets. Points: held-back events. Bands: smallest and largest of the training sets. To the right of the dotted line nothing was learned."}, "image": {"alt": "Probability to stop against n: flat for the truth at about three quarters, rising steeply for capped training, rising slightly for natural weights and least for completed ones."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.4, 4.0))
tail = np.cumsum(stairs.probability[::-1])[::-1]
n_axis = np.arange(most + 3)
true_stop = (stairs.probability / tail)[: most + 3]
stop_error = np.sqrt(
    true_stop * (1 - true_stop) / np.maximum(1, np.bincount(holdout.multiplicity - 2, minlength=9)[: most + 3])
)
data, stops = {"n": n_axis, "true": true_stop}, {"true": true_stop}
for (method, weighting), color in {
    ("truncated", "capped"): plots.MODEL,
    ("truncated", "natural"): plots.ESTIMATE,
    ("truncated", "completed"): plots.OTHERS[0],
    ("truncated", "sorted"): plots.OTHERS[1],
    ("naive", "natural"): "0.5",
}.items():
    each = np.array([found[method, weighting, k]["stop"][: most + 3] for k in range(sets)])
    data[f"{method} {weighting}"] = each.mean(0)
    if method == "truncated":
        stops[weighting] = each.mean(0)
    ax.fill_between(n_axis, each.min(0), each.max(0), color=color, alpha=0.25, lw=0)
    ax.plot(
        n_axis,
        each.mean(0),
        color=color,
        label=CASES[method, weighting][0] + (f", {weighting}" if weighting in ("natural", "capped") else ""),
    )
ax.errorbar(n_axis, true_stop, stop_error, fmt="o", ms=4, color=plots.TRUE, label="truth")
ax.axvline(most - 0.5, color=plots.TRUE, ls=":", lw=1)
ax.set(xlabel="number of jets $n$", ylabel="probability to stop", ylim=(0, 1.02), xticks=n_axis)
ax.legend(loc="lower right")
for name, values in stops.items():
    for where, n in (("first", 0), ("last", most - 1), ("next", most)):
        page.record(f"stop_{where}_{name}", values[n])
page.figure(figure, "stop", data)

# %% [markdown]
# (sec-radiation-completed)=
# ### What the truncated loss takes for granted
#
# With natural weights $R$({glue:text}`jet_radiation_most`/{glue:text}`jet_radiation_before`) itself comes out as {glue:text}`jet_radiation_R_last_truncated_natural` ({glue:text}`jet_radiation_R_last_truncated_natural_low` to {glue:text}`jet_radiation_R_last_truncated_natural_high`) instead of {glue:text}`jet_radiation_R_last_true`, although these events were in training. The truncated loss treats an event with most jets as one *of which nobody knows whether it went on*. But it is known: those that went on were taken out of the sample. So the network learns the rate of events with exactly {glue:text}`jet_radiation_most` jets as that of events with at least so many, and then lets a part of them go on. What is left is about $R\,(1-R)$, here {glue:text}`jet_radiation_censored` with the ratio of the training sample, see the exercises. In the words of statistics, the loss is that of *censored* data, and the data are *truncated*.
#
# If the staircase goes on, events with $n$ jets or more have the rate $1/(1-R)$, in units of that with $n$. The *completed* sample gives events with most jets that much more weight, with $R$ from the training sample. This is one number, and an assumption about what has not been seen; but the truncated loss makes one, too, which is wrong. The result is $R$ = {glue:text}`jet_radiation_R_last_truncated_completed` for the last ratio in training, and {glue:text}`jet_radiation_R_next_truncated_completed` ({glue:text}`jet_radiation_R_next_truncated_completed_low` to {glue:text}`jet_radiation_R_next_truncated_completed_high`) for the first beyond, {glue:text}`jet_radiation_completed_over_natural` times ({glue:text}`jet_radiation_completed_over_natural_low` to {glue:text}`jet_radiation_completed_over_natural_high`) that of natural weights alone.
#
# The bootstrap gives {glue:text}`jet_radiation_R_next_bootstrap_natural` ({glue:text}`jet_radiation_R_next_bootstrap_natural_low` to {glue:text}`jet_radiation_R_next_bootstrap_natural_high`) with natural weights and {glue:text}`jet_radiation_R_next_bootstrap_capped` ({glue:text}`jet_radiation_R_next_bootstrap_capped_low` to {glue:text}`jet_radiation_R_next_bootstrap_capped_high`) with the capped sample. This rate is not a prediction, though: {glue:text}`jet_radiation_put_in` was put in by hand. The bootstrap can extrapolate what the events look like, and the ratio that follows.
#
# (sec-radiation-larger)=
# ### More jets in training

# %% tags=["hide-input"]
larger = larger_runs(page)
WHAT = {"true": "truth"} | {f"{method}_{w}": f"{method}, {w}" for method, w in CASES}
rows, of_larger = [], {}
for run in larger.values():
    of_larger = {name: (one["value"], one.get("interval")) for name, one in run["numbers"].items()}
    top = round(of_larger["most"][0])
    for what, label in WHAT.items():
        if f"R_next_{what}" in of_larger:
            row = [interval(*of_larger[f"R_{name}_{what}"]) for name in NAMES.values()]
            rows.append([top, label, *row])
header = ["most jets in training", "method, weights", "last ratio in training", "first beyond", "second beyond"]
markdown_table(header, rows)


# %% tags=["hide-input"]
def words_of_larger():
    """What the largest kept run says, computed from its numbers."""
    if not larger:
        return "No larger run is kept."
    (low, high), overlap, apart, absent = of_larger["R_next_true"][1], [], [], []
    for method, weighting in [case for case in CASES if case[1] != "sorted"]:
        where, ends = absent, of_larger.get(f"R_next_{method}_{weighting}", (0, None))[1]
        if ends:
            where = overlap if ends[0] <= high and ends[1] >= low else apart
        where.append(f"{method} with {weighting} weights")
    said = [interval(*of_larger[f"R_next_{case}"]) for case in ("true", "truncated_completed", "truncated_natural")]
    after = [interval(*of_larger[f"R_after_{case}"]) for case in ("true", "truncated_completed", "truncated_natural")]
    return (
        f"With up to {top} jets in training the first ratio beyond, R({top + 1}/{top}), is {said[0]} in truth, "
        f"{said[1]} by the truncated loss with completed weights and {said[2]} with natural ones; the second is {after[0]} "
        f"in truth, {after[1]} and {after[2]}. In the first ratio the intervals of truth and generator overlap for: "
        f"{', '.join(overlap) or 'none'}; they do not for: {', '.join(apart) or 'none'}. Not in this run: "
        f"{', '.join(absent) or 'none'}. With natural weights the naive network has "
        f"{interval(*of_larger['naive_over_truncated_natural'])} times the first ratio of the truncated loss."
    )


glue("jet_radiation_larger", words_of_larger(), display=False)

# %% [markdown]
# The poster trains on up to six jets and tests with seven and eight. The table has kept results of such runs, of the rates alone (`python -m gampl_book more-jets`), with networks and steps as on this page and all events that the file has for {glue:text}`jet_radiation_sets` training sets. There truth itself is not known well, and is taken from both samples of the file. {glue:text}`jet_radiation_larger` Few training events have as many jets, and few sequences the weight of an event with more, so that the intervals over the training sets are wide: three of them do not rank methods whose intervals overlap.
#
# ## The jets

# %% mystnb={"figure": {"name": "fig-radiation-jets", "caption": "The last jet of events with one jet more than in training (top) and two (bottom): transverse momentum, pseudorapidity, mass, and distance from the nearest jet. Points: true events. Band: smallest and largest of the training sets, truncated loss with completed weights."}, "image": {"alt": "Two rows of four histograms; generated bands follow the true points, but for distances below 0.4, which true jets do not have."}} tags=["hide-input"]
BINS = {
    "pT_last": (np.linspace(20, 60, 17), "$p_T$ of the last jet [GeV]"),
    "eta_last": (np.linspace(-5, 5, 17), r"$\eta$ of the last jet"),
    "m_last": (np.linspace(0, 16, 17), "$m$ of the last jet [GeV]"),
    "R_last": (np.linspace(0, 3.2, 17), r"$\Delta R$ from the nearest jet"),
}
figure, axes = plt.subplots(2, 4, figsize=(13, 6.2))
data = {}
for row, k in zip(axes, (most + 1, most + 2), strict=True):
    for ax, (name, (edges, label)) in zip(row, BINS.items(), strict=True):
        counts = np.histogram(TRUE[k][name], edges)[0]
        norm = len(TRUE[k][name]) * np.diff(edges)
        centre = (edges[1:] + edges[:-1]) / 2
        each = []
        for s in range(sets):
            values, w = found["truncated", "completed", s][k]
            each.append(np.histogram(values[name], edges, weights=w)[0] / w.sum() / np.diff(edges))
        each = np.array(each)
        ax.fill_between(
            edges,
            *(np.append(f(0), f(0)[-1]) for f in (each.min, each.max)),
            step="post",
            color=plots.ESTIMATE,
            alpha=0.35,
            lw=0,
        )
        ax.stairs(each.mean(0), edges, color=plots.ESTIMATE)
        ax.errorbar(centre, counts / norm, np.sqrt(counts) / norm, fmt=".", color=plots.TRUE, ms=4)
        ax.set(xlabel=label, ylim=(0, None))
        data |= {
            f"{k} {name} left": edges[:-1],
            f"{k} {name} true": counts / norm,
            f"{k} {name} generated": each.mean(0),
        }
    row[0].set_ylabel(f"density, {k} jets")
page.figure(figure, "jets", data)

# %% tags=["hide-input"]
rows = []
for method, weighting in CASES:
    mean = of(method, weighting, lambda f: np.mean(list(f["distance", most + 1].values())))
    page.record(f"distance_{method}_{weighting}", *over_sets(mean), 0.95)
    row = [CASES[method, weighting][0], "completed" if weighting == "sorted" else weighting]
    row += [f"{of(method, weighting, lambda f, o=o: f['distance', most + 1][o]).mean():.3f}" for o in SHAPES]
    rows.append([*row, rounded(of(method, weighting, lambda f: f["made"].effective(most + 1)).mean(), 2)])
mean = {
    m: of(m, "capped", lambda f: np.mean(list(f["distance", most + 1].values()))) for m in ("truncated", "bootstrap")
}
page.record("distance_truncated_over_bootstrap", *over_sets(mean["truncated"] / mean["bootstrap"]), 0.95)
LABELS = ["$p_T$ last", r"$\eta$ last", "$m$ last", r"$\Delta R$ last", "$p_T$ first", "$H_T$", r"smallest $\Delta R$"]
markdown_table(["method", "weights", *LABELS, "effective events"], rows)

# %% [markdown]
# The table has the Kolmogorov-Smirnov distances from true events with {glue:text}`jet_radiation_next` jets, mean over the training sets; by chance alone they are about $0.87/\sqrt{n}$ with the effective number $n$ of the last column. The mean distance of the truncated loss is {glue:text}`jet_radiation_distance_truncated_over_bootstrap` times ({glue:text}`jet_radiation_distance_truncated_over_bootstrap_low` to {glue:text}`jet_radiation_distance_truncated_over_bootstrap_high`) that of the bootstrap, both with the capped sample.
#
# ## Two ways for a bootstrap to fail
#
# The poster says that the bootstrap wants tuning. {numref}`fig-radiation-bootstrap` compares a beginning after {glue:text}`jet_radiation_early` steps, {glue:text}`jet_radiation_begin` steps, and the whole naive training. Too early, the network has not learned what jets look like, and is trained on poor events of its own. Too late, it has learned that there are none with {glue:text}`jet_radiation_next` jets, and makes few.

# %% mystnb={"figure": {"name": "fig-radiation-bootstrap", "caption": "A bootstrap that begins too early, in time, and too late; capped sample. Left: events with one more jet that the network finds among those that it generates before each round. Middle: ratio $R(n+1/n)$ beyond training, with the truth (black). Right: mean distance from true events with one more jet. Mean over training sets; bars: smallest and largest."}, "image": {"alt": "Three panels against rounds for three beginnings: numbers of events found, ratio, and distance from true events."}} tags=["hide-input"]
store, rounds = Store(), page.settings["rounds"]
WHEN = {"early": early, "begin": begin, "late": steps}
history = {}
for (name, start), k in product(WHEN.items(), range(sets)):
    if ("capped", start, k) not in bootstraps:
        bootstraps["capped", start, k] = radiation.bootstrap("capped", k, start)
        for ensemble in bootstraps["capped", start, k][1]:
            trained(ensemble)
    bootstrap, ensembles = bootstraps["capped", start, k]
    history[name, k, "found"] = [len(with_more_jets(e.members[0], most, bootstrap, store)) for e in ensembles[:-1]]
    for r in (0, rounds):
        known = {
            (name, r): None,
            ("begin", rounds): found["bootstrap", "capped", k],
            ("late", 0): found["naive", "capped", k],
        }
        history[name, k, r] = known[name, r] or measure(ensembles[r].members[0].generator, k)

figure, axes = plt.subplots(1, 3, figsize=(12, 3.9))
data = {"round": [0, rounds]}
for (name, start), color, shift in zip(
    WHEN.items(), (plots.MODEL, plots.STAT, plots.ESTIMATE), (-0.06, 0, 0.06), strict=True
):
    curves = (
        np.array([history[name, k, "found"] for k in range(sets)]),
        np.array([[history[name, k, r]["ratio"][NEXT] for r in (0, rounds)] for k in range(sets)]),
        np.array(
            [
                [np.mean(list(history[name, k, r]["distance", most + 1].values())) for r in (0, rounds)]
                for k in range(sets)
            ]
        ),
    )
    for ax, each in zip(axes, curves, strict=True):
        x = (np.arange(rounds) if ax is axes[0] else np.array([0, rounds])) + shift
        ax.errorbar(
            x,
            each.mean(0),
            [each.mean(0) - each.min(0), each.max(0) - each.mean(0)],
            color=color,
            marker="o",
            ms=3,
            label=f"after {start} steps",
        )
    data |= {
        f"{name} ratio": curves[1].mean(0),
        f"{name} distance": curves[2].mean(0),
        f"{name} found": curves[0].mean(0),
    }
axes[1].axhline(true_ratio[NEXT], color=plots.TRUE, lw=1)
for ax, label in zip(axes, ("events found", f"$R({most + 1}/{most})$", "mean distance"), strict=True):
    ax.set(xlabel="rounds done", ylabel=label, ylim=(0, None), xticks=range(rounds + 1))
plots.shared_legend(axes, columns=3)
page.figure(figure, "bootstrap", data)


# %% tags=["hide-input"]
def of_rounds(name, what):
    """One number of the last round of each training set."""
    return np.array([what(history[name, k, rounds]) for k in range(sets)])


rows = []
for name, start in WHEN.items():
    number = np.array([history[name, k, "found"][0] for k in range(sets)])
    page.record(f"found_{name}", number.mean(), digits=2)
    ratio = over_sets(of_rounds(name, lambda f: f["ratio"][NEXT]))
    far = over_sets(of_rounds(name, lambda f: np.mean(list(f["distance", most + 1].values()))))
    page.record(f"R_bootstrap_{name}", *ratio, 0.95)
    page.record(f"distance_{name}", *far, 0.95)
    rows.append([f"after {start} steps", rounded(number.mean(), 2), interval(*ratio), interval(*far)])
far = {n: of_rounds(n, lambda f: np.mean(list(f["distance", most + 1].values()))) for n in WHEN}
page.record("early_distance", *over_sets(far["early"] / far["begin"]), 0.95)
counts = {n: np.array([1 + history[n, k, "found"][0] for k in range(sets)]) for n in WHEN}
page.record("late_found", *over_sets(counts["late"] / counts["begin"]), 0.95)
markdown_table(
    ["begins", "events found at first", f"$R({most + 1}/{most})$ in the end", "mean distance in the end"], rows
)

# %% [markdown]
# The late bootstrap finds {glue:text}`jet_radiation_late_found` times ({glue:text}`jet_radiation_late_found_low` to {glue:text}`jet_radiation_late_found_high`) as many events as the one in time. The distances in the end are {glue:text}`jet_radiation_early_distance` times ({glue:text}`jet_radiation_early_distance_low` to {glue:text}`jet_radiation_early_distance_high`) as large if it begins early.
#
# ## Two weaknesses
#
# True jets fall in transverse momentum, and none is nearer to another than the radius 0.4 of the algorithm that finds them. The network is told neither. With `ZWithJets(sorts=True)` each jet after the first has, in place of its transverse momentum, the share of that of the jet before, so that the order holds whatever the network does.

# %% tags=["hide-input"]
rows = []
for method, weighting in (("truncated", "completed"), ("truncated", "sorted")):
    row = [CASES[method, weighting][0]]
    for k in (most, most + 1, most + 2):
        for what in ("disorder", "close"):
            share = 100 * of(method, weighting, lambda f, k=k, what=what: f[what, k])
            row.append(f"{share.mean():.1f} ({share.min():.1f} to {share.max():.1f})")
            page.record(f"{what}_{k - most}_{weighting}", share.mean(), digits=2)
    soft = of(method, weighting, lambda f: np.average(f[most + 1][0]["HT"], weights=f[most + 1][1]))
    page.record(f"HT_{weighting}", soft.mean() / TRUE[most + 1]["HT"].mean())
    rows.append([*row, rounded(soft.mean() / TRUE[most + 1]["HT"].mean())])
true_close = [100 * np.mean(TRUE[k]["R_min"] < 0.4) for k in (most, most + 1, most + 2)]
rows.append(["truth", *(text for close in true_close for text in ("0", f"{close:.1f}")), "1"])
header = [f"{k} jets: {what}" for k in (most, most + 1, most + 2) for what in ("not in order, %", r"$\Delta R<0.4$, %")]
markdown_table(["", *header, f"mean $H_T$ over true, {most + 1} jets"], rows)

# %% [markdown]
# With one jet more than in training {glue:text}`jet_radiation_disorder_1_completed` % of the events are not in order, and {glue:text}`jet_radiation_close_1_completed` % have jets within the radius of each other. In sorted coordinates the first number is {glue:text}`jet_radiation_disorder_1_sorted`, and $R$ beyond training is {glue:text}`jet_radiation_R_next_truncated_sorted` ({glue:text}`jet_radiation_R_next_truncated_sorted_low` to {glue:text}`jet_radiation_R_next_truncated_sorted_high`), then {glue:text}`jet_radiation_R_after_truncated_sorted` ({glue:text}`jet_radiation_R_after_truncated_sorted_low` to {glue:text}`jet_radiation_R_after_truncated_sorted_high`): where each jet is described relative to the one before, the next looks more like those in training. That has a price: a share that is the same for all jets makes their momenta fall by the same factor each time. The mean $H_T$ is {glue:text}`jet_radiation_HT_sorted` of the true one, and {glue:text}`jet_radiation_HT_completed` without sorting; the mean distances from true events are {glue:text}`jet_radiation_distance_truncated_sorted` and {glue:text}`jet_radiation_distance_truncated_completed`.
#
# ## Amplification where there is no training sample
#
# Without training events with {glue:text}`jet_radiation_next` jets there is no $G=n_{\rm equiv}/n_{\rm train}$. What remains is $n_{\rm equiv}$ itself: how many true events with {glue:text}`jet_radiation_next` jets would say as much. For the ratio, a sample with $n$ of them gives $\ln R$ with the variance $(1+R)/n$. For shapes it is {ref}`averaging amplification <sec-averaging>` over ten regions of equal content.
#
# A posterior claims a number, and the truth shows another. Here the posterior is that of a Bayesian network with the truncated loss and natural weights, trained on the first training set, of which {glue:text}`jet_radiation_draws` generators are drawn.

# %% tags=["hide-input"]
ensemble = radiation.bayesian("natural", 0)
page.count_training(ensemble.history.seconds, ensemble.history.device)
draws = [measure(member.generator, 100 + i) for i, member in enumerate(ensemble.members)]
K = most + 1


def worth(ratios, error_of_generation):
    """Claimed and true n_equiv of ln R: from the scatter of the ratios, and from their distance to the truth."""
    logs = np.log(ratios)
    scatter = max(logs.var(ddof=1) - error_of_generation, 1e-6)
    true = max(np.mean((logs - np.log(true_ratio[NEXT])) ** 2) - error_of_generation, 1e-6)
    return [(1 + true_ratio[NEXT]) / variance for variance in (scatter, true)]


def generation_variance(found):
    """Variance of ln R that comes from the number of sequences."""
    return np.mean([(1 + true_ratio[NEXT]) / f["made"].effective(K) for f in found])


ratios = np.array([f["ratio"][NEXT] for f in draws])
claimed, true = worth(ratios, generation_variance(draws))
page.record("n_equiv_R_claimed", claimed, digits=2)
page.record("n_equiv_R_true", true, digits=2)
pull = (ratios.mean() - true_ratio[NEXT]) / np.hypot(ratios.std(ddof=1), true_error[NEXT])
page.record("pull_R", pull, digits=2)
rows = [[f"$R({K}/{most})$", rounded(claimed, 2), rounded(true, 2), f"{pull:+.1f}"]]
for case in ("natural", "completed"):
    each = [found["truncated", case, k] for k in range(sets)]
    _, n_true = worth(np.array([f["ratio"][NEXT] for f in each]), generation_variance(each))
    page.record(f"n_equiv_R_{case}", n_true, digits=2)
holds = total = 0
for name, label in zip(SHAPES, LABELS, strict=True):
    edges = np.quantile(TRUE[K][name], np.linspace(0, 1, 11))
    edges[0], edges[-1] = -np.inf, np.inf
    regions = Intervals.between(edges)
    members = [f[K][0][name][:, None] for f in draws]
    weights = [f[K][1] for f in draws]
    truth = np.histogram(TRUE[K][name], edges)[0] / len(TRUE[K][name])
    result = averaging.from_samples(members, regions, 1, weights=weights, truth=truth)
    integrals = np.array(
        [np.histogram(m[:, 0], edges, weights=w)[0] / w.sum() for m, w in zip(members, weights, strict=True)]
    )
    error = np.hypot(integrals.std(0, ddof=1), np.sqrt(truth * (1 - truth) / len(TRUE[K][name])))
    pulls = (integrals.mean(0) - truth) / error
    holds, total = holds + int((np.abs(pulls) < 1).sum()), total + pulls.size
    page.record(f"n_equiv_{name}_true", min(result.G_true, 1e6), digits=2)
    rows.append([label, rounded(result.G, 2), rounded(result.G_true, 2), f"{np.sqrt(np.mean(pulls**2)):.1f}"])
page.record("holds", holds)
page.record("regions", total)
markdown_table(["", "$n_{\\rm equiv}$ claimed", "$n_{\\rm equiv}$ true", "pull (shapes: root mean square)"], rows)

# %% [markdown]
# For the ratio the posterior claims {glue:text}`jet_radiation_n_equiv_R_claimed` events; what its generators are worth is {glue:text}`jet_radiation_n_equiv_R_true`, {glue:text}`jet_radiation_pull_R` standard deviations off. Over the training sets the generators are worth {glue:text}`jet_radiation_n_equiv_R_natural` events with natural weights and {glue:text}`jet_radiation_n_equiv_R_completed` with completed ones. Of the {glue:text}`jet_radiation_regions` regions {glue:text}`jet_radiation_holds` hold the truth within one standard deviation, posterior and held-back events together; 68 % should. A posterior knows what the training events leave open. It cannot know what changes where there are none: beyond the training sample its width is no measure of the error.
#
# And the price: one event with {glue:text}`jet_radiation_next` jets costs {glue:text}`jet_radiation_price_truncated_completed` generated ones, as it costs a simulation that many.
#
# The profile `paper` trains on up to six jets and asks for seven and eight, with networks of the published size. It needs a GPU, for about ten minutes for each generator by our estimate, and has not been run.

# %% tags=["nbval-check-output", "hide-input"]
print(
    "training sets have no event in common:",
    len(np.unique(radiation.events.momenta[:, 0, 0])) > 0.99 * len(radiation.events),
)
print("training has no event with more jets:", int(radiation.events.multiplicity.max()) - 2 == most)
print("probabilities add up to less than one:", all(f["made"].probability.sum() < 1.2 for f in found.values()))
print("sorted jets are in order:", all(found["truncated", "sorted", k]["disorder", most + 1] == 0 for k in range(sets)))

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-radiation-capped
# A sample with staircase scaling, $P(n)\propto R^n$, is capped so that $n=0,\dots,c$ are equally frequent, and all larger $n$ are natural relative to $c$. What is the probability to stop after $n$ jets?
# ```
#
# ````{solution} ex-radiation-capped
# :class: dropdown
# With one for the rate of each $n\le c$, those with $n$ jets or more are $c-n+1/(1-R)$, so that $p_{\rm stop}=1/(c-n+1/(1-R))$ for $n\le c$: it rises up to $1-R$ at $n=c$, and stays there. For $R=0.22$ and $c=2$ it is 0.30, 0.44 and 0.78.
# ````
#
# ```{exercise}
# :label: ex-radiation-completed
# A truncated loss is trained on a sample with $n\le N$ and natural weights, staircase scaling with $R$. Which probability to stop does it learn after $N-1$ jets, and what is $R(N/N-1)$ of the generator if the one after $N$ jets is extrapolated rightly?
# ```
#
# ````{solution} ex-radiation-completed
# :class: dropdown
# Of the events with $N-1$ jets or more that there are, $1/(1+R)$ stop, where it should be $1-R$. After $N$ jets a share $1-R$ of them stops, so that $R(N/N-1)=R\,(1-R)$: too small by the factor $1-R$. The extrapolation is not right, moreover, since the probability to stop seems to rise.
# ````
