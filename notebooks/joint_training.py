# %% [markdown]
# (sec-joint)=
# # Training with a classifier
#
# A classifier can do more than find faults ({ref}`sec-control`) or reweight events afterwards: its weights $w=p_{\rm true}/p_{\rm gen}$ can go into the loss of the generator, so that generated events need none. The talk *Controlled Precision Generators* {cite}`plehn_controlled` couples the two by
#
# $$ \mathcal{L} = -\int dx\, \frac{p_{\rm data}^{\alpha+1}(x)}{p_{\rm model}^{\alpha}(x)}\, \log\frac{p_{\rm model}(x)}{p_{\rm data}(x)} \;\to\; -\big\langle w^\alpha \log p_{\rm model}\big\rangle_{\rm data} . $$
#
# Does that make a generator better, and does it amplify more? The events are those of the {ref}`leading-order process <sec-leading-order>`, where the true weights are known.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import ticker
from myst_nb import glue
from scipy import stats

from gampl import averaging, differential, plots
from gampl.generators.settings import Architecture
from gampl.kolmogorov import MEAN
from gampl.particles.event_classifier import event_classifier
from gampl.particles.jet_sequences import MUON_MASS
from gampl.processes import ZJets
from gampl.processes.gaussians import GaussianLine
from gampl.ratio import auc, exact_log_ratio, held_out
from gampl.regions import Intervals
from gampl.training import Data, Fit, Joint, LeadingOrder, Ring, Training, joint_rounds, train_members
from gampl_book import coverage, event_ensembles, jet_ensembles, jet_studies
from gampl_book.pages import Page, markdown_table, rounded, with_interval
from gampl_book.scaling import geometric_mean

page = Page("joint_training", profile, seed)
of_jets = page.settings["jets"]
n_stiff, n_flexible, members, sets, steps, round_steps, rounds, n_seen, n_gen, n_ratio, n_truth = (
    size for name, size in page.settings.items() if name != "jets"
)
process = event_ensembles.leading_order_process(LeadingOrder())
sizes = {
    "n_stiff": n_stiff,
    "n_flexible": n_flexible,
    "members": members,
    "sets": sets,
    "rounds": rounds,
    "n_gen": n_gen,
}
for name, value in sizes.items():
    page.record(name, value)

# %% [markdown]
# (sec-joint-minimum)=
# ## Where the loss has its minimum
#
# It depends on what the weight does while the generator moves. If it is *frozen*, the one that the classifier found for the generator at the start, the loss is the cross-entropy with $p_{\rm data}^{1+\alpha}/p_{\rm start}^\alpha$, and this is where it has its minimum. A generator that follows from round to round multiplies its error in $\log p$ by $-\alpha$ each time: for $\alpha=1$ it overshoots by as much as it was off. If the weight is *corrected* as the generator moves, $w\,p_{\rm start}/p_{\rm model}$, which a generator with a likelihood can compute in each step, the minimum is $p_{\rm data}$, whatever $\alpha$ is.
#
# {numref}`fig-joint-minimum` shows both with exact weights: a mixture of three Gaussians has learned one of width 1.4 and is trained again on events of one of width 1.

