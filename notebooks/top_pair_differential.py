# %% [markdown]
# (sec-top-differential)=
# # Differential amplification of top pairs
#
# Section 5.2 of the paper asks the harder question. Not how many events are in a region, but whether the distribution of generated events can be told from that of true ones at all: a classifier condenses each event to a likelihood ratio, and the {ref}`Kolmogorov-Smirnov test <sec-ks>` compares.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from scipy import stats

from gampl import differential, kolmogorov, plots
from gampl.particles import held_out_events
from gampl_book.event_studies import TITLES
from gampl_book.kept_results import beside, same_events
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.top_pair_study import COLOURS, TopPairStudy, process_title
from gampl_book.verdicts import LEVEL

page = Page("top_pair_differential", profile, seed)
study = TopPairStudy.of(page)
KINDS, KEYS, PROCESSES, ensembles, n_gen = study.kinds, study.names, study.processes, study.ensembles, study.n_gen
low, high = study.truth[min(PROCESSES)].region
for extra, truth in study.truth.items():
    page.record(f"n_reference_{extra}j", len(truth.references["holdout"]))
page.record("classified", page.settings["classified"])
page.record("low", int(low))
page.record("high", int(high))

# %% [markdown]
# ## The classifier as a summary
#
# For each of {glue:text}`top_pair_differential_classified` members of an ensemble, and for each reference sample, boosted trees see the momenta of the jets, all $\Delta R$, and the reconstructed tops and $W$ bosons ({ref}`sec-event-weights`). They learn from one half of the reference and as many generated events, and are tested
# with the other half and with generated events that follow, so that nothing is valued by trees that have seen it. Are their probabilities frequencies?


# %% tags=["hide-input"]
distances = {
    (extra, kind, name): [
        events.distances(reference, seed + k, low, high)
        for k, events in enumerate(study.events(extra, kind)[: page.settings["classified"]])
    ]
    for extra, kind in ensembles
    for name, reference in study.truth[extra].references.items()
}

# %% mystnb={"figure": {"name": "fig-event-calibration", "caption": "Calibration of the classifiers on test events: observed share of true events against the predicted one, for the first member of each kind, holdout as reference, with 68 % intervals. Left: no additional jets. Right: four."}, "image": {"alt": "Two panels with points near the diagonal, one colour for each generator, most of them close to zero and one."}} tags=["hide-input"]
figure, axes = plt.subplots(1, len(PROCESSES), figsize=(4.5 * len(PROCESSES), 4), squeeze=False)
axes, data = axes.ravel(), {}
for ax, extra in zip(axes, PROCESSES, strict=True):
    ax.plot([0, 1], [0, 1], color=plots.TRUE, lw=0.8)
    for kind in (kind for kind in KINDS if (extra, kind) in ensembles):
        found = distances[extra, kind, "holdout"][0].learned.calibration()
        bars = np.abs(np.stack([found.low, found.high]) - found.observed)
        color = COLOURS[kind]
        ax.errorbar(found.predicted, found.observed, bars, fmt="o", ms=3, lw=1, color=color, label=TITLES[kind])
        data[f"{extra}j {kind}"] = {"predicted": found.predicted, "observed": found.observed}
    ax.set(xlabel="predicted", ylabel="observed share of true events", title=process_title(extra))
axes[0].legend(fontsize=8)
page.figure(figure, "event_calibration", data)

# %% [markdown]
# ## The tests
#
# Generated events are compared with the training events, as in the left panels of Fig. 14, and with the holdout, as in the right ones, all of them and those with $m_{t\bar t}$ from {glue:text}`top_pair_differential_low` to {glue:text}`top_pair_differential_high` GeV, the region of the {ref}`previous page <sec-top-averaging>`. Next to the classifier stands the mass $m_{t\bar t}$ itself, a
# summary that needs no training and sees much less.
#
# :::{warning}
# A comparison with the events that a generator was trained on is biased: a generator that has followed its training events too closely looks better than it is ({ref}`sec-reuse`). The paper shows it, and so does this page, with that label.
# :::


