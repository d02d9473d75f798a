# %% [markdown]
# (sec-madnis)=
# # MadNIS: what a known density is worth
#
# All generators of this book learn from events, and $n_{\rm equiv}$ says how many true events they are worth. An event generator that is built on a theory has more: it can *evaluate* the density, up to its normalisation, at any point. *MadNIS* {cite}`madnis,madnis_reloaded` trains a flow on that, in the place of an adaptive grid, VEGAS {cite}`vegas`; the talk *Controlled Precision Generators* {cite}`plehn_controlled` names buffered training and a multi-channel network, and claims a gain over what MadGraph has. With the density $f$ at hand each point that a flow of density $q$ generates also has a weight $w=f/q$, which removes every error of the flow. Then amplification has no limit, and the question becomes: **how many training events is one evaluation of the density worth?**

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import time
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from gampl import plots
from gampl.processes import LeadingOrderTopPair
from gampl.regions import Intervals
from gampl_book.divergences import from_generated
from gampl_book.known_density import (
    CHANNELS,
    WIDTH,
    WINDOW,
    OffShellIntegrand,
    TopPairIntegrand,
    quality,
    vegas,
    worth_without_weights,
)
from gampl_book.network_costs import EVENTS
from gampl_book.neural_sampling import (
    Counted,
    Steps,
    points_of_channels,
    points_of_flow,
    train_on_channels,
    train_on_density,
    train_on_events,
)
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.scaling import geometric_mean, tail

page = Page("known_density", profile, seed)
repetitions, steps, batch_size, learning_rate, buffered, n_events, n_points, n_regions = page.settings.values()
fit = Steps(steps, batch_size, learning_rate)
process = LeadingOrderTopPair()
exact = process.sigma
on_shell = TopPairIntegrand(process)
off_shell = OffShellIntegrand(on_shell)
SETS = range(repetitions)
N_FULL = steps * batch_size  # evaluations without buffer
for name in ("repetitions", "steps", "n_points", "regions"):
    page.record(name, page.settings[name])
page.record("exact", exact, digits=5)
page.record("n_full", N_FULL)
page.record("width", WIDTH)
page.record("window", round(WINDOW))

# %% [markdown]
# ## Two integrals
#
# The first is the cross section of top pairs at leading order ({ref}`sec-leading-order`), whose exact value is {glue:text}`known_density_exact` pb. With a map from the unit cube to phase space that knows only where phase space ends, flat in $\ln m^2$, in $Y/Y_{\rm max}(m)$ and in $\cos\theta^*$, it is
#
# ```{math}
# :label: eq-madnis-integral
# \sigma=\int_{[0,1]^3} f(u)\,du , \qquad f = \frac{d\sigma}{dm\,dY\,d\cos\theta^*}\,\left|\frac{\partial(m,Y,\cos\theta^*)}{\partial u}\right| , \qquad \sigma=\Big\langle w\Big\rangle_{u\sim q} , \qquad w(u)=\frac{f(u)}{q(u)} .
# ```
#
# The second has two more numbers, the masses of top and antitop within {glue:text}`known_density_window` GeV of the pole. Its density is the first one's times
#
# ```{math}
# :label: eq-madnis-masses
# R(m_1,m_2)=\tfrac13\Big[B(m_1)\,B(m_2)+B(m_1)\,U(m_2)+U(m_1)\,B(m_2)\Big]
# ```
#
# with the Breit-Wigner shape $B$ of a width of {glue:text}`known_density_width` GeV and the flat density $U$: both tops are resonant, or only one of them, as in the production of a single top. This is a model of what makes phase space difficult, not a calculation of off-shell tops; in particular the terms do not interfere, and the mass of the pair moves along with the masses of the tops. Then its integral is the same, $\int R=1$. The peaks form a cross in the plane of the masses, which no product of functions of one number each can describe.
#
# Such an integral is usually split into *channels* {cite}`kleiss_pittau`, $\sigma=\sum_k\langle\alpha_k f_k/q_k\rangle$: each has a map of its own, here flat for $B$ where a mass is resonant, and its share of the density, $\sum_k\alpha_k=1$. With the known $\alpha_k=\tfrac13(\dots)_k/R$, one of the three terms over the sum, no peak is left in any channel.
#
# ## Plain sampling, VEGAS and MadNIS
#
# VEGAS adapts a step function for each coordinate, with steps of equal probability, in ten iterations or more; our own few lines have as many steps as Lepage's package takes by default. MadNIS is the authors' package, with its default flow of coupling blocks with splines and default losses: Kullback-Leibler divergence, or with channels the stratified variance. In each of {glue:text}`known_density_steps` steps it evaluates the density at a batch of new points, {glue:text}`known_density_n_full` in all; a grid has as many. With channels the evaluations are divided among them; the network for the channels' weights corrects the known $\alpha_k$, or starts from $\alpha_k=\tfrac13$ and has to find them. Everything is repeated {glue:text}`known_density_repetitions` times with other random numbers; intervals are at 95 % and take the logarithms to be normal. The *efficiency* of unweighting is the mean weight over the largest of {glue:text}`known_density_n_points` per channel, a share, so that its interval ends at one at the latest. It hangs on a single point; a second efficiency lets weights exceed the limit with 0.1 % of the integral.


