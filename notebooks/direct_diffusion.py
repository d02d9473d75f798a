# %% [markdown]
# (sec-direct)=
# # Direct diffusion
#
# Flow matching ({ref}`sec-top-generators`) carries noise to events. But nothing in its loss asks for noise: at $t=1$, where the noise is, there may be any events. *Direct diffusion* {cite}`butter_kicking` starts from those of another process that is close to the wanted one, on-shell tops for off-shell ones. The talk *Controlled Precision Generators* {cite}`plehn_controlled` names what is expected of it: "avoid learning some features", "data-driven optimal transport", "high-precision features", "minimal failure modes".
#
# Is an event that starts from another process worth more than one that starts from noise? And more than the same source events, *reweighted by a classifier*, a rival that needs no generator at all? The first test is with top pairs at {ref}`leading order <sec-leading-order>`, where the densities are known exactly, of sources at smaller energies of the collider and of the wanted events at 13 TeV.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from functools import cache
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from myst_nb import glue
from scipy.integrate import solve_ivp
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from gampl import plots
from gampl.generators.settings import Architecture, Solver
from gampl.kolmogorov import MEAN
from gampl.processes import DileptonTopPair, LeadingOrderTopPair
from gampl.ratio import default_classifier, in_sample
from gampl.regions import Intervals
from gampl.training import Data, Fit, LeadingOrder, Source, TopPairJets, Training, carried, train_members
from gampl_book import event_ensembles
from gampl_book.divergences import from_generated
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.scaling import geometric_mean, tail
from gampl_book.trained_costs import of_trained

page = Page("direct_diffusion", profile, seed)
n_train, sets, steps, n_gen, n_ratio, n_truth, n_source, n_off, off_steps = page.settings.values()
for name in ("n_train", "training_sets", "n_gen", "n_source", "n_off"):
    page.record(name, page.settings[name])
process = event_ensembles.leading_order_process(LeadingOrder())
TEV = (13, 8, 4)  # source energies: none, some and much to learn
sources = {E: process if E == 13 else LeadingOrderTopPair(energy=1e3 * E) for E in TEV}

# %% [markdown]
# (sec-direct-pairs)=
# ## Pairs
#
# For each step of the training, source events $x_1$ are paired with events $x_0$, and the network learns the mean velocity $\langle x_1-x_0\,|\,x_t\rangle$ of all straight paths through a point. As in the talk the pairs are *at random* here. That is not the only choice: every joint distribution of pairs whose two marginals are the source and the training events leads to a flow from the one to the other {cite}`tong_minibatch`. Pairing is *honest* if it changes neither of them, so that each source event and each training event is used as often as any other:
#
# - *optimal pairs*: in each batch sources are assigned to events, one to one, with the smallest sum of squared distances. It is honest as long as training events have no weights, which would weight their sources, too.
# - *Pairs of the same hard event* are honest if a simulation makes both from one, and source events come from the same simulation.
# - *The nearest source event* of each training event is not: sources far from all events would never be seen in training, but generation starts there as well.
#
# Do random pairs "avoid learning some features"? Take a feature that is distributed as a standard Gaussian in both processes. Nothing has to move, and the flow is the identity. But the velocity is not zero: for random pairs
#
# ```{math}
# :label: eq-direct-squeeze
# \langle x_1-x_0\,|\,x_t\rangle = \frac{2t-1}{t^2+(1-t)^2}\;x_t ,
# ```
#
# which squeezes the events to $1/\sqrt2$ of their width until $t=\frac12$, and stretches them again. The network has to *learn* both, and only if it makes the same error in both do they cancel. Pairs of equal events, which are the optimal ones, would have no velocity at all.

# %% tags=["nbval-check-output", "hide-input"]
path = solve_ivp(lambda t, x: (2 * t - 1) / (t**2 + (1 - t) ** 2) * x, (1, 0), [1.0], t_eval=[1, 0.5, 0], rtol=1e-9)
print("width at t = 1, 1/2, 0:", ", ".join(f"{width:.4f}" for width in path.y[0]))

# %% [markdown]
# In `gampl` the source is the only thing that changes:
#
# ```python
# source = Source.process(LeadingOrderTopPair(energy=8_000))  # or Source.events(array)
# (one,) = train_members(training, Data(events, source=source, pairing="random"))
# one.sample(10_000, seed)  # of new source events
# carried(one.generator, source_events)  # what becomes of each of these
# ```
#
# ## From 13 TeV, 8 TeV and 4 TeV to 13 TeV
#
# The first source is the wanted process itself: there is nothing to learn, and whatever the map does is damage. From the others there is something to learn. Their distance is given as the largest difference of the distribution functions (K-S, {eq}`eq-ks`), and in the likelihood ratio (LR), which is the largest for any summary. The table also has the $\nequiv$ that they are worth without any training.

# %% tags=["hide-input"]
truth_sample = process.sample(n_truth, page.rng(0))
OBSERVABLES = {"m_tt": "$m$", "y_tt": "$Y$", "cos_theta": r"$\cos\theta^*$"}
VALUES = {name: np.sort(observable(truth_sample)) for name, observable in process.observables.items()}
REGIONS = {name: Intervals.quantiles(truth_sample, 12, process.observables[name])[1:-1] for name in OBSERVABLES}
REGIONS["tail"] = tail(truth_sample, process.observables["m_tt"])
EXACT = {name: process.integrals(regions) for name, regions in REGIONS.items()}
COLUMNS = {**OBSERVABLES, "tail": "tail of $m$", "LR": "LR"}


def distance(x, name, w=None):
    """Kolmogorov-Smirnov distance of events with weights to the true ones."""
    values = process.observables[name](x)
    order, w = np.argsort(values), np.ones(len(x)) if w is None else w
    steps_up = np.cumsum(w[order]) / w.sum()
    true = np.searchsorted(VALUES[name], values[order]) / len(truth_sample)
    return max(np.abs(steps_up - true).max(), np.abs(steps_up - w[order] / w.sum() - true).max())


def worth(x, name, w=None):
    """True n_equiv of the integrals over regions, without the counting errors of the sample; at most n_gen."""
    w, place, exact = np.ones(len(x)) if w is None else w, REGIONS[name].place(x).region, EXACT[name]
    share, squares = (np.bincount(place[place >= 0], w[place >= 0] ** k, len(exact)) / w.sum() ** k for k in (1, 2))
    counting = (squares * (1 - 2 * share) + share**2 * (w**2).sum() / w.sum() ** 2).sum()
    binomial = (exact * (1 - exact)).sum()
    return binomial / max(((share - exact) ** 2).sum() - counting, binomial / n_gen)


