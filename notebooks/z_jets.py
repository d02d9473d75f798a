# %% [markdown]
# (sec-z-jets)=
# # Z bosons and their jets
#
# The second process is simpler and longer: $pp\to Z\to\mu^-\mu^+$ with nought to eight jets, the testing ground of generators that extrapolate in the number of jets {cite}`jetgpt,jetgpt_extrapolation`. Its interest lies in a regularity: each further jet is rarer by nearly the same factor,
#
# $$R\left(\frac{n+1}{n}\right) = \frac{\sigma_{n+1}}{\sigma_n} \approx \text{constant},$$
#
# which is known as staircase scaling {cite}`staircase`. Eight jets are therefore about $10^5$ times rarer than none, and the events of this page are not as nature deals them: each carries a weight.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from gampl import plots
from gampl.events import Events
from gampl.pages import Page, markdown_table, root
from gampl.processes.z_jets import MAX_JETS, ZJets, staircase
from gampl.studies import event_file

page = Page("z_jets", profile, seed)
process = ZJets()
path, check = (root() / event_file(name, profile) for name in ("z_jets", "z_jets_inclusive"))
events = Events.concatenate([process.load(sample, path) for sample in ("train", "holdout")])
without_slices = Events.concatenate([process.load(sample, check) for sample in ("train", "holdout")])
weights = events.columns["weight"] / 2  # each of the two samples adds up to the cross section
number = process.observable("n_jets")(events.momenta).astype(int)
page.record("events", len(events))
page.record("cross_section", weights.sum())

# %% [markdown]
# ## Weights
#
# Two things make many-jet events frequent enough to learn from. Of the events with no, one and two jets only 5, 20 and 70 % are kept. And events with five jets and more come from runs in which the $Z$ is required to have a large transverse momentum, in slices. A weight is the cross section
# that an event stands for: they add up to {glue:text}`z_jets_cross_section` pb.

# %% tags=["hide-input"]
rows = []
for n in range(MAX_JETS + 1):
    mine = weights[number == n]
    effective = mine.sum() ** 2 / (mine**2).sum() if mine.size else 0.0
    page.record(f"events_{n}", int(mine.size))
    rows.append([n, mine.size, f"{mine.sum():.3g}", f"{effective:.0f}"])
total_effective = weights.sum() ** 2 / (weights**2).sum()
page.record("effective", total_effective)
markdown_table(["jets", "events", "cross section [pb]", "effective number $(\\sum w)^2/\\sum w^2$"], rows)

# %% [markdown]
# An estimate from weighted events is as uncertain as one from the *effective* number of unweighted ones. Where that is much smaller than the number of events, a few heavy events decide.
# Taken together, the {glue:text}`z_jets_events` events are worth {glue:text}`z_jets_effective`; for each multiplicity alone they are worth nearly as many as they are, but for those from slices.
#
# ## The staircase

# %% mystnb={"figure": {"name": "fig-staircase", "caption": "Left: cross section against the number of jets, with the weights of the events (steps). Right: ratio of neighbouring multiplicities, with statistical errors; the band is the average of all ratios and its uncertainty."}, "image": {"alt": "Left, bars that fall by about a factor four from each number of jets to the next. Right, ratios between 0.2 and 0.3, compatible with a horizontal band."}} tags=["hide-input"]
stairs = staircase(Events(events.momenta, events.particles, {"weight": weights}))
known = np.isfinite(stairs.ratio) & (stairs.ratio_error > 0)
precision = 1 / stairs.ratio_error[known] ** 2
average = float((stairs.ratio[known] * precision).sum() / precision.sum())
chi2 = float((((stairs.ratio[known] - average) / stairs.ratio_error[known]) ** 2).sum())
p_value = float(stats.chi2.sf(chi2, known.sum() - 1))
spread = np.sqrt((precision * (stairs.ratio[known] - average) ** 2).sum() / precision.sum())
page.record("ratio", average, [average - precision.sum() ** -0.5, average + precision.sum() ** -0.5], level=0.683)
page.record("ratio_chi2", chi2, digits=3)
page.record("ratio_dof", int(known.sum() - 1))
page.record("spread_percent", 100 * spread / average, digits=2)
for n in np.flatnonzero(known):
    value, error = stairs.ratio[n], stairs.ratio_error[n]
    page.record(f"ratio_{n}", value, [value - error, value + error], level=0.683)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.7))