# %% tags=["hide-input"]
def words(value, ends, digits=2):
    """A number with its interval."""
    return f"{rounded(value, digits)} ({rounded(ends[0], digits)} to {rounded(ends[1], digits)})"


def record(name, values, digits=2, most=np.inf):
    """Record the geometric mean over repetitions, and give it in words; its interval ends where nothing larger can be."""
    value, ends = geometric_mean(values, most)
    page.record(name, value, ends, 0.95, digits=digits)
    return words(value, ends, digits)


points, grids, madnis, found, seconds = {}, {}, {}, {}, {}


def keep(name, k, channels, started):
    """What a method's points, (n, d), and weights in each channel say."""
    found[name, k] = quality([w for _, w in channels])
    points[name, k] = channels if k == 0 else None
    seconds[name, k] = time.process_time() - started


def of_grid(f, grid, d, rng):
    """Points of a grid with weights."""
    x, inverse = grid.transform(rng.random((n_points, d)))
    return x, f(x) * inverse


def known(c):
    """The share of a channel in the density, times the density, with its map."""
    return lambda u: off_shell(u, c) * off_shell.channel_weights(off_shell.masses(u, c))[:, c]


def equal(c):
    """A third of the density with a channel's map."""
    return lambda u: off_shell(u, c) / len(CHANNELS)


