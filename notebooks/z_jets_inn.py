# %% [markdown]
# (sec-z-jets-inn)=
# # A Bayesian flow, B-INN, for Z bosons with one to three jets
#
# A normalizing flow, or invertible network (INN), has a fixed number of inputs. The talk *Controlled Precision Generators* {cite}`plehn_controlled` begins with one that makes {ref}`Z bosons <sec-z-jets>` with one, two and three jets nonetheless {cite}`precision_generators`, and claims three things for it: *per-cent precision*; an error bar that is *training-related*, from a Bayesian network; and that even the distances of jets, where flows do badly, are learned when the training events have weights. This page builds a small one of its kind and asks: is it as precise as its training events allow? Does its band hold the true distributions, and what is the band made of? What do the weights gain, and what do they cost?

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from collections import Counter
from itertools import product
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import ticker
from myst_nb import glue

from gampl import differential, plots
from gampl.generators.settings import Architecture
from gampl.particles.jet_sequences import MUON_MASS
from gampl.particles.kinematics import delta_r
from gampl.processes import ZJets
from gampl.training import Fit, Table, Training, train_or_load
from gampl_book import jet_ensembles
from gampl_book.bayesian_prior import train_with_prior
from gampl_book.coverage import AS_IT_IS, Judged, covered, over_sets
from gampl_book.jet_chain import COLUMNS, CUT, ENDS, JETS, Chain, Rows, smoothing, training_data
from gampl_book.jet_ensembles import padded, true_events
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.profiles import section
from gampl_book.trained_costs import of_trained

page = Page("z_jets_inn", profile, seed)
sets, members, steps, batch_size, rate, n_gen, n_density, scan, size = page.settings.values()
for name in ("training_sets", "members", "steps", "batch_size", "n_gen"):
    page.record(name, page.settings[name])
for name in ("blocks", "width", "components"):
    page.record(name, size[name])

# %% [markdown]
# ## A chain of flows
#
# The generator is a chain of conditional densities, each with a network of its own,
#
# ```{math}
# :label: eq-inn-chain
# p(x\,|\,n) = p(Z, j_1\,|\,n)\;\; p(j_2\,|\,Z, j_1, n)\;\; p(j_3\,|\,Z, j_1, j_2) .
# ```
#
# The first network describes 9 numbers, and is told the number of jets $n$, one-hot encoded. The second and third describe the 4 numbers of a jet and are told all numbers that came before; the second also whether there is a third jet. An event with one jet uses the first network only, and all events train it. Muons and jets are described as in {ref}`JetGPT <sec-jetgpt>`, by logarithms of transverse momenta (of jets, of what exceeds the cut of 20 GeV) and of the masses of muon pair and jets, by pseudorapidities, and by azimuths relative to the $\mu^-$. As a flow needs numbers without bounds, an azimuth becomes ${\rm artanh}(\phi/\pi)$. Here $\phi$ is counted from the direction opposite to the $\mu^-$, near which the balancing $\mu^+$ and jets often are. Of an angle that came before, a network is told the cosine and sine.
#
# Each network is a neural spline flow with {glue:text}`z_jets_inn_blocks` transformations, {glue:text}`z_jets_inn_width` hidden nodes and {glue:text}`z_jets_inn_components` bins, and Bayesian: its loss is
#
# ```{math}
# :label: eq-inn-loss
# \mathcal{L} = \big\langle -\log p_\theta(x)\big\rangle_{x,\;\theta\sim q} + \frac{C}{\ntrain}\,{\rm KL}\big[q(\theta)\,\big|\,\mathcal{N}(0,\tau^2)\big] ,
# ```
#
# where $q$ is the distribution of the network's weights $\theta$. Here $C=1$, as Bayes' theorem has it, the prior has the width $\tau=1$, and the log-variances of the weights start at $-9$; {ref}`below <sec-inn-scan>` all three are varied. {glue:text}`z_jets_inn_members` draws of the weights are the members; a draw of the chain is a draw of each network. Each training takes {glue:text}`z_jets_inn_steps` steps of {glue:text}`z_jets_inn_batch_size` events. The published networks are larger and were trained on many more events.
#
# **Events.** The training sets are those of {ref}`JetGPT <sec-jetgpt>`, so that the two can be compared set by set: {glue:text}`z_jets_inn_training_sets` sets that have no event in common, each with {glue:text}`z_jets_inn_n_train_1`, {glue:text}`z_jets_inn_n_train_2` and {glue:text}`z_jets_inn_n_train_3` events with one, two and three jets. If nothing else is said, intervals are at 95 % and say how results differ from one set to the next; so few sets cannot rank what lies close together. True distributions are those of {glue:text}`z_jets_inn_holdout_1`, {glue:text}`z_jets_inn_holdout_2` and {glue:text}`z_jets_inn_holdout_3` events that no network has seen. Sizes, steps and learning rate were chosen with other training sets, by their cost and by the density of further training events.
#
# (sec-inn-weights)=
# ## Weights for distances of jets
#
# The jet algorithm, which measures rapidities, allows hardly any distance $\Delta R_{jj}=\sqrt{\Delta\eta^2+\Delta\phi^2}$ below 0.4, and the density of distances sets in there with a step. In the coordinates of a flow this is a hole with a sharp edge, around a point that differs from event to event. The way around it {cite}`precision_generators` is to take the step out of the training events and put it back afterwards: events have weights
#
# ```{math}
# :label: eq-inn-weights
# F(x) = \prod_{i<j} f(\Delta R_{ij}), \qquad f(\Delta R) = \min\!\Big(1, \frac{\Delta }{1.5-0.2}\Big) ,
# ```
#
# in the loss, which *lower* the density next to the cut until it begins with a small step, and generated events have the weight $1/F$. No pair has a weight above 6.5, as generated ones below the cut are given the weight of those at it. The network does not know that truth has hardly any there; *we* do, and may drop them.
#
# In a chain this needs care. Trained with the weights $f$, the second network of {eq}`eq-inn-chain` describes $f\,p(j_2|c)/\bar f(c)$ with $\bar f(c)=\int f\,p(j_2|c)$, and $\bar f$ depends on what it is told, $c=(Z,j_1,n)$. A generated event with the weight $1/f$ then has the density $p(c)\,p(j_2|c)/\bar f(c)$, which is wrong. If the *first* network is trained with the weight of the whole event, too, it describes $p(c)\,\bar f(c)$, up to a constant, and the $\bar f$ cancel. So all networks of the chain are trained with the weights $F$ of whole events, including pairs with jets that come later, normalised for each $n$.


