# %% [markdown]
# (sec-calibration)=
# # Can the posterior be trusted?
#
# The averaging estimate replaces an unknown, how wrong the generator is, by a known, how much its members disagree. Everything
# rests on the two being alike. Where the truth is known this can be checked, and this page does so for the Bayesian network of the
# {ref}`previous page <sec-averaging>`: pulls over several training sets, the settings on which the result depends, and the coverage of the combined interval.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from gampl import averaging
from gampl.calibration import expected_rms_pull, over_training_sets, pulls, rms_pull
from gampl.processes import GaussianRing
from gampl_book.integrals import shell_integrals
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.profiles import section
from gampl_book.ring_ensembles import train_or_load
from gampl_book.studies import RING_DIMENSIONS, ring, scan, trainings

page = Page("calibration", profile, seed)
page.made_of(trainings=section(profile, "trainings"))
plan = trainings(profile, seed)
training_sets = sorted({int(name.split("/")[-1]) for name in plan})
default = plan[ring(2, "bayesian", 1)]
shells = GaussianRing(2).shells(20)
truth = GaussianRing(2).integrals(shells)
COMBINED = slice(1, 19)


def member_integrals(name: str) -> np.ndarray:
    """Integrals over the twenty regions, shape (members, regions)."""
    outcome = train_or_load(plan[name])
    page.count_training(outcome.history.seconds, outcome.history.device)
    points, replicates = page.settings["integral_points"], page.settings["replicates"]
    return shell_integrals(outcome.densities, shells.edges, points, replicates=replicates, seed=seed).values


# %% [markdown]
# ## Pulls
#
# For each region the pull is $(\langle \bar I\rangle_\theta - I_{\rm true})/\smodel$. Over many training sets a calibrated posterior has pulls of mean zero and width one. Larger
# pulls mean that the members agree too well and $G$ is overestimated; smaller ones mean the opposite.

# %% mystnb={"figure": {"name": "fig-pulls", "caption": "Pulls of the twenty regional integrals of the Bayesian network, one line per training set. The grey bands hold 68 % and 95 % of the pulls of a calibrated posterior. Neighbouring regions move together, so a line is far fewer than twenty independent checks."}, "image": {"alt": "Pull against region number in two and four dimensions; one line for each training set around zero."}} tags=["hide-input"]
default_integrals = {
    (dim, k): member_integrals(ring(dim, "bayesian", k)) for dim in RING_DIMENSIONS for k in training_sets
}
figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True)
data = {"region": np.arange(1, 21)}
for ax, dim in zip(axes, RING_DIMENSIONS, strict=True):
    by_set = np.array([pulls(default_integrals[dim, k], truth) for k in training_sets])
    ax.axhspan(-2, 2, color="0.93", lw=0)
    ax.axhspan(-1, 1, color="0.86", lw=0)
    for k, values in zip(training_sets, by_set, strict=True):
        ax.plot(data["region"], values, marker=".", lw=0.9)
        data[f"{dim}d_set{k}"] = values
    rms, (low, high) = rms_pull(by_set)
    page.record(f"rms_ring{dim}d", rms, (low, high), 0.683)
    ax.set(xlabel="region", title=f"{dim}D: rms pull {rms:.2f} ({low:.2f} to {high:.2f})", xticks=[1, 5, 10, 15, 20])
axes[0].set_ylabel("pull")
page.figure(figure, "pulls", data)