# %% mystnb={"figure": {"name": "fig-joint-minimum", "caption": "A mixture that has learned the wider Gaussian (grey) is trained on events of the narrower one (black) with exact weights, $\\alpha=1$. Histograms: its events after training with frozen and with corrected weights. Dashed: $p_{\\rm data}^2/p_{\\rm start}$."}, "image": {"alt": "Curves of the two Gaussians and of the minimum for frozen weights on a line, with a histogram each for frozen and for corrected weights."}} tags=["hide-input"]
WIDE, TRUE = GaussianLine(width=1.4), GaussianLine()
N_LINE, STEPS_LINE = (20_000, 300) if profile != "smoke" else (2_000, 20)
rng = page.rng(0)
line = Training(
    Ring(1),
    N_LINE,
    Architecture("autoregressive", blocks=1, heads=1, width=8, components=3),
    "same_split",
    members=1,
    seed=seed,
    fit=Fit(STEPS_LINE, 500, 1e-2, warmup=STEPS_LINE // 10, validate_every=STEPS_LINE),
)
(start,) = train_members(line, WIDE.sample(N_LINE, rng))
events = TRUE.sample(N_LINE, rng)
log_ratio = exact_log_ratio(TRUE.log_prob, start.log_prob)(events)
common = {"events": events, "start": start.generator.state_dict()}
(frozen,) = train_members(line, Data(weights=np.exp(log_ratio), **common))
(corrected,) = train_members(replace(line, alpha=1.0, clamp=1.0), Data(log_ratio=log_ratio, **common))
aim = GaussianLine(width=(2 - WIDE.width**-2) ** -0.5)
for one in (start, frozen, corrected):
    page.count_training(one.history.seconds, one.history.device)

figure, ax = plt.subplots(figsize=(6.4, 3.8))
x, bins = np.linspace(-4, 4, 401), np.linspace(-4, 4, 65)
for density, style in (
    (WIDE, {"color": "0.6"}),
    (TRUE, {"color": plots.TRUE}),
    (aim, {"color": plots.MODEL, "ls": "--"}),
):
    ax.plot(x, np.exp(density.log_prob(x[:, None])), lw=1.2, **style)
data = {"left": bins[:-1]}
for name, one, color in (("frozen", frozen, plots.MODEL), ("corrected", corrected, plots.ESTIMATE)):
    made = one.sample(50_000, seed)[:, 0]
    data[name], _ = np.histogram(made, bins, density=True)
    ax.stairs(data[name], bins, color=color, label=f"{name} weights")
    page.record(f"line_{name}", made.std(), digits=3)
page.record("line_aim", aim.width)
ax.set(xlabel="$x$", ylabel="density", xlim=(-4, 4))
ax.legend()
page.figure(figure, "joint_minimum", data)

# %% [markdown]
# With frozen weights the width becomes {glue:text}`joint_training_line_frozen`, where {glue:text}`joint_training_line_aim` is the minimum; with corrected ones it becomes {glue:text}`joint_training_line_corrected`, and the truth is the unit Gaussian.
#
# (sec-joint-rounds)=
# ## Rounds of generator and classifier
#
# `gampl.training.joint_rounds` trains the members of an ensemble, then a classifier of training events against generated ones, then each member again from where it was, with weights that are clamped at their 99 % quantile, and so on. The classifier is logistic regression on radial functions, the events are weighed in turn by classifiers that have not seen them (cross-fitted, for each member its own). Two generators start: a *stiff* spline flow with few parameters and {glue:text}`joint_training_n_stiff` training events, which cannot describe all that the events show, and a *flexible* one with {glue:text}`joint_training_n_flexible`, which has enough parameters to learn their fluctuations. Each is trained on {glue:text}`joint_training_sets` training sets, with {glue:text}`joint_training_members` members and {glue:text}`joint_training_rounds` rounds, in five ways:
#
# - *no weights* ($\alpha=0$): training goes on for as many steps. A round also means more training, so this is what joint training has to be compared with;
# - *$\alpha=1/2$* and *$\alpha=1$*, corrected weights;
# - *frozen*: $\alpha=1$ with frozen weights;
# - *shared*: $\alpha=1$, corrected, with one classifier for all members that has seen the very events that it weighs.
#
# The same function takes spline flows and autoregressive transformers on rings, tables and LHC events, with members of every kind but Bayesian and repulsive ones. Flow matching has no density at hand while it is trained, and is refused.

# %% tags=["hide-input"]
SMALL = Architecture("spline", blocks=1, heads=1, width=8, components=3)
LARGE = Architecture("spline", blocks=2, heads=1, width=32, components=8)
GENERATORS = {"stiff": (SMALL, n_stiff), "flexible": (LARGE, n_flexible)}
again = Fit(round_steps, 256, 1e-3, warmup=round_steps // 10, ema=0.99)
ONE = Joint(rounds, 1.0, folds=3, n_gen=n_seen, fit=again)
WAYS = {
    "none": ("no weights", replace(ONE, alpha=0.0), "0.5"),
    "half": (r"$\alpha=1/2$", replace(ONE, alpha=0.5), plots.STAT),
    "one": (r"$\alpha=1$", ONE, plots.ESTIMATE),
    "frozen": ("frozen", replace(ONE, is_corrected=False), plots.MODEL),
    "shared": ("shared", replace(ONE, folds=1, is_shared=True), plots.OTHERS[0]),
}
truth_sample = process.sample(n_truth, page.rng(1))
VALUES = {name: np.sort(observable(truth_sample)) for name, observable in process.observables.items()}
NAMES = dict(zip(VALUES, ("$m$", "$Y$", r"$\cos\theta^*$", r"$\phi$", "$p_T$"), strict=True))
REGIONS = {name: Intervals.quantiles(truth_sample, 12, process.observables[name])[1:-1] for name in ("m_tt", "pT_top")}
EXACT = {name: process.integrals(regions) for name, regions in REGIONS.items()}


def share_below(name):
    """The distribution function of an observable in the truth sample; K-S distances to it are those of two samples."""
    return lambda x: np.searchsorted(VALUES[name], x, "right") / n_truth


def measure(ensemble, n_train):
    """What the page says of an ensemble after a round."""
    made = [one.sample(n_gen, seed) for one in ensemble.members]
    log_w = [
        exact_log_ratio(process.log_prob, one.log_prob)(x[:n_ratio])
        for one, x in zip(ensemble.members, made, strict=True)
    ]
    log_w = np.clip(np.nan_to_num(log_w, nan=-np.inf), -30, 30)  # lost events are not true
    low, high = np.quantile(log_w, [0.1585, 0.8415])
    found = {"log_w": log_w, "width": (high - low) / 2, "most": n_gen * len(made) / n_train}
    found["LR"] = (MEAN / np.mean(1 - np.exp(np.minimum(log_w, 0)))) ** 2 / n_train
    for name, regions in REGIONS.items():
        found[name] = averaging.from_samples(made, regions, n_train, truth=EXACT[name])
    for name, observable in process.observables.items():
        found["distance", name] = np.mean([stats.ks_1samp(observable(x), share_below(name)).statistic for x in made])
    return found


found = {}  # by generator, way, training set, round
for (generator, (size, n_train)), k in product(GENERATORS.items(), range(sets)):
    events = process.sample(n_train, page.rng(10 + k))
    validate = max(1, steps // 10)
    fit = Fit(steps, 256, 3e-3, warmup=steps // 5, validate_every=validate, ema=0.998)
    training = Training(LeadingOrder(), n_train, size, members=members, seed=1000 * seed + k, fit=fit)
    for way, (_, joint, _) in WAYS.items():
        ensembles = joint_rounds(training, events, joint, parallel=members, label=f"joint/{generator}/{k}/{way}")
        for r, ensemble in enumerate(ensembles):
            known = found.get((generator, "none", k, 0)) if r == 0 else None  # all ways begin alike
            found[generator, way, k, r] = known or measure(ensemble, n_train)
            if known is None:
                page.count_training(ensemble.history.seconds, ensemble.history.device)
print("members left out:", sum(members - len(f["log_w"]) for f in found.values()))


def of(generator, way, r, what):
    """One number of each training set after a round."""
    each = [found[generator, way, k, r] for k in range(sets)]
    return np.array([what(one) for one in each])


# %% [markdown]
# ## Do the weights become narrower?
#
# {numref}`fig-joint-weights` shows the *true* weights of generated events. A perfect generator has them all at one. Their spread is half the width of what 68.3 % of the values of $\ln w$ lie in.

# %% mystnb={"figure": {"name": "fig-joint-weights", "caption": "True weights $p_{\\rm true}/p_{\\rm gen}$ of generated events before (filled) and after all rounds in three of the five ways; all members and training sets. Weights beyond the axis, and those of lost events, which are zero, are not shown."}, "image": {"alt": "Two panels, stiff and flexible generator, with logarithmic axes: histograms of weights around one, before and after training with no, corrected and frozen weights."}} tags=["hide-input"]
bins, data = np.geomspace(0.1, 10, 61), {"left": np.geomspace(0.1, 10, 61)[:-1]}
figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.9), sharey=True)
for ax, generator in zip(axes, GENERATORS, strict=True):
    for way, r, label, style in (
        ("none", 0, "before", {"color": "0.85", "fill": True}),
        *((way, rounds, WAYS[way][0], {"color": WAYS[way][2], "lw": 1.3}) for way in ("none", "one", "frozen")),
    ):
        w = np.exp(np.concatenate([found[generator, way, k, r]["log_w"].ravel() for k in range(sets)]))
        data[f"{generator} {label}"] = counts = np.histogram(w, bins)[0] / w.size
        ax.stairs(counts, bins, label=label, **style)
    ax.set(xscale="log", yscale="log", xlabel=r"$w=p_{\rm true}/p_{\rm gen}$", title=f"{generator} generator")
    ax.axvline(1, color=plots.TRUE, lw=0.8)
axes[0].set_ylabel("share of events")
plots.shared_legend(axes, columns=4)
page.figure(figure, "joint_weights", data)

# %% tags=["hide-input"]
SPREAD = lambda f: f["width"]  # noqa: E731
G_TRUE = {
    name: (lambda f, name=name: f[name] if name == "LR" else min(f[name].G_true, f["most"]))
    for name in ("LR", *REGIONS)
}


def by_round(generator, way, what):
    """Geometric mean of a number over the training sets, before and after each round."""
    return [geometric_mean(of(generator, way, r, what)) for r in range(rounds + 1)]


header, rows = ["generator", "way", "before", *(f"round {r + 1}" for r in range(rounds))], []
for generator, (way, (title, *_)) in product(GENERATORS, WAYS.items()):
    means = by_round(generator, way, SPREAD)
    before, after, control = (of(generator, *what, SPREAD) for what in (("none", 0), (way, rounds), ("none", rounds)))
    narrower, beyond = geometric_mean(after / before), geometric_mean(after / control)
    page.record(f"narrower_{generator}_{way}", *narrower, 0.95)
    if way != "none":
        page.record(f"beyond_{generator}_{way}", *beyond, 0.95)
    for r, mean in enumerate(means):
        page.record(f"spread_{generator}_{way}_{r}", *mean, 0.95)
    factors = [with_interval(*narrower), with_interval(*beyond) if way != "none" else "1"]
    rows.append([generator, title, *(with_interval(*mean) for mean in means), *factors])
page.record("spread_stiff", *by_round("stiff", "one", SPREAD)[-1], 0.95, digits=2)
markdown_table([*header, "after / before", "after / no weights"], rows)

# %% [markdown]
# The table has geometric means of the spread over the {glue:text}`joint_training_sets` training sets, with 95 % intervals. For the stiff generator the spread after all rounds with $\alpha=1$ is {glue:text}`joint_training_narrower_stiff_one` times that before ({glue:text}`joint_training_narrower_stiff_one_low` to {glue:text}`joint_training_narrower_stiff_one_high`); but without weights it is {glue:text}`joint_training_narrower_stiff_none` times ({glue:text}`joint_training_narrower_stiff_none_low` to {glue:text}`joint_training_narrower_stiff_none_high`), so that the weights as such account for a factor {glue:text}`joint_training_beyond_stiff_one` ({glue:text}`joint_training_beyond_stiff_one_low` to {glue:text}`joint_training_beyond_stiff_one_high`). For the flexible one, which has few events for its parameters, the factors are {glue:text}`joint_training_narrower_flexible_one` ({glue:text}`joint_training_narrower_flexible_one_low` to {glue:text}`joint_training_narrower_flexible_one_high`) with weights and {glue:text}`joint_training_narrower_flexible_none` ({glue:text}`joint_training_narrower_flexible_none_low` to {glue:text}`joint_training_narrower_flexible_none_high`) without; above one, training on has made it worse. The weights as such account for {glue:text}`joint_training_beyond_flexible_one` ({glue:text}`joint_training_beyond_flexible_one_low` to {glue:text}`joint_training_beyond_flexible_one_high`).
#
# The talk wants *unweighted, controlled events* of per-cent precision. Here the spread of the weights ends at {glue:text}`joint_training_spread_stiff` ({glue:text}`joint_training_spread_stiff_low` to {glue:text}`joint_training_spread_stiff_high`). A few thousand events do not show differences of a per cent, and neither can the classifier see them: that takes some $3\times10^5$ events and larger networks, on a GPU.
#
# ## What it does to amplification

# %% mystnb={"figure": {"name": "fig-joint-amplification", "caption": "Spread of the true weights and amplification against rounds: differential, from the exact likelihood ratio, and averaging in regions of mass and transverse momentum. Lines: geometric mean over the training sets, of the true $G$; thin lines: each training set; open markers: median of the estimates. No averaging $G$ counts as more than the number of generated events over $n_{\\rm train}$."}, "image": {"alt": "Two rows, for stiff and flexible generator, of four panels, the spread of the weights and G in the likelihood ratio, the mass and the transverse momentum, against the number of rounds for five ways of training."}} tags=["hide-input"]
QUESTIONS = {"LR": "$G$, LR$_{truth}$", "m_tt": "$G$, regions of $m$", "pT_top": "$G$, regions of $p_T$"}
PANELS = {"spread": (r"spread of $\ln w$", SPREAD)} | {q: (title, G_TRUE[q]) for q, title in QUESTIONS.items()}
figure, axes = plt.subplots(2, len(PANELS), figsize=(13.5, 6.4), sharex=True)
data = {}
for ax, (generator, panel) in zip(axes.ravel(), product(GENERATORS, PANELS), strict=True):
    title, what = PANELS[panel]
    for shift, (way, (label, _, color)) in enumerate(WAYS.items()):
        at = np.arange(rounds + 1) + 0.04 * (shift - 2)
        sets_of_way = np.array([of(generator, way, r, what) for r in range(rounds + 1)])
        means = [mean.value for mean in by_round(generator, way, what)]
        ax.plot(at, sets_of_way, color=color, lw=0.5, alpha=0.5)
        ax.plot(at, means, color=color, marker=".", label=label)
        data[f"{generator} {panel} {way} true"] = means
        for k, values in enumerate(sets_of_way.T):
            data[f"{generator} {panel} {way} set {k + 1}"] = values
        if panel in REGIONS:
            estimates = [
                np.median(of(generator, way, r, lambda f, q=panel: min(f[q].G, f["most"]))) for r in range(rounds + 1)
            ]
            ax.plot(at, estimates, color=color, marker="o", mfc="none", ls="none")
            data[f"{generator} {panel} {way} estimated"] = estimates
    ax.set(title=f"{generator}: {title}", xticks=range(rounds + 1))
    if panel != "spread":
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        ax.yaxis.set_minor_formatter(ticker.NullFormatter())
        ax.axhline(1, color=plots.TRUE, lw=0.6)
    if generator == list(GENERATORS)[-1]:
        ax.set_xlabel("rounds")
plots.shared_legend(axes.ravel(), columns=5)
page.figure(figure, "joint_amplification", data)

# %% tags=["hide-input"]
rows = []
for generator, (way, (title, *_)) in product(GENERATORS, WAYS.items()):
    means = by_round(generator, way, G_TRUE["LR"])
    for r, mean in enumerate(means):
        page.record(f"G_LR_{generator}_{way}_{r}", *mean, 0.95)
    rows.append([generator, title, *(with_interval(*mean) for mean in means)])
markdown_table([*header[:2], *(f"$G$ of LR, {name}" for name in header[2:])], rows)

# %% tags=["hide-input"]
rows, holds = [], dict.fromkeys(WAYS, 0)
for generator, (way, (title, *_)) in product(GENERATORS, WAYS.items()):
    rows.append([generator, title])
    for question in QUESTIONS:
        after, before, control = (
            of(generator, *what, G_TRUE[question]) for what in ((way, rounds), (way, 0), ("none", rounds))
        )
        gain, beyond = geometric_mean(after / before), geometric_mean(after / control)
        page.record(f"G_{question}_{generator}_{way}", *gain, 0.95, digits=2)
        rows[-1].append(f"{rounded(geometric_mean(after).value, 2)}; {with_interval(*gain)}")
        if way != "none":
            page.record(f"G_beyond_{question}_{generator}_{way}", *beyond, 0.95, digits=2)
    for question in ("m_tt", "pT_top"):
        last = [found[generator, way, k, rounds][question] for k in range(sets)]
        holds[way] += sum(one.interval.low <= one.G_true <= one.interval.high for one in last)
for way, number in holds.items():
    page.record(f"holds_{way}", number)
page.record("results", results := 2 * sets * len(GENERATORS))
markdown_table(["generator", "way", *(f"{title}; after / before" for title in QUESTIONS.values())], rows)

# %% [markdown]
# The second table has the true $G$ after all rounds and its quotient with the $G$ before, with 95 % intervals over the training sets. In the likelihood ratio the corrected weights change $G$ of the stiff generator by a factor {glue:text}`joint_training_G_LR_stiff_one` ({glue:text}`joint_training_G_LR_stiff_one_low` to {glue:text}`joint_training_G_LR_stiff_one_high`) and training without weights by {glue:text}`joint_training_G_LR_stiff_none` ({glue:text}`joint_training_G_LR_stiff_none_low` to {glue:text}`joint_training_G_LR_stiff_none_high`); for the flexible one the factors are {glue:text}`joint_training_G_LR_flexible_one` and {glue:text}`joint_training_G_LR_flexible_none`. What the weights do beyond training on is, set by set, a factor {glue:text}`joint_training_G_beyond_LR_stiff_one` ({glue:text}`joint_training_G_beyond_LR_stiff_one_low` to {glue:text}`joint_training_G_beyond_LR_stiff_one_high`) for the stiff and {glue:text}`joint_training_G_beyond_LR_flexible_one` ({glue:text}`joint_training_G_beyond_LR_flexible_one_low` to {glue:text}`joint_training_G_beyond_LR_flexible_one_high`) for the flexible one. An interval that holds one says that {glue:text}`joint_training_sets` training sets do not show a difference.
#
# Are the estimates still honest? Of the {glue:text}`joint_training_results` averaging intervals after the last round (68.3 %) {glue:text}`joint_training_holds_none` hold the truth without weights, {glue:text}`joint_training_holds_one` with $\alpha=1$, {glue:text}`joint_training_holds_frozen` with frozen weights and {glue:text}`joint_training_holds_shared` with the shared classifier.
#
# (sec-joint-worst)=
# ## The worst observables
#
# Distance of each observable to the truth before, and its factor after all rounds, without weights and with $\alpha=1$, mean over members and training sets:

# %% tags=["hide-input"]
rows = []
for generator in GENERATORS:
    distances = {o: of(generator, "none", 0, lambda f, o=o: f["distance", o]) for o in NAMES}
    for o in sorted(NAMES, key=lambda o: -distances[o].mean()):
        factors = [
            geometric_mean(of(generator, way, rounds, lambda f, o=o: f["distance", o]) / distances[o])
            for way in ("none", "one")
        ]
        rows.append(
            [
                generator,
                NAMES[o],
                f"{distances[o].mean():.4f}",
                *(with_interval(*factor) for factor in factors),
            ]
        )
markdown_table(["generator", "observable", "distance before", "no weights", r"$\alpha=1$"], rows)

# %% [markdown]
# (sec-joint-jets)=
# ## Events with any number of jets
#
# Nothing in the loop is made for a fixed number of particles. {ref}`JetGPT <sec-jetgpt>` makes {ref}`Z bosons <sec-z-jets>` with one to four jets from the number of jets, the condition, and knows their density. Its loss weighs the events so that all numbers of jets count alike; in a round this weight is multiplied by that of the classifier. The classifier is the one for LHC events ({ref}`sec-control`), boosted trees on features of all muons and jets and of sums of them, rows of zeros where there are fewer jets. It sees the training events, cross-fitted, and as many generated ones with the same numbers of jets: then its ratio is that of the densities for a given number of jets, which is what the weighted loss wants.
#
# We start from that page's {glue:text}`joint_training_jets_sets` networks that generate directions first and have mixtures, each trained on {glue:text}`joint_training_jets_n_train` events that no other one has seen. They are trained on in {glue:text}`joint_training_jets_rounds` rounds of {glue:text}`joint_training_jets_steps` steps, without weights and with $\alpha=1$. The true density is not known here. So the weights, their spread, and the area under the curve (AUC) are those of a further classifier, of {glue:text}`joint_training_jets_n_tested` generated events and as many true ones that are held back. Log densities are means over such events, too, and $n_{\rm equiv}$ is from the Kolmogorov-Smirnov distance to them, geometric mean of three observables: $p_T$ of the last jet, $m_{\mu\mu}$, and $\Delta R$ of the last two jets.

# %% tags=["hide-input"]
start = jet_studies.ensembles(profile, seed)["jetgpt/directions"]
jet_sets, N_JETS = start.members, (2, 4)
fit = Fit(of_jets["steps"], start.fit.batch_size, 1e-3, warmup=max(1, of_jets["steps"] // 10), ema=0.99)
JET_LOOP = Joint(of_jets["rounds"], 1.0, folds=3, n_gen=start.n_events, fit=fit)
JET_WAYS = {"none": replace(JET_LOOP, alpha=0.0), "one": JET_LOOP}
JET_OBSERVABLES = {n: (f"pT(j{n})", "m_mumu", f"deltaR(j{n - 1},j{n})") for n in N_JETS}
for name, value in {"sets": jet_sets, "n_train": start.n_events, **of_jets}.items():
    page.record(f"jets_{name}", value)


def held_back(n):
    """True events with n jets that no network has seen, in random order."""
    events = page.rng(50 + n).permutation(jet_ensembles.true_events(n, "holdout", profile))
    events[:, :2, 3] = MUON_MASS
    return events


HELD_BACK = {n: held_back(n) for n in N_JETS}


@np.errstate(divide="ignore")
def measure_jets(one, n):
    """What the table says of one network, of its events with n jets."""
    true, of_process = HELD_BACK[n], ZJets(n_jets=n)
    made = one.sample(of_jets["n_gen"], seed, condition=[n])[:, : 2 + n]
    made[:, :2, 3] = MUON_MASS  # without round-off, which would tell them from true ones
    names, tested = of_process.particles, of_jets["n_tested"]
    classifier = event_classifier(SimpleNamespace(particles=names, composites={"mumu": names[:2], "event": names}))
    ratio = held_out(true[:tested], made[:tested], seed + one.number, make_classifier=classifier)
    low, high = np.quantile(ratio.generated, [0.1585, 0.8415])
    found = {"spread": (high - low) / 2, "auc": auc(ratio.reference, ratio.generated)[0]}
    found["log_p"] = one.log_prob(jet_ensembles.padded(true[:tested], start.process.max_jets), condition=[n])
    n_equiv = []
    for name in JET_OBSERVABLES[n]:
        function = of_process.observable(name)
        result = differential.from_samples([function(made)], function(true), start.n_events)
        n_equiv.append(min(result.n_equiv, len(true)))  # more is not known
        found["distance"] = result.curve.mean[-1]  # the last one stays, that of Delta R
    return found | {"n_equiv": float(np.exp(np.mean(np.log(n_equiv))))}


own = lambda k: jet_ensembles.training_data("jetgpt/directions", profile, seed, k)  # noqa: E731
JETS = {}  # by way, number of jets and member
for way, loop in JET_WAYS.items():
    ensembles = list(joint_rounds(start, own, loop, parallel=jet_sets, label=f"joint/jets/{way}"))
    for r in (0, -1) if way == "none" else (-1,):
        page.count_training(ensembles[r].history.seconds, ensembles[r].history.device)
        for one, n in product(ensembles[r].members, N_JETS):
            JETS["before" if r == 0 else way, n, one.number] = measure_jets(one, n)


def jets_of(way, n, what):
    """One number of each training set."""
    return np.array([JETS[way, n, k][what] for k in range(jet_sets)])


def gain(n, way, other):
    """Mean difference of the log densities of held-back events of each training set."""
    first, second = (np.array([JETS[w, n, k]["log_p"] for k in range(jet_sets)]) for w in (way, other))
    usable = (np.isfinite(first) & np.isfinite(second)).all(axis=0)
    return (first[:, usable] - second[:, usable]).mean(axis=1)


# %% mystnb={"figure": {"name": "fig-joint-jets", "caption": "JetGPT before and after the rounds, without weights and with $\\alpha=1$, for two and four jets: spread of $\\ln w$ of generated events, AUC, $n_{\\rm equiv}$, and distance to true events in $\\Delta R$ of the last two jets. Lines: training sets; bars: means."}, "image": {"alt": "Four panels with three places on the axis each: before, no weights and alpha of one. Lines in two colours, one for each training set, connect the three."}} tags=["hide-input"]
STAGES = {"before": "before", "none": "no weights", "one": r"$\alpha=1$"}
MEASURED = {
    "spread": r"spread of $\ln w$",
    "auc": "AUC",
    "n_equiv": r"$n_{\rm equiv}$",
    "distance": r"distance in $\Delta R_{jj}$",
}
figure, axes = plt.subplots(1, 4, figsize=(12.5, 3.6))
data = {"way": list(STAGES)}
for ax, (what, title) in zip(axes, MEASURED.items(), strict=True):
    for n, color, shift in zip(N_JETS, (plots.ESTIMATE, plots.MODEL), (-0.06, 0.06), strict=True):
        values = np.array([jets_of(way, n, what) for way in STAGES])
        ax.plot(np.arange(3) + shift, values, color=color, marker=".", lw=0.7, alpha=0.7)
        ax.plot(np.arange(3) + shift, values.mean(1), "_", ms=16, mew=2, color=color, label=f"{n} jets")
        data[f"{what} {n}"] = values.T
    ax.set(title=title, xticks=range(3), xticklabels=STAGES.values())
    if what == "n_equiv":
        ax.set_yscale("log")
plots.shared_legend([axes[0]], columns=2)
page.figure(figure, "joint_jets", data)

# %% tags=["hide-input"]
rows, effects = [], {}
for n, (what, title) in product(N_JETS, {"log_p": r"gain in $\langle\log p\rangle$", **MEASURED}.items()):
    is_difference = what in ("log_p", "auc")
    row = [n, title] + (["0", "", ""] if what == "log_p" else [])
    if what != "log_p":
        for way in STAGES:
            value, ends = coverage.over_sets(jets_of(way, n, what))
            page.record(f"jets_{what}_{n}_{way}", value, ends, 0.95)
            row.append(with_interval(value, ends, 3))
    for way, other in (("none", "before"), ("one", "before"), ("one", "none")):
        if what == "log_p":
            value, ends = coverage.over_sets(gain(n, way, other))
        elif is_difference:
            value, ends = coverage.over_sets(jets_of(way, n, what) - jets_of(other, n, what))
        else:
            value, ends = geometric_mean(jets_of(way, n, what) / jets_of(other, n, what))
        page.record(f"jets_{what}_{n}_{way}_{other}", value, ends, 0.95)
        effects[what, n, way, other] = ends[0] > (not is_difference), ends[1] < (not is_difference)
        row.append(with_interval(value, ends, 3))
    rows.append(row)
IS_BETTER = {"log_p": 0, "n_equiv": 0, "spread": 1, "auc": 1, "distance": 1}  # which side of the interval is
NUMBER = {2: "two jets", 4: "four jets"}
PLAIN = {
    "log_p": "log density",
    "spread": "spread of the weights",
    "auc": "AUC",
    "n_equiv": "number of equivalent events",
    "distance": "distance in the distance of the last two jets",
}
for against in ("before", "none"):
    for name in ("better", "worse"):
        which = [
            f"{PLAIN[what]} of {NUMBER[n]}"
            for (what, n, way, other), sides in effects.items()
            if (way, other) == ("one", against) and sides[IS_BETTER[what] if name == "better" else 1 - IS_BETTER[what]]
        ]
        glue(f"joint_training_jets_{name}_{against}", "; ".join(which) or "none", display=False)
header = ["jets", "", *STAGES.values(), "no weights, change", r"$\alpha=1$, change", r"$\alpha=1$ against no weights"]
markdown_table(header, rows)

# %% [markdown]
# The last three columns are differences of log densities and of the AUC, and quotients of the others, with 95 % intervals over the training sets. With four jets the spread is {glue:text}`joint_training_jets_spread_4_before` before, {glue:text}`joint_training_jets_spread_4_none` after training without weights and {glue:text}`joint_training_jets_spread_4_one` with $\alpha=1$, which is {glue:text}`joint_training_jets_spread_4_one_before` times that before ({glue:text}`joint_training_jets_spread_4_one_before_low` to {glue:text}`joint_training_jets_spread_4_one_before_high`); with two jets it is {glue:text}`joint_training_jets_spread_2_one_before` times ({glue:text}`joint_training_jets_spread_2_one_before_low` to {glue:text}`joint_training_jets_spread_2_one_before_high`). The AUC of four jets is {glue:text}`joint_training_jets_auc_4_before`, {glue:text}`joint_training_jets_auc_4_none` and {glue:text}`joint_training_jets_auc_4_one`. The loop changes $n_{\rm equiv}$ of four jets by a factor {glue:text}`joint_training_jets_n_equiv_4_one_before` ({glue:text}`joint_training_jets_n_equiv_4_one_before_low` to {glue:text}`joint_training_jets_n_equiv_4_one_before_high`), and training without weights by {glue:text}`joint_training_jets_n_equiv_4_none_before` ({glue:text}`joint_training_jets_n_equiv_4_none_before_low` to {glue:text}`joint_training_jets_n_equiv_4_none_before_high`).
#
# Where does an interval exclude that nothing changes? Against the networks before, $\alpha=1$ is better in: {glue:text}`joint_training_jets_better_before`; worse in: {glue:text}`joint_training_jets_worse_before`. Against training without weights it is better in: {glue:text}`joint_training_jets_better_none`; worse in: {glue:text}`joint_training_jets_worse_none`. The networks before were stopped early by held-back events, and the rounds are not. The mean log density of four jets changes by {glue:text}`joint_training_jets_log_p_4_none_before` ({glue:text}`joint_training_jets_log_p_4_none_before_low` to {glue:text}`joint_training_jets_log_p_4_none_before_high`) without weights and by {glue:text}`joint_training_jets_log_p_4_one_before` ({glue:text}`joint_training_jets_log_p_4_one_before_low` to {glue:text}`joint_training_jets_log_p_4_one_before_high`) with $\alpha=1$.

# %% tags=["nbval-check-output", "hide-input"]
print(
    "all ways begin with the same members:",
    all(found[g, w, k, 0] is found[g, "none", k, 0] for g, w, k in product(GENERATORS, WAYS, range(sets))),
)
print("each round has all members:", all(len(f["log_w"]) == members for f in found.values()))
print(
    "weights have a mean of one, where events are not lost:",
    all(abs(np.exp(f["log_w"]).mean() - 1) < 0.5 for f in found.values()),
)

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-joint-error
# Show that frozen weights multiply a small error $\delta=\log(p_{\rm gen}/p_{\rm data})$ by $-\alpha$ in each round. For which $\alpha$ do the rounds converge?
# ```
#
# ````{solution} ex-joint-error
# :class: dropdown
# The next generator is $p_{\rm data}^{1+\alpha}/p_{\rm gen}^\alpha$ up to its normalisation, so that its logarithm differs from $\log p_{\rm data}$ by $-\alpha\,\delta$. It converges for $\alpha<1$, with alternating signs, and for $\alpha=1$ it goes back and forth. A generator that cannot follow, because it has few parameters or is trained for few steps, only takes a part of the step, which is why frozen weights can work in practice.
# ````
#
# ```{exercise}
# :label: ex-joint-corrected
# Why is the corrected loss no longer a likelihood that one could compare between steps? What can be compared instead?
# ```
#
# ````{solution} ex-joint-corrected
# :class: dropdown
# The weight $(p_{\rm data}/p_{\rm model})^\alpha$ is not differentiated, and its value changes as the generator moves. So the gradient $-\langle (p_{\rm data}/p_{\rm model})^\alpha \nabla\log p_{\rm model}\rangle$ is not that of the loss, but of $\langle (p_{\rm data}/p_{\rm model})^\alpha\rangle/\alpha$. By Jensen's inequality this is smallest, $1/\alpha$, at the truth, and could be compared, if the few largest weights of a classifier did not dominate it. The mean of $\log p_{\rm model}$ over events that are held back is steadier.
# ````
