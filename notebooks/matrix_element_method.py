# %% [markdown]
# (sec-mem)=
# # The matrix element method
#
# A mass can be measured from the density of what is observed, event by event. For a measured event $x$ the *matrix element method* integrates over all events $z$ of the hard process that can have led to it,
#
# ```{math}
# :label: eq-mem
# p(x|m_t) = \frac{\int dz\; p(z|m_t)\,\epsilon(z)\,T(x|z)}{\int dz\; p(z|m_t)\,\epsilon(z)} ,
# ```
#
# where theory knows $p(z|m_t)$, $T$ is the density with which the detector turns $z$ into $x$, and $\epsilon$ the probability that the event is accepted. The talk *Controlled Precision Generators* {cite}`plehn_controlled` replaces three parts by networks, after {cite}`mem_transfer,mem_precision`: a generator with a density learns the *transfer* $T$ from pairs of $z$ and $x$, a second one draws the points $z$ at which the integral is summed, and a third network learns the *efficiency* $\epsilon$. "Method working" is the talk's verdict.
#
# Here that is checked where the likelihood is known exactly. Does the interval of the mass hold the true mass as often as it should? And the question of this book: the transfer density is learned from a finite number of pairs. From which number on does it hurt the mass less than the statistics of the measured events does? In other words, *how many events is a learned transfer density worth, when it is used for an inference?*

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from dataclasses import asdict, replace

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats
from scipy.optimize import minimize_scalar
from sklearn.neural_network import MLPClassifier

from gampl import plots
from gampl.generators.settings import Architecture
from gampl.training import Data, Fit, Table, Training, train_members
from gampl_book.coverage import over_sets
from gampl_book.matrix_element import (
    FINER,
    MASSES,
    Detector,
    HardProcess,
    Integrals,
    LogLikelihood,
    Nodes,
    Normalisation,
    crossing,
    efficiency,
    events_worth,
    fit_mass,
    grid_points,
    simulate,
)
from gampl_book.pages import Page, markdown_table, rounded

page = Page("matrix_element_method", profile, seed)
sizes, n_whole, sets, steps, n_events, experiments, few, n_integrals, draws, even_points, n_sampler = (
    page.settings.values()
)
TRUE, OTHER_MASSES = 173.0, (167.0, 179.0)
NOMINAL = int(np.flatnonzero(MASSES == TRUE)[0])
process, detector = HardProcess(), Detector()
for name in ("n_whole", "sets", "n_events", "experiments", "draws"):
    page.record(name, page.settings[name])
page.record("points", even_points)
page.record("n_sampler", n_sampler)
page.record("true_mass", round(TRUE))

# %% [markdown]
# ## A system with an exact likelihood
#
# The mass of the top is hardly in the pairs themselves: few are near threshold, where it matters, and their angles tell little of it. It is in the decays. Each event here is one top of a {ref}`leading-order pair <sec-leading-order>` that decays as $t\to bW\to b\ell\nu$. Of its products the detector sees two numbers, the transverse momentum of the $b$ quark and the mass of quark and lepton,
#
# ```{math}
# :label: eq-mem-hard
# z=\big(\ln p_{T,b},\,\ln m_{b\ell}^2\big),\qquad m_{b\ell}^2=\left(m_t^2-m_W^2\right)\frac{1+\cos\theta}{2} .
# ```
#
# The helicity angle $\theta$ of the lepton has the density $\frac34F_0\sin^2\theta+\frac38F_L(1-\cos\theta)^2$, with $F_0=m_t^2/(m_t^2+2m_W^2)=1-F_L$ for longitudinal and left-handed $W$; this density does not depend on how the top was made. The edge of $m_{b\ell}$ at $\sqrt{m_t^2-m_W^2}$ is where most of the sensitivity comes from. $p_{T,b}$ follows from the exact density of the tops' transverse momentum, from the energy $(m_t^2-m_W^2)/2m_t$ of the quark in the top's frame and from a random direction there. Both densities are quadratures of one dimension, for each $m_t$.
#
# The detector measures $x=z+y$ with $y=(\ln r,\,\ln r+\ln s)$. The jet response $r$ is log-normal with a resolution that improves with $p_T$, except for a fraction of the jets, which lose energy to neutrinos or outside the cone; $s$ is the contribution of the lepton and the angles to the mass. The jet must be tagged, and the lepton must be isolated from it, with probabilities $\epsilon(z)$ that depend on the hard process. These densities are known, so that {eq}`eq-mem` is a quadrature of two dimensions in $\ln r$ and $\ln s$. It is the simplest system that we have found in which all parts of the method do something: the mass is in the hard process, the smearing is not Gaussian, and the acceptance depends on the mass. It is not a measurement: there is no background, no assignment of jets, and nothing radiates.

