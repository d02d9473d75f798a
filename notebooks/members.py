# %% [markdown]
# (sec-members)=
# # How members have to differ
#
# The averaging estimate reads off how much the members of a posterior disagree. It never asks why they do. Yet members can be made to differ in many ways,
# and only some of them make the members scatter by what the training set leaves open, which is what $\smodel$ is meant to be. This page derives by how much each
# kind of members scatters and what each is worth, checks it with the {ref}`Gaussian fit <sec-line>`, where everything is known in closed form, and then looks at networks where the truth is known.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown, display
from matplotlib import ticker
from myst_nb import glue
from scipy import stats

from gampl import plots
from gampl.processes import GaussianRing
from gampl.regions import Intervals
from gampl.training import LeadingOrder
from gampl.training.repulsive import log_kernel_sum
from gampl.training.settings import held_back
from gampl_book import event_ensembles, event_studies
from gampl_book.integrals import shell_integrals
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.ring_ensembles import train_or_load
from gampl_book.studies import ring, trainings

page = Page("members", profile, seed)
experiments, integral_points, replicates, n_truth, n_regions = page.settings.values()
n_train = 1000
f = held_back(n_train) / n_train
KINDS = {
    "same_split": "deep, one split",
    "deep": "deep, a split each",
    "bootstrap": "bootstrap",
    "repulsive": "repulsive",
    "independent": "independent",
}
page.record("held_back", f, digits=1)

# %% [markdown]
# ## Five kinds
#
# deep, one split
# : Members differ in their initial weights and in the order of their batches. All hold back the same share $f$ of the events, to know when to stop, and learn from the others.
#
# deep, a split each
# : Each member also holds back events of its own choice, drawn at random. Here $f=$ {glue:text}`members_held_back`.
#
# bootstrap
# : Each member sees each event a Poisson number of times, as if the training set had been drawn anew, and holds back those that it sees zero times.
#
# repulsive
# : One split, but a term in the loss pushes the members apart as functions {cite}`repulsive`.
#
# independent
# : Each member has a training set of its own. Nobody would spend $N$ times the events on it, and it is not a posterior; but it shows what the spread of the others is meant to stand for.
#
# ## How they scatter, and what they are worth
#
# Let a generator learn its integral $I$ as well as that is possible from $n$ events. To first order its error is then an average over them, $\hat I - I_{\rm true} = \frac1n \sum_b \psi(x_b)$ with some function $\psi$ of mean zero; for
# the Gaussian fit $\psi(x) = x\, dI/d\hat\mu$. Its variance is the *sampling variance* $\sigma^2 = \langle\psi^2\rangle/\ntrain$, and the amplification of such a generator is $G_0 = I(1-I)/(\ntrain\sigma^2)$.
#
# *Holding back a share $f$.* The members average $\psi$ over subsets of $m=(1-f)\,\ntrain$ of the *same* $\ntrain$ events, drawn without replacement. For a given training set such an average has the variance
#
# ```{math}
# :label: eq-members-subset
# s^2 = \frac{\langle\psi^2\rangle}{m}\left(1-\frac{m}{\ntrain}\right) = \frac{f}{1-f}\;\sigma^2 ,
# ```
#
# where the bracket is the textbook correction for a finite population. Two members that hold back a fifth each have most of their events in common, and that is why they agree. Estimated from their spread, $G$ is $(1-f)/f$ times too large: four times at $f=0.2$. In statistics such members are called a delete-$d$
# jackknife, and its variance is *multiplied* by $(1-f)/f$ before it is used {cite}`delete_d`. The size of the training set has dropped out: no training set is large enough to make up for the factor.
#
# *One split.* If the loss has a single minimum, all members find it, $s=0$ and $G_{\rm est}=\infty$. If networks scatter nevertheless, it is because they have ended in different minima, or have not arrived. That may be much or little, but it is not what the training set leaves open.
#
# *Bootstrap.* The average is weighted with Poisson numbers $w_b$ of mean and variance one, and for a given training set $s^2 = \sum_b \psi(x_b)^2\, {\rm Var}(w_b) / \ntrain^2 = \sigma^2$. That is the right one.
#
# *Repulsive.* With the repulsion the training follows a flow whose members at rest have the density of the posterior, once there are so many that a kernel resolves it. It is the posterior of the events that are left, and its variance is $\sigma^2/(1-f)$. A finite number of members has a little less, a share $\kappa_N$ of it: what is as
# wide as the posterior is the members' density *smeared with the kernel*. For $\kappa_N$ we let the members of a Gaussian posterior come to rest, with the loss that the networks have.
#
# *What members are worth.* All members of a training set share its fluctuation. Write the deviation of a member from the truth as $b + e_i$, with one $b$ of variance $\beta\sigma^2$ for all of them and an $e_i$ of variance $v\,\sigma^2$ of its own. The estimate sees $v$ only. The truth also knows $b$, for one member and for the *pooled* sample of all $N$:
#
# ```{math}
# :label: eq-members-worth
# \begin{aligned}
# G_{\rm est} &= \frac{G_0}{v}, & G_{\rm one} &= \frac{G_0}{\beta+v}, \\
# G_{\rm pooled} &= \frac{G_0}{\beta+v/N}, & \langle{\rm pull}^2\rangle &= \left(\frac{\beta}{v}+\frac1N\right)\frac{N-1}{N-3} ,
# \end{aligned}
# ```
#
# where squared deviations are averaged over training sets, and the last factor is there because few normally distributed members do not know their spread. So even right members, with $\beta=v=1$, are worth $G_0/2$ each: their own scatter comes on top of the fluctuation of the training set. Pooled they are worth $G_0$, nearly, and this is what $G_{\rm est}$ tells.


