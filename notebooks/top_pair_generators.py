# %% [markdown]
# (sec-top-generators)=
# # Generators of top pairs
#
# Section 5 of the paper leaves the toys. Its generators make reconstructed events, six jets and more, by *conditional flow matching*: a network is trained to know the velocity that carries noise to events, and a differential equation is solved for each event.
# The velocity networks are a transformer that knows nothing of physics, and two that know the Lorentz group, L-GATr {cite}`lgatr` and LLoCa {cite}`lloca`. To these this book adds two generators with an explicit density: the autoregressive one of the {ref}`rings <sec-rings>`, and a
# neural spline flow {cite}`spline_flows`. This page trains ensembles of all of them on the {ref}`top pairs <sec-top-events>` and looks at what they make; the next two ask what it is worth.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats

from gampl import averaging, plots
from gampl.generators import Solver
from gampl.generators.settings import DENSITIES
from gampl.kolmogorov import MEAN
from gampl_book import event_studies
from gampl_book.event_studies import EXTRA_JETS, TITLES
from gampl_book.kept_results import beside
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.top_pair_members import BAND_EDGES, CONTROL, MASS_EDGES
from gampl_book.top_pair_study import COLOURS, TopPairStudy, process_title
from gampl_book.verdicts import LEVEL, Range, Recorded, combine

page = Page("top_pair_generators", profile, seed)
study = TopPairStudy.of(page)
KINDS, KEYS, PROCESSES, ensembles, n_gen = study.kinds, study.names, study.processes, study.ensembles, study.n_gen
train = {extra: truth.training for extra, truth in study.truth.items()}
holdout = {extra: truth.holdout for extra, truth in study.truth.items()}
FLOWS = [kind for kind in KINDS if kind not in DENSITIES]
solver = event_studies.solver(profile)
for extra in PROCESSES:
    of_process = next(found for (jets, _), found in ensembles.items() if jets == extra)
    page.record(f"steps_{extra}j", of_process.members[0].training.fit.steps)
fit = ensembles[0, KINDS[0]].members[0].training.fit
page.record("batch_size", fit.batch_size)
page.record("fewer_events_seen", 200_000 * 2048 / (fit.steps * fit.batch_size), digits=2)

# %% [markdown]
# ## Flow matching
#
# Noise $x(1)\sim p_{\rm latent}$ becomes an event $x(0)$ along
#
# $$\frac{dx(t)}{dt}=v(x(t),t), \qquad \frac{\partial\rho(x,t)}{\partial t}=-\nabla_x\big[v(x,t)\,\rho(x,t)\big] . \tag{40}$$
#
# In training the way from an event $x_0$ to a noise event $x_1$ is straight, $x_t=x_0+t\,(x_1-x_0)$, and the network learns $v_\theta\approx x_1-x_0$ by least squares; the mean over all ways through one point is the velocity that carries the density as a whole {cite}`flow_matching`.
#
# - **Coordinates** of a jet are $\ln(p_T-22\ \mathrm{GeV})$, $\phi$, $\eta$ and $\ln(m^2+1\ \mathrm{GeV}^2)$, the first and last standardised with the training events. Ways in $\phi$ go round the shorter side.
# - **Noise.** The paper prints $\mathcal N(0,1)$ in Eq. (41). The public code {cite}`lgatr_events` draws momenta, $p_x$, $p_y$ and $p_z$ normal with a width of 206.6 GeV, and again where the cuts of Eq. (38) are not passed, and so do we; the printed one is `Architecture(base="normal")`.
# - **Networks.** Each jet is a token. The equivariant networks see four-momenta, and the directions of the beams and of time, which leave of the Lorentz group the rotations about the beam. What they return as a vector turns $\phi$ and $\eta$; $p_T$ and $m$ change by scalars.
# - **Time** enters as sines and cosines with frequencies of order 1. The public code has frequencies thirty times as high, with which a network learns slowly, and the equation needs many steps.
#
# The spline flow and the autoregressive generator are trained on the same coordinates by maximum likelihood. They know no symmetry and, the second apart, no order.


# %% tags=["hide-input"]
def weights(generator: torch.nn.Module) -> int:
    return sum(p.numel() for p in generator.parameters())


