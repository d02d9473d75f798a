# %% [markdown]
# (sec-z-jets)=
# # Z bosons and their jets
#
# The second process is simpler and longer: $pp\to Z\to\mu^-\mu^+$ with nought to eight jets, the testing ground of generators that extrapolate in the number of jets {cite}`jetgpt,jetgpt_extrapolation`. Its interest lies in a regularity: each further jet is rarer by nearly the same factor,
#
# $$R\left(\frac{n+1}{n}\right) = \frac{\sigma_{n+1}}{\sigma_n} \approx \text{constant},$$
#
# which is known as staircase scaling {cite}`staircase`. Eight jets are therefore very much rarer than none, and the events of this page are not as nature deals them: each carries a weight.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from gampl import plots
from gampl.particles import Events
from gampl.particles.kinematics import delta_r
from gampl.processes import ZJets, staircase
from gampl.processes.z_jets import MAX_JETS
from gampl_book import ROOT
from gampl_book.pages import Page, markdown_table
from gampl_book.studies import event_file

page = Page("z_jets", profile, seed)
process, path, jets = ZJets(), ROOT / event_file("z_jets", profile), np.arange(MAX_JETS + 1)
samples = {sample: process.load(sample, path) for sample in ("train", "holdout")}
events = Events.concatenate([*samples.values()])
weights = events.columns["weight"] / 2  # each of the two samples adds up to the cross section
number = process.observable("n_jets")(events.momenta).astype(int)
few, many = (source["recipe"] for source in events.about["sources"])
made = np.zeros(MAX_JETS + 2, dtype=int)  # all events that were made, by number of jets, the last with more than eight
for source in events.about["sources"]:
    for sample in samples:
        made += [source[sample]["passed"][step] for step in (*(f"{n} jets" for n in jets), "more jets")]
generated = [sum(source[s]["passed"]["generated"] for s in samples) for source in events.about["sources"]]
page.record("events", len(events))
page.record("generated", sum(generated) / 1e6)
page.record("share_few", 100 * generated[0] / sum(generated), digits=2)
for n, fraction in enumerate(few["kept"]):
    page.record(f"kept_{n}", 100 * fraction, digits=2)
page.record("max_few", few["max_jets"])
page.record("min_many", many["min_jets"])
page.record("cross_section", weights.sum(), digits=4)

# %% [markdown]
# ## Weights
#
# All events come from one simulation, of {glue:text}`z_jets_generated` million $Z$ bosons whose jets a parton shower radiates. A file with all of them would fill its space with events without jets. So those with up to {glue:text}`z_jets_max_few` jets come from {glue:text}`z_jets_share_few` % of the simulated events, and of the ones with no, one and two jets only {glue:text}`z_jets_kept_0`, {glue:text}`z_jets_kept_1` and {glue:text}`z_jets_kept_2` % are kept, chosen by lot. Of the rest
# of the simulated events, all with {glue:text}`z_jets_min_many` jets and more are kept. A weight is the cross section that an event stands for: the weights of each sample add up to the cross section, {glue:text}`z_jets_cross_section` pb.

# %% tags=["hide-input"]
rows = []
for n in jets:
    w = samples["train"].columns["weight"][samples["train"].multiplicity - 2 == n]
    mine = weights[number == n]
    effective = mine.sum() ** 2 / (mine**2).sum()
    page.record(f"events_{n}", int(mine.size))
    page.record(f"weight_{n}", 1000 * w.mean())
    sigma = f"{mine.sum():.4g} ± {np.sqrt((mine**2).sum()):.2g}"
    rows.append([n, w.size, mine.size - w.size, f"{1000 * w.mean():.3g}", sigma, f"{effective:.0f}"])
page.record("effective", weights.sum() ** 2 / (weights**2).sum())
page.record("equal", weights.sum() / weights.max())
page.record("weights_from", weights.max() / weights.min())
header = ["jets", "training events", "holdout", "weight [fb]", "cross section [pb]", "effective number"]
markdown_table(header, rows)

# %% tags=["nbval-check-output"]
alike = [
    np.ptp(sample.columns["weight"][sample.multiplicity - 2 == n]) == 0 for sample in samples.values() for n in jets
]
print("events of a sample with the same number of jets weigh the same:", all(alike))

