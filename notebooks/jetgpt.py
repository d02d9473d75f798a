# %% [markdown]
# (sec-jetgpt)=
# # JetGPT: Z bosons with one to four jets
#
# A flow or a table needs a fixed number of particles. A transformer does not: it reads a sequence, however long. The talk *High Multiplicity with JetGPT* {cite}`jetgpt_talk,jetgpt` uses that to train one network on {ref}`Z bosons <sec-z-jets>` with different numbers of jets, and makes four claims: such networks reach *per-cent accuracy*, classifiers find and reweight what is left, transformers *can be trained jointly* on events with many jets, and the *order* in which an event is generated is a handle on its correlations. This page builds the network for one to four jets and tests what a laptop can test of it: does an order help? does a density of Gaussians do better than one of bins? and above all, are events with many jets, of which there are few, worth more if the network has learned from those with few jets, too?

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from itertools import combinations, product
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
from myst_nb import glue
from scipy import stats

from gampl import differential, plots
from gampl.particles.event_classifier import event_classifier
from gampl.particles.jet_sequences import ETA, FIRST, MASS, MUON_MASS, PHI, PT, SECOND, sequence
from gampl.particles.kinematics import delta_r
from gampl.processes import ZJets
from gampl.ratio import auc, held_out
from gampl.reweighting import Reweighting
from gampl_book import jet_ensembles, jet_studies
from gampl_book.coverage import over_sets
from gampl_book.jet_ensembles import padded, true_events
from gampl_book.jet_studies import ALONE, JETS, TITLES
from gampl_book.pages import Page, markdown_table
from gampl_book.trained_costs import of_trained

page = Page("jetgpt", profile, seed)
SIZES = dict(zip(JETS, page.settings["n_train"], strict=True))
sets, n_gen, n_classified = (page.settings[name] for name in ("training_sets", "n_gen", "n_classified"))
for n, size in SIZES.items():
    page.record(f"n_train_{n}", size)
total = sum(SIZES.values())
page.record("n_train", total)
for name in (
    "training_sets",
    "steps",
    "batch_size",
    "longer",
    "components",
    "n_gen",
    "n_classified",
    "width",
    "blocks",
):
    page.record(name, page.settings[name])
page.record("bins", 3 * page.settings["components"])

# %% [markdown]
# ## One network for any number of jets
#
# An event with $n$ jets is a sequence of $5+4n$ numbers $x_1, x_2, \ldots$, and its density is a product of conditional ones,
#
# $$ p(x\,|\,n) = \frac{1}{2\pi}\prod_{i=1}^{5+4n} p\big(x_i\,|\,\omega^{(i-1)}\big), \qquad \omega^{(i-1)} = \omega(x_1, \ldots, x_{i-1}; n) . $$
#
# The factor $1/2\pi$ is the azimuth of the $\mu^-$, which is uniform; all other azimuths are relative to it, and a generated event is turned as a whole by a random angle. The muons have their mass, so that 5 numbers are left of the pair, and each jet has 4. Transverse momenta are $\ln(p_T - 20\,{\rm GeV})$ for jets, where the cut is, masses $\ln(m^2+m_0^2)$. All but azimuths are standardised, with one mean and width for all jets.
#
# **Tokens.** Each number is a token. What the network is told with it is its value, which particle and which component it is, which particle and component comes next, and the number of jets $n$, the *condition*. Particles have a type, muon or jet, and a place, first jet, second jet and so on, which no network could know that is to make more jets than it has seen. A causal mask lets a token see itself and those before it, so that one pass through the network gives all factors of the likelihood in training; in generation the numbers come one after the other, and keys and values of earlier tokens are kept, not computed again.
#
# **Heads.** What the network predicts, $\omega$, are the weights, means and widths of a mixture of Gaussians, or the probabilities of bins:
#
# $$ p(x_i\,|\,\omega) = \sum_j w_j\, \mathcal{N}(x_i; \mu_j, \sigma_j) . $$
#
# An azimuth is periodic. A Gaussian around $\pi$ has to go on at $-\pi$, and the *wrapped* normal does,
#
# $$ \mathcal{N}_{\rm wrapped}(\phi;\mu,\sigma) = \sum_{k=-1}^{1}\mathcal{N}(\phi + 2\pi k;\mu,\sigma), \qquad -\pi\le\phi-\mu<\pi, \quad \sigma\le2 . $$
#
# The published network takes von Mises distributions for this. They are hardly different as densities, but they are drawn by rejection: it is not known beforehand how many random numbers an event takes. Here an event is a function of a fixed number of random numbers, two for each of its own, so that the same numbers always make the same event; a wrapped Gaussian is drawn by wrapping a Gaussian. Bins are equally wide for azimuths and equally probable for a standard normal distribution elsewhere, where their density follows it, so that the outermost bins have tails.
#
# **Order.** The factorisation is exact in any order, the network is not. What it has to learn of correlations, and from how few numbers, depends on what comes first:
#
# $$ \text{directions first:}\quad \big\{ m_{\mu\mu},\; \underbrace{\phi_{j_1}, \eta_{j_1}, \ldots, \phi_{j_n}, \eta_{j_n}}_{\Delta R_{jj}},\; \eta_{\mu^-}, \phi_{\mu^+}, \eta_{\mu^+},\; p_{T,\mu^-}, p_{T,j_1}, \ldots,\; m_{j_1}, \ldots \big\} $$
#
# is the talk's, where the directions of the jets follow each other directly, because their distances $\Delta R_{jj}$ are cut at 0.4 by the jet algorithm; the mass of the muons, a narrow peak, comes first, where nothing can spoil it. *Particle by particle* is the plain one: the muons, and then transverse momentum, azimuth, pseudorapidity and mass of each jet. In addition the token that predicts the pseudorapidity of a jet can be told of the *nearest jet*: how far in azimuth that jet is which is nearest, and its pseudorapidity. With these two numbers the hole around it is at a known place.
#
# **Loss.** It is the mean over the numbers of jets of the mean negative log density,
#
# $$ \mathcal{L} = -\frac14\sum_{n=1}^{4}\frac{1}{N_n}\sum_{x\in n}\log p(x\,|\,n) , $$
#
# so that four jets count as much as one. As in {ref}`nature <sec-z-jets>`, though less steeply, events with more jets are rarer: a training set has {glue:text}`jetgpt_n_train_1`, {glue:text}`jetgpt_n_train_2`, {glue:text}`jetgpt_n_train_3` and {glue:text}`jetgpt_n_train_4` events with one to four jets. A sixth of them only decides when a training stops. All of this is done {glue:text}`jetgpt_training_sets` times with training sets that have no event in common, and the intervals of this page, at 95 %, say how results differ from one to the next.
#
# **What differs from the published network.** It was trained on some $5\cdot10^6$, $10^6$ and $2\cdot10^5$ events with three, four and five jets; ours has {glue:text}`jetgpt_blocks` blocks of width {glue:text}`jetgpt_width`, {glue:text}`jetgpt_components` Gaussians or {glue:text}`jetgpt_bins` bins, as many numbers, and takes {glue:text}`jetgpt_steps` steps of {glue:text}`jetgpt_batch_size` events. The public code of its successor {cite}`jetgpt_extrapolation` has 3 blocks of width 128, 42 Gaussians and $2\cdot10^5$ steps of 1024 events. Ours is for a laptop, and for training sets so small that generated events can be worth more. The events of the paper are not public; ours come from a {ref}`parton shower <sec-making>`, those of the paper from matrix elements.