rows = []
for kind in KINDS:
    row = [TITLES[kind]]
    for extra in EXTRA_JETS:
        if (extra, kind) not in ensembles:
            row += ["–"] * 3
            continue
        found = ensembles[extra, kind].members
        per_member = np.mean([member.history.seconds for member in found])
        best = [int(member.history.best_step[0]) for member in found]
        row += [weights(found[0].generator), f"{per_member:.0f}", f"{min(best)} to {max(best)}"]
    rows.append(row)
markdown_table(
    ["generator", "weights, 0 jets", "s per member", "best steps", "weights, 4 jets", "s per member", "best steps"],
    rows,
)

# %% [markdown]
# All members of a process see the same training events, {glue:text}`top_pair_generators_n_train_0j` without additional jets and {glue:text}`top_pair_generators_n_train_4j` with four, each with Poisson weights of its own (a bootstrap: only then does their scatter say what the training sample leaves open, see {ref}`sec-members`); a member uses the events that have weight zero for it to stop at the best step. There are {glue:text}`top_pair_generators_members` members of each kind,
# {glue:text}`top_pair_generators_steps_0j` and {glue:text}`top_pair_generators_steps_4j` steps at most, with batches of {glue:text}`top_pair_generators_batch_size`. The paper trains ten, on $5\cdot10^5$ and $2\cdot10^5$ events; the public code takes $2\cdot10^5$ steps with batches of 2048, {glue:text}`top_pair_generators_fewer_events_seen` times as many events as a network sees in the longest of the trainings here.
# Where that number is large, read these pages as a demonstration of the method with *small* generators: what they find says little about how good the architectures can be.
#
# A member whose loss is not finite, whose loss on held-back events never falls below that of the untrained network, or which loses more than 0.1 % of its events to numbers that are not finite, is left out, by these rules alone, and listed here:

# %% tags=["hide-input"]
markdown_table(["process", "generator", "member", "reason"], study.left_out() or [["none", "", "", ""]])

# %% mystnb={"figure": {"name": "fig-training-curves", "caption": "Loss on held-back events during the training, no additional jets: one line for each member. Left: flow matching; most of this loss is noise that no network can predict. Right: negative log density of standardised coordinates."}, "image": {"alt": "Two panels of falling curves against the training step, one colour for each kind of generator."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
data = {}
for kind in KINDS:
    ax = axes[int(kind in DENSITIES)]
    for number, one in enumerate(ensembles[0, kind].members):
        history = one.history
        label = TITLES[kind] if number == 0 else None
        ax.plot(history.steps, history.validation_loss[:, 0], color=COLOURS[kind], lw=1, label=label)
        data[f"{kind} {number}"] = {"step": history.steps, "loss": history.validation_loss[:, 0]}
for ax, title in zip(axes, ("flow matching", "explicit densities"), strict=True):
    ax.set(xlabel="step", ylabel="loss on held-back events", title=title)
    ax.legend()
page.figure(figure, "training_curves", data)

# %% [markdown]
# (sec-solver)=
# ## How many evaluations does an event need?
#
# The public code solves Eq. (40) with 50 steps of the fourth-order Runge-Kutta method, 200 evaluations of the network for each event. Here the same noise is carried to events with fewer, and compared: how far do coordinates end from where 200 evaluations put them, and how far apart
# are the distributions of five observables?

# %% tags=["hide-input"]
OBSERVABLES = ("m_tt", "m_W1", "m_t1", "pT(q2)", "deltaR(q1,q2)")
SOLVERS = [Solver(m, n) for m, n in (("euler", 8), ("midpoint", 2), ("midpoint", 4), ("midpoint", 8), ("midpoint", 16))]
SOLVERS += [Solver("rk4", n) for n in (1, 2, 3, 5, 8)]
REFERENCE = Solver("rk4", 50)


def solved(kind: str) -> dict:
    """For each solver its distance from the reference, and the largest Kolmogorov-Smirnov distance of the observables."""
    flow = ensembles[0, kind].members[0].generator
    latent = flow.base.sample(page.settings["n_solved"], torch.Generator().manual_seed(seed))
    exact = flow.transport(latent, REFERENCE)
    found = {}
    for one in (*SOLVERS, solver):
        x = flow.transport(latent, one)
        turned = torch.remainder(x - exact + np.pi, 2 * np.pi) - np.pi
        distance = torch.where(flow.coordinates.angles, turned, x - exact).square().mean().sqrt().item()
        events = [flow.coordinates.to_events(y).numpy() for y in (x, exact)]
        pairs = [[PROCESSES[0].observable(name)(e) for e in events] for name in OBSERVABLES]
        found[one] = distance, max(stats.ks_2samp(*pair, method="asymp").statistic for pair in pairs)
    return found


