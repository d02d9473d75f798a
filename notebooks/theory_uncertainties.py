# %% [markdown]
# (sec-theory-uncertainties)=
# # Theory uncertainties by condition
#
# Members of an ensemble scatter because the training sample is finite. A theory has uncertainties of another kind: scales, parton densities, missing orders. If each event has a weight $w_a(x)$ that depends on a parameter $a$ of the theory, a generator can be trained *conditionally*, $p_{\rm gen}(x|a)$, and its error bar comes from generating with many $a$. The talk *Controlled Precision Generators* {cite}`plehn_controlled` does this for systematic uncertainties in tails, with
#
# ```{math}
# :label: eq-theory-weight
# w_a(x) = 1 + a\,u(x), \qquad u = \left(\frac{p_{T,j_1}-15\;{\rm GeV}}{100\;{\rm GeV}}\right)^2, \qquad a = 0\dots 30 ,
# ```
#
# and promises controlled per-cent precision. Here the weight is first given to the {ref}`leading-order process <sec-leading-order>`, with $p_T$ of the tops in the place of $p_{T,j_1}$, because there the truth is exact for every $a$; then to $Z$ bosons with jets. Does the generator follow $a$? And how many events is it worth for each $a$: does anything carry over from one value to the next?

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from itertools import product

import matplotlib.pyplot as plt
import numpy as np

from gampl import averaging, plots
from gampl.generators.settings import Architecture, Solver
from gampl.processes import ZJets
from gampl.regions import Intervals
from gampl.reweighting import accepted
from gampl.training import Data, Fit, LeadingOrder, Table, Training, train_or_load
from gampl_book import ROOT, event_ensembles
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.scaling import geometric_mean
from gampl_book.studies import event_file
from gampl_book.theory_parameter import WeightedTopPair, excess, likelihood_weights

page = Page("theory_uncertainties", profile, seed)
n_train, members, sets, draws, steps, flow_steps, n_gen, n_truth, n_z, z_steps, n_z_gen = page.settings.values()
process = event_ensembles.leading_order_process(LeadingOrder())
truth = WeightedTopPair(process)
A, A_MAX = (0, 1, 3, 10, 30), 30
for name in ("n_train", "members", "training_sets", "draws", "n_gen"):
    page.record(name, page.settings[name])

# %% [markdown]
# ## The truth for every $a$
#
# With $\langle u\rangle=\int u\,p$, the densities are $p_a=(1+a\,u)\,p/(1+a\langle u\rangle)$: all of them lie on a straight line between $p$ and $u\,p/\langle u\rangle$, and $p_a$ has the share
#
# ```{math}
# :label: eq-theory-share
# f(a) = \frac{a\,\langle u\rangle}{1+a\,\langle u\rangle}
# ```
#
# of the second. The integrals of $p$, $u\,p$ and $u^2p$ over a region, by quadrature, give its probability for every $a$. They also say what a *reweighted training sample* is worth. Its effective number of events is
#
# ```{math}
# :label: eq-theory-effective
# n_{\rm eff}(a) = \frac{(\sum w_a)^2}{\sum w_a^2} = \frac{\ntrain}{1+f^2(a)\,{\rm Var}(u)/\langle u\rangle^2} ,
# ```
#
# a single number for all regions. In one region $V$ its integral has the variance $\langle w_a^2(1_V-I)^2\rangle/(\ntrain\langle w_a\rangle^2)$, which belongs to some other number of events: in the bulk, where weights are below average, to more, in the tail to fewer.

# %% tags=["hide-input"]
sample = process.sample(n_truth, page.rng(0))
u_sample = truth.u(sample)
observables = process.observables
# edges that suit all a: quantiles of the middle of the line; the tail is the hardest tenth of p
middle = sample[accepted(1 + truth.parameter(0.5) * u_sample, page.rng(1))]
REGIONS = {name: Intervals.quantiles(middle, 12, observables[name])[1:-1] for name in ("m_tt", "pT_top")}
pt_edges = np.quantile(observables["pT_top"](sample), [0.9, 0.95, 0.98, 0.99])
REGIONS["tail"] = Intervals.between([*pt_edges, np.inf], observables["pT_top"])
FAR = float(pt_edges[2])  # above it the hardest 2 % of p
TITLES = {"m_tt": "regions of $m$", "pT_top": "regions of $p_T$", "tail": "tail of $p_T$"}
MOMENTS = {name: truth.moments(regions) for name, regions in REGIONS.items()}
FAR_MOMENTS = truth.moments(Intervals([FAR], [np.inf], observables["pT_top"]))
BINS = np.array([0, 40, 80, 120, 160, 200, 250, 300, 350, 400, 500, 600.0])
BIN_MOMENTS = truth.moments(Intervals.between(BINS, observables["pT_top"]))
everywhere = truth.moments(Intervals([0.0], [np.inf], observables["pT_top"]))[0]

U_TAIL = float(np.quantile(u_sample, 0.99))

u_mean, u_error = u_sample.mean(), u_sample.std() / np.sqrt(n_truth)
page.record("u_mean", truth.total[1])
page.record("u_sampled", u_mean / truth.total[1], (u_mean + np.array([-1.96, 1.96]) * u_error) / truth.total[1], 0.95)
page.record("far_edge", round(FAR))
page.record("tail_edge", round(float(pt_edges[0])))
page.record("share_one", 100 * float(truth.share(1)), digits=2)
page.record("u_tail", U_TAIL)
page.record("below_half", float(np.expm1(np.log1p(A_MAX * U_TAIL) / 2) / U_TAIL), digits=2)
page.record("below_one", 100 / A_MAX, digits=2)
page.record("effective_30", truth.effective(A_MAX), digits=2)
page.record("effective_tail_30", truth.effective_in(MOMENTS["tail"], A_MAX), digits=2)
page.record("effective_pT_30", truth.effective_in(MOMENTS["pT_top"], A_MAX), digits=2)
of_far, far_effective = truth.integrals(FAR_MOMENTS, A_MAX)[0], truth.effective_in(FAR_MOMENTS, A_MAX)
far_error = np.sqrt((1 - of_far) / of_far / (n_train * far_effective))
page.record("far_error", 100 * far_error, digits=2)
page.record("n_percent", n_train * (far_error / 0.01) ** 2 / 1e5, digits=2)
far_true = [float(truth.integrals(FAR_MOMENTS, a)[0]) for a in (0, A_MAX)]
page.record("far_0", 100 * far_true[0], digits=2)
page.record("far_30", 100 * far_true[1], digits=2)

