# %% [markdown]
# (sec-leading-order)=
# # A physics process with exactly known density
#
# On the {ref}`Gaussian rings <sec-rings>` the true density is known; on LHC events it is not, so that every check of an amplification estimate needs a large holdout. This page has LHC events of which it is known: $pp\to t\bar t$ at 13 TeV,
# at leading order and before anything radiates or decays. The density can be written down, and with it the probability of any region, also that of Eq. (43), $2.0$ to $2.2$ TeV, where a holdout has few events.
# On this process both amplification estimates are validated later, without any holdout: {ref}`sec-known-truth`.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pythia8mc
from scipy import interpolate, stats

from gampl import averaging, plots
from gampl.processes import LeadingOrderTopPair, PartonDensities
from gampl.processes.leading_order_coordinates import velocity
from gampl.processes.leading_order_cross_section import d_sigma_dcos
from gampl.processes.parton_densities import luminosities
from gampl.processes.top_pair import M_TT_REGION
from gampl.regions import Intervals
from gampl_book.pages import Page, markdown_table, rounded

page = Page("leading_order", profile, seed)
n_events, n_pythia, n_heavy, n_counted = (page.settings[k] for k in ("n_events", "n_pythia", "n_heavy", "n_counted"))
for name, value in page.settings.items():
    page.record(name, value)

# %% [markdown]
# (sec-lo-density)=
# ## The density
#
# Two partons collide head-on and make two tops on their mass shell, back to back in the transverse plane. Four numbers fix such an event: mass $m$ and rapidity $Y$ of the pair, polar angle $\theta^*$ of the top in the pair's rest frame, and its azimuth $\phi$. With the momentum fractions of the partons
# $x_{1,2} = (m/\sqrt s)\, e^{\pm Y}$,
#
# ```{math}
# :label: eq-lo-density
# p(m, Y, \cos\theta^*, \phi) = \frac{1}{2\pi\sigma}\; \frac{2}{m} \sum_{ij} x_1 f_i(x_1, m_T)\; x_2 f_j(x_2, m_T)\; \frac{d\hat\sigma_{ij}}{d\cos\theta^*} .
# ```
#
# - $f_i(x, m_T)$ are the densities of the partons in the proton: the set NNPDF2.3 {cite}`nnpdf_qed` that is Pythia's default, tabulated once from Pythia and interpolated. The sum is over two gluons, and over quark and antiquark of five flavours, either way round.
# - $2/m$ belongs to the change of variables: $x_1x_2=m^2/s$ makes $dx_1 dx_2 = x_1x_2\,(2/m)\, dm\, dY$.
# - The partonic cross sections are textbook formulas {cite}`combridge,ellis_stirling_webber`. With $\rho=4m_t^2/m^2$, the tops' velocity $\beta=\sqrt{1-\rho}$ and $z=(\beta\cos\theta^*)^2$,
#
# ```{math}
# :label: eq-lo-partonic
# \frac{d\hat\sigma_{gg}}{d\cos\theta^*} = \frac{\pi\alpha_s^2\beta}{2m^2}\; \frac{7+9z}{24\,(1-z)} \left[\frac{1+z}{2} + \rho - \frac{\rho^2}{1-z}\right], \qquad
# \frac{d\hat\sigma_{q\bar q}}{d\cos\theta^*} = \frac{\pi\alpha_s^2\beta}{2m^2}\; \frac{2}{9}\,\big[1+z+\rho\big] .
# ```
#
# - The strong coupling $\alpha_s(m_T)$ runs at one loop from 0.13 at the $Z$ mass. Its scale, and that of the $f_i$, is the transverse mass of the tops, $m_T=\tfrac{m}{2}\sqrt{1-z}$. These choices are Pythia's {cite}`pythia`, so that the two can be compared.
# - Nothing depends on $\phi$, which gives $1/2\pi$. The cross section $\sigma$, the integral of the rest, is found by quadrature.
#
# The process samples, evaluates its density and integrates it over regions of an observable. Networks prefer coordinates without edges; `process.coordinates.unbounded` gives them with the Jacobian, and `process.coordinates.momenta` the four-momenta. The second cell writes the formulas out once more, to be sure that they are what the process computes.

# %%
process = LeadingOrderTopPair()
events = process.sample(n_events, page.rng(1))
region = Intervals(*M_TT_REGION, process.observables["m_tt"])
print("m, Y, cos theta*, phi of three events:", np.array_str(events[:3], precision=2, suppress_small=True), sep="\n")
print("their log density:", process.log_prob(events[:3]).round(2))
print(f"probability of the region {process.integrals(region)[0]:.3e}")