# %% mystnb={"figure": {"name": "fig-mem-system", "caption": "Left and middle: the hard process for three top masses, exact (lines) and sampled for the middle one (dots); dashed: the same, accepted and measured. Dotted, left panel, axis on its right: probability of acceptance for $m_{b\\ell}=100$ GeV. Right: response to the jet for two transverse momenta."}, "image": {"alt": "Left, transverse momentum of the quark, a hump that moves little with the mass, and a rising curve of the acceptance. Middle, mass of quark and lepton, a broad hump with an edge that moves with the top mass and is washed out where it is measured. Right, asymmetric peaks of the response, narrower for the harder jet."}} tags=["hide-input"]
pseudo_data = simulate(process, detector, TRUE, n_events * experiments, page.rng(0))
x_data = pseudo_data.x
figure, axes = plt.subplots(1, 3, figsize=(12.5, 3.8))
RANGES = np.linspace(np.log(8), np.log(400), 41), 2 * np.log(np.linspace(10, 230, 45))
data = {}
COLOURS = plt.get_cmap("viridis")(np.linspace(0, 0.85, 3))
for ax, k, edges, scale, label in zip(
    axes, (0, 1), RANGES, (1.0, 0.5), ("$p_{T,b}$ [GeV]", r"$m_{b\ell}$ [GeV]"), strict=False
):
    middles = np.linspace(edges[0], edges[-1], 400)
    points = np.full((400, 2), [np.log(60.0), 2 * np.log(80.0)])
    points[:, k] = middles
    density = np.exp(process.log_prob(points))
    density /= np.trapezoid(density, middles, axis=0)
    value = np.exp(scale * middles)
    for mass, colour in zip((MASSES[0], TRUE, MASSES[-1]), COLOURS, strict=True):
        curve = density[:, np.searchsorted(MASSES, mass)] / (scale * value)
        ax.plot(value, curve, color=colour, label=f"$m_t={mass:.0f}$ GeV")
        data[f"{label} {mass:.0f}"] = np.stack([value, curve])
    bins = np.exp(scale * edges)
    counts = np.histogram(np.exp(scale * pseudo_data.made[:, k]), bins)[0] / len(pseudo_data.made) / np.diff(bins)
    measured = np.histogram(np.exp(scale * x_data[:, k]), bins)[0] / len(x_data) / np.diff(bins)
    ax.plot(0.5 * (bins[1:] + bins[:-1]), counts, ".", color=COLOURS[1], ms=5)
    ax.stairs(measured, bins, baseline=None, color=plots.TRUE, ls="--", label="measured")
    ax.set(xlabel=label, ylabel="density [1/GeV]", ylim=(0, None))
axes[0].set_xlim(0, 250)
axes[0].legend(loc="center right")
u = np.linspace(-0.9, 0.6, 300)
for pt, colour in ((30.0, plots.ESTIMATE), (150.0, plots.MODEL)):
    at = np.stack([np.full(300, np.log(pt)), np.zeros(300)], axis=1)
    of_lepton = stats.norm.pdf(0, 0, detector.lepton)
    axes[2].plot(
        u,
        np.exp(detector.log_prob(np.stack([u, u], axis=1), at)) / of_lepton,
        color=colour,
        label=f"$p_T={pt:.0f}$ GeV",
    )
axes[2].set(xlabel=r"$\ln r$", ylabel="density", ylim=(0, 5))
axes[2].legend(loc="upper left")
beside = axes[0].twinx()
pts = np.linspace(8, 250, 200)
accepted = efficiency(np.stack([np.log(pts), np.full(200, 2 * np.log(100.0))], axis=1))
beside.plot(pts, accepted, color="0.4", ls=":", label=r"$\epsilon$")
beside.set(ylim=(0, 1.05), ylabel=r"$\epsilon$, $m_{b\ell}=100$ GeV")
page.figure(figure, "mem_system", data)

# %% [markdown]
# ## The exact likelihood
#
# A pseudo-experiment has {glue:text}`matrix_element_method_n_events` accepted events. Their likelihood is worked out at masses from 161 to 185 GeV and interpolated; the estimate is its maximum, and the interval is where its logarithm is at most one half below.

# %% tags=["hide-input"]
normalisation = Normalisation(process)
exact_normalisation = normalisation()
POINTS = grid_points()
integrals = Integrals(process, Nodes.regular(POINTS))


def likelihood(transfer, eps=efficiency, with_integrals=integrals):
    """Log p(x | m_t) with a transfer density and an efficiency."""
    of_all = exact_normalisation if eps is efficiency else normalisation(eps)
    return LogLikelihood(with_integrals(transfer, eps), of_all)


def fitted(log_likelihood, x=x_data):
    """Masses of the pseudo-experiments."""
    return fit_mass(log_likelihood(x).reshape(-1, n_events, len(MASSES)).sum(axis=1))


def binomial(held):
    """A share and its 95 % interval (Clopper and Pearson 1934)."""
    found = stats.binomtest(int(held.sum()), held.size).proportion_ci(0.95)
    return float(held.mean()), [float(found.low), float(found.high)]


def covered(held):
    """Share of intervals with the truth, (sets, experiments), and its 95 % interval.

    All training sets see the same experiments, so that there are two errors: that over sets, and that over experiments.
    """
    of_sets, of_experiments = (held.mean(axis=axis).std(ddof=1) / np.sqrt(held.shape[1 - axis]) for axis in (1, 0))
    half = np.hypot(stats.t.ppf(0.975, len(held) - 1) * of_sets, stats.norm.ppf(0.975) * of_experiments)
    mean = float(held.mean())
    return mean, [max(0.0, mean - half), min(1.0, mean + half)]


def words(value, ends, digits=2, scale=1.0):
    """A number with its interval."""
    return (
        f"{rounded(scale * value, digits)} ({rounded(scale * ends[0], digits)} to {rounded(scale * ends[1], digits)})"
    )


exact_likelihood = likelihood(detector.log_prob)
exact = fitted(exact_likelihood)
coverage = binomial(exact.covers(TRUE))
page.record("coverage_exact", *coverage, 0.95)
page.record("coverage_exact_percent", 100 * coverage[0], [100 * end for end in coverage[1]], 0.95)
bias = over_sets(exact.mass - TRUE)
page.record("bias_exact", *bias, 0.95, digits=2)
sigma = float(exact.error.mean())
one_event = sigma * np.sqrt(n_events)
page.record("sigma", sigma, digits=2)
page.record("sigma_one", one_event, digits=3)
page.record("scatter_over_sigma", float(exact.mass.std(ddof=1) / sigma), digits=2)
other_data = {
    mass: simulate(process, detector, mass, n_events * few, page.rng(1 + k)).x for k, mass in enumerate(OTHER_MASSES)
}
samples = {OTHER_MASSES[0]: other_data[OTHER_MASSES[0]], TRUE: x_data, OTHER_MASSES[1]: other_data[OTHER_MASSES[1]]}
rows = []
for mass, x in samples.items():
    found = exact if mass == TRUE else fitted(exact_likelihood, x)
    rows.append(
        [
            f"{mass:.0f}",
            len(found.mass),
            words(*over_sets(found.mass - mass)),
            rounded(found.mass.std(ddof=1), 3),
            rounded(found.error.mean(), 3),
            words(*binomial(found.covers(mass)), scale=100),
        ]
    )