# %% tags=["hide-input"]
def repelled(members: int) -> np.ndarray:
    """Where members that repel each other come to rest in a unit Gaussian posterior, shape (members,)."""
    at = torch.tensor(stats.norm.ppf((np.arange(members) + 0.5) / members))[:, None].requires_grad_()
    for _ in range(2_000):
        loss = (at[:, 0].square() / 2 + log_kernel_sum(at)).sum()
        (gradient,) = torch.autograd.grad(loss, at)
        at.data -= 0.05 * gradient
    return at.detach().numpy()[:, 0]


SIZES = 10, 50
AT_REST = {N: repelled(N) for N in SIZES}


def beta_and_v(kind: str, N: int) -> tuple[float, float]:
    """Variance that N members have in common, and that of each, in units of the sampling variance."""
    own = {"same_split": 0.0, "deep": f / (1 - f), "bootstrap": 1.0, "independent": 1.0}
    own["repulsive"] = AT_REST[N].var(ddof=1) / (1 - f)
    common = {"deep": 1.0, "bootstrap": 1.0, "independent": 0.0}
    return common.get(kind, 1 / (1 - f)), own[kind]


for N in SIZES:
    page.record(f"kappa_{N}", AT_REST[N].var(ddof=1), digits=2)
rows = []
for kind, name in KINDS.items():
    (beta, few), (_, many) = (beta_and_v(kind, N) for N in SIZES)
    v = rounded(few, 2) if few == many else f"{rounded(few, 2)}, {rounded(many, 2)}"
    rows.append([name, rounded(beta, 3), v])
markdown_table(["members", r"in common, $\beta$", "of its own, $v$ (of 10, 50 members)"], rows)

# %% [markdown]
# ## In one dimension, measured
#
# The Gaussian fit of {ref}`sec-line` has $\ntrain=1000$ events and the region $0\le x<0.5$. There a fit is worth $G_0=$ {glue:text}`members_G0` times its training set. {glue:text}`members_experiments` times we draw a training set and make {glue:text}`members_few` and {glue:text}`members_many` members of each kind: each member is the mean of the events that it learns from. Where it stops training plays no role, a mean is always at its optimum.
# Each is integrated exactly.


