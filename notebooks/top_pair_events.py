# %% [markdown]
# (sec-top-events)=
# # Top pairs
#
# The events that the next part of this book learns from: $t\bar t$ without additional jets and with four, both tops decaying to quarks. This page looks at them before any generator does: are the masses where they should be, do training sample and
# holdout agree, and how far is this sample from the one of the paper?

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from itertools import combinations, product

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from gampl import plots
from gampl.particles import delta_r
from gampl.processes import TopPair
from gampl.processes.top_pair import M_TT_REGION
from gampl_book import ROOT
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.studies import event_file

page = Page("top_pair_events", profile, seed)
PROCESSES = {0: TopPair(0), 4: TopPair(4)}
COLORS = {0: plots.ESTIMATE, 4: plots.MODEL}
events = {
    extra: {
        sample: process.load(sample, ROOT / event_file(f"top_pair_{extra}j", profile))
        for sample in ("train", "holdout")
    }
    for extra, process in PROCESSES.items()
}


def values(name: str, extra: int, sample: str) -> np.ndarray:
    """An observable of all events of a sample."""
    return PROCESSES[extra].observable(name)(events[extra][sample].momenta)


# %% [markdown]
# ## How many
#
# The sizes of the paper, Eq. (39), beside those of the files that this page has read. They come from one production; {ref}`how an event is made <sec-making>` is told on the page before. With $t\bar t$ + 4 jets being {glue:text}`top_pair_events_rarer` times rarer, its samples here are small.

# %% tags=["hide-input"]
paper_sizes = {0: {"train": 5e5, "holdout": 8e6}, 4: {"train": 2e5, "holdout": 2e5}}
rows = []
for extra, samples in events.items():
    for sample, found in samples.items():
        page.record(f"n_{sample}_{extra}j", len(found))
        wanted = paper_sizes[extra][sample]
        rows.append(
            [rf"$t\bar t$ + {extra} jets", sample, len(found), rounded(wanted, 1), f"{len(found) / wanted:.2g}"]
        )
page.record("rarer", len(events[0]["train"]) / len(events[4]["train"]), digits=2)
markdown_table(["", "sample", "events here", "in the paper", "ratio"], rows)

# %% tags=["hide-input"]
momenta = np.concatenate([events[0][s].momenta for s in ("train", "holdout")])
closest = min(delta_r(momenta[:, i], momenta[:, k]).min() for i, k in combinations(range(6), 2))
page.record("smallest_pt", momenta[..., 0].min(), digits=4)
page.record("smallest_delta_r", closest, digits=4)
page.record("largest_eta", np.abs(momenta[..., 2]).max(), digits=3)

# %% [markdown]
# All of them have passed the cuts of Eq. (38), and reach up to them: without additional jets the smallest $p_T$ is {glue:text}`top_pair_events_smallest_pt` GeV, the smallest $\Delta R$ {glue:text}`top_pair_events_smallest_delta_r` and the largest $|\eta|$ {glue:text}`top_pair_events_largest_eta`.
#
# ## Masses and momenta
#
# With four additional jets (orange) there are ten to choose from, and usually the true decay products are among them: $W$ and top have sharp peaks. Without additional jets (blue) there are exactly six, and in many events one of them is radiation off
# the initial state that has taken the place of a decay jet that was lost. The reconstruction must use it, and the masses get a long tail. Histograms are training events, lines with error bars the holdout.