# %% [markdown]
# The root mean square pull is {glue:text}`calibration_rms_ring2d` in two dimensions (68 % interval {glue:text}`calibration_rms_ring2d_low` to {glue:text}`calibration_rms_ring2d_high`)
# and {glue:text}`calibration_rms_ring4d` in four ({glue:text}`calibration_rms_ring4d_low` to {glue:text}`calibration_rms_ring4d_high`). An rms pull of $p > 1$ means that
# the members agree too well: their variance is too small by $p^2$, and so $G_{\rm est}$ is too large by $p^2$ compared with a calibrated posterior.
#
# (sec-calibration-scan)=
# ## What the Bayesian result depends on
#
# A variational posterior is not *the* posterior. Its width is the outcome of a tug-of-war: the likelihood pulls the weights' variances together, the prior
# pulls them apart, and training stops before either has won. The weight of the prior term in the loss and the variance at which the weights start decide how it
# ends. So that the second matters less, the log-variances have a learning rate of their own, {glue:text}`calibration_rate_ratio` times that of the weights.
#
# The default, a prior weight of {glue:text}`calibration_kl_weight` and an initial log-variance of {glue:text}`calibration_init_logvar`, was fixed in a study on other training sets before the ones on this page were
# looked at. It was chosen there because its pulls were near one, with the truth in hand. So the numbers are tuned in that sense, and for data without a known truth no such tuning is
# possible. Here is what changing one of the two does in two dimensions:

# %% tags=["hide-input"]
page.record("rate_ratio", default.fit.logvar_learning_rate / default.fit.learning_rate, digits=1)
page.record("kl_weight", default.kl_weight, digits=1)
page.record("init_logvar", default.init_logvar, digits=1)
settings = [(default.kl_weight, default.init_logvar)] + [tuple(pair) for pair in section(profile, "trainings")["scan"]]
rows = []
study = {}
for kl_weight, init_logvar in settings:
    is_default = (kl_weight, init_logvar) == settings[0]
    tables = [
        default_integrals[2, k] if is_default else member_integrals(scan(kl_weight, init_logvar, k))
        for k in training_sets
    ]
    results = [averaging.from_integrals(t[:, COMBINED], default.n_train, truth=truth[COMBINED]) for t in tables]
    G, G_true = (over_training_sets([getattr(r, key) for r in results])[0] for key in ("G", "G_true"))
    rms, (low, high) = rms_pull([pulls(t, truth) for t in tables])
    study[kl_weight, init_logvar] = (G, G_true, rms)
    mark = "default" if is_default else ""
    rows.append(
        [
            f"{kl_weight:g}",
            f"{init_logvar:g}",
            mark,
            rounded(G, 2),
            rounded(G_true, 2),
            f"{rounded(rms, 2)} ({rounded(low, 2)} to {rounded(high, 2)})",
        ]
    )
    page.record(f"scan_G_kl{kl_weight:g}_init{-init_logvar:g}".replace(".", "p"), G)
page.record("scan_lowest", min(G for G, _, _ in study.values()), digits=2)
page.record("scan_highest", max(G for G, _, _ in study.values()), digits=2)
page.record("training_sets", len(training_sets))
markdown_table(["prior weight", "initial log-variance", "", "$G$ estimated, 2-19", "$G$ true", "rms pull (68 %)"], rows)

# %% [markdown]
# The estimate for regions 2 to 19, a geometric mean over {glue:text}`calibration_training_sets` training sets, runs from {glue:text}`calibration_scan_lowest` to
# {glue:text}`calibration_scan_highest`, on the same data with the same network. Part of that is real where the true $G$ moves too: a posterior that is too wide makes worse
# generators. The rest is miscalibration, and the pulls tell the two apart.
# **A $G$ from a Bayesian network is a statement about the network's settings as much as about the data; show the pulls with it.**
#
# (sec-calibration-coverage)=
# ## Coverage of the combined interval
#
# When several regions are combined, their summed variance does not have eighteen times the degrees of freedom of one. A member that is too high in region 7 is
# also too high in region 8. The interval uses effective degrees of freedom $\nu_{\rm eff} = \nu\, ({\rm tr}\,C)^2 / {\rm tr}\,C^2$ from the covariance $C$ of the
# members' integrals. To check it, take the covariance of the Bayesian network on the first training set as if it were the truth, draw members from it, and count how
# often the interval holds the $G$ that belongs to it. Beside it: what would happen if the regions were taken as independent.