# %% mystnb={"figure": {"name": "fig-theory-truth", "caption": "Left: spectra of the transverse momentum for five values of $a$, exact. Right: share $f(a)$, and what a training sample that is reweighted to $a$ is worth, per training event: effective number (black) and the number for the integrals over regions. The axis is linear at small $a$ and logarithmic at large."}, "image": {"alt": "Left, falling spectra that become harder with a, those for 10 and 30 nearly the same. Right, against a, a share that rises steeply below one and then saturates near one, and effective numbers that fall as steeply, lowest in the tail."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4))
COLOURS = dict(zip(A, plt.get_cmap("viridis")(np.linspace(0, 0.9, len(A))), strict=True))
data = {"left": BINS[:-1]}
for a in A:
    data[f"density a={a}"] = truth.integrals(BIN_MOMENTS, a) / np.diff(BINS)
    left.stairs(data[f"density a={a}"], BINS, baseline=None, color=COLOURS[a], label=f"$a={a}$")
left.set(yscale="log", xlabel="$p_T$ [GeV]", ylabel=r"$dp_a/dp_T$ [1/GeV]")
left.legend()
axis = np.concatenate([np.linspace(0, 1, 30), np.geomspace(1, A_MAX, 30)[1:]])
right.plot(axis, truth.share(axis), color="0.5", ls="--", label="share $f(a)$")
right.plot(axis, [truth.effective(a) for a in axis], color=plots.TRUE, label=r"$n_{\rm eff}/n_{\rm train}$")
for name, colour in zip(REGIONS, (plots.ESTIMATE, plots.STAT, plots.MODEL), strict=True):
    right.plot(axis, [truth.effective_in(MOMENTS[name], a) for a in axis], color=colour, label=TITLES[name])
right.set_xscale("asinh", linear_width=0.3)
right.set(xlabel="$a$", ylim=(0, 1.05), xticks=A, xticklabels=A)
right.minorticks_off()
right.legend(loc="upper right", bbox_to_anchor=(1, 0.86), fontsize=8)
page.figure(figure, "theory_truth", data)

# %% [markdown]
# With tops, $\langle u\rangle=$ {glue:text}`theory_uncertainties_u_mean`: their transverse momenta are much larger than the offset of 15 GeV. At $a=1$ the share is {glue:text}`theory_uncertainties_share_one` % already. What happens between $a=1$ and 30 is small, and what happens below one is large, but only {glue:text}`theory_uncertainties_below_one` % of numbers that are uniform from 0 to 30 lie there. At $a=30$ the reweighted training sample is worth {glue:text}`theory_uncertainties_effective_30` of its events, for regions of $p_T$ {glue:text}`theory_uncertainties_effective_pT_30` and in the tail above {glue:text}`theory_uncertainties_tail_edge` GeV {glue:text}`theory_uncertainties_effective_tail_30`.
#
# ## Training with a condition
#
# Each event has $K=$ {glue:text}`theory_uncertainties_draws` values of $a$; each batch draws one of them for each of its events, tells it to the generator and weighs the event's loss by $w_a/\langle w_a\rangle$. Without the denominator, which is a mean over the training events, batches with large $a$ would dominate. In `gampl` the condition is an array of shape $(n,K,1)$, the weights are one of $(n,K)$:
#
# ```python
# a = rng.uniform(0, 30, (n, K))
# data = Data(events, weights=(1 + a * u[:, None]) / (1 + a * u.mean()), condition=a[..., None])
# ensemble = train_or_load(Training(LeadingOrder(), n, architecture, conditions=1), data)
# ensemble.sample(0, 10_000, seed, condition=[17.0])  # member 0, a = 17
# ```
#
# The generators are a density, a spline flow, and a transformer that learns by flow matching, whose squared error is weighed in the same way. Both are trained in two ways: *told $a$*, uniform from 0 to 30, as in the talk; and *told the logarithm*
#
# ```{math}
# :label: eq-theory-log
# \lambda = \ln(1+a\,u_{99})
# ```
#
# of the weight of an event in the tail, with $u_{99}=$ {glue:text}`theory_uncertainties_u_tail`, which one event in a hundred exceeds; it is uniform from 0 to its value at $a=30$. These are the same densities in another coordinate of the parameter. In $\ln p_a=\ln p+\ln(1+a\,u)-\ln(1+a\langle u\rangle)$ the events with large $u$ notice a very small $a$. Half of the uniform $\lambda$ lie below $a=$ {glue:text}`theory_uncertainties_below_half`.
#
# For comparison there are splines that are trained *for one $a$ alone*, and the events of the one for $a=0$, *reweighted* by the known $w_a$. Of each there are {glue:text}`theory_uncertainties_training_sets` training sets of {glue:text}`theory_uncertainties_n_train` events with {glue:text}`theory_uncertainties_members` members, each of which generates {glue:text}`theory_uncertainties_n_gen` events per value of $a$.

