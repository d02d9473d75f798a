# %% [markdown]
# (sec-rings)=
# # Gaussian rings and the networks that learn them
#
# A fitted Gaussian knows its own shape. A network does not; it has to find out that the density is smooth, that it is
# round, and where it ends. The paper's toy data make this a fair test. Events have a Gaussian radius and no preferred
# direction,
#
# ```{math}
# :label: eq-ring
# p(R) = \mathcal N(R;\, 1,\, 0.1^2), \qquad R^2 = \sum_{i=1}^d x_i^2 ,
# ```
#
# but the network sees Cartesian coordinates only. To get the radius right it must learn how all coordinates hang together.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
from scipy import integrate, stats

from gampl import plots
from gampl.processes import GaussianRing
from gampl.regions import radius
from gampl.training import POSTERIORS
from gampl_book.integrals import shell_integrals
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.ring_ensembles import train_or_load, training_events
from gampl_book.studies import RING_DIMENSIONS, ring, trainings

page = Page("gaussian_rings", profile, seed)
plan = trainings(profile, seed)

# %% [markdown]
# ## Data and regions
#
# {numref}`fig-ring-data` shows one training set of {glue:text}`gaussian_rings_n_train` events in two dimensions. The radius is divided into
# twenty shells that hold 5 % of the probability each, numbered from the inside out; regions 1 and 20 are the tails, which reach to the
# origin and to infinity. The edges are quantiles of {eq}`eq-ring`, so the true integrals are 0.05 exactly.

# %% mystnb={"figure": {"name": "fig-ring-data", "caption": "Training data and regions (Fig. 3 of the paper). Left: events in two dimensions, coloured by region. Right: their radius in two and four dimensions with the edges of the twenty regions; the curve is the truth."}, "image": {"alt": "Left, a scatter plot of a thousand events on a ring of radius one, crossed by circles at the region edges. Right, two histograms of the radius around one with width 0.1, with vertical lines at twenty quantiles."}} tags=["hide-input"]
events = {dim: training_events(plan[ring(dim, "bayesian", 1)]) for dim in RING_DIMENSIONS}
shells = GaussianRing(2).shells(20)
page.record("n_train", len(events[2]))

figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.6), width_ratios=[1, 1.25])
index = np.digitize(radius(events[2]), shells.edges[1:-1])
left.scatter(*events[2].T, c=index, cmap="viridis", s=5)
angle = np.linspace(0, 2 * np.pi, 300)
for edge in shells.edges[1:-1]:
    left.plot(edge * np.cos(angle), edge * np.sin(angle), color="0.6", lw=0.3)
left.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
bins = np.linspace(0.6, 1.4, 41)
for dim, colour in zip(RING_DIMENSIONS, (plots.ESTIMATE, plots.MODEL), strict=True):
    right.hist(
        radius(events[dim]), bins, density=True, histtype="step", color=colour, lw=1.4, label=f"training set, {dim}D"
    )
R = np.linspace(0.6, 1.4, 200)
right.plot(R, stats.norm.pdf(R, 1, 0.1), color=plots.TRUE, label="truth")
for edge in shells.edges[1:-1]:
    right.axvline(edge, color="0.8", lw=0.6, zorder=0)
right.set(xlabel="$R$", ylabel="density", xlim=(0.6, 1.4))
right.legend(loc="upper left")
page.figure(
    figure, "ring_data", {"x1": events[2][:, 0], "x2": events[2][:, 1], "region": index + 1, "R_4d": radius(events[4])}
)

# %% tags=["nbval-check-output"]
for dim in RING_DIMENSIONS:
    truth = GaussianRing(dim).integrals(shells)
    print(
        f"{dim}D: {len(shells)} regions, each holds {truth.mean():.3f}, largest deviation below 1e-12: {np.ptp(truth) < 1e-12}"
    )
by_quadrature = [integrate.quad(stats.norm(1, 0.1).pdf, a, b)[0] for a, b in zip(shells.low, shells.high, strict=True)]
page.record("region_probability", 0.05 + np.abs(np.array(by_quadrature) - 0.05).max())

# %% [markdown]
# ````{admonition} Two readings of "flat angles"
# :class: note
# The paper asks for flat angular distributions. In two dimensions there is one angle and no doubt. Above, one can mean directions that are uniform on
# the sphere, or hyperspherical angles that are each flat in their range; the latter crowds events at the poles. We take the sphere,
# because a ring should look the same from every side, and `GaussianRing(dim, angles="angles")` offers the other. The radius, and with it
# every region on this page, is the same for both.
# ````

