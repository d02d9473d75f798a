# %% [markdown]
# (sec-top-averaging)=
# # Averaging amplification of top pairs
#
# How many true events are the {ref}`generators of top pairs <sec-top-generators>` worth, if what matters is the number of events with a large di-top mass? This is section 5.1 of the paper. Members of an ensemble disagree about that number; part of it is counting noise, the rest is the plateau from which
# $\nequiv$ is read off. Where the holdout is large, the truth can be asked as well.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from scipy import stats

from gampl import averaging, plots
from gampl.basics import Interval
from gampl.processes.top_pair import M_TT_REGION
from gampl.regions import Intervals
from gampl_book.event_studies import EXTRA_JETS, TITLES
from gampl_book.kept_results import beside, larger_runs, same_events
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.top_pair_study import COLOURS, TopPairStudy, process_title
from gampl_book.verdicts import LEVEL

page = Page("top_pair_averaging", profile, seed)
study = TopPairStudy.of(page)
KINDS, KEYS, PROCESSES, ensembles, n_gen = study.kinds, study.names, study.processes, study.ensembles, study.n_gen
n_train = {extra: truth.n_train for extra, truth in study.truth.items()}
masses = {extra: truth.masses for extra, truth in study.truth.items()}
for extra in EXTRA_JETS:
    page.record(f"n_masses_{extra}j", len(masses[extra]) if extra in masses else np.nan)
low, high = page.settings["region"]
page.record("low", int(low))
page.record("high", int(high))

# %% [markdown]
# ## The region
#
# The paper counts events in $2\ \mathrm{TeV}\leq m_{t\bar t}\leq 2.2\ \mathrm{TeV}$, Eq. (43). Of {glue:text}`top_pair_averaging_n_train_0j` training events about {glue:text}`top_pair_averaging_inside_paper_0j` are expected there, of {glue:text}`top_pair_averaging_n_gen_0j` generated ones for each member about {glue:text}`top_pair_averaging_generated_paper_0j`. Where that is little more than
# counting noise another region serves better: that of this run is $m_{t\bar t}$ from {glue:text}`top_pair_averaging_low` to {glue:text}`top_pair_averaging_high` GeV, fixed before any generator was trained. As a second choice, *all masses*, ten intervals of $m_{t\bar t}$ that hold equal shares of the holdout are combined as in Eq. (19).

# %% tags=["hide-input"]
REGIONS = {"region": f"{low:g} to {high:g} GeV", "all": "all masses"}


def share(values: np.ndarray, regions: Intervals) -> np.ndarray:
    return np.array([np.mean((values >= a) & (values < b)) for a, b in zip(regions.low, regions.high, strict=True)])


truth = {
    (extra, name): share(masses[extra], study.truth[extra].regions[name]) for extra in PROCESSES for name in REGIONS
}
rows = []
for extra in PROCESSES:
    for name, (a, b) in {"this run": (low, high), "Eq. (43)": M_TT_REGION}.items():
        inside = int(((masses[extra] >= a) & (masses[extra] < b)).sum())
        interval = stats.binomtest(inside, masses[extra].size).proportion_ci(LEVEL, "exact")
        key = "region" if name == "this run" else "paper"
        page.record(
            f"share_{key}_{extra}j", 100 * inside / masses[extra].size, [100 * x for x in interval], LEVEL, digits=3
        )
        rows.append(
            [
                f"{process_title(extra)}, {name}",
                inside,
                f"{100 * inside / masses[extra].size:.2f} ({100 * interval.low:.2f} to {100 * interval.high:.2f})",
                f"{n_train[extra] * inside / masses[extra].size:.0f}",
            ]
        )
    if extra == 0:
        page.record("inside_paper_0j", n_train[extra] * inside / masses[extra].size, digits=2)
        page.record("generated_paper_0j", max(n_gen.values()) * inside / masses[extra].size, digits=2)
markdown_table(["", "holdout events inside", "share in %, 95 %", "training events expected inside"], rows)

# %% [markdown]
# ## The curves
#
# The members' integrals are counted at growing numbers of generated events. Lost events would count as outside; there are none beyond the tolerated share, or the estimate would refuse.