# %% tags=["hide-input"]
SPLINE, FLOW = Architecture("spline", 2, 1, 16, components=6), Architecture("transformer", 1, 4, 32, base="normal")
FITS = {
    "spline": Fit(steps, 256, 3e-3, warmup=steps // 10, validate_every=max(1, steps // 10), patience=4, ema=0.98),
    "transformer": Fit(flow_steps, 256, 1e-2, warmup=flow_steps // 10, validate_every=flow_steps // 4, ema=0.99),
}
WAYS = {
    "spline_a": ("spline, told $a$", SPLINE, plots.OTHERS[1]),
    "flow_a": ("flow matching, told $a$", FLOW, plots.STAT),
    "spline_log": (r"spline, told $\lambda$", SPLINE, plots.OTHERS[0]),
    "flow_log": (r"flow matching, told $\lambda$", FLOW, plots.ESTIMATE),
    "alone": ("spline for this $a$ alone", SPLINE, plots.TRUE),
    "reweighted": ("spline for $a=0$, reweighted", SPLINE, "0.5"),
}


def train(label, events, architecture, k, weights=None, condition=None):
    """Members of the k-th training set; conditions (n, c) or (n, K, c)."""
    conditions = 0 if condition is None else condition.shape[-1]
    fit = FITS[architecture.kind]
    training = Training(
        LeadingOrder(), len(events), architecture, "bootstrap", members, 1000 * seed + k, fit, conditions=conditions
    )
    ensemble = train_or_load(
        training,
        Data(events, weights, condition),
        parallel=1 if architecture.is_flow else members,
        solver=Solver("midpoint", 4),
        chunk=n_gen,
        label=f"theory/{label}/{k}",
    )
    page.count_training(ensemble.history.seconds, ensemble.history.device)
    return ensemble


def worth_of_mean(made, name, a, weights):
    """True n_equiv of the mean of the members' integrals, at most 10^6."""
    regions, exact = REGIONS[name], truth.integrals(MOMENTS[name], a)
    shares = np.zeros(len(regions))
    for x in made:
        w, place = np.ones(len(x)) if weights is None else weights(x), regions.place(x).region
        shares += np.bincount(place[place >= 0], w[place >= 0], len(regions)) / w.sum() / len(made)
    binomial, events_of_one = (exact * (1 - exact)).sum(), len(made[0])
    if weights is not None:
        events_of_one *= truth.effective_in(MOMENTS[name], a)
    variance = ((shares - exact) ** 2).sum() - binomial / (len(made) * events_of_one)
    return binomial / max(variance, binomial / 1e6)


def measure(made, a, weights=None):
    """What the page says of the members' events for one a: results by kind of region, and shares of all events."""
    found = {}
    for name, regions in REGIONS.items():
        exact = truth.integrals(MOMENTS[name], a)
        found[name] = averaging.from_samples(made, regions, len(events), weights=weights, truth=exact)
    found["mean"] = {name: worth_of_mean(made, name, a, weights) for name in REGIONS}
    w = [np.ones(len(x)) if weights is None else weights(x) for x in made]
    pt = [observables["pT_top"](x) for x in made]
    found["bins"] = np.array([np.histogram(p, BINS, weights=v)[0] / v.sum() for p, v in zip(pt, w, strict=True)])
    found["far"] = np.mean([v[p >= FAR].sum() / v.sum() for p, v in zip(pt, w, strict=True)])
    return found


found, left_out = {}, 0  # by way, a, training set
training_sets = []
for k in range(sets):
    events, rng = process.sample(n_train, page.rng(10 + k)), page.rng(30 + k)
    training_sets.append(events)
    u = truth.u(events)
    for way, (_, architecture, _) in WAYS.items():
        if way.endswith(("_a", "_log")):
            if way.endswith("_a"):
                told = a = rng.uniform(0, A_MAX, (n_train, draws))
            else:
                told = rng.uniform(0, np.log1p(A_MAX * U_TAIL), (n_train, draws))
                a = np.expm1(told) / U_TAIL
            ensemble = train(way, events, architecture, k, likelihood_weights(u, a), told[..., None])
            for a in A:
                condition = [a if way.endswith("_a") else np.log1p(a * U_TAIL)]
                found[way, a, k] = measure([one.sample(n_gen, seed, condition) for one in ensemble.members], a)
            left_out += members - len(ensemble)
        elif way == "alone":
            for a in (0, A_MAX):
                weights = likelihood_weights(u, a) if a else None
                ensemble = train(f"alone/{a}", events, architecture, k, weights)
                made = [one.sample(n_gen, seed) for one in ensemble.members]
                found["alone", a, k] = measure(made, a)
                left_out += members - len(ensemble)
                if a == 0:
                    for b in A[1:]:
                        found["reweighted", b, k] = measure(made, b, lambda x, b=b: 1 + b * truth.u(x))
print("members left out:", left_out)


# %% mystnb={"figure": {"name": "fig-theory-bands", "caption": "Above: transverse momentum of the tops, generated for $a=0$ (dark line), 10 and 30 (light), first training set, and the exact spectra for 0 and 30 (dotted); band: all $a$ from 0 to 30. Below: ratio of the generated spectrum, mean of the members, to the exact one, a line for each training set. Grey: statistical uncertainty of a training sample that is reweighted to this $a$. Lines that leave the panel are far off."}, "image": {"alt": "Four columns for the four conditional generators. In each a falling spectrum with a band and three panels with ratios near one for a of 0, 10 and 30 with grey bands that widen with the transverse momentum. For a = 0 the lines of the generators that are told a leave the panel."}} tags=["hide-input"]
CONDITIONAL = [way for way in WAYS if way.endswith(("_a", "_log"))]
SHOWN = (0, 10, 30)


def spectra_and_ratios(ways, bins, xlabel, spectra, truths, ratios, errors):
    """A column for each way: spectra of all a above, ratios to the truth below with bands of one standard error."""
    figure, axes = plt.subplots(
        4,
        len(ways),
        figsize=(3.1 * len(ways), 8.2),
        sharex="col",
        sharey="row",
        squeeze=False,
        height_ratios=[2.2, 1, 1, 1],
    )
    for column, (way, title) in zip(axes.T, ways.items(), strict=True):
        edges = bins[way]
        each = np.array(list(spectra[way].values())) / np.diff(edges)
        column[0].stairs(each.max(0), edges, baseline=each.min(0), fill=True, color=plots.MODEL, alpha=0.35, lw=0)
        for ax, a in zip(column[1:], SHOWN, strict=True):
            column[0].stairs(
                spectra[way][a] / np.diff(edges), edges, baseline=None, color=COLOURS[a], lw=1.2, label=f"$a={a}$"
            )
            if a in (SHOWN[0], SHOWN[-1]):
                label, style = "true" if a else None, {"color": plots.TRUE, "lw": 1.2, "ls": ":"}
                column[0].stairs(truths[way][a] / np.diff(edges), edges, baseline=None, label=label, **style)
            error = errors[way][a]
            ax.stairs(1 + error, edges, baseline=1 - error, fill=True, color="0.85", lw=0)
            for ratio in ratios[way][a]:
                ax.stairs(ratio, edges, baseline=None, color=COLOURS[a], lw=1)
            ax.axhline(1, color=plots.TRUE, lw=0.6)
            ax.set(ylim=(0.5, 1.5))
            box = {"facecolor": "white", "alpha": 0.8, "lw": 0, "pad": 1}
            ax.text(0.04, 0.82, f"$a={a}$", transform=ax.transAxes, fontsize=9, bbox=box)
        column[0].set(yscale="log")
        column[0].set_title(title, fontsize=10)
        column[-1].set_xlabel(xlabel[way])
    axes[0, 0].set_ylabel("density [1/GeV]")
    axes[2, 0].set_ylabel("generated / true")
    axes[0, 0].legend()
    return figure


spectra = {way: {a: found[way, a, 0]["bins"].mean(0) for a in A} for way in CONDITIONAL}
exact = {a: truth.integrals(BIN_MOMENTS, a) for a in A}
error_of_training = {
    a: np.sqrt(
        [i * (1 - i) / (n_train * truth.effective_in(m[None], a)) for i, m in zip(exact[a], BIN_MOMENTS, strict=True)]
    )
    / exact[a]
    for a in SHOWN
}
ratios = {
    way: {a: [found[way, a, k]["bins"].mean(0) / exact[a] for k in range(sets)] for a in SHOWN} for way in CONDITIONAL
}
figure = spectra_and_ratios(
    {way: WAYS[way][0] for way in CONDITIONAL},
    dict.fromkeys(CONDITIONAL, BINS),
    dict.fromkeys(CONDITIONAL, "$p_T$ of the tops [GeV]"),
    spectra,
    dict.fromkeys(CONDITIONAL, exact),
    ratios,
    dict.fromkeys(CONDITIONAL, error_of_training),
)
page.figure(figure, "theory_bands", {"edges": BINS, "true": exact, "ratios": ratios, "error": error_of_training})


# %% tags=["hide-input"]
def words(value, ends, digits=2):
    """A number with its interval."""
    return f"{rounded(value, digits)} ({rounded(ends[0], digits)} to {rounded(ends[1], digits)})"


def far(way, a):
    """Generated over true probability of the far tail, (training sets,)."""
    return np.array([found[way, a, k]["far"] for k in range(sets)]) / float(truth.integrals(FAR_MOMENTS, a)[0])


rows = []
for way in (*CONDITIONAL, "reweighted"):
    here = [a for a in A if (way, a, 0) in found]
    off = np.array([far(way, a) - 1 for a in here if a])  # (a, sets)
    percent, ends = geometric_mean(np.sqrt((off**2).mean(0)))
    page.record(f"off_{way}", percent, ends, 0.95, digits=2)
    page.record(f"percent_{way}", 100 * percent, [100 * e for e in ends], 0.95, digits=2)
    band = far(way, A_MAX) / (far(way, 0) if way in CONDITIONAL else far("alone", 0))
    width, limits = geometric_mean(band)
    page.record(f"band_{way}", width, limits, 0.95)
    if way in CONDITIONAL:
        page.record(f"far_{way}_0", *geometric_mean(far(way, 0)), 0.95)
    rows.append([WAYS[way][0], words(100 * percent, [100 * e for e in ends]), words(width, limits, 3)])
    rows[-1][1:1] = [words(*geometric_mean(far(way, a)), 3) if a in here else "–" for a in SHOWN]
header = [f"$a={a}$, over true" for a in SHOWN]
markdown_table(["generator", *header, "deviation for $a\\geq1$ [%]", "width of the band, over true"], rows)

# %% [markdown]
# The table is about the far tail, $p_T>$ {glue:text}`theory_uncertainties_far_edge` GeV, where {glue:text}`theory_uncertainties_far_0` % of the events lie for $a=0$ and {glue:text}`theory_uncertainties_far_30` % for $a=30$: the quotient of the two is the *width of the band*. All intervals in this and the following tables, at 95 %, are those of the {glue:text}`theory_uncertainties_training_sets` training sets. The width of the band, over the true one, is {glue:text}`theory_uncertainties_band_spline_a` ({glue:text}`theory_uncertainties_band_spline_a_low` to {glue:text}`theory_uncertainties_band_spline_a_high`) for the spline that is told $a$, and {glue:text}`theory_uncertainties_band_spline_log` ({glue:text}`theory_uncertainties_band_spline_log_low` to {glue:text}`theory_uncertainties_band_spline_log_high`) for the one that is told $\lambda$; with flow matching it is {glue:text}`theory_uncertainties_band_flow_a` ({glue:text}`theory_uncertainties_band_flow_a_low` to {glue:text}`theory_uncertainties_band_flow_a_high`) and {glue:text}`theory_uncertainties_band_flow_log` ({glue:text}`theory_uncertainties_band_flow_log_low` to {glue:text}`theory_uncertainties_band_flow_log_high`). Where the density changes quickly with the condition, a network has to see that part of the range: *how $a$ is drawn is a choice that the result depends on*. At $a=0$, the end of the range, the spline that is told $\lambda$ makes {glue:text}`theory_uncertainties_far_spline_log_0` times the events of the far tail that there are ({glue:text}`theory_uncertainties_far_spline_log_0_low` to {glue:text}`theory_uncertainties_far_spline_log_0_high`). A spline for $a=0$ alone, whose events are reweighted, needs no condition, and its band has {glue:text}`theory_uncertainties_band_reweighted` times the true width ({glue:text}`theory_uncertainties_band_reweighted_low` to {glue:text}`theory_uncertainties_band_reweighted_high`). The networks of this page are small and see few events for a short time; larger ones that are trained for longer should resolve more of the range.
#
# For $a\geq1$ flow matching that is told $\lambda$ is off by {glue:text}`theory_uncertainties_percent_flow_log` % in the far tail ({glue:text}`theory_uncertainties_percent_flow_log_low` to {glue:text}`theory_uncertainties_percent_flow_log_high`), root mean square over the values of $a$, and the spline by {glue:text}`theory_uncertainties_percent_spline_log` %. The talk's precision of a per cent is out of reach for any generator of {glue:text}`theory_uncertainties_n_train` events that does not amplify: the reweighted training sample itself knows this probability, at $a=30$, to {glue:text}`theory_uncertainties_far_error` %. For one per cent it takes {glue:text}`theory_uncertainties_n_percent`$\cdot10^5$ events.
#
# (sec-theory-amplification)=
# ## Amplification for each $a$
#
# The true $\nequiv(a)$ comes from the deviations of the members' integrals from the exact ones of $p_a$. It is compared with the effective number of events in the reweighted training sample, $G(a)=\nequiv(a)/n_{\rm eff}(a)$. The black line in {numref}`fig-theory-amplification` is what the reweighted training events themselves have by this yardstick, in closed form: it is one only for $a=0$. A generator that is worth more than its training events lies above this line.

# %% mystnb={"figure": {"name": "fig-theory-amplification", "caption": "True $G(a)=n_{\\rm equiv}(a)/n_{\\rm eff}(a)$ of single members, geometric mean and 95 % interval over the training sets. Black line: the reweighted training events. The values of $a$ are equally spaced, and markers are shifted."}, "image": {"alt": "Three panels, regions of mass, regions of transverse momentum and its tail: G on a logarithmic axis against a for six ways of training, with error bars and a black line."}} tags=["hide-input"]


def worth(way, name, a):
    """True n_equiv of an ensemble's members over n_eff(a) of each training set, at most 1000."""
    each = np.array([found[way, a, k][name].n_equiv_true for k in range(sets)])
    return np.minimum(each / (n_train * truth.effective(a)), 1e3)


figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), sharey=True)
data = {}
for ax, name in zip(axes, REGIONS, strict=True):
    line = [truth.effective_in(MOMENTS[name], a) / truth.effective(a) for a in A]
    ax.plot(range(len(A)), line, color=plots.TRUE, lw=1, label="reweighted training events")
    data[f"{name} training events"] = line
    for shift, (way, (title, _, colour)) in enumerate(WAYS.items()):
        places = [i for i, a in enumerate(A) if (way, a, 0) in found]
        means, ends = zip(*[geometric_mean(worth(way, name, A[i])) for i in places], strict=True)
        data[f"{name} {way}"] = {"a": [A[i] for i in places], "G": means, "interval": ends}
        bars = np.abs(np.array(ends).T - np.array(means))
        x = np.array(places) + 0.1 * (shift - 2.5)
        marker = {"alone": "D", "reweighted": "s"}.get(way, "o")
        ax.errorbar(x, means, bars, fmt=marker, color=colour, ms=4, lw=1, label=title)
        for i, mean, interval in zip(places, means, ends, strict=True):
            if A[i] in SHOWN:
                page.record(f"G_{name}_{way}_{A[i]}", mean, interval, 0.95, digits=2)
    ax.set(yscale="log", title=TITLES[name], xlabel="$a$", xticks=range(len(A)), xticklabels=A)