# %% tags=["hide-input"]
def by_number(data):
    """Events of a training set by their number of jets."""
    number = np.asarray(data.condition)[:, 0]
    return {n: np.asarray(data.events)[number == n][:, : 2 + n] for n in JETS}


SETS = [by_number(jet_ensembles.training_data("jetgpt/directions", profile, seed, k)) for k in range(sets)]
SIZES = {n: len(events) for n, events in SETS[0].items()}
TRUE = {}
for n in JETS:
    TRUE[n] = true_events(n, "holdout", profile).copy()
    TRUE[n][:, :2, 3] = MUON_MASS
    page.record(f"n_train_{n}", SIZES[n])
    page.record(f"holdout_{n}", len(TRUE[n]))
page.record("n_train", sum(SIZES.values()))
WEIGHTED = {n: smoothing(TRUE[n]) for n in JETS}
for n in JETS[1:]:
    w = WEIGHTED[n]
    page.record(f"effective_train_{n}", 100 * w.mean() ** 2 / (w**2).mean(), digits=2)
    page.record(f"effective_generated_{n}", 100 / (w.mean() * (1 / w).mean()), digits=2)


def link_of(link, rows, k, weights, prior=1.0, **options):
    """One trained network of the chain for training set k: draws from its posterior."""
    data, names = training_data(link, rows, weights), COLUMNS[ENDS[link] : ENDS[link + 1]]
    fit = Fit(steps, batch_size, rate, warmup=max(1, steps // 5), validate_every=max(1, steps // 5))
    architecture = Architecture("spline", size["blocks"], 1, size["width"], components=size["components"])
    options = {"kl_weight": 1.0, "conditions": np.shape(data.condition)[1], **options}
    n_events = len(np.asarray(data.events))
    training = Training(Table(names), n_events, architecture, "bayesian", members, 1000 * seed + k, fit, **options)
    label = f"inn/{link}/{k}"
    if prior == 1.0:
        made = train_or_load(training, data, chunk=n_gen, label=label)
    else:
        made = train_with_prior(training, data, prior, chunk=n_gen, label=label)
    page.count_training(made.history.seconds, made.history.device)
    return made


TITLES = {"smooth": "B-INN, weighted", "plain": "B-INN, not weighted", "jetgpt": "JetGPT"}
ROWS = [Rows([*events.values()]) for events in SETS]
OF_SET = [{n: rows.of(events[n]) for n in JETS} for rows, events in zip(ROWS, SETS, strict=True)]
WEIGHTS = {
    "smooth": [{n: smoothing(events[n]) for n in JETS} for events in SETS],
    "plain": [{n: np.ones(len(events[n])) for n in JETS} for events in SETS],
}
CHAINS = {
    way: [
        Chain(
            ROWS[k],
            [link_of(link, OF_SET[k], k, WEIGHTS[way][k]) for link in range(len(JETS))],
            smoothing if way == "smooth" else None,
        )
        for k in range(sets)
    ]
    for way in ("smooth", "plain")
}
for way, chains in CHAINS.items():
    total = Counter()  # of the links
    for link, made in enumerate(chains[0].links):
        data = training_data(link, OF_SET[0], WEIGHTS[way][0])
        total.update(of_trained(made.members[0], data, np.asarray(data.condition)[0]))
        page.cost(f"{way}_{JETS[link]}", **total)

# %% tags=["hide-input"]
JETGPT, n_gen_jetgpt = jet_ensembles.ensemble("directions", profile, seed), section(profile, "jetgpt")["n_gen"]


def closest_pair(momenta):
    """Smallest distance of two jets, (n, 2 + jets, 4) -> (n,); infinite for a single jet."""
    jets = momenta[:, 2:]
    pairs = [delta_r(jets[:, a], jets[:, b]) for a in range(jets.shape[1]) for b in range(a)]
    return np.min(pairs, axis=0) if pairs else np.full(len(jets), np.inf)


@np.errstate(divide="ignore")
def of_chain(way, n):
    """Events of each member for each training set with their weights, as generated and with the cut, and log densities.

    The log densities are those of true events under events with the cut, (sets, events).
    """
    raw = [[chain.sample(m, n, n_gen, seed) for m in range(members)] for chain in CHAINS[way]]
    made = [[(x, w * (closest_pair(x) >= CUT)) for x, w in of_set] for of_set in raw]
    means = [[w.mean() for _, w in of_set] for of_set in made]
    log_p = [chain.log_prob(TRUE[n][:n_density], w) for chain, w in zip(CHAINS[way], means, strict=True)]
    return SimpleNamespace(raw=raw, made=made, log_p=np.array(log_p))


@np.errstate(divide="ignore")
def of_jetgpt(n):
    """The same of JetGPT, whose ensemble has one member for each training set."""
    raw, made, log_p, rows = [], [], [], JETGPT.training.process.event_shape[0] - 2
    for k in range(sets):
        events = JETGPT.sample(k, n_gen_jetgpt, seed, condition=[n])[:, : 2 + n]
        events[:, :2, 3] = MUON_MASS
        passes = (closest_pair(events) >= CUT).astype(float)
        raw.append([(events, np.ones(len(events)))])
        made.append([(events, passes)])
        log_p.append(JETGPT.log_prob(padded(TRUE[n][:n_density], rows), k, condition=[n]) - np.log(passes.mean()))
    return SimpleNamespace(raw=raw, made=made, log_p=np.array(log_p))


FOUND = {(way, n): of_chain(way, n) for way, n in product(CHAINS, JETS)} | {("jetgpt", n): of_jetgpt(n) for n in JETS}


def interval(value, ends, digits=2):
    """A number and its interval in words."""
    return f"{value:.{digits}f} ({ends[0]:.{digits}f} to {ends[1]:.{digits}f})"


def factor(name, logs):
    """Records a factor from its logarithms for the training sets; its interval in words."""
    value, ends = over_sets(logs)
    value, ends = float(np.exp(value)), np.exp(ends).tolist()
    page.record(name, value, ends, 0.95, digits=2)
    return f"{rounded(value, 2)} ({rounded(ends[0], 2)} to {rounded(ends[1], 2)})"


PROCESSES = {n: ZJets(n_jets=n) for n in JETS}


def observable(name, n):
    """The function of events with n jets; None if they have no such observable."""
    if name in ("deltaR", "near"):
        return PROCESSES[n].observable(f"deltaR(j{n - 1},j{n})") if n > 1 else None
    if name in ("pT(j1)", "tail", "m_mumu", "pT(mumu)"):
        return PROCESSES[n].observable({"tail": "pT(j1)", "pT(mumu)": "pT(mumu)"}.get(name, name))
    return PROCESSES[n].observable(f"pT(j{n})") if n > 1 else None


VALUES = {}  # of observables, for each training set and member


def values_of(way, n, name, which="made"):
    """An observable of all members' events: for each training set a list of (values, weights) of each member."""
    if (way, n, name, which) not in VALUES:
        function, events = observable(name, n), getattr(FOUND[way, n], which)
        VALUES[way, n, name, which] = [[(function(x), w) for x, w in of_set] for of_set in events]
    return VALUES[way, n, name, which]


def pooled(of_set):
    """Values and weights of all members of a training set, each member's with the same sum."""
    return np.concatenate([x for x, _ in of_set]), np.concatenate([w / w.mean() for _, w in of_set])


# %% tags=["hide-input"]
QUESTIONS = {  # observables, and which of their values count
    "m_mumu": (r"$m_{\mu\mu}$, 70 to 110 GeV", lambda x, _: (x > 70) & (x < 110)),
    "pT(j1)": (r"$p_T$ of the leading jet", lambda x, _: x > 0),
    "tail": (r"the same, upper fifth", lambda x, true: x > np.quantile(true, 0.8)),
    "pT(last)": (r"$p_T$ of the last jet", lambda x, _: x > 0),
    "deltaR": (r"$\Delta R$ of the last two jets", lambda x, _: x > 0),
    "near": (r"the same, below 1.5", lambda x, _: x < 1.5),
}


def worth(way, n, name, which="made"):
    """Distance of each training set's events to true ones, and n_equiv in events of all values, at most theirs."""
    true, is_in = observable(name, n)(TRUE[n]), QUESTIONS[name][1]
    reference, found = true[is_in(true, true)], []
    share = len(reference) / len(true)
    for of_set in values_of(way, n, name, which):
        x, w = pooled(of_set)
        chosen = is_in(x, true)
        result = differential.from_samples([x[chosen]], reference, SIZES[n], weights=[w[chosen]])
        found.append((result.curve.mean[-1], min(result.n_equiv, len(reference)) / share))  # more is not known
    return np.array(found).T


ASKED = [(n, name) for n, name in product(JETS, QUESTIONS) if observable(name, n) is not None]
WORTH = {(way, n, name): worth(way, n, name) for way, (n, name) in product(TITLES, ASKED)}


def gain(way, other, n):
    """Mean difference in the log density of true events with n jets, for each training set."""
    first, second = FOUND[way, n].log_p, FOUND[other, n].log_p
    usable = np.isfinite(first).all(axis=0) & np.isfinite(second).all(axis=0)
    return (first[:, usable] - second[:, usable]).mean(axis=1)


rows = []
for n in JETS[1:]:
    row = [n, f"{100 * (closest_pair(TRUE[n]) < CUT).mean():.1f} %"]
    for way in TITLES:
        inside = [
            100 * np.mean([np.average(closest_pair(x) < CUT, weights=w) for x, w in of_set])
            for of_set in FOUND[way, n].raw
        ]
        value, ends = over_sets(inside)
        page.record(f"inside_{way}_{n}", value, ends, 0.95, digits=2)
        row.append(f"{interval(value, ends, 1)} %")
    before = [[(closest_pair(x) < CUT).mean() for x, _ in of_set] for of_set in FOUND["smooth", n].raw]
    value, ends = over_sets(100 * np.mean(before, axis=1))
    page.record(f"inside_before_{n}", value, ends, 0.95, digits=2)
    row.insert(2, f"{interval(value, ends, 1)} %")
    rows.append(row)
markdown_table(["jets", "true events", "B-INN, weighted, before undoing", *TITLES.values()], rows)

# %% [markdown]
# The table has the share of generated events with two jets closer than {math}`0.4`, by weight. With weights in training it is {glue:text}`z_jets_inn_inside_before_2` % for two jets, without {glue:text}`z_jets_inn_inside_plain_2` %; undoing the weights turns the former into {glue:text}`z_jets_inn_inside_smooth_2` %, because $F$ is smallest below the cut. In all that follows these events are dropped, for all generators alike, if nothing else is said. Where this decides the answer, both are shown. {ref}`JetGPT <sec-jetgpt>`, trained on the same events, is there for comparison: its order, and what it is told of the nearest jet, are another answer to the same difficulty.

# %% mystnb={"figure": {"name": "fig-inn-distances", "caption": "Distances of jets: the pair of events with two jets, and the last two of three. True events (points), and generated ones of all training sets above the cut (dotted vertical line), from chains trained without weights (orange) and with weights that are then undone (blue). Dashed: the weighted chain before its weights are undone. Below: ratios to the truth, with the statistical error of the true events (grey)."}, "image": {"alt": "Two columns. Top: densities that begin at 0.4 and peak near pi, and dashed ones that begin more gently. Below: ratios of both chains around one, farthest from it next to the cut."}} tags=["hide-input"]
edges = np.concatenate([np.arange(2, 16) / 10, np.arange(8, 26) / 5])
figure, grid = plt.subplots(2, 2, figsize=(10.5, 5.6), sharex=True, height_ratios=[2, 1])
data = {"edges": edges}
for (top, low), n in zip(grid.T, JETS[1:], strict=True):
    counts = np.histogram(observable("deltaR", n)(TRUE[n]), edges)[0]
    share = counts / len(TRUE[n])
    centres, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    seen = counts > 0
    top.errorbar(
        centres[seen],
        (share / widths)[seen],
        (np.sqrt(counts) / len(TRUE[n]) / widths)[seen],
        fmt="k.",
        ms=3,
        lw=0.8,
        label="true",
    )
    data[f"{n} true"] = share
    error = seen / np.sqrt(np.maximum(counts, 1))
    low.fill_between(
        edges,
        *[np.append(1 + sign * error, 1 + sign * error[-1]) for sign in (-1, 1)],
        step="post",
        color="0.88",
        lw=0,
    )
    for way, color in {"plain": plots.MODEL, "smooth": plots.ESTIMATE}.items():
        x, w = (np.concatenate(parts) for parts in zip(*map(pooled, values_of(way, n, "deltaR")), strict=True))
        made = np.histogram(x, edges, weights=w)[0] / w.sum()
        data[f"{n} {way}"] = made
        top.stairs(made / widths, edges, baseline=None, color=color, lw=1.2, label=TITLES[way])
        with np.errstate(divide="ignore", invalid="ignore"):
            low.stairs(np.where(seen, made / share, np.nan), edges, baseline=None, color=color, lw=1.2)
    x = np.concatenate([x for of_set in values_of("smooth", n, "deltaR", "raw") for x, _ in of_set])
    data[f"{n} learned"] = before = np.histogram(x, edges)[0] / len(x)
    top.stairs(before / widths, edges, baseline=None, color=plots.ESTIMATE, lw=1, ls="--", label="before undoing")
    for ax in (top, low):
        ax.axvline(CUT, color="0.4", ls=":", lw=1)
    low.axhline(1, color=plots.TRUE, lw=0.6)
    low.set(ylim=(0.4, 1.6), xlim=(edges[0], edges[-1]), xlabel=rf"$\Delta R(j_{n - 1}, j_{n})$")
    top.set(title=f"{n} jets")
grid[0, 0].set_ylabel("density")
grid[1, 0].set_ylabel("ratio to truth")
plots.shared_legend([grid[0, 0]])
page.figure(figure, "inn_distances", data)

# %% tags=["hide-input"]
KEYS = {name: name.replace("(", "_").rstrip(")") for name in QUESTIONS}
rows, trick = [], {}
for question in QUESTIONS:
    numbers = [n for n in JETS[1:] if (n, question) in ASKED]
    row = [QUESTIONS[question][0]]
    for what, which, place in (("kept", "raw", 0), ("distance", "made", 0), ("worth", "made", 1)):
        pairs = [[worth(way, n, question, which)[place] for way in ("smooth", "plain")] for n in numbers]
        trick[question, what] = np.mean([np.log(smooth / plain) for smooth, plain in pairs], axis=0)
        row.append(factor(f"trick_{what}_{KEYS[question]}", trick[question, what]))
    rows.append(row)
of_distances = np.mean([trick[name, "distance"] for name in ("deltaR", "near")], axis=0)
of_others = np.mean([trick[name, "distance"] for name in ("m_mumu", "pT(j1)", "pT(last)")], axis=0)
factor("trick_distances", of_distances)
factor("trick_kept", np.mean([trick[name, "kept"] for name in ("deltaR", "near")], axis=0))
factor("trick_others", of_others)
for n in JETS[1:]:
    value, ends = over_sets(gain("smooth", "plain", n))
    page.record(f"trick_gain_{n}", value, ends, 0.95, digits=2)


def side(name, bound):
    """Where the interval of a recorded number lies, in words."""
    low, high = page.recorded["numbers"][name]["interval"]
    return "lies above" if low > bound else "lies below" if high < bound else "lies on both sides of"


CONCLUSIONS = {
    "lies below": "The weights help where they are meant to: distances of jets are closer to the true ones.",
    "lies above": "The weights make the distances of jets worse.",
    "lies on both sides of": "Whether the distances of jets become better by weights, so many training sets do not decide.",
}
glue("z_jets_inn_trick", CONCLUSIONS[side("trick_distances", 1)], display=False)
KEPT = {
    "lies below": "The weights help also if events with a pair below the cut are kept.",
    "lies above": "If events with a pair below the cut are kept, the weights do harm: dropping them is part of the method.",
    "lies on both sides of": "If events with a pair below the cut are kept, nothing is decided.",
}
glue("z_jets_inn_trick_both", KEPT[side("trick_kept", 1)], display=False)
glue("z_jets_inn_trick_side", side("trick_others", 1), display=False)
markdown_table(
    [
        "two and three jets, weighted over not",
        "distance to true events, pairs below the cut kept",
        "the same, dropped",
        r"$n_{\rm equiv}$, dropped",
    ],
    rows,
)

# %% [markdown]
# {glue:text}`z_jets_inn_trick` The Kolmogorov-Smirnov distance in $\Delta R$, of all and of those below 1.5 together, changes by a factor {glue:text}`z_jets_inn_trick_distances` ({glue:text}`z_jets_inn_trick_distances_low` to {glue:text}`z_jets_inn_trick_distances_high`), geometric mean over two and three jets, where events with a pair below the cut are dropped, and by a factor {glue:text}`z_jets_inn_trick_kept` ({glue:text}`z_jets_inn_trick_kept_low` to {glue:text}`z_jets_inn_trick_kept_high`) where they are kept. {glue:text}`z_jets_inn_trick_both` Both chains are otherwise the same, seeds included. The mean log density of all numbers of true events changes by {glue:text}`z_jets_inn_trick_gain_2` ({glue:text}`z_jets_inn_trick_gain_2_low` to {glue:text}`z_jets_inn_trick_gain_2_high`) for two and by {glue:text}`z_jets_inn_trick_gain_3` ({glue:text}`z_jets_inn_trick_gain_3_low` to {glue:text}`z_jets_inn_trick_gain_3_high`) for three jets.
#
# *The price.* Events of unequal weight are worth fewer of equal weight. In training the price is small if $F$ is near one for most events: {glue:text}`z_jets_inn_effective_train_2` % of the events with two jets are left, and {glue:text}`z_jets_inn_effective_train_3` % with three. Generated events with the weights $1/F$ are worth {glue:text}`z_jets_inn_effective_generated_2` % and {glue:text}`z_jets_inn_effective_generated_3` %, which costs computing time only. Elsewhere, in $m_{\mu\mu}$ and the transverse momenta, distances to true events change by a factor {glue:text}`z_jets_inn_trick_others` ({glue:text}`z_jets_inn_trick_others_low` to {glue:text}`z_jets_inn_trick_others_high`), an interval that {glue:text}`z_jets_inn_trick_side` one. In what follows the chain is the weighted one.
#
# (sec-inn-precision)=
# ## Truth, training events and model

# %% mystnb={"figure": {"name": "fig-inn-spectra", "caption": "The first training set, as the talk shows it: densities of true events that no network has seen (points), of the training events (green) and of the B-INN (mean of its draws, blue) with its 68.3 % band. Middle: ratios to the true events. Bottom: deviations from the true events in per cent; grey is the statistical error of the true events, dotted lines are at 1 and 10 %."}, "image": {"alt": "Five columns with spectra: leading jet and muon mass for one jet, distances of jets for two and three, and the last of three jets. Below, ratios around one with a blue band and green steps, and deviations of up to a hundred per cent on a logarithmic axis."}} tags=["hide-input"]
COLUMNS_SHOWN = [
    (1, "pT(j1)", r"$p_T$ of the jet [GeV]", np.array([20, 24, 28, 33, 39, 46, 55, 67, 82, 105, 140, 200.0])),
    (1, "m_mumu", r"$m_{\mu\mu}$ [GeV]", np.array([70, 80, 84, 87, 88.5, 90, 91, 92, 93.5, 95, 98, 103, 110])),
    (2, "deltaR", r"$\Delta R(j_1,j_2)$", np.array([0.4, 0.7, 1.1, 1.5, 1.9, 2.3, 2.7, 3.1, 3.5, 4, 4.5, 5])),
    (3, "deltaR", r"$\Delta R(j_2,j_3)$", np.array([0.4, 0.7, 1.1, 1.5, 1.9, 2.3, 2.7, 3.1, 3.5, 4, 4.5, 5])),
    (3, "pT(last)", r"$p_T$ of the third jet [GeV]", np.array([20, 22, 24.5, 27.5, 31, 36, 43, 55, 80])),
]


def effective(weights):
    """Events of equal weight that weighted ones are worth."""
    return weights.sum() ** 2 / (weights**2).sum()


def shares_of(of_set, edges):
    """Probabilities of bins by each member of a training set, (members, bins), and what its events are worth."""
    table = np.array([np.histogram(x, edges, weights=w)[0] / w.sum() for x, w in of_set])
    return table, float(np.mean([effective(w) for _, w in of_set]))


figure, grid = plt.subplots(3, len(COLUMNS_SHOWN), figsize=(15, 7), sharex="col", height_ratios=[2, 1, 1])
data = {}
for (top, middle, bottom), (n, name, label, edges) in zip(grid.T, COLUMNS_SHOWN, strict=True):
    counts, trained = (np.histogram(observable(name, n)(x[n]), edges)[0] for x in (TRUE, SETS[0]))
    true, training = counts / len(TRUE[n]), trained / SIZES[n]
    table, worth_of = shares_of(values_of("smooth", n, name)[0], edges)
    low, high = AS_IT_IS.interval_of(table, n_gen=worth_of)
    mean, widths, seen = table.mean(axis=0), np.diff(edges), counts > 0
    data |= {f"{n} {name} edges": edges, f"{n} {name} true": true, f"{n} {name} training": training}
    data |= {f"{n} {name} model": mean, f"{n} {name} low": low, f"{n} {name} high": high}
    centres, error = (edges[1:] + edges[:-1]) / 2, np.sqrt(counts) / len(TRUE[n])

    def stepped(values):
        return np.append(values, values[-1])

    with np.errstate(divide="ignore", invalid="ignore"):
        for ax, scale in ((top, widths), (middle, np.where(seen, true, np.nan))):
            ax.stairs(training / scale, edges, baseline=None, color=plots.STAT, lw=1.1, label="training")
            ax.stairs(mean / scale, edges, baseline=None, color=plots.ESTIMATE, lw=1.3, label="model")
            band = [stepped(end / scale) for end in (low, high)]
            ax.fill_between(edges, *band, step="post", color=plots.ESTIMATE, alpha=0.3, lw=0, label="its 68.3 % band")
        top.errorbar(centres[seen], (true / widths)[seen], (error / widths)[seen], fmt="k.", ms=3, lw=0.8, label="true")
        middle.errorbar(centres[seen], np.ones(seen.sum()), (error / true)[seen], fmt="k.", ms=2, lw=0.8)
        bottom.fill_between(edges, 0.1, stepped(100 * error / true), step="post", color="0.88", lw=0)
        for values, color in ((training, plots.STAT), (mean, plots.ESTIMATE)):
            off = 100 * np.abs(values / true - 1)
            bottom.stairs(np.maximum(np.where(seen, off, np.nan), 0.1), edges, baseline=None, color=color, lw=1.2)
    middle.axhline(1, color=plots.TRUE, lw=0.5)
    middle.set(ylim=(0.5, 1.5))
    bottom.set(yscale="log", ylim=(0.3, 150), xlabel=label, xlim=(edges[0], edges[-1]))
    for percent in (1, 10):
        bottom.axhline(percent, color="0.6", lw=0.5, ls=":")
    bottom.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    if name != "deltaR":
        top.set(yscale="log")
    if name.startswith("pT"):
        bottom.set_xscale("log")
        ticks = [20, 30, 50, 100, 200] if name == "pT(j1)" else [20, 30, 50, 80]
        bottom.set_xticks(ticks, map(str, ticks))
        bottom.minorticks_off()
    top.set(title=f"{n} jet{'s' * (n > 1)}")
grid[0, 0].set_ylabel("density")
grid[1, 0].set_ylabel("ratio to truth")
grid[2, 0].set_ylabel("deviation [%]")
plots.shared_legend([grid[0, 0]])
page.figure(figure, "inn_spectra", data)

# %% tags=["hide-input"]
rows, better = [], []
for n in JETS:
    deviations, of_training = dict.fromkeys(("smooth", "jetgpt")), []
    for way in deviations:
        squares = []
        for m, name, _, edges in COLUMNS_SHOWN:
            # the bins of the figure, for all numbers of jets that have the observable
            if (
                m != (3 if name == "pT(last)" else 2 if name == "deltaR" else 1)
                or (function := observable(name, n)) is None
            ):
                continue
            true = np.histogram(function(TRUE[n]), edges)[0].astype(float)
            bulk = true > 0.02 * len(TRUE[n])
            share = true[bulk] / len(TRUE[n])
            if way == "smooth":
                of_training.append((1 - share) / (SIZES[n] * share))
            of_sets = []
            for of_set in values_of(way, n, name):
                table, worth_of = shares_of(of_set, edges)
                mean, counted = table.mean(axis=0)[bulk], worth_of * len(of_set)
                noise = mean * (1 - mean) / counted / share**2 + (mean / share) ** 2 / true[bulk]
                of_sets.append((mean / share - 1) ** 2 - noise)
            squares.append(np.array(of_sets))
        each = 100 * np.sqrt(np.maximum(np.concatenate(squares, axis=1).mean(axis=1), 0))
        deviations[way] = over_sets(each)
        page.record(f"precision_{way}_{n}", *deviations[way], 0.95, digits=2)
    training = 100 * np.sqrt(np.concatenate(of_training).mean())
    page.record(f"precision_training_{n}", training, digits=2)
    if deviations["smooth"][0] < training:
        better.append(str(n))
    each = gain("smooth", "jetgpt", n)
    value, ends = over_sets(each)
    page.record(f"gain_jetgpt_{n}", value, ends, 0.95, digits=2)
    words = [f"{interval(*one, 1)} %" for one in deviations.values()]
    rows.append([n, *words, f"{training:.0f} %", interval(value, ends)])
glue("z_jets_inn_better", ", ".join(better) or "none", display=False)
header = ["jets", "mean deviation of a bin, B-INN", "JetGPT", "training events", "log density, B-INN over JetGPT"]
markdown_table(header, rows)

# %% [markdown]
# {numref}`fig-inn-spectra` shows one training set. The table has the root mean square deviation of the mean of the draws, over the bins of the figure that hold more than 2 % of the events, in all observables that there are for so many jets. What finite samples add is subtracted. It is {glue:text}`z_jets_inn_precision_smooth_1` % ({glue:text}`z_jets_inn_precision_smooth_1_low` to {glue:text}`z_jets_inn_precision_smooth_1_high`) for one jet, {glue:text}`z_jets_inn_precision_smooth_2` % for two and {glue:text}`z_jets_inn_precision_smooth_3` % for three. Training events deviate by {glue:text}`z_jets_inn_precision_training_1`, {glue:text}`z_jets_inn_precision_training_2` and {glue:text}`z_jets_inn_precision_training_3` % for statistical reasons. The numbers of jets for which the generator deviates by less on average: {glue:text}`z_jets_inn_better`. A per cent in such a bin takes some $10^5$ training events or more, and networks that can follow them.
#
# The last column compares the B-INN with JetGPT in all numbers of an event at once: it is the mean log density of true events under the B-INN (mean density of its draws) less that under JetGPT (a single network, which holds back a sixth of the events). For three jets the difference is {glue:text}`z_jets_inn_gain_jetgpt_3` ({glue:text}`z_jets_inn_gain_jetgpt_3_low` to {glue:text}`z_jets_inn_gain_jetgpt_3_high`).

# %% mystnb={"figure": {"name": "fig-inn-worth", "caption": "What generated events are worth in true ones, $n_{\\rm equiv}$ from the Kolmogorov-Smirnov distance: one point for each training set, short lines are geometric means. Dotted: events with so many jets in a training set ($G=1$). Dashed: true events to compare with; larger values are set to this one."}, "image": {"alt": "Three panels for one to three jets, up to six observables each, three groups of points on a logarithmic axis."}} tags=["hide-input"]
SHORT = {
    "m_mumu": r"$m_{\mu\mu}$",
    "pT(j1)": "$p_{T,1}$",
    "tail": "$p_{T,1}$, tail",
    "pT(last)": "$p_{T,n}$",
    "deltaR": r"$\Delta R$",
    "near": r"$\Delta R<1.5$",
}
LINES = {"smooth": plots.ESTIMATE, "plain": plots.MODEL, "jetgpt": plots.OTHERS[1]}
figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), sharey=True, width_ratios=[1, 2, 2])
data = {}
for ax, n in zip(axes, JETS, strict=True):
    asked = [name for m, name in ASKED if m == n]
    for shift, (way, color) in zip((-0.25, 0, 0.25), LINES.items(), strict=True):
        for place, name in enumerate(asked):
            values = WORTH[way, n, name][1]
            x = place + shift + np.linspace(-0.06, 0.06, sets)
            ax.plot(x, values, "o", ms=3.5, color=color, label=TITLES[way])
            ax.hlines(np.exp(np.log(values).mean()), x[0] - 0.03, x[-1] + 0.03, color=color, lw=1)
            data[f"{n} {way} {name}"] = values
    ax.axhline(SIZES[n], color=plots.TRUE, ls=":", lw=1)
    ax.axhline(len(TRUE[n]), color="0.5", ls="--", lw=1)
    ax.set(yscale="log", title=f"{n} jet{'s' * (n > 1)}", xticks=range(len(asked)))
    ax.set_xticklabels([SHORT[name] for name in asked], fontsize=9)
