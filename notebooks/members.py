# %% [markdown]
# (sec-members)=
# # How members have to differ
#
# The averaging estimate reads off how much the members of a posterior disagree. It never asks why they do. Yet members can be made to differ in many ways,
# and only some of them make the members scatter by what the training sample leaves open, which is what $\smodel$ is meant to be. This page derives by how much each
# kind of members scatters and what each is worth, checks it with the {ref}`Gaussian fit <sec-line>`, where everything is known in closed form, and then looks at networks where the truth is known.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats

from gampl import plots
from gampl.pages import Page, markdown_table, rounded
from gampl.posterior.ensemble import HELD_BACK
from gampl.posterior.repulsive import log_kernel_sum

page = Page("members", profile, seed)
KINDS = {
    "same_split": "deep, one split",
    "deep": "deep, a split each",
    "bootstrap": "bootstrap",
    "repulsive": "repulsive",
    "independent": "independent",
}
page.record("held_back", HELD_BACK, digits=1)

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
# : Each member sees each event a Poisson number of times, as if the training sample had been drawn anew, and holds back those that it sees zero times.
#
# repulsive
# : One split, but a term in the loss pushes the members apart as functions {cite}`repulsive`.
#
# independent
# : Each member has a training sample of its own. Nobody would spend $N$ times the events on it, and it is no posterior; but it shows what the spread of the others is meant to stand for.
#
# ## What they scatter, and what they are worth
#
# Let a generator learn its integral $I$ as well as that is possible from $n$ events. To first order its error is then an average over them, $\hat I - I_{\rm true} = \frac1n \sum_b \psi(x_b)$ with some function $\psi$ of mean zero; for
# the Gaussian fit $\psi(x) = x\, dI/d\hat\mu$. Its variance is the *sampling variance* $\sigma^2 = \langle\psi^2\rangle/\ntrain$, and the amplification of such a generator is $G_0 = I(1-I)/(\ntrain\sigma^2)$.
#
# *Holding back a share $f$.* The members average $\psi$ over subsets of $m=(1-f)\,\ntrain$ of the *same* $\ntrain$ events, drawn without replacement. For a given training sample such an average has the variance
#
# ```{math}
# :label: eq-members-subset
# s^2 = \frac{\langle\psi^2\rangle}{m}\left(1-\frac{m}{\ntrain}\right) = \frac{f}{1-f}\;\sigma^2 ,
# ```
#
# where the bracket is the textbook correction for a finite population. Two members that hold back a fifth each have most of their events in common, and that is why they agree. Estimated from their spread, $G$ is $(1-f)/f$ times too large: four times at $f=0.2$. In statistics such members are called a delete-$d$
# jackknife, and its variance is *multiplied* by $(1-f)/f$ before it is used {cite}`delete_d`. The size of the training sample has dropped out: no sample is large enough to make up for the factor.
#
# *One split.* If the loss has a single minimum, all members find it, $s=0$ and $G_{\rm est}=\infty$. If networks scatter nevertheless, it is because they have ended in different minima, or have not arrived. That may be much or little, but it is not what the training sample leaves open.
#
# *Bootstrap.* The average is weighted with Poisson numbers $w_b$ of mean and variance one, and for a given training sample $s^2 = \sum_b \psi(x_b)^2\, {\rm Var}(w_b) / \ntrain^2 = \sigma^2$. That is the right one.
#
# *Repulsive.* With the repulsion the training follows a flow whose members at rest have the density of the posterior, once there are so many that a kernel resolves it. It is the posterior of the events that are left, and its variance is $\sigma^2/(1-f)$. A finite number of members has a little less, a share $\kappa_N$ of it: what is as
# wide as the posterior is the members' density *smeared with the kernel*. For $\kappa_N$ we let the members of a Gaussian posterior come to rest, with the loss that the networks have.
#
# *What members are worth.* All members of a training sample share its fluctuation. Write the deviation of a member from the truth as $b + e_i$, with one $b$ of variance $\beta\sigma^2$ for all of them and an $e_i$ of variance $v\,\sigma^2$ of its own. The estimate sees $v$ only. The truth also knows $b$, for one member and for the *pooled* sample of all $N$:
#
# ```{math}
# :label: eq-members-worth
# G_{\rm est} = \frac{G_0}{v}, \qquad G_{\rm one} = \frac{G_0}{\beta+v}, \qquad G_{\rm pooled} = \frac{G_0}{\beta+v/N}, \qquad
# \langle{\rm pull}^2\rangle = \left(\frac{\beta}{v}+\frac1N\right)\frac{N-1}{N-3} ,
# ```
#
# where squared deviations are averaged over training samples, and the last factor is there because few normally distributed members do not know their spread. So even right members, with $\beta=v=1$, are worth $G_0/2$ each: their own scatter comes on top of the fluctuation of the training sample. Pooled they are worth $G_0$, nearly, and this is what $G_{\rm est}$ tells.


# %% tags=["hide-input"]
def repelled(members: int) -> np.ndarray:
    """Where members that repel each other come to rest in a unit Gaussian posterior, shape (members,)."""
    at = torch.tensor(stats.norm.ppf((np.arange(members) + 0.5) / members))[:, None].requires_grad_()
    for _ in range(2_000):
        loss = (at[:, 0].square() / 2 + log_kernel_sum(at)).sum()
        (gradient,) = torch.autograd.grad(loss, at)
        at.data -= 0.05 * gradient
    return at.detach().numpy()[:, 0]


f, SIZES = HELD_BACK, (10, 50)
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
# The Gaussian fit of {ref}`sec-line` has $\ntrain=1000$ events, the region $0\le x<0.5$ and $G_0=$ {glue:text}`members_G0`. {glue:text}`members_experiments` times we draw a training sample and make {glue:text}`members_few` and {glue:text}`members_many` members of each kind: each member is the mean of the events that it learns from. Where it stops training plays no role, a mean is always at its optimum.
# Each is integrated exactly.