def worth_of_ratio(log_ratio, w=None):
    """n_equiv from the distance in log p_true / p_gen of generated events, at most n_gen."""
    distance = np.average(1 - np.exp(np.minimum(log_ratio, 0)), weights=w)
    return (MEAN / max(distance, MEAN / np.sqrt(n_gen))) ** 2


def words(mean, ends):
    return f"{rounded(mean, 2)} ({rounded(ends[0], 2)} to {rounded(ends[1], 2)})"


def side(ends, words):
    """Which of three phrases holds for an interval: above one, below one, or neither."""
    return words[0] if ends[0] > 1 else words[1] if ends[1] < 1 else words[2]


rows, FAR, UNTOUCHED = [], {}, {}
for E, source in sources.items():
    x = source.sample(n_truth, page.rng(E))
    log_ratio = process.log_prob(x) - source.log_prob(x)
    FAR[E] = float(np.mean(1 - np.exp(np.minimum(log_ratio, 0))))
    UNTOUCHED[E] = {"LR": (MEAN / FAR[E]) ** 2 if FAR[E] else np.inf}
    for name, regions in REGIONS.items():
        squares = ((source.integrals(regions) - EXACT[name]) ** 2).sum()
        UNTOUCHED[E][name] = (EXACT[name] * (1 - EXACT[name])).sum() / squares if squares else np.inf
    far = ["0" if E == 13 else rounded(distance(x, name), 2) for name in OBSERVABLES]
    rows.append([f"{E} TeV", *far, rounded(FAR[E], 2), *(rounded(UNTOUCHED[E][name], 2) for name in COLUMNS)])
    page.record(f"far_{E}", FAR[E], digits=2)
head = [*(f"K-S {t}" for t in (*OBSERVABLES.values(), "LR")), *(rf"$n_\mathrm{{equiv}}$ {t}" for t in COLUMNS.values())]
markdown_table(["source", *head], rows)

# %% [markdown]
# The velocity network is a small transformer, for all starts the same. Each of {glue:text}`direct_diffusion_training_sets` training sets has {glue:text}`direct_diffusion_n_train` events; a fifth of them only decides when to stop. {glue:text}`direct_diffusion_n_gen` events are generated, so that no $\nequiv$ beyond this number can be told. The rivals are two *classifiers* ({ref}`sec-ratios`): logistic regression on radial functions of the coordinates, as everywhere in this book, or on the coordinates, their squares and products. They tell the same training events from {glue:text}`direct_diffusion_n_source` source events, and weight further ones by $w=p_{\rm true}/p_{\rm source}$.

# %% tags=["hide-input"]
network = Architecture("transformer", 1, 4, 32, base="normal")
fit = Fit(steps, 256, 1e-2, warmup=steps // 10, validate_every=max(1, steps // 10), patience=6, ema=0.98)
training = Training(LeadingOrder(), n_train, network, "deep", sets, seed, fit)
events = [process.sample(n_train, page.rng(100 + k)) for k in range(sets)]
options = {"solver": Solver("midpoint", 4), "chunk": n_gen}
WAYS = {
    "random": ("direct, random pairs", plots.ESTIMATE),
    "optimal": ("direct, optimal pairs", plots.STAT),
    "radial": ("reweighted, radial", plots.MODEL),
    "quadratic": ("reweighted, quadratic", plots.OTHERS[1]),
}
STARTS = {E: Source.process(source) for E, source in sources.items()}
found, flows, generated, failed = {}, {}, {}, []


def measure(key, k, x, log_ratio, w=None, w_ratio=None):
    """What the page says of events of one training set."""
    if lost := int((~np.isfinite(x)).any(axis=1).sum()):
        failed.append(f"{key}, set {k + 1}: {lost} events lost")
        x = x[np.isfinite(x).all(axis=1)]
    found[key, k] = {name: worth(x, name, w) for name in REGIONS} | {"LR": worth_of_ratio(log_ratio, w_ratio)}
    found[key, k] |= {("K-S", name): distance(x, name, w) for name in (*OBSERVABLES, "phi")}
    found[key, k]["size"] = 1.0 if w is None else w.sum() ** 2 / (w**2).sum() / len(w)
    generated[key, k] = x, w


def numbers(x):
    """What a classifier sees: the coordinates of the networks, without an edge of the angle."""
    new, _ = process.coordinates.unbounded(x)
    return np.column_stack([new[:, :3], np.sin(x[:, 3]), np.cos(x[:, 3])])


for key in ("noise", *product(TEV, ("random", "optimal"))):
    if key == "noise":
        data = events
        made = train_members(training, data.__getitem__, label="direct/noise", **options)
    else:
        E, pairing = key
        data = [Data(one, source=STARTS[E], pairing=pairing) for one in events]
        made = train_members(training, data.__getitem__, label=f"direct/{E} TeV/{pairing}", **options)
    page.cost(key if key == "noise" else f"{E}_{pairing}", **of_trained(made[0], data[0]))
    for k, one in enumerate(made):
        page.count_training(one.history.seconds, one.history.device)
        x = one.sample(n_gen, seed)
        some = x[:n_ratio]
        measure(key, k, x, log_ratio := np.nan_to_num(process.log_prob(some) - one.log_prob(some), nan=-np.inf))
        found[key, k]["c"] = from_generated(np.exp(log_ratio)).c
        flows[key, k] = one
        if one.failure:
            failed.append(f"{key}, set {k + 1}: {one.failure}")
CLASSIFIERS = {
    "radial": default_classifier,
    "quadratic": lambda _: make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression(max_iter=1000)),
}
for E, k in product(TEV, range(sets)):
    source, rng = sources[E], page.rng(200 + 10 * E + k)
    seen, x = source.sample(n_source, rng), source.sample(n_gen, rng)
    log_ratio = process.log_prob(x) - source.log_prob(x)
    measure((E, "source"), k, x, log_ratio)
    for way, make in CLASSIFIERS.items():
        w = np.exp(in_sample(numbers(events[k]), numbers(seen), seed, make_classifier=make)(numbers(x)))
        measure((E, way), k, x, log_ratio - np.log(w / w.mean()), w, w)
print("failed trainings, lost events:", failed or "none")


def of(key, what):
    """One number of each training set."""
    return np.array([found[key, k][what] for k in range(sets)])


# %% [markdown]
# (sec-direct-moves)=
# ## What the map moves
#
# {numref}`fig-direct-map` shows what becomes of source events of 8 TeV. The black lines are the smallest movement that makes the spectrum right: the event that is larger than a share $F$ of all others becomes the one that is larger than a share $F$ of the true events. $\phi$ is flat in both processes, and $\cos\theta^*$ hardly differs.