# %% tags=["hide-input"]
NAMES = {PT: "p_T", PHI: r"\phi", ETA: r"\eta", MASS: "m"}


def particle(row, component):
    """Symbol of a number of an event."""
    if row == SECOND and component == MASS:
        return r"m_{\mu\mu}"
    who = {FIRST: r"\mu^-", SECOND: r"\mu^+"}.get(row, f"j_{row - SECOND}")
    return f"{NAMES[component]}({who})"


markdown_table(
    ["order", "the sequence of an event with two jets"],
    [
        [TITLES[order].partition(",")[0], ", ".join(f"${particle(*one)}$" for one in sequence(2, order, sorts=False))]
        for order in ("directions", "particles")
    ],
)

# %% tags=["hide-input"]
ENSEMBLES = {kind: jet_ensembles.ensemble(kind, profile, seed) for kind in TITLES}
ENSEMBLES |= {
    f"{way}{n}": jet_ensembles.ensemble(f"{way}{n}", profile, seed) for way in ("alone", "longer") for n in ALONE
}
for ensemble in ENSEMBLES.values():
    page.count_training(ensemble.history.seconds, ensemble.history.device)
for name, numbers in {"directions": JETS, **{f"alone{n}": (n,) for n in ALONE}}.items():
    data = jet_ensembles.training_data(f"jetgpt/{name}", profile, seed, 0)
    for n in numbers:
        page.cost(f"{name.removesuffix(f'{n}')}_{n}", **of_trained(ENSEMBLES[name].members[0], data, [n]))
plan = jet_studies.ensembles(profile, seed)
page.made_of(
    trainings_of_jets={name: {"n_train": t.n_train, "batch_size": t.fit.batch_size} for name, t in plan.items()}
)


@np.errstate(divide="ignore")
def of(kind, n):
    """Of each training set the log densities of true events with n jets, and generated ones: (events,), (n_gen, 2 + n, 4)."""
    ensemble = ENSEMBLES[kind]
    rows = ensemble.training.process.event_shape[0] - 2
    truth = padded(TRUE[n][:n_classified], rows)
    log_p = [ensemble.log_prob(truth, k, condition=[n]) for k in range(sets)]
    made = [ensemble.sample(k, n_gen, seed, condition=[n])[:, : 2 + n] for k in range(sets)]
    for events in made:
        events[:, :2, 3] = MUON_MASS  # without round-off, which would tell them from true ones
    return SimpleNamespace(log_p=np.array(log_p), made=made)


TRUE = {}
for n in JETS:
    TRUE[n] = true_events(n, "holdout", profile).copy()
    TRUE[n][:, :2, 3] = MUON_MASS
    page.record(f"holdout_{n}", len(TRUE[n]))
FOUND = {(kind, n): of(kind, n) for kind, n in product(TITLES, JETS)}
FOUND |= {(way, n): of(f"{way}{n}", n) for way, n in product(("alone", "longer"), ALONE)}


def interval(value, ends, digits=2):
    """A number and its interval in words."""
    return f"{value:.{digits}f} ({ends[0]:.{digits}f} to {ends[1]:.{digits}f})"


# %% [markdown]
# ## Orders and heads
#
# {numref}`fig-jetgpt-spectra` compares generated with true events that no network has seen. What it shows of the training sets together is a mean: each of them alone fluctuates more.

# %% mystnb={"figure": {"name": "fig-jetgpt-spectra", "caption": "Top: densities of true events (points) and of those of the network with directions first and mixtures (lines) for one to four jets, each number of jets a factor of ten below the one before. Below: generated events over true ones, mean of the training sets. Bands: statistical error of the true events (dark) and of as many events as a training set has (light)."}, "image": {"alt": "A grid of panels for four observables. Top row: falling spectra, a peak at the Z mass and distances of jets from 0.4 on, lines on points. Four rows below: ratios of four networks around one, with bands."}} tags=["hide-input"]
PROCESSES = {n: ZJets(n_jets=n) for n in JETS}
AXES = {
    "pT(j1)": (r"$p_T$ of the leading jet [GeV]", np.geomspace(20, 300, 17)),
    "pT(last)": (r"$p_T$ of the last jet [GeV]", np.geomspace(20, 90, 15)),
    "m_mumu": (r"$m_{\mu\mu}$ [GeV]", np.linspace(70, 110, 17)),
    "deltaR": (r"$\Delta R$ of the last two jets", np.concatenate([np.linspace(0, 0.8, 5), np.linspace(1.2, 5.2, 11)])),
}


def observable(name, n):
    """The function of events with n jets; None if they have no such observable."""
    if name == "deltaR":
        return PROCESSES[n].observable(f"deltaR(j{n - 1},j{n})") if n > 1 else None
    return PROCESSES[n].observable(f"pT(j{n})" if name == "pT(last)" else name)