axes[0].set(ylabel=r"$n_{\rm equiv}(a)/n_{\rm eff}(a)$", ylim=(0.001, 30))
plots.shared_legend(axes, columns=4)
page.figure(figure, "theory_amplification", data)

# %% tags=["hide-input"]
rows, holds = [], dict.fromkeys(WAYS, 0)
for name, a in product(REGIONS, (0, A_MAX)):
    for way, (title, *_) in WAYS.items():
        if (way, a, 0) not in found:
            continue
        results = [found[way, a, k][name] for k in range(sets)]
        true = worth(way, name, a)
        estimates = np.array([min(r.n_equiv, 1e6) for r in results]) / (n_train * truth.effective(a))
        inside = sum(r.n_equiv_interval.low <= r.n_equiv_true <= r.n_equiv_interval.high for r in results)
        own = true * truth.effective(a) / truth.effective_in(MOMENTS[name], a)
        rows.append([TITLES[name], a, title, words(*geometric_mean(true)), words(*geometric_mean(own))])
        together = [found[way, a, k]["mean"][name] / (n_train * truth.effective(a)) for k in range(sets)]
        rows[-1] += [words(*geometric_mean(together)), rounded(np.median(estimates), 2), f"{inside} of {sets}"]
        page.record(f"mean_{name}_{way}_{a}", *geometric_mean(together), 0.95, digits=2)
        if a:
            page.record(f"own_{name}_{way}", *geometric_mean(own), 0.95, digits=2)
        else:
            holds[way] += inside
    if a:
        for way in (*CONDITIONAL, "reweighted"):
            gain = worth(way, name, a) / worth("alone", name, a)
            page.record(f"carries_{name}_{way}", *geometric_mean(gain), 0.95, digits=2)