# %% mystnb={"figure": {"name": "fig-direct-map", "caption": "What becomes of source events of 8 TeV, first training set: change of each of the four coordinates that are given to the network against its value in the source (in units of the standard deviation of the training events, $\\phi$ in radians). Large points: trained with random pairs (blue); small ones: with optimal pairs (green). Black line: smallest movement that makes the spectrum right."}, "image": {"alt": "Four panels with a blue and a green cloud of points around black lines that show how events move in the mass, the rapidity, the scattering angle and the azimuth."}} tags=["hide-input"]
AXES = ("$m$", "$Y$", r"$\cos\theta^*$", r"$\phi$")
N_MOVED = min(n_gen, 4_000)


def network_coordinates(one, x):
    return one.generator.coordinates.to_network(one.generator.coordinates.mean.new_tensor(x)).numpy()


def moved(key, k):
    """Coordinates of source events, (n, 4), and by how much the flow changes them."""
    x = sources[key[0]].sample(N_MOVED, page.rng(300 + k))
    before, after = (network_coordinates(flows[key, k], y) for y in (x, carried(flows[key, k].generator, x)))
    change = after - before
    change[:, 3] = (change[:, 3] + np.pi) % (2 * np.pi) - np.pi
    return before, change


QUANTILES = (np.arange(2_000) + 0.5) / 2_000


@cache
def smallest(E):
    """Quantiles of the source's coordinates, (2000, 3), and by how much they must change, from large samples."""
    some = flows[(E, "random"), 0]
    ends = [network_coordinates(some, y)[:, :3] for y in (sources[E].sample(n_truth, page.rng(400)), truth_sample)]
    before, after = (np.quantile(x, QUANTILES, axis=0) for x in ends)
    return before, (after - before) * (E != 13)


figure, axes = plt.subplots(1, 4, figsize=(12, 3.3))
data = {}
for pairing in ("random", "optimal"):
    before, change = moved((8, pairing), 0)
    data[pairing] = {"before": before[:500], "change": change[:500]}
    for i, ax in enumerate(axes):
        style = {"ms": 6, "alpha": 0.3} if pairing == "random" else {"ms": 2}
        ax.plot(before[:500, i], change[:500, i], ".", color=WAYS[pairing][1], mec="none", **style)
before, change = smallest(8)
for i, (ax, title) in enumerate(zip(axes, AXES, strict=True)):
    if i < 3:
        ax.plot(before[20:-20, i], change[20:-20, i], color=plots.TRUE, lw=1.5)
        ax.set(xlim=(-3.2, 3.2), ylim=(-1.3, 1.3))
    else:
        ax.axhline(0, color=plots.TRUE, lw=1.5)
        ax.set_ylim(-1.3, 1.3)
    ax.set(xlabel=f"coordinate of {title}, source", title=title)
axes[0].set_ylabel("change")
page.figure(figure, "direct_map", data)

# %% tags=["hide-input"]
rows = []
MOVES = {}
for E in TEV:
    least = np.sqrt(np.square(smallest(E)[1]).mean(0))
    rows.append([f"{E} TeV", "smallest", *(rounded(x, 2) for x in least), "0"])
    least_all = float(np.sqrt((least**2).sum()))
    page.record(f"moved_least_{E}", least_all, digits=2)
    for pairing in ("random", "optimal"):
        squares = np.array([np.square(moved((E, pairing), k)[1]).mean(0) for k in range(sets)])
        MOVES[E, pairing] = np.sqrt(squares.sum(1))
        rows.append([f"{E} TeV", WAYS[pairing][0], *(rounded(np.sqrt(s), 2) for s in squares.mean(0))])
        if E != 13:
            page.record(
                f"moved_over_least_{E}_{pairing}", *geometric_mean(MOVES[E, pairing] / least_all), 0.95, digits=3
            )
        page.record(f"moved_{E}_{pairing}", *geometric_mean(MOVES[E, pairing]), 0.95, digits=2)
        page.record(f"moved_phi_{E}_{pairing}", *geometric_mean(np.sqrt(squares[:, 3])), 0.95, digits=2)
    page.record(f"moved_ratio_{E}", *geometric_mean(MOVES[E, "random"] / MOVES[E, "optimal"]), 0.95, digits=2)
markdown_table(["source", "root mean square change", *AXES], rows)

# %% [markdown]
# *"Data-driven optimal transport"* would have the map move no more than it must. From 8 TeV random pairs move events by {glue:text}`direct_diffusion_moved_over_least_8_random` times what the spectra ask for ({glue:text}`direct_diffusion_moved_over_least_8_random_low` to {glue:text}`direct_diffusion_moved_over_least_8_random_high`), optimal ones by {glue:text}`direct_diffusion_moved_over_least_8_optimal` times ({glue:text}`direct_diffusion_moved_over_least_8_optimal_low` to {glue:text}`direct_diffusion_moved_over_least_8_optimal_high`). If there is nothing to do, from 13 TeV, the change is {glue:text}`direct_diffusion_moved_13_random` for random pairs and {glue:text}`direct_diffusion_moved_13_optimal` for optimal ones, all coordinates together, where a source of 8 TeV asks for {glue:text}`direct_diffusion_moved_least_8`. Between random and optimal pairs is a factor {glue:text}`direct_diffusion_moved_ratio_13` from 13 TeV ({glue:text}`direct_diffusion_moved_ratio_13_low` to {glue:text}`direct_diffusion_moved_ratio_13_high`), and {glue:text}`direct_diffusion_moved_ratio_8` from 8 TeV ({glue:text}`direct_diffusion_moved_ratio_8_low` to {glue:text}`direct_diffusion_moved_ratio_8_high`).
#
# (sec-direct-worth)=
# ## Worth more than from noise?

# %% mystnb={"figure": {"name": "fig-direct-spectra", "caption": "Generated spectra over the exact ones, source 8 TeV; mean over training sets. Grey band: statistical uncertainty of a training sample."}, "image": {"alt": "Three panels for mass, rapidity and scattering angle: ratios to truth of the source, of flows from noise and from the source with two pairings, and of the reweighted source."}} tags=["hide-input"]
FIGURE_BINS = {
    "m_tt": np.array([346, 370, 400, 440, 490, 550, 630, 750, 900, 1200, 1600.0]),
    "y_tt": np.linspace(-2.8, 2.8, 15),
    "cos_theta": np.linspace(-1, 1, 13),
}
SERIES = {
    (8, "source"): ("source, as it is", "0.6"),
    "noise": ("from noise", plots.OTHERS[0]),
    **{(8, way): style for way, style in WAYS.items()},
}
figure, axes = plt.subplots(1, 3, figsize=(12, 3.9))
data = {}
for ax, (name, bins) in zip(axes, FIGURE_BINS.items(), strict=True):
    true = process.integrals(Intervals.between(bins, process.observables[name]))
    band = np.sqrt((1 - true) / true / n_train)
    ax.stairs(1 + band, bins, baseline=1 - band, fill=True, color="0.92")
    ax.axhline(1, color=plots.TRUE, lw=0.8)
    data[name] = {"left": bins[:-1], "band": band}
    for key, (label, colour) in SERIES.items():
        shares = []
        for k in range(sets):
            x, w = generated[key, k]
            w = np.ones(len(x)) if w is None else w
            shares.append(np.histogram(process.observables[name](x), bins, weights=w)[0] / w.sum() / true)
        data[name][label] = np.mean(shares, axis=0)
        ax.stairs(data[name][label], bins, baseline=None, color=colour, lw=1.4, label=label)
    ax.set(xlabel=OBSERVABLES[name] + (" [GeV]" if name == "m_tt" else ""), ylim=(0.7, 1.3))