# %% [markdown]
# ## The generator
#
# The network writes the density as a product over coordinates, each conditioned on those before,
#
# ```{math}
# :label: eq-autoregressive
# p(x_1, \dots, x_d) = \prod_{i=1}^d p(x_i \mid x_1, \dots, x_{i-1}), \qquad
# p(x_i \mid x_{<i}) = \sum_{j=1}^K w_j\, \mathcal N(x_i; \mu_j, \sigma_j^2) ,
# ```
#
# and a small transformer turns $x_{<i}$ into the weights, means and widths of the $K$ Gaussians {cite}`jetgpt`. Every conditional is a
# density with a known integral, so the product is one, and its logarithm is the training loss. There is no Jacobian and no
# approximation: `log_prob` is exact. Sampling walks through the coordinates one by one.
#
# One network is not enough for an amplification estimate; we need to know by how much it could be different. Four ways to get *members*
# that share a training set:
#
# bayesian
# : A distribution over weights, fitted by variational inference {cite}`jetgpt,bayesian_generators`. Members are draws from it.
#
# deep
# : The same network from different random initial weights, each holding back its own fifth of the events to know when to stop. This is the paper's way; such members scatter too little, see {ref}`sec-members`.
#
# bootstrap
# : Each member sees every event a Poisson number of times, as if the training set had been drawn anew, and stops on the events it did not see.
#
# repulsive
# : Trained together, with a term in the loss that pushes members apart where they agree {cite}`repulsive`. As in the other ensembles, each member keeps the weights of its own best step.

# %% tags=["hide-input"]
trained = {(dim, kind): train_or_load(plan[ring(dim, kind, 1)]) for dim in RING_DIMENSIONS for kind in POSTERIORS}
for outcome in trained.values():
    page.count_training(outcome.history.seconds, outcome.history.device)
size = plan[ring(2, "bayesian", 1)]
parameters = sum(p.numel() for p in trained[2, "deep"].densities[0].parameters())
page.record("parameters", parameters)
page.record("width", size.architecture.width)
page.record("components", size.architecture.components)

# %% [markdown]
# Here the transformer is {glue:text}`gaussian_rings_width` wide with {glue:text}`gaussian_rings_components` Gaussians per conditional:
# {glue:text}`gaussian_rings_parameters` weights for {glue:text}`gaussian_rings_n_train` events. {numref}`fig-ring-training` shows how they
# learn. In four dimensions the same number of events has to fill a much larger space. Where the
# ensembles' validation loss turns around, their members stop.

# %% mystnb={"figure": {"name": "fig-ring-training", "caption": "Training curves of the first training set, averaged over the members of the ensembles. Lines: training loss, which for the Bayesian network contains the prior term and for the repulsive ensemble the prior and the repulsion. Dashed: negative log-likelihood of the events held back, where there are any. The grey line is the entropy of the truth, below which no density can stay on new events."}, "image": {"alt": "Training and validation loss against training step for four posteriors in two and four dimensions, falling towards the entropy of the true density."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(11, 4.4))
curves, entropies = {}, {}
for ax, dim in zip(axes, RING_DIMENSIONS, strict=True):
    truth_sample = GaussianRing(dim).sample(200_000, page.rng(1))
    entropy = -GaussianRing(dim).log_prob(truth_sample).mean()
    entropies[f"{dim}d"] = entropy
    ax.axhline(entropy, color="0.5", lw=1, label="entropy of the truth")
    for kind, colour in zip(POSTERIORS, (plots.ESTIMATE, plots.MODEL, plots.STAT, plots.OTHERS[0]), strict=True):
        history = trained[dim, kind].history
        curves[f"{dim}d_{kind}"] = {"step": history.steps, "train": np.nanmean(history.train_loss, axis=1)}
        ax.plot(history.steps, curves[f"{dim}d_{kind}"]["train"], color=colour, lw=1.2, label=kind)
        seen = np.isfinite(history.validation_loss).any(axis=1)
        if seen.any():
            validation = np.nanmean(history.validation_loss[seen], axis=1)
            ax.plot(history.steps[seen], validation, color=colour, lw=1.2, ls="--")
            curves[f"{dim}d_{kind}"]["validation"] = validation
    ax.set(xlabel="step", ylabel="loss per event", title=f"{dim}D", ylim=(entropy - 0.4, entropy + 1.2))
plots.shared_legend(axes, columns=5)
page.figure(figure, "ring_training", curves | {"entropy": entropies})