# %% mystnb={"figure": {"name": "fig-control", "caption": "Training events (filled steps) and holdout (points with statistical error), normalised to one, for no additional jets (blue) and four (orange)."}, "image": {"alt": "Eight panels of histograms: masses of W and top, chi squared, transverse momenta of the first b-jet and the last light jet, pseudorapidity of a light jet, distance of two light jets, sum of transverse momenta. Points lie on the steps."}} tags=["hide-input"]
PANELS = {
    "m_W1": np.linspace(30, 200, 52), "m_t1": np.linspace(80, 450, 52), "log10(chi2)": np.linspace(-2, 5, 46),
    "HT": np.linspace(150, 1100, 46), "pT(b1)": np.linspace(20, 320, 46), "pT(q4)": np.linspace(20, 140, 46),
    "eta(q3)": np.linspace(-5, 5, 46), "deltaR(q1,q2)": np.linspace(0, 6, 46),
}  # fmt: skip
figure, axes = plt.subplots(2, 4, figsize=(11, 5.2))
data = {}
for ax, (name, edges) in zip(axes.flat, PANELS.items(), strict=True):
    for extra in events:
        of = {
            s: np.log10(e.columns["chi2"]) if name.startswith("log10") else values(name, extra, s)
            for s, e in events[extra].items()
        }
        width = np.diff(edges)
        train, holdout = (np.histogram(of[s], edges)[0] for s in ("train", "holdout"))
        ax.stairs(train / len(of["train"]) / width, edges, color=COLORS[extra], fill=True, alpha=0.25)
        ax.stairs(train / len(of["train"]) / width, edges, color=COLORS[extra], lw=1)
        merged = holdout.reshape(-1, 2 if len(holdout) % 2 == 0 else 3) if extra == 4 else holdout[:, None]
        step = merged.shape[1]
        centres = (edges[:-1:step] + edges[step::step]) / 2
        height = merged.sum(1) / len(of["holdout"]) / (width[0] * step)
        ax.errorbar(
            centres,
            height,
            np.sqrt(merged.sum(1)) / len(of["holdout"]) / (width[0] * step),
            fmt=".",
            ms=2.5,
            lw=0.8,
            color=COLORS[extra],
        )
        data[f"{name} {extra}j"] = {"low": edges[:-1], "train": train, "holdout": holdout}
    ax.set(
        xlabel=r"$\log_{10}\chi^2$" if name.startswith("log10") else PROCESSES[0].observable(name).axis,
        xlim=edges[[0, -1]],
        yticks=[],
    )
page.figure(figure, "control", data)

# %% tags=["hide-input"]
for extra, name in product(events, ("m_W1", "m_t1")):
    page.record(f"median_{name}_{extra}j", np.median(np.concatenate([values(name, extra, s) for s in events[extra]])))

# %% [markdown]
# The medians of $m_W$ are {glue:text}`top_pair_events_median_m_W1_0j` and {glue:text}`top_pair_events_median_m_W1_4j` GeV, those of $m_t$ {glue:text}`top_pair_events_median_m_t1_0j` and {glue:text}`top_pair_events_median_m_t1_4j` GeV.
#
# Both samples are drawn from the same distribution, with different seeds. So a Kolmogorov-Smirnov test of any observable gives $p$-values that are uniform between 0 and 1. The observables of one event are correlated, and their $p$-values with them: how many of twenty are small by chance is found
# by shuffling the events of both samples {glue:text}`top_pair_events_permutations` times.

# %% tags=["hide-input"]
NAMES = [
    "m_tt", "m_W1", "m_W2", "m_t1", "m_t2", "HT", "pT(b1)", "pT(q1)", "pT(q4)", "eta(b1)", "eta(q3)", "phi(q2)", "m(b2)",
    "m(q1)", "deltaR(b1,b2)", "deltaR(q1,q2)", "deltaR(t1,t2)", "pT_tt", "y_tt", "deltaphi(t1,t2)",
]  # fmt: skip
permutations = page.settings["permutations"]
page.record("permutations", permutations)


def p_values(orders: list[np.ndarray], in_train: np.ndarray) -> np.ndarray:
    """One Kolmogorov-Smirnov test for each observable, given the order of its values and who is in the training sample."""
    n = np.array([in_train.sum(), (~in_train).sum()])
    steps = np.where(in_train, 1 / n[0], -1 / n[1])
    distances = np.array([np.abs(np.cumsum(steps[order])).max() for order in orders])
    return stats.kstwobign.sf(distances * np.sqrt(n.prod() / n.sum()))


p, small = {}, {}
for extra, samples in events.items():
    orders = [np.argsort(np.concatenate([values(name, extra, s) for s in samples])) for name in NAMES]
    in_train = np.arange(len(orders[0])) < len(samples["train"])
    p[extra], rng = p_values(orders, in_train), page.rng(extra)
    small[extra] = np.array([(p_values(orders, rng.permutation(in_train)) < 0.1).sum() for _ in range(permutations)])
    page.record(f"smallest_p_{extra}j", p[extra].min(), digits=2)
    page.record(f"small_p_{extra}j", int((p[extra] < 0.1).sum()))
    page.record(f"as_many_{extra}j", 100 * np.mean(small[extra] >= (p[extra] < 0.1).sum()), digits=2)

joint = sum(small.values()) >= sum((q < 0.1).sum() for q in p.values())
page.record("as_many_joint", 100 * np.mean(joint), digits=2)