markdown_table(
    ["true $m_t$ [GeV]", "pseudo-experiments", "bias [GeV]", "scatter [GeV]", "error [GeV]", "coverage [%]"], rows
)

# %% [markdown]
# With the exact likelihood the interval holds the true mass in {glue:text}`matrix_element_method_coverage_exact_percent` % of {glue:text}`matrix_element_method_experiments` pseudo-experiments (95 % interval, binomial: {glue:text}`matrix_element_method_coverage_exact_percent_low` to {glue:text}`matrix_element_method_coverage_exact_percent_high`), where 68.3 % are nominal. The bias is {glue:text}`matrix_element_method_bias_exact` GeV ({glue:text}`matrix_element_method_bias_exact_low` to {glue:text}`matrix_element_method_bias_exact_high`). The statistical error of {glue:text}`matrix_element_method_n_events` events is {glue:text}`matrix_element_method_sigma` GeV: a single event would have the error $\sigma_1=$ {glue:text}`matrix_element_method_sigma_one` GeV, and $N$ of them $\sigma_1/\sqrt N$.
#
# ## Learned transfer, sampling and efficiency
#
# A training set has $n$ pairs, that is $n$ accepted events $z$ with their $y$, from a simulation with $m_t=$ {glue:text}`matrix_element_method_true_mass` GeV, and the events that were made for them and not accepted. On each of {glue:text}`matrix_element_method_sets` training sets per size three networks are trained:
#
# ```python
# transfer = train_members(Training(Table(("jet", "mass")), n, architecture, conditions=2), Data(y, condition=z))[0]
# transfer.log_prob(y, z)                    # ln T, to be integrated
# sampler = train_members(Training(Table(("ln pT", "ln m2")), n, architecture, conditions=2), Data(z, condition=x))[0]
# sampler.sample(len(x), seed, condition=x)  # points z that can have led to x, to sum the integral
# ```
#
# - The *transfer* density is a spline flow that is told $z$ and generates $y$. It holds back a fifth of the pairs, which decide when it stops.
# - The *sampler* is a spline flow that is told $x$ and generates $z$. It learns from {glue:text}`matrix_element_method_n_sampler` *generated* pairs: $z$ from theory at all masses between 161 and 185 GeV, in any number, and $y$ from the learned transfer density. A sampler that has seen one mass only makes no $m_{b\ell}$ beyond the edge of that mass, where the integrals of larger masses go on. The integral {eq}`eq-mem` is the mean of $p(z|m_t)\,\epsilon(z)\,T(x|z)/q(z|x)$ over its points: what it has learned wrongly costs precision and does not bias the integral, because its density $q$ is known.
# - The *efficiency* is a small classifier of accepted events among all that were made. It sees $z$, so that no features have to be chosen.
#
# Sizes of networks and steps are the same for all $n$.