edges = np.arange(MAX_JETS + 2) - 0.5
rates = np.bincount(number, weights, minlength=MAX_JETS + 1)
errors = np.sqrt(np.bincount(number, weights**2, minlength=MAX_JETS + 1))
left.stairs(rates, edges, color=plots.ESTIMATE, fill=True, alpha=0.3, baseline=1e-3)
left.errorbar(np.arange(MAX_JETS + 1), rates, errors, fmt=".", color=plots.ESTIMATE)
left.set(yscale="log", xlabel="number of jets $n$", ylabel=r"$\sigma_n$ [pb]", ylim=(1e-3, 3e3))
right.axhspan(average - spread, average + spread, color=plots.STAT, alpha=0.25, lw=0)
right.axhline(average, color=plots.STAT)
right.errorbar(
    stairs.n_jets[:-1][known], stairs.ratio[known], stairs.ratio_error[known], fmt="o", ms=4, color=plots.ESTIMATE
)
right.set(xlabel="$n$", ylabel=r"$R(n+1\,/\,n)$", ylim=(0, 0.5))
page.figure(figure, "staircase", {"n": stairs.n_jets[:-1], "ratio": stairs.ratio, "error": stairs.ratio_error})

# %% [markdown]
# All ratios together give {glue:text}`z_jets_ratio` ({glue:text}`z_jets_ratio_low` to {glue:text}`z_jets_ratio_high`), and scatter around it by {glue:text}`z_jets_spread_percent` %. Within their small errors they are not the same, $\chi^2$ = {glue:text}`z_jets_ratio_chi2` for {glue:text}`z_jets_ratio_dof` degrees of freedom: staircase scaling is an
# approximate law, and the cut at 20 GeV and the parton densities bend it. What a generator must learn to extrapolate is that the ratio hardly changes.
#
# (sec-slices)=
# ## Do the slices agree with the inclusive rate?
#
# Events with five jets and more come from another calculation: $Z$ + parton at leading order with the transverse momentum in slices, $p_T$ from 20 to 50 GeV up to more than 400, instead of a $Z$ alone whose first jet is radiated by the shower. That they may be mixed is not clear beforehand.
# A larger run without slices, of which only the events with four jets and more were kept, is there to check it.

# %% mystnb={"figure": {"name": "fig-slices", "caption": "Left: cross section from the inclusive run (points) and from the slices of the transverse momentum, stacked. Right: their ratio, with statistical errors. The files take up to four jets from the inclusive run and more from the slices (dashed line)."}, "image": {"alt": "Left, stacked bars of five slices, softer slices contribute more at few jets and harder ones at many, and points of the inclusive run at their top. Right, ratios compatible with one from two jets on."}} tags=["hide-input"]
sources = events.about["sources"]
jets = np.arange(MAX_JETS + 1)


def exclusive(source: dict) -> tuple[np.ndarray, np.ndarray]:
    """Cross sections in pb of 0 to 8 jets before anything was dropped, and their variances, training sample and holdout."""
    parts = [source[sample] for sample in ("train", "holdout")]
    counts = np.array([[part["passed"][f"{n} jets"] for n in jets] for part in parts]).sum(axis=0)
    unit = np.mean([part["cross_section_pb"] for part in parts]) / sum(part["passed"]["generated"] for part in parts)
    return counts * unit, counts * unit**2


without = [exclusive(source) for source in (sources[0], *without_slices.about["sources"])]
shares = [
    sum(source[s]["passed"]["generated"] for s in ("train", "holdout"))
    for source in (sources[0], *without_slices.about["sources"])
]
shares = np.array(shares) / np.sum(shares)
inclusive = sum(share * rate for share, (rate, _) in zip(shares, without, strict=True))
variance = sum(share**2 * spread for share, (_, spread) in zip(shares, without, strict=True))
slices = [exclusive(source) for source in sources[1:]]
sliced, sliced_variance = (np.sum([one[k] for one in slices], axis=0) for k in (0, 1))
with np.errstate(divide="ignore", invalid="ignore"):
    agreement = sliced / inclusive
    error = agreement * np.sqrt(variance / inclusive**2 + sliced_variance / sliced**2)
for n in range(1, 8):
    if np.isfinite(error[n]):
        page.record(f"agreement_{n}", agreement[n], [agreement[n] - error[n], agreement[n] + error[n]], level=0.683)