axes[0].set(xscale="log", ylabel="generated / exact")
axes[0].set_xticks([400, 600, 1000, 1600], [400, 600, 1000, 1600])
axes[0].minorticks_off()
plots.shared_legend(axes, columns=6)
page.figure(figure, "direct_spectra", data)

# %% mystnb={"figure": {"name": "fig-direct-worth", "caption": "$n_{\\rm equiv}$ against the distance of the source in the likelihood ratio, with 95 % intervals over training sets, in regions of three observables, in the tail of the mass and from the likelihood ratio; points of one source are drawn side by side. Line and band: from noise, with its interval. Dotted: source as it is. Dashed: number of training events. $n_{\\rm equiv}$ ends at the number of generated events, near the upper edge."}, "image": {"alt": "Five panels with logarithmic axes: number of equivalent events for three distances of the source, for two pairings and the reweighted source, beside a band for the flow from noise, a falling dotted line and a dashed horizontal one."}} tags=["hide-input"]
figure, axes = plt.subplots(1, len(COLUMNS), figsize=(14, 3.7), sharey=True)
data = {"distance": list(FAR.values())}
for ax, what, title in zip(axes, *zip(*COLUMNS.items(), strict=True), strict=True):
    mean, ends = geometric_mean(of("noise", what), n_gen)
    ax.axhspan(*ends, color=plots.OTHERS[0], alpha=0.2, lw=0)
    ax.axhline(mean, color=plots.OTHERS[0], label="from noise")
    untouched = [min(UNTOUCHED[E][what], n_gen) for E in TEV]
    data[f"{what} source"], data[f"{what} noise"] = untouched, [mean] * len(TEV)
    ax.plot(list(FAR.values()), untouched, ":", color="0.4", label="source, as it is")
    for shift, (way, (label, colour)) in zip((-0.009, -0.003, 0.003, 0.009), WAYS.items(), strict=True):
        mean, ends = zip(*(geometric_mean(of((E, way), what), n_gen) for E in TEV), strict=True)
        data[f"{what} {way}"] = mean
        errors = np.abs(np.transpose(ends) - np.array(mean))
        ax.errorbar(
            np.array(list(FAR.values())) + shift, mean, errors, fmt="o-", ms=4, capsize=2, color=colour, label=label
        )
    ax.axhline(n_train, color=plots.TRUE, ls="--", lw=0.8)
    ax.set(yscale="log", xlabel="distance of the source", title=title, ylim=(5, 1.2 * n_gen))
axes[0].set_ylabel(r"$n_{\rm equiv}$")
plots.shared_legend(axes, columns=6)
page.figure(figure, "direct_worth", data)

# %% tags=["hide-input"]
rows = [["noise", "from noise", *(words(*geometric_mean(of("noise", what), n_gen)) for what in COLUMNS)]]
for what in COLUMNS:
    page.record(f"n_{what}_noise", *geometric_mean(of("noise", what), n_gen), 0.95, digits=2)
for E in TEV:
    rows.append([f"{E} TeV", "source, as it is", *(rounded(UNTOUCHED[E][what], 2) for what in COLUMNS)])
    for way, (title, _) in WAYS.items():
        rows.append([f"{E} TeV", title])
        for what in COLUMNS:
            mean, ends = geometric_mean(of((E, way), what), n_gen)
            rows[-1].append(words(mean, ends))
            page.record(f"n_{what}_{E}_{way}", mean, ends, 0.95, digits=2)
            for rival in ("noise", "radial", "quadratic"):
                against = of(rival if rival == "noise" else (E, rival), what)
                if way != rival:
                    page.record(
                        f"over_{rival}_{what}_{E}_{way}", *geometric_mean(of((E, way), what) / against), 0.95, digits=2
                    )
            if np.isfinite(UNTOUCHED[E][what]):
                gain = of((E, way), what) / min(UNTOUCHED[E][what], n_gen)
                page.record(f"over_source_{what}_{E}_{way}", *geometric_mean(gain), 0.95, digits=2)
for key in ("noise", *product((8, 4), ("random", "optimal"))):
    name = key if key == "noise" else "{}_{}".format(*key)
    page.record(f"c_{name}", *geometric_mean(of(key, "c"), 1.0), 0.95, digits=2)
page.record("size_8", *geometric_mean(of((8, "quadratic"), "size")), 0.95, digits=2)
page.record("size_4", *geometric_mean(of((4, "quadratic"), "size")), 0.95, digits=2)
MORE = ("worth more than", "worth less than", "not told apart from")
for name in ("over_noise_m_tt_8_random", "over_noise_LR_8_random", "over_noise_LR_4_random", "over_noise_LR_8_optimal"):
    glue(f"direct_diffusion_{name}_words", side(page.recorded["numbers"][name]["interval"], MORE), display=False)
for E, way in product((8, 4), ("random", "optimal")):
    name = f"over_quadratic_LR_{E}_{way}"
    glue(f"direct_diffusion_{name}_words", side(page.recorded["numbers"][name]["interval"], MORE), display=False)
markdown_table(["start", "events", *COLUMNS.values()], rows)