# %% mystnb={"figure": {"name": "fig-p-values", "caption": "Left: p-values of the twenty tests in order. Right: how many are below 0.1, here (lines) and when events are shuffled between the samples (steps)."}, "image": {"alt": "Left, two rising staircases beside the diagonal. Right, two histograms that fall from one or two, with a vertical line for each sample in their tails."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5))
for extra in events:
    left.plot(
        np.sort(p[extra]), (np.arange(20) + 1) / 20, "o-", ms=3, color=COLORS[extra], label=rf"$t\bar t$ + {extra} jets"
    )
    right.stairs(np.bincount(small[extra], minlength=13)[:13] / permutations, np.arange(14) - 0.5, color=COLORS[extra])
    right.axvline((p[extra] < 0.1).sum(), color=COLORS[extra], ls="--")
left.plot([0, 1], [0, 1], color=plots.STAT, lw=1, label="expected on average")
left.set(
    xlabel="$p$-value, training sample against holdout",
    ylabel="share of observables below",
    xlim=(0, 1),
    ylim=(0, 1.02),
)
left.legend()
right.set(xlabel="$p$-values below 0.1, out of 20", ylabel="share of permutations")
page.figure(figure, "p_values", {"observable": NAMES, "p_0j": p[0], "p_4j": p[4]})

# %% tags=["nbval-check-output", "hide-input"]
print("smallest p-value above 1e-4:", all(q.min() > 1e-4 for q in p.values()))

# %% [markdown]
# Without additional jets {glue:text}`top_pair_events_small_p_0j` are below 0.1, with four {glue:text}`top_pair_events_small_p_4j`; as many or more come by chance in {glue:text}`top_pair_events_as_many_0j` and {glue:text}`top_pair_events_as_many_4j` %, and as many in both together in {glue:text}`top_pair_events_as_many_joint` %. That is unusual, and a generator that is tested against this holdout inherits it. The seeds were fixed before anybody looked, and stay.

# %% [markdown]
# (sec-mtt)=
# ## The di-top mass
#
# Figure 12 of the paper shows $m_{t\bar t}$, the mass of the six decay jets, up to the region that the averaging estimate is applied to,
#
# $$2\ \mathrm{TeV} \leq m_{t\bar t} \leq 2.2\ \mathrm{TeV}. \tag{43}$$

# %% mystnb={"figure": {"name": "fig-mtt", "caption": "Di-top mass of training sample and holdout, without additional jets (left) and with four (right), as in Fig. 12 of the paper: density above, ratio of training sample to holdout below, with statistical errors. Grey: the region of Eq. (43)."}, "image": {"alt": "Two falling spectra of the di-top mass on a logarithmic axis, each with a ratio panel that scatters around one; the region from 2 to 2.2 TeV is shaded."}} tags=["hide-input"]
low, high = M_TT_REGION
edges = np.linspace(200, 2400, 45)
figure, axes = plt.subplots(2, 2, figsize=(9, 4.8), sharex=True, height_ratios=[3, 1.4])
data = {"low": edges[:-1]}
for (top, bottom), extra in zip(axes.T, events, strict=True):
    count = {s: np.histogram(values("m_tt", extra, s), edges)[0] for s in ("train", "holdout")}
    size = {s: len(events[extra][s]) for s in count}
    for sample, color in (("holdout", plots.TRUE), ("train", COLORS[extra])):
        top.stairs(count[sample] / size[sample] / np.diff(edges), edges, color=color, lw=1.3, label=sample)
        data[f"{sample}_{extra}j"] = count[sample]
    filled = (count["train"] > 0) & (count["holdout"] > 0)
    ratio = (count["train"] / size["train"])[filled] / (count["holdout"] / size["holdout"])[filled]
    error = ratio * np.sqrt(1 / count["train"][filled] + 1 / count["holdout"][filled])
    bottom.errorbar(((edges[1:] + edges[:-1]) / 2)[filled], ratio, error, fmt=".", ms=3, lw=0.8, color=COLORS[extra])
    bottom.axhline(1, color=plots.STAT, lw=1)
    for ax in (top, bottom):
        ax.axvspan(low, high, color="0.88", lw=0, zorder=0)
    top.set(yscale="log", title=rf"$t\bar t$ + {extra} jets", ylabel="density [1/GeV]")
    bottom.set(xlabel=PROCESSES[extra].observable("m_tt").axis, ylim=(0, 2), ylabel="train / holdout")
    top.legend()
page.figure(figure, "mtt", data)

# %% [markdown]
# How many events are in the region? The interval is the exact binomial one of Clopper and Pearson, with training sample and holdout together.

# %% tags=["hide-input"]
PAPER = {0: (8e-4, 1e-5), 4: (2e-4, 3e-5)}


def share(inside: int, size: int, level: float = 0.683):
    """Share of events and its Clopper-Pearson interval."""
    interval = stats.binomtest(int(inside), int(size)).proportion_ci(level, "exact")
    return inside / size, (interval.low, interval.high)