# %%
def fitted(kind: str, events: np.ndarray, N: int, rng: np.random.Generator, f: float = f) -> np.ndarray:
    """Means of N Gaussian members that learn from events (n,) or hold back a share f of them, shape (N,)."""
    n = events.size
    kept = n - round(f * n)
    if kind == "same_split":
        return np.repeat(events[:kept].mean(), N)
    if kind == "deep":
        return rng.permuted(np.tile(np.arange(n) < kept, (N, 1)), axis=1) @ events / kept
    if kind == "bootstrap":
        times = rng.poisson(1.0, (N, n))
        return times @ events / times.sum(1)
    if kind == "repulsive":
        return events[:kept].mean() + AT_REST[N] / np.sqrt(kept)
    return rng.normal(size=(N, n)).mean(1)


def integral(mean: np.ndarray) -> np.ndarray:
    return stats.norm.cdf(0.5 - mean) - stats.norm.cdf(-mean)


# %% tags=["hide-input"]
TRUTH, SLOPE = integral(0.0), stats.norm.pdf(0.0) - stats.norm.pdf(0.5)
BINOMIAL = TRUTH * (1 - TRUTH) / n_train
SAMPLES = page.rng(0).normal(size=(experiments, n_train))
for name, number in {"experiments": experiments, "few": SIZES[0], "many": SIZES[1]}.items():
    page.record(name, number)
G0 = BINOMIAL * n_train / SLOPE**2
page.record("G0", G0)


def by_quadrature(kind: str, N: int) -> dict[str, float]:
    """What `measured` should find: the closed form to all orders in the fitted mean."""
    beta, v = beta_and_v(kind, N)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    common, own, share = np.sqrt(beta / n_train) * nodes, np.sqrt(v / n_train) * nodes, weights
    if kind == "repulsive":  # no random numbers, but points at rest
        own, share = AT_REST[N] / np.sqrt((1 - f) * n_train), np.full(N, 1 / N)
    table = integral(common[:, None] + own)
    centre = table @ share
    variance = (table - centre[:, None]) ** 2 @ share
    of_pooled, spread, scatter = (centre - TRUTH) ** 2 + variance / N, variance, (N - 1) / (N - 3) if N > 3 else np.inf
    if kind == "repulsive":
        of_pooled, spread, scatter = (centre - TRUTH) ** 2, variance * N / (N - 1), 1
    of_one = (centre - TRUTH) ** 2 + variance
    found = {name: BINOMIAL / (weights @ of) for name, of in {"one": of_one, "pooled": of_pooled}.items()}
    if not v:
        return {"est": np.inf} | found | {"pull": np.inf}
    return {"est": BINOMIAL / (weights @ spread)} | found | {"pull": np.sqrt(weights @ (of_pooled / spread) * scatter)}


def measured(integrals: np.ndarray, truth: np.ndarray, n_train: int, n_gen: float = np.inf) -> dict[str, list[float]]:
    """G estimated, of one member and of the pool, and the rms pull, each with its standard error.

    Args:
        integrals: Of the members of several training sets, or of several questions, (samples, members, regions).
        truth: Exact integrals, (samples, regions) or (regions,). Squares are summed over regions.
        n_train: Training events.
        n_gen: Events with which the integrals were counted.
    """
    samples, members, _ = integrals.shape
    spread, off = integrals.var(axis=1, ddof=1), (integrals.mean(1) - truth) ** 2
    spread = np.where(np.ptp(integrals, axis=1) > 0, spread, 0)  # no round-off
    noise = (integrals * (1 - integrals)).mean(1) / n_gen
    squares = {"est": spread - noise, "pooled": off - noise / members}
    squares["one"] = ((integrals - truth[..., None, :]) ** 2).mean(1) - noise
    with np.errstate(divide="ignore"):
        squares = {name: values.sum(1) for name, values in squares.items()} | {"pull": (off / spread).mean(1)}
    binomial, found = (truth * (1 - truth)).sum(-1).mean() / n_train, {}
    for name, values in squares.items():
        centre = values.mean()
        relative = values.std(ddof=1) / centre / np.sqrt(samples) if 0 < centre < np.inf else np.nan
        value, power = (np.sqrt(centre), 0.5) if name == "pull" else (binomial / centre if centre > 0 else np.inf, 1)
        found[name] = [float(value), float(power * value * relative)]
    return found