# %% tags=["hide-input"]
SPLINE = Architecture("spline", 1, width=24, components=8, couplings=False)
FIT = Fit(steps, 256, 1e-2, warmup=steps // 10, validate_every=max(1, steps // 20), patience=5, ema=0.98)


def train(what, n, events, conditions):
    """Networks of several training sets of n pairs, side by side: (sets, n, 2) twice."""
    columns = {"transfer": ("jet", "mass"), "sampler": ("ln pT", "ln m2")}[what]
    training = Training(
        Table(columns),
        n,
        SPLINE,
        "same_split",
        len(events),
        1000 * seed + [*sizes, n_sampler].index(n),
        FIT,
        conditions=2,
    )
    trained = train_members(
        training,
        lambda k: Data(events[k], condition=conditions[k]),
        parallel=len(events),
        label=f"matrix element/{what}/{n}",
    )
    for one in trained:
        if one.failure:
            raise RuntimeError(f"{what} of {n} pairs: {one.failure}")
        page.count_training(one.history.seconds, one.history.device)
    return trained


def learned_efficiency(simulated, k):
    """A classifier's probability that an event is accepted, as a function of z."""
    mean, std = simulated.made.mean(axis=0), simulated.made.std(axis=0)
    network = MLPClassifier(
        (16,), solver="lbfgs", alpha=1.0, max_iter=5000, max_fun=20_000, random_state=1000 * seed + k
    )
    network.fit((simulated.made - mean) / std, simulated.accepted)
    return lambda z: network.predict_proba(((z - mean) / std).reshape(-1, 2))[:, 1].reshape(z.shape[:-1])


pairs = {
    n: [simulate(process, detector, TRUE, n, page.rng(100 * (i + 1) + k)) for k in range(sets)]
    for i, n in enumerate(sizes)
}
transfers = {n: train("transfer", n, [p.y for p in some], [p.z for p in some]) for n, some in pairs.items()}
efficiencies = [learned_efficiency(one, k) for k, one in enumerate(pairs[n_whole])]

# pairs for the sampler, as many as one likes: theory makes z for all masses, the learned networks accept it and make y
per_mass = -(-3 * n_sampler // len(MASSES))
theory = page.rng(40).permutation(np.concatenate([process.sample(mass, per_mass, page.rng(41)) for mass in MASSES]))
generated = []
for k, transfer in enumerate(transfers[n_whole]):
    z = theory[page.rng(42 + k).random(len(theory)) < efficiencies[k](theory)][:n_sampler]
    generated.append((z, z + transfer.sample(len(z), seed, condition=z)))
samplers = train("sampler", n_sampler, [z for z, _ in generated], [x for _, x in generated])

# %% mystnb={"figure": {"name": "fig-mem-transfer", "caption": "Response to a jet of 30 GeV (left) and of 150 GeV (right): known density (line) and events that the learned transfer density makes for this jet and $m_{b\\ell}=100$ GeV (histograms), first training set of some sizes."}, "image": {"alt": "Two panels with an asymmetric peak each, broad on the left and narrow with a shoulder on the right. The histograms of many pairs follow the line."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8))
bins = np.linspace(-0.9, 0.6, 61)
shown = dict(zip(sizes[::2], ["0.6", plots.OTHERS[2], plots.ESTIMATE, plots.STAT], strict=False))
data = {"u": u, "edges": bins}
for ax, pt in zip(axes, (30.0, 150.0), strict=True):
    told = np.array([np.log(pt), 2 * np.log(100.0)])
    for n, colour in shown.items():
        made = transfers[n][0].sample(20_000 if profile != "smoke" else 2_000, seed, condition=told)[:, 0]
        density = np.histogram(made, bins)[0] / len(made) / np.diff(bins)
        ax.stairs(density, bins, baseline=None, color=colour, label=f"{n} pairs")
        data[f"{n} pairs, {pt:.0f} GeV"] = density
    true = np.exp(detector.log_prob(np.stack([u, u], axis=1), np.broadcast_to(told, (len(u), 2)))) / of_lepton
    ax.plot(u, true, color=plots.TRUE, lw=1.2, label="known density")
    ax.set(xlabel=r"$\ln r$", ylabel="density", title=f"$p_{{T,b}}={pt:.0f}$ GeV", ylim=(0, None))
axes[0].legend(loc="upper left")
page.figure(figure, "mem_transfer", data)

# %% [markdown]
# ### Integrals by sampling
#
# The integrals of {glue:text}`matrix_element_method_n_integrals` measured events, with the exact $T$ and $\epsilon$ and the mass {glue:text}`matrix_element_method_true_mass` GeV, are summed over {glue:text}`matrix_element_method_draws` points each, drawn in three ways: from the *hard process*, accepted or not; from the *measured event*, smeared back with mean and covariance of the shifts in a training set; and from the learned *sampler*, made of {glue:text}`matrix_element_method_n_whole` pairs. The quadrature with half the step is the reference; the step that the likelihoods are worked out with changes an integral by {glue:text}`matrix_element_method_quadrature_percent` %, root mean square.

# %% tags=["hide-input"]
events = x_data[:n_integrals]
reference = Integrals(process, Nodes.regular(events, FINER))(detector.log_prob)[:, NOMINAL]
train_pairs, rng = pairs[n_whole], page.rng(50)


def from_hard_process(x, _):
    z = process.sample(TRUE, len(x) * draws, rng).reshape(len(x), draws, 2)
    return z, process.log_prob(z)[..., NOMINAL]


def from_measured(x, k):
    shifts = stats.multivariate_normal(train_pairs[k].y.mean(axis=0), np.cov(train_pairs[k].y.T))
    y = shifts.rvs(len(x) * draws, rng).reshape(len(x), draws, 2)
    return x[:, None] - y, shifts.logpdf(y)


def from_sampler(x, k):
    told = np.repeat(x, draws, axis=0)
    z = samplers[k].sample(len(told), seed, condition=told)
    shape = len(x), draws
    return z.reshape(*shape, 2), samplers[k].log_prob(z, told).reshape(shape)


def evenly(x, k):
    """Points of a Sobol sequence with a random shift for each event, a quarter of them from the measured event."""
    shift = rng.random((len(x), 1, 2))
    uniform = (stats.qmc.Sobol(2, scramble=False).random(even_points) + shift) % 1
    normal = stats.norm.ppf(np.clip(uniform, 1e-9, 1 - 1e-9))
    few_points = even_points // 4
    first, second = normal[:, few_points:], normal[:, :few_points]
    told = np.repeat(x, first.shape[1], axis=0)
    z = samplers[k].generator.generate(torch.from_numpy(told), torch.from_numpy(first.reshape(-1, 2)).float())
    mean, cov = train_pairs[k].y.mean(axis=0), np.cov(train_pairs[k].y.T)
    from_event = x[:, None] - mean - second @ np.linalg.cholesky(cov).T
    z = np.concatenate([z.numpy().reshape(first.shape), from_event], axis=1)
    log_q = samplers[k].log_prob(z.reshape(-1, 2), np.repeat(x, even_points, axis=0)).reshape(z.shape[:2])
    of_event = stats.multivariate_normal(mean, cov).logpdf(x[:, None] - z)
    return z, np.logaddexp(np.log(0.75) + log_q, np.log(0.25) + of_event)


WAYS = {
    "hard": ("hard process", from_hard_process),
    "measured": ("measured event", from_measured),
    "sampler": ("learned sampler", from_sampler),
}
rows, spread = [], {}
page.record("n_integrals", n_integrals)
coarse = Integrals(process, Nodes.regular(events))(detector.log_prob)[:, NOMINAL]
page.record("quadrature_percent", 100 * float(np.sqrt(((coarse / reference - 1) ** 2).mean())), digits=1)
for way, (title, draw) in WAYS.items():
    ratios, spreads, pulls = [], [], []
    for k in range(sets):
        sampled = Integrals(process, Nodes.sampled(events, *draw(events, k)))
        ratio = sampled(detector.log_prob)[:, NOMINAL] / reference
        spreads.append(sampled.spread(NOMINAL, detector.log_prob))
        ratios.append(ratio.mean())
        pulls.append((ratio - 1) / (ratio * spreads[-1] / np.sqrt(draws)))
    spread[way] = np.sqrt((np.array(spreads) ** 2).mean(axis=1))
    within = (np.abs(pulls) < 1).mean(axis=1)
    page.record(f"integral_{way}", *over_sets(np.array(ratios)), 0.95, digits=4)
    page.record(f"spread_{way}", *over_sets(spread[way]), 0.95, digits=2)
    rows.append(
        [
            title,
            words(*over_sets(np.array(ratios)), digits=4),
            words(*over_sets(100 * within)),
            words(*over_sets(spread[way])),
            rounded(float((spread[way] ** 2).mean()) / 0.01**2, 2),
        ]
    )
even = np.array(
    [
        Integrals(process, Nodes.sampled(events, *evenly(events, k)))(detector.log_prob)[:, NOMINAL] / reference
        for k in range(sets)
    ]
)
page.record("integral_even", *over_sets(even.mean(axis=1)), 0.95, digits=4)
page.record("even_percent", *over_sets(100 * np.sqrt(((even - 1) ** 2).mean(axis=1))), 0.95, digits=2)
page.record("random_percent", 100 * float(np.sqrt((spread["sampler"] ** 2).mean() / draws)), digits=2)
numbers = [page.recorded["numbers"][f"integral_{way}"]["interval"] for way in WAYS]
agree = sum(float(low) <= 1 <= float(high) for low, high in numbers)
page.record("integrals_agree", agree)
page.record("integral_ways", len(WAYS))
gain = (spread["measured"] / spread["sampler"]) ** 2
page.record("sampler_gain", *over_sets(gain), 0.95, digits=2)
markdown_table(
    [
        "points from",
        "integral / quadrature",
        r"within one standard error [%]",
        "relative standard deviation of the weights",
        "points for 1 %",
    ],
    rows,
)

# %% [markdown]
# The intervals, at 95 %, are over the {glue:text}`matrix_element_method_sets` training sets, and for the hard process over as many repetitions. {glue:text}`matrix_element_method_integrals_agree` of {glue:text}`matrix_element_method_integral_ways` intervals of the mean quotient hold one; sums over the hard process live on rare points of large weight, and their distribution is skew. For the same precision it takes {glue:text}`matrix_element_method_sampler_gain` times as many points from the measured event as from the learned sampler ({glue:text}`matrix_element_method_sampler_gain_low` to {glue:text}`matrix_element_method_sampler_gain_high`).
#
# For a likelihood this is not enough. A sampler is poor where it has seen little, and one measured event whose sum is next to nothing can decide the mass. From here on a quarter of the points come from the measured event, and the density $q$ is that of the mixture {cite}`hesterberg`. The latent numbers come from a Sobol sequence with a random shift: the sampler turns numbers that fill the plane evenly into points that fill the integrand evenly. With {glue:text}`matrix_element_method_points` such points an integral is off by {glue:text}`matrix_element_method_even_percent` % ({glue:text}`matrix_element_method_even_percent_low` to {glue:text}`matrix_element_method_even_percent_high`), root mean square, where {glue:text}`matrix_element_method_draws` random ones of the sampler alone have a standard error of {glue:text}`matrix_element_method_random_percent` %. The mean quotient is {glue:text}`matrix_element_method_integral_even` ({glue:text}`matrix_element_method_integral_even_low` to {glue:text}`matrix_element_method_integral_even_high`).
#
# (sec-mem-amplification)=
# ## What a learned transfer density is worth
#
# With the learned $T$ in the place of the exact one, everything else exact, the same pseudo-experiments give other masses. The mean $\delta$ of the differences is a property of the training set: no number of measured events removes it. Its root mean square over training sets is the error that a finite number of pairs adds to the mass. The statistical error of $N$ events is $\sigma_1/\sqrt N$, so that the learned density is worth
#
# ```{math}
# :label: eq-mem-equiv
# \nequiv = \frac{\sigma_1^2}{\langle\delta^2\rangle},\qquad G=\frac{\nequiv}{n}
# ```
#
# events. This is $\nequiv$ in the sense of this book, with an inference in the place of an integral and $n$ in the place of $\ntrain$. The $n$ pairs themselves, as templates of $x$ with the weights $p(z|m_t)/p(z|m_{\rm sim})$, have the error $\sigma_1/\sqrt n$ at best, $G=1$, as an exercise below shows; the table has what {glue:text}`matrix_element_method_template_sets` further sets reach in $\sqrt{n/25}$ bins of either number, at most 12. The transfer's error is smaller than the statistical one of $N$ events as long as $N<\nequiv$.
#
# There is a yardstick for $G$. If the *form* of the detector's response is known and only its {glue:text}`matrix_element_method_parameters` parameters are to be found, an efficient fit to $n$ pairs has the variance $g^{\sf T}F^{-1}g/n$ in the mass, with the Fisher information $F$ of a pair and the slopes $g$ of the mass in the parameters, which come from the exact likelihood.

# %% tags=["hide-input"]
some = x_data[: n_events * min(experiments, 60)]
slopes, scores = [], []
many = simulate(process, detector, TRUE, 40_000 if profile != "smoke" else 4_000, page.rng(60))
for name, value in asdict(detector).items():
    ends = [replace(detector, **{name: factor * value}) for factor in (0.95, 1.05)]
    masses = [fitted(likelihood(end.log_prob), some).mass.mean() for end in ends]
    slopes.append((masses[1] - masses[0]) / (0.1 * value))
    scores.append((ends[1].log_prob(many.y, many.z) - ends[0].log_prob(many.y, many.z)) / (0.1 * value))
information = np.array(scores) @ np.array(scores).T / len(many.z)
one_pair = float(np.sqrt(slopes @ np.linalg.solve(information, slopes)))
page.record("parameters", len(slopes))
page.record("template_sets", 2 * sets)
page.record("G_form", (one_event / one_pair) ** 2, digits=2)

shifts, found = {}, {}
for n, trained in transfers.items():
    found[n] = [fitted(likelihood(one.log_prob)) for one in trained]
    shifts[n] = np.array([one.mass.mean() for one in found[n]]) - exact.mass.mean()


def templates(simulated):
    """Masses from the pairs' own measured events in bins, with the weights of the hard process at each mass."""
    bins = int(np.clip(np.sqrt(len(simulated.x) / 25), 2, 12))  # each way
    edges = [np.quantile(column, np.arange(1, bins) / bins) for column in simulated.x.T]

    def place(x):
        return bins * np.searchsorted(edges[0], x[:, 0]) + np.searchsorted(edges[1], x[:, 1])

    log_p = process.log_prob(simulated.z)
    known = np.isfinite(log_p[:, NOMINAL])  # not beyond the ends of the table in pT
    weights, at = np.exp(log_p[known] - log_p[known][:, [NOMINAL]]), place(simulated.x[known])
    shares = np.stack([np.bincount(at, w, bins**2) for w in weights.T], axis=1) + 0.5
    log_shares = np.log(shares / shares.sum(axis=0))
    return fit_mass(log_shares[place(some)].reshape(-1, n_events, len(MASSES)).sum(axis=1)).mass.mean()


of_templates = {}  # of other pairs and more sets of them: they are quick
for i, n in enumerate(sizes):
    more = (simulate(process, detector, TRUE, n, page.rng(100 * (i + 1) + 50 + k)) for k in range(2 * sets))
    of_templates[n] = np.array([templates(one) for one in more]) - exact.mass[: len(some) // n_events].mean()

squares = np.array([shifts[n] ** 2 for n in sizes])
law = crossing(np.array(sizes), squares, sigma**2)
page.record("crossing", law.crossing, law.interval, 0.95, digits=2)
page.record("power", law.power, law.power_interval, 0.95, digits=2)
page.record("crossing_G", n_events / law.crossing, [n_events / end for end in law.interval[::-1]], 0.95, digits=2)

rows = []
for i, n in enumerate(sizes):
    worth, ends = events_worth(shifts[n], one_event)
    scatter = np.std([one.mass for one in found[n]], axis=0, ddof=1)  # over training sets, which needs no truth
    held = np.array([one.covers(TRUE) for one in found[n]])
    wider = np.array([one.covers(TRUE, scatter) for one in found[n]])
    mean, limits = covered(held)
    mean_wider, limits_wider = covered(wider)
    worth_of_pairs, ends_of_pairs = events_worth(of_templates[n], one_event)
    page.record(f"G_templates_{i}", worth_of_pairs / n, [end / n for end in ends_of_pairs], 0.95, digits=2)
    page.record(f"bias_{i}", *over_sets(shifts[n]), 0.95, digits=2)
    page.record(f"rms_{i}", float(np.sqrt((shifts[n] ** 2).mean())), digits=2)
    page.record(f"worth_{i}", worth, ends, 0.95, digits=2)
    page.record(f"G_{i}", worth / n, [end / n for end in ends], 0.95, digits=2)
    page.record(f"coverage_{i}", mean, limits, 0.95, digits=2)
    page.record(f"coverage_wider_{i}", mean_wider, limits_wider, 0.95, digits=2)
    rows.append(
        [
            n,
            words(*over_sets(shifts[n])),
            rounded(shifts[n].std(ddof=1), 2),
            rounded(np.sqrt((shifts[n] ** 2).mean()) / sigma, 2),
            words(worth, ends),
            words(worth / n, [end / n for end in ends]),
            words(worth_of_pairs / n, [end / n for end in ends_of_pairs]),
            words(mean, limits, scale=100),
            words(mean_wider, limits_wider, scale=100),
        ]
    )
markdown_table(
    [
        "pairs $n$",
        r"bias $\langle\delta\rangle$ [GeV]",
        "scatter [GeV]",
        r"error over statistical one",
        r"$n_{\rm equiv}$",
        "$G$",
        "$G$ of templates",
        "coverage [%]",
        "with scatter [%]",
    ],
    rows,
)

# %% mystnb={"figure": {"name": "fig-mem-amplification", "caption": "Left: error of the mass that the learned transfer density adds, against the number of pairs: each training set (dots), root mean square with its 95 % interval, and the fitted power law (solid). Horizontal: statistical error of $N$ events. Crosses: as many pairs as templates; dashed: $G=1$; dotted: fits of the known form. Right: coverage of the 68.3 % interval of the mass, with 95 % intervals over training sets, for the same pseudo-experiments; circles: statistical error only; squares: with the scatter over training sets added; line: nominal; band: 95 % interval with the exact likelihood."}, "image": {"alt": "Left, on logarithmic axes, errors of the mass with a falling power law, between a dashed and a dotted line and across horizontal lines. Right, coverage of two intervals against the number of pairs, with a horizontal line and band."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
axis = np.geomspace(min(sizes) / 1.6, max(sizes) * 1.6, 50)
for k in range(sets):
    left.plot(sizes, [abs(shifts[n][k]) for n in sizes], ".", color="0.6", ms=5, zorder=1)
rms = np.sqrt(squares.mean(axis=1))
ends = np.array([[one_event / np.sqrt(end) for end in events_worth(shifts[n], one_event)[1]] for n in sizes])
left.errorbar(sizes, rms, [rms - ends[:, 1], ends[:, 0] - rms], fmt="o", color=plots.ESTIMATE, label="learned transfer")
left.plot(axis, sigma * (axis / law.crossing) ** (-law.power / 2), color=plots.ESTIMATE, lw=1)
left.plot(axis, one_event / np.sqrt(axis), color=plots.TRUE, ls="--", label="$G=1$")
rms_of_templates = [np.sqrt((of_templates[n] ** 2).mean()) for n in sizes]
left.plot(sizes, rms_of_templates, "x", color=plots.TRUE, label="pairs as templates")
left.plot(axis, one_pair / np.sqrt(axis), color=plots.MODEL, ls=":", label="form known")
for events_of in (n_events // 10, n_events, 10 * n_events):
    height = one_event / np.sqrt(events_of)
    left.axhline(height, color=plots.STAT, lw=0.8)
    name = f"$N={events_of}$"
    left.text(axis[-1], 1.03 * height, name, ha="right", va="bottom", fontsize=8, color=plots.STAT, clip_on=True)
left.set(xscale="log", yscale="log", xlabel="pairs $n$", ylabel="error of the mass [GeV]", xlim=axis[[0, -1]])
left.set_ylim(0.4 * one_pair / np.sqrt(max(sizes)), 2 * one_event / np.sqrt(min(sizes)))
left.set_yticks([t for t in (0.05, 0.1, 0.2, 0.5, 1, 2, 5) if left.get_ylim()[0] < t < left.get_ylim()[1]])
left.yaxis.set_major_formatter("{x:g}")
left.legend(loc="lower left")
for offset, name, marker, colour, label in (
    (0.95, "coverage", "o", plots.ESTIMATE, "statistical error"),
    (1.05, "coverage_wider", "s", plots.MODEL, "with scatter"),
):
    numbers = [page.recorded["numbers"][f"{name}_{i}"] for i in range(len(sizes))]
    centre = np.array([one["value"] for one in numbers])
    low, high = np.array([one["interval"] for one in numbers]).T
    errors = [centre - low, high - centre]
    right.errorbar(offset * np.array(sizes), centre, errors, fmt=marker, color=colour, label=label)
right.axhspan(*coverage[1], color="0.88", lw=0, label="exact likelihood")
right.axhline(0.683, color=plots.TRUE, lw=0.8)
right.set(xscale="log", xlabel="pairs $n$", ylabel="coverage", ylim=(0, 1), xlim=axis[[0, -1]])
right.legend(loc="lower right")
for ax in (left, right):
    ax.minorticks_off()
    ax.set_xticks(sizes, [str(n) for n in sizes])
data = {"n": np.array(sizes), "sigma_one": one_event, "shifts": np.array([shifts[n] for n in sizes])}
data["templates"] = np.array([of_templates[n] for n in sizes])
page.figure(figure, "mem_amplification", data)

# %% tags=["hide-input"]
for events_of, name in ((n_events // 10, "less"), (10 * n_events, "more")):
    at = crossing(np.array(sizes), squares, one_event**2 / events_of)
    page.record(f"events_{name}", events_of)
    page.record(f"crossing_{name}", at.crossing, at.interval, 0.95, digits=2)
    page.record(f"pairs_per_event_{name}", at.crossing / events_of, digits=2)
page.record("pairs_per_event", law.crossing / n_events, digits=2)
page.record("smallest", sizes[0])
page.record("largest", sizes[-1])
last = len(sizes) - 1
for name in ("G", "worth", "coverage", "coverage_wider"):
    for i, which in ((0, "smallest"), (last, "largest")):
        entry = page.recorded["numbers"][f"{name}_{i}"]
        scale = 100 if name.startswith("coverage") else 1
        interval = [scale * float(end) for end in entry["interval"]]
        page.record(f"{which}_{name}", scale * float(entry["value"]), interval, 0.95, digits=2)

# %% [markdown]
# For {glue:text}`matrix_element_method_n_events` measured events the transfer density's error equals the statistical one at $n_\times=$ {glue:text}`matrix_element_method_crossing` pairs ({glue:text}`matrix_element_method_crossing_low` to {glue:text}`matrix_element_method_crossing_high`, profile likelihood of a power law through all training sets, whose shifts are taken to be normal). That is {glue:text}`matrix_element_method_pairs_per_event` pairs for each event, so that at the crossing the inference amplifies by {glue:text}`matrix_element_method_crossing_G` ({glue:text}`matrix_element_method_crossing_G_low` to {glue:text}`matrix_element_method_crossing_G_high`). For {glue:text}`matrix_element_method_events_less` events the law, which is fitted from {glue:text}`matrix_element_method_smallest` to {glue:text}`matrix_element_method_largest` pairs, has it at {glue:text}`matrix_element_method_crossing_less` pairs ({glue:text}`matrix_element_method_crossing_less_low` to {glue:text}`matrix_element_method_crossing_less_high`), for {glue:text}`matrix_element_method_events_more` at {glue:text}`matrix_element_method_crossing_more` ({glue:text}`matrix_element_method_crossing_more_low` to {glue:text}`matrix_element_method_crossing_more_high`).
#
# The variance falls like $n$ to the power of minus {glue:text}`matrix_element_method_power` ({glue:text}`matrix_element_method_power_low` to {glue:text}`matrix_element_method_power_high`); one would be that of a fit with a known form, whose $G$ is {glue:text}`matrix_element_method_G_form` at all $n$. $G$ is {glue:text}`matrix_element_method_smallest_G` ({glue:text}`matrix_element_method_smallest_G_low` to {glue:text}`matrix_element_method_smallest_G_high`) with {glue:text}`matrix_element_method_smallest` pairs and {glue:text}`matrix_element_method_largest_G` ({glue:text}`matrix_element_method_largest_G_low` to {glue:text}`matrix_element_method_largest_G_high`) with {glue:text}`matrix_element_method_largest`. With these the coverage of an interval that knows of the statistical error only is {glue:text}`matrix_element_method_smallest_coverage` % ({glue:text}`matrix_element_method_smallest_coverage_low` to {glue:text}`matrix_element_method_smallest_coverage_high`) and {glue:text}`matrix_element_method_largest_coverage` % ({glue:text}`matrix_element_method_largest_coverage_low` to {glue:text}`matrix_element_method_largest_coverage_high`).
#
# The interval in the last column of the table needs no truth: transfer densities of several training sets are applied to the same measured events, and the scatter of their masses is added in quadrature to the error. With {glue:text}`matrix_element_method_smallest` pairs it makes the coverage {glue:text}`matrix_element_method_smallest_coverage_wider` % ({glue:text}`matrix_element_method_smallest_coverage_wider_low` to {glue:text}`matrix_element_method_smallest_coverage_wider_high`). It takes as many pairs as all sets together, and it does not see a bias that all of them have.
#
# ## All parts together
#
# What do sampler and efficiency add? On each of the training sets with {glue:text}`matrix_element_method_n_whole` pairs each learned part replaces the exact one by itself, and finally all of them do. The sampler has {glue:text}`matrix_element_method_points` points for each of the measured events between which the likelihood is interpolated.

# %% tags=["hide-input"]
parts = {"transfer": [], "sampler": [], "efficiency": [], "all": []}
for k, transfer in enumerate(transfers[n_whole]):
    eps = efficiencies[k]
    sampled = Integrals(process, Nodes.sampled(POINTS, *evenly(POINTS, k)))
    parts["transfer"].append(found[n_whole][k])
    parts["sampler"].append(fitted(likelihood(detector.log_prob, with_integrals=sampled)))
    parts["efficiency"].append(fitted(likelihood(detector.log_prob, eps)))
    parts["all"].append(fitted(likelihood(transfer.log_prob, eps, sampled)))
rows = []
for name, results in parts.items():
    delta = np.array([one.mass.mean() for one in results]) - exact.mass.mean()
    worth, ends = events_worth(delta, one_event)
    mean, limits = covered(np.array([one.covers(TRUE) for one in results]))
    error = [float(np.sqrt((delta**2).mean()) / sigma), [float(np.sqrt(n_events / end)) for end in ends[::-1]]]
    page.record(f"part_{name}", *error, 0.95, digits=2)
    page.record(f"part_worth_{name}", worth, ends, 0.95, digits=2)
    page.record(f"part_coverage_{name}", mean, limits, 0.95, digits=3)
    rows.append([name, words(*over_sets(delta)), words(*error), words(worth, ends), words(mean, limits, scale=100)])
part = page.recorded["numbers"]["part_coverage_all"]
page.record("all_percent", 100 * part["value"], [100 * end for end in part["interval"]], 0.95, digits=2)
markdown_table(
    ["learned", "bias [GeV]", "error over statistical one", r"$n_{\rm equiv}$", "coverage [%]"],
    rows,
)

# %% [markdown]
# With all three parts learned from {glue:text}`matrix_element_method_n_whole` pairs the interval holds the true mass in {glue:text}`matrix_element_method_all_percent` % of the pseudo-experiments ({glue:text}`matrix_element_method_all_percent_low` to {glue:text}`matrix_element_method_all_percent_high`, over training sets), and the networks add {glue:text}`matrix_element_method_part_all` times the statistical error ({glue:text}`matrix_element_method_part_all_low` to {glue:text}`matrix_element_method_part_all_high`). The efficiency alone adds {glue:text}`matrix_element_method_part_efficiency` ({glue:text}`matrix_element_method_part_efficiency_low` to {glue:text}`matrix_element_method_part_efficiency_high`), the sampler {glue:text}`matrix_element_method_part_sampler` ({glue:text}`matrix_element_method_part_sampler_low` to {glue:text}`matrix_element_method_part_sampler_high`), which more points would reduce. The error of a transfer density is of another kind: it takes more pairs to reduce it, or a network that makes more of them.
#
# ## Exercises
#
# ```{exercise}
# :label: ex-mem-templates
# Why do $n$ simulated events, used as templates of $x$, add the error $\sigma_1/\sqrt n$ to the mass at best?
# ```
#
# ````{solution} ex-mem-templates
# :class: dropdown
# With shares $p_b(m_t)$ of the events in bins $b$ the estimate from $N$ events is off by $\sum_b s_b(\hat p_b-p_b)/J$ to first order, with the scores $s_b=\partial\ln p_b/\partial m_t$ and the information $J=\sum_b p_bs_b^2$. Here $\hat p_b$ are the shares in the data, whose fluctuations give the estimate the variance $1/(NJ)$. Shares from $n$ simulated events enter with the opposite sign, and add $1/(nJ)$. Bins that are not infinitely narrow have less information, and noise in the slopes $s_b$ comes on top.
# ````
#
# ```{exercise}
# :label: ex-mem-normalisation
# What happens to the mass if the denominator of {eq}`eq-mem` is left out?
# ```
#
# ````{solution} ex-mem-normalisation
# :class: dropdown
# The share of accepted events rises with the mass, as jets become harder and leptons are farther from them. Without the denominator each event's likelihood has a factor that rises with the mass, and the estimate is shifted by $\sigma_1^2\,\partial\ln\langle\epsilon\rangle/\partial m_t$, for any number of events: the statistical error of the mean falls, the shift does not.
# ````
#
# ```{exercise}
# :label: ex-mem-budget
# Pairs and measured events have a price each. How should a budget be divided if the variances are $\sigma_1^2/N$ and $\sigma_1^2/(G\,n)$ with a constant $G$?
# ```
#
# ````{solution} ex-mem-budget
# :class: dropdown
# Minimise $1/N+1/(Gn)$ with $aN+bn$ fixed: $aN^2=b\,G\,n^2$, that is $n/N=\sqrt{a/(bG)}$. A simulated pair that is a hundred times cheaper than a measured event should be there ten times as often if $G=1$, and less often by $\sqrt G$ with a larger $G$.
# ````

# %% tags=["nbval-check-output", "hide-input"]
for G in (1, 4):  # a budget of 1 at a price of 1 for an event and of 1/100 for a pair
    best = minimize_scalar(lambda share, G=G: 1 / share + 1 / (100 * G * (1 - share)), bounds=(0.01, 0.99))
    print(f"G = {G}: {100 * (1 - best.x) / best.x:.2f} pairs for each event")