# %% [markdown]
# Intervals are over the {glue:text}`direct_diffusion_training_sets` training sets, at 95 %, and factors are given with theirs. *Against noise*: from 8 TeV with random pairs the events are {glue:text}`direct_diffusion_over_noise_m_tt_8_random_words` those from noise in regions of $m$ (factor {glue:text}`direct_diffusion_over_noise_m_tt_8_random`, {glue:text}`direct_diffusion_over_noise_m_tt_8_random_low` to {glue:text}`direct_diffusion_over_noise_m_tt_8_random_high`), and {glue:text}`direct_diffusion_over_noise_LR_8_random_words` them in the likelihood ratio ({glue:text}`direct_diffusion_over_noise_LR_8_random`, {glue:text}`direct_diffusion_over_noise_LR_8_random_low` to {glue:text}`direct_diffusion_over_noise_LR_8_random_high`). In regions of $Y$ the factor is {glue:text}`direct_diffusion_over_noise_y_tt_8_random` ({glue:text}`direct_diffusion_over_noise_y_tt_8_random_low` to {glue:text}`direct_diffusion_over_noise_y_tt_8_random_high`). From 4 TeV the factor in the likelihood ratio is {glue:text}`direct_diffusion_over_noise_LR_4_random` ({glue:text}`direct_diffusion_over_noise_LR_4_random_low` to {glue:text}`direct_diffusion_over_noise_LR_4_random_high`): they are {glue:text}`direct_diffusion_over_noise_LR_4_random_words` those from noise. With optimal pairs it is {glue:text}`direct_diffusion_over_noise_LR_8_optimal` from 8 TeV ({glue:text}`direct_diffusion_over_noise_LR_8_optimal_low` to {glue:text}`direct_diffusion_over_noise_LR_8_optimal_high`).
#
# The law {eq}`eq-kl-law`, by which the Kullback-Leibler divergence tells the distance in the likelihood ratio, has $c=$ {glue:text}`direct_diffusion_c_noise` ({glue:text}`direct_diffusion_c_noise_low` to {glue:text}`direct_diffusion_c_noise_high`) for the flow from noise. With random pairs it is {glue:text}`direct_diffusion_c_8_random` ({glue:text}`direct_diffusion_c_8_random_low` to {glue:text}`direct_diffusion_c_8_random_high`) from the nearer source and {glue:text}`direct_diffusion_c_4_random` ({glue:text}`direct_diffusion_c_4_random_low` to {glue:text}`direct_diffusion_c_4_random_high`) from the farther one, with optimal pairs {glue:text}`direct_diffusion_c_8_optimal` ({glue:text}`direct_diffusion_c_8_optimal_low` to {glue:text}`direct_diffusion_c_8_optimal_high`) and {glue:text}`direct_diffusion_c_4_optimal` ({glue:text}`direct_diffusion_c_4_optimal_low` to {glue:text}`direct_diffusion_c_4_optimal_high`). The divergences come from few generated events, of which rare ones with large weights decide.
#
# *Against the reweighted source*: in the likelihood ratio direct diffusion with random pairs is {glue:text}`direct_diffusion_over_quadratic_LR_8_random_words` the source of 8 TeV with weights from the quadratic classifier (factor {glue:text}`direct_diffusion_over_quadratic_LR_8_random`, {glue:text}`direct_diffusion_over_quadratic_LR_8_random_low` to {glue:text}`direct_diffusion_over_quadratic_LR_8_random_high`), and {glue:text}`direct_diffusion_over_quadratic_LR_4_random_words` that of 4 TeV ({glue:text}`direct_diffusion_over_quadratic_LR_4_random`, {glue:text}`direct_diffusion_over_quadratic_LR_4_random_low` to {glue:text}`direct_diffusion_over_quadratic_LR_4_random_high`). With optimal pairs it is {glue:text}`direct_diffusion_over_quadratic_LR_8_optimal_words` the first ({glue:text}`direct_diffusion_over_quadratic_LR_8_optimal`, {glue:text}`direct_diffusion_over_quadratic_LR_8_optimal_low` to {glue:text}`direct_diffusion_over_quadratic_LR_8_optimal_high`), and {glue:text}`direct_diffusion_over_quadratic_LR_4_optimal_words` the second ({glue:text}`direct_diffusion_over_quadratic_LR_4_optimal`, {glue:text}`direct_diffusion_over_quadratic_LR_4_optimal_low` to {glue:text}`direct_diffusion_over_quadratic_LR_4_optimal_high`). With the radial functions the factors of random pairs are {glue:text}`direct_diffusion_over_radial_LR_8_random` and {glue:text}`direct_diffusion_over_radial_LR_4_random`. A classifier needs no solver, and its weights can be looked at. The weights cost events: a weighted source event of 8 TeV counts as {glue:text}`direct_diffusion_size_8` of one, one of 4 TeV as {glue:text}`direct_diffusion_size_4`. And there must be source events wherever there are true ones.
#
# If the source is a *file*, it sets another limit. A flow makes one event of each source event, a classifier one weight: the number of events in the file limits $\nequiv$, while noise never ends.
#
# (sec-direct-unlearned)=
# ## Is anything unlearned?
#
# What is right in the source already should stay so. The table has K-S distances of {glue:text}`direct_diffusion_n_gen` events. For as many true events they would be {glue:text}`direct_diffusion_floor` on average, for a training sample {glue:text}`direct_diffusion_of_training`.

# %% tags=["hide-input"]
page.record("floor", MEAN * np.sqrt(1 / n_gen + 1 / n_truth), digits=2)
page.record("of_training", MEAN / np.sqrt(n_train), digits=2)
rows = [["noise", "from noise", *(rounded(of("noise", ("K-S", name)).mean(), 2) for name in (*OBSERVABLES, "phi"))]]
KEPT = ("keeps", "unlearns", "may or may not keep")
for E, way in product(TEV, ("source", *WAYS)):
    title = "source, as it is" if way == "source" else WAYS[way][0]
    rows.append([f"{E} TeV", title])
    for name in (*OBSERVABLES, "phi"):
        rows[-1].append(rounded(of((E, way), ("K-S", name)).mean(), 2))
        if way != "source":
            ratio, ends = geometric_mean(of((E, way), ("K-S", name)) / of((E, "source"), ("K-S", name)))
            page.record(f"unlearned_{name}_{E}_{way}", ratio, ends, 0.95, digits=2)
            glue(
                f"direct_diffusion_unlearned_{name}_{E}_{way}_words",
                side(ends, (KEPT[1], KEPT[0], KEPT[2])),
                display=False,
            )
    page.record(f"distance_cos_{E}_{way}", *geometric_mean(of((E, way), ("K-S", "cos_theta"))), 0.95, digits=2)
for way in ("random", "optimal"):
    page.record(f"null_LR_{way}", *geometric_mean(of((13, way), "LR") / n_train), 0.95, digits=2)
page.record("distance_cos_noise", *geometric_mean(of("noise", ("K-S", "cos_theta"))), 0.95, digits=2)
markdown_table(["start", "events", *(f"K-S {title}" for title in AXES)], rows)