# %% tags=["nbval-check-output"]
densities = PartonDensities.of_pythia(process.pdf_set)


def by_channel(m, Y, c):
    """The density with phi integrated out, of gg and of q qbar: shapes (...) that broadcast to (2, ...)."""
    m, Y, c = np.broadcast_arrays(m, Y, c)
    z = (velocity(m, process.top_mass) * c) ** 2
    m_T = 0.5 * m * np.sqrt(1 - z)
    f1, f2 = (densities(m / process.energy * np.exp(sign * Y), m_T) for sign in (1, -1))
    return 2 / m * np.multiply(luminosities(f1, f2), d_sigma_dcos(m, z, process.top_mass)) / process.sigma


by_hand = by_channel(*events[:5000, :3].T).sum(axis=0) / (2 * np.pi)
print("factors and log_prob agree:", np.allclose(np.log(by_hand), process.log_prob(events[:5000]), rtol=0, atol=1e-9))

# %% [markdown]
# {numref}`fig-lo-density` shows one coordinate at a time, the others integrated out by quadrature, and a sample of {glue:text}`leading_order_n_events` events on top. Gluons make {glue:text}`leading_order_gg_share` % of the pairs. Their cross section grows along the beam, where $1-z$ is small; that of quarks hardly does.


# %% tags=["hide-input"]
def gauss(nodes):
    """Gauss-Legendre rule from 0 to 1."""
    u, w = np.polynomial.legendre.leggauss(nodes)
    return 0.5 * (u + 1), 0.5 * w


def marginal(name, values, nodes=24):
    """Density of one coordinate at values (k,), of gg and q qbar, (2, k); it is even in Y and in the cosine."""
    (u, w), x = gauss(nodes), values[:, None, None]
    m, Y, c, factor = x, 0.0, u, 4.0
    if name != "m_tt":  # the density starts like a root of ln m: the square makes it smooth
        length = np.log(0.5 * process.energy / process.top_mass) - (np.abs(x) if name == "y_tt" else 0)
        m = 2 * process.top_mass * np.exp(length * u[:, None] ** 2)
        Y, c, factor = x, (x if name == "cos_theta" else u), 4 * length * u[:, None] * m
    if name != "y_tt":
        Y_max = np.log(process.energy / m)
        Y, factor = Y_max * (u if name == "cos_theta" else u[:, None]), factor * Y_max
    return (by_channel(m, Y, c) * factor * w[:, None] * w).sum(axis=(-2, -1))


GRIDS = {
    "m_tt": 2 * process.top_mass + (process.energy - 2 * process.top_mass) * np.linspace(0, 1, 300)[:-1] ** 4,
    "y_tt": np.linspace(-3.6, 3.6, 145),
    "cos_theta": np.sin(np.linspace(-0.5 * np.pi, 0.5 * np.pi, 101)),
}
LABELS = {"m_tt": "$m$", "y_tt": "$Y$", "cos_theta": r"$\cos\theta^*$", "phi": r"$\phi$"}
marginals = {name: marginal(name, x) for name, x in GRIDS.items()}
page.record("gg_share", 100 * process.sigma_by_channel.gg / process.sigma, digits=2)

# %% mystnb={"figure": {"name": "fig-lo-density", "caption": "Exact density of mass and rapidity of the top pair and of the polar angle (black), with the parts of gluons (orange) and quarks (blue), and a sample with its statistical error (points). Grey: the region of Eq. (43)."}, "image": {"alt": "Three panels. The mass rises steeply at threshold and falls over more than four decades to 3 TeV; the rapidity is a bell within three units; the cosine is symmetric and rises towards plus and minus one. Points lie on the black curves."}} tags=["hide-input"]
bins = np.append(2 * process.top_mass, np.arange(400, 3050, 50)), np.linspace(-3.5, 3.5, 36), np.linspace(-1, 1, 26)
figure, axes = plt.subplots(1, 3, figsize=(11, 3.7))
data = {}
for ax, (name, x), edges in zip(axes, GRIDS.items(), bins, strict=True):
    gg, qqbar = marginals[name]
    ax.plot(x, gg + qqbar, color=plots.TRUE, lw=1.4, label="all")
    ax.plot(x, gg, color=plots.MODEL, lw=1.4, label="$gg$")
    ax.plot(x, qqbar, color=plots.ESTIMATE, lw=1.4, ls="--", label=r"$q\bar q$")
    count = np.histogram(process.observables[name](events), edges)[0]
    centre, unit = 0.5 * (edges[1:] + edges[:-1]), n_events * np.diff(edges)
    ax.errorbar(centre, count / unit, np.sqrt(count) / unit, fmt=".", ms=4, lw=0.8, color="0.4", label="sample")
    ax.set(xlabel=LABELS[name], xlim=edges[[0, -1]], ylim=(0, None))
    data[name] = {"x": x, "gg": gg, "qqbar": qqbar, "low": edges[:-1], "count": count}