page.record("holds_told_a", holds["spline_a"] + holds["flow_a"])
page.record("holds_log", holds["spline_log"] + holds["flow_log"])
page.record("holds_alone", holds["alone"])
page.record("intervals", 2 * len(REGIONS) * sets)
page.record("intervals_alone", len(REGIONS) * sets)
columns = ["$G(a)$", r"$\nequiv$ over that of the training events", "$G(a)$ of the members' mean"]
columns += ["estimated $G(a)$, median", "hold"]
markdown_table(["question", "$a$", "generator", *columns], rows)

# %% [markdown]
# A member has weighed the training events by Poisson numbers of its own, which adds scatter; their mean is usually worth more. The last columns have the averaging estimate of $G(a)$ from the members' spread, and how many of its 68.3 % intervals hold the truth. At $a=0$ these are {glue:text}`theory_uncertainties_holds_told_a` of {glue:text}`theory_uncertainties_intervals` for the generators that are told $a$, {glue:text}`theory_uncertainties_holds_log` of {glue:text}`theory_uncertainties_intervals` for those that are told $\lambda$, and {glue:text}`theory_uncertainties_holds_alone` of {glue:text}`theory_uncertainties_intervals_alone` for the splines that are trained for this value alone. What all members have in common, such as a range of the condition that they have hardly seen, no spread reveals ({ref}`sec-known-averaging`).
#
# Does smoothness in $a$ carry over? Against the spline that was trained for $a=30$ alone, the one that is told $a$ is worth {glue:text}`theory_uncertainties_carries_pT_top_spline_a` times as many events in regions of $p_T$ ({glue:text}`theory_uncertainties_carries_pT_top_spline_a_low` to {glue:text}`theory_uncertainties_carries_pT_top_spline_a_high`), and {glue:text}`theory_uncertainties_carries_m_tt_spline_a` times in those of $m$ ({glue:text}`theory_uncertainties_carries_m_tt_spline_a_low` to {glue:text}`theory_uncertainties_carries_m_tt_spline_a_high`). There is no reason to expect more than one. The events are *the same* for all $a$, only their weights differ, and these are known: the values of $a$ next to 30 tell nothing about the events that the value 30 has not told. A condition saves trainings, it does not add information.
#
# What can carry over is the generator for $a=0$, which learns from events of equal weight. If it amplifies there, its events, with the known weights, could amplify everywhere. At $a=30$ these are worth {glue:text}`theory_uncertainties_own_m_tt_reweighted` times the reweighted training events in regions of $m$ ({glue:text}`theory_uncertainties_own_m_tt_reweighted_low` to {glue:text}`theory_uncertainties_own_m_tt_reweighted_high`), and {glue:text}`theory_uncertainties_own_tail_reweighted` times in the tail ({glue:text}`theory_uncertainties_own_tail_reweighted_low` to {glue:text}`theory_uncertainties_own_tail_reweighted_high`). There the weights ask about transverse momenta that hardly any training event has, and an error in the far tail moves $\sum w$, and with it all integrals.
#
# (sec-theory-samples)=
# ## Different events for different values
#
# It is another matter if there are *different events* for different values of the parameter: simulated samples at a few masses, say. Here each of five shares $f=0,\frac14,\frac12,\frac34,1$ has a fifth of the {glue:text}`theory_uncertainties_n_train` events, drawn from its $p_a$ and of equal weight. One spline is told $f$ and learns from all of them; another is trained for $f=\frac12$ alone, on its own events. The last row asks the first for a value that it has not seen, $f=\frac38$.