def with_error(value: float, error: float) -> str:
    if not np.isfinite(value):
        return "∞"
    if not (np.isfinite(error) and error > 0):
        return rounded(value, 2)
    digits = max(0, -int(np.floor(np.log10(error))))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


MEASURED = {
    "est": r"$G_\mathrm{est}$",
    "one": r"$G_\mathrm{one}$",
    "pooled": r"$G_\mathrm{pooled}$",
    "pull": "rms pull",
}
line, expected, rows = {}, {}, []
for i, kind in enumerate(KINDS):
    for N in SIZES:
        rng = page.rng(100 * (1 + i) + N)
        means = np.array([fitted(kind, events, N, rng) for events in SAMPLES])
        found = line[kind, N] = measured(integral(means)[..., None], np.array([TRUTH]), n_train)
        expected[kind, N] = by_quadrature(kind, N)
        cells = [f"{with_error(*found[name])} ({rounded(expected[kind, N][name])})" for name in MEASURED]
        rows.append([KINDS[kind], N, *cells])
        for name, (value, error) in found.items():
            page.record(f"line_{kind}_{N}_{name}", value, [value - error, value + error], 0.683)
markdown_table(["members", "$N$", *MEASURED.values()], rows)

# %% [markdown]
# In brackets stands what is expected: {eq}`eq-members-worth`, to all orders in the fitted mean. The order that the equation leaves out is seen in the pooled sample of {glue:text}`members_many` independent members: a mixture of Gaussians adds the scatter of their means to their width, and that error does not average out.

# %% tags=["nbval-check-output", "hide-input"]
off = [
    abs(value - expected[key][name]) / error
    for key, found in line.items()
    for name, (value, error) in found.items()
    if np.isfinite(value)
]
agree = [kind for kind in KINDS if np.isinf(line[kind, 10]["est"][0])]
print("all measured numbers are the expected ones, within 5 standard errors:", max(off) < 5)
print("no scatter at all:", [KINDS[kind] for kind in agree])


# %% mystnb={"figure": {"name": "fig-members-line", "caption": "Left: ten members of each kind, for three training sets, as deviations of their means from the truth in units of $1/\\sqrt{n_{\\rm train}}$. Grey: the posterior, 68.3 %, around the mean of the training set. Right: amplification factors of ten members, measured over many training sets; the thin line is $G_0$, triangles stand for infinity."}, "image": {"alt": "Three panels with rows of dots, one row for each kind of members: one dot for one split, a narrow group for a split each, groups as wide as the grey band for bootstrap and repulsive members, and one around the truth for independent ones. A fourth panel with the amplification factors on a logarithmic axis."}} tags=["hide-input"]
def worth(ax, results: dict[str, dict[str, tuple[float, float]]], unit: float = 1.0) -> None:
    """Draw the estimated amplification of each kind of members, that of the pooled sample and that of one member."""
    styles = {
        "est": {"marker": "o", "color": plots.ESTIMATE, "label": "estimated"},
        "pooled": {"marker": "s", "color": plots.TRUE, "label": "true, pooled"},
        "one": {"marker": "s", "color": plots.TRUE, "mfc": "none", "label": "true, one member"},
    }
    largest = max(v for found in results.values() for v, _ in (found[name] for name in styles) if np.isfinite(v))
    for row, found in enumerate(results.values()):
        for shift, (name, style) in zip((-0.2, 0.0, 0.2), styles.items(), strict=True):
            value, error = found[name]
            if np.isinf(value):
                ax.plot(2 * largest / unit, row + shift, marker=">", ms=7, color=style["color"])
                continue
            look = style | ({} if row == 0 or (row == 1 and name == "est") else {"label": None})
            ax.errorbar(value / unit, row + shift, xerr=error / unit, ms=5, ls="none", **look)
    ax.set(xscale="log", ylim=(len(results) - 0.5, -0.5))
    ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 3)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(ticker.NullFormatter())


