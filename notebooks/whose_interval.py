# %% [markdown]
# (sec-whose-interval)=
# # Whose interval covers?
#
# A generator that knows its own uncertainty is what the talk *Controlled Precision Generators* {cite}`plehn_controlled` asks for: a Bayesian network's weights are drawn from a distribution, and the scatter of what the draws say is a *training-related error bar*; ensembles do the same in other ways ({ref}`sec-members`). An amplification factor is read off just this scatter, so it is as right as the error bar is. There is only one test that counts: how often does the interval hold the truth?
#
# The {ref}`leading-order process <sec-leading-order>` has an exact truth for every region. So each posterior learns it from {glue:text}`whose_interval_n_train` events, {glue:text}`whose_interval_sets` times over with a training set of its own, and is asked the same {glue:text}`whose_interval_regions` questions. All seeds were fixed before the first interval was looked at, and nothing was changed afterwards.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display
from scipy import stats

from gampl import plots
from gampl.calibration import expected_rms_pull, pulls, rms_pull
from gampl.generators.settings import Architecture, Solver
from gampl.regions import Intervals
from gampl.training import Fit, LeadingOrder, Training, train_or_load
from gampl_book import event_ensembles
from gampl_book.pages import Page, markdown_table, rounded

page = Page("whose_interval", profile, seed)
n_train, sets, members, steps, n_gen, n_truth, factors, scan = page.settings.values()
for name, value in {"n_train": n_train, "sets": sets, "members": members, "n_gen": n_gen, "steps": steps}.items():
    page.record(name, value)
process = event_ensembles.leading_order_process(LeadingOrder())

# %% [markdown]
# ## Questions and posteriors
#
# *Regions:* ten intervals over the mass spectrum of the pair; its two tails, the 2 % of events next to the threshold and the 2 % of largest mass; and two regions each of the rapidity $Y$ and of $\cos\theta^*$, the middle half and the forward quarter. Their exact probabilities come from quadrature.
#
# *Posteriors:* a neural spline flow (INN) and flow matching with a transformer (CFM), both small, are each trained for {glue:text}`whose_interval_steps` steps and give {glue:text}`whose_interval_members` members of {glue:text}`whose_interval_n_gen` events.
#
# - *bootstrap*, *deep*, *repulsive*: ensembles of spline flows, made as in {ref}`sec-members`; the bootstrap with the flow-matching network, too;
# - *B-INN*: a Bayesian spline flow {cite}`bayesian_generators`. Its loss is $\langle -\log p_\theta\rangle + C\,{\rm KL}/\ntrain$, where KL is the divergence between the weights' distribution and the prior. Bayes' theorem says $C=1$. The initial log-variance of the weights, by default $-9$, is not part of any theorem; both are varied;
# - *B-CFM*: the same with the loss of flow matching {cite}`jetgpt`, $\langle (v_\theta-v)^2\rangle + C\,{\rm KL}/\ntrain$. A mean squared error of velocities is not a likelihood, so no theorem fixes $C$. The talk calls it a *fudged BNN option*, and public code takes $C=1$. Here $C$ runs over four values.

# %% tags=["hide-input"]
SPLINE = Architecture("spline", blocks=2, heads=1, width=32, components=8)
CFM = Architecture("transformer", blocks=2, heads=2, width=24, base="normal")
RATES = {SPLINE: 3e-3, CFM: 1e-2}