accuracy = {kind: solved(kind) for kind in FLOWS}
page.record("n_solved", page.settings["n_solved"])
page.record("evaluations", solver.evaluations)
page.record("cheaper", REFERENCE.evaluations / solver.evaluations, digits=2)
page.record("solver_distance", max(found[solver][0] for found in accuracy.values()), digits=2)
page.record("solver_ks", max(found[solver][1] for found in accuracy.values()), digits=2)

# %% mystnb={"figure": {"name": "fig-solver", "caption": "Root mean square distance of network coordinates (of order 1) from those found with 200 evaluations, against the evaluations of the network for each event. The dotted line is what this page uses."}, "image": {"alt": "Log-log plot: for each of the velocity networks errors fall with the number of evaluations, fastest for the fourth-order method."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(5.6, 3.9))
data = {}
for kind, method in product(FLOWS, ("euler", "midpoint", "rk4")):
    chosen = [one for one in SOLVERS if one.method == method]
    marker, line = {"euler": ("x", ":"), "midpoint": ("o", "--"), "rk4": ("s", "-")}[method]
    points = np.array([(one.evaluations, accuracy[kind][one][0]) for one in chosen])
    ax.plot(*points.T, marker=marker, ls=line, ms=4, color=COLOURS[kind], label=f"{TITLES[kind]}, {method}")
    data[f"{kind} {method}"] = {"evaluations": points[:, 0], "distance": points[:, 1]}
ax.axvline(solver.evaluations, color="0.4", ls=":", lw=1)
ax.set(xscale="log", yscale="log", xlabel="evaluations for each event", ylabel="distance from 200 evaluations")
ax.set_xticks([4, 8, 16, 32], ["4", "8", "16", "32"], minor=False)
ax.set_xticks([], minor=True)
ax.legend(fontsize=7)
page.figure(figure, "solver", data)

# %% [markdown]
# With {glue:text}`top_pair_generators_evaluations` evaluations, {glue:text}`top_pair_generators_cheaper` times fewer, coordinates are off by at most {glue:text}`top_pair_generators_solver_distance` (root mean square, worst network), and the largest Kolmogorov-Smirnov distance of the observables is {glue:text}`top_pair_generators_solver_ks`
# for {glue:text}`top_pair_generators_n_solved` events. The differences between generated and true events that follow are to be held against that.
#
# ## What they make