LINES = {
    "directions": plots.ESTIMATE,
    "particles": plots.MODEL,
    "bins": plots.OTHERS[1],
    "particles_bins": plots.OTHERS[0],
}
figure, grid = plt.subplots(5, 4, figsize=(12, 12.5), sharex="col", height_ratios=[2.2, 1, 1, 1, 1])
data = {}
for column, (name, (label, edges)) in zip(grid.T, AXES.items(), strict=True):
    centres, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    for n, ax in zip(JETS, column[1:], strict=True):
        if (function := observable(name, n)) is None:
            ax.text(0.5, 0.5, "one jet only", transform=ax.transAxes, ha="center", color="0.5")
            ax.set(ylim=(0.5, 1.5))
            continue
        counts = np.histogram(function(TRUE[n]), edges)[0]
        share, shift = counts / len(TRUE[n]), 10.0 ** (1 - n)
        errors = {"0.72": np.sqrt(counts), "0.9": np.sqrt(counts * len(TRUE[n]) / SIZES[n])}
        for color, error in reversed(errors.items()):
            relative = error / np.maximum(counts, 1)
            ends = [np.append(1 + sign * relative, 1 + sign * relative[-1]) for sign in (-1, 1)]
            ax.fill_between(edges, *ends, step="post", color=color, lw=0)
        seen = counts > 3
        values, error = (shift * x[seen] / len(TRUE[n]) / widths[seen] for x in (counts, np.sqrt(counts)))
        column[0].errorbar(centres[seen], values, error, fmt="k.", ms=3, lw=0.8)
        data[f"{name} {n} true"] = share
        for kind, color in LINES.items():
            made = np.concatenate(FOUND[kind, n].made)
            generated = np.histogram(function(made), edges)[0] / len(made)
            data[f"{name} {n} {kind}"] = generated
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(counts > 0, generated / share, np.nan)
            style = "--" if kind.endswith("bins") else "-"
            ax.stairs(ratio, edges, baseline=None, color=color, lw=1.3, ls=style, label=TITLES[kind])
            if kind == "directions":
                column[0].stairs(shift * generated / widths, edges, baseline=None, color=color, lw=1)
        ax.axhline(1, color=plots.TRUE, lw=0.6)
        ax.set(ylim=(0.5, 1.5))
        if name == "deltaR":
            ax.axvline(0.4, color="0.4", ls=":", lw=1)
    data[f"{name} edges"] = edges
    column[0].set(yscale="log")
    column[-1].set(xlabel=label, xlim=(edges[0], edges[-1]))
    if name.startswith("pT"):
        column[-1].set_xscale("log")
        ticks = [20, 30, 50, 100, 200] if name == "pT(j1)" else [20, 30, 40, 60, 80]
        column[-1].set_xticks(ticks, map(str, ticks))
        column[-1].minorticks_off()
grid[0, 0].set_ylabel("density, each jet / 10")
for n, ax in zip(JETS, grid[1:, 0], strict=True):
    ax.set_ylabel(f"{n} jet{'s' * (n > 1)}: ratio")
plots.shared_legend(grid[1:].ravel(), columns=2)
page.figure(figure, "jetgpt_spectra", data)

# %% tags=["hide-input"]
CUT = 0.4


def closest_pair(momenta):
    """Smallest distance of two jets, (n, 2 + jets, 4) -> (n,)."""
    jets = momenta[:, 2:]
    return np.min([delta_r(jets[:, a], jets[:, b]) for a, b in combinations(range(jets.shape[1]), 2)], axis=0)


closest, unordered = {}, {}
for kind, n in product(TITLES, JETS[1:]):
    shares = [
        [(closest_pair(made) < CUT).mean() for made in FOUND[kind, n].made],
        [(np.diff(made[:, 2:, 0], axis=1) > 0).any(axis=1).mean() for made in FOUND[kind, n].made],
    ]
    closest[kind, n], unordered[kind, n] = (
        [100 * part[0], [100 * end for end in part[1]]] for part in map(over_sets, shares)
    )
for kind in TITLES:
    page.record(f"inside_{kind}", *closest[kind, 4], 0.95, digits=2)
    page.record(f"unordered_{kind}", *unordered[kind, 4], 0.95, digits=2)
true_inside = 100 * (closest_pair(TRUE[4]) < CUT).mean()
page.record("inside_true", true_inside, digits=1)

# %% [markdown]
# No network knows the cut on the distance of two jets, and none knows that jets are numbered by falling transverse momentum. Of the events with four jets that directions first and mixtures make, {glue:text}`jetgpt_inside_directions` % have two jets closer than {math}`0.4` (of true ones {glue:text}`jetgpt_inside_true` %; the jet algorithm measures with the rapidity, and not with the pseudorapidity as here), and in {glue:text}`jetgpt_unordered_directions` % the jets do not fall in order; with bins it is {glue:text}`jetgpt_unordered_bins` %, and {glue:text}`jetgpt_unordered_particles_bins` % particle by particle, because two jets in the same bin are in either order.
#
# Two measures tell how good each network is as a whole. The *log density* of true events that no network has seen is the more sensitive one, because it uses all numbers of an event together: two networks are compared event by event, and the error of the difference is small, since what makes an event rare is the same for both. The other is the area under the curve (AUC) of a {ref}`classifier <sec-control>` that tells generated from true events, 0.5 if it cannot; among its features are sums of the muons and of all particles. The closest look at single observables is their Kolmogorov-Smirnov distance. Differences in the table are to directions first with mixtures.

# %% tags=["hide-input"]
BASE = "directions"


def gains(kind, other, n):
    """Mean difference in the log density of true events of each training set, and its error from the events."""
    first, second = FOUND[kind, n].log_p, FOUND[other, n].log_p
    usable = np.isfinite(first).all(axis=0) & np.isfinite(second).all(axis=0)
    difference = first[:, usable] - second[:, usable]
    return difference.mean(axis=1), difference.std(axis=1, ddof=1) / np.sqrt(difference.shape[1])


massless = np.mean([1 - np.isfinite(FOUND[BASE, n].log_p).all(axis=0).mean() for n in JETS])
page.record("massless", 100 * massless, digits=1)


def classified(kind, n, sees_sum=True):
    """A classifier for each training set, with values of true and generated events that it has not seen."""
    ratios, names = [], PROCESSES[n].particles
    make = event_classifier(
        SimpleNamespace(particles=names, composites={"mumu": names[:2]} | ({"event": names} if sees_sum else {}))
    )
    for k, made in enumerate(FOUND[kind, n].made):
        true = page.rng(100 * k + n).permutation(TRUE[n])[:n_classified]
        ratios.append(held_out(true, made[:n_classified], seed + k, make_classifier=make))
    return ratios