axes[0].set_ylabel(r"$n_{\rm equiv}$")
plots.shared_legend(axes, columns=3)
page.figure(figure, "inn_worth", data)

# %% tags=["hide-input"]
rows = []
for n, way in product(JETS, TITLES):
    row = [n, TITLES[way]]
    for name in QUESTIONS:
        if (n, name) not in ASKED:
            row.append("")
            continue
        row.append(factor(f"G_{way}_{n}_{KEYS[name]}", np.log(WORTH[way, n, name][1] / SIZES[n])))
    every = np.mean([np.log(WORTH[way, n, name][1] / SIZES[n]) for m, name in ASKED if m == n], axis=0)
    rows.append([*row, factor(f"G_{way}_{n}", every)])
markdown_table(["jets", r"$G=n_{\rm equiv}/n_{\rm train}$", *(title for title, _ in QUESTIONS.values()), "mean"], rows)

# %% [markdown]
# In the geometric mean over these questions $G$ of the weighted B-INN is {glue:text}`z_jets_inn_G_smooth_1` ({glue:text}`z_jets_inn_G_smooth_1_low` to {glue:text}`z_jets_inn_G_smooth_1_high`) for one jet, {glue:text}`z_jets_inn_G_smooth_2` ({glue:text}`z_jets_inn_G_smooth_2_low` to {glue:text}`z_jets_inn_G_smooth_2_high`) for two and {glue:text}`z_jets_inn_G_smooth_3` ({glue:text}`z_jets_inn_G_smooth_3_low` to {glue:text}`z_jets_inn_G_smooth_3_high`) for three; that of JetGPT is {glue:text}`z_jets_inn_G_jetgpt_1`, {glue:text}`z_jets_inn_G_jetgpt_2` and {glue:text}`z_jets_inn_G_jetgpt_3`. The first network of the chain has learned from all {glue:text}`z_jets_inn_n_train` events, the third only from those with three jets.
#
# (sec-inn-band)=
# ## Does the band hold the holdout?
#
# The band is the interval {eq}`eq-whose-interval` of {ref}`sec-whose-interval`, which also says how coverage, width and deviation are defined. There the truth is exact; here it is the holdout, whose own statistical error is added to the interval in quadrature, and subtracted from the deviations. The questions are the probabilities of six intervals, about equally probable, of each observable: mass and transverse momentum of the muon pair and transverse momentum of the leading jet, for two and three jets also that of the last jet and the distance of the last two.