# %% tags=["hide-input"]
def tests(extra: int, kind: str, name: str) -> dict:
    """Results with both summaries, all events and the region, against one reference."""
    training, found = study.truth[extra].training, {}
    mass = PROCESSES[extra].observable("m_tt")(training)
    for cut, summary in (members := [one.tests for one in distances[extra, kind, name]])[0]:
        of_members, n_kept, n_ref = zip(*(tests[cut, summary] for tests in members), strict=True)
        kept = np.mean(n_kept, axis=0)
        enough = (np.min(n_kept, axis=0) >= 5) & (np.diff(kept, prepend=0) > 0)
        n_train = len(training) if cut == "all" else int(((mass >= low) & (mass < high)).sum())
        if enough[-1] and n_ref[-1] > 0:
            found[cut, summary] = differential.from_distances(
                np.stack(of_members)[:, enough],
                kept[enough],
                n_ref[-1],
                n_train,
                level=LEVEL,
                reference_is="training" if name == "training" else "holdout",
            )
    return found


results = {
    (extra, kind, name, *key): result
    for (extra, kind), name in product(ensembles, ("training", "holdout"))
    for key, result in tests(extra, kind, name).items()
}


# %% tags=["hide-input"]
def draw(extra: int, figure_name: str) -> None:
    figure, axes = plt.subplots(2, 2, figsize=(10, 7.6))
    data = {}
    for ax, (cut, name) in zip(axes.ravel(), product(("all", "region"), ("training", "holdout")), strict=True):
        shown = {
            (k, s): results[extra, k, name, cut, s]
            for k in KINDS
            for s in ("class", "m_tt")
            if (extra, k, name, cut, s) in results
        }
        if shown:
            curves = [result.curve for result in shown.values()]
            reach = [0.8 * min(c.n_gen[0] for c in curves), 1.3 * max(c.n_gen[-1] for c in curves)]
            plots.kolmogorov_law(ax, np.geomspace(*reach, 100), curves[0].n_ref)
        for (kind, summary), result in shown.items():
            curve, color = result.curve, COLOURS[kind]
            style = {"class": "-", "m_tt": "--"}[summary]
            ax.plot(curve.n_gen, curve.distances.T, color=color, lw=0.4, alpha=0.4, ls=style)
            label = f"{TITLES[kind]}, " + (r"LR$_{\rm class}$" if summary == "class" else r"$m_{t\bar t}$")
            ax.plot(curve.n_gen, curve.mean, color=color, lw=1.8 if summary == "class" else 1.2, ls=style, label=label)
            data[f"{cut} {name} {kind} {summary}"] = {"n_gen": curve.n_gen, "distance": curve.mean}
        against = "training events (biased)" if name == "training" else "holdout"
        what = "all events" if cut == "all" else f"{low:g} to {high:g} GeV"
        ax.set(xscale="log", yscale="log", xlabel=r"$n_{\rm gen}$", title=f"{what}, {against}")
    for ax in axes[:, 0]:
        ax.set_ylabel("Kolmogorov-Smirnov distance")
    plots.shared_legend(axes.ravel(), columns=4)
    page.figure(figure, figure_name, data)


# %% mystnb={"figure": {"name": "fig-top-differential-0j", "caption": "Differential test without additional jets, as in Fig. 14 of the paper: distances to the training events (left) and to the holdout (right), for all events (top) and the high-mass region (bottom). Solid: classifier; dashed: di-top mass; thin lines are members. Black line and grey bands: true events, mean and 1 to 3 sigma. Generated events are those that pass the selection of the panel."}, "image": {"alt": "Four log-log panels: distances against generated events with the classifier and with the mass, a colour for each generator, over the grey bands of true events."}} tags=["hide-input"]
if 0 in PROCESSES:
    draw(0, "differential_0j")

