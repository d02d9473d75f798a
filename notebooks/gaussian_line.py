# %% [markdown]
# (sec-line)=
# # The Gaussian fit: amplification with pencil and paper
#
# Before trusting an estimate on a network, try it where the answer is known. The truth is a unit Gaussian, and the
# "generator" is a Gaussian of unit width whose mean $\hat\mu$ is the average of $\ntrain$ training events. It knows the shape
# of the density and has only one number to learn. Section 3.2 of {cite:t}`forecasting` uses it as an illustration; here it also
# serves as the yardstick for the estimator and its error bars.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
from scipy import integrate, stats

from gampl import averaging
from gampl.plots import shared_legend
from gampl.processes import GaussianLine
from gampl.regions import Intervals
from gampl.result import State
from gampl_book.pages import Page, markdown_table, rounded

page = Page("gaussian_line", profile, seed)
n_train = 1000
truth = GaussianLine()

# %% [markdown]
# ## The closed form
#
# The average of $\ntrain$ events scatters around the true mean with $\sigma_{\hat\mu} = 1/\sqrt{\ntrain}$. The integral over
# $V=[a,b)$ is a difference of error functions, and it moves with the fitted mean:
#
# ```{math}
# :label: eq-line-slope
# I(\hat\mu) = \int_a^b dx\, \mathcal N(x;\hat\mu,1)
# \quad\Rightarrow\quad
# \frac{dI}{d\hat\mu}\bigg|_{0} = \frac{1}{\sqrt{2\pi}} \left( e^{-a^2/2} - e^{-b^2/2} \right) .
# ```
#
# To first order in $\hat\mu$ the integral is therefore uncertain by $\smodel = |dI/d\hat\mu| / \sqrt{\ntrain}$, while $n$ true events
# would count it with $\sstat = \sqrt{I(1-I)/n}$. Setting the two equal, as in {eq}`eq-crossing`,
#
# ```{math}
# :label: eq-line-g
# G = \frac{\nequiv}{\ntrain} = \frac{I(1-I)}{(dI/d\hat\mu)^2} .
# ```
#
# The training set has dropped out. What is left is geometry: how much the region holds, and how fast that changes when
# the Gaussian slides sideways.


# %%
def closed_form(a: float, b: float) -> tuple[float, float, float]:
    """I, dI/dmu and G of the region [a, b) to first order in the fitted mean."""
    integral = stats.norm.cdf(b) - stats.norm.cdf(a)
    slope = stats.norm.pdf(a) - stats.norm.pdf(b)
    return integral, slope, integral * (1 - integral) / slope**2 if slope else np.inf


def exact(a: float, b: float, n_train: int) -> tuple[float, float]:
    """G of [a, b) without linearisation: from the mean squared deviation, and from the spread around the mean."""
    integral = closed_form(a, b)[0]
    width = n_train**-0.5

    def average(power: int) -> float:
        def integrand(mu: float) -> float:
            deviation = stats.norm.cdf(b - mu) - stats.norm.cdf(a - mu) - integral
            return deviation**power * stats.norm.pdf(mu, scale=width)

        return integrate.quad(integrand, -10 * width, 10 * width, epsabs=1e-16, epsrel=1e-9)[0]

    binomial = integral * (1 - integral) / n_train
    return binomial / average(2), binomial / (average(2) - average(1) ** 2)


# %% tags=["nbval-check-output"]
integral, slope, G = closed_form(0.0, 0.5)
print(f"I(1-I)      = {integral * (1 - integral):.4f}")
print(f"(dI/dmu)^2  = {slope**2:.6f}")
print(f"G           = {G:.3f}")
print(f"G, I << 1   = {integral / slope**2:.2f}")
print(f"G, exact    = {exact(0.0, 0.5, n_train)[0]:.2f}  (n_train = 1000)")