usable = np.isfinite(error) & (jets >= 4)
pull = float((((agreement - 1) / error)[usable] ** 2).sum())
page.record("agreement_chi2", pull, digits=2)
page.record("agreement_dof", int(usable.sum()))
page.record("agreement_p", float(stats.chi2.sf(pull, usable.sum())), digits=2)

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8))
base = np.full(jets.size, 1e-4)
shades = plt.get_cmap("viridis")(np.linspace(0.15, 0.95, len(slices)))
for (rate, _), source, color in zip(slices, sources[1:], shades, strict=True):
    low, high = source["recipe"]["pt_slice"]
    label = f"{low:.0f} to {high:.0f} GeV" if high < 6000 else f"above {low:.0f} GeV"
    left.stairs(base + rate, edges, baseline=base, color=color, fill=True, label=label)
    base = base + rate
left.errorbar(jets, inclusive, np.sqrt(variance), fmt="o", ms=3.5, color=plots.TRUE, label="inclusive run")
left.set(yscale="log", ylim=(1e-3, 5e3), xlabel="number of jets", ylabel="cross section [pb]")
left.legend(fontsize=8)
shown = np.isfinite(error) & (jets > 0)
right.errorbar(jets[shown], agreement[shown], error[shown], fmt="o", ms=4, color=plots.ESTIMATE)
right.axhline(1, color=plots.STAT, lw=1)
right.axvline(4.5, color=plots.TRUE, ls="--", lw=1)
right.set(xlabel="number of jets", ylabel="slices / inclusive", ylim=(0, 2), xlim=(0.5, 8.5))
page.figure(
    figure, "slices", {"jets": jets, "inclusive": inclusive, "slices": sliced, "ratio": agreement, "error": error}
)

# %% [markdown]
# With one jet the slices must fall short, as they begin at 20 GeV. From four jets on, $\chi^2$ = {glue:text}`z_jets_agreement_chi2` for {glue:text}`z_jets_agreement_dof` multiplicities, $p$ = {glue:text}`z_jets_agreement_p`.
#
# This agreement is not by itself. With Pythia's default settings the slices give only 70 to 78 % of the rate at two to four jets. Two things repair it. The hard process takes the coupling that the shower takes for its first branching, at the same scale. And the shower behind it starts higher than at the
# transverse momentum: the inclusive shower goes on below the evolution variable of its first branching, which is $p_T^2\,(1+\hat t/\hat u)$, between $p_T^2$ and $2p_T^2$. A factor 1.2 on $p_T$ is the middle of that, `start_scale` in `gampl.simulation.z_jets.ZJetsRecipe`.
# It was chosen on other seeds than these. Two and three jets were its guide; from four jets on the comparison is a test.
#
# Rates are not all. Do the events look alike, too? The tests below compare the leading jet and $H_T$, with the weights of the slices.


# %% tags=["hide-input"]
def weighted_ks(plain: np.ndarray, values: np.ndarray, w: np.ndarray) -> float:
    """Asymptotic p-value of a Kolmogorov-Smirnov test of a sample against a weighted one."""
    order = np.argsort(values)
    cumulative = np.concatenate([[0], np.cumsum(w[order])]) / w.sum()
    at = np.sort(np.concatenate([plain, values]))
    distance = np.abs(
        np.searchsorted(np.sort(plain), at, "right") / plain.size
        - cumulative[np.searchsorted(values[order], at, "right")]
    ).max()
    return float(stats.kstwobign.sf(distance / np.sqrt(1 / plain.size + (w**2).sum() / w.sum() ** 2)))


rows, tested = [], []
for n in (5, 6, 7):
    plain, mine = without_slices.momenta[without_slices.multiplicity - 2 == n], number == n
    for name in ("pT(j1)", "HT", f"pT(j{n})"):
        observable = process.observable(name)
        x, y, w = observable(plain), observable(events.momenta[mine]), weights[mine]
        tested.append(weighted_ks(x, y, w))
        rows.append(
            [
                n,
                observable.label,
                len(x),
                f"{x.mean():.4g} ± {x.std() / np.sqrt(len(x)):.2g}",
                f"{np.average(y, weights=w):.4g}",
                f"{tested[-1]:.2g}",
            ]
        )
        if name == "pT(j1)":
            page.record(f"leading_{n}_inclusive", x.mean(), digits=3)
            page.record(f"leading_{n}_slices", np.average(y, weights=w), digits=3)