axes[0].axvspan(*M_TT_REGION, color="0.88", lw=0)
axes[0].set(yscale="log", ylim=(3e-8, 2e-2), xlim=(300, 3000), xlabel="$m$ [GeV]", ylabel="density")
axes[0].legend()
page.figure(figure, "density", data)

# %% [markdown]
# (sec-lo-one)=
# ## Does it integrate to one, and do the samples follow it?
#
# The quadrature below uses other variables than the one inside the process, with 24 and 48 nodes in each of three. Importance sampling throws {glue:text}`leading_order_n_events` points over all space, following a Student distribution $q$, and averages $p/q$. The last row turns this around: for events of the process the average of $q/p$ is one for any density $q$, here a
# narrow Gaussian across all four coordinates. It fails if the coordinates of the samples do not belong together, which the Kolmogorov-Smirnov tests of single coordinates in the second table cannot see.

# %% tags=["hide-input"]
off = {n: 2 * np.dot(gauss(n)[1], marginal("cos_theta", gauss(n)[0], n).sum(axis=0)) - 1 for n in (24, 48)}
rows = [[f"quadrature, {nodes} nodes", f"{1e6 * value:+.1g} $\\cdot 10^{{-6}}$", ""] for nodes, value in off.items()]
page.record("normalisation", 1 + off[48], digits=7)
z, log_jacobian = process.coordinates.unbounded(events)
student = stats.multivariate_t(z[:2000].mean(axis=0), 1.3 * np.cov(z[:2000].T), df=8)
points = student.rvs(n_events, random_state=page.rng(2))
x = process.coordinates.from_unbounded(points)
centre = np.median(z, axis=0) + np.array([0, 0.1, 0.2, 0])
narrow = stats.multivariate_normal(centre, np.diag([0.25, 0.09, 0.25, 0.25]))
log_ratios = {
    "importance": process.log_prob(x) - process.coordinates.unbounded(x)[1] - student.logpdf(points),
    "reverse": narrow.logpdf(z) - process.log_prob(events) + log_jacobian,
}
for name, title in (("importance", "importance sampling"), ("reverse", "mean of $q/p$ over samples")):
    ratio = np.exp(log_ratios[name])
    mean, error = ratio.mean(), ratio.std() / np.sqrt(n_events)
    off[name] = (mean - 1) / error
    page.record(name, mean, [mean - 1.96 * error, mean + 1.96 * error], level=0.95, digits=4)
    rows.append([title, f"{mean - 1:+.4f} ± {error:.4f}", f"{off[name]:+.1f}"])
markdown_table(["", "result minus 1", "in standard errors"], rows)

# %% tags=["hide-input"]
cdf = {"phi": stats.uniform(-np.pi, 2 * np.pi).cdf}
for name, x in GRIDS.items():
    root = np.sqrt(x - x[0])  # like which the density of the mass starts at the threshold
    integral = interpolate.CubicSpline(root, 2 * root * marginals[name].sum(axis=0)).antiderivative()
    cdf[name] = lambda v, F=integral, x=x: F(np.sqrt(np.clip(v, x[0], x[-1]) - x[0]))
rows, ks = [], {}
for name, label in LABELS.items():
    distance, ks[name] = stats.kstest(process.observables[name](events), cdf[name])
    page.record(f"ks_{name}", ks[name], digits=2)
    rows.append([label, f"{distance * n_events**0.5:.2f}", f"{ks[name]:.2f}"])
markdown_table(["coordinate", r"Kolmogorov-Smirnov distance times $\sqrt{n}$", "$p$-value"], rows)