# %% tags=["hide-input"]
ASKED_OF_BANDS = {n: ["m_mumu", "pT(mumu)", "pT(j1)"] + ["pT(last)", "deltaR"] * (n > 1) for n in JETS}


def bins_of(n, name):
    """Six intervals that divide the true events of the training file equally, open at the ends."""
    cuts = np.quantile(observable(name, n)(true_events(n, "train", profile)), np.arange(1, 6) / 6)
    return np.concatenate([[-np.inf], cuts, [np.inf]])


BINS = {(n, name): bins_of(n, name) for n, names in ASKED_OF_BANDS.items() for name in names}
COUNTED = {place: np.histogram(observable(place[1], place[0])(TRUE[place[0]]), BINS[place])[0] for place in BINS}


def judged(n, values):
    """A posterior from the observables of its members' events with n jets, by name, see `values_of`."""
    names = ASKED_OF_BANDS[n]
    tables = [
        np.concatenate([shares_of(values[name][k], BINS[n, name])[0] for name in names], axis=1) for k in range(sets)
    ]
    counted = np.mean([effective(w) for of_set in values[names[0]] for _, w in of_set])
    exact = np.concatenate([COUNTED[n, name] / len(TRUE[n]) for name in names])
    return Judged(tables, exact, SIZES[n], counted, len(TRUE[n]))