# %% mystnb={"figure": {"name": "fig-top-differential-4j", "caption": "The same with four additional jets, as in Fig. 15 of the paper, which has no large holdout; nor have we."}, "image": {"alt": "Four log-log panels like the ones before, with wider grey bands because of fewer true events."}} tags=["hide-input"]
if 4 in PROCESSES:
    draw(4, "differential_4j")

# %% tags=["hide-input"]
rows = []
for extra, kind, (cut, summary) in product(PROCESSES, KINDS, product(("all", "region"), ("class", "m_tt"))):
    cells = []
    for name in ("training", "holdout"):
        key = (extra, kind, name, cut, summary)
        number = f"G_{extra}j_{KEYS[kind]}_{cut}_{summary}_{name}"
        if key not in results:
            cells.append("too few events")
            page.record(number, np.nan)
            for word in ("below", "best") if summary == "class" else ():
                page.record(f"{word}_{extra}j_{KEYS[kind]}_{cut}_{name}", np.nan)
            continue
        result = results[key]
        page.record(number, result.G, result.interval, result.level, digits=2)
        cells.append(f"$G$ {result.words}")
        if summary == "class":  # where the law of true events has the last distances, their mean and the smallest
            curve, last = result.curve, result.curve.distances[:, -1]
            for word, distance in (("below", last.mean()), ("best", last.min())):
                K = kolmogorov.rescaled(distance, curve.n_ref, curve.n_gen[-1])
                page.record(f"{word}_{extra}j_{KEYS[kind]}_{cut}_{name}", stats.kstwobign.cdf(K))
    what = "all" if cut == "all" else "region"
    rows.append([f"{extra}", TITLES[kind], what, "LR$_{class}$" if summary == "class" else r"$m_{t\bar t}$", *cells])
markdown_table(["jets", "generator", "events", "summary", "training events (biased), 95 %", "holdout, 95 %"], rows)

# %% [markdown]
# ## Which generator amplifies most?

# %% mystnb={"figure": {"name": "fig-top-differential-summary", "caption": "Differential amplification of all generators against the holdout, with 95 % intervals (triangles: compatible with a perfect generator, G has only a lower limit). Filled: classifier. Open: di-top mass. Circles: all events. Squares: high-mass region."}, "image": {"alt": "Two panels, one row for each generator: filled markers for the classifier, open ones for the mass, with error bars, on a logarithmic axis of G."}} tags=["hide-input"]
figure, axes = plt.subplots(1, len(PROCESSES), figsize=(4.75 * len(PROCESSES), 3.8), sharey=True, squeeze=False)
axes, data = axes.ravel(), {}
for ax, extra in zip(axes, PROCESSES, strict=True):
    for (row, kind), (place, (cut, summary)) in product(
        enumerate(KINDS), enumerate(product(("all", "region"), ("class", "m_tt")))
    ):
        if (extra, kind, "holdout", cut, summary) not in results:
            continue
        result, y = results[extra, kind, "holdout", cut, summary], row + 0.18 * (place - 1.5)
        lower, upper = (float(np.clip(end, 1e-5, 1e3)) for end in result.interval)
        color = COLOURS[kind]
        ax.plot([lower, upper], [y, y], color=color, lw=1.2)
        marker = "o" if cut == "all" else "s"
        at, marker = (result.G, marker) if np.isfinite(result.G) else (upper, ">")
        label = f"{'all events' if cut == 'all' else 'region'}, {'classifier' if summary == 'class' else 'mass'}"
        fill = color if summary == "class" else "white"
        ax.plot(at, y, marker, color=color, mfc=fill, ms=5, label=label if row == 0 else None)
        data[f"{extra}j {kind} {cut} {summary}"] = {"G": result.G, "interval": result.interval}
    ax.axvline(1, color="0.5", lw=1, ls=":")
    ax.set(xscale="log", xlabel="amplification factor $G$ against the holdout", title=process_title(extra))
axes[0].set_yticks(range(len(KINDS)), [TITLES[kind] for kind in KINDS])
axes[0].invert_yaxis()
plots.shared_legend(axes, columns=4)
page.figure(figure, "differential_summary", data)