# %% tags=["hide-input"]
results, counted, notes = (
    {},
    {},
    [[process, generator, f"member {m}: {why}"] for process, generator, m, why in study.left_out()],
)
for (extra, kind), found in ensembles.items():
    if len(found) < 2:
        notes.append([process_title(extra), TITLES[kind], "fewer than two members are left"])
        continue
    for name in REGIONS:
        counts, lost = study.counts(extra, kind, name)
        if counts.shape[1] < 2:
            notes.append(
                [process_title(extra), TITLES[kind], f"{REGIONS[name]}: fewer than two members can be counted"]
            )
            continue
        # steps at which no region is empty for all members, and they do not agree by chance
        filled = (counts.sum(axis=1) > 0).all(axis=-1) & (counts.std(axis=1) > 0).any(axis=-1)
        if not filled[-1]:
            notes.append([process_title(extra), TITLES[kind], f"{REGIONS[name]}: a region without events"])
            continue
        counted[extra, kind, name] = counts[-1]
        results[extra, kind, name] = averaging.from_counts(
            counts[filled], study.sizes(extra, kind)[filled], n_train[extra], level=LEVEL, truth=truth[extra, name]
        )
    page.record(f"lost_{extra}j_{KEYS[kind]}", lost)
notes += [[process, generator, f"member {m}: {why}"] for (process, generator, m), why in study.problems.items()]
markdown_table(["process", "generator", "left out"], notes or [["none", "", ""]])


# %% tags=["hide-input"]
def draw(name: str, figure_name: str) -> None:
    figure, axes = plt.subplots(1, len(PROCESSES), figsize=(5 * len(PROCESSES), 4.6), squeeze=False)
    axes, data = axes.ravel(), {}
    for ax, extra in zip(axes, PROCESSES, strict=True):
        for kind in KINDS:
            if (extra, kind, name) not in results:
                continue
            result, color = results[extra, kind, name], COLOURS[kind]
            curve = result.curve
            ax.plot(curve.n_gen, curve.sigma_est, color=color, lw=1.8, label=f"{TITLES[kind]}, estimated")
            data[f"{extra}j {kind}"] = {
                "n_gen": curve.n_gen,
                "sigma_est": curve.sigma_est,
                "sigma_true": curve.sigma_true,
            }
            if extra == 0:
                ax.plot(curve.n_gen, curve.sigma_true, color=color, lw=1.3, ls="--", label=f"{TITLES[kind]}, true")
        sizes = np.geomspace(200, 3 * max(n for (e, _), n in n_gen.items() if e == extra), 50)
        spread = np.sqrt((truth[extra, name] * (1 - truth[extra, name])).sum() / sizes)
        ax.plot(sizes, spread, color=plots.TRUE, lw=1, label=r"true events, $\sigma_{\rm stat}$")
        ax.axvline(n_train[extra], color="0.4", ls=":", lw=1, label=r"$n_{\rm train}$")
        ax.set(xscale="log", yscale="log", xlabel=r"$n_{\rm gen}$", title=f"{process_title(extra)}, {REGIONS[name]}")
    axes[0].set_ylabel("uncertainty of the integral")
    plots.shared_legend(axes, columns=4)
    page.figure(figure, figure_name, data)


# %% mystnb={"figure": {"name": "fig-top-averaging", "caption": "Averaging test for the high-mass region, as in Fig. 13 of the paper: spread of the members' integrals against the number of generated events (solid), and their deviation from the holdout (dashed, only without additional jets: with four the holdout is small). A curve that leaves the black line left of the dotted one does not amplify."}, "image": {"alt": "Two log-log panels, no additional jets and four: curves for each generator follow the falling statistical line and bend into plateaus."}} tags=["hide-input"]
draw("region", "top_averaging")

# %% mystnb={"figure": {"name": "fig-top-averaging-all", "caption": "The same for ten intervals of the di-top mass combined."}, "image": {"alt": "Two log-log panels like the ones before, for all masses."}} tags=["hide-input"]
draw("all", "top_averaging_all")

# %% [markdown]
# ## Which generator amplifies most?
#
# The table reads $G=\nequiv/\ntrain$ off the last point. The *true* $G$ has the holdout's share in place of the members' mean. The holdout has {glue:text}`top_pair_averaging_n_masses_0j` events without additional jets, most of which are kept as observables only, so that it can tell an $\nequiv$ from infinity up to about that number; with four there are {glue:text}`top_pair_averaging_n_holdout_4j`, beside
# {glue:text}`top_pair_averaging_n_train_4j` that were trained on, and the paper shows no true curve there either; the interval of the true $G$ in the region is that of the holdout's share. The *pull* is the distance of the members' mean from the holdout in units of the members' spread and the holdout's own error, for the region only.
# A posterior that is right has pulls of order one: its members share the fluctuation of their training events, which does not average out, so that the spread is not divided by the root of their number.