def both(extra: int, name: str = "m_tt") -> np.ndarray:
    return np.concatenate([values(name, extra, s) for s in ("train", "holdout")])


rows = []
for extra, (paper, error) in PAPER.items():
    m = both(extra)
    inside = int(((m >= low) & (m < high)).sum())
    value, interval = share(inside, m.size, 0.95)
    page.record(f"region_{extra}j", 1e4 * value, [1e4 * x for x in interval], level=0.95, digits=2)
    page.record(f"inside_{extra}j", inside)
    rows.append(
        [
            rf"$t\bar t$ + {extra} jets",
            inside,
            f"{1e4 * value:.2g} ({1e4 * interval[0]:.2g} to {1e4 * interval[1]:.2g})",
            f"{1e4 * paper:.2g} ± {1e4 * error:.1g}",
        ]
    )
markdown_table(["", "events in the region", "share in $10^{-4}$, 95 %", "paper"], rows)

# %% [markdown]
# (sec-differs)=
# ## What differs from the paper's sample, and by how much
#
# Without additional jets our sample has {glue:text}`top_pair_events_region_0j`$\cdot 10^{-4}$ of its events in the region, against the paper's 8. What are these events? Two looks: the largest $|\eta|$ of their six jets, and the mass of the
# hard process that made them, which the simulation knows.

# %% tags=["hide-input"]
column = {
    name: np.concatenate([events[0][s].columns[name] for s in ("train", "holdout")]) for name in ("chi2", "m_hat")
}
m_tt, farthest = both(0), np.abs(momenta[..., 2]).max(axis=1)
in_region = (m_tt >= low) & (m_tt < high)
forward = share((farthest[in_region] > 2.5).sum(), in_region.sum())
heavy = share(((column["m_hat"][in_region] > 1800) & (column["m_hat"][in_region] < 2600)).sum(), in_region.sum())
page.record("forward_in_region", 100 * forward[0], [100 * x for x in forward[1]], level=0.683, digits=2)
page.record("heavy_in_region", 100 * heavy[0], [100 * x for x in heavy[1]], level=0.683, digits=2)
page.record("forward_in_all", 100 * np.mean(farthest > 2.5), digits=2)

# %% mystnb={"figure": {"name": "fig-differs", "caption": "Left: largest pseudorapidity of the six jets, for all events and for those in the region of Eq. (43), no additional jets. Middle and right: share of events in the region if only jets with smaller pseudorapidity, or only assignments with smaller chi squared, are accepted; 95 % bands. Dashed: the paper."}, "image": {"alt": "Left, two histograms: events of the region lie at larger pseudorapidity. Middle and right: the share in the region falls steeply with either cut and crosses the dashed line of the paper."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6))
edges = np.linspace(0, 5, 26)
axes[0].stairs(np.histogram(farthest, edges, density=True)[0], edges, color=plots.STAT, label="all events")
axes[0].stairs(np.histogram(farthest[in_region], edges, density=True)[0], edges, color=COLORS[0], label="in the region")
axes[0].set(xlabel=r"largest $|\eta|$ of the six jets", ylabel="density")
axes[0].legend(loc="upper left")
scans = {"eta_max": (farthest, np.linspace(2.0, 5.0, 25)), "chi2_max": (column["chi2"], np.geomspace(10, 1e5, 25))}
data = {}
for ax, (name, (cut_on, cuts)) in zip(axes[1:], scans.items(), strict=True):
    results = [share((in_region & (cut_on < c)).sum(), (cut_on < c).sum(), 0.95) for c in cuts]
    band = np.array([interval for _, interval in results])
    ax.fill_between(cuts, *band.T, color=COLORS[0], alpha=0.3, lw=0)
    ax.plot(cuts, [value for value, _ in results], color=COLORS[0])
    ax.axhline(PAPER[0][0], color=plots.TRUE, ls="--", lw=1)
    ax.set(yscale="log", ylim=(3e-5, 1e-2), ylabel="share in the region")
    data[name] = {"cut": cuts, "share": [value for value, _ in results], "low": band[:, 0], "high": band[:, 1]}
axes[1].set(xlabel=r"$|\eta_j| <$")
axes[2].set(xlabel=r"$\chi^2 <$", xscale="log")
page.figure(figure, "differs", data)

# %% tags=["hide-input"]
for name, found in {
    "eta_2.5": farthest < 2.5,
    "chi2_1000": column["chi2"] < 1000,
    "chi2_3000": column["chi2"] < 3000,
}.items():
    value, interval = share((in_region & found).sum(), found.sum(), 0.95)
    page.record(f"region_{name.replace('.', '')}", 1e4 * value, [1e4 * x for x in interval], level=0.95, digits=2)
    page.record(f"kept_{name.replace('.', '')}", 100 * found.mean(), digits=2)

