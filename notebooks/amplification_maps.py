# %% [markdown]
# (sec-maps)=
# # Maps of amplification
#
# "Amplification is already possible in specific regions of phase space" {cite}`forecasting`: in which ones? This page divides the {ref}`leading-order process <sec-leading-order>` into {glue:text}`amplification_maps_cells` cells of two observables, the mass $m$ of the top pair and the polar angle $|\cos\theta^*|$, and estimates $G$ in each of them, as anybody can without knowing the truth; then it looks at the truth.
#
# A map is many questions at once. If each cell has an interval of 95 %, and {glue:text}`amplification_maps_cells` cells are looked at, some cell will stand out where there is nothing. What the maps of this page mark is meant to hold for *all cells together*, with a probability of 95 %.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import contextlib
import io
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display
from matplotlib.colors import LogNorm
from myst_nb import glue
from scipy import stats

from gampl.cli.main import main
from gampl.generators.settings import Architecture
from gampl.regions import Intervals
from gampl.spread import Spread
from gampl.training import Fit, LeadingOrder, Training, train_members
from gampl_book import event_ensembles
from gampl_book.maps import Grid, bonferroni, estimated, familywise_level, true
from gampl_book.pages import Page, markdown_table, rounded

page = Page("amplification_maps", profile, seed)
n_train, sets, ensembles, members, steps, n_gen, n_truth, n_rows, n_columns, experiments, draws = page.settings.values()
for name in ("n_train", "sets", "ensembles", "members", "n_gen", "experiments"):
    page.record(name, page.settings[name])
process = event_ensembles.leading_order_process(LeadingOrder())

# %% [markdown]
# (sec-maps-intervals)=
# ## Intervals for all cells
#
# In each cell the estimate and its interval are those of {ref}`averaging <sec-averaging>`: $N$ members scatter with the variance $\smodel^2$, and $\chi^2_{N-1}$ has the interval. Two levels are meant to make a family of $C$ intervals hold together at 95 %; whether they do is {ref}`tested below <sec-maps-coverage>`:
#
# - *Bonferroni's*: each cell has an interval of level $1-0.05/C$. If each holds at its level, at most $0.05/C$ times $C$ of the cases are lost, whatever the cells have in common.
# - *Minimal p-values* {cite}`westfall_young`: cells are correlated, since a network that puts too many events into one takes them out of others. Normal members with the correlations that are seen are drawn again and again; the level is the smallest that holds all cells in 95 % of these experiments. It is never above Bonferroni's.
#
# Members that hardly know their own spread have long intervals, and the more so the higher the level. With $N=10$ members an interval of Bonferroni's level says $G>1$ only where the estimate is above {glue:text}`amplification_maps_needed_few`, with the {glue:text}`amplification_maps_members` members of this page above {glue:text}`amplification_maps_needed`. Maps need many members.

# %% tags=["hide-input"]
truth_sample = process.sample(n_truth, page.rng(0))
mass = process.observables["m_tt"]


def angle(events):
    """|cos theta*|, which a symmetric collision does not tell from its negative: (n, 4) -> (n,)."""
    return np.abs(process.observables["cos_theta"](events))


grid = Grid(Intervals.quantiles(truth_sample, n_rows, mass), Intervals.quantiles(truth_sample, n_columns, angle))
EXACT = grid.integrals(process)
CELLS = len(grid)
EACH = bonferroni(CELLS)
page.record("cells", CELLS)
page.record("least_percent", 100 * EXACT.min(), digits=2)
page.record("most_percent", 100 * EXACT.max(), digits=2)
for name, many in (("needed", members), ("needed_few", 10)):
    page.record(name, (many - 1) / stats.chi2.ppf((1 - EACH) / 2, many - 1), digits=2)

# %% [markdown]
# The exact probability of a cell is a three-dimensional integral of the density, by quadrature. The edges are quantiles of either observable, so that cells have {glue:text}`amplification_maps_least_percent` to {glue:text}`amplification_maps_most_percent` % of the events.
#
# *The estimate* comes from {glue:text}`amplification_maps_members` small spline flows, members of a {ref}`bootstrap ensemble <sec-members>`, all trained on the same {glue:text}`amplification_maps_n_train` events; there are {glue:text}`amplification_maps_ensembles` such ensembles with training sets of their own. *The truth* that it is about, what one such network is worth on average over training sets, comes from {glue:text}`amplification_maps_sets` networks with a training set each: mean squared deviations from the exact integrals, with a $\chi^2$ interval of as many degrees of freedom, for all cells together, too.