# %% tags=["remove-cell"]
page.record("binomial", integral * (1 - integral), digits=4)
page.record("slope_squared", slope**2, digits=4)
page.record("G_closed", G, digits=3)
page.record("G_small_I", integral / slope**2)
page.record("G_rounded", 0.154 / 0.002, digits=2)
page.record("G_exact", exact(0.0, 0.5, n_train)[0])

# %% [markdown]
# For $V=[0,0.5)$ the closed form gives $G =$ {glue:text}`gaussian_line_G_closed`.
#
# ```{admonition} 70 or 77?
# :class: note
# The paper prints the two ingredients rounded, 0.154 and 0.002. Their quotient is {glue:text}`gaussian_line_G_rounded`, not the 70 of the next
# equation. Unrounded they are {glue:text}`gaussian_line_binomial` and {glue:text}`gaussian_line_slope_squared`, and the 70 is right. Note that the
# numerator is $I(1-I)$: with the approximation $I \ll 1$ of the equation just before, one would get {glue:text}`gaussian_line_G_small_I`.
# ```

# %% [markdown]
# ## Fifty experiments
#
# Now forget the closed form. Fit {glue:text}`gaussian_line_experiments` Gaussians to independent training sets, let each generate up to
# $10^7$ events, and count. Three regions are instructive: $[0, 0.5)$ of the paper; $[2,3)$ in the tail, where sliding
# sideways matters much more; and $[-0.5, 0.5)$, where by symmetry it does not matter at all to first order.

# %% tags=["hide-input"]
REGIONS = {"centre": (0.0, 0.5), "tail": (2.0, 3.0), "symmetric": (-0.5, 0.5)}
experiments = page.settings["experiments"]
page.record("experiments", experiments)
rng = page.rng(1)
fits = [GaussianLine.fit_mean(truth.sample(n_train, rng)) for _ in range(experiments)]
n_gen = np.geomspace(1e3, 1e7, 17).round().astype(int)

results = {}
for name, (a, b) in REGIONS.items():
    region = Intervals.between([a, b])
    probabilities = np.array([fit.integrals(region) for fit in fits])
    counts = np.cumsum([rng.binomial(new, probabilities) for new in np.diff(n_gen, prepend=0)], axis=0)
    results[name] = averaging.from_counts(counts, n_gen, n_train, level=0.95, truth=truth.integrals(region))
    page.record(f"G_{name}", results[name].G, results[name].interval, 0.95)
    page.record(f"G_true_{name}", results[name].G_true)
    page.record(f"G_linear_{name}", closed_form(a, b)[2])
    page.record(f"G_exact_{name}", exact(a, b, n_train)[0])
    page.record(f"G_spread_{name}", exact(a, b, n_train)[1])

# %% mystnb={"figure": {"name": "fig-line", "caption": "Fifty Gaussian fits (Fig. 2 of the paper, left, and two more regions). Black: root mean square deviation of the fits from the true integral. Thin grey lines: closed form. The orange band is the 95 % interval of n_equiv."}, "image": {"alt": "Three log-log panels of uncertainty against number of generated events for the regions 0 to 0.5, 2 to 3 and -0.5 to 0.5. The curves follow the closed form in the first two; in the third the plateau lies far lower."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(13, 4.8), sharex=True)
columns: dict[str, np.ndarray] = {"n_gen": n_gen}
for ax, (name, (a, b)) in zip(axes, REGIONS.items(), strict=True):
    results[name].plot(ax, legend=False)
    ax.set_title(f"${a:g} \\leq x < {b:g}$")
    integral, slope, _ = closed_form(a, b)
    ax.plot(n_gen, np.sqrt(integral * (1 - integral) / n_gen), color="0.6", lw=0.8, zorder=0)
    if slope:
        ax.axhline(abs(slope) / np.sqrt(n_train), color="0.6", lw=0.8, zorder=0)
    curve = results[name].curve
    columns |= {
        f"{name}_{key}": getattr(curve, key)
        for key in ("sigma_stat", "sigma_est", "sigma_model", "sigma_model_low", "sigma_model_high", "sigma_true")
    }
    columns[f"{name}_model_closed_form"] = np.full(n_gen.size, abs(slope) / np.sqrt(n_train))