# %% tags=["hide-input"]
repetitions = page.settings["pseudo_experiments"]
page.record("pseudo_experiments", repetitions)
rows = []
coverages = {}
for dim in RING_DIMENSIONS:
    table = default_integrals[dim, 1][:, COMBINED]
    mean, covariance = table.mean(0), np.cov(table, rowvar=False)
    G = (mean * (1 - mean)).sum() / np.trace(covariance) / default.n_train
    independent = np.trace(covariance) ** 2 / (covariance**2).sum()
    page.record(f"effective_regions_ring{dim}d", independent, digits=2)
    for members in (10, 50):
        draws = page.rng(100 * dim + members).multivariate_normal(
            mean, covariance, (repetitions, members), method="eigh"
        )
        for level in (0.683, 0.95):
            intervals = np.array([averaging.from_integrals(d, default.n_train, level=level).interval for d in draws])
            coverage = np.mean((intervals[:, 0] <= G) & (intervals[:, 1] >= G))
            total, nu = draws.var(axis=1, ddof=1).sum(1), table.shape[1] * (members - 1)
            ends = [total * nu / stats.chi2.ppf(p, nu) for p in ((1 + level) / 2, (1 - level) / 2)]
            naive = np.mean((ends[0] <= np.trace(covariance)) & (np.trace(covariance) <= ends[1]))
            error = np.sqrt(level * (1 - level) / repetitions)
            rows.append(
                [
                    f"{dim}D",
                    members,
                    f"{100 * level:.3g} %",
                    f"{100 * coverage:.1f} ± {100 * error:.1f} %",
                    f"{100 * naive:.0f} %",
                ]
            )
            page.record(f"coverage_ring{dim}d_{members}_{1000 * level:.0f}", coverage)
            coverages[dim, members, level] = coverage
markdown_table(["", "members", "nominal", "contains $G$", "if regions were independent"], rows)

# %% [markdown]
# The eighteen regions behave like {glue:text}`calibration_effective_regions_ring2d` (2D) and {glue:text}`calibration_effective_regions_ring4d` (4D) independent ones.


# %% tags=["nbval-check-output"]
def covers(dim: int, members: int) -> bool:
    return abs(coverages[dim, members, 0.95] - 0.95) < 0.03 + 4 * np.sqrt(0.95 * 0.05 / repetitions)


for dim in RING_DIMENSIONS:
    print(f"{dim}D: the 95 % interval covers with 10 and with 50 members: {covers(dim, 10)}, {covers(dim, 50)}")

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-calibration-few
# Pulls from ten members scatter more than those from fifty even if the posterior is calibrated. By how much is the rms pull inflated?
# ```
#
# ````{solution} ex-calibration-few
# :class: dropdown
# The mean of $N$ members is uncertain by $s/\sqrt N$, and $1/s^2$ averages to $(N-1)/(N-3)$ times its true value. So the mean squared pull is
# $(1+1/N)\,(N-1)/(N-3)$: 1.41 for ten members (rms 1.19), 1.06 for fifty. The cell checks it.
# ````

# %% tags=["hide-input", "hide-output"]
for members in (10, 50):
    normal = page.rng(5).normal(size=(20_000, members + 1))
    squared = [pulls(row[1:, None], row[:1])[0] ** 2 for row in normal]
    print(f"{members} members: mean squared pull {np.mean(squared):.2f}, formula {expected_rms_pull(members) ** 2:.2f}")

# %% [markdown]
# ```{exercise}
# :label: ex-calibration-rescale
# Suppose the rms pull is 1.5 for your kind of generator on a toy with known truth. How would you correct a $G=6$ found on data without truth, and what do you assume?
# ```
#
# ````{solution} ex-calibration-rescale
# :class: dropdown
# The spread is too small by a factor 1.5, so its square by 2.25: $G = 6/2.25 \approx 2.7$. You assume that the miscalibration carries over from the toy to the data,
# which is an assumption about networks, not statistics; a different training length or a different $\ntrain$ may break it.
# ````

# %% tags=["hide-input", "hide-output"]
print(f"G = {6 / 1.5**2:.1f}")