# %% tags=["hide-input"]
SPLINE = Architecture("spline", blocks=2, heads=1, width=16, components=8)
fit = Fit(steps, 128, 5e-3, warmup=steps // 10, validate_every=max(1, steps // 20), patience=6, ema=0.98)
failed = []


def counted(made):
    """Events of each network in each cell, (networks, cells)."""
    for one in made:
        failed.extend([one.failure] if one.failure else [])
        if one.history is not None:
            page.count_training(one.history.seconds, one.history.device)
    return np.array([grid.count(one.sample(n_gen, seed)).inside for one in made if not one.failure])


def trained(posterior, networks, data, name):
    training = Training(LeadingOrder(), n_train, SPLINE, posterior, networks, seed, fit)
    return train_members(training, data, parallel=networks, chunk=min(n_gen, 10_000), label=f"maps/{name}")


def drawn(stream):
    return process.sample(n_train + n_train // 4, page.rng(stream))


n_events = Training(LeadingOrder(), n_train, SPLINE, "independent").n_events
ALONE = counted(trained("independent", sets, lambda k: drawn(1000 + k)[:n_events], "truth"))
OF_SETS = [counted(trained("bootstrap", members, drawn(100 + k)[:n_train], k)) for k in range(ensembles)]
print("networks left out:", failed or "none")
BOTH = 1 - (1 - EACH) / 2  # two maps that hold together
TRUE, AT_BOTH = (true(ALONE, n_gen, n_train, EXACT, level) for level in (EACH, BOTH))
LEVELS = [familywise_level(table / n_gen, page.rng(10 + k), experiments=draws) for k, table in enumerate(OF_SETS)]
MAPS = [estimated(table, n_gen, n_train, EACH) for table in OF_SETS]
page.record("level_bonferroni", 100 * EACH, digits=4)
page.record("level_minimal", 100 * np.mean(LEVELS), digits=4)

# %% mystnb={"figure": {"name": "fig-maps", "caption": "Amplification in cells of mass and polar angle. Left: estimated from one ensemble, without the truth. Right: true, of networks with training sets of their own. Triangles: $G>1$ (up) or $G<1$ (down) is established at 95 % for all cells of a map together."}, "image": {"alt": "Two maps with rows of mass and columns of the polar angle. Each cell has a colour and the number of G, some have triangles that point up or down."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(12, 5.0), sharey=True)
finite = np.concatenate([m.G[np.isfinite(m.G)] for m in (MAPS[0], TRUE)])
most = max(finite.max(), 1 / finite.min(), 1.5)
ROWS, COLUMNS = (
    [f"{edge:.{digits}f}" for edge in parts.low[1:]] for parts, digits in ((grid.rows, 0), (grid.columns, 2))
)
for ax, one, title in zip(axes, (MAPS[0], TRUE), ("estimate", "truth"), strict=True):
    G = one.G.reshape(n_rows, n_columns)
    image = ax.pcolormesh(np.minimum(G, most), cmap="PuOr", norm=LogNorm(1 / most, most), edgecolors="white")
    for k, side in enumerate(one.side):
        row, column = divmod(k, n_columns)
        mark = {1: " ▲", -1: " ▼", 0: ""}[int(side)]
        dark = abs(np.log(min(G[row, column], most))) > 0.65 * np.log(most)
        ax.text(
            column + 0.5, row + 0.5, f"{G[row, column]:.2g}{mark}", ha="center", va="center", color="w" if dark else "k"
        )
    ax.set(xlabel=r"$|\cos\theta^*|$", title=title)
    ax.set_xticks(range(n_columns + 1), ["0", *COLUMNS, "1"])
    ax.set_yticks(range(n_rows + 1), [r"$2m_t$", *ROWS, r"$\infty$"])
    ax.tick_params(length=0)
axes[0].set_ylabel("$m$ [GeV]")
ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10) if 1 / most <= t <= most]
figure.colorbar(image, ax=axes, label="$G$", ticks=ticks, format="%g").ax.minorticks_off()
axes[0].set_yticklabels([r"$2m_t$", *ROWS, r"$\infty$"])
columns = {"exact": EXACT}
for title, one in (("estimate", MAPS[0]), ("truth", TRUE)):
    columns |= {title: one.G, f"{title} low": one.low, f"{title} high": one.high}
page.figure(figure, "maps", columns)


# %% tags=["hide-input"]
def marked(one):
    return [int((one.side == side).sum()) for side in (1, -1, 0)]