# %% [markdown]
# ### Larger runs
#
# Kept results of larger runs, beside those of this one, against the holdout and with all events. They come from other trainings: see the last rows.

# %% tags=["hide-input"]
NUMBERS = {
    f"{process_title(extra)}, {TITLES[kind]}, {words}": f"G_{extra}j_{KEYS[kind]}_all_{summary}_holdout"
    for extra, kind in product(PROCESSES, KINDS)
    for summary, words in (("class", "LR$_{class}$"), ("m_tt", r"$m_{t\bar t}$"))
}
display(beside(page, NUMBERS))
if same := same_events(page):
    print(f"trained on the same events as this run: {', '.join(same)}")

# %% [markdown]
# ### What to make of it
#
# *The classifier.* Where it tells generated from true events nearly one by one, its distance is close to one whatever the number of events. $\nequiv=(\langle K\rangle/D)^2$ is then the number of true events that could lie as far away *by chance*: about one, and $G$ about $1/\ntrain$. That is a statement about these generators and the time they were trained for ({ref}`sec-top-generators`). The paper finds
# $G\approx0.1$ for L-GATr and LLoCa and $0.01$ for its transformer, with all events without additional jets.
#
# *The mass* is one of many numbers that a generator has to get right, and the same generators are worth many more events in it: an amplification factor belongs to a question. Compare with the averaging estimate for the {ref}`same mass <sec-top-averaging>`.
#
# *The region* holds few events of a sample that begins with {glue:text}`top_pair_differential_n_train_0j` training events instead of $5\cdot10^5$. A test with few events sees little, so that its $G$, in units of the training events inside, has a wide interval. The paper's right panel of Fig. 15, $G\approx5$ with no deviation to be seen, is of this kind.

# %% tags=["nbval-check-output", "hide-input"]
print("results:", len(results))
worse = [
    results[extra, kind, "holdout", "all", "class"].n_equiv <= results[extra, kind, "holdout", "all", "m_tt"].n_equiv
    for extra, kind in ensembles
]
print("the classifier sees at least as much as the mass:", all(worse))

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise}
# :label: ex-top-differential-one
#
# What is the distance of two samples that a classifier separates completely, and which $\nequiv$ follows from it?
# :::

# %% [markdown]
# :::{solution} ex-top-differential-one
# :class: dropdown
# The distribution functions of separate samples differ by one somewhere, so $D=1$ and $\nequiv=\langle K\rangle^2\approx0.75$: even a single true event is expected to be nearer to the truth.
# :::

# %% tags=["hide-input"]
print(f"n_equiv = {differential.n_equiv(1.0, np.inf):.2f}")

# %% [markdown]
# :::{exercise}
# :label: ex-top-differential-jets
#
# Which events give a generator away? Compare, for the first member of the first kind, the median $m_{W}$ of the generated events with the smallest and with the largest weights, and of true events.
# :::

# %% [markdown]
# :::{solution} ex-top-differential-jets
# :class: dropdown
# Events with small weights have jet pairs far from the $W$ boson's mass: the narrow peak is what the network has not learned.
# :::

# %% tags=["hide-input"]
extra, kind = next(iter(ensembles))
events, reference = study.events(extra, kind)[0], study.truth[extra].references["holdout"]
used = min(distances[extra, kind, "holdout"][0].used, 10_000)
ratio = held_out_events(PROCESSES[extra], reference[:used], events.first(used), seed)
events = events.first(used + 20_000)[used:]
order, mass_w = np.argsort(ratio(events)), PROCESSES[extra].observable("m_W1")(events)
tenth = len(order) // 10
true_w = PROCESSES[extra].observable("m_W1")(ratio.reference_events)
for name, values in {"smallest": mass_w[order[:tenth]], "largest": mass_w[order[-tenth:]], "true": true_w}.items():
    print(
        f"{name}: median {np.median(values):.0f} GeV, between {np.quantile(values, 0.16):.0f} and {np.quantile(values, 0.84):.0f}"
    )
print(f"AUC {rounded(ratio.auc()[0])}")