# %% [markdown]
# An estimate from weighted events is as uncertain as one from the *effective* number $(\sum w)^2/\sum w^2$ of unweighted ones. Among events with the same number of jets all weights of a sample are the same: they are worth as many as they are, and a generator of $Z$ + $n$ jets learns from them as they stand. Taken together they are not: the largest
# weight is {glue:text}`z_jets_weights_from` times the smallest, and the {glue:text}`z_jets_events` events are worth {glue:text}`z_jets_effective`. Whoever learns the number of jets, too, must give each event its weight, or learns the rows of the file.
#
# ## Staircase or Poisson
#
# If each jet were radiated independently of the others, the number of jets would follow Poisson's distribution, and $R(n+1/n)=\lambda/(n+1)$ would fall. In a staircase $R$ is constant. Both laws have one parameter, which the mean number of jets fixes. The file tells how many events of each kind were made, before any was dropped, and these counts are more precise than its weights.

# %% mystnb={"figure": {"name": "fig-staircase", "caption": "Left: cross section against the number of jets. Right: ratio of neighbouring cross sections. Points are all simulated events (black) and the weighted events of the file (blue, moved aside), with statistical errors; lines are a staircase and Poisson's law with the same mean number of jets. Nothing is fitted."}, "image": {"alt": "Left, points that fall by about a factor four from each number of jets to the next, along the staircase; Poisson's law falls far below them. Right, ratios between 0.2 and 0.25 near a horizontal line, and Poisson's ratio, which falls from 0.3 to below 0.05."}} tags=["hide-input"]
stairs = staircase(Events(events.momenta, events.particles, {"weight": weights}))
counts = made[:-1]
ratio = counts[1:] / counts[:-1]
error = ratio * np.sqrt(1 / counts[1:] + 1 / counts[:-1])
for n in jets[:-1]:
    page.record(f"ratio_{n}", ratio[n], [ratio[n] - error[n], ratio[n] + error[n]], level=0.683)
mean = float((jets * counts).sum() / counts.sum())
constant = mean / (1 + mean)  # the R of a geometric distribution with this mean
page.record("mean", mean)
page.record("constant", constant)
page.record("smallest_ratio", ratio.min())
page.record("largest_ratio", ratio.max())
page.record("poisson_first", mean)
page.record("poisson_last", mean / MAX_JETS, digits=2)
fall, known = ratio[3] / ratio[0] - 1, ratio[3] / ratio[0] * np.hypot(error[3] / ratio[3], error[0] / ratio[0])
page.record("fall", -100 * fall, [100 * (-fall - known), 100 * (-fall + known)], level=0.683, digits=2)
page.record("fall_sigmas", -fall / known, digits=2)
later = np.sum(ratio[3:] / error[3:] ** 2) / np.sum(1 / error[3:] ** 2)
page.record("later", later)
page.record("later_chi2", float((((ratio - later) / error)[3:] ** 2).sum()), digits=2)
page.record("later_dof", len(ratio[3:]) - 1)
page.record("rarity", counts[0] / counts[-1] / 1e5, digits=2)

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8))
laws = {"staircase": stats.geom(1 - constant, loc=-1), "Poisson": stats.poisson(mean)}
to_pb = weights.sum() / counts.sum()
for (name, law), color in zip(laws.items(), (plots.STAT, plots.MODEL), strict=True):
    left.plot(jets, weights.sum() * law.pmf(jets), color=color, label=name)
    right.plot(jets[:-1], law.pmf(jets[1:]) / law.pmf(jets[:-1]), color=color, label=name)
dots = {"fmt": "o", "ms": 3.5, "lw": 1}
left.errorbar(jets, to_pb * counts, to_pb * np.sqrt(counts), color=plots.TRUE, label="simulated events", **dots)
rates, errors = weights.sum() * stairs.probability, weights.sum() * stairs.error
left.errorbar(jets + 0.2, rates, errors, color=plots.ESTIMATE, label="weighted events", **dots)
left.set(yscale="log", ylim=(1e-4, 4e3), xlabel="number of jets $n$", ylabel=r"$\sigma_n$ [pb]", xticks=jets)
left.legend()
right.errorbar(jets[:-1], ratio, error, color=plots.TRUE, **dots)
right.errorbar(jets[:-1] + 0.15, stairs.ratio, stairs.ratio_error, color=plots.ESTIMATE, **dots)
right.set(xlabel="$n$", ylabel=r"$R(n+1\,/\,n)$", ylim=(0, 0.35))
drawn = {"n": jets[:-1], "ratio": ratio, "error": error, "weighted": stairs.ratio, "its error": stairs.ratio_error}
page.figure(figure, "staircase", drawn)