# %% tags=["hide-input"]
def histograms(extra: int, kind: str, edges: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Share of events in each bin for each member, (members, bins), by observable."""
    found = [events.histograms(edges) for events in study.events(extra, kind)]
    return {name: np.stack([shares[name] for shares in found]) for name in edges}


def of_truth(events: np.ndarray, extra: int, name: str, edges: np.ndarray) -> np.ndarray:
    return np.histogram(PROCESSES[extra].observable(name)(events), edges)[0] / len(events)


there = {extra: [kind for kind in KINDS if (extra, kind) in ensembles] for extra in PROCESSES}
SHOWN = {extra: next((k for k in kinds if k.startswith("lgatr")), kinds[0]) for extra, kinds in there.items()}

# %% mystnb={"figure": {"name": "fig-mtt-generated", "caption": "Di-top mass of training events, holdout and generated events, with no additional jets (left) and four (right), as in Fig. 12 of the paper; below, the deviation from the holdout. The band is the mean and standard deviation of the ensemble, its counting error taken along; grey, the region of Eq. (43)."}, "image": {"alt": "Two falling spectra of the di-top mass, each above a panel with relative deviations: the band of the generator follows the holdout over several orders of magnitude and deviates where few training events lie."}} tags=["hide-input"]
panels = {"sharex": True, "height_ratios": [3, 1.6], "squeeze": False}
figure, axes = plt.subplots(2, len(PROCESSES), figsize=(4.5 * len(PROCESSES), 5.2), **panels)
data = {"low": MASS_EDGES[:-1], "high": MASS_EDGES[1:]}
for (top, bottom), extra in zip(axes.T, PROCESSES, strict=True):
    generated = histograms(extra, SHOWN[extra], {"m_tt": MASS_EDGES})["m_tt"]
    width = np.diff(MASS_EDGES)
    truth = {
        name: of_truth(e[extra], extra, "m_tt", MASS_EDGES) for name, e in (("train", train), ("holdout", holdout))
    }
    mean, spread = generated.mean(0), generated.std(0, ddof=1) if len(generated) > 1 else 0 * generated[0]
    color = COLOURS[SHOWN[extra]]
    with np.errstate(divide="ignore", invalid="ignore"):
        for ax, scale, offset in ((top, width, 0), (bottom, truth["holdout"], 1)):
            ax.stairs(truth["train"] / scale - offset, MASS_EDGES, color="0.5", ls=":", lw=1.2, label="training events")
            if offset == 0:
                ax.stairs(truth["holdout"] / scale, MASS_EDGES, color=plots.TRUE, lw=1.2, label="holdout")
            low, high = ((mean + s * spread) / scale - offset for s in (-1, 1))
            ax.stairs(high, MASS_EDGES, baseline=low, fill=True, color=color, alpha=0.35, lw=0)
            ax.stairs(mean / scale - offset, MASS_EDGES, color=color, lw=1.4, label=f"{TITLES[SHOWN[extra]]}, ensemble")
    bottom.axhline(0, color=plots.TRUE, lw=1)
    for ax in (top, bottom):
        ax.axvspan(2000, 2200, color="0.9", lw=0, zorder=0)
    top.set(yscale="log", title=process_title(extra), ylabel="density [1/GeV]", ylim=(1e-7, 1e-2))
    bottom.set(xlabel=PROCESSES[extra].observable("m_tt").axis, ylabel="deviation", ylim=(-1, 1), xlim=(200, 2600))
    top.legend()
    data |= {f"{key}_{extra}j": v for key, v in {**truth, "generated": mean, "spread": spread}.items()}
page.figure(figure, "mtt_generated", data)

# %% [markdown]
# Does the band grow with the mass, and is it narrower than the counting error of the holdout? The spread of the members' shares, without the counting error of their own events, is that of the {ref}`averaging estimate <sec-top-averaging>`; it is compared relative to the share, above 1 TeV and from 400 to 600 GeV.

# %% tags=["hide-input"]
BANDS = {"bulk": slice(1), "tail": slice(2, None)}  # of the bins between these edges


def relative_variance(extra: int, band: str) -> Recorded:
    """(sigma_model / I)^2 of a range of masses, with its interval."""
    counts = (n_gen[extra, SHOWN[extra]] * histograms(extra, SHOWN[extra], {"m_tt": BAND_EDGES})["m_tt"]).round()[
        :, BANDS[band]
    ]
    if len(counts) < 2 or counts.sum() == 0:
        return Recorded(np.nan, Range(0.0, np.inf), LEVEL)
    result = averaging.from_counts(counts, n_gen[extra, SHOWN[extra]], 1, level=LEVEL)
    share = counts.mean() / n_gen[extra, SHOWN[extra]]
    low, high = result.n_equiv_interval
    of_one = (1 - share) / share
    return Recorded(of_one / result.n_equiv, Range(of_one / high, of_one / low if low else np.inf), LEVEL)


def record_root(name: str, found: Recorded) -> list[str]:
    """Record the root of a quotient of variances; returns it in words."""
    roots = np.sqrt([found.value, *found.interval])
    page.record(name, roots[0], roots[1:], LEVEL, digits=2)
    if np.isnan(found.value):
        return ["too few events"]
    return [f"{rounded(roots[0], 2)} ({rounded(roots[1], 2)} to {rounded(roots[2], 2)})"]


rows = []
for extra in PROCESSES:
    tail, bulk = (relative_variance(extra, band) for band in ("tail", "bulk"))
    share = np.mean(PROCESSES[extra].observable("m_tt")(holdout[extra]) >= BAND_EDGES[-2])
    of_counting = Recorded((1 - share) / (share * len(holdout[extra])))
    row = record_root(f"band_{extra}j", combine([tail, bulk], [1, -1]))
    rows.append([process_title(extra), *row, *record_root(f"stable_{extra}j", combine([tail, of_counting], [1, -1]))])
markdown_table(["spread of the ensemble above 1 TeV, 95 %", "over that below", "over the holdout's error"], rows)

# %% mystnb={"figure": {"name": "fig-control-generated", "caption": "Control observables without additional jets: holdout (grey) and the mean of each ensemble. Jets must be 0.5 apart, and W boson and top have peaks that no coordinate shows directly: both are hard to learn."}, "image": {"alt": "Six panels of distributions: masses of W boson and top, transverse momenta and distances, the true one shaded and a line for each generator."}} tags=["hide-input"]
figure, axes = plt.subplots(2, 3, figsize=(11, 6))
shares = {kind: histograms(0, kind, CONTROL) for kind in KINDS}
data = {}
for ax, (name, edges) in zip(axes.ravel(), CONTROL.items(), strict=True):
    density = of_truth(holdout[0], 0, name, edges) / np.diff(edges)
    ax.stairs(density, edges, fill=True, color="0.85", label="holdout")
    data[name] = {"low": edges[:-1], "holdout": density}
    for kind in KINDS:
        mean = shares[kind][name].mean(0) / np.diff(edges)
        ax.stairs(mean, edges, color=COLOURS[kind], lw=1.2, label=TITLES[kind])
        data[name][kind] = mean
    ax.set(xlabel=PROCESSES[0].observable(name).axis, yticks=[], xlim=edges[[0, -1]])
plots.shared_legend(axes.ravel(), columns=6)
page.figure(figure, "control_generated", data)

# %% [markdown]
# Nothing forces a generated event to pass the cuts but $p_T$, which is built into the coordinates. Events outside stay in the samples: leaving them out would hide a fault of the generator.

# %% tags=["hide-input"]
rows = []
for kind in KINDS:
    outside = study.events(0, kind)[0].outside()
    page.record(f"near_{KEYS[kind]}", 100 * outside[1], digits=2)
    rows.append([TITLES[kind], *(rounded(100 * share, 2) for share in outside)])
rows.append(["holdout", "0", "0", rounded(100 * np.mean((holdout[0][..., 3] == 0).any(axis=1)), 2)])
markdown_table(
    [r"% of events with", r"a jet beyond $\eta=5$", r"a pair within $\Delta R=0.5$", "a jet without mass"], rows
)

# %% [markdown]
# (sec-event-weights)=
# ## Classifier weights
#
# A classifier that sees the jets, all distances $\Delta R$, and the reconstructed tops and $W$ bosons, judges an event as a whole. Its weight $w\approx p_{\rm true}/p_{\rm gen}$ would be one for a perfect generator. Boosted trees learn it from half of {glue:text}`top_pair_generators_n_classified` events of either kind, holdout and one member, and are
# tested on the other half; the area under the ROC curve (AUC) is the probability to tell a true from a generated event, 0.5 at best.
#
# That number decides what an amplification factor can be, whatever else is done. Where the trees separate the samples by $D$ at most, the ROC curve runs at most $D$ above the diagonal, so that ${\rm AUC}\leq\frac12+D-\frac12D^2$. Hence $D\geq1-\sqrt{2-2\,{\rm AUC}}$, and $\nequiv\leq(\langle K\rangle/D)^2$ with the trees as the summary: the last columns.


# %% tags=["hide-input"]
def most_equivalent(auc: float) -> float:
    """The most true events that a generator can be worth whose events are told from true ones with this AUC."""
    return (MEAN / max(1 - np.sqrt(2 - 2 * auc), 1e-9)) ** 2 if auc > 0.5 else np.nan


page.record("n_classified", page.settings["n_classified"])
ratios, rows = {}, []
for kind in KINDS:
    row = [TITLES[kind]]
    for extra in EXTRA_JETS:
        if (extra, kind) not in ensembles:
            row.append("–")
            continue
        n = min(page.settings["n_classified"], len(holdout[extra]), n_gen[extra, kind])
        learned = study.events(extra, kind)[0].learned(holdout[extra][:n], seed)
        value, interval = learned.auc()
        page.record(f"auc_{extra}j_{KEYS[kind]}", value, interval, 0.683)
        ratios[extra, kind] = learned
        row.append(f"{value:.3f} ({interval.low:.3f} to {interval.high:.3f})")
    for extra in EXTRA_JETS:
        most = most_equivalent(ratios[extra, kind].auc()[0]) if (extra, kind) in ratios else np.nan
        row.append("–" if np.isnan(most) else f"{rounded(most, 2)} ($G\\leq$ {rounded(most / len(train[extra]), 2)})")
    rows.append(row)
markdown_table(["AUC", "0 jets", "4 jets", r"$\nequiv$ at most, 0 jets", "4 jets"], rows)

# %% [markdown]
# The same at other sizes, where larger runs are kept: a profile's AUC says how far its generators are trained, and so what to expect of the next two pages.

# %% tags=["hide-input"]
beside(page, {f"{process_title(e)}, {TITLES[k]}": f"auc_{e}j_{KEYS[k]}" for e, k in product(EXTRA_JETS, KINDS)})

# %% mystnb={"figure": {"name": "fig-event-weights", "caption": "Classifier weights of test events, no additional jets, for one member of each kind: holdout (filled) and generated events (lines). Events far to the left are those that the truth does not have."}, "image": {"alt": "One panel for each generator with two histograms of the logarithm of the weight: generated events to the left, true events to the right, overlapping in the middle."}} tags=["hide-input"]
figure, axes = plt.subplots(1, len(KINDS), figsize=(2.5 * len(KINDS), 2.9), sharey=True)
edges = np.linspace(-3, 2, 51)
data = {"low": edges[:-1]}
for ax, kind in zip(np.atleast_1d(axes), KINDS, strict=True):
    for name, values in (("true", ratios[0, kind].reference), ("generated", ratios[0, kind].generated)):
        share = np.histogram(np.clip(values / np.log(10), -2.99, 1.99), edges, density=True)[0]
        ax.stairs(
            share,
            edges,
            fill=name == "true",
            color="0.8" if name == "true" else COLOURS[kind],
            lw=1.3,
            label=name,
        )
        data[f"{kind} {name}"] = share
    ax.axvline(0, color=plots.TRUE, lw=0.8, ls=":")
    ax.set(title=TITLES[kind], xlabel=r"$\log_{10} w$", yticks=[])
    ax.legend(fontsize=8, loc="upper left")
page.figure(figure, "event_weights", data)

# %% tags=["nbval-check-output", "hide-input"]
aucs = {key: learned.auc()[0] for key, learned in ratios.items()}
print("every generator can be told from the truth:", all(auc > 0.5 for auc in aucs.values()))
print("members left out:", len(study.left_out()))

# %% [markdown]
# ## Exercises
#
# :::{exercise}
# :label: ex-gen-rotation
#
# L-GATr and LLoCa know that events may be turned about the beam. Turn generated noise by one radian, carry both to events, and compare: how much do the transformer's masses $m_{t\bar t}$ change, and how much those of an equivariant network?
# :::

# %% [markdown]
# :::{solution} ex-gen-rotation
# :class: dropdown
# The equivariant network makes the same event, turned, and its mass changes by rounding only. The transformer has learned the symmetry approximately at best.
# :::

# %% tags=["hide-input"]
for kind in dict.fromkeys(("transformer", SHOWN[0])):
    flow = ensembles[0, kind].members[0].generator
    latent = flow.base.sample(100, torch.Generator().manual_seed(seed + 1))
    turned = torch.where(flow.coordinates.angles, torch.remainder(latent + 1 + np.pi, 2 * np.pi) - np.pi, latent)
    before, after = (
        PROCESSES[0].observable("m_tt")(flow.coordinates.to_events(flow.transport(x)).numpy()) for x in (latent, turned)
    )
    print(f"{TITLES[kind]}: median change of the mass {np.median(np.abs(after / before - 1)):.1e}")

# %% [markdown]
# :::{exercise}
# :label: ex-gen-base
#
# How far does noise have to travel? Compare the mean length of the straight way, in network coordinates, for the noise that passes the cuts and for the printed $\mathcal N(0,1)$.
# :::

# %% [markdown]
# :::{solution} ex-gen-base
# :class: dropdown
# The printed one: coordinates are standardised with the events, and normal momenta have their own spread of them. What the noise with cuts has in advance is the shape of phase space, no jets within $\Delta R=0.5$ and rapidities that go with isotropic momenta.
# :::

# %% tags=["hide-input"]
from gampl.generators import Normal

flow = ensembles[0, "transformer"].members[0].generator
x = flow.coordinates.to_network(torch.from_numpy(train[0][:2000]))
for name, base in (("passes the cuts", flow.base), ("standard normal", Normal(flow.coordinates.angles))):
    way = base.sample(len(x), torch.Generator().manual_seed(seed)) - x
    way = torch.where(flow.coordinates.angles, torch.remainder(way + np.pi, 2 * np.pi) - np.pi, way)
    print(f"{name}: root mean square per coordinate {way.square().mean().sqrt():.2f}")