shared_legend(axes)
page.figure(figure, "line", columns)

# %% tags=["hide-input"]
rows = []
for name, (a, b) in REGIONS.items():
    low, high = results[name].interval
    estimate = f"{rounded(results[name].G)} ({rounded(low)} to {rounded(high)})"
    others = (results[name].G_true, closed_form(a, b)[2], *exact(a, b, n_train))
    rows.append([f"$[{a:g}, {b:g})$", estimate, *map(rounded, others)])
header = ["region", "$G$ estimated (95 % interval)", "$G$ of these fits", "first order", "all orders"]
markdown_table([*header, "all orders, spread only"], rows)

# %% [markdown]
# The first two regions behave. In the first, the plateau is {glue:text}`gaussian_line_sigma_ratio` times as high as the closed form (95 % interval
# {glue:text}`gaussian_line_sigma_ratio_low` to {glue:text}`gaussian_line_sigma_ratio_high`), and with the size of the training set it goes like $\ntrain$ to the power
# {glue:text}`gaussian_line_scaling_exponent` ({glue:text}`gaussian_line_scaling_exponent_low` to {glue:text}`gaussian_line_scaling_exponent_high`). In the third, error propagation predicts an infinite $G$, because moving the Gaussian a
# little to either side loses events on one flank and gains as many on the other. The second order is what remains:
# the exact value at $\ntrain = 1000$ is {glue:text}`gaussian_line_G_exact_symmetric`, and it *grows* with $\ntrain$, because a
# deviation of order $\hat\mu^2$ falls faster than statistics. The members' spread cannot tell the whole story here either. All
# deviations have the same sign, so the members' mean is displaced, and the spread around that mean misses part of the deviation from
# the truth: it corresponds to $G =$ {glue:text}`gaussian_line_G_spread_symmetric`, the last column. This is the first lesson. **The averaging
# estimate sees how much the members disagree, not how wrong they are together.**

# %% tags=["hide-input"]
centre = results["centre"]
page.record("sigma_ratio", np.sqrt(G / centre.G), np.sqrt(G / np.array(centre.interval[::-1])), 0.95)
many = 4000
spreads = {}
for n in (n_train, 4 * n_train):
    fitted = page.rng(n).normal(0.0, n**-0.5, many)  # the means of `many` training sets of n events
    spreads[n] = np.std(stats.norm.cdf(0.5 - fitted) - stats.norm.cdf(-fitted), ddof=1)
exponent = np.log(spreads[4 * n_train] / spreads[n_train]) / np.log(4)
error = 1.96 / np.sqrt(many) / np.log(4)  # each spread is known to 1 / sqrt(2 many), and there are two
page.record("scaling_exponent", exponent, (exponent - error, exponent + error), 0.95)

# %% tags=["nbval-check-output"]
for name, (a, b) in REGIONS.items():
    from_truth, from_spread = exact(a, b, n_train)
    print(f"{name}: all orders G = {from_truth:.3g}, from the spread alone {from_spread:.3g}")

# %% [markdown]
# ## From exact integrals
#
# Where the members' densities can be integrated exactly there is nothing to count and nothing to subtract.
# With very many fits the estimate must then return the number in the last column of the table, which SciPy's quadrature knows. This is a
# test of the estimator, not of luck: we use equally spaced quantiles of the distribution of $\hat\mu$ instead of random fits.

# %% tags=["nbval-check-output"]
quantiles = (np.arange(20_000) + 0.5) / 20_000
means = stats.norm.ppf(quantiles, scale=n_train**-0.5)
low, high = REGIONS["centre"]
integrals = stats.norm.cdf(high - means) - stats.norm.cdf(low - means)
noiseless = averaging.from_integrals(integrals[:, np.newaxis], n_train)
print(f"G from 20000 exact integrals = {noiseless.G:.1f}, from quadrature {exact(0.0, 0.5, n_train)[1]:.1f}")
page.record("G_noiseless", noiseless.G, digits=4)