LOOKED_AT = [(BASE, n) for n in JETS] + [(kind, n) for kind in TITLES if kind != BASE for n in (2, 4)]
RATIOS = {place: classified(*place) for place in LOOKED_AT}
AREAS = {place: over_sets([auc(r.reference, r.generated)[0] for r in ratios]) for place, ratios in RATIOS.items()}
for (kind, n), (value, ends) in AREAS.items():
    page.record(f"auc_{kind}_{n}", value, ends, 0.95)
blind = over_sets([auc(r.reference, r.generated)[0] for r in classified(BASE, 4, sees_sum=False)])
page.record("auc_blind", *blind, 0.95)

QUESTIONS = {  # observables, and which of their values count
    "m_mumu": (r"$m_{\mu\mu}$, 70 to 110 GeV", lambda x, _: (x > 70) & (x < 110)),
    "pT(j1)": (r"$p_T$ of the leading jet", lambda x, _: x > 0),
    "tail": (r"the same, upper fifth", lambda x, true: x > np.quantile(true, 0.8)),
    "pT(last)": (r"$p_T$ of the last jet", lambda x, _: x > 0),
    "deltaR": (r"$\Delta R$ of the last two jets", lambda x, _: x > 0),
}


def worth(kind, n, question):
    """Distance of the events of each training set to true ones, and n_equiv in events of all values, at most theirs."""
    function = observable("pT(j1)" if question == "tail" else question, n)
    true = function(TRUE[n])
    is_in = QUESTIONS[question][1]
    reference, found = true[is_in(true, true)], []
    for made in FOUND[kind, n].made:
        x = function(made)
        result = differential.from_samples([x[is_in(x, true)]], reference, SIZES[n])
        share = len(reference) / len(true)
        found.append((result.curve.mean[-1], min(result.n_equiv, len(reference)) / share))  # more is not known
    return np.array(found).T


WORTH = {
    (kind, n, question): worth(kind, n, question)
    for (kind, n), question in product(FOUND, QUESTIONS)
    if n > 1 or question != "deltaR"
}
rows = []
for kind in TITLES:
    row = [TITLES[kind]]
    for n in JETS:
        if kind == BASE:
            row.append("0")
            continue
        each, errors = gains(kind, BASE, n)
        value, ends = over_sets(each)
        page.record(f"gain_{kind}_{n}", value, ends, 0.95, digits=2)
        page.record(f"gain_error_{kind}_{n}", errors.max(), digits=1)
        row.append(interval(value, ends))
    row += [interval(*AREAS[kind, n]) for n in (2, 4)]
    rows.append(row)
markdown_table(["network", *(f"log density, {n} jet{'s' * (n > 1)}" for n in JETS), "AUC, 2 jets", "AUC, 4 jets"], rows)

# %% mystnb={"figure": {"name": "fig-jetgpt-gains", "caption": "Difference in the mean log density of true events to that of the network with directions first and mixtures: one point for each training set, with the error from the events where it is larger than the point; horizontal bars are means. Above zero is better."}, "image": {"alt": "For one to four jets four groups of points each: particle by particle, bins, both, and without the nearest jet."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7.5, 4))
data = {}
COLORS = {kind: color for kind, color in (LINES | {"unaided": plots.STAT}).items() if kind != BASE}
for shift, (kind, color) in zip((-0.27, -0.09, 0.09, 0.27), COLORS.items(), strict=True):
    for n in JETS:
        each, errors = gains(kind, BASE, n)
        x = n + shift + np.linspace(-0.04, 0.04, sets)
        ax.errorbar(x, each, errors, fmt="o", ms=3.5, lw=1, color=color, label=TITLES[kind])
        ax.hlines(each.mean(), x[0] - 0.03, x[-1] + 0.03, color=color, lw=1)
        data[f"{kind} {n}"], data[f"{kind} {n} error"] = each, errors
ax.axhline(0, color=plots.TRUE, lw=0.8)
ax.set(xticks=JETS, xlabel="number of jets", ylabel=r"difference in $\langle\log p\rangle$")
plots.shared_legend([ax], columns=1)
page.figure(figure, "jetgpt_gains", data)

# %% [markdown]
# (In {glue:text}`jetgpt_massless` % of the true events a jet is a single massless particle. Its mass has no density in these coordinates, and they are left out of the log densities.)
#
# *Order.* Particle by particle instead of directions first changes the log density of four jets by {glue:text}`jetgpt_gain_particles_4` ({glue:text}`jetgpt_gain_particles_4_low` to {glue:text}`jetgpt_gain_particles_4_high`). The order was meant for the distances of jets and puts the mass of the muons first, so these observables have to be asked. The table below has the Kolmogorov-Smirnov distances of all networks.
#
# *Head.* Bins instead of mixtures change it by {glue:text}`jetgpt_gain_bins_4` ({glue:text}`jetgpt_gain_bins_4_low` to {glue:text}`jetgpt_gain_bins_4_high`). A density that is constant in a bin cannot be narrower than it, and {glue:text}`jetgpt_bins` bins are not narrow for a number that others determine nearly, such as a transverse momentum that must be below that of the jet before.
#
# *The nearest jet.* Leaving out what the network is told of it changes the log density by {glue:text}`jetgpt_gain_unaided_4` ({glue:text}`jetgpt_gain_unaided_4_low` to {glue:text}`jetgpt_gain_unaided_4_high`), and the share of events with four jets that have two within {math}`0.4` from {glue:text}`jetgpt_inside_directions` to {glue:text}`jetgpt_inside_unaided` %.

# %% tags=["hide-input"]
rows = []
for question, (title, _) in QUESTIONS.items():
    row = [title]
    for kind in TITLES:
        values = [WORTH[kind, n, question][0] for n in JETS if (kind, n, question) in WORTH]
        row.append(interval(*over_sets(np.mean(values, axis=0)), digits=3))
    rows.append(row)
for question in ("m_mumu", "deltaR"):
    by_kind = {
        kind: np.mean([np.log(WORTH[kind, n, question][0]) for n in JETS[1:]], axis=0)
        for kind in ("directions", "particles")
    }
    value, ends = over_sets(by_kind["directions"] - by_kind["particles"])
    name = {"m_mumu": "order_mass", "deltaR": "order_distance"}[question]
    page.record(name, float(np.exp(value)), list(np.exp(ends)), 0.95, digits=2)