# %% tags=["hide-input"]
def true_interval(extra: int, kind: str) -> Interval:
    """Of the true G in the region: its smallest and largest value in the exact interval of the holdout's share."""
    counts, size = counted[extra, kind, "region"], masses[extra].size
    inside = round(float(truth[extra, "region"][0]) * size)
    low, high = stats.binomtest(inside, size).proportion_ci(LEVEL, "exact")
    members = np.clip(counts.mean() / n_gen[extra, kind], low, high)  # where the true G is largest
    shares = np.append(np.linspace(low, high, 41), members)
    found = [
        averaging.from_counts(counts, n_gen[extra, kind], n_train[extra], truth=[share]).G_true for share in shares
    ]
    return Interval(min(found), max(found))


def pull(extra: int, kind: str) -> float:
    """Of the mean share of the region."""
    shares = counted[extra, kind, "region"][:, 0] / n_gen[extra, kind]
    p = truth[extra, "region"][0]
    variance = shares.var(ddof=1) + p * (1 - p) / masses[extra].size
    return float((shares.mean() - p) / np.sqrt(variance))


rows = []
for extra, kind, name in product(PROCESSES, KINDS, REGIONS):
    if (extra, kind, name) not in results:
        absent = [f"G_{name}"] + ["agree"] * (name == "region") + [f"G_true_{name}"] * (extra == 0)
        for number in absent:
            page.record(f"{number}_{extra}j_{KEYS[kind]}", np.nan)
        continue
    result = results[extra, kind, name]
    page.record(f"G_{name}_{extra}j_{KEYS[kind]}", result.G, result.interval, result.level, digits=2)
    row = [process_title(extra), TITLES[kind], REGIONS[name], f"$G$ {result.words}"]
    if extra == 0:
        of_holdout = (true_interval(extra, kind), LEVEL) if name == "region" else ()
        page.record(f"G_true_{name}_{extra}j_{KEYS[kind]}", result.G_true, *of_holdout, digits=2)
        ends = f" ({' to '.join(rounded(end, 2) for end in of_holdout[0])})" if of_holdout else ""
        row.append(f"{rounded(result.G_true, 2)}{ends}")
    else:
        row.append("")
    row.append("")
    if name == "region":
        row[-1], members = rounded(found := pull(extra, kind), 2), result.n_members
        # a right posterior: the truth is one more draw, the spread that of few members
        page.record(f"agree_{extra}j_{KEYS[kind]}", stats.t.cdf(found / np.sqrt(1 + 1 / members), members - 1))
    rows.append(row)
markdown_table(["", "generator", "", "estimated (95 %)", "true", "pull"], rows)

# %% mystnb={"figure": {"name": "fig-top-averaging-summary", "caption": "Averaging amplification of all generators: estimated with its 95 % interval (filled; arrows reach to infinity), and true where the holdout is large enough (crosses)."}, "image": {"alt": "Two panels of points with error bars, one row for each generator, for the high-mass region and all masses; crosses mark the true values."}} tags=["hide-input"]
figure, axes = plt.subplots(1, len(PROCESSES), figsize=(4.75 * len(PROCESSES), 3.6), sharey=True, squeeze=False)
axes, data = axes.ravel(), {}
for ax, extra in zip(axes, PROCESSES, strict=True):
    for (row, kind), (shift, name) in product(enumerate(KINDS), ((-0.14, "region"), (0.14, "all"))):
        if (extra, kind, name) not in results:
            continue
        result = results[extra, kind, name]
        lower, upper = result.interval
        right = min(upper, 1e3)
        color, marker = COLOURS[kind], "o" if name == "region" else "s"
        label = REGIONS[name] if row == 0 else None
        ax.plot([lower, right], [row + shift] * 2, color=color, lw=1.5)
        if np.isinf(upper):
            ax.plot(right, row + shift, ">", color=color, ms=5)
        ax.plot(result.G if np.isfinite(result.G) else lower, row + shift, marker, color=color, ms=6, label=label)
        if extra == 0:
            ax.plot(
                result.G_true,
                row + shift,
                "x",
                color=plots.TRUE,
                ms=7,
                label="true" if row == 0 and shift < 0 else None,
            )
        data[f"{extra}j {kind} {name}"] = {"G": result.G, "interval": result.interval, "G_true": result.G_true}
    ax.axvline(1, color="0.5", lw=1, ls=":")
    ax.set(xscale="log", xlabel="amplification factor $G$", title=process_title(extra))
axes[0].set_yticks(range(len(KINDS)), [TITLES[kind] for kind in KINDS])
axes[0].invert_yaxis()
plots.shared_legend(axes, columns=3)
page.figure(figure, "top_averaging_summary", data)