# %% [markdown]
# (sec-line-coverage)=
# ## How far to trust the interval
#
# Fifty members estimate a variance to about 20 %, ten members to about 50 %. The estimate of $G$ inherits that. If the members'
# integrals are normally distributed, their variance follows a $\chi^2$ distribution with $N-1$ degrees of freedom, *including* its
# statistical part. So the interval is made in this order: scale the total variance by the $\chi^2$ quantiles, then subtract the known binomial part,
#
# ```{math}
# :label: eq-interval
# \smodel^2 \in \left[ \frac{(N-1)\, s^2}{\chi^2_{\rm high}} - \frac{\bar I(1-\bar I)}{\ngen},\;
# \frac{(N-1)\, s^2}{\chi^2_{\rm low}} - \frac{\bar I(1-\bar I)}{\ngen} \right] \frac{1}{1 - 1/\ngen} .
# ```
#
# Subtracting first and scaling afterwards looks harmless and fails badly when the two parts are of similar size. If the lower end of
# {eq}`eq-interval` is not positive, $G$ is unbounded above. Members may also happen to scatter less than counting alone makes them. They
# do not profit from that: for the upper end of {eq}`eq-interval` a smaller $s^2$ is raised to what counting makes of it, so that no lower
# limit on $G$ exceeds what a perfect generator typically shows {cite}`pcl`.
#
# An interval is honest if it contains the truth as often as it says. We repeat the whole experiment
# {glue:text}`gaussian_line_pseudo_experiments` times for ten and for fifty members, with exact integrals and with counts. At
# $\ngen = 7\ntrain$ the statistical part is ten times the model part, and most results are unbounded above.


# %%
def coverage(
    members: int, n_gen: int | None, level: float, repetitions: int, rng: np.random.Generator, region: str = "centre"
) -> dict[str, float]:
    """Share of pseudo-experiments whose interval contains G, and shares of the three states."""
    a, b = REGIONS[region]
    target = exact(a, b, n_train)[1]
    hits, states, estimates = 0, [], []
    for _ in range(repetitions):
        mu = rng.normal(0.0, n_train**-0.5, members)
        probability = stats.norm.cdf(b - mu) - stats.norm.cdf(a - mu)
        if n_gen is None:
            result = averaging.from_integrals(probability, n_train, level=level)
        else:
            result = averaging.from_counts(rng.binomial(n_gen, probability), n_gen, n_train, level=level)
        hits += result.interval.low <= target <= result.interval.high
        states.append(result.state)
        estimates.append(result.G)
    shares = {state: states.count(state) / repetitions for state in State}
    finite = np.array([g for g in estimates if np.isfinite(g)])
    return {
        "coverage": hits / repetitions,
        "kept": float(np.median(estimates)),
        "dropped": float(np.median(finite)),
    } | shares


# %% tags=["hide-input"]
repetitions = page.settings["pseudo_experiments"]
page.record("pseudo_experiments", repetitions)
studies = {}
for stream, (members, n) in enumerate([(m, n) for m in (10, 50) for n in (None, 7 * n_train, 200 * n_train)], start=2):
    for level in (0.683, 0.95):
        studies[members, n, level] = coverage(members, n, level, repetitions, page.rng(stream))

rows = []
for (members, n, level), study in studies.items():
    error = np.sqrt(level * (1 - level) / repetitions)
    rows.append(
        [
            members,
            "exact" if n is None else f"{n:,}",
            f"{100 * level:.3g} %",
            f"{100 * study['coverage']:.1f} ± {100 * error:.1f} %",
        ]
        + [f"{100 * study[state]:.0f} %" for state in State]
    )
    kind = "exact" if n is None else f"{n // n_train}x"
    page.record(f"coverage_{members}_{kind}_{1000 * level:.0f}", study["coverage"])