markdown_table(["distance to true events, mean of the numbers of jets", *TITLES.values()], rows)

# %% [markdown]
# With the directions first the distance in $\Delta R$ of the last two jets is {glue:text}`jetgpt_order_distance` times that of particle by particle ({glue:text}`jetgpt_order_distance_low` to {glue:text}`jetgpt_order_distance_high`), and that in the mass of the muons {glue:text}`jetgpt_order_mass` times ({glue:text}`jetgpt_order_mass_low` to {glue:text}`jetgpt_order_mass_high`), mean of two to four jets. An order is no more than a preference for some correlations over others: whether it helps depends on what is asked.
#
# ### Two orders times two heads
#
# An order could matter for one head and not for the other: a network whose bins are wide may profit from an order in which narrow numbers come first. {numref}`fig-jetgpt-square` compares the four combinations in pairs that differ in one of the two only, always on the same training sets.

# %% mystnb={"figure": {"name": "fig-jetgpt-square", "caption": "What changes with the order, for both heads, and with the head, for both orders. Left: difference in the mean log density of true events (above zero is better). Right: ratio of Kolmogorov-Smirnov distances from true events (below one is better). Means over the numbers of jets; each is compared with the other order, or the other head; points: training sets; bars: 95 % intervals over them."}, "image": {"alt": "Left panel: four groups of points around zero for the log density. Right panel: for five observables four groups of points each around one, on a logarithmic axis."}} tags=["hide-input"]
SQUARE = {  # pairs that differ in the order or in the head only
    "order_mixture": ("particles", "directions", "particle by particle, mixtures"),
    "order_bins": ("particles_bins", "bins", "particle by particle, bins"),
    "head_directions": ("bins", "directions", "bins, directions first"),
    "head_particles": ("particles_bins", "particles", "bins, particle by particle"),
}
ASKED = {
    "density": r"$\langle\log p\rangle$",
    "pT(j1)": "$p_{T,1}$",
    "tail": "$p_{T,1}$, tail",
    "pT(last)": "$p_{T,n}$",
}
ASKED |= {"m_mumu": r"$m_{\mu\mu}$", "deltaR": r"$\Delta R_{jj}$"}
KEYS = dict(zip(ASKED, ("density", "pT_first", "pT_tail", "pT_last", "mass", "distance"), strict=True))
PLAIN = {
    "density": "log density",
    "pT(j1)": "momentum of the leading jet",
    "tail": "tail of the leading jet",
    "pT(last)": "momentum of the last jet",
    "m_mumu": "mass of the muons",
    "deltaR": "distance of the last two jets",
}


def change(first, other, question):
    """Of each training set: difference in log density, or logarithm of the ratio of distances, mean of numbers of jets."""
    if question == "density":
        return np.mean([gains(first, other, n)[0] for n in JETS], axis=0)
    asked = [n for n in JETS if (first, n, question) in WORTH]
    return np.mean([np.log(WORTH[first, n, question][0] / WORTH[other, n, question][0]) for n in asked], axis=0)


CHANGES = {(effect, q): change(*pair[:2], q) for (effect, pair), q in product(SQUARE.items(), ASKED)}
for q in ASKED:
    CHANGES["both", q] = CHANGES["order_bins", q] - CHANGES["order_mixture", q]
figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.2), width_ratios=[1, 4])
data = {}
for (effect, (*_, label)), color, shift in zip(
    SQUARE.items(), (plots.ESTIMATE, plots.OTHERS[1], plots.MODEL, plots.STAT), (-0.27, -0.09, 0.09, 0.27), strict=True
):
    for place, q in enumerate(ASKED):
        each, (value, ends) = CHANGES[effect, q], over_sets(CHANGES[effect, q])
        data[f"{effect} {KEYS[q]}"] = each
        x, ax, to = max(place - 1, 0) + shift, axes[min(place, 1)], np.exp if place else np.asarray
        ax.plot(x + np.linspace(-0.04, 0.04, sets), to(each), "o", ms=3, color=color)
        bars = np.abs(to(ends) - to(value))[:, None]
        ax.errorbar(x, to(value), bars, fmt="_", ms=9, color=color, lw=1.2, label=label if place == 1 else None)
axes[0].axhline(0, color=plots.TRUE, lw=0.8)
axes[0].set(xticks=[], xlabel="all numbers", ylabel=r"difference in $\langle\log p\rangle$")
axes[1].axhline(1, color=plots.TRUE, lw=0.8)
axes[1].set(yscale="log", ylabel="ratio of distances", xticks=range(len(ASKED) - 1), xticklabels=[*ASKED.values()][1:])
ticks = [0.3, 0.5, 1, 2, 3]
axes[1].set_yticks(ticks, map(str, ticks))
axes[1].minorticks_off()
plots.shared_legend([axes[1]], columns=2)
page.figure(figure, "jetgpt_square", data)

# %% tags=["hide-input"]
rows, decided = [], []
EFFECTS = {effect: pair[2] for effect, pair in SQUARE.items()} | {"both": "order, bins over mixtures"}
for effect, title in EFFECTS.items():
    row = [title]
    for q in ASKED:
        value, ends = over_sets(CHANGES[effect, q])
        if ends[0] > 0 or ends[1] < 0:
            decided.append(f"{PLAIN[q]} ({title})")
        if q != "density":
            value, ends = float(np.exp(value)), [float(end) for end in np.exp(ends)]
        page.record(f"{effect}_{KEYS[q]}", value, ends, 0.95, digits=2)
        row.append(interval(value, ends))
    rows.append(row)
page.record("comparisons", len(CHANGES))
page.record("decided", len(decided))
glue("jetgpt_decided_which", ", ".join(decided) or "none", display=False)
header = [
    "instead of the other order, or head",
    "log density: difference",
    *(f"{ASKED[q]}: ratio" for q in [*ASKED][1:]),
]
markdown_table(header, rows)