order = np.argsort(column["chi2"])
running = np.cumsum(in_region[order]) / np.arange(1, order.size + 1)
page.record("chi2_crossing", column["chi2"][order][np.flatnonzero(running < PAPER[0][0])[-1]], digits=2)

# %% [markdown]
# {glue:text}`top_pair_events_forward_in_region` % of the events in the region have a jet beyond $|\eta|=2.5$, of all events {glue:text}`top_pair_events_forward_in_all` %; and only {glue:text}`top_pair_events_heavy_in_region` % ({glue:text}`top_pair_events_heavy_in_region_low` to
# {glue:text}`top_pair_events_heavy_in_region_high`) come from a hard process between 1.8 and 2.6 TeV. So the region is mostly filled by lighter top pairs with a forward jet, radiated off the initial state, that was taken for a decay jet. Its large rapidity gives a large mass.
#
# | with | events kept, % | share in the region, $10^{-4}$ |
# | --- | --- | --- |
# | $\|\eta_j\|<2.5$ | {glue:text}`top_pair_events_kept_eta_25` | {glue:text}`top_pair_events_region_eta_25` ({glue:text}`top_pair_events_region_eta_25_low` to {glue:text}`top_pair_events_region_eta_25_high`) |
# | $\chi^2<1000$ | {glue:text}`top_pair_events_kept_chi2_1000` | {glue:text}`top_pair_events_region_chi2_1000` ({glue:text}`top_pair_events_region_chi2_1000_low` to {glue:text}`top_pair_events_region_chi2_1000_high`) |
# | $\chi^2<3000$ | {glue:text}`top_pair_events_kept_chi2_3000` | {glue:text}`top_pair_events_region_chi2_3000` ({glue:text}`top_pair_events_region_chi2_3000_low` to {glue:text}`top_pair_events_region_chi2_3000_high`) |
#
# Central jets alone bring the share down to the paper's 8 and below, and so does a cut on $\chi^2$ below about {glue:text}`top_pair_events_chi2_crossing`. Whether the published chain has one of the two, or its matrix elements with additional partons (MadGraph) make softer forward jets than Pythia's shower, we cannot tell: the paper's cuts are
# those of Eq. (38), without either. So this book does not claim to have the paper's sample. It keeps Eq. (38) as printed and offers both cuts: `TopPair().select(events, Cuts(eta_max=2.5))` and `events[events.columns["chi2"] < 1000]`.
#
# What this means for amplification: the estimates compare a generator with *its* training sample. They can be made with any sample, and the region of Eq. (43) holds {glue:text}`top_pair_events_inside_0j` events here.
#
# ## Exercises

# %% [markdown]
# :::{exercise}
# :label: ex-top-region
#
# A region at the end of a spectrum should hold enough training events for the plateau of the averaging estimate to be interesting, but few enough to be hard to learn. Find the mass above which 1 % of the training events lie, for no additional jets and for four. How many are that?
# :::

# %% [markdown]
# :::{solution} ex-top-region
# :class: dropdown
# It is the 99 % quantile of $m_{t\bar t}$, and one event in a hundred of the training sample lies above it, however far that is: the smaller the sample, the fewer.
# :::

# %% tags=["hide-input"]
for extra in events:
    m = values("m_tt", extra, "train")
    print(f"{extra} additional jets: {np.quantile(m, 0.99):.0f} GeV, {m.size // 100} of {m.size} training events above")

# %% [markdown]
# :::{exercise}
# :label: ex-top-radiation
#
# Radiation makes jets that the reconstruction mistakes for decays. Among events without additional jets, compare the median $\chi^2$ of those whose farthest jet has $|\eta|<2$ and of those with $|\eta|>3$. What share of the latter has $m_{t\bar t}>1$ TeV?
# :::

# %% [markdown]
# :::{solution} ex-top-radiation
# :class: dropdown
# A jet far forward is seldom a decay product of a top. Where it is taken for one, the masses of $W$ boson and top come out wrong, which is what $\chi^2$ measures, and with jets on the other side it makes a large $m_{t\bar t}$. The numbers of both groups follow.
# :::

# %% tags=["hide-input"]
for name, chosen in {"|eta| < 2": farthest < 2, "|eta| > 3": farthest > 3}.items():
    print(
        f"{name}: median chi² {np.median(column['chi2'][chosen]):.0f}, above 1 TeV {np.mean(m_tt[chosen] > 1000):.1%}"
    )