def named(k):
    row, column = divmod(int(k), n_columns)
    m, c = ([*ends] for ends in (("threshold", *ROWS, "the end"), ("0", *COLUMNS, "1")))
    return f"$m$ from {m[row]} to {m[row + 1]} GeV, $|\\cos\\theta^*|$ from {c[column]} to {c[column + 1]}"


for name, one in (("truth", TRUE), ("estimate", MAPS[0])):
    for what, number in zip(("above", "below", "open"), marked(one), strict=True):
        page.record(f"{name}_{what}", number)
page.record("G_least", TRUE.G.min(), (TRUE.low[TRUE.G.argmin()], TRUE.high[TRUE.G.argmin()]), EACH, digits=2)
page.record("G_most", TRUE.G.max(), (TRUE.low[TRUE.G.argmax()], TRUE.high[TRUE.G.argmax()]), EACH, digits=2)
together = Spread.of(ALONE / n_gen, n_gen)
off = Spread(together.integrals, n_gen, together.deviation(EXACT), (EXACT * (1 - EXACT)).sum(), 1.0)
page.record("G_all", off.binomial / off.model / n_train, digits=2)
display(
    Markdown(
        f"The truth has the largest $G$ at {named(TRUE.G.argmax())}, the smallest at {named(TRUE.G.argmin())}."
        f" By the true map $G>1$ is established in {marked(TRUE)[0]} of {CELLS} cells, $G<1$ in {marked(TRUE)[1]}; by"
        f" the estimate in {marked(MAPS[0])[0]} and {marked(MAPS[0])[1]}. Without control of multiplicity, with"
        f" intervals of 95 % for each cell, the estimate would mark"
        f" {CELLS - marked(estimated(OF_SETS[0], n_gen, n_train, 0.95))[2]} cells in all."
    )
)

# %% [markdown]
# The true $G$ of the cells goes from {glue:text}`amplification_maps_G_least` ({glue:text}`amplification_maps_G_least_low` to {glue:text}`amplification_maps_G_least_high`) to {glue:text}`amplification_maps_G_most` ({glue:text}`amplification_maps_G_most_low` to {glue:text}`amplification_maps_G_most_high`), where these intervals hold for all cells; all cells together, by Eq. (19), have {glue:text}`amplification_maps_G_all`.
#
# "This averaging amplification factor will depend strongly on the choice of integration region" says the paper in section 3.1. The largest and the smallest of many numbers are partly so by chance. So half of the training sets chooses two cells, and the other half says how far they are apart: {glue:text}`amplification_maps_apart` ({glue:text}`amplification_maps_apart_low` to {glue:text}`amplification_maps_apart_high` at 95 %) is the quotient of their $G$.

# %% tags=["hide-input"]
first, second = (true(half, n_gen, n_train, EXACT, 0.95) for half in (ALONE[::2], ALONE[1::2]))
ends = first.G.argmax(), first.G.argmin()
apart, nu = second.G[ends[0]] / second.G[ends[1]], len(ALONE[1::2])
page.record("apart", apart, apart * stats.f.ppf([0.025, 0.975], nu, nu), 0.95)

# %% [markdown]
# (sec-maps-coverage)=
# ## Does the map hold?
#
# *With planted truth.* In {glue:text}`amplification_maps_experiments` pseudo-experiments the members' integrals are drawn from a normal law with the covariance that the {glue:text}`amplification_maps_sets` networks above have, around a fluctuation of the training set from the same law, and {glue:text}`amplification_maps_n_gen` events of each are counted. So the true $G$ of every cell is known. The table has how often the intervals of *all* cells hold it, how often a map marks at least one cell wrongly, and how many cells it marks.

# %% tags=["hide-input"]
covariance = np.cov(ALONE / n_gen, rowvar=False) - (np.diag(EXACT) - np.outer(EXACT, EXACT)) / n_gen
values, vectors = np.linalg.eigh(covariance)
root = vectors * np.sqrt(values.clip(0))  # counting noise is taken out, and what is left of it in empty directions
PLANTED = EXACT * (1 - EXACT) / (root**2).sum(axis=1) / n_train
FAMILIES = {"each cell on its own": None, "Bonferroni": EACH, "minimal p-values": None}
held, held_known, wrong, marks, held_limits = ({name: [] for name in FAMILIES} for _ in range(5))
rng = page.rng(20)
for _ in range(experiments):
    shift = root @ rng.standard_normal(CELLS)
    shares = (EXACT + shift + rng.standard_normal((members, CELLS)) @ root.T).clip(1e-6)
    table = rng.multinomial(n_gen, shares / shares.sum(axis=1, keepdims=True))
    pooled = EXACT * (1 - EXACT) / (shares.mean(axis=0) - EXACT) ** 2 / n_train
    levels = 0.95, EACH, familywise_level(table / n_gen, rng, experiments=draws)
    for name, level in zip(FAMILIES, levels, strict=True):
        one = estimated(table, n_gen, n_train, level)
        binomial = (mean := table.mean(axis=0) / n_gen) * (1 - mean)  # which an estimate has in place of the exact one
        for found, factor in ((held, 1.0), (held_known, EXACT * (1 - EXACT) / binomial)):
            found[name].append(((factor * one.low <= PLANTED) & (factor * one.high >= PLANTED)).all())
        wrong[name].append((((one.side > 0) & (PLANTED < 1)) | ((one.side < 0) & (PLANTED > 1))).any())
        marks[name].append((one.side != 0).sum())
        held_limits[name].append((one.at_least <= pooled).all())