# %% [markdown]
# In all numbers together, mean of one to four jets, particle by particle instead of directions first changes the log density by {glue:text}`jetgpt_order_mixture_density` ({glue:text}`jetgpt_order_mixture_density_low` to {glue:text}`jetgpt_order_mixture_density_high`) with mixtures and by {glue:text}`jetgpt_order_bins_density` ({glue:text}`jetgpt_order_bins_density_low` to {glue:text}`jetgpt_order_bins_density_high`) with bins. Bins instead of mixtures change it by {glue:text}`jetgpt_head_directions_density` ({glue:text}`jetgpt_head_directions_density_low` to {glue:text}`jetgpt_head_directions_density_high`) with directions first and by {glue:text}`jetgpt_head_particles_density` ({glue:text}`jetgpt_head_particles_density_low` to {glue:text}`jetgpt_head_particles_density_high`) particle by particle. Whether the order matters more for bins is in the last row of the table: the difference of the two effects of the order is {glue:text}`jetgpt_both_density` ({glue:text}`jetgpt_both_density_low` to {glue:text}`jetgpt_both_density_high`). In the mass of the muons the order changes the distance by the factor {glue:text}`jetgpt_order_mixture_mass` with mixtures and {glue:text}`jetgpt_order_bins_mass` with bins, in $\Delta R$ of the last two jets by {glue:text}`jetgpt_order_mixture_distance` and {glue:text}`jetgpt_order_bins_distance`. Of the {glue:text}`jetgpt_comparisons` intervals of the table, each at 95 %, {glue:text}`jetgpt_decided` exclude that nothing changes, where one in twenty does by chance. They are: {glue:text}`jetgpt_decided_which`.
#
# ### What no single number shows

# %% tags=["hide-input"]


def imbalance(momenta):
    """Transverse momentum of all muons and jets together in GeV, (n, particles, 4) -> (n,)."""
    pt, phi = momenta[..., 0], momenta[..., 1]
    return np.hypot((pt * np.cos(phi)).sum(axis=1), (pt * np.sin(phi)).sum(axis=1))


rows = []
for n in JETS:
    true = np.median(imbalance(TRUE[n]))
    page.record(f"imbalance_true_{n}", true, digits=2)
    row = [n, f"{true:.1f}"]
    for kind in TITLES:
        value, ends = over_sets([np.median(imbalance(made)) for made in FOUND[kind, n].made])
        page.record(f"imbalance_{kind}_{n}", value, ends, 0.95, digits=2)
        row.append(interval(value, ends, digits=1))
    rows.append(row)
markdown_table(["jets", "median in true events [GeV]", *TITLES.values()], rows)

# %% [markdown]
# Muons and jets nearly balance each other in the transverse plane; what is left is radiation below the cut. The table has the median transverse momentum of them all together. In true events with four jets it is {glue:text}`jetgpt_imbalance_true_4` GeV, in generated ones {glue:text}`jetgpt_imbalance_directions_4` GeV ({glue:text}`jetgpt_imbalance_directions_4_low` to {glue:text}`jetgpt_imbalance_directions_4_high`) with directions first, and {glue:text}`jetgpt_imbalance_particles_4` GeV particle by particle. That is a narrow correlation of nearly all numbers of an event at once, and none of the distributions above shows it. Nor does a classifier find it that is not offered the sum of all particles: for four jets its AUC is {glue:text}`jetgpt_auc_blind` instead of {glue:text}`jetgpt_auc_directions_4`. A network that is judged by single observables only looks better than it is.
#
# (sec-jetgpt-precision)=
# ### How precise?

# %% tags=["hide-input"]
rows, better = [], []
for n in JETS:
    deviations, of_training = [], []
    for name, (_, edges) in AXES.items():
        if (function := observable(name, n)) is None:
            continue
        true = np.histogram(function(TRUE[n]), edges)[0].astype(float)
        bulk = true > 0.02 * len(TRUE[n])
        share = true[bulk] / len(TRUE[n])
        of_training.append((1 - share) / (SIZES[n] * share))
        squares = []
        for events in FOUND[BASE, n].made:
            made = np.histogram(function(events), edges)[0][bulk]
            ratio = made / n_gen / share
            squares.append((ratio - 1) ** 2 - ratio**2 * (1 / np.maximum(made, 1) + 1 / true[bulk]))
        deviations.append(np.array(squares))
    each = np.sqrt(np.maximum(np.concatenate(deviations, axis=1).mean(axis=1), 0))
    value, ends = over_sets(100 * each)
    page.record(f"precision_{n}", value, ends, 0.95, digits=2)
    page.record(f"precision_training_{n}", training := 100 * np.sqrt(np.concatenate(of_training).mean()), digits=2)
    if value < training:
        better.append(str(n))
    rows.append([n, f"{interval(value, ends, digits=1)} %", f"{training:.0f} %"])
glue("jetgpt_better", ", ".join(better) or "none", display=False)
markdown_table(["jets", "mean deviation of a bin", "the same of the training events"], rows)

# %% [markdown]
# The first column is the mean deviation (root of the mean square) of the ratio to true events, over all bins of {numref}`fig-jetgpt-spectra` that hold more than 2 % of the events, with what the finite samples add subtracted. It is {glue:text}`jetgpt_precision_1` % for one jet and {glue:text}`jetgpt_precision_4` % for four. The second column is what the training events with as many jets deviate by for statistical reasons, {glue:text}`jetgpt_precision_training_1` % and {glue:text}`jetgpt_precision_training_4` %; the generator deviates by less for these numbers of jets: {glue:text}`jetgpt_better`. Per-cent precision was claimed for thousands of times as many events, and cannot be asked of {glue:text}`jetgpt_n_train_4`.
#
# (sec-jetgpt-joint)=
# ## Joint or separate?
#
# To learn only the events with three or with four jets, the same network is trained on these events of the same training sets, for as many steps. It sees each event as often as the joint one does if its batches are smaller in proportion, {glue:text}`jetgpt_batch_4` events with four jets a step; this is called *alone*. So small batches might be too noisy, and so *longer* has batches of {glue:text}`jetgpt_longer` events and sees each one more often, up to where the events that are held back stop it.

# %% tags=["hide-input"]
for n in ALONE:
    page.record(f"batch_{n}", plan[f"jetgpt/alone{n}"].fit.batch_size)