# %% [markdown]
# The mean is {glue:text}`z_jets_mean` jets, the staircase's constant thus {glue:text}`z_jets_constant`. The ratios lie between {glue:text}`z_jets_smallest_ratio` and {glue:text}`z_jets_largest_ratio`, while the cross section falls by {glue:text}`z_jets_rarity`$\cdot 10^5$; Poisson's would fall from {glue:text}`z_jets_poisson_first` to {glue:text}`z_jets_poisson_last`. Jets radiate jets.
#
# An exact law it is not. From $R(1/0)$ to $R(4/3)$ the ratio falls by {glue:text}`z_jets_fall` % ({glue:text}`z_jets_fall_low` to {glue:text}`z_jets_fall_high`), {glue:text}`z_jets_fall_sigmas` standard deviations. From $R(4/3)$ on, a constant of {glue:text}`z_jets_later` describes the ratios with $\chi^2$ = {glue:text}`z_jets_later_chi2` for {glue:text}`z_jets_later_dof` degrees of freedom.
#
# (sec-stop)=
# ## Is there one more jet?
#
# A generator that makes jets one after the other has to decide each time whether to stop. The probability to stop at $n$ jets, given that there are at least as many, is
#
# $$p_{\rm stop}(n) = \frac{\sigma_n}{\sum_{m\ge n}\sigma_m},$$
#
# and if $R$ is constant, so is $p_{\rm stop}=1-R$. Staircase scaling says that the jets do not remember how many they are. This is what makes extrapolation possible: whoever learns $p_{\rm stop}$ from few jets knows it for many. Without its weights the file tells another story.

# %% mystnb={"figure": {"name": "fig-stop", "caption": "Probability that an event with at least n jets has no further one: of all simulated events (black), of the file's events with their weights (blue, moved aside) and without them (red), with statistical errors, and for a staircase and Poisson's law with the same mean."}, "image": {"alt": "Black and blue points along a horizontal line near 0.77, the blue ones rise at seven jets; red points lie far below for few jets and climb to the others at four jets; Poisson's law rises towards one."}} tags=["hide-input"]