# %% [markdown]
# ## What they learn
#
# The radial density of each member can be computed without drawing a single event: integrate {eq}`eq-autoregressive` over thin shells. All coordinates
# but the last are drawn from a fixed set of quasi-random numbers, and the integral over the last one is a difference of error functions. The
# next page relies on the same trick.

# %% mystnb={"figure": {"name": "fig-ring-learned", "caption": "Learned radial density relative to the truth for the four posteriors: mean over members (line) and their standard deviation (band). Points: the training set itself with Poisson errors. Where a band is narrower than the points' errors, the generator amplifies; where it misses one, it is wrong about itself."}, "image": {"alt": "Ratio of learned to true radial density against radius in two and four dimensions, with bands of the members' spread; they agree near the ring and deviate in the tails."}} tags=["hide-input"]
edges = np.concatenate([[0.0], np.linspace(0.7, 1.3, 31), [np.inf]])
centres = 0.5 * (edges[1:-2] + edges[2:-1])
figure, axes = plt.subplots(2, 4, figsize=(13.5, 6), sharex=True, sharey=True)
data = {"R": centres}
for row, dim in zip(axes, RING_DIMENSIONS, strict=True):
    probability = np.diff(stats.norm.cdf(edges, 1, 0.1))[1:-1]
    counts = np.histogram(radius(events[dim]), edges[1:-1])[0]
    expected = len(events[dim]) * probability
    for ax, kind in zip(row, POSTERIORS, strict=True):
        integrals = shell_integrals(
            trained[dim, kind].densities, edges, page.settings["integral_points"], replicates=2, seed=seed
        )
        ratio = integrals.values[:, 1:-1] / probability
        mean, spread = ratio.mean(0), ratio.std(0, ddof=1)
        ax.errorbar(
            centres,
            counts / expected,
            np.sqrt(np.maximum(counts, 1)) / expected,
            fmt=".",
            color="0.55",
            ms=4,
            lw=0.8,
            label="training set",
        )
        ax.fill_between(centres, mean - spread, mean + spread, color=plots.MODEL, alpha=0.35, lw=0, label="members")
        ax.plot(centres, mean, color=plots.MODEL)
        ax.axhline(1, color=plots.TRUE, lw=0.8)
        ax.set(ylim=(0.4, 1.6), title=f"{dim}D, {kind}")
        data |= {
            f"{dim}d_{kind}_mean": mean,
            f"{dim}d_{kind}_spread": spread,
            f"{dim}d_training_set": counts / expected,
        }
    row[0].set_ylabel("density / truth")
for ax in axes[-1]:
    ax.set_xlabel("$R$")
plots.shared_legend(axes.ravel())
page.figure(figure, "ring_learned", data)

# %% [markdown]
# Where the density is high there are many events to learn from. In the tails the members must extrapolate from a handful, and since it is the same handful for all of
# them, they can go astray together. A single number for the whole density is the Kullback-Leibler
# divergence from the truth, the loss of log-probability per event:

# %% tags=["hide-input"]
rows = []
for dim in RING_DIMENSIONS:
    fresh = GaussianRing(dim).sample(20_000, page.rng(2))
    log_truth = GaussianRing(dim).log_prob(fresh)
    for kind in POSTERIORS:
        divergence = (log_truth - trained[dim, kind].log_prob(fresh)).mean(axis=1)
        mixture = np.log(np.exp(trained[dim, kind].log_prob(fresh)).mean(axis=0))
        rows.append(
            [
                f"{dim}D",
                kind,
                len(divergence),
                rounded(divergence.mean(), 2),
                rounded(divergence.min(), 2),
                rounded((log_truth - mixture).mean(), 2),
            ]
        )
        page.record(f"divergence_ring{dim}d_{kind}", divergence.mean())
markdown_table(
    ["", "posterior", "members", "KL of a member, mean [nats]", "best member", "KL of the members' average density"],
    rows,
)

# %% mystnb={"figure": {"name": "fig-ring-map", "caption": "The density in two dimensions: the truth, one member of the deep ensemble, and the average over its members. Averaging smooths the patches of a single member's Gaussian mixtures."}, "image": {"alt": "Three colour maps of a ring-shaped density: smooth truth, a patchy single network, a smoother ensemble average."}} tags=["hide-input"]
grid = np.linspace(-1.5, 1.5, 121)
points = np.stack(np.meshgrid(grid, grid), axis=-1)
members = np.exp(trained[2, "deep"].log_prob(points.reshape(-1, 2))).reshape(-1, *points.shape[:2])
maps = {
    "truth": np.exp(GaussianRing(2).log_prob(points + 1e-9)),
    "one member": members[0],
    "average of members": members.mean(0),
}
figure, axes = plt.subplots(1, 3, figsize=(12, 4), sharey=True)
for ax, (name, density) in zip(axes, maps.items(), strict=True):
    image = ax.imshow(
        density, extent=(-1.5, 1.5, -1.5, 1.5), origin="lower", vmin=0, vmax=maps["truth"].max() * 1.3, cmap="cividis"
    )
    ax.set(title=name, xlabel="$x_1$")