# %% tags=["hide-input"]
five, per_value = np.linspace(0, 1, 5), n_train // 5
each_way = {}
for k in range(sets):
    pool, rng = process.sample(n_truth, page.rng(50 + k)), page.rng(70 + k)
    order = rng.permutation(len(pool))
    plain, weighted = pool[order[: n_train * 2]], pool[order[n_train * 2 :]]
    weighted = weighted[accepted(truth.u(weighted), rng)]  # of the density u p / <u>
    heavy = [round(f * per_value) for f in five]
    ends = np.cumsum([0, *heavy]), np.cumsum([0, *(per_value - np.array(heavy))])
    if ends[0][-1] > len(weighted):
        raise ValueError("n_truth is too small for the events of all shares")
    samples = [
        np.concatenate([weighted[ends[0][i] : ends[0][i + 1]], plain[ends[1][i] : ends[1][i + 1]]]) for i in range(5)
    ]
    told = np.repeat(five, per_value)[:, None]
    together = train("samples/all", np.concatenate(samples), SPLINE, k, condition=told)
    alone = train("samples/one", samples[2], SPLINE, k)
    for key, ensemble, f, condition in (
        ("alone", alone, 0.5, None),
        ("together", together, 0.5, [0.5]),
        ("unseen", together, 0.375, [0.375]),
    ):
        made = [one.sample(n_gen, seed, condition) for one in ensemble.members]
        each_way[key, k] = measure(made, float(truth.parameter(f)))

rows = []
NAMES = {"alone": r"alone, $f=\frac12$", "together": r"together, $f=\frac12$", "unseen": r"together, $f=\frac38$"}
for key, title in NAMES.items():
    rows.append([title])
    for name in REGIONS:
        here, reference = (
            np.array([min(each_way[way, k][name].n_equiv_true, 1e6) for k in range(sets)]) for way in (key, "alone")
        )
        rows[-1].append(words(*geometric_mean(here / per_value)))
        page.record(f"samples_{key}_{name}", *geometric_mean(here / per_value), 0.95, digits=2)
        if key != "alone":
            page.record(f"gain_{key}_{name}", *geometric_mean(here / reference), 0.95, digits=2)
page.record("per_value", per_value)
markdown_table(["spline", *TITLES.values()], rows)