# %%
n_train = 1000


def fitted(kind: str, events: np.ndarray, N: int, rng: np.random.Generator) -> np.ndarray:
    """Means of N Gaussian members that learn from events (n,), shape (N,)."""
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
MEASURED = {"est": r"$G_\mathrm{est}$", "one": "one member", "pooled": "pooled", "pull": "rms pull"}
TRUTH, SLOPE = integral(0.0), stats.norm.pdf(0.0) - stats.norm.pdf(0.5)
BINOMIAL = TRUTH * (1 - TRUTH) / n_train
G0 = BINOMIAL * n_train / SLOPE**2
experiments = page.settings["experiments"]
SAMPLES = page.rng(0).normal(size=(experiments, n_train))
for name, number in {"G0": G0, "experiments": experiments, "few": SIZES[0], "many": SIZES[1]}.items():
    page.record(name, number)


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
    of_pooled, spread, scatter = (centre - TRUTH) ** 2 + variance / N, variance, (N - 1) / (N - 3)
    if kind == "repulsive":
        of_pooled, spread, scatter = (centre - TRUTH) ** 2, variance * N / (N - 1), 1
    of_one = (centre - TRUTH) ** 2 + variance
    found = {name: BINOMIAL / (weights @ of) for name, of in {"one": of_one, "pooled": of_pooled}.items()}
    if not v:
        return {"est": np.inf} | found | {"pull": np.inf}
    return {"est": BINOMIAL / (weights @ spread)} | found | {"pull": np.sqrt(weights @ (of_pooled / spread) * scatter)}


def measured(kind: str, N: int, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    """G and rms pull with their standard errors, from members of many training samples."""
    table = integral(np.array([fitted(kind, events, N, rng) for events in SAMPLES]))
    spread, pooled = table.var(axis=1, ddof=1) * (np.ptp(table, axis=1) > 0), (table.mean(1) - TRUTH) ** 2
    squares = {"est": spread, "one": ((table - TRUTH) ** 2).mean(1), "pooled": pooled}
    with np.errstate(divide="ignore", invalid="ignore"):
        pulls = pooled / spread
        found = {}
        for name, values in squares.items():
            relative = values.std(ddof=1) / values.mean() / np.sqrt(experiments)
            found[name] = BINOMIAL / values.mean(), BINOMIAL / values.mean() * relative
        rms = np.sqrt(pulls.mean())
        found["pull"] = rms, pulls.std(ddof=1) / np.sqrt(experiments) / (2 * rms)
    return found


line = {(kind, N): measured(kind, N, page.rng(100 * (1 + i) + N)) for i, kind in enumerate(KINDS) for N in SIZES}
expected = {key: by_quadrature(*key) for key in line}
rows = []
for (kind, N), found in line.items():
    rows.append([KINDS[kind], N])
    for name, (value, error) in found.items():
        page.record(f"line_{kind}_{N}_{name}", value, [value - error, value + error], 0.683)
        plus = "∞"
        if np.isfinite(value):
            digits = max(0, -int(np.floor(np.log10(error))))
            plus = f"{value:.{digits}f} ± {error:.{digits}f}"
        rows[-1].append(f"{plus} ({rounded(expected[kind, N][name])})")
markdown_table(["members", "$N$", *MEASURED.values()], rows)

# %% [markdown]
# In brackets stands what is expected: {eq}`eq-members-worth`, to all orders in the fitted mean. The order that the equation leaves out matters in one place only, the pooled sample of {glue:text}`members_many` independent members: a mixture of many Gaussians is a little wider than each, and that error does not average out.

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


# %% mystnb={"figure": {"name": "fig-members-line", "caption": "Left: ten members of each kind, for three training samples, as deviations of their means from the truth in units of $1/\\sqrt{n_{\\rm train}}$. Grey: the posterior, 68.3 %, around the mean of the training sample. Right: amplification factors of ten members, measured over many training samples; the thin line is $G_0$, triangles stand for infinity."}, "image": {"alt": "Three panels with rows of dots, one row for each kind of members: one dot for one split, a narrow group for a split each, groups as wide as the grey band for bootstrap and repulsive members, and one around the truth for independent ones. A fourth panel with the amplification factors on a logarithmic axis."}} tags=["hide-input"]
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


figure, axes = plt.subplots(1, 4, figsize=(13, 3.9), sharey=True, width_ratios=[1, 1, 1, 1.5])
data, rng = {}, page.rng(1)
for number, ax in enumerate(axes[:3], start=1):
    events = rng.normal(size=n_train)
    ax.axvspan(*(events.mean() * np.sqrt(n_train) + np.array([-1, 1])), color="0.88", lw=0)
    ax.axvline(0, color=plots.TRUE, lw=0.8)
    for row, kind in enumerate(KINDS):
        members = data[f"{kind} {number}"] = fitted(kind, events, 10, rng) * np.sqrt(n_train)
        ax.plot(members, np.full(10, row), marker="o", ms=4, alpha=0.5, ls="none", color=plots.ESTIMATE)
    ax.set(xlim=(-3.9, 3.9), title=f"training sample {number}", xlabel=r"deviation $\cdot\sqrt{n_{\rm train}}$")
worth(axes[3], {kind: line[kind, 10] for kind in KINDS})
axes[3].axvline(G0, color="0.6", lw=0.8)
axes[3].set(xlabel="$G$", title="ten members")
axes[3].legend(loc="center right")
axes[0].set_yticks(range(len(KINDS)), KINDS.values())
page.figure(figure, "members_line", data)