def stopping(sums: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The probability to stop, but for the last, and its error, of independent sums of weights and their variances."""
    total, spread = (np.cumsum(x[::-1])[::-1] for x in (sums, variances))
    p = sums / total
    return p[:-1], np.sqrt((1 - p) ** 2 * variances + p**2 * (spread - variances))[:-1] / total[:-1]


stops = {
    "simulated events": [x[:MAX_JETS] for x in stopping(made, made)],
    "weighted events": stopping(np.bincount(number, weights), np.bincount(number, weights**2)),
    "rows of the file": stopping(np.bincount(number), np.bincount(number)),
}
for n in range(5):
    for name, (p, e) in stops.items():
        page.record(f"stop_{name.split()[0]}_{n}", p[n], [p[n] - e[n], p[n] + e[n]], level=0.683, digits=2)
figure, ax = plt.subplots(figsize=(5.6, 3.8))
for (name, law), color in zip(laws.items(), (plots.STAT, plots.MODEL), strict=True):
    ax.plot(jets[:-1], law.pmf(jets[:-1]) / law.sf(jets[:-1] - 1), color=color, label=name)
colors = (plots.TRUE, plots.ESTIMATE, plots.OTHERS[0])
for (name, (p, e)), color, aside in zip(stops.items(), colors, (0, 0.15, 0), strict=True):
    ax.errorbar(jets[:-1] + aside, p, e, color=color, label=name, **dots)
ax.set(xlabel="number of jets $n$", ylabel=r"$p_{\rm stop}(n)$", ylim=(0, 1), xticks=jets[:-1])
ax.legend(loc="lower right")
drawn = (
    {"n": jets[:-1]} | {name: p for name, (p, _) in stops.items()} | {f"{k} error": e for k, (_, e) in stops.items()}
)
page.figure(figure, "stop", drawn)

# %% [markdown]
# For no, one, two and three jets the simulated events have {glue:text}`z_jets_stop_simulated_0`, {glue:text}`z_jets_stop_simulated_1`, {glue:text}`z_jets_stop_simulated_2` and {glue:text}`z_jets_stop_simulated_3`; the rows of the file have {glue:text}`z_jets_stop_rows_0`, {glue:text}`z_jets_stop_rows_1`, {glue:text}`z_jets_stop_rows_2` and {glue:text}`z_jets_stop_rows_3`. A sample that has about as many events with each of these numbers of jets has a probability to stop that rises with each jet,
# because we made it so, and what is learned from it does not continue. Weights undo it. (At the right end the file's points rise with and without weights, since it has no events with more than eight jets; the simulated ones have them.)
#
# ## What the jets look like
#
# The table has means with their statistical errors. The smallest distance is that of the two jets of an event that are nearest to each other; the jet algorithm keeps jets apart, by about its radius.


# %% tags=["hide-input"]
def closest(momenta: np.ndarray, n: int) -> np.ndarray:
    """The smallest Delta R of two of the n jets of each event."""
    pairs = [(i, k) for k in range(2, 2 + n) for i in range(2, k)]
    return np.min([delta_r(momenta[:, i], momenta[:, k]) for i, k in pairs], axis=0)


rows = []
for n in jets:
    momenta, of = events.momenta[number == n], {"pT_mumu": process.observable("pT_mumu")}
    if n:
        of |= {"pT(j1)": process.observable("pT(j1)"), "last": process.observable(f"pT(j{n})")}
        of["HT"] = process.observable("HT")
    values = {name: observable(momenta) for name, observable in of.items()}
    if n > 1:
        values["closest"] = closest(momenta, n)
    texts = []
    for name in ("pT_mumu", "pT(j1)", "last", "HT", "closest"):
        x = values.get(name, np.empty(0))
        if x.size < 2:
            texts.append("")
            continue
        average, spread = x.mean(), x.std(ddof=1) / np.sqrt(x.size)
        key = {"pT_mumu": "pt_z", "pT(j1)": "leading"}.get(name, name.lower())
        page.record(f"{key}_{n}", average, [average - spread, average + spread], level=0.683)
        decimals = max(0, 1 - int(np.floor(np.log10(spread))))
        texts.append(f"{average:.{decimals}f} ± {spread:.{decimals}f}")
    rows.append([n, *texts])
header = ["jets", "$p_T$ of the $Z$ [GeV]", "leading jet's $p_T$", "softest jet's", "$H_T$", r"smallest $\Delta R$"]
markdown_table(header, rows)

# %% mystnb={"figure": {"name": "fig-z", "caption": "From left to right: mass of the two muons in all events, weighted; transverse momenta of the Z and of the leading jet, and smallest distance of two jets, for events with a given number of jets. All are normalised to one; bands are statistical errors."}, "image": {"alt": "Four panels. A narrow peak at 91 GeV; spectra of transverse momenta that become harder with more jets; distances of jets that begin at 0.4 and become smaller with more jets."}} tags=["hide-input"]
figure, axes = plt.subplots(2, 2, figsize=(9.5, 7))
panels = dict(zip(("m_mumu", "pT_mumu", "pT(j1)", "closest"), axes.flat, strict=True))
mass = process.observable("m_mumu")
edges = np.linspace(60, 120, 61)
panels["m_mumu"].stairs(
    np.histogram(mass(events.momenta), edges, weights=weights, density=True)[0], edges, color=plots.ESTIMATE
)
panels["m_mumu"].set(xlabel=mass.axis, ylabel="density [1/GeV]", yscale="log")
SHOWN = {"pT_mumu": ((0, 1, 2, 4, 6), 0, 300), "pT(j1)": ((1, 2, 4, 6), 20, 300), "closest": ((2, 3, 4, 6), 0.35, 4)}
shades = dict(zip((0, 1, 2, 3, 4, 6), plt.get_cmap("viridis")(np.linspace(0, 0.92, 6)), strict=True))
data = {}
for name, (shown, lowest, highest) in SHOWN.items():
    ax = panels[name]
    for n in shown:
        momenta = events.momenta[number == n]
        x = closest(momenta, n) if name == "closest" else process.observable(name)(momenta)
        edges = np.linspace(lowest, highest, 1 + int(np.clip(np.sqrt(x.size) / 2, 10, 40)))
        found = np.histogram(x, edges)[0]
        unit = 1 / (x.size * np.diff(edges))
        ax.stairs(found * unit, edges, color=shades[n], label=f"{n} jet{'s' * (n != 1)}")
        low, high = ((found + sign * np.sqrt(found)) * unit for sign in (-1, 1))
        ax.stairs(high, edges, baseline=low, color=shades[n], fill=True, alpha=0.25)
        data[f"{name} {n} jets"] = {"low": edges[:-1], "events": found, "of": x.size}
    ax.legend()
    if name == "closest":
        ax.set(xlabel=r"smallest $\Delta R$ of two jets", ylabel="density", xlim=(0, highest))
    else:
        xlabel = process.observable(name).axis
        ax.set(xlabel=xlabel, ylabel="density [1/GeV]", yscale="log", ylim=(1e-5, 0.2), xlim=(0, highest))
page.record("median_mass", np.median(mass(events.momenta)), digits=4)
page.record("closest_of_all", min(closest(events.momenta[number == n], n).min() for n in jets[2:]))
page.figure(figure, "z", data)

# %% [markdown]
# With more jets the $Z$ and the leading jet are harder: the latter has {glue:text}`z_jets_leading_1` GeV on average if it is alone, and {glue:text}`z_jets_leading_4` GeV among four. The softest jet stays close to the cut at 20 GeV, and the two nearest jets come closer, but no two are nearer than {glue:text}`z_jets_closest_of_all`. (The jet algorithm, with a radius of 0.4, measures rapidities; $\Delta R$ here takes pseudorapidities, in which jets with a mass may lie a little closer.)
# Training events and holdout have been made alike, with different seeds. As a check, Kolmogorov-Smirnov tests compare them for each number of jets.

# %% tags=["hide-input"]
tests = {}
for n in jets:
    of = [sample.momenta[sample.multiplicity - 2 == n] for sample in samples.values()]
    for name in ("m_mumu", "pT_mumu", *(("pT(j1)", "eta(j1)", "m(j1)") if n else ()), *(["HT"] if n > 1 else [])):
        tests[name, int(n)] = stats.ks_2samp(*map(process.observable(name), of)).pvalue
p = np.array([*tests.values()])
page.record("tests", p.size)
page.record("smallest_p", p.min(), digits=2)
page.record("below_a_tenth", int((p < 0.1).sum()))
page.record("expected_below", p.size / 10, digits=2)

# %% [markdown]
# The smallest of {glue:text}`z_jets_tests` $p$-values is {glue:text}`z_jets_smallest_p`, and {glue:text}`z_jets_below_a_tenth` are below a tenth, where {glue:text}`z_jets_expected_below` are expected (some of the observables are correlated).
#
# ## Events of equal weight
#
# `ZJets().sample(n, rng)` draws from all numbers of jets as nature does: it keeps each event with a probability of its weight over the largest one, and of both samples together {glue:text}`z_jets_equal` events are left, most of them without jets. Within one multiplicity, `ZJets(n_jets=2).sample(n, rng)`, nothing is lost.

# %% tags=["nbval-check-output"]
two_jets = ZJets(n_jets=2)
drawn = two_jets.sample(100, page.rng(1), path)
print(
    f"{len(drawn)} events of {', '.join(two_jets.particles)}, all different: {len(np.unique(drawn[:, 0, 0])) == len(drawn)}"
)

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
# With weights it is a share of the cross section, without them a share of the rows of the file, in which events with few jets were thinned out. A generator that is not told of the weights learns the rows.
# :::

# %% tags=["hide-input"]
print(f"with weights: {weights[number >= 3].sum() / weights.sum():.2%}")
print(f"without: {np.mean(number >= 3):.1%}, which is what a generator learns that is not told of them")

# %% [markdown]
# :::{exercise}
# :label: ex-z-nine
#
# How many of the simulated events had more than eight jets? Extrapolate from those with eight, with the constant ratio of the later steps and with Poisson's law, before you look.
# :::

# %% [markdown]
# :::{solution} ex-z-nine
# :class: dropdown
# With a constant ratio $R$ the number with nine jets and more is a geometric series, $N_8\,(R+R^2+\dots)=N_8\,R/(1-R)$. With Poisson's law it is $N_8\,(\lambda/9+\dots)$. The file does not hold these events, but its cut flow counts them.
# :::

# %% tags=["hide-input"]
eight = counts[-1] * np.array([1 - counts[-1] ** -0.5, 1 + counts[-1] ** -0.5])
by_poisson = laws["Poisson"].sf(MAX_JETS) / laws["Poisson"].pmf(MAX_JETS)
for name, factor in (("constant ratio", later / (1 - later)), ("Poisson's law", by_poisson)):
    low, high = factor * eight
    print(f"{name}: {factor * counts[-1]:.1f} ({low:.1f} to {high:.1f}) events with more than eight jets")
print(f"found: {made[-1]}")