# %% [markdown]
# The table has $\nequiv$ over the {glue:text}`theory_uncertainties_per_value` events of one value. At $f=\frac12$ the common generator is worth {glue:text}`theory_uncertainties_gain_together_m_tt` times as much as the one of this value in regions of $m$ ({glue:text}`theory_uncertainties_gain_together_m_tt_low` to {glue:text}`theory_uncertainties_gain_together_m_tt_high`), {glue:text}`theory_uncertainties_gain_together_pT_top` times in those of $p_T$ ({glue:text}`theory_uncertainties_gain_together_pT_top_low` to {glue:text}`theory_uncertainties_gain_together_pT_top_high`) and {glue:text}`theory_uncertainties_gain_together_tail` times in the tail ({glue:text}`theory_uncertainties_gain_together_tail_low` to {glue:text}`theory_uncertainties_gain_together_tail_high`). Five would be the most that events at five values can be worth to one of them if it has to be learned from as many events. This is how one generator serves several values of a parameter, see {ref}`sec-your-parameters`.
#
# (sec-theory-z)=
# ## $Z$ bosons with one to three jets
#
# Now the weight {eq}`eq-theory-weight` as it is printed, for $Z\to\mu^+\mu^-$ with $n=1$ to 3 jets ({ref}`sec-z-jets`). One spline has two conditions, $a$ or $\lambda$ and $n$, and describes five numbers of an event: $p_T$ and $\eta$ of the leading jet, and $p_T$, rapidity and mass of the muon pair. The weights are normalised for each $a$ and $n$. The truth is the holdout, reweighted.

# %% tags=["hide-input"]
COLUMNS = ("pT(j1)", "eta(j1)", "pT(mumu)", "y(mumu)", "m(mumu)")
path = ROOT / event_file("z_jets", profile)


def table(n, sample):
    """The first events with n jets as rows of numbers, pT of the jet above its cut."""
    z = ZJets(n)
    momenta = z.load(sample, path).momenta[:n_z]
    rows = np.stack([z.observable(name)(momenta) for name in COLUMNS], axis=-1)
    rows[:, 0] -= z.cuts.pt_min
    return rows


PT_MIN = ZJets.cuts.pt_min
jets = (1, 2, 3)
z_train, z_true = ({n: table(n, which) for n in jets} for which in ("train", "holdout"))
for n, x in z_train.items():
    page.record(f"z_events_{n}", len(x))
    page.record(f"z_u_{n}", excess(x[:, 0] + PT_MIN).mean(), digits=2)