figure, axes = plt.subplots(1, 4, figsize=(13, 3.9), sharey=True, width_ratios=[1, 1, 1, 1.5])
data, rng = {}, page.rng(1)
for number, ax in enumerate(axes[:3], start=1):
    events = rng.normal(size=n_train)
    ax.axvspan(*(events.mean() * np.sqrt(n_train) + np.array([-1, 1])), color="0.88", lw=0)
    ax.axvline(0, color=plots.TRUE, lw=0.8)
    for row, kind in enumerate(KINDS):
        members = data[f"{kind} {number}"] = fitted(kind, events, 10, rng) * np.sqrt(n_train)
        ax.plot(members, np.full(10, row), marker="o", ms=4, alpha=0.5, ls="none", color=plots.ESTIMATE)
    ax.set(xlim=(-3.9, 3.9), title=f"training set {number}", xlabel=r"deviation $\cdot\sqrt{n_{\rm train}}$")
worth(axes[3], {kind: line[kind, 10] for kind in KINDS})
axes[3].axvline(G0, color="0.6", lw=0.8)
axes[3].set(xlabel="$G$", title="ten members")
axes[3].legend(loc="center right")
axes[0].set_yticks(range(len(KINDS)), KINDS.values())
page.figure(figure, "members_line", data)

# %% [markdown]
# ## Networks that learn the ring
#
# Networks are not efficient fits. They have more than one minimum, stop early, and are pulled to smooth densities. So the closed form is a guide only, and the truth decides. Here are ensembles of {glue:text}`members_ring_members` networks of the {ref}`2D ring <sec-rings>` for {glue:text}`members_ring_samples` training sets of {glue:text}`members_ring_n_train` events; regions 2 to 19 of the radius are
# integrated exactly and combined, as in {ref}`sec-averaging`. What the closed form says about *ratios* does not depend on $G_0$, and stands in brackets.


# %% tags=["hide-input"]
def ring_integrals(kind: str, k: int) -> np.ndarray:
    outcome = train_or_load(plan[ring(2, kind, k)])
    page.count_training(outcome.history.seconds, outcome.history.device)
    return shell_integrals(outcome.densities, shells.edges, integral_points, replicates=replicates, seed=seed).values


plan, shells = trainings(profile, seed), GaussianRing(2).shells(20)
ring_samples = sorted({int(name.split("/")[-1]) for name in plan if name.startswith("ring2d/bootstrap")})
COMBINED = slice(1, 19)
ring_truth = GaussianRing(2).integrals(shells)[COMBINED]
ring_n_train = plan[ring(2, "bootstrap", 1)].n_train
ring_tables = {kind: np.array([ring_integrals(kind, k)[:, COMBINED] for k in ring_samples]) for kind in KINDS}
rings = {kind: measured(table, ring_truth, ring_n_train) for kind, table in ring_tables.items()}
facts = {"members": ring_tables["bootstrap"].shape[1], "samples": len(ring_samples), "n_train": ring_n_train}
for name, number in facts.items():
    page.record(f"ring_{name}", number)