# %% [markdown]
# (sec-lo-pythia)=
# ## Against Pythia
#
# Does Pythia, whose program shares nothing with ours but the parton densities, make the same events? One run makes {glue:text}`leading_order_n_pythia` events of all masses, a second one {glue:text}`leading_order_n_heavy` above 1.5 TeV, which are rare otherwise. `process.pythia_settings` leaves nothing but the hard process; below are its lines.
#
# The first table compares cross sections, with Pythia's own errors: for all events the ratio is {glue:text}`leading_order_sigma_ratio_all` ({glue:text}`leading_order_sigma_ratio_all_low` to {glue:text}`leading_order_sigma_ratio_all_high` at 95 %). One in twenty such intervals misses the truth by chance, and the rows share events, so that they move together; a larger run, as in the paper profile, tells chance from a mistake. {numref}`fig-lo-pythia` shows the ratio in intervals of the mass. The second table has $\chi^2$ tests of four observables, among them the transverse momentum of the tops, which depends on mass and angle together.


# %% tags=["hide-input"]
def run_pythia(n, stream, regions, *more):
    """Counts of events in regions of observables, and cross sections with their errors in pb."""
    generator = pythia8mc.Pythia("", False)
    start = ("Print:quiet = on", "Random:setSeed = on", f"Random:seed = {page.rng(stream).integers(1, 900_000_000)}")
    if not all(generator.readString(line) for line in (*start, *process.pythia_settings, *more)):
        raise ValueError("Pythia does not accept all of the settings")
    generator.init()
    counts, batch = dict.fromkeys(regions, 0), min(n, 20_000)
    for _ in range(n // batch):
        info = generator.nextBatch(batch).info
        m, x1, x2, t, u = (np.asarray(info[name]) for name in ("mHat", "x1", "x2", "tHat", "uHat"))
        # t - u = m² beta cos(theta*) for the top, the first of the outgoing particles
        cosine = (t - u) / m**2 / velocity(m, process.top_mass)
        found = np.stack([m, 0.5 * np.log(x1 / x2), cosine, np.zeros_like(m)], axis=1)
        for name, intervals in regions.items():
            counts[name] = counts[name] + intervals.count(found).inside
    info, codes = generator.infoPython(), {"all": 0, "gg": 601, "qqbar": 602}
    return counts, {name: (1e9 * info.sigmaGen(code), 1e9 * info.sigmaErr(code)) for name, code in codes.items()}


masses = [0, 370, 400, 430, 460, 500, 550, 600, 700, 800, 1000, 1200, 1500, np.inf]
tail = [1500, 1600, 1750, *M_TT_REGION, 2500, 3000, np.inf]
regions = {"m_tt": Intervals.between(masses, process.observables["m_tt"])}
regions |= {k: Intervals.quantiles(events, 12, process.observables[k]) for k in ("y_tt", "cos_theta", "pT_top")}
heavy = {"tail": Intervals.between(tail, process.observables["m_tt"])}
counts, sigma = run_pythia(n_pythia, 3, regions)
counts_heavy, sigma_heavy = run_pythia(n_heavy, 4, heavy, f"PhaseSpace:mHatMin = {tail[0]}")
counts, expected = counts | counts_heavy, {k: process.integrals(r) for k, r in (regions | heavy).items()}
print(*process.pythia_settings, sep=", ")
ours = {"all": process.sigma, **process.sigma_by_channel._asdict(), "tail": process.sigma * expected["tail"].sum()}
found = sigma | {"tail": sigma_heavy["all"]}
titles = {"all": "all", "gg": r"$gg\to t\bar t$", "qqbar": r"$q\bar q\to t\bar t$", "tail": "all, $m>1.5$ TeV"}
rows, pulls = [], {}
for key, title in titles.items():
    value, error = found[key]
    ratio, spread = value / ours[key], error / ours[key]
    pulls[key] = (value - ours[key]) / error
    page.record(f"sigma_{key}", ours[key], digits=4)
    page.record(f"sigma_ratio_{key}", ratio, [ratio - 1.96 * spread, ratio + 1.96 * spread], level=0.95, digits=4)
    both = rounded(ours[key], 5), f"{rounded(value, 5)} ± {rounded(error, 2)}"
    rows.append([title, *both, f"{ratio:.4f} ± {spread:.4f}", f"{pulls[key]:+.1f}"])
markdown_table(["cross sections", "exact, pb", "Pythia, pb", "Pythia / exact", "in standard errors"], rows)

# %% mystnb={"figure": {"name": "fig-lo-pythia", "caption": "Pythia's cross section in intervals of the mass over the exact one, with statistical errors. Blue: the run over all masses. Orange: the run above 1.5 TeV. Grey: the region of Eq. (43)."}, "image": {"alt": "Points with error bars scatter around one, from threshold to 3 TeV."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 3.6))
data = {}
for name, label, color in (("m_tt", "all masses", plots.ESTIMATE), ("tail", "above 1.5 TeV", plots.MODEL)):
    total, total_error = found["all" if name == "m_tt" else name]
    ratio = total / process.sigma * counts[name] / counts[name].sum() / expected[name]
    error = ratio * np.hypot(1 / np.sqrt(counts[name]), total_error / total)
    edges = np.maximum((regions | heavy)[name].edges[:-1], 2 * process.top_mass)  # the last interval has no end
    middle, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
    ax.errorbar(middle, ratio[:-1], error[:-1], half, fmt="o", ms=4, color=color, label=label)
    data[label] = {"low": edges[:-1], "high": edges[1:], "ratio": ratio[:-1], "error": error[:-1]}
k = tail.index(M_TT_REGION[0])
page.record("region_ratio", ratio[k], [ratio[k] - 1.96 * error[k], ratio[k] + 1.96 * error[k]], level=0.95)
ax.axvspan(*M_TT_REGION, color="0.88", lw=0, zorder=0)
ax.axhline(1, color=plots.TRUE, lw=1)
ax.set(xscale="log", xlim=(340, 3050), xlabel="$m$ [GeV]", ylabel="Pythia / exact")
ax.set_xticks([400, 600, 1000, 1500, 2000, 3000], ["400", "600", "1000", "1500", "2000", "3000"])
ax.minorticks_off()
ax.legend(loc="upper left")
page.figure(figure, "pythia", data)

# %% tags=["hide-input"]
rows, p_values = [], {}
for name, observed in counts.items():
    title = (LABELS | {"pT_top": "$p_T$ of the tops", "tail": "$m$ above 1.5 TeV"})[name]
    chi2, p_values[name] = stats.chisquare(observed, expected[name] / expected[name].sum() * observed.sum())
    page.record(f"p_{name}", p_values[name], digits=2)
    rows.append([title, f"{chi2:.1f}", observed.size - 1, f"{p_values[name]:.2f}"])
markdown_table(["spectrum", r"$\chi^2$", "degrees of freedom", "$p$-value"], rows)

# %% [markdown]
# (sec-lo-region)=
# ## The region of Eq. (43), and the line $G=1$
#
# The probability of $2.0\leq m<2.2$ TeV is {glue:text}`leading_order_region`$\cdot 10^{-4}$, to all digits shown and more. Pythia's second run finds {glue:text}`leading_order_region_ratio` times that ({glue:text}`leading_order_region_ratio_low` to {glue:text}`leading_order_region_ratio_high` at 95 %). It is far less than after simulation and reconstruction:
# the paper's sample has $8\cdot 10^{-4}$, {glue:text}`leading_order_paper_over_region` times as much, and {ref}`our reconstructed sample <sec-mtt>` far more. {ref}`There <sec-differs>` most events of the region are lighter pairs, with a forward jet of initial-state radiation taken for a decay jet; here nothing radiates. A region that is easier for small training samples is that above {glue:text}`leading_order_one_percent` GeV, with 1 % of the events.
#
# The simplest generator needs no network. It returns its training events, again and again, and its integral is $\bar I=k/\ntrain$ with $k$ training events in the region. Over many training sets this scatters around the true $I$ with
#
# $$ \sstat^2(\ntrain) = \frac{I(1-I)}{\ntrain} . \tag{12} $$
#
# So it is worth $\ntrain$ events: $G=1$ is what every generator has to beat. On other LHC events $I$ would come from a holdout; here it is exact. The table draws training sets from the process, the larger ones made of the smaller; with all of them together, the number of events in the region is {glue:text}`leading_order_counted_pull` standard errors from the exact one. (The intervals of $G$ suppose normally distributed integrals, and are a little short for so few events as in the first row.)

# %% tags=["hide-input"]
I_region = float(process.integrals(region)[0])
page.record("region", 1e4 * I_region, digits=4)
page.record("paper_over_region", 8e-4 / I_region, digits=2)
page.record("one_percent", np.interp(0.99, cdf["m_tt"](GRIDS["m_tt"]), GRIDS["m_tt"]))
smallest, rng = 10_000, page.rng(5)
edges = [0, 400, 450, 500, 600, 800, 1000, 1500, *M_TT_REGION, np.inf]
spectrum = Intervals.between(edges, process.observables["m_tt"])
training_sets = ([process.sample(smallest, rng)] for _ in range(n_counted // smallest))
counted = averaging.count_stream(training_sets, spectrum, smallest)[0][0]  # (training sets, regions)
k, rows = edges.index(M_TT_REGION[0]), []
pull = (counted[:, k].sum() - n_counted * I_region) / np.sqrt(n_counted * I_region * (1 - I_region))
page.record("counted_pull", pull, digits=2)
for power in (4, 5, 6):
    n_train, merge = 10**power, 10**power // smallest
    sets, s_stat = len(counted) // merge, np.sqrt(I_region * (1 - I_region) / n_train)
    row = [f"$10^{power}$", rounded(n_train * I_region, 2), f"{100 * s_stat / I_region:.2g} %", sets]
    if sets >= 10:
        I_bar = counted[: sets * merge].reshape(sets, merge, -1).sum(axis=1) / n_train
        row.append(f"{100 * np.sqrt(np.mean((I_bar[:, k] / I_region - 1) ** 2)):.2g} %")
        for name, integrals in (("region", I_bar[:, k]), ("spectrum", I_bar)):
            result = averaging.from_integrals(integrals, n_train, level=0.95)
            page.record(f"G_{name}_1e{power}", result.G, result.interval, level=0.95)
            row.append(f"{result.G:.2f} ({result.interval.low:.2f} to {result.interval.high:.2f})")
    rows.append(row + ["too few"] * (7 - len(row)))
header = ["training events", "in the region", r"$\sigma_\mathrm{stat}/I$", "training sets", "scatter of $\\bar I/I$"]
markdown_table([*header, "$G$ of the region, 95 %", "$G$ of the whole spectrum, Eq. (19)"], rows)

# %% tags=["nbval-check-output", "hide-input"]
wide = averaging.from_integrals(counted / smallest, smallest, level=0.999).interval
print("quadrature within 1e-5 of one, both orders:", all(abs(off[nodes]) < 1e-5 for nodes in (24, 48)))
print("both averages within 4 standard errors of one:", all(abs(off[name]) < 4 for name in log_ratios))
print("samples follow all four marginals, p-values above 1e-4:", min(ks.values()) > 1e-4)
print("cross sections within 4 of Pythia's standard errors:", all(abs(pull) < 4 for pull in pulls.values()))
print("all five spectra compatible with Pythia's, p-values above 1e-4:", min(p_values.values()) > 1e-4)
print("events in the region, all sets together, within 4 standard errors of the exact number:", abs(pull) < 4)
print("99.9 % interval of G of the spectrum holds one:", wide.low < 1 < wide.high)

# %% [markdown]
# ## Exercises
#
# :::{exercise}
# :label: ex-lo-mass
# How does the cross section change with the mass of the top? And the probability of the region of Eq. (43)? Guess the signs before you compute.
# :::
#
# :::{solution} ex-lo-mass
# :class: dropdown
# Heavier tops need partons with more momentum, which are rarer: the cross section falls by a few per cent per GeV. At 2 TeV the mass of the tops hardly matters, so the cross section of the region stays, and its share grows.
# :::

# %% tags=["hide-input"]
for mass in (171.0, 173.0, 175.0):
    other = LeadingOrderTopPair(top_mass=mass)
    share = other.integrals(Intervals(*M_TT_REGION, other.observables["m_tt"]))[0]
    print(f"{mass:.0f} GeV: {other.sigma:.1f} pb, {1e4 * share:.3f}e-4 in the region, {other.sigma * share:.4f} pb")

# %% [markdown]
# :::{exercise}
# :label: ex-lo-gluons
# Quarks carry most of the momentum at large $x$. So gluons should make a smaller share of the pairs at 2 TeV than of all pairs. Do they? Use `marginal`, and compare with Pythia's second run. And among central events, with $Y=\cos\theta^*=0$?
# :::
#
# :::{solution} ex-lo-gluons
# :class: dropdown
# For central tops they do: with growing $x$ gluons become rare faster than quarks. For all tops the share first grows. The factor $1/(1-z)$ of gluons in {eq}`eq-lo-partonic`, from the exchange of a top, becomes large along the beam for $\beta\to 1$, and for a while this wins.
# :::

# %% tags=["hide-input"]
for m in (400.0, 1000.0, 2000.0, 4000.0):
    inclusive, central = marginal("m_tt", np.array([m]))[:, 0], by_channel(m, 0.0, 0.0)
    print(f"{m:.0f} GeV: {inclusive[0] / sum(inclusive):.1%}, at Y = cos = 0: {central[0] / sum(central):.1%}")
print(f"Pythia, above 1.5 TeV: {sigma_heavy['gg'][0] / sigma_heavy['all'][0]:.1%}")