page.record("shape_smallest_p", min(tested), digits=2)
markdown_table(["jets", "", "events without slices", "mean, GeV", "mean with slices", "$p$-value"], rows)

# %% [markdown]
# The softest jets agree. The leading jet does not quite: with six jets its mean is {glue:text}`z_jets_leading_6_inclusive` GeV without slices and {glue:text}`z_jets_leading_6_slices` GeV with them, and the smallest of the nine $p$-values is {glue:text}`z_jets_shape_smallest_p`. So the rate of many jets may be taken from these
# files, while their leading jets are somewhat too hard. That is the price for having so many of them; `ZJetsRecipe()` without slices makes others.

# %% [markdown]
# ## Events of equal weight
#
# Generators are trained on events that all count the same. `ZJets().sample(n, rng)` keeps each event with a probability of its weight over the largest one and draws from those, at the price of most events with many jets; within one multiplicity, `ZJets(n_jets=2).sample(n, rng)`, nothing is lost up to four jets, since there all weights are equal.

# %% tags=["nbval-check-output"]
two_jets = ZJets(n_jets=2)
drawn = two_jets.sample(100, page.rng(1), path)
print(
    f"{len(drawn)} events of {', '.join(two_jets.particles)}, all different: {len(np.unique(drawn[:, 0, 0])) == len(drawn)}"
)

# %% mystnb={"figure": {"name": "fig-z", "caption": "Left: mass of the two muons. Right: transverse momentum of the Z for events with exactly one, two and four jets, weighted and normalised to one."}, "image": {"alt": "Left, a narrow peak at 91 GeV. Right, spectra that become harder with more jets."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5))
mass, momentum = process.observable("m_mumu"), process.observable("pT_mumu")
edges_m = np.linspace(60, 120, 61)
in_mass = np.histogram(mass(events.momenta), edges_m, weights=weights, density=True)[0]
left.stairs(in_mass, edges_m, color=plots.ESTIMATE)
left.set(xlabel=mass.axis, ylabel="density [1/GeV]", yscale="log")
edges_p = np.linspace(0, 250, 41)
columns = {"pT": edges_p[:-1]}
for n, color in zip((1, 2, 4), (plots.STAT, plots.MODEL, plots.ESTIMATE), strict=True):
    chosen = number == n
    columns[f"{n} jets"] = np.histogram(
        momentum(events.momenta[chosen]), edges_p, weights=weights[chosen], density=True
    )[0]
    right.stairs(columns[f"{n} jets"], edges_p, color=color, label=f"{n} jet{'s' * (n > 1)}")
right.set(xlabel=momentum.axis, ylabel="density [1/GeV]", yscale="log")
right.legend()
page.record("median_mass", np.median(mass(events.momenta)), digits=4)
page.figure(figure, "z", columns)

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise}
# :label: ex-z-weights
#
# What is the share of events with three jets or more, with and without the weights? Which of the two would a generator learn that is trained on the file as it is?
# :::

# %% [markdown]
# :::{solution} ex-z-weights
# :class: dropdown
# :::

# %% tags=["hide-input"]
print(f"with weights: {weights[number >= 3].sum() / weights.sum():.2%}")
print(f"without: {np.mean(number >= 3):.1%}, which is what a generator learns that is not told of them")

# %% [markdown]
# :::{exercise}
# :label: ex-z-poisson
#
# If each jet were radiated independently of the others, the number of jets would follow Poisson's distribution. How would $R(n+1/n)$ depend on $n$? Compare the prediction for $n=4$ with what is found.
# :::

# %% [markdown]
# :::{solution} ex-z-poisson
# :class: dropdown
# :::

# %% tags=["hide-input"]
mean = float((stairs.n_jets * stairs.probability).sum())
print(f"mean number of jets {mean:.3f}: Poisson's R(n+1/n) = {mean:.3f} / (n + 1), for n = 4 {mean / 5:.3f}")
print(f"found: {stairs.ratio[4]:.2f} ± {stairs.ratio_error[4]:.2f}")

# %% [markdown]
# Poisson's ratio falls like $1/(n+1)$; the staircase does not. Jets radiate jets.