# %% [markdown]
# In $\cos\theta^*$ the source of 8 TeV has a distance of {glue:text}`direct_diffusion_distance_cos_8_source`. Direct diffusion with random pairs makes {glue:text}`direct_diffusion_distance_cos_8_random` of it ({glue:text}`direct_diffusion_distance_cos_8_random_low` to {glue:text}`direct_diffusion_distance_cos_8_random_high`), {glue:text}`direct_diffusion_unlearned_cos_theta_8_random` times as much ({glue:text}`direct_diffusion_unlearned_cos_theta_8_random_low` to {glue:text}`direct_diffusion_unlearned_cos_theta_8_random_high`): it {glue:text}`direct_diffusion_unlearned_cos_theta_8_random_words` this agreement. With optimal pairs it is {glue:text}`direct_diffusion_unlearned_cos_theta_8_optimal` times ({glue:text}`direct_diffusion_unlearned_cos_theta_8_optimal_low` to {glue:text}`direct_diffusion_unlearned_cos_theta_8_optimal_high`), by reweighting {glue:text}`direct_diffusion_unlearned_cos_theta_8_radial` (radial functions) and {glue:text}`direct_diffusion_unlearned_cos_theta_8_quadratic` times (quadratic). In $\phi$, which is flat in both, random pairs change the distance by a factor {glue:text}`direct_diffusion_unlearned_phi_8_random` ({glue:text}`direct_diffusion_unlearned_phi_8_random_low` to {glue:text}`direct_diffusion_unlearned_phi_8_random_high`), optimal ones by {glue:text}`direct_diffusion_unlearned_phi_8_optimal` ({glue:text}`direct_diffusion_unlearned_phi_8_optimal_low` to {glue:text}`direct_diffusion_unlearned_phi_8_optimal_high`).
#
# The clearest test has nothing to learn. From 13 TeV to 13 TeV, where the source is perfect, random pairs leave events that are worth {glue:text}`direct_diffusion_n_m_tt_13_random` in regions of $m$ ({glue:text}`direct_diffusion_n_m_tt_13_random_low` to {glue:text}`direct_diffusion_n_m_tt_13_random_high`) and {glue:text}`direct_diffusion_n_LR_13_random` in the likelihood ratio, where {glue:text}`direct_diffusion_n_train` have been used for training. The distance in $\cos\theta^*$ becomes {glue:text}`direct_diffusion_unlearned_cos_theta_13_random` times that of source events ({glue:text}`direct_diffusion_unlearned_cos_theta_13_random_low` to {glue:text}`direct_diffusion_unlearned_cos_theta_13_random_high`): the map {glue:text}`direct_diffusion_unlearned_cos_theta_13_random_words` what agrees already. Optimal pairs leave {glue:text}`direct_diffusion_n_LR_13_optimal` in the likelihood ratio, and the classifiers, which are asked for differences that do not exist, {glue:text}`direct_diffusion_n_LR_13_radial` and {glue:text}`direct_diffusion_n_LR_13_quadratic`. A flow does not know which features it may leave alone: it learns all of them from the training events, and their fluctuations with them. What a source saves is the *size* of what has to be learned, not the learning.

# %% [markdown]
# (sec-direct-off-shell)=
# ## Off-shell tops from on-shell tops
#
# The example of the talk is top pairs that decay to muons, $t\bar t\to b\mu^+\nu\;\bar b\mu^-\bar\nu$, on their mass shells and off them. The events are ours, from Pythia, as partons before any radiation. *This is no off-shell calculation*: the masses of tops and $W$ bosons are those of a Breit-Wigner, or fixed, and diagrams without two tops are missing in both. What differs is what the talk is about: the peaks of $m_t$ and $m_W$ are lines on shell, and $m_{b\ell}$ ends at the edge $\sqrt{m_t^2-m_W^2}=$ {glue:text}`direct_diffusion_edge` GeV, up to the mass of the $b$.
#
# Networks see $\ln p_T$, $\phi$ and $\eta$ of six partons, and no masses. {numref}`fig-direct-off` and the table compare true off-shell events with
#
# - those from *noise*, and from *on-shell events*, with random pairs, each trained on {glue:text}`direct_diffusion_n_off` off-shell events;
# - the same map trained on *on-shell* events, where nothing has to change;
# - the on-shell events as they are, and *reweighted* by the radial classifier of $m_{b\ell}$ of both tops, $m_{t\bar t}$ and $p_{T,t}$. It is not shown $m_t$ and $m_W$, from which it could tell every event, so that no weight would be left.
#
# The on-shell source is a file of {glue:text}`direct_diffusion_n_on` events, each of which is carried once.