page.record(
    "coverage_symmetric", coverage(50, None, 0.95, repetitions, page.rng(20), "symmetric")["coverage"], digits=2
)
markdown_table(["members", r"$n_\text{gen}$", "nominal", "contains $G$", "value", "unbounded", "limit only"], rows)

# %% [markdown]
# The coverage holds for all outcomes taken together, intervals that are open above included. (It would not hold for the closed ones alone: where the model
# part is hard to see, a closed interval is itself a fluctuation.) It exceeds the nominal one where some results are limits only, because
# their end is held at what the data can tell.
#
# The formula assumes normally distributed members. In the symmetric region the integrals react to $\hat\mu^2$ and are anything but normal: with fifty members
# the nominal 95 % interval contains the right value in a fraction {glue:text}`gaussian_line_coverage_symmetric` of the repetitions. `gampl` tests the members for
# normality and adds a note to the result where it fails:

# %% tags=["hide-input"]
print(results["symmetric"])

# %% [markdown]
# What must not be done is to leave out the points with a negative $\smodel^2$, as plots often do. They are the downward half of a fluctuation.
# With fifty members and $\ngen = 7\ntrain$ the median of all estimates is {glue:text}`gaussian_line_median_kept`; that of the
# positive ones alone is {glue:text}`gaussian_line_median_dropped`, and the truth is {glue:text}`gaussian_line_G_closed`. Dropping biases $G$ low.

# %% tags=["hide-input"]
page.record("median_kept", studies[50, 7 * n_train, 0.683]["kept"], digits=2)
page.record("median_dropped", studies[50, 7 * n_train, 0.683]["dropped"], digits=2)

# %% tags=["nbval-check-output"]
tolerance = 4 * np.sqrt(0.95 * 0.05 / repetitions)  # four standard deviations: 6e-5 per line
for members in (10, 50):
    found = studies[members, None, 0.95]["coverage"]
    print(f"{members} members: nominal 95 %, right to within statistics: {abs(found - 0.95) < tolerance}")

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-line-tail
# Show that deep in the upper tail, for $V=[a,\infty)$ with $a \gg 1$, the closed form {eq}`eq-line-g` tends to
# $G \approx 1/(a\,\varphi(a))$ with $\varphi$ the unit Gaussian, so that $G$ explodes. Why is this not a free lunch?
# ```
#
# ````{solution} ex-line-tail
# :class: dropdown
# For large $a$ the integral is $I \approx \varphi(a)/a$ and the slope is $\varphi(a)$. So $G \approx I/\varphi(a)^2 = 1/(a\varphi(a))$, which
# grows without bound: true events are so rare there that even a slightly misplaced Gaussian knows the tail better than
# any count. It is not a free lunch, because the fit *assumes* the tail. If the truth is not a Gaussian, all fits are wrong together,
# and the spread of the members does not know it.
# ````

# %% tags=["hide-input", "hide-output"]
for a in (2.0, 3.0, 4.0):
    print(f"a = {a:g}: G = {closed_form(a, np.inf)[2]:.4g}, asymptotic {1 / (a * stats.norm.pdf(a)):.4g}")

# %% [markdown]
# ```{exercise}
# :label: ex-line-best
# At which symmetric-width position $[c-0.25, c+0.25)$ is $G$ smallest, and what does the generator know least about there?
# ```
#
# ````{solution} ex-line-best
# :class: dropdown
# Near $|c| = 1.4$, where $G \approx 6.5$. There the integral reacts most to a shift compared with its counting error; at the centre a shift moves nothing,
# and in the far tail true events are so rare that they know even less. The generator knows least about the slope of its flank, which only the mean decides.
# ````

# %% tags=["hide-input", "hide-output"]
centres = np.linspace(0.1, 4, 400)
values = np.array([closed_form(c - 0.25, c + 0.25)[2] for c in centres])
print(f"smallest G = {values.min():.2f} at c = {centres[values.argmin()]:.2f}")