def words(found):
    """Coverage, width, deviation and G_est / G_true of a posterior in words."""
    mean, error, _ = covered(found.held)
    over, ends = found.over
    return [
        f"{100 * mean:.0f} ± {100 * error:.0f}",
        rounded(found.width, 2),
        rounded(found.deviation, 2),
        f"{rounded(over, 2)} ({rounded(ends.low, 2)} to {rounded(ends.high, 2)})",
    ]


def keep(key, found):
    """Records what was found of a posterior."""
    mean, _, ends = covered(found.held)
    page.record(f"coverage_{key}", mean, ends, 0.95, digits=2)
    page.record(f"percent_{key}", 100 * mean, [100 * end for end in ends], 0.95, digits=2)
    page.record(f"width_{key}", found.width, digits=2)
    page.record(f"deviation_{key}", found.deviation, digits=2)
    page.record(f"over_{key}", *found.over, 0.683, digits=2)


BANDS, rows = {}, []
for n in JETS:
    BANDS[n] = judged(n, {name: values_of("smooth", n, name) for name in ASKED_OF_BANDS[n]})
    keep(f"{n}", BANDS[n])
    rows.append([n, *words(BANDS[n])])
held = np.concatenate([BANDS[n].held for n in JETS], axis=1)
mean, error, ends = covered(held)
page.record("coverage", mean, ends, 0.95, digits=2)
page.record("percent", 100 * mean, [100 * end for end in ends], 0.95, digits=2)
rows.append(["all", f"{100 * mean:.0f} ± {100 * error:.0f}", "", "", ""])
by_name = {}
for name in ("m_mumu", "pT(mumu)", "pT(j1)", "pT(last)", "deltaR"):
    parts = []
    for n in JETS:
        if name in ASKED_OF_BANDS[n]:
            first = 6 * ASKED_OF_BANDS[n].index(name)
            parts.append(BANDS[n].held[:, first : first + 6])
    by_name[name] = covered(np.concatenate(parts, axis=1))
    page.record(f"coverage_of_{KEYS.get(name, 'pT_Z')}", by_name[name][0], by_name[name][2], 0.95, digits=2)