def beside_closed_form(results: dict, place: str, members: dict[str, int]):
    """The table of measured numbers, with the closed form's ratios in brackets; records them."""
    rows = []
    for kind, found in results.items():
        N = members[kind]
        if N not in AT_REST:
            AT_REST[N] = repelled(N)
        line = by_quadrature(kind, N)
        ratio = found["est"][0] / found["one"][0]
        cells = [with_error(*found[name]) for name in MEASURED]
        cells[-1] += f" ({rounded(line['pull'], 2)})"
        rows.append(
            [KINDS[kind], *cells[:3], f"{rounded(ratio, 2)} ({rounded(line['est'] / line['one'], 2)})", cells[3]]
        )
        for name, (value, error) in found.items():
            page.record(f"{place}_{kind}_{name}", value, [value - error, value + error], 0.683, digits=2)
        page.record(f"{place}_{kind}_ratio", ratio, digits=2)
    return markdown_table(
        ["members", *list(MEASURED.values())[:3], r"$G_\mathrm{est}/G_\mathrm{one}$", "rms pull"], rows
    )


beside_closed_form(rings, "ring", dict.fromkeys(KINDS, facts["members"]))

# %% [markdown]
# ## Events of the leading-order process
#
# The same with a {glue:text}`members_lo_generator` that learns {ref}`top pairs at leading order <sec-leading-order>` from {glue:text}`members_lo_n_train` events; all kinds learn from the same training set, but for the independent members, which have one each; {glue:text}`members_lo_members` members. {glue:text}`members_regions` intervals of about equal probability in each of the four coordinates of the process, without the outer two, are counted with {glue:text}`members_lo_n_gen` events of each member; the exact
# probabilities come from quadrature. The coordinates, whose errors have little to do with each other, stand for further training sets in the errors of the table.

# %% tags=["hide-input"]
process = event_ensembles.leading_order_process(LeadingOrder())
truth_sample = process.sample(n_truth, page.rng(2))
COORDINATES = {name: process.observables[name] for name in ("m_tt", "y_tt", "cos_theta", "phi")}
REGIONS = {name: Intervals.quantiles(truth_sample, n_regions, of) for name, of in COORDINATES.items()}
lo_truth = np.array([process.integrals(regions)[1:-1] for regions in REGIONS.values()])
lo_plan = event_studies.trainings(profile, seed)
lo, lo_members = {}, {}
for kind in KINDS:
    name = event_studies.compared(profile, kind)
    ensemble, n_gen = event_ensembles.ensemble(name, profile, seed), event_studies.n_gen(profile, name)
    counts = np.zeros((len(COORDINATES), len(ensemble), n_regions - 2))
    for member in range(len(ensemble)):
        events = ensemble.sample(member, n_gen, seed)
        counts[:, member] = [regions[1:-1].count(events)[0] for regions in REGIONS.values()]
    for one in ensemble.members:
        page.count_training(one.history.seconds, one.history.device)
    if ensemble.excluded:
        print(f"{KINDS[kind]}, left out:", ensemble.excluded)
    example, lo_members[kind] = lo_plan[f"{name}/0"], len(ensemble)
    lo[kind] = measured(counts / n_gen, lo_truth, example.n_train, n_gen)
for name, number in {"n_train": example.n_train, "members": max(lo_members.values()), "n_gen": n_gen}.items():
    page.record(f"lo_{name}", number)
page.record("regions", n_regions)
glue("members_lo_generator", event_studies.TITLES[example.architecture.kind], display=False)
beside_closed_form(lo, "lo", lo_members)

# %% mystnb={"figure": {"name": "fig-members-networks", "caption": "Amplification factors of networks by the kind of their members, for regions 2 to 19 of the 2D ring and for the coordinates of the leading-order process, with standard errors. Blue: estimated from the spread. Black: true, of the pooled members (filled) and of one of them (open)."}, "image": {"alt": "Two panels with a row for each kind of members; a blue circle for the estimate, a filled and an open black square for the true amplification of the pool and of one member, on a logarithmic axis."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.9))
for ax, results, title in zip(axes, (rings, lo), ("2D ring, regions 2-19", "leading order"), strict=True):
    worth(ax, results)
    ax.set(xlabel="$G$", title=title)
    ax.set_yticks(range(len(results)), [KINDS[kind] for kind in results])