for k in SETS:
    rng = page.rng(k)
    for name, f, d in (("", on_shell, 3), ("_off", off_shell, 5)):
        start, x = time.process_time(), rng.random((n_points, d))
        keep(f"plain{name}", k, [(x, f(x))], start)
        start, grid = time.process_time(), vegas(f, d, N_FULL, rng)
        keep(f"vegas{name}", k, [of_grid(f, grid, d, rng)], start)
    for name, share in (("known", known), ("equal", equal)):
        start, x = time.process_time(), rng.random((n_points, 5))
        keep(f"plain_{name}", k, [(x, share(c)(x)) for c in range(len(CHANNELS))], start)
        start, made = time.process_time(), []
        for c in range(len(CHANNELS)):
            grid = vegas(share(c), 5, N_FULL // len(CHANNELS), rng)
            made.append(of_grid(share(c), grid, 5, rng))
        keep(f"vegas_{name}", k, made, start)

evaluations, trained = {}, {}
for k in SETS:
    for behind in buffered:
        start, counted = time.process_time(), Counted(on_shell)
        madnis[behind, k] = train_on_density(counted, 3, fit, 1000 * seed + k, behind).flow
        trained[behind] = time.process_time() - start
        x, q = points_of_flow(madnis[behind, k], n_points, 1000 * seed + k)
        evaluations[behind], points[behind, k] = counted.calls, (x, on_shell(x) / q)
        if behind == 0:
            keep("madnis", k, [points[behind, k]], start)
    start = time.process_time()
    flow = train_on_density(Counted(off_shell), 5, fit, 1000 * seed + k).flow
    x, q = points_of_flow(flow, n_points, 1000 * seed + k)
    keep("madnis_off", k, [(x, off_shell(x) / q)], start)
    for name, knows in (("known", True), ("equal", False)):
        start = time.process_time()
        integrator = train_on_channels(off_shell, fit, 1000 * seed + k, knows)
        keep(f"madnis_{name}", k, points_of_channels(integrator, n_points, 1000 * seed + k), start)

# %% tags=["hide-input"]
METHODS = {
    "plain": "plain",
    "vegas": "VEGAS",
    "madnis": "MadNIS",
    "plain_off": "plain, one map",
    "vegas_off": "VEGAS, one map",
    "madnis_off": "MadNIS, one map",
    "plain_known": r"plain, channels, known $\alpha$",
    "vegas_known": r"VEGAS, channels, known $\alpha$",
    "madnis_known": r"MadNIS, channels, from known $\alpha$",
    "plain_equal": r"plain, channels, $\alpha=\frac{1}{3}$",
    "vegas_equal": r"VEGAS, channels, $\alpha=\frac{1}{3}$",
    "madnis_equal": r"MadNIS, channels, from $\alpha=\frac{1}{3}$",
}


def tag(name):
    """Names of numbers that depend on a trained network begin like this: they move with the processor."""
    return f"flow_{name}" if name.startswith("madnis") else name


FIELDS = {"std": "relative_std", "efficiency": "efficiency", "permille": "efficiency_permille"}
rows, pulls = [], {}
for name, title in METHODS.items():
    here = [found[name, k] for k in SETS]
    mean = np.mean([one.integral for one in here])
    error = np.sqrt(np.sum([one.error**2 for one in here])) / repetitions
    pulls[name] = [(one.integral - exact) / one.error for one in here]
    page.record(f"{tag(name)}_integral", mean / exact, [(mean + s * 1.96 * error) / exact for s in (-1, 1)], 0.95, 4)
    chi2 = np.sum(np.square(pulls[name]))
    rows.append([title, f"{mean:.2f} ± {error:.2f}", f"{chi2:.1f}"])
    for short, field in FIELDS.items():
        most = np.inf if short == "std" else 1.0  # the share of points that unweighting keeps
        rows[-1].append(record(f"{tag(name)}_{short}", [getattr(one, field) for one in here], most=most))
header = [
    "method",
    r"$\sigma$ [pb]",
    r"$\chi^2$",
    "relative standard deviation",
    "efficiency",
    "efficiency, 0.1 % above",
]
markdown_table(header, rows)

# %% [markdown]
# $\chi^2$ is the sum of the {glue:text}`known_density_repetitions` squared deviations from the exact value in units of their errors; it has as many degrees of freedom. The upper three rows are for the first integral.

# %% mystnb={"figure": {"name": "fig-madnis-weights", "caption": "Weights over their mean, first repetition. Left: top pairs at leading order. Right: with masses of the tops, with one map (dotted) or with channels and known $\\alpha_k$ (solid). A perfect density would have the weight one everywhere. Weights below the axis are in its first bin."}, "image": {"alt": "Two panels with histograms of weights on logarithmic axes. MadNIS and VEGAS have peaks at one with tails to small weights, and plain sampling spreads over many decades."}} tags=["hide-input"]
STYLES = {
    "plain": ("0.5", "-"),
    "vegas": (plots.MODEL, "-"),
    "madnis": (plots.ESTIMATE, "-"),
    "plain_known": ("0.5", "-"),
    "vegas_off": (plots.MODEL, ":"),
    "madnis_off": (plots.ESTIMATE, ":"),
    "vegas_known": (plots.MODEL, "-"),
    "madnis_known": (plots.ESTIMATE, "-"),
}
bins = np.geomspace(1e-3, 1e2, 101)
figure, axes = plt.subplots(1, 2, figsize=(10.5, 4), sharey=True)
data = {"low": bins[:-1]}
for name, (colour, line) in STYLES.items():
    ax = axes[0 if name in ("plain", "vegas", "madnis") else 1]
    w = found[name, 0].weights
    data[name] = np.histogram(np.clip(w, bins[0], bins[-1]), bins)[0] / len(w) / np.diff(np.log10(bins))
    ax.stairs(data[name], bins, baseline=None, color=colour, ls=line, lw=1.3, label=METHODS[name])
for ax, title in zip(axes, ("leading order", "with masses of the tops"), strict=True):
    ax.set(xscale="log", yscale="log", ylim=(1e-3, 30), xlabel=r"$w/\langle w\rangle$", title=title)
    ax.legend(loc="upper left", fontsize=8)
axes[0].set_ylabel(r"share of points per decade of $w$")
page.figure(figure, "madnis_weights", data)

# %% mystnb={"figure": {"name": "fig-madnis-masses", "caption": "Plane of the masses of top and antitop near the pole: the exact density, and the points, without weights, of VEGAS and MadNIS with one map and of MadNIS with channels. One colour is the same density in all panels."}, "image": {"alt": "Four square panels with a bright spot in the centre and a cross of two bands. With VEGAS the quarters between the bands are not empty."}} tags=["hide-input"]
edges = np.linspace(-12, 12, 25)
centre = 0.5 * (edges[1:] + edges[:-1])
fine = np.stack(np.meshgrid(centre, centre, indexing="ij"), -1)
sub = np.linspace(-0.5, 0.5, 11)[:-1] + 0.05
shifts = np.stack(np.meshgrid(sub, sub, indexing="ij"), -1).reshape(-1, 1, 1, 2) * np.diff(edges)[0]
views = {"exact": np.mean([off_shell.densities((fine + s).reshape(-1, 2)).mean(1) for s in shifts], 0).reshape(24, 24)}
for name in ("vegas_off", "madnis_off", "madnis_known"):
    channels = points[name, 0]
    one_map = len(channels) == 1
    shares = np.array([w.mean() for _, w in channels]) / found[name, 0].integral
    views[name] = np.zeros((24, 24))
    for c, (x, _) in enumerate(channels):
        masses = off_shell.masses(x, None if one_map else c)
        views[name] += shares[c] * np.histogram2d(*masses.T, [edges, edges])[0] / len(x) / np.diff(edges)[0] ** 2
figure, axes = plt.subplots(1, 4, figsize=(13, 3.7), sharex=True, sharey=True)
for ax, (name, view) in zip(axes, views.items(), strict=True):
    shown = np.log10(np.maximum(view, 1e-5)).T
    picture = ax.pcolormesh(edges, edges, shown, vmin=-4.5, vmax=-1.5, cmap="viridis", rasterized=True)
    ax.set(title=METHODS.get(name, name).replace("from known", "known"), xlabel=r"$m_1-m_t$ [GeV]", aspect="equal")
axes[0].set_ylabel(r"$m_2-m_t$ [GeV]")
figure.colorbar(picture, ax=axes, label=r"$\log_{10}$ density [GeV$^{-2}$]", shrink=0.85)
page.figure(figure, "madnis_masses", views)


# %% tags=["hide-input"]
def ratios(name, other, field):
    """Of two methods, for each repetition."""
    return [getattr(found[name, k], field) / getattr(found[other, k], field) for k in SETS]


RATIOS = {
    "gain": ("vegas", "madnis", "VEGAS over MadNIS, first integral"),
    "gain_channels": ("vegas_known", "madnis_known", r"VEGAS over MadNIS, channels, known $\alpha$"),
    "gain_one": ("vegas_off", "madnis_off", "VEGAS over MadNIS, one map"),
    "channels": ("madnis_off", "madnis_known", "one map over channels, MadNIS"),
    "channels_vegas": ("vegas_off", "vegas_known", "one map over channels, VEGAS"),
    "learned": ("madnis_equal", "madnis_known", r"learned over known $\alpha$, MadNIS"),
}
rows = []
for name, (worse, better, title) in RATIOS.items():
    key = f"{'flow' if 'madnis' in better else 'grid'}_{name}"
    std = ratios(worse, better, "relative_std")
    rows.append([title, record(f"{key}_std", std), record(f"{key}_evaluations", np.square(std))])
    for short in ("efficiency", "permille"):
        rows[-1].append(record(f"{key}_{short}", ratios(better, worse, FIELDS[short])))
header = [
    "",
    "standard deviation",
    "points for the same error",
    "efficiency (inverse)",
    "the same, 0.1 % above (inverse)",
]
markdown_table(header, rows)

# %% tags=["hide-input"]
LARGE = 5  # a relative standard deviation above which a sample of this size does not know its error
trusted = [name for name in METHODS if geometric_mean([found[name, k].relative_std for k in SETS])[0] < LARGE]
total = np.concatenate([pulls[name] for name in trusted])
others = np.concatenate([[0.0], *(pulls[name] for name in METHODS if name not in trusted)])
page.record("flow_pulls_law", float(stats.chi2.cdf((total**2).sum(), total.size)), digits=2)
page.record("flow_pulls_number", int(total.size))
page.record("flow_pulls_methods", len(trusted))
page.record("flow_pulls_worst", float(np.abs(total).max()), digits=2)
page.record("learned_pulls_worst", float(np.abs(others).max()), digits=2)
page.record("methods", len(METHODS))
print(
    "relative standard deviation above",
    LARGE,
    "for",
    ", ".join(METHODS[name] for name in METHODS if name not in trusted),
)

# %% [markdown]
# Each row compares two methods, with intervals. On the first integral the weights of VEGAS scatter {glue:text}`known_density_flow_gain_std` ({glue:text}`known_density_flow_gain_std_low` to {glue:text}`known_density_flow_gain_std_high`) times as much as those of MadNIS, so that the same error takes {glue:text}`known_density_flow_gain_evaluations` times as many points. MadNIS has {glue:text}`known_density_flow_gain_efficiency` times the efficiency of VEGAS ({glue:text}`known_density_flow_gain_efficiency_low` to {glue:text}`known_density_flow_gain_efficiency_high`), and with 0.1 % of the integral above the limit {glue:text}`known_density_flow_gain_permille` times ({glue:text}`known_density_flow_gain_permille_low` to {glue:text}`known_density_flow_gain_permille_high`). The standard deviation and the rare large weights are two different measures of a good density. With channels and known weights the factor in the standard deviation is {glue:text}`known_density_flow_gain_channels_std` ({glue:text}`known_density_flow_gain_channels_std_low` to {glue:text}`known_density_flow_gain_channels_std_high`); each channel has a third of the batches. With one map it is {glue:text}`known_density_flow_gain_one_std` ({glue:text}`known_density_flow_gain_one_std_low` to {glue:text}`known_density_flow_gain_one_std_high`). {numref}`fig-madnis-masses` shows what was learned: a grid is a product and also fills the quarters between the bands, while a flow can follow the cross.
#
# Channels with known weights are worth a factor {glue:text}`known_density_flow_channels_std` ({glue:text}`known_density_flow_channels_std_low` to {glue:text}`known_density_flow_channels_std_high`) to MadNIS, and {glue:text}`known_density_grid_channels_vegas_std` ({glue:text}`known_density_grid_channels_vegas_std_low` to {glue:text}`known_density_grid_channels_vegas_std_high`) to VEGAS. The network that starts from equal weights has to find them. Its standard deviation is {glue:text}`known_density_flow_learned_std` ({glue:text}`known_density_flow_learned_std_low` to {glue:text}`known_density_flow_learned_std_high`) times that from the known ones, {glue:text}`known_density_flow_madnis_equal_std`, where VEGAS, which leaves the equal weights as they are, has {glue:text}`known_density_vegas_equal_std`. A likely reason: while flows and weights change together, some channel gets a part of the density that its flow does not reach, and rare points with large weights remain.
#
# *Are the integrals right?* Of the {glue:text}`known_density_methods` methods, {glue:text}`known_density_flow_pulls_methods` have a relative standard deviation below 5. Their {glue:text}`known_density_flow_pulls_number` integrals deviate from the exact one by at most {glue:text}`known_density_flow_pulls_worst` errors, and the $\chi^2$ distribution has the share {glue:text}`known_density_flow_pulls_law` below their sum of squares. The others are named above, and deviate by up to {glue:text}`known_density_learned_pulls_worst` errors: a method that has met the peaks too seldom does not know its error, and without the exact value nobody would see it.
#
# (sec-madnis-worth)=
# ## How many events is one evaluation worth?
#
# Now flows of the same form learn from events of the first integral, by maximum likelihood in as many steps with batches of the same size; a fifth of the events decides when to stop. MadNIS gets by with fewer evaluations by *buffered training*: after each batch of new points it learns from several batches of old ones, which keep their weights. The steps stay the same. Without their weights, the points of all these flows, and those of a VEGAS grid, are samples of a generator with a true $n_{\rm equiv}$, as in {ref}`sec-known-truth`. Its deviations from the truth,
#
# ```{math}
# :label: eq-madnis-deviation
# I_V^{\rm gen}-I_V = \Big\langle \Big(1-\frac{w}{\sigma}\Big)\,1_V\Big\rangle_{\rm gen} , \qquad D_{\rm LR} = \Big\langle \max\Big(0,\,1-\frac{w}{\sigma}\Big)\Big\rangle_{\rm gen} ,
# ```
#
# fluctuate far less than counts do if the weights are nearly the same. The regions are {glue:text}`known_density_regions` intervals of the same probability in $m$, or in $p_T$; the tail is the upper tenth of $m$, in five.

# %% tags=["hide-input"]
start = time.process_time()
reference = process.sample(40_000, page.rng(100))
KINDS = {"m": Intervals.quantiles(reference, n_regions, process.observables["m_tt"])}
KINDS["pT"] = Intervals.quantiles(reference, n_regions, process.observables["pT_top"])
KINDS["tail"] = tail(reference, process.observables["m_tt"])
REGIONS = [(regions, process.integrals(regions)) for regions in KINDS.values()]
QUESTIONS = {"m": "regions of $m$", "pT": "regions of $p_T$", "tail": "tail of $m$", "LR": "likelihood ratio"}


def judge(x, w):
    """What points with weights are worth: their relative standard deviation, and n_equiv without weights."""
    worth = worth_without_weights(on_shell.events(x), ratio := w / exact, REGIONS)
    of_points = {"std": quality([w]).relative_std, "c": from_generated(ratio).c}
    return of_points | dict(zip(QUESTIONS, (*worth.regions, worth.ratio), strict=True))


learned = {"events": {}, "madnis": {}, "vegas": {}}  # by number of events or evaluations, and repetition
samples = {(n, k): process.sample(n, page.rng(200 + k)) for n, k in product(n_events, SETS)}
flows = train_on_events([on_shell.points(x) for x in samples.values()], fit, seed)
for place, key in enumerate(samples):
    x, q = points_of_flow(flows, n_points, 1000 * seed + place, channel=place)
    learned["events"][key] = judge(x, on_shell(x) / q)
for behind, k in product(buffered, SETS):
    learned["madnis"][evaluations[behind], k] = judge(*points[behind, k])
    rng = page.rng(300 + k)
    grid = vegas(on_shell, 3, evaluations[behind], rng)
    learned["vegas"][evaluations[behind], k] = judge(*of_grid(on_shell, grid, 3, rng))
seconds["events"] = (time.process_time() - start) / len(samples)

# %% mystnb={"figure": {"name": "fig-madnis-worth", "caption": "First panel: relative standard deviation of the weights against evaluations of the density (MadNIS, VEGAS) or training events (the same flow, by maximum likelihood). Other panels: true number of equivalent events of the same densities without weights. Geometric means over repetitions with 95 % intervals; on the thin line one evaluation, or event, is worth one event."}, "image": {"alt": "Five log-log panels. The standard deviation falls for all three, most slowly for VEGAS. The numbers of equivalent events rise, those of VEGAS most slowly."}} tags=["hide-input"]
TITLES = {
    "events": ("flow from events", plots.STAT, "s"),
    "madnis": ("MadNIS", plots.ESTIMATE, "o"),
    "vegas": ("VEGAS", plots.MODEL, "^"),
}
figure, axes = plt.subplots(1, 5, figsize=(15.5, 3.9))
data = {}
for ax, (question, title) in zip(axes, {"std": "relative standard deviation", **QUESTIONS}.items(), strict=True):
    for way, (label, colour, marker) in TITLES.items():
        sizes = sorted({n for n, _ in learned[way]})
        values, ends = zip(*(geometric_mean([learned[way][n, k][question] for k in SETS]) for n in sizes), strict=True)
        bars = np.abs(np.transpose(ends) - values)
        ax.errorbar(sizes, values, bars, color=colour, marker=marker, ms=5, lw=1.2, capsize=2, label=label)
        data[f"{question} {way}"] = [sizes, values, *np.transpose(ends)]
    ax.set(xscale="log", yscale="log", xlabel="evaluations or training events", title=title)
    if question != "std":
        ends = np.array([min(n_events), max(N_FULL, *n_events)])
        ax.plot(ends, ends, color=plots.TRUE, lw=0.7)
        ax.set_ylabel(r"$n_{\rm equiv}$ true")
plots.shared_legend(axes, columns=3)
page.figure(figure, "madnis_worth", data)


# %% tags=["hide-input"]
def events_for(question, k, wanted):
    """Training events with which the flow is worth so much, and whether that is beyond those that were tried: -1, 0, 1."""
    sign = -1 if question == "std" else 1
    logs = sign * np.log([learned["events"][n, k][question] for n in n_events])
    logs = np.maximum.accumulate(logs)  # noise does not make more events worth less
    target = sign * np.log(wanted)
    return float(np.exp(np.interp(target, logs, np.log(n_events)))), int(target > logs[-1]) - int(target < logs[0])


names = dict(zip(sorted(evaluations.values()), ("few", "some", "all"), strict=True))
rows = []
for n, name in names.items():
    page.record(f"n_{name}", n)
    rows.append([f"{n}"])
    for question in ("std", *QUESTIONS):
        made = [learned["madnis"][n, k][question] for k in SETS]
        needed, outside = zip(*(events_for(question, k, one) for k, one in zip(SETS, made, strict=True)), strict=True)
        text = record(f"flow_price_{question}_{name}", np.array(needed) / n)
        beyond = sum(outside)
        if 2 * abs(beyond) >= repetitions:  # most of them
            text = f"> {rounded(max(n_events) / n, 2)}" if beyond > 0 else f"< {rounded(min(n_events) / n, 2)}"
        rows[-1].append(text)
        record(f"flow_n_equiv_{question}_{name}", made)
    record(f"flow_c_{name}", [learned["madnis"][n, k]["c"] for k in SETS], most=1.0)
header = ["evaluations", *(f"events for one: {title}" for title in ("weights", *QUESTIONS.values()))]
markdown_table(header, rows)

# %% tags=["hide-input"]
record("events_per_point", [found["plain", k].efficiency for k in SETS], most=1.0)
record("points_per_event", [1 / found["plain", k].efficiency for k in SETS])
record("effective_plain", [1 / (1 + found["plain", k].relative_std ** 2) for k in SETS])
for n, name in names.items():
    needed = [events_for("LR", k, learned["madnis"][n, k]["LR"])[0] for k in SETS]
    record(f"flow_advantage_{name}", [x / n / found["plain", k].efficiency for k, x in zip(SETS, needed, strict=True)])
record(
    "flow_buffered_std",
    [learned["vegas"][N_FULL, k]["std"] / learned["madnis"][list(names)[1], k]["std"] for k in SETS],
)
record("flow_saved", [learned["madnis"][list(names)[1], k]["std"] / learned["madnis"][N_FULL, k]["std"] for k in SETS])
record("flow_vegas_LR", [learned["madnis"][N_FULL, k]["LR"] / learned["vegas"][N_FULL, k]["LR"] for k in SETS])
_ = record("flow_vegas_pT", [learned["madnis"][N_FULL, k]["pT"] / learned["vegas"][N_FULL, k]["pT"] for k in SETS])

# %% [markdown]
# In the likelihood ratio, {glue:text}`known_density_n_some` evaluations with buffered training make a flow of $n_{\rm equiv}=$ {glue:text}`known_density_flow_n_equiv_LR_some` ({glue:text}`known_density_flow_n_equiv_LR_some_low` to {glue:text}`known_density_flow_n_equiv_LR_some_high`). The flow from events needs {glue:text}`known_density_flow_price_LR_some` ({glue:text}`known_density_flow_price_LR_some_low` to {glue:text}`known_density_flow_price_LR_some_high`) events per evaluation for that, and {glue:text}`known_density_flow_price_std_some` ({glue:text}`known_density_flow_price_std_some_low` to {glue:text}`known_density_flow_price_std_some_high`) for weights of the same standard deviation: *this is what an evaluation of the density is worth.* The number depends on the training: with {glue:text}`known_density_n_few` evaluations it is {glue:text}`known_density_flow_price_LR_few` ({glue:text}`known_density_flow_price_LR_few_low` to {glue:text}`known_density_flow_price_LR_few_high`) in the likelihood ratio, with all {glue:text}`known_density_n_all` it is {glue:text}`known_density_flow_price_LR_all` ({glue:text}`known_density_flow_price_LR_all_low` to {glue:text}`known_density_flow_price_LR_all_high`). The first points are those of plain sampling, whose weights make $n$ points as good as {glue:text}`known_density_effective_plain` $n$ events; later points are distributed nearly like events. In regions of $m$ and $p_T$ each training has a bias of its own, which the intervals contain.
#
# The law {eq}`eq-kl-law` between the distance in the likelihood ratio and the Kullback-Leibler divergence has $c=$ {glue:text}`known_density_flow_c_few` ({glue:text}`known_density_flow_c_few_low` to {glue:text}`known_density_flow_c_few_high`) for {glue:text}`known_density_n_few` evaluations of MadNIS, {glue:text}`known_density_flow_c_some` ({glue:text}`known_density_flow_c_some_low` to {glue:text}`known_density_flow_c_some_high`) for {glue:text}`known_density_n_some` and {glue:text}`known_density_flow_c_all` ({glue:text}`known_density_flow_c_all_low` to {glue:text}`known_density_flow_c_all_high`) for {glue:text}`known_density_n_all`. A small error that is normally distributed would have $\sqrt{2/\pi}\approx0.8$; rare large weights can make $c$ smaller.
#
# Where do training events come from, if there is a density? Plain rejection keeps {glue:text}`known_density_events_per_point` of its points, so that an event costs {glue:text}`known_density_points_per_event` evaluations. Learning from {glue:text}`known_density_n_some` evaluations is worth {glue:text}`known_density_flow_advantage_some` ({glue:text}`known_density_flow_advantage_some_low` to {glue:text}`known_density_flow_advantage_some_high`) times as many training events as there would be after rejection, and from {glue:text}`known_density_n_few` it is {glue:text}`known_density_flow_advantage_few` ({glue:text}`known_density_flow_advantage_few_low` to {glue:text}`known_density_flow_advantage_few_high`) times.
#
# *Buffered training:* with {glue:text}`known_density_n_some` of {glue:text}`known_density_n_all` evaluations the standard deviation is {glue:text}`known_density_flow_saved` ({glue:text}`known_density_flow_saved_low` to {glue:text}`known_density_flow_saved_high`) times that of all, and that of VEGAS with all of them is {glue:text}`known_density_flow_buffered_std` ({glue:text}`known_density_flow_buffered_std_low` to {glue:text}`known_density_flow_buffered_std_high`) times that of MadNIS with those. *VEGAS as a generator:* a grid remains a product of functions of one coordinate. With all evaluations the $n_{\rm equiv}$ of MadNIS is {glue:text}`known_density_flow_vegas_LR` ({glue:text}`known_density_flow_vegas_LR_low` to {glue:text}`known_density_flow_vegas_LR_high`) times that of the grid in the likelihood ratio, and {glue:text}`known_density_flow_vegas_pT` ({glue:text}`known_density_flow_vegas_pT_low` to {glue:text}`known_density_flow_vegas_pT_high`) times in $p_T$, which depends on mass and angle together.
#
# Where $n_{\rm equiv}$ in the likelihood ratio lies below the number of training events (thin line), networks and trainings of this size are too small to reach it, as on {ref}`sec-known-truth`.
#
# ## With and without weights
#
# {numref}`fig-madnis-weighted` shows how many true events $n$ generated points are worth for the integrals over regions of $p_T$. Without weights it ends at the $n_{\rm equiv}$ of the density. With weights, each of which costs one more evaluation, it goes on for ever, with the slope $n_{\rm eff}/n=1/(1+s^2)$ for a relative standard deviation $s$: $G$ has no limit, and a better density only makes the same precision cheaper.

# %% mystnb={"figure": {"name": "fig-madnis-weighted", "caption": "True events that generated points are worth in regions of $p_T$, against their number: without weights (dashed) and with (solid), mean square deviation over all repetitions. Thin line: as many true events."}, "image": {"alt": "Log-log plot. The two solid lines, MadNIS and VEGAS, follow the diagonal; the dashed ones bend and level off, that of VEGAS first."}} tags=["hide-input"]
regions, truth = REGIONS[1]


def worth_of(x, w, n):
    """Worth of the first, second, ... n of points, from the mean squared deviation of their integrals."""
    blocks, place = len(x) // n, regions.place(on_shell.events(x)).region
    place, w = place[: blocks * n].reshape(blocks, n), w[: blocks * n].reshape(blocks, n)
    shares = np.stack([(w * (place == v)).sum(1) for v in range(n_regions)], 1) / w.sum(1, keepdims=True)
    return ((shares - truth) ** 2).sum(1).mean()


sizes = np.geomspace(100, n_points // 2, 10).astype(int)  # at least two samples of each repetition
figure, ax = plt.subplots(figsize=(5.6, 4.2))
data = {"n": sizes}
sources = {"madnis": [points[0, k] for k in SETS]}
sources["vegas"] = [
    of_grid(on_shell, vegas(on_shell, 3, N_FULL, page.rng(300 + k)), 3, page.rng(400 + k)) for k in SETS
]
for way, made in sources.items():
    label, colour, _ = TITLES[way]
    for words_of, line in (("with", "-"), ("without", "--")):
        weights = [w if words_of == "with" else np.ones(len(w)) for _, w in made]
        off = [np.mean([worth_of(x, w, n) for (x, _), w in zip(made, weights, strict=True)]) for n in sizes]
        data[f"{way} {words_of}"] = (truth * (1 - truth)).sum() / np.array(off)
        ax.plot(sizes, data[f"{way} {words_of}"], color=colour, ls=line, label=f"{label}, {words_of} weights")
        page.record(
            f"{'flow' if way == 'madnis' else 'grid'}_points_{words_of}_{way}", data[f"{way} {words_of}"][-1], digits=2
        )
ax.plot(sizes, sizes, color=plots.TRUE, lw=0.7)
ax.set(xscale="log", yscale="log", xlabel="generated points", ylabel="worth in true events")
ax.legend()
page.figure(figure, "madnis_weighted", data)

# %% [markdown]
# ## Cost
#
# An evaluation of our density takes little time, and MadNIS has to earn back its training. The table has the time of this run, for training and {glue:text}`known_density_n_points` points per channel, and how many points make the error of an integral 0.1 %. The lines above it say from which cost of an evaluation on MadNIS is cheaper than VEGAS for a given error; matrix elements with many particles cost milliseconds.

# %% tags=["hide-input"]
start = time.process_time()
points_of_flow(madnis[0, 0], n_points, seed)
per_point = (time.process_time() - start) / n_points
for behind, n in evaluations.items():
    parameters = sum(p.numel() for p in madnis[behind, 0].parameters())
    page.cost(f"flow_{names[n]}", parameters, trained[behind], EVENTS * per_point)
start = time.process_time()
on_shell(page.rng(500).random((n_points, 3)))
per_call = (time.process_time() - start) / n_points
rows = []
for name, title in METHODS.items():
    cost = np.mean([seconds[name, k] for k in SETS])
    s = geometric_mean([found[name, k].relative_std for k in SETS])[0]
    rows.append([title, 0 if name.startswith("plain") else N_FULL, f"{cost:.1f}", rounded((s / 1e-3) ** 2, 2)])
print(f"an evaluation takes {1e6 * per_call:.1f} microseconds, a point of the flow {1e6 * per_point:.1f} more")
for error in (1e-3, 1e-4):
    needed = {
        name: (geometric_mean([found[name, k].relative_std for k in SETS])[0] / error) ** 2
        for name in ("vegas", "madnis")
    }
    more = np.mean([seconds["madnis", k] - seconds["vegas", k] for k in SETS]) + needed["madnis"] * per_point
    even = more / (needed["vegas"] - needed["madnis"])
    cheaper = f"is cheaper if an evaluation takes more than {1e6 * even:.1f} microseconds"
    print(f"error of {100 * error:g} %: MadNIS", cheaper if even > 0 else "needs more points than VEGAS")
markdown_table(["method", "evaluations in training", "seconds", "points for 0.1 %"], rows)

# %% tags=["nbval-check-output", "hide-input"]
print("points and events are each other's inverse:", np.allclose(on_shell.points(on_shell.events(x)), x))
checked = page.rng(501).random((10_000, 3))
print("weights of the channels add up to one:", np.allclose(off_shell.channel_weights(np.zeros((5, 2))).sum(1), 1))
print(
    "with the known weights each channel has a third of the first integrand:",
    all(np.allclose(3 * known(c)(np.hstack([checked, checked[:, :2]])), on_shell(checked)) for c in range(3)),
)
print(
    "evaluations were counted as planned:",
    sorted(evaluations.values()) == [-(-steps // (b + 1)) * batch_size for b in buffered],
)
print(
    "integrals of plain sampling and VEGAS within 5 errors:",
    max(np.abs(pulls[n]).max() for n in ("plain", "vegas", "vegas_known")) < 5,
)

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-madnis-known
# Show that with the known weights each channel of the second integral is a third of the first integrand. What is left for the network of the channels' weights to learn?
# ```
#
# ````{solution} ex-madnis-known
# :class: dropdown
# The map of a channel has its own term of {eq}`eq-madnis-masses` as density, say $g_k$, so that $f_k=f\,R/g_k$ with the first integrand $f$; and $\alpha_k=g_k/(3R)$. The product is $f/3$: flat in the masses, and nothing is left to learn but the first integrand. In a real process the terms interfere, and $\alpha_k$ from single diagrams is a beginning.
# ````
#
# ```{exercise}
# :label: ex-madnis-separable
# Which density does a perfect VEGAS grid have, and what is its relative standard deviation for $R$ alone, if the peaks are infinitely narrow?
# ```
#
# ````{solution} ex-madnis-separable
# :class: dropdown
# The product of functions of one number that minimises $\langle w^2\rangle$. With a share $b$ on the peak in each number, the terms of $R$ have $q=b^2$, $b(1-b)$ and $b(1-b)$, and $\langle w^2\rangle=\tfrac19\big[b^{-2}+2/(b(1-b))\big]$, which is smallest where $b^2+b=1$, the golden section $b=(\sqrt5-1)/2$, with $\langle w^2\rangle-1=0.232$: a relative standard deviation of 0.48, however many steps the grid has.
# ````
#
# ```{exercise}
# :label: ex-madnis-first
# Why is an evaluation worth so little at the beginning of a training?
# ```
#
# ````{solution} ex-madnis-first
# :class: dropdown
# The first batches are points of an untrained flow, flat on the cube, and have the weights of plain sampling: for learning the density they are as good as $n/(1+s^2)$ events. Later points are distributed nearly like events, with weights near one. That is why buffered training, which lives on its first points, needs an importance weight for each.
# ````