header = ["coverage, %", "width", "deviation", r"$G_\mathrm{est}/G_\mathrm{true}$ (68 %)"]
markdown_table(["jets", *header], rows)

# %% [markdown]
# The 68.3 % band holds the holdout in {glue:text}`z_jets_inn_percent` % of the cases ({glue:text}`z_jets_inn_percent_low` to {glue:text}`z_jets_inn_percent_high` at 95 %). Width and deviation are in units of the error of as many true events as there are with this number of jets in a training set.
#
# (sec-inn-scan)=
# ## What the band is made of
#
# Three settings carry no information about events: in {eq}`eq-inn-loss` the factor $C$ and the width of the prior, and the log-variances at which the training starts. Each is varied by itself, for the first network and events with one jet. Nothing is chosen by the outcome.

# %% tags=["hide-input"]
KINDS = {"kl_weight": "$C={:g}$", "init_logvar": r"$\ln\sigma^2_0={:g}$", "prior": r"$\tau^2={:g}$"}
WORDS = {"kl_weight": "a factor C of", "init_logvar": "an initial log-variance of", "prior": "a prior of variance"}
SCAN, spoken = {"as above": BANDS[1]}, {"as above": "the settings of this page"}
for kind, value in map(tuple, scan):
    values = {name: [] for name in ASKED_OF_BANDS[1]}
    for k in range(sets):
        varied = Chain(ROWS[k], [link_of(0, OF_SET[k], k, WEIGHTS["smooth"][k], **{kind: value})])
        made = [varied.sample(m, 1, n_gen, seed) for m in range(members)]
        for name in values:
            values[name].append([(observable(name, 1)(x), w) for x, w in made])
    title = KINDS[kind].format(value)
    SCAN[title], spoken[title] = judged(1, values), f"{WORDS[kind]} {value:g}"
    keep(f"{kind}_{value:g}".replace("-", "m").replace(".", "p"), SCAN[title])