plots.shared_legend(axes, columns=3)
page.figure(figure, "members_networks", {"2D ring": rings, "leading order": lo})

# %% [markdown]
# What the numbers of this run say about networks follows. If training adds the same variance $\tau\sigma^2$ to all kinds, then $v$ is $\tau$ for one split, $\tau+f/(1-f)$ for a split each, and $\tau+1$ for bootstrapped and for independent members: the first number of each list, a share $\tau/(1+\tau)$, predicts the others, in brackets.


# %% tags=["hide-input"]
def compared(results: dict, place: str, title: str, N: int) -> str:
    """Sentences about the spread of networks, from the numbers of this run."""
    est = {kind: found["est"][0] for kind, found in results.items()}
    relative = {kind: found["est"][1] / found["est"][0] for kind, found in results.items()}
    share = {kind: est["bootstrap"] / est[kind] for kind in ("same_split", "deep", "independent")}
    predicted = {"deep": share["same_split"] + (1 - share["same_split"]) * f / (1 - f), "independent": 1.0}
    parts = {}
    for kind, value in share.items():
        error = value * np.hypot(relative["bootstrap"], relative[kind])
        page.record(f"{place}_share_{kind}", value, [value - error, value + error], 0.683, digits=2)
        parts[kind] = f"*{KINDS[kind]}* {with_error(value, error)}"
        if kind in predicted:
            parts[kind] += f" ({rounded(predicted[kind], 2)})"
    over = {kind: est[kind] / found["pooled"][0] for kind, found in results.items() if kind != "independent"}
    gain = results["independent"]["pooled"][0] / results["independent"]["one"][0]
    page.record(f"{place}_gain_independent", gain, digits=2)
    return (
        f"*{title}.* The variance of the members' integrals, in units of that of bootstrapped members: "
        f"{', '.join(parts.values())}. The estimate, in units of the true worth of the pooled members: "
        f"{', '.join(f'*{KINDS[kind]}* {rounded(value, 2)}' for kind, value in over.items())}. "
        f"A pool of {N} independent members is worth {rounded(gain, 2)} times one of them; without a bias that "
        f"all networks have in common it would be {N} times."
    )


texts = (
    compared(rings, "ring", "Rings", facts["members"]),
    compared(lo, "lo", "Leading order", max(lo_members.values())),
)
display(Markdown("\n\n".join(texts)))

# %% [markdown]
# The first number is the one to look at: so much of the spread is there although all members learn from the very same events. It is where their trainings came to an end, and has nothing to do with what the training set leaves open. Where it is near one, the kinds of members can hardly be told apart by their spread, and where networks are trained worst, the first two kinds look best.
# Bootstrapped members scatter too much by it, and $G$ comes out too small, because the pool averages most of it out: that is the safe side. The last number shows what no kind of members sees, the bias of the networks themselves. If it falls short, the networks share a bias: pulls are above those in brackets, and every estimate from a spread is larger than it would be if it saw the bias.
#
# ## What the ensembles of the paper can see
#
# The generators of top pairs in section 5 of the paper are ten "independently trained" networks, and the repulsion that would make them a posterior is neglected "for large enough training datasets". The paper does not say whether the members hold back the same events or each its own, so they are of the first or of the second kind. Said plainly:
#
# - They see how well the training finds its optimum, $\tau$, and, if each has a split of its own, $f/(1-f)$ of what the training set leaves open. They do not see the fluctuation of the training set that they share.
# - No training set is large enough to make up for it. {eq}`eq-members-subset` is a ratio, in which $\ntrain$ does not occur.
# - Their $G$ is $G_0/\tau$ or $G_0/(\tau+f/(1-f))$. It is right if $\tau$ happens to be of the size of what is missing, as it may be for some networks, and gets worse when they are trained better: towards infinity, or $(1-f)/f$ times too large.
# - So a large $G$ from such members is no evidence of amplification. A small one says that the training does not come to a common answer, and not that its events are badly used.
# - A comparison with a holdout, as in the paper's Fig. 13 without additional jets, is not touched by any of this, nor is the differential estimate, for which one member is enough.
#
# This book therefore bootstraps its ensembles, of top pairs too, and keeps "deep" as the paper's way, by name.
#
# ## Exercises
#
# ```{exercise}
# :label: ex-members-half
# For which $f$ do members with a split each scatter as they should? What is one of them worth, and the pool?
# ```
#
# ````{solution} ex-members-half
# :class: dropdown
# $f/(1-f)=1$ at $f=\frac12$. Then $\beta=v=1$, just as for the bootstrap: one member is worth $G_0/2$, because it has seen half of the events, and the pool about $G_0$. In statistics this is half-sampling. For networks the bootstrap is the better half: a member sees 63 % of the events, if with unequal weights, and the others decide when it stops.
# ````