Z_TAIL = float(np.quantile(np.concatenate([excess(x[:, 0] + PT_MIN) for x in z_train.values()]), 0.99))
page.record("z_tail", Z_TAIL, digits=2)
fit = Fit(z_steps, 512, 3e-3, warmup=z_steps // 10, validate_every=max(1, z_steps // 10), patience=4, ema=0.99)
z_training = Training(
    Table(COLUMNS),
    sum(map(len, z_train.values())),
    Architecture("spline", 3, 1, 32, components=8),
    "bootstrap",
    members,
    seed,
    fit,
    conditions=2,
)
Z_WAYS = {"a": ("told $a$", lambda a: a), "log": (r"told $\lambda$", lambda a: np.log1p(a * Z_TAIL))}
z_generators, generated = {}, {}
for way, (_, coordinate) in Z_WAYS.items():
    rng, told, weights = page.rng(90), [], []
    for n, x in z_train.items():
        uniform = rng.uniform(0, coordinate(A_MAX), (len(x), draws))
        a = uniform if way == "a" else np.expm1(uniform) / Z_TAIL
        told.append(np.stack([uniform, np.full_like(a, n)], -1))
        weights.append(likelihood_weights(excess(x[:, 0] + PT_MIN), a))
    z_data = Data(np.concatenate(list(z_train.values())), np.concatenate(weights), np.concatenate(told))
    ensemble = train_or_load(z_training, z_data, parallel=members, chunk=n_z_gen, label=f"theory/z/{way}")
    page.count_training(ensemble.history.seconds, ensemble.history.device)
    z_generators[way] = ensemble
    for n, a in product(jets, A):
        generated[way, n, a] = [one.sample(n_z_gen, seed, [coordinate(a), n]) for one in ensemble.members]

# %% mystnb={"figure": {"name": "fig-theory-z", "caption": "The same for $Z$ bosons with jets, spline that is told $\\lambda$: transverse momentum of the leading jet in events with one, two and three jets, and of the muon pair in events with one jet. Dotted: reweighted holdout for 0 and 30. In the ratio to it there is a line for each member. Grey: statistical uncertainty of the holdout."}, "image": {"alt": "Four columns with falling spectra and a band that widens towards large transverse momenta; below, ratios to the holdout with grey bands for a of 0, 10 and 30."}} tags=["hide-input"]
Z_VIEWS = {
    "j1 of 1": (1, 0, "$n=1$: leading jet", np.array([20, 25, 30, 40, 55, 75, 100, 140, 200.0])),
    "j1 of 2": (2, 0, "$n=2$: leading jet", np.array([20, 30, 40, 55, 75, 100, 140, 200, 280.0])),
    "j1 of 3": (3, 0, "$n=3$: leading jet", np.array([20, 40, 60, 80, 110, 150, 210, 300.0])),
    "Z of 1": (1, 2, "$n=1$: muon pair", np.array([0, 15, 25, 35, 50, 70, 100, 140, 200.0])),
}


def histogram(x, column, edges, a):
    """Probabilities of bins of rows with weights w_a, and their squared errors by the delta method."""
    w = 1 + a * excess(x[:, 0] + PT_MIN)
    values = x[:, column] + (PT_MIN if column == 0 else 0)
    share, squares = (np.histogram(values, edges, weights=w**power)[0] / w.sum() ** power for power in (1, 2))
    return share, squares * (1 - 2 * share) + share**2 * (w**2).sum() / w.sum() ** 2


spectra, truths, ratios, errors, rows = {}, {}, {}, {}, []
for (view, (n, column, title, edges)), way in product(Z_VIEWS.items(), Z_WAYS):
    spectra[view], truths[view], ratios[view], errors[view] = {}, {}, {}, {}  # of the last way
    rows.append([title, Z_WAYS[way][0]])
    for a in A:
        made = np.array([histogram(x, column, edges, 0)[0] for x in generated[way, n, a]])
        spectra[view][a] = made.mean(0)
        if a not in SHOWN:
            continue
        true, variance = histogram(z_true[n], column, edges, a)
        truths[view][a] = true
        trained, of_training = histogram(z_train[n], column, edges, a)
        with np.errstate(divide="ignore", invalid="ignore"):  # bins that are empty in the smallest profile
            ratios[view][a], errors[view][a] = made / true, np.sqrt(variance) / true
        noise, filled = made.mean(0) / (n_z_gen * len(made)), (true > 0) & (trained > 0)
        chi2 = ((made.mean(0) - true) ** 2 / (variance + noise))[filled].mean()
        between = ((trained - true)[filled] ** 2 / (variance + of_training)[filled]).mean()
        rows[-1].append(f"{chi2:.1f} ({between:.1f})")
        page.record(f"chi2_{view.replace(' ', '_')}_{way}_{a}", chi2, digits=2)
figure = spectra_and_ratios(
    {view: title for view, (_, _, title, _) in Z_VIEWS.items()},
    {view: edges for view, (*_, edges) in Z_VIEWS.items()},
    dict.fromkeys(Z_VIEWS, "$p_T$ [GeV]"),
    spectra,
    truths,
    ratios,
    errors,
)
page.figure(figure, "theory_z", {"spectra": spectra, "ratios": ratios, "errors": errors})

# %% tags=["hide-input"]
markdown_table(["$\\chi^2$ per bin", "spline", *(f"$a={a}$" for a in SHOWN)], rows)

# %% [markdown]
# $\chi^2$ per bin of the members' mean is against the holdout with the holdout's errors, in brackets that of the reweighted training sample, with the errors of both. With one jet $\langle u\rangle$ is only {glue:text}`theory_uncertainties_z_u_1`, with three it is {glue:text}`theory_uncertainties_z_u_3`, but $u_{99}$ is {glue:text}`theory_uncertainties_z_tail`, and tails are what the weight is about. At $a=0$ the leading jet of one has a $\chi^2$ per bin of {glue:text}`theory_uncertainties_chi2_j1_of_1_a_0` if the spline is told $a$, and of {glue:text}`theory_uncertainties_chi2_j1_of_1_log_0` if it is told $\lambda$; at $a=30$ of {glue:text}`theory_uncertainties_chi2_j1_of_1_a_30` and {glue:text}`theory_uncertainties_chi2_j1_of_1_log_30`. {numref}`fig-theory-z` shows the second. A tail to a per cent would take $10^4$ *effective* events in the tail, in training and in the holdout.

# %% tags=["nbval-check-output", "hide-input"]
print(
    "the exact density is normalised, in two orders of integration:",
    max(abs(everywhere[0] - 1), abs(truth.total[0] - 1)) < 1e-5,
)
print("<u> by quadrature is that of events, within 4 errors:", abs(u_mean - truth.total[1]) < 4 * u_error)
print(
    "weights have a mean of one for each a:",
    np.allclose(likelihood_weights(u, np.full((n_train, 2), [3.0, 30.0])).mean(0), 1),
)
print("each generator has all members:", left_out == 0 and all(len(one) == members for one in z_generators.values()))

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-theory-line
# Two generators, for $p$ and for $u\,p/\langle u\rangle$, are enough for all $a$. How does one generate events for a given $a$ from them, and with which variance of an integral, if the two are independent with variances $\sigma_0^2$ and $\sigma_1^2$?
# ```
#
# ````{solution} ex-theory-line
# :class: dropdown
# Each event comes from the second generator with probability $f(a)$, else from the first: that is the mixture {eq}`eq-theory-share`. The integral is $(1-f)I_0+f I_1$ with variance $(1-f)^2\sigma_0^2+f^2\sigma_1^2$. Generators that were trained on the same events are not independent, and a fluctuation of the events that both have learned adds coherently. No network has to learn how the density depends on $a$.
# ````
#
# ```{exercise}
# :label: ex-theory-effective
# Derive the effective number of events {eq}`eq-theory-effective`. What is its limit for $a\to\infty$, and which number of events takes its place in a region so small that all its events have the weight $w_V$?
# ```
#
# ````{solution} ex-theory-effective
# :class: dropdown
# $\langle w_a^2\rangle/\langle w_a\rangle^2=1+a^2\,{\rm Var}(u)/(1+a\langle u\rangle)^2=1+f^2\,{\rm Var}(u)/\langle u\rangle^2$. For $a\to\infty$ the share is one, and $n_{\rm eff}\to\ntrain\langle u\rangle^2/\langle u^2\rangle$. In the small region the integral is $I=w_V P/\langle w_a\rangle$ with variance $w_V^2P/(\ntrain\langle w_a\rangle^2)=I\,w_V/(\ntrain\langle w_a\rangle)$: as many events as $\ntrain\langle w_a\rangle/w_V$ would have it. Below the average weight this is more than $\ntrain$.
# ````
#
# ```{exercise}
# :label: ex-theory-coordinate
# Why would the share $f$ be a worse coordinate for a network than $\lambda$, although the densities are linear in it?
# ```
#
# ````{solution} ex-theory-coordinate
# :class: dropdown
# Generators learn $\ln p$. With the share it is $\ln p+\ln(1-f+f\,u/\langle u\rangle)$, whose slope at $f=0$ is $u/\langle u\rangle-1$. In the tail that is large: for $u=u_{99}$ the density has doubled at $f=1/(u_{99}/\langle u\rangle-1)$, within which lies only a small part of the range from 0 to 1. In $\lambda$ the logarithm of an event's weight has a slope of at most one wherever $u\leq u_{99}$.
# ````
#
# ```{exercise}
# :label: ex-theory-normalise
# What does the conditional density become if the loss is weighed by $w_a$ instead of $w_a/\langle w_a\rangle$?
# ```
#
# ````{solution} ex-theory-normalise
# :class: dropdown
# The same, if the network is large enough and trained for long enough: for each $a$ the loss is multiplied by $\langle w_a\rangle$, which does not move its minimum. But a network of finite size that is trained for finitely many steps makes compromises between values of $a$, and $\langle w_a\rangle=1+a\langle u\rangle$ decides in favour of the large ones.
# ````