def share(hits):
    """A share in percent with Clopper and Pearson's 95 % interval."""
    k, n = int(np.sum(hits)), len(hits)
    low, high = stats.beta.ppf([0.025, 0.975], [k, k + 1], [n - k + 1, n - k])
    return 100 * k / n, [0.0 if k == 0 else 100 * low, 100.0 if k == n else 100 * high]


rows = []
for name, key in zip(FAMILIES, ("alone", "bonferroni", "minimal"), strict=True):
    parts = {"coverage": share(held[name]), "known": share(held_known[name])}
    parts |= {"wrong": share(wrong[name]), "limits": share(held_limits[name])}
    for what, (value, interval) in parts.items():
        page.record(f"{what}_{key}", value / 100, [end / 100 for end in interval], 0.95)
    page.record(f"marks_{key}", np.mean(marks[name]), digits=2)
    shown = (f"{value:.0f} ({low:.0f} to {high:.0f})" for value, (low, high) in parts.values())
    rows.append([name, *shown, rounded(np.mean(marks[name]), 2)])
short = [title for title in list(FAMILIES)[1:] if share(held[title])[1][1] < 95]
fits = (
    f"significantly below their level are {' and '.join(short)}"
    if short
    else "neither is significantly below its level"
)
glue("amplification_maps_verdict", fits, display=False)
explained = all(share(held_known[title])[1][1] >= 95 for title in list(FAMILIES)[1:])
reason = "what is missing is not in the scatter" if explained else "this alone is not what is missing"
glue("amplification_maps_reason", reason, display=False)
head = [
    "intervals",
    "all cells hold, % (95 %)",
    "with exact $I$ in the numerator, %",
    "a cell is marked wrongly, %",
    "all limits hold, %",
    "cells marked",
]
markdown_table(head, rows)

# %% [markdown]
# A map that holds at its level has all cells right in a share of 0.95 of the experiments. Bonferroni's does in {glue:text}`amplification_maps_coverage_bonferroni` ({glue:text}`amplification_maps_coverage_bonferroni_low` to {glue:text}`amplification_maps_coverage_bonferroni_high`), that of minimal p-values in {glue:text}`amplification_maps_coverage_minimal` ({glue:text}`amplification_maps_coverage_minimal_low` to {glue:text}`amplification_maps_coverage_minimal_high`): {glue:text}`amplification_maps_verdict`. In {glue:text}`amplification_maps_wrong_bonferroni` ({glue:text}`amplification_maps_wrong_bonferroni_low` to {glue:text}`amplification_maps_wrong_bonferroni_high`) a cell is marked wrongly, which is what a reader would act on.
#
# The numerator of $G$ is $I(1-I)$ of the members' mean, which moves with the training set: by a share of about $1/\sqrt{G\,n}$ in a cell with $n$ training events, a lot where $G$ and the cell are small, and no scatter of members shows it. With the exact probability in its place, as in the third column, which takes the truth, all cells hold in {glue:text}`amplification_maps_known_bonferroni` ({glue:text}`amplification_maps_known_bonferroni_low` to {glue:text}`amplification_maps_known_bonferroni_high`) of the experiments for Bonferroni's intervals and {glue:text}`amplification_maps_known_minimal` ({glue:text}`amplification_maps_known_minimal_low` to {glue:text}`amplification_maps_known_minimal_high`) for the others: {glue:text}`amplification_maps_reason`.
#
# The *limits* are the other statement that members allow ({ref}`sec-members`): what the pooled members at hand are worth at least, trained on the training set at hand, whose own fluctuation moves all of them.
#
# *With networks.* A bootstrap need not scatter like independent trainings, and what all networks cannot learn does not scatter at all. Each of the {glue:text}`amplification_maps_ensembles` ensembles' maps is compared with the true one, both with intervals that hold together for the two maps; and the limits of its pooled members with their exact deviation.