# %% tags=["hide-input", "hide-output"]
rng = page.rng(3)
halves = integral(np.array([fitted("deep", events, 10, rng, f=0.5) for events in SAMPLES]))
for name, pair in measured(halves[..., None], np.array([TRUTH]), n_train).items():
    print(f"{name}: {with_error(*pair)}")
print(f"expected: {G0:.1f}, {G0 / 1.1:.1f} of the pool, {G0 / 2:.1f} of one")

# %% [markdown]
# ```{exercise}
# :label: ex-members-jackknife
# Members with a split each are all you have. Can their $G$ be corrected by the jackknife's factor $f/(1-f)$? Try it for the Gaussian fit and for the networks.
# ```
#
# ````{solution} ex-members-jackknife
# :class: dropdown
# For an efficient fit, yes: that is what the jackknife is. For networks the factor multiplies $\tau$ as well, which was complete already, and $G$ comes out too small. If you also have members with one split, subtract their variance first: it is an estimate of just this part. The same can be done with bootstrapped members, and what is left is $\sigma^2$ alone, which belongs to a large pool. A difference of two variances needs many members; if it is negative, $G$ is not resolved. And no subtraction sees a bias.
# ````

# %% tags=["hide-input", "hide-output"]
for title, results in {"Gaussian": {k: line[k, 10] for k in KINDS}, "ring": rings, "leading order": lo}.items():
    deep, same, boot = (1 / results[kind]["est"][0] for kind in ("deep", "same_split", "bootstrap"))
    factor = (1 - f) / f
    for name, variance in {
        "deep": deep,
        "deep, with the factor": deep * factor,
        "deep, with the factor, less one split": (deep - same) * factor,
        "bootstrap": boot,
        "bootstrap, less one split": boot - same,
    }.items():
        print(f"{title}: G = {1 / variance if variance > 0 else np.inf:.3g} ({name})")
    print(
        f"  true, of the pool: {results['deep']['pooled'][0]:.3g} deep, {results['bootstrap']['pooled'][0]:.3g} bootstrap"
    )

# %% [markdown]
# ```{exercise}
# :label: ex-members-size
# "For large enough training sets it does not matter how the members are made." Test it with the Gaussian fit.
# ```
#
# ````{solution} ex-members-size
# :class: dropdown
# The estimates of the two kinds keep their ratio at every $\ntrain$. What does become smaller is the spread of both.
# ````

# %% tags=["hide-input", "hide-output"]
for n in (100, 1_000, 10_000):
    samples, rng = page.rng(n).normal(size=(40, n)), page.rng(n + 1)
    for kind in ("deep", "bootstrap"):
        table = integral(np.array([fitted(kind, events, 10, rng) for events in samples]))[..., None]
        print(f"n_train = {n}, {KINDS[kind]}: G = {with_error(*measured(table, np.array([TRUTH]), n)['est'])}")