markdown_table(["one jet", *header], [[title, *words(found)] for title, found in SCAN.items()])

# %% mystnb={"figure": {"name": "fig-inn-scan", "caption": "Left: coverage of the 68.3 % band by observable, all numbers of jets together. Right: coverage against the width of the band for one jet: the settings of this page (star), and one of them changed at a time. Black lines: 68.3 %. Error bars are standard errors over training sets."}, "image": {"alt": "Left, five markers around the nominal line. Right, markers of each setting, from narrow bands to wide ones."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.2), width_ratios=[1, 1.4])
LABELS = SHORT | {"pT(mumu)": r"$p_{T,\mu\mu}$"}
data = {}
for row, (name, (mean, error, _)) in enumerate(reversed(by_name.items())):
    left.errorbar(mean, row, xerr=error, fmt="o", color=plots.ESTIMATE, capsize=2)
    data[name] = [mean, error]
left.set_yticks(range(len(by_name)), [LABELS[name] for name in reversed(by_name)])
left.axvline(0.683, color=plots.TRUE, lw=0.8)
left.set(xlim=(0, 1.05), ylim=(-0.6, len(by_name) - 0.4), xlabel="coverage")
for place, (title, found) in enumerate(SCAN.items()):
    mean, error, _ = covered(found.held)
    spread = np.sqrt(np.maximum(found.squares, 0)).std(ddof=1) / np.sqrt(sets)
    is_base = title == "as above"
    color = plots.TRUE if is_base else plots.OTHERS[(place - 1) // 2 % 4]
    style = {"marker": "*" if is_base else "os"[(place - 1) % 2], "ms": 12 if is_base else 6, "label": title}
    right.errorbar(found.width, mean, error, spread, ls="none", color=color, lw=0.9, **style)
    data[title] = [found.width, mean, error]
right.axhline(0.683, color=plots.TRUE, lw=0.8)
widths = [found.width for found in SCAN.values() if found.width > 0]
right.set(xscale="log", ylim=(0, 1.05), xlim=(min(widths) / 1.6, 2.2 * max(widths)))
right.set(xlabel=r"width $\sigma_{\rm model}$ / error of $n_{\rm train}$ true events", ylabel="coverage")
ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10) if right.get_xlim()[0] < tick < right.get_xlim()[1]]
right.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
right.xaxis.set_minor_formatter(ticker.NullFormatter())
right.legend(loc="lower right", fontsize=9, ncols=2)
page.figure(figure, "inn_scan", data)