# %% tags=["hide-input"]
rows, broken, missed = [], 0, 0
ratios = []
for k, table in enumerate(OF_SETS):
    one = estimated(table, n_gen, n_train, BOTH)
    disjoint = (one.low > AT_BOTH.high) | (one.high < AT_BOTH.low)
    pooled = EXACT * (1 - EXACT) / (table.mean(axis=0) / n_gen - EXACT) ** 2 / n_train
    below = MAPS[k].at_least > pooled
    ratios.append(np.log(one.G / TRUE.G))
    broken, missed = broken + bool(disjoint.any()), missed + bool(below.any())
    rows.append(
        [k + 1, *marked(MAPS[k])[:2], int(disjoint.sum()), rounded(np.exp(np.median(ratios[-1])), 2), int(below.sum())]
    )
page.record("maps_disjoint", broken)
page.record("maps_missed", missed)
logs = np.mean(ratios, axis=1)
if ensembles > 1:
    half = stats.t.ppf(0.975, ensembles - 1) * logs.std(ddof=1) / np.sqrt(ensembles)
    page.record("over_true", np.exp(logs.mean()), np.exp([logs.mean() - half, logs.mean() + half]), 0.95)
head = [
    "training set",
    "cells $G>1$",
    "cells $G<1$",
    "cells apart from truth",
    "estimate / truth, median",
    "limits missed",
]
markdown_table(head, rows)

# %% [markdown]
# Of {glue:text}`amplification_maps_ensembles` maps {glue:text}`amplification_maps_maps_disjoint` have a cell whose interval has nothing in common with the true one, and {glue:text}`amplification_maps_maps_missed` have a limit that is not met. Over the cells the estimate is {glue:text}`amplification_maps_over_true` times the truth, geometric mean ({glue:text}`amplification_maps_over_true_low` to {glue:text}`amplification_maps_over_true_high` over the ensembles).
#
# (sec-maps-command)=
# ## A map of your own
#
# `gampl averaging` makes such a map of files: one condition for each cell, and Bonferroni's level in the place of 68.3 %. Each cell is a line of the CSV file.

# %% tags=["hide-input"]
ENDS = [[-np.inf, *map(float, ROWS), np.inf], [-np.inf, *map(float, COLUMNS), np.inf]]


def condition(name, low, high):
    return (
        f"{name} < {high:g}"
        if low == -np.inf
        else f"{name} >= {low:g}"
        if high == np.inf
        else f"{low:g} <= {name} < {high:g}"
    )


CONDITIONS = [
    f"{condition('m', *row)} and {condition('abs(c)', *column)}"
    for row in zip(ENDS[0][:-1], ENDS[0][1:], strict=True)
    for column in zip(ENDS[1][:-1], ENDS[1][1:], strict=True)
]
lines = [f"  --region '{one}' \\" for one in (CONDITIONS[0], CONDITIONS[1], CONDITIONS[-1])]
lines.insert(2, "  ... \\")
options = f"gampl averaging --n-train {n_train} --members 'member_*.npy' --columns m,c --level {EACH:.4f} \\"
display(Markdown("\n".join(["```bash", options, *lines, "  --csv map.csv", "```"])))

# %% tags=["nbval-check-output", "hide-input"]
with tempfile.TemporaryDirectory() as folder:
    some = trained("bootstrap", members, drawn(100)[:n_train], 0)[:6]
    for k, one in enumerate(some):
        x = one.sample(min(n_gen, 5_000), seed)
        np.save(Path(folder, f"member_{k}.npy"), x[:, [0, 2]])
    asked = [word for one in CONDITIONS for word in ("--region", one)]
    files = ["--members", *map(str, sorted(Path(folder).glob("*.npy")))]
    out = Path(folder, "map.json")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = main(
            [
                "averaging",
                "--n-train",
                str(n_train),
                *files,
                "--columns",
                "m,c",
                "--level",
                str(EACH),
                *asked,
                "--quiet",
                "--json",
                str(out),
            ]
        )
    found = json.loads(out.read_text())
print("the command has as many findings as there are cells:", len(found["findings"]) == CELLS)
inside = np.mean([held["Bonferroni"], held["minimal p-values"]])
print("intervals of a family hold more often than those of each cell:", inside >= np.mean(held["each cell on its own"]))