rows = []
for n, (way, title) in product(ALONE, {"alone": "alone", "longer": "alone, longer"}.items()):
    each, errors = gains(BASE, way, n)
    value, ends = over_sets(each)
    page.record(f"joint_gain_{way}_{n}", value, ends, 0.95, digits=2)
    row = [n, title, f"{value:.2f} ({ends[0]:.2f} to {ends[1]:.2f})"]
    factors = []
    for question in QUESTIONS:
        factors.append(np.log(WORTH[BASE, n, question][1] / WORTH[way, n, question][1]))
        value, ends = over_sets(factors[-1])
        row.append(f"{np.exp(value):.2g} ({np.exp(ends[0]):.2g} to {np.exp(ends[1]):.2g})")
    value, ends = over_sets(np.mean(factors, axis=0))
    page.record(f"joint_{way}_{n}", float(np.exp(value)), list(np.exp(ends)), 0.95, digits=2)
    row.append(f"{np.exp(value):.2g} ({np.exp(ends[0]):.2g} to {np.exp(ends[1]):.2g})")
    rows.append(row)
for n, kind in product(ALONE, (BASE, "alone")):
    G = np.mean([np.log(WORTH[kind, n, question][1] / SIZES[n]) for question in QUESTIONS], axis=0)
    value, ends = over_sets(G)
    page.record(f"G_{kind}_{n}", float(np.exp(value)), list(np.exp(ends)), 0.95, digits=2)


def side(name, bound):
    """Where the interval of a recorded number lies, in words."""
    low, high = page.recorded["numbers"][name]["interval"]
    return "lies above" if low > bound else "lies below" if high < bound else "lies on both sides of"


glue("jetgpt_side_gain", side("joint_gain_alone_4", 0), display=False)
CONCLUSIONS = {
    "lies above": "The density of all numbers together gains from events with fewer jets: transformers can be trained jointly, and it pays.",
    "lies below": "The density of all numbers together does not gain from events with fewer jets.",
    "lies on both sides of": "So many training sets do not decide whether the density gains from events with fewer jets.",
}
glue("jetgpt_conclusion", CONCLUSIONS[side("joint_gain_alone_4", 0)], display=False)
for n in ALONE:
    glue(f"jetgpt_side_worth_{n}", side(f"joint_alone_{n}", 1), display=False)
header = ["jets", "joint over", "gain in log density", *(title for title, _ in QUESTIONS.values()), "mean of these"]
markdown_table(header, rows)

# %% mystnb={"figure": {"name": "fig-jetgpt-joint", "caption": "Number of true events that generated ones are worth, $n_{\\rm equiv}$ from the Kolmogorov-Smirnov distance, for networks that were trained jointly and alone: one point for each training set, bars are geometric means. Dotted: events of that number of jets in a training set ($G=1$). Dashed: true events to compare with; whether generated ones are worth more than these cannot be known, and such points lie on the line."}, "image": {"alt": "Two panels, three and four jets, with five observables each and three groups of points: joint, alone, alone and longer, on a logarithmic axis around the number of training events."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(11, 4.3), sharey=True)
data = {}
WAYS = {
    BASE: ("joint", plots.ESTIMATE),
    "alone": ("alone", plots.OTHERS[0]),
    "longer": ("alone, longer", plots.OTHERS[1]),
}
SHORT = {
    "m_mumu": r"$m_{\mu\mu}$",
    "pT(j1)": "$p_{T,1}$",
    "tail": "$p_{T,1}$, tail",
    "pT(last)": "$p_{T,n}$",
    "deltaR": r"$\Delta R$",
}
for ax, n in zip(axes, ALONE, strict=True):
    for shift, (way, (label, color)) in zip((-0.25, 0, 0.25), WAYS.items(), strict=True):
        for place, question in enumerate(QUESTIONS):
            values = WORTH[way, n, question][1]
            x = place + shift + np.linspace(-0.06, 0.06, sets)
            ax.plot(x, values, "o", ms=3.5, color=color, label=label)
            ax.hlines(np.exp(np.log(values).mean()), x[0] - 0.03, x[-1] + 0.03, color=color, lw=1)
            data[f"{n} {way} {question}"] = values
    ax.axhline(SIZES[n], color=plots.TRUE, ls=":", lw=1)
    ax.axhline(len(TRUE[n]), color="0.5", ls="--", lw=1)
    ax.set(yscale="log", title=f"{n} jets", xticks=range(len(QUESTIONS)), xticklabels=SHORT.values())
axes[0].set_ylabel(r"$n_{\rm equiv}$")
plots.shared_legend(axes, columns=3)
page.figure(figure, "jetgpt_joint", data)

# %% [markdown]
# For four jets the joint network gives true events a log density that is larger by {glue:text}`jetgpt_joint_gain_alone_4` ({glue:text}`jetgpt_joint_gain_alone_4_low` to {glue:text}`jetgpt_joint_gain_alone_4_high`) than the network that was trained alone, and by {glue:text}`jetgpt_joint_gain_longer_4` ({glue:text}`jetgpt_joint_gain_longer_4_low` to {glue:text}`jetgpt_joint_gain_longer_4_high`) than the one that was trained alone and longer; for three jets by {glue:text}`jetgpt_joint_gain_alone_3` and {glue:text}`jetgpt_joint_gain_longer_3`. The first interval {glue:text}`jetgpt_side_gain` zero. {glue:text}`jetgpt_conclusion`
#
# Does amplification? Over the five questions the events are worth {glue:text}`jetgpt_joint_alone_4` times as many ({glue:text}`jetgpt_joint_alone_4_low` to {glue:text}`jetgpt_joint_alone_4_high`) with four jets, and {glue:text}`jetgpt_joint_alone_3` times ({glue:text}`jetgpt_joint_alone_3_low` to {glue:text}`jetgpt_joint_alone_3_high`) with three, in geometric mean. The interval for four jets {glue:text}`jetgpt_side_worth_4` one, that for three {glue:text}`jetgpt_side_worth_3` it. $n_{\rm equiv}$ of a single distribution fluctuates by factors from one training set to the next, and these intervals are as wide as {glue:text}`jetgpt_training_sets` training sets make them. For four jets $G$ is {glue:text}`jetgpt_G_directions_4` ({glue:text}`jetgpt_G_directions_4_low` to {glue:text}`jetgpt_G_directions_4_high`) for the joint network and {glue:text}`jetgpt_G_alone_4` ({glue:text}`jetgpt_G_alone_4_low` to {glue:text}`jetgpt_G_alone_4_high`) for the one trained alone. The training events here are those with four jets; the joint network has seen {glue:text}`jetgpt_n_train` in all, and no counting of events with four jets would profit from the others.
#
# ## What a classifier finds