# %% tags=["hide-input"]
wide, narrow = (max(SCAN, key=lambda title, s=sign: s * SCAN[title].width) for sign in (1, -1))
for name, title in (("wide", wide), ("narrow", narrow)):
    glue(f"z_jets_inn_{name}", spoken[title], display=False)
logs = np.log(np.maximum(SCAN[wide].squares, 1e-9) / np.maximum(SCAN[narrow].squares, 1e-9))
factor("range", logs)
coverages = [100 * found.held.mean() for found in SCAN.values()]
IN_WORDS = {
    "m_mumu": "the mass of the muon pair",
    "pT(mumu)": "the transverse momentum of the muon pair",
    "pT(j1)": "the transverse momentum of the leading jet",
    "pT(last)": "the transverse momentum of the last jet",
    "deltaR": "the distance of the last two jets",
}
extremes = [min(by_name, key=lambda name, s=sign: s * by_name[name][0]) for sign in (1, -1)]
for name, what in zip(extremes, ("worst", "best"), strict=True):
    glue(f"z_jets_inn_{what}", IN_WORDS[name], display=False)
    page.record(f"percent_{what}", 100 * by_name[name][0], [100 * end for end in by_name[name][2]], 0.95, digits=2)
page.record("least", min(coverages), digits=2)
page.record("most", max(coverages), digits=2)

# %% [markdown]
# *By observable.* Coverage is {glue:text}`z_jets_inn_percent_worst` % ({glue:text}`z_jets_inn_percent_worst_low` to {glue:text}`z_jets_inn_percent_worst_high`) for {glue:text}`z_jets_inn_worst`, and {glue:text}`z_jets_inn_percent_best` % ({glue:text}`z_jets_inn_percent_best_low` to {glue:text}`z_jets_inn_percent_best_high`) for {glue:text}`z_jets_inn_best`. The networks generate $m_{\mu\mu}$ and the $p_T$ of jets as numbers of their own; the transverse momentum of the muon pair and the distances of jets depend on several of them. What all draws of a posterior have in common, such as a relation that the network cannot express or has not learned, is not in their scatter.
#
# *By settings.* Between the settings the coverage goes from {glue:text}`z_jets_inn_least` to {glue:text}`z_jets_inn_most` %, and the variance of the draws, to which $G_{\rm est}$ is inversely proportional, changes by a factor {glue:text}`z_jets_inn_range` ({glue:text}`z_jets_inn_range_low` to {glue:text}`z_jets_inn_range_high`) between the widest, {glue:text}`z_jets_inn_wide`, and the narrowest, {glue:text}`z_jets_inn_narrow`. The log-variances of the weights have {glue:text}`z_jets_inn_steps` steps to find their way from where they start. So the error bar is related to the training in more ways than is meant. {ref}`Calibration without truth <sec-whose-interval-calibrated>` measures what the chosen settings make of it.

# %% tags=["nbval-check-output", "hide-input"]
again = [ROWS[0].events(OF_SET[0][n], page.rng(0)) for n in JETS]
print(
    "rows are events and back:",
    all(np.allclose(x[..., [0, 2]], SETS[0][n][..., [0, 2]], rtol=1e-6) for n, x in zip(JETS, again, strict=True)),
)
print(
    "all generated events are finite:", all(np.isfinite(x).all() for f in FOUND.values() for s in f.made for x, _ in s)
)
print("no generated pair has a weight above 6.5:", max(w.max() for s in FOUND["smooth", 2].made for _, w in s) <= 6.5)
first = training_data(0, OF_SET[0], WEIGHTS["smooth"][0])
print(
    "weights have a mean of one for each number of jets:",
    all(np.isclose(first.weights[first.condition[:, n - 1] == 1].mean(), 1) for n in JETS),
)
events = np.concatenate([padded(one[n], 3) for one in SETS for n in JETS])
print("no event is in two training sets:", len(np.unique(events, axis=0)) == len(events))

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-inn-chain
# Show that a chain of two networks that are both trained with the weight $f(c, y)$ of the whole event describes $f(c,y)\,p(c,y)$ up to a constant.
# ```
#
# ````{solution} ex-inn-chain
# :class: dropdown
# The first network maximises $\langle f(c,y)\log p_1(c)\rangle$, which is largest for $p_1(c)\propto p(c)\int f(c,y)\,p(y|c)\,dy = p(c)\,\bar f(c)$; the second $\langle f\log p_2(y|c)\rangle$, for each $c$ largest for $p_2(y|c)=f(c,y)\,p(y|c)/\bar f(c)$. The product is $f\,p$ over the mean of $f$.
# ````
#
# ```{exercise}
# :label: ex-inn-effective
# Why is $1/(\langle F\rangle\langle 1/F\rangle)$, with means over true events, the share of events of equal weight that generated events with the weights $1/F$ are worth?
# ```
#
# ````{solution} ex-inn-effective
# :class: dropdown
# They are generated with the density $q=F\,p/\langle F\rangle$. The mean of the weights is $\int q/F=1/\langle F\rangle$, that of their squares $\int q/F^2=\langle1/F\rangle/\langle F\rangle$, and $n_{\rm eff}/n$ is the square of the first over the second.
# ````
#
# ```{exercise}
# :label: ex-inn-prior
# The divergence of $\mathcal{N}(\mu,\sigma^2)$ from the prior $\mathcal{N}(0,\tau^2)$ is $\frac12\big[(\sigma^2+\mu^2)/\tau^2-1-\ln(\sigma^2/\tau^2)\big]$ for each weight. Which $\sigma$ does a weight get on which the likelihood does not depend, and how does the answer depend on $C$? And if the likelihood has the curvature $h$ per event, $-\log p\approx\frac h2(\theta-\mu)^2$?
# ```
#
# ````{solution} ex-inn-prior
# :class: dropdown
# Without a likelihood the divergence is smallest for $\sigma=\tau$, whatever $C$ is, if the training takes long enough to get there from the initial variance. With the curvature, $\frac h2\sigma^2+\frac C{\ntrain}\big[\frac{\sigma^2}{2\tau^2}-\ln\sigma\big]$ is smallest for $\sigma^2=C/(\ntrain h+C/\tau^2)$: where events say more than the prior, the variance is proportional to $C$ and knows nothing of $\tau$.
# ````