# %% [markdown]
# ### Larger runs
#
# This page can be run at other sizes, `make book PROFILE=...`. Results of larger runs are kept in `data/results` with their settings, seeds, commit, device, time and checksums of the events, and are shown here beside those of this run; nothing else on this page comes from them. Region and holdout are those of each run's own profile. The rows below say how the members of a run were made; those that each hold back a fifth (*deep*) have a $G$ that is too large for that ({ref}`sec-members`).
#
# More members shorten the interval of an estimate; they do not make its members see a bias that they share. Below the table stands for which generators the interval holds the true value, in this run and in larger ones.

# %% tags=["hide-input"]
NUMBERS = {
    f"{process_title(extra)}, {TITLES[kind]}, {words}": f"{symbol}_region_{extra}j_{KEYS[kind]}"
    for extra, kind in product(PROCESSES, KINDS)
    for words, symbol in (("$G$ in the region", "G"), ("true $G$", "G_true"))
    if (extra, kind, "region") in results and (symbol == "G" or extra == 0)
}
display(beside(page, NUMBERS))
for run, recorded in {page.profile: page.recorded, **larger_runs(page)}.items():
    pairs = {k: [recorded["numbers"].get(f"{x}_region_0j_{KEYS[k]}") for x in ("G", "G_true")] for k in KINDS}
    found = {
        TITLES[k]: float(estimate["interval"][0]) <= float(true["value"]) <= float(estimate["interval"][1])
        for k, (estimate, true) in pairs.items()
        if estimate and true and "interval" in estimate
    }
    held, missed = (", ".join(name for name, holds in found.items() if holds is wanted) for wanted in (True, False))
    level = 100 * max((estimate.get("level", 0) for estimate, _ in pairs.values() if estimate), default=0)
    print(f"{run}, no additional jets: the {level:.3g} % interval of G holds the true G for {held or 'none'}")
    print(f"{run}, no additional jets: it does not hold it for {missed or 'none'}")
if same := same_events(page):
    print(f"trained on the same events as this run: {', '.join(same)}")

# %% [markdown]
# ### What to make of it
#
# The paper, with larger networks, trained far longer on $5\cdot10^5$ and $2\cdot10^5$ events, finds $G<1$ for its transformer, $G\lesssim1$ for L-GATr and $G\gtrsim1$ for LLoCa without additional jets, and $G>1$ for all with four, about 10 for the two equivariant networks. With {glue:text}`top_pair_averaging_members` members the 95 % intervals of $G$ are as wide as the table shows, and smaller differences between the
# generators mean nothing. What can be compared is estimate and truth: an estimate that is much larger than the true value comes from members that agree with each other and not with the truth, because all are too small or too little trained *in the same way*. The pull tells: beyond two or three the members share a bias that their spread
# does not know. The averaging estimate cannot see such a bias, with any number of members; {ref}`sec-calibration` has more on this.

# %% tags=["nbval-check-output", "hide-input"]
print("estimates:", len(results))
print("every interval holds its estimate:", all(r.interval.low <= r.G <= r.interval.high for r in results.values()))

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise}
# :label: ex-top-averaging-paper
#
# Use the region of the paper, 2.0 to 2.2 TeV, for the first generator without additional jets. What is the interval of $G$, and what would be needed to shorten it?
# :::

# %% [markdown]
# :::{solution} ex-top-averaging-paper
# :class: dropdown
# The few generated events inside make counting noise that is as large as the members' spread: more generated events help until the members' number limits the interval.
# :::

# %% tags=["hide-input"]
extra, kind = next(iter(ensembles))
counts, _ = study.counts(extra, kind, "paper")
if counts.shape[1] > 1 and counts.sum() > 0:
    print(averaging.from_counts(counts[-1], n_gen[extra, kind], n_train[extra]))
else:
    print("no generated event lies in the region")

# %% [markdown]
# :::{exercise}
# :label: ex-top-averaging-observable
#
# The region is a choice, and $G$ belongs to it. Take the upper tenth of $p_T$ of the first b-jet instead: does the order of the generators stay the same?
# :::

# %% [markdown]
# :::{solution} ex-top-averaging-observable
# :class: dropdown
# With so few members the order is mostly chance; the true values show what the networks have learned about this observable.
# :::

# %% tags=["hide-input"]
for kind in KINDS:
    if (extra, kind) in ensembles and len(ensembles[extra, kind]) > 1:
        counts, _ = study.counts(extra, kind, "hard")
        if counts.shape[1] < 2:
            continue
        result = averaging.from_counts(counts[-1], n_gen[extra, kind], n_train[extra], truth=[0.1])
        print(f"{TITLES[kind]}: G{result.words}, true {result.G_true:.2g}")