# %% mystnb={"figure": {"name": "fig-jetgpt-weights", "caption": "Weights $w=p_{\\rm true}/p_{\\rm gen}$ by a classifier of each number of jets, of generated (blue) and true (black) events of all training sets; directions first, mixtures."}, "image": {"alt": "Four panels with logarithmic axes: histograms of the weights of generated and of true events."}} tags=["hide-input"]
edges = np.geomspace(1e-3, 1e2, 61)
figure, axes = plt.subplots(1, 4, figsize=(12, 3.5), sharey=True)
data, rows = {"left": edges[:-1]}, []
for ax, n in zip(axes, JETS, strict=True):
    ratios = RATIOS[BASE, n]
    for name, color in (("generated", plots.ESTIMATE), ("true", plots.TRUE)):
        values = np.concatenate([r.generated if name == "generated" else r.reference for r in ratios])
        data[f"{n} {name}"] = share = np.histogram(np.exp(values), edges)[0] / len(values)
        ax.stairs(share, edges, color=color, lw=1.3, label=name)
    ax.axvline(1, color="0.5", ls=":", lw=1)
    ax.set(xscale="log", yscale="log", xlabel="$w$", title=f"{n} jet{'s' * (n > 1)}", ylim=(1e-4, 1))
    effective = []
    for ratio in ratios:
        w = np.minimum(np.exp(ratio.generated), Reweighting(ratio).largest)
        effective.append(w.sum() ** 2 / (w**2).sum() / w.size)
    small = [100 * (ratio.generated < np.log(0.1)).mean() for ratio in ratios]
    value, ends = over_sets(effective)
    page.record(f"effective_{n}", 100 * value, [100 * end for end in ends], 0.95, digits=2)
    rows.append([n, interval(*AREAS[BASE, n], digits=3), f"{100 * value:.0f} %", f"{over_sets(small)[0]:.2g} %"])
axes[0].set_ylabel("share of the events")
plots.shared_legend(axes, columns=2)
page.figure(figure, "jetgpt_weights", data)

# %% tags=["hide-input"]
markdown_table(["jets", "AUC", "effective events after reweighting", "generated events with $w<0.1$"], rows)

# %% [markdown]
# A classifier gets {glue:text}`jetgpt_n_classified` true and as many generated events, learns from half of them and is tested on the others. The AUC is {glue:text}`jetgpt_auc_directions_1` for one jet, {glue:text}`jetgpt_auc_directions_2` for two, {glue:text}`jetgpt_auc_directions_3` for three and {glue:text}`jetgpt_auc_directions_4` for four. Small weights mean generated events where truth has hardly any. Events could be reweighted; with four jets the weights would leave {glue:text}`jetgpt_effective_4` % of them. {ref}`What it costs <sec-reweighting>` is another page's subject.

# %% tags=["nbval-check-output", "hide-input"]
print(
    "generated events have the jets that were asked for:",
    all((m[:, 2:, 0] > 20).all() for f in FOUND.values() for m in f.made),
)
print("all generated events are finite:", all(np.isfinite(m).all() for f in FOUND.values() for m in f.made))
training = {k: jet_ensembles.training_data("jetgpt/directions", profile, seed, k) for k in range(sets)}
events = np.concatenate([one.events for one in training.values()])
print("no event is in two training sets:", len(np.unique(events, axis=0)) == len(events))
print(
    "all numbers of jets have the same share of the loss:",
    all(
        np.isclose(one.weights[one.condition[:, 0] == n].sum() / one.weights.sum(), 1 / len(JETS))
        for one, n in product(training.values(), JETS)
    ),
)

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-jetgpt-wrapped
# Three images of a Gaussian are not all. How much of a wrapped normal distribution is missing at $\sigma=2$, its largest width?
# ```
#
# ````{solution} ex-jetgpt-wrapped
# :class: dropdown
# With $\phi-\mu$ between $-\pi$ and $\pi$ the three images cover the Gaussian from $-3\pi$ to $3\pi$. What lies beyond is the probability of more than $3\pi/\sigma$ standard deviations on both sides, which the cell computes.
# ````

# %% tags=["hide-input", "hide-output"]
print(f"missing: {2 * stats.norm.sf(3 * np.pi / 2):.1g}")

# %% [markdown]
# ```{exercise}
# :label: ex-jetgpt-cache
# How many tokens go through the network for an event with four jets, with and without kept keys and values?
# ```
#
# ````{solution} ex-jetgpt-cache
# :class: dropdown
# The sequence has $5+4\cdot4=21$ numbers. With kept keys and values each token goes through once: 21. Without them, all tokens so far go through for each number, $1+2+\ldots+21=231$, or all 21 each time, 441, if one uses the training's function as it stands. The gain in time is smaller, as each token still looks at all before it: `benchmarks/test_sampling_speed.py` measures it.
# ````
#
# ```{exercise}
# :label: ex-jetgpt-balance
# Which coordinates would make it easy to learn that muons and jets balance?
# ```
#
# ````{solution} ex-jetgpt-balance
# :class: dropdown
# Those in which the balance is a number of its own, and not a relation of many: after the jets, the two components of what the transverse momentum of the muon pair adds to that of the jets, which are distributed around zero. A mixture learns their width as easily as any. The muons then follow from the pair: its mass, its rapidity and the direction of the decay. The price is a Jacobian to be derived, and a density that no longer treats the muons as it treats the jets.
# ````
#
# ```{exercise}
# :label: ex-jetgpt-loss
# What is the price of giving four jets the same share of the loss as one? Compute how many events of equal weight a batch is worth.
# ```
#
# ````{solution} ex-jetgpt-loss
# :class: dropdown
# A batch is drawn from all events alike, and an event counts $1/N_n$. With $p_n=N_n/\sum N$ a weighted mean over a batch of $B$ events fluctuates as one over $B\,\big(\sum_n p_n w_n\big)^2/\sum_n p_n w_n^2$ events, with $w_n\propto1/p_n$. Four numbers of jets with equal shares of the loss cost nothing if they are equally frequent. The cell computes it for the training sets here.
# ````

# %% tags=["hide-input", "hide-output"]
p = np.array([*SIZES.values()]) / total
print(f"of {page.settings['batch_size']}: {page.settings['batch_size'] * (p / p).sum() ** 2 / (p / p**2).sum():.0f}")