# %% tags=["hide-input"]
OFF, ON = DileptonTopPair(off_shell=True), DileptonTopPair(off_shell=False)
off_train, off_true = (OFF.load(sample).momenta.astype(np.float64) for sample in ("train", "holdout"))
on_shell = ON.load("train").momenta.astype(np.float64)
M_T, M_W = 173.0, 80.385
EDGE = float(np.sqrt(M_T**2 - M_W**2))
page.record("edge", EDGE, digits=4)
page.record("n_on", len(on_shell))
PEAKS = {"m(t1)": "$m_t$", "m(W1)": "$m_W$", "m(bl1)": r"$m_{b\ell}$"}
OFF_OBSERVABLES = {name: OFF.observable(name) for name in (*PEAKS, "pT(tt)", "m(bl2)", "m_tt", "pT(t1)")}
OFF_VALUES = {name: observable(off_true) for name, observable in OFF_OBSERVABLES.items()}
OFF_EDGES = {name: np.quantile(OFF_VALUES[name], np.linspace(0, 1, 13)[1:-1]) for name in PEAKS}
off_training = Training(
    TopPairJets(pt_min=0.0, delta_r_min=0.0),
    n_off,
    network,
    "deep",
    sets,
    seed,
    Fit(off_steps, 128, 5e-3, warmup=off_steps // 10, validate_every=max(1, off_steps // 10), patience=6, ema=0.98),
)
parts = {
    "off": off_train[: sets * n_off].reshape(sets, n_off, 6, 4),
    "on": on_shell[: sets * n_off].reshape(sets, n_off, 6, 4),
}
options["chunk"] = len(on_shell)
file = Source.events(on_shell)
OFF_WAYS = {
    "noise": ("from noise", plots.OTHERS[0]),
    "on": ("on shell to off shell", plots.ESTIMATE),
    "null": ("on shell to on shell", plots.OTHERS[1]),
    "weights": ("on shell, reweighted", plots.MODEL),
    "source": ("on shell, as it is", "0.6"),
}


def shown(x):
    return np.column_stack([OFF_OBSERVABLES[name](x) for name in ("m(bl1)", "m(bl2)", "m_tt", "pT(t1)")])


made_off = {}
noise = train_members(off_training, parts["off"].__getitem__, label="direct/off/noise", **options)
direct = {}
for way, kind in (("on", "off"), ("null", "on")):
    from_file = [Data(one, source=file) for one in parts[kind]]
    direct[way] = train_members(off_training, from_file.__getitem__, label=f"direct/off/{way}", **options)
for k in range(sets):
    made_off["noise", k] = noise[k].sample(len(on_shell), seed), None
    for way, ones in direct.items():
        made_off[way, k] = carried(ones[k].generator, on_shell), None
    log_w = in_sample(shown(parts["off"][k]), shown(on_shell), seed)
    made_off["weights", k] = on_shell, np.exp(log_w(shown(on_shell)))
    made_off["source", k] = on_shell, None
    for one in (noise[k], *(ones[k] for ones in direct.values())):
        page.count_training(one.history.seconds, one.history.device)
for key, (x, _) in made_off.items():
    if not np.isfinite(x).all():
        failed.append(f"off shell, {key}: {(~np.isfinite(x)).any(axis=(1, 2)).sum()} events lost")
failed += [f"off shell, {one.failure}" for ones in (noise, *direct.values()) for one in ones if one.failure]
print("failed trainings, lost events:", failed or "none")


def quantile(values, share, w=None):
    return np.quantile(values, share, weights=w, method="inverted_cdf") if w is not None else np.quantile(values, share)


def worth_off(x, w, name):
    """n_equiv of regions with a twelfth of the holdout each, without its counting errors and the sample's; at most n_holdout."""
    w = np.ones(len(x)) if w is None else w
    place = np.searchsorted(OFF_EDGES[name], OFF_OBSERVABLES[name](x))
    share, squares = (np.bincount(place, w**k, 12) / w.sum() ** k for k in (1, 2))
    binomial = 1 - 1 / 12
    counting = (squares * (1 - 2 * share) + share**2 * (w**2).sum() / w.sum() ** 2).sum() + binomial / len(off_true)
    return binomial / max(((share - 1 / 12) ** 2).sum() - counting, binomial / len(off_true))


OFF_FOUND = {}
for (way, k), (x, w) in made_off.items():
    values = {name: OFF_OBSERVABLES[name](x) for name in (*PEAKS, "pT(tt)")}
    found_off = {name: worth_off(x, w, name) for name in PEAKS}
    for name in ("m(t1)", "m(W1)"):
        low, high = (quantile(values[name], share, w) for share in (0.1585, 0.8415))
        found_off["width", name] = (high - low) / 2
    found_off["balance"] = quantile(values["pT(tt)"], 0.5, w)
    found_off["beyond"] = np.average(values["m(bl1)"] > 1.02 * EDGE, weights=w)
    OFF_FOUND[way, k] = found_off
TRUE_WIDTH = {
    name: float(np.diff(np.quantile(OFF_VALUES[name], [0.1585, 0.8415]))[0] / 2) for name in ("m(t1)", "m(W1)")
}
TRUE_BEYOND = float((OFF_VALUES["m(bl1)"] > 1.02 * EDGE).mean())

# %% mystnb={"figure": {"name": "fig-direct-off", "caption": "Off-shell top pairs (black, holdout): masses of top and $W$ boson, $m_{b\\ell}$ with the edge (dotted), and the transverse momentum of the sum of all partons, which is zero in all true and all on-shell events. Coloured: from noise, from on-shell events, the same map trained on on-shell events, and, for $m_{b\\ell}$ only, on-shell events with weights; first training set."}, "image": {"alt": "Four panels with logarithmic axes. The peaks of the top and the W boson; the mass of b quark and lepton with an edge; and the transverse momentum of the event for the generated samples."}} tags=["hide-input"]
OFF_BINS = {
    "m(t1)": np.linspace(150, 200, 51),
    "m(W1)": np.linspace(65, 100, 51),
    "m(bl1)": np.linspace(100, 200, 41),
    "pT(tt)": np.geomspace(0.1, 1000, 41),
}
figure, axes = plt.subplots(1, 4, figsize=(13, 3.9))
data = {}
for ax, (name, bins) in zip(axes, OFF_BINS.items(), strict=True):
    data[name] = {"left": bins[:-1]}
    if name != "pT(tt)":
        shares = np.histogram(OFF_VALUES[name], bins)[0] / len(off_true)
        data[name]["true"] = shares
        ax.stairs(shares, bins, baseline=None, color=plots.TRUE, lw=1.4, label="off shell, true")
    for way in ("noise", "on", "null", *(["weights"] if name == "m(bl1)" else [])):
        (label, colour), (x, w) = OFF_WAYS[way], made_off[way, 0]
        w = np.ones(len(x)) if w is None else w
        shares = np.histogram(OFF_OBSERVABLES[name](x), bins, weights=w)[0] / w.sum()
        data[name][label] = shares
        ax.stairs(shares, bins, baseline=None, color=colour, lw=1.2, label=label)
    title = PEAKS.get(name, "$p_T$ of all partons")
    ax.set(xlabel=f"{title} [GeV]", yscale="log", ylim=(1e-4, 0.6))
axes[2].axvline(EDGE, color=plots.TRUE, ls=":", lw=0.8)
axes[3].set_xscale("log")
axes[0].set_ylabel("share of events")
handles = {label: line for ax in axes for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5)
page.figure(figure, "direct_off", data)


# %% tags=["hide-input"]
def of_off(way, what):
    return np.array([OFF_FOUND[way, k][what] for k in range(sets)])


rows = [
    [
        "off shell, true",
        "–",
        "–",
        "–",
        *(rounded(TRUE_WIDTH[name], 2) for name in TRUE_WIDTH),
        rounded(100 * TRUE_BEYOND, 2),
        "0",
    ]
]
for way, (title, _) in OFF_WAYS.items():
    rows.append([title])
    for name in PEAKS:
        mean, ends = geometric_mean(of_off(way, name), len(off_true))
        rows[-1].append(words(mean, ends))
        page.record(f"off_n_{name[2:-2]}_{way}", mean, ends, 0.95, digits=2)
    for name in TRUE_WIDTH:
        widths = of_off(way, ("width", name))
        rows[-1].append(rounded(widths.mean(), 2) if widths.mean() > 0.01 else "0")
        if way in ("noise", "on", "null"):
            page.record(f"off_width_{name[2:-2]}_{way}", *geometric_mean(widths / TRUE_WIDTH[name]), 0.95, digits=2)
    rows[-1].append(rounded(100 * of_off(way, "beyond").mean(), 2))
    balance = of_off(way, "balance")
    rows[-1].append(rounded(balance.mean(), 2) if balance.mean() > 1e-3 else "0")
    if way in ("noise", "on", "null"):
        page.record(f"off_balance_{way}", *geometric_mean(balance), 0.95, digits=2)
for name in PEAKS:
    short = name[2:-2]
    page.record(f"off_gain_{short}", *geometric_mean(of_off("on", name) / of_off("noise", name)), 0.95, digits=2)
    page.record(f"off_null_{short}", *geometric_mean(of_off("on", name) / of_off("null", name)), 0.95, digits=2)
for name in TRUE_WIDTH:
    learned = geometric_mean(of_off("on", ("width", name)) / of_off("null", ("width", name)))
    page.record(f"off_learned_{name[2:-2]}", *learned, 0.95, digits=2)
glue(
    "direct_diffusion_off_learned_words",
    side(
        page.recorded["numbers"]["off_learned_W"]["interval"],
        ("wider than", "narrower than", "not told apart from"),
    ),
    display=False,
)
PEAKS_WORDS = (
    "Small networks hardly find sharp peaks, of masses that they are not shown, in noise; the source has them.",
    "The peaks that the source has do not help.",
    "Whether the peaks that the source has help cannot be told.",
)
peaks = side(page.recorded["numbers"]["off_gain_W"]["interval"], PEAKS_WORDS)
glue("direct_diffusion_off_peaks", peaks, display=False)
header = ["events", *(rf"$n_\mathrm{{equiv}}$ {t}" for t in PEAKS.values()), "width $m_t$", "width $m_W$"]
markdown_table([*header, r"$m_{b\ell}$ beyond edge, %", "median $p_T$ of all"], rows)

# %% [markdown]
# Widths are half of the central range that holds 68.3 % of the events, in GeV; *beyond the edge* is two per cent and more above it. No $\nequiv$ beyond the number of true events in the holdout can be told. Intervals are over training sets.
#
# *From on-shell events instead of noise* the events are worth {glue:text}`direct_diffusion_off_gain_t` times as much in $m_t$ ({glue:text}`direct_diffusion_off_gain_t_low` to {glue:text}`direct_diffusion_off_gain_t_high`), {glue:text}`direct_diffusion_off_gain_W` times in $m_W$ ({glue:text}`direct_diffusion_off_gain_W_low` to {glue:text}`direct_diffusion_off_gain_W_high`) and {glue:text}`direct_diffusion_off_gain_bl` times in $m_{b\ell}$ ({glue:text}`direct_diffusion_off_gain_bl_low` to {glue:text}`direct_diffusion_off_gain_bl_high`). {glue:text}`direct_diffusion_off_peaks` In $m_{b\ell}$ the on-shell events as they are have $\nequiv=$ {glue:text}`direct_diffusion_off_n_bl_source`, and what the map makes of them {glue:text}`direct_diffusion_off_n_bl_on`.
#
# *Reweighting* cannot help with $m_t$ and $m_W$: lines stay lines under any weight. Here a map can do what weights cannot.
#
# *But is the peak learned?* The generated $W$ has {glue:text}`direct_diffusion_off_width_W_on` times the true width ({glue:text}`direct_diffusion_off_width_W_on_low` to {glue:text}`direct_diffusion_off_width_W_on_high`). The map that is trained on *on-shell* events, where the width is zero, makes {glue:text}`direct_diffusion_off_width_W_null` times the true width ({glue:text}`direct_diffusion_off_width_W_null_low` to {glue:text}`direct_diffusion_off_width_W_null_high`). The peak of the map to off-shell events is {glue:text}`direct_diffusion_off_learned_words` that of the map to on-shell ones (factor {glue:text}`direct_diffusion_off_learned_W`, {glue:text}`direct_diffusion_off_learned_W_low` to {glue:text}`direct_diffusion_off_learned_W_high`). Only what goes beyond the error of the map itself can be called learned. A peak that looks right has to be held against a map that had nothing to learn.
#
# *What is unlearned.* In all true events, and in all on-shell ones, the transverse momenta add up to zero. The map leaves a median of {glue:text}`direct_diffusion_off_balance_on` GeV ({glue:text}`direct_diffusion_off_balance_on_low` to {glue:text}`direct_diffusion_off_balance_on_high`), noise one of {glue:text}`direct_diffusion_off_balance_noise` GeV. This is a feature that a source brings along and a flow need not keep.

# %% tags=["nbval-check-output", "hide-input"]
print("on-shell masses are lines:", np.ptp(OFF_OBSERVABLES["m(t1)"](on_shell)) < 0.1)
pool = np.concatenate([generated[key, k][0] for key, k in generated])
print("the source of 13 TeV is the wanted process:", FAR[13] == 0)
print("sources are further away with less energy:", 0 < FAR[8] < FAR[4])
print("all generated events are in phase space:", bool(np.isfinite(process.log_prob(pool)).all()))

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-direct-velocity
# Derive {eq}`eq-direct-squeeze`, and the width of $x_t$. What are they for pairs of two equal events, and for pairs with correlation $\rho$?
# ```
#
# ````{solution} ex-direct-velocity
# :class: dropdown
# $x_t=(1-t)x_0+t\,x_1$ and $x_1-x_0$ are Gaussian with covariance $t-(1-t)=2t-1$ and ${\rm Var}(x_t)=t^2+(1-t)^2$, if the two are independent; the conditional mean is the quotient times $x_t$. With a correlation the covariance is $(1-\rho)(2t-1)$ and the variance $1-2(1-\rho)\,t(1-t)$. For $\rho=1$ nothing moves. For each $\rho$ the velocity is odd under $t\to1-t$, so that all cancels in the end.
# ````
#
# ```{exercise}
# :label: ex-direct-nearest
# Sources are uniform in $[0,2]$, events in $[0,1]$. What does a flow learn if each event is paired with the nearest source, and what does it generate?
# ```
#
# ````{solution} ex-direct-nearest
# :class: dropdown
# With many sources the nearest one is next to the event: the velocity is zero in $[0,1]$, and nothing at all is learned about $[1,2]$, where half of the generation starts. If the network has zero there, too, half of the generated events stay outside of $[0,1]$.
# ````
#
# ```{exercise}
# :label: ex-direct-support
# Which of the two, flow or classifier, can work if the source has no events with $m>4$ TeV, or if all its tops have exactly the mass $m_t$ and the true ones do not?
# ```
#
# ````{solution} ex-direct-support
# :class: dropdown
# No weight makes an event where the source has none, so that the classifier misses what is above 4 TeV. A flow can carry events there. In the second case a classifier can only pick the events that are right by accident, with probability zero. But a flow, too, has a difficulty: it is invertible and continuous, and maps a surface in phase space to another surface. It can fold the surface until it looks like a volume, but only a source that has a width in this direction fills it.
# ````