def posterior(architecture, kind, **options):
    """The training of one posterior on training set k."""
    warmup, validate = max(1, steps // 5), max(1, steps // 10)
    ema = 0.0 if kind == "bayesian" else 1 - 3 / steps
    fit = Fit(steps, 128, RATES[architecture], warmup=warmup, validate_every=validate, ema=ema)
    return lambda k: Training(
        LeadingOrder(), n_train, architecture, kind, members, 1000 * seed + k, fit, **options
    )


POSTERIORS = {  # title, training, family
    "bootstrap": ("bootstrap", posterior(SPLINE, "bootstrap"), "ensembles"),
    "deep": ("deep", posterior(SPLINE, "deep"), "ensembles"),
    "repulsive": ("repulsive", posterior(SPLINE, "repulsive"), "ensembles"),
    "cfm_bootstrap": ("bootstrap, CFM", posterior(CFM, "bootstrap"), "ensembles"),
}
for C, logvar in [(1.0, -9.0), *map(tuple, scan)]:
    name = "binn" if (C, logvar) == (1.0, -9.0) else f"binn_{C:g}_{-logvar:g}".replace(".", "p")
    title = f"B-INN, $C={C:g}$, $\\ln\\sigma^2_0={logvar:g}$"
    POSTERIORS[name] = (title, posterior(SPLINE, "bayesian", kl_weight=C, init_logvar=logvar), "B-INN")
for C in factors:
    made = posterior(CFM, "bayesian", kl_weight=C)
    POSTERIORS[f"bcfm_{C:g}".replace(".", "p")] = (f"B-CFM, $C={C:g}$", made, "B-CFM")
CHAINS = {  # posteriors of a family by the factor C, with the default log-variance
    family: {
        name: training(0).kl_weight
        for name, (_, training, its) in POSTERIORS.items()
        if its == family and training(0).init_logvar == -9
    }
    for family in ("B-INN", "B-CFM")
}
COLORS = {"ensembles": plots.ESTIMATE, "B-INN": plots.OTHERS[0], "B-CFM": plots.STAT}

truth_sample, of = process.sample(n_truth, page.rng(0)), process.observables
tails = np.quantile(of["m_tt"](truth_sample), [0.02, 0.98])
REGIONS = {
    "spectrum": [Intervals.quantiles(truth_sample, 10, of["m_tt"])],
    "tails": [Intervals([-np.inf, tails[1]], [tails[0], np.inf], of["m_tt"])],
    "angles": [
        Intervals(*np.quantile(of[name](truth_sample), [[0.25, 0.875], [0.75, 1.0]]), of[name])
        for name in ("y_tt", "cos_theta")
    ],
}
PARTS = [regions for several in REGIONS.values() for regions in several]
GROUP = np.array([group for group, several in REGIONS.items() for regions in several for _ in regions.low])
EXACT = np.concatenate([process.integrals(regions) for regions in PARTS])
OF_EVENTS = EXACT * (1 - EXACT) / n_train  # variance of the integrals of as many true events
page.record("regions", EXACT.size)
for name, edge in zip(("low", "high"), tails, strict=True):
    page.record(f"tail_{name}", edge)


# %% tags=["hide-input"]
def integrals(ensemble):
    """Share of each member's events in each region, (members, regions)."""
    made = [ensemble.sample(k, n_gen, seed) for k in range(len(ensemble))]
    return np.array([np.concatenate([regions.count(x)[0] for regions in PARTS]) for x in made]) / n_gen


def trained(training, events, label):
    ensemble = train_or_load(
        training, events, parallel=members, solver=Solver("midpoint", 4), chunk=min(n_gen, 10_000), label=label
    )
    seconds = ensemble.history.seconds
    page.count_training(seconds, ensemble.history.device)
    return ensemble, seconds


TABLES, SECONDS, left_out = {}, dict.fromkeys(POSTERIORS, 0.0), 0
for k in range(sets):
    events = process.sample(n_train, page.rng(10 + k))
    for name, (_, training, _) in POSTERIORS.items():
        ensemble, seconds = trained(training(k), events, f"interval/{name}/{k}")
        TABLES[name, k] = integrals(ensemble)
        SECONDS[name] += seconds / sets
        left_out += members - len(ensemble)
page.record("left_out", left_out)

# %% [markdown]
# ## What an interval looks like
#
# With $N$ members of mean $\langle I\rangle$ and variance $s^2$ in a region, of which $s^2-\smodel^2=I(1-I)/\ngen$ is the counting of generated events, the interval is
#
# ```{math}
# :label: eq-whose-interval
# \langle I\rangle \pm t_{N-1}\sqrt{\smodel^2 + s^2/N} .
# ```
#
# The second term is the error of the mean, and $t_{N-1}$ is Student's factor for 68.3 %, so that a calibrated posterior holds the truth in 68.3 % of cases however few its members are. The bare $\langle I\rangle\pm s$ of {glue:text}`whose_interval_members` members would do so in {glue:text}`whose_interval_bare` % of cases only.


# %% tags=["hide-input"]
def variances(table):
    """Of the integrals of members, (members, regions): in all, and without counting; each (regions,)."""
    mean, total = table.mean(axis=0), table.var(axis=0, ddof=1)
    return total, (total - mean * (1 - mean) / n_gen) / (1 - 1 / n_gen)


def student(N, level=0.683):
    return stats.t.ppf((1 + level) / 2, N - 1)


def half_width(table):
    """Half the interval for each region."""
    total, model = variances(table)
    return student(len(table)) * np.sqrt(np.maximum(model, 0) + total / len(table))


page.record("bare", 100 * (2 * stats.t.cdf((1 + 1 / members) ** -0.5, members - 1) - 1), digits=2)

# %% mystnb={"figure": {"name": "fig-interval-example", "caption": "Integrals over the mass spectrum (regions 1 to 10) and its tails (L, next to the threshold, and H) for the first training set, divided by the exact ones: 68.3 % intervals of four posteriors. Grey: statistical error of as many true events."}, "image": {"alt": "Four panels with twelve error bars each around one, of very different lengths: ensemble, Bayesian spline flow, and Bayesian flow matching with the smallest and the largest factor C."}} tags=["hide-input"]
SHOWN = ("bootstrap", "binn", *(f"bcfm_{C:g}".replace(".", "p") for C in (min(factors), max(factors))))
figure, axes = plt.subplots(1, len(SHOWN), figsize=(13, 3.5), sharey=True)
first = np.flatnonzero(GROUP != "angles")
place, data = np.arange(1, first.size + 1), {"exact": EXACT[first]}
for ax, name in zip(axes, SHOWN, strict=True):
    title, _, family = POSTERIORS[name]
    table = TABLES[name, 0]
    ratio, half = (values[first] / EXACT[first] for values in (table.mean(axis=0), half_width(table)))
    error = np.sqrt(OF_EVENTS[first]) / EXACT[first]
    ax.bar(place, 2 * error, bottom=1 - error, width=1, color="0.88")
    ax.axhline(1, color=plots.TRUE, lw=0.8)
    ax.errorbar(place, ratio, half, fmt="o", ms=3.5, color=COLORS[family], capsize=2)
    ax.set(title=title, xlabel="region of $m$", ylim=(0.4, 1.6))
    ax.set_xticks(place[::3].tolist() + place[-2:].tolist(), [*map(str, place[:-2:3]), "L", "H"])
    data |= {f"{name} ratio": ratio, f"{name} half width": half}
axes[0].set_ylabel("integral / exact")
page.figure(figure, "interval_example", data)

# %% [markdown]
# ## Coverage
#
# In the table below, coverage is the share of the {glue:text}`whose_interval_questions` intervals that hold the truth: all of them, and those of the spectrum, of its tails and of the angles. Regions of one training set are not independent, training sets are; the error is that of the mean over training sets, or the binomial one where this is larger. The width is $\smodel$ in units of the error that $\ntrain$ true events have, $1/\sqrt{G_{\rm est}}$ for one region, root mean square over regions, and the mean over regions of $\smodel/I$. The deviation is the same for the members' mean against the truth, without what counting and few members add. The quotient of the squares, deviation over width, is what $G_{\rm est}$ is too large by, $G_{\rm est}/G_{\rm true}$ (both added up over the regions).


# %% tags=["hide-input"]
class Found:
    """What the training sets say about a posterior."""

    def __init__(self, name):
        tables = [TABLES[name, k] for k in range(sets)]
        total, model = (np.array(values) for values in zip(*map(variances, tables), strict=True))
        off = np.array([table.mean(axis=0) - EXACT for table in tables])
        N = np.array([len(table) for table in tables])[:, None]
        self.held = np.abs(off) < np.array([half_width(table) for table in tables])
        self.rms = rms_pull([pulls(table, EXACT) for table in tables])
        self.squares = (model / OF_EVENTS).mean(axis=1)  # of each set
        self.deviations = ((off**2 - total / N) / OF_EVENTS).mean(axis=1)
        self.percent = 100 * np.sqrt(np.maximum(model.mean(axis=0), 0)).dot(1 / EXACT) / EXACT.size
        self.off_percent = 100 * np.sqrt(np.mean((off / EXACT)[:, GROUP == "spectrum"] ** 2))
        self.width = float(np.sqrt(max(self.squares.mean(), 0)))
        self.noise = float((total / model.clip(1e-12) - 1).mean()) if (model > 0).all() else np.nan
        promise = self.squares.mean()
        self.over = float(self.deviations.mean() / promise)
        self.over_error = float(
            np.hypot(
                self.deviations.std(ddof=1) / promise / np.sqrt(sets),
                self.over * self.squares.std(ddof=1) / promise / np.sqrt(sets),
            )
        )

    def coverage(self, group=None):
        """Share of the intervals with the truth in per cent, its standard error and its 95 % interval."""
        held = self.held if group is None else self.held[:, group == GROUP]
        mean, n = held.mean(), held.size
        shrunk = (held.sum() + 1) / (n + 2)
        of_sets = held.mean(axis=1).std(ddof=1) / np.sqrt(sets)
        binomial = np.sqrt(shrunk * (1 - shrunk) / n)
        half = max(student(sets, 0.95) * of_sets, 1.96 * binomial)
        return mean, max(of_sets, binomial), (max(0.0, mean - half), min(1.0, mean + half))

    @property
    def over_ends(self):
        """68.3 % interval of G_est / G_true, Student's over training sets."""
        half = student(sets) * self.over_error
        return max(0.0, self.over - half), self.over + half


FOUND = {name: Found(name) for name in POSTERIORS}
page.record("questions", sets * EXACT.size)
page.record("promised_pull", expected_rms_pull(members))
rows = []
for name, (title, _, family) in POSTERIORS.items():
    found = FOUND[name]
    coverage = {group: found.coverage(group) for group in (None, *REGIONS)}
    page.record(f"coverage_{name}", coverage[None][0], coverage[None][2], 0.95, digits=2)
    for group in REGIONS:
        page.record(f"coverage_{group}_{name}", coverage[group][0], coverage[group][2], 0.95, digits=2)
    rms, (low, high) = found.rms
    page.record(f"rms_{name}", rms, (low, high), 0.683)
    page.record(f"width_{name}", found.width)
    page.record(f"over_{name}", found.over, found.over_ends, 0.683)
    page.record(f"deviation_{name}", found.off_percent / 100, digits=2)
    rows.append(
        [
            title,
            *(f"{100 * mean:.0f} ± {100 * error:.0f}" for mean, error, _ in coverage.values()),
            f"{rms:.2f} ({low:.2f} to {high:.2f})",
            f"{rounded(found.width, 2)}, {rounded(found.percent, 2)} %",
            rounded(np.sqrt(max(found.deviations.mean(), 0)), 2),
            f"{rounded(found.over, 2)} ({rounded(found.over_ends[0], 2)} to {rounded(found.over_ends[1], 2)})",
            f"{SECONDS[name]:.0f}",
        ]
    )
header = ["posterior", "coverage, %", *REGIONS, "rms pull (68 %)", "width", "deviation"]
markdown_table([*header, r"$G_\mathrm{est}/G_\mathrm{true}$ (68 %)", "training, s"], rows)

# %% mystnb={"figure": {"name": "fig-coverage-width", "caption": "Left: coverage of the 68.3 % interval against its width, with standard errors over training sets, one marker for each posterior. Lines join the values of $C$ (numbers) of a Bayesian generator, open markers are other initial log-variances. Grey curve: coverage of generators that are as far from the truth as the median posterior, if nothing but the width matters. Right: by what factor the estimated amplification is too large, 68.3 % intervals; an arrow means that the interval reaches zero."}, "image": {"alt": "Left, coverage against width with a rising S-shaped curve and the nominal line; the markers follow the curve. Right, a row for each posterior with the ratio of estimated and true G on a logarithmic axis around one."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(12.5, 5.2), width_ratios=(1.15, 1))
data, typical = {}, float(np.median([np.sqrt(max(found.deviations.mean(), 1e-6)) for found in FOUND.values()]))
page.record("typical", typical, digits=2)
x = np.geomspace(0.05, 20, 200)
curve = stats.f.cdf(student(members) ** 2 * (1 + 1 / members) * x**2 / (typical**2 + x**2 / members), 1, members - 1)
left.plot(x, curve, color="0.7", lw=5, alpha=0.6, zorder=0)
left.axhline(0.683, color=plots.TRUE, lw=0.8)
MARKERS = {"bootstrap": "o", "deep": "s", "repulsive": "^", "cfm_bootstrap": "D"}
for family in ("B-INN", "B-CFM"):
    chain = {C: name for name, C in CHAINS[family].items()}
    points = [(FOUND[chain[C]].width, FOUND[chain[C]].coverage()[0]) for C in sorted(chain)]
    left.plot(*zip(*points, strict=True), color=COLORS[family], lw=1, zorder=1, label=family, marker="o")
    for C, point in zip(sorted(chain), points, strict=True):
        left.annotate(f"{C:g}", point, xytext=(5, -11), textcoords="offset points", fontsize=8, color=COLORS[family])
for name, (title, _, family) in POSTERIORS.items():
    found, (mean, error, _) = FOUND[name], FOUND[name].coverage()
    spread = np.sqrt(found.squares).std(ddof=1) / np.sqrt(sets)
    own = MARKERS.get(name)
    style = {"marker": own or "o", "color": COLORS[family], "label": title if own else None}
    if own is None and name not in CHAINS[family]:
        style |= {"mfc": "white", "label": None}
    left.errorbar(found.width, mean, error, spread, ls="none", elinewidth=0.8, ms=6, **style)
    data[name] = [found.width, mean, error, found.over, *found.over_ends]
left.set(xscale="log", xlabel=r"width $\sigma_{\rm model}$ / error of $n_{\rm train}$ true events", ylabel="coverage")
widths = [found.width for found in FOUND.values()]
left.set(xlim=(min(widths) / 1.5, max(widths) * 1.5), ylim=(0, 1.05))
left.legend(loc="lower right", fontsize=8)
for row, (name, (title, _, family)) in enumerate(reversed(POSTERIORS.items())):
    low, high = FOUND[name].over_ends
    centre = min(max(FOUND[name].over, 0.02), 50.0)
    right.plot([max(low, 0.02), min(high, 50)], [row, row], color=COLORS[family], lw=1.2)
    right.plot(centre, row, "o", color=COLORS[family], ms=5)
    if low < 0.02:
        right.plot(0.02, row, "<", color=COLORS[family], ms=5)
right.axvline(1, color=plots.TRUE, lw=0.8)
right.set_yticks(range(len(POSTERIORS)), [title for title, *_ in reversed(POSTERIORS.values())], fontsize=8)
right.set(xscale="log", xlim=(0.017, 60), xlabel=r"$G_{\rm est}\,/\,G_{\rm true}$")
page.figure(figure, "coverage_width", data)

# %% tags=["hide-input"]
def listed(names):
    return ", ".join(f"*{POSTERIORS[name][0]}*" for name in names) or "none"


def verdict(name):
    low, high = FOUND[name].coverage()[2]
    return "below" if high < 0.683 else "above" if low > 0.683 else "nominal"


by_verdict = {v: [name for name in POSTERIORS if verdict(name) == v] for v in ("nominal", "below", "above")}
for v, names in by_verdict.items():
    page.record(f"number_{v}", len(names))
wide, narrow = (max(FOUND, key=lambda name, s=sign: s * FOUND[name].width) for sign in (1, -1))
page.record("width_ratio", FOUND[wide].width / FOUND[narrow].width, digits=2)
off = [np.sqrt(max(found.deviations.mean(), 1e-6)) for found in FOUND.values()]
page.record("deviation_ratio", max(off) / min(off), digits=2)
display(
    Markdown(
        f"With {sets} training sets a coverage has to be read with its error. At 95 % confidence it is below 68.3 % for"
        f" {listed(by_verdict['below'])}; above it, so that the interval is longer than it need be, for"
        f" {listed(by_verdict['above'])}; and compatible with 68.3 % for {listed(by_verdict['nominal'])}."
    )
)

# %% [markdown]
# From the narrowest posterior to the widest, $\smodel$ changes by a factor {glue:text}`whose_interval_width_ratio`; the deviation of their means from the truth changes by {glue:text}`whose_interval_deviation_ratio`. That is why the markers of {numref}`fig-coverage-width` lie along one curve: what an interval covers is mostly decided by how long somebody's settings have made it, and to a lesser part by the generator. Coverage alone can be bought with length. $G$ cannot: a posterior that is too wide says that $G$ is too small by the square of what it is too wide.
#
# An estimate from calibrated members would have a rms pull of {glue:text}`whose_interval_promised_pull`, not 1, because {glue:text}`whose_interval_members` members hardly know their own spread.
#
# (sec-whose-interval-talk)=
# ## What the talk says
#
# *"Training-related error bars".* The B-INN with $C=1$, as Bayes' theorem has it, covers in {glue:text}`whose_interval_cov_binn` % of the cases ({glue:text}`whose_interval_cov_binn_low` to {glue:text}`whose_interval_cov_binn_high` at 95 %), and its rms pull is {glue:text}`whose_interval_rms_binn`. With the other settings the coverage goes from {glue:text}`whose_interval_binn_least` to {glue:text}`whose_interval_binn_most` %. So the error bar is related to training indeed, also to those parts that are no information about the events: where the log-variances start, and how many steps they have to move.
#
# *Ensembles* (the talk: "frequentist: efficient ensembling"): bootstrap {glue:text}`whose_interval_cov_bootstrap` %, deep {glue:text}`whose_interval_cov_deep` %, repulsive {glue:text}`whose_interval_cov_repulsive` %.
#
# *"No likelihood, fudged BNN option", with $C$ of order one.* From $C=0.1$ to $C=10$, one order around one on both sides, the width of the B-CFM changes by a factor {glue:text}`whose_interval_order` ({glue:text}`whose_interval_order_low` to {glue:text}`whose_interval_order_high`), and $G_{\rm est}$ by its square. $C=1$ covers in {glue:text}`whose_interval_cov_bcfm_1` % of the cases ({glue:text}`whose_interval_cov_bcfm_1_low` to {glue:text}`whose_interval_cov_bcfm_1_high`), with a $G_{\rm est}$ that is {glue:text}`whose_interval_over_bcfm_1` times the true one. "Of order one" is no number that an error bar can be read off; it has to be calibrated.
#
# *"Sub-percent precision" of the B-CFM* is not tested here. The means of the B-CFM with $C=1$ miss the integrals over the spectrum by {glue:text}`whose_interval_off_bcfm_1` %, and {glue:text}`whose_interval_n_train` events know these integrals to {glue:text}`whose_interval_known` % only. Below one per cent takes some 100 000 events and more, larger networks and a GPU.

# %% tags=["hide-input"]
for name in ("binn", "bootstrap", "deep", "repulsive", "bcfm_1"):
    mean, _, ends = FOUND[name].coverage()
    page.record(f"cov_{name}", 100 * mean, [100 * end for end in ends], 0.95, digits=2)
small, large = (FOUND[f"bcfm_{C}"].squares for C in ("0p1", "10"))
logs = np.log(np.maximum(large, 1e-9) / np.maximum(small, 1e-9)) / 2
half = student(sets, 0.95) * logs.std(ddof=1) / np.sqrt(sets)
order, *ends = np.exp([logs.mean(), logs.mean() - half, logs.mean() + half]).tolist()
page.record("order", order, ends, 0.95, digits=2)
page.record("off_bcfm_1", FOUND["bcfm_1"].off_percent, digits=2)
in_spectrum = GROUP == "spectrum"
page.record("known", 100 * np.sqrt(np.mean((OF_EVENTS / EXACT**2)[in_spectrum])), digits=2)
binn = [100 * FOUND[name].coverage()[0] for name in POSTERIORS if name.startswith("binn")]
page.record("binn_least", min(binn), digits=2)
page.record("binn_most", max(binn), digits=2)