axes[0].set_ylabel("$x_2$")
figure.colorbar(image, ax=axes, label="density", shrink=0.85)
page.figure(figure, "ring_map", {"x": grid} | {name: density.round(4) for name, density in maps.items()})

# %% [markdown]
# ## Sampling agrees with the density
#
# The samples and the density of an autoregressive network are two faces of one object, so they can be held against each other. We draw
# events from the first member of each posterior, count them in the twenty regions, and compare with the integrals of its density.

# %% tags=["hide-input"]
verdicts = []
rows = []
for dim in RING_DIMENSIONS:
    for kind in POSTERIORS:
        posterior = trained[dim, kind]
        n = page.settings["n_gen"]
        counts = shells.count(posterior.sample(0, n, seed=seed)).inside
        integrals = shell_integrals(
            posterior.densities[:1], shells.edges, page.settings["integral_points"], replicates=4, seed=seed
        )
        variance = n * integrals.values[0] * (1 - integrals.values[0]) + (n * integrals.standard_error[0]) ** 2
        pull = (counts - n * integrals.values[0]) / np.sqrt(variance)
        # the largest of 20 pulls; 4.5 is exceeded in 1.4e-4 of the cases
        rows.append([f"{dim}D", kind, f"{np.abs(pull).max():.1f}", f"{np.sqrt(np.mean(pull**2)):.2f}"])
        verdicts.append(np.abs(pull).max() < 4.5)
markdown_table(["", "posterior", "largest pull of 20", "rms pull"], rows)

# %% tags=["nbval-check-output"]
print(f"samples and densities agree in {sum(verdicts)} of {len(verdicts)} posteriors")

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-rings-entropy
# Compute the entropy of the ring in $d$ dimensions, the grey line of {numref}`fig-ring-training`, up to one integral over $R$.
# ```
#
# ````{solution} ex-rings-entropy
# :class: dropdown
# With the directions uniform on a sphere of surface $S_d = 2\pi^{d/2}/\Gamma(d/2)$ the density is $p(R)/(S_d R^{d-1})$, so the entropy is that of a
# Gaussian plus two terms: $\tfrac12 \log(2\pi e\sigma^2) + \log S_d + (d-1)\langle \log R\rangle$. The last average is close to $-\sigma^2/2$.
# ````

# %% tags=["hide-input", "hide-output"]
from scipy.special import gammaln

for dim in RING_DIMENSIONS:
    surface = np.log(2) + dim / 2 * np.log(np.pi) - gammaln(dim / 2)
    by_formula = 0.5 * np.log(2 * np.pi * np.e * 0.01) + surface + (dim - 1) * (-0.005)
    sample = GaussianRing(dim).sample(100_000, page.rng(3))
    print(f"{dim}D: formula {by_formula:.3f}, from events {-GaussianRing(dim).log_prob(sample).mean():.3f}")

# %% [markdown]
# ```{exercise}
# :label: ex-rings-order
# The network generates $x_1$ first, without any condition. What does $p(x_1)$ look like for the two-dimensional ring, and why is it the
# hardest of the two conditionals for a Gaussian mixture?
# ```
#
# ````{solution} ex-rings-order
# :class: dropdown
# The projection of a thin ring piles up at its edges: for zero width $p(x_1) = 1/(\pi\sqrt{1-x_1^2})$ diverges at $\pm1$. A mixture of a few Gaussians has to
# build two sharp horns and a flat bridge. The second conditional has two narrow peaks at $\pm\sqrt{1-x_1^2}$, which is easy except near $x_1=\pm1$, where they merge.
# ````

# %% tags=["hide-input", "hide-output"]
first = GaussianRing(2).sample(200_000, page.rng(4))[:, 0]
density, bin_edges = np.histogram(first, 15, (-1.5, 1.5), density=True)
for a, p in zip(bin_edges, density, strict=False):
    print(f"{a:5.1f} " + "#" * round(60 * p))
