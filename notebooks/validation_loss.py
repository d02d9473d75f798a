# %% [markdown]
# (sec-validation-loss)=
# # What does a validation loss tell?
#
# Most generators come with one number: the loss on events that were held back. Where the loss is $-\log\pgen$ per event, it is on average
#
# $$ L = \big\langle -\log\pgen\big\rangle_{\rm true} = H + {\rm KL}, \qquad {\rm KL} = \Big\langle \log\frac{\ptrue}{\pgen}\Big\rangle_{\rm true} , $$
#
# the entropy $H$ of the truth, which no generator can change, and the Kullback-Leibler divergence. Does KL tell how many true events the generator is worth? Up to a factor it does. That factor is bounded on one side only; how much does it vary among the generators of this book?

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from collections import defaultdict
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown
from scipy import optimize, stats

from gampl import plots
from gampl.kolmogorov import MEAN, worth
from gampl.processes import GaussianRing
from gampl.training import LeadingOrder
from gampl_book import event_ensembles, event_studies, ring_ensembles, studies
from gampl_book.divergences import (
    apart,
    between,
    bound,
    entropy_of_curve,
    gaussian_law,
    heavy_tails,
    scaled,
    two_parts,
)
from gampl_book.pages import Page, markdown_table, rounded
from gampl_book.ring_comparisons import in_bulk

page = Page("validation_loss", profile, seed)
CALLED = {
    "bayesian": "Bayesian network",
    "same_split": "deep, one split",
    "deep": "deep, a split each",
    "independent": "independent training sets",
}  # as on the page on members
n_events, n_flow, members, fits, n_fit, n_validation = page.settings.values()
for name, value in page.settings.items():
    page.record(name, value)

# %% [markdown]
# (sec-kl-law)=
# ## From divergence to distance
#
# The Kolmogorov-Smirnov distance in the exact likelihood ratio is the total variation ({ref}`sec-known-differential`), and with $r=\pgen/\ptrue$, whose mean over true events is one as long as no events are generated where truth has none,
#
# $$ D_{\rm LR} = \tfrac12\big\langle |r-1|\big\rangle_{\rm true}, \qquad {\rm KL} = \big\langle r-1-\log r\big\rangle_{\rm true}, \qquad n_{\rm equiv} = \big(\langle K\rangle/D_{\rm LR}\big)^2 , $$
#
# with the mean $\langle K\rangle$ of {eq}`eq-kolmogorov`. Let the generator be nearly right, $r = 1+h$ with a small $h$ of mean zero. Then $\log r = h - h^2/2 + \ldots$, so that ${\rm KL} = \langle h^2\rangle/2$ and $D_{\rm LR} = \langle|h|\rangle/2$:
#
# ```{math}
# :label: eq-kl-law
# D_{\rm LR} = c\,\sqrt{{\rm KL}/2}, \qquad n_{\rm equiv} = \frac{2\langle K\rangle^2}{c^2\,{\rm KL}}, \qquad c = \frac{\langle |h|\rangle}{\sqrt{\langle h^2\rangle}} .
# ```
#
# Here $2\langle K\rangle^2=$ {glue:text}`validation_loss_two_K2`. KL is a mean square and $D$ a mean modulus. All that is left of the generator is $c$, which depends on the shape of the distribution of $h$ over true events and not on its size.
#
# - *Never more than one.* The mean modulus is at most the root of the mean square. *Pinsker's inequality* $D\leq\sqrt{{\rm KL}/2}$ says so without any expansion, and $D\leq\sqrt{1-e^{-{\rm KL}}}$ (Bretagnolle and Huber) is the stronger of the two for a large KL {cite}`tsybakov`. The value one is reached by a step: one half of the events is too frequent, the other too rare, all by the same fraction.
# - *$\sqrt{2/\pi}=$ {glue:text}`validation_loss_c_gauss` if $h$ is Gaussian*. The log ratio $\log(\ptrue/\pgen)$ then is normal with variance $2\,{\rm KL}$, and its mean is $+{\rm KL}$ for true and $-{\rm KL}$ for generated events, so that
#
#   $$ D_{\rm LR} = 2\,\Phi\big(\sqrt{{\rm KL}/2}\big)-1 , $$
#
#   exactly so for a shifted Gaussian. The central limit theorem leads there if $h$ is a sum of many small independent contributions.
# - *Less for errors that differ from place to place.* Over training sets, let $h(x)$ scatter normally around zero with a standard deviation $\sigma(x)$, as it does for an efficient fit. Then $\langle D_{\rm LR}\rangle = \tfrac12\sqrt{2/\pi}\,\langle\sigma\rangle$ and $\langle{\rm KL}\rangle=\tfrac12\langle\sigma^2\rangle$, so that these two averages have $c=\sqrt{2/\pi}\,\langle\sigma\rangle/\sqrt{\langle\sigma^2\rangle}\leq\sqrt{2/\pi}$: the more unequal the errors, the smaller $c$.
# - *No lower bound.* Errors in a rare region can have any KL at as small a distance as one likes.
#
# Pinsker's inequality becomes a guarantee. No summary has a distance that exceeds the total variation, so
#
# ```{math}
# :label: eq-kl-pinsker
# n_{\rm equiv} \;\geq\; \frac{2\langle K\rangle^2}{\rm KL} \qquad\text{in every summary, always.}
# ```
#
# The law {eq}`eq-kl-law` says how much more. An earlier estimate from this book's own rings, $D_{\rm LR}\approx0.63\sqrt{{\rm KL}/2}$ and $n_{\rm equiv}\approx4/{\rm KL}$, corresponds to $c=0.63$.

# %% tags=["hide-input"]
GAUSS, TWO_K2 = np.sqrt(2 / np.pi), 2 * MEAN**2
page.record("two_K2", TWO_K2)
page.record("c_gauss", GAUSS)


# %% [markdown]
# ## Where it holds and where it fails
#
# The cases of the table have densities that can be integrated; each is tuned to $D_{\rm LR}=$ {glue:text}`validation_loss_tuned`, so that all rows are worth the same number of events. The last columns have the $n_{\rm equiv}$ that {eq}`eq-kl-law` with $c=\sqrt{2/\pi}$ makes of KL, and of the *reverse* KL, $\langle\log(\pgen/\ptrue)\rangle_{\rm gen}$, divided by the right number. In the limit of small $h$ the two divergences are equal. Pinsker's bound holds for both.

# %% tags=["hide-input"]
TUNED = 0.05
page.record("tuned", TUNED, digits=1)


def tuned(case, low, high):
    """A case at the parameter that gives it the distance."""
    return case(optimize.brentq(lambda x: case(x)[0] - TUNED, low, high))


CASES = {
    "shift": ("Gaussian, shifted", lambda d: (2 * stats.norm.cdf(d / 2) - 1, d**2 / 2, d**2 / 2), 1e-4, 4.0),
    "scale": ("Gaussian, too wide", scaled, 1 + 1e-5, 20.0),
    "narrow": ("Gaussian, too narrow", lambda s: scaled(1 / s), 1 + 1e-5, 20.0),
    "many": ("64 Gaussians, too wide", lambda s: scaled(s, 64), 1 + 1e-5, 2.0),
    "step": ("one half of the events, too rare", lambda e: two_parts(0.5, 0.5 - e), 1e-4, 0.4999),
    "rare": (
        "6 % of the events, rarer by a factor $e^{-u}$",
        lambda u: two_parts(0.06, 0.06 * np.exp(-u)),
        1e-3,
        40.0,
    ),
    "tail": ("Student's $t$ has tails, the Gaussian none", heavy_tails, 2.02, 60.0),
    "surplus": ("generated where there is no truth", lambda e: two_parts(0.0, e), 1e-4, 0.9),
    "dropped": ("not generated where there is truth", lambda e: two_parts(e, 0.0), 1e-4, 0.9),
}
rows, found = [], {}
for name, (title, case, low, high) in CASES.items():
    distance, kl, reverse = found[name] = tuned(case, low, high)
    ratios = [TWO_K2 / (GAUSS**2 * k) / worth(distance) for k in (kl, reverse)]
    page.record(f"c_{name}", distance / np.sqrt(kl / 2))
    page.record(f"law_{name}", ratios[0])
    rows.append(
        [title, *(rounded(k) for k in (kl, reverse)), rounded(distance / np.sqrt(kl / 2)), *map(rounded, ratios)]
    )
header = ["generator", "KL", "reverse KL", "$c$", "law / true", "law with reverse KL / true"]
markdown_table(header, rows)

# %% [markdown]
# A smooth, moderate error everywhere has $c$ between $0.6$ and one. The law fails where $h$ is not small. Mostly these are true events that the generator hardly makes: KL then counts the logarithm of how rare they are, the distance only their share. A *missing* region has an infinite KL, however few events it has, and a reverse KL of about $D$ itself, which is not a square; where there is *no truth*, the two change places. All these failures have one direction: the law, with $c$ of a smooth error, promises *fewer* events than the generator is worth in the likelihood ratio. It can promise too many by a factor $\pi/2$ at most, where $c$ is one and not $\sqrt{2/\pi}$.

# %% [markdown]
# (sec-kl-fits)=
# ## Fits: the number of parameters decides
#
# An efficient fit of $d$ parameters to many events has $2\,\ntrain{\rm KL}\sim\chi^2_d$, as in Wilks' theorem {cite}`wilks`, with mean $d$. With {eq}`eq-kl-law`
#
# ```{math}
# :label: eq-kl-parameters
# \Big\langle\frac1{G_{\rm LR}}\Big\rangle = \frac{c^2\,d}{4\langle K\rangle^2}, \qquad G_{\rm LR}>1 \;\text{ for }\; d \lesssim \frac{4\langle K\rangle^2}{c^2} .
# ```
#
# In the likelihood ratio a fit amplifies on average if it has fewer than about {glue:text}`validation_loss_d_gauss` parameters for $c=\sqrt{2/\pi}$. Read backwards, $d_{\rm eff}=2\,\ntrain{\rm KL}$ is the number of parameters of an efficient fit that would be as far from the truth as the generator is. The table tests {eq}`eq-kl-parameters` with {glue:text}`validation_loss_fits` fits of Gaussians to {glue:text}`validation_loss_n_fit` events each. (With few parameters $D$ scatters from fit to fit, so that $\langle D\rangle/\sqrt{\langle{\rm KL}\rangle/2}$ is smaller than the $c$ of each.)

# %% tags=["hide-input"]
page.record("d_gauss", 2 * TWO_K2 / GAUSS**2, digits=2)


def fitted(dimensions, widths, rng):
    """Distances and KL of fits of independent Gaussians, (fits,) each; the distance with 4000 true events."""
    z, n = rng.normal(size=(4_000, dimensions)), n_fit
    mean, s2 = rng.normal(size=(fits, dimensions)) / np.sqrt(n), np.ones((fits, dimensions))
    if widths:
        s2 = rng.chisquare(n - 1, size=s2.shape) / n
    kl = 0.5 * (np.log(s2) + (1 + mean**2) / s2 - 1).sum(axis=1)
    log_r = z @ (mean / s2).T + 0.5 * z**2 @ (1 - 1 / s2).T - 0.5 * (np.log(s2) + mean**2 / s2).sum(axis=1)
    return 0.5 * np.abs(np.expm1(log_r)).mean(axis=0), kl


def mean_of(values):
    """Mean and its 95 % interval from the scatter of independent values."""
    mean, error = np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values))
    return mean, (mean + stats.t.ppf([0.025, 0.975], len(values) - 1) * error).tolist()


def words(mean, interval):
    return f"{rounded(mean)} ({rounded(interval[0])} to {rounded(interval[1])})"


rows, of_fits = [], {}
for stream, (dimensions, widths) in enumerate([(1, False), (1, True), (5, False), (10, True), (50, True)]):
    distance, kl = fitted(dimensions, widths, page.rng(10 + stream))
    d = dimensions * (1 + widths)
    of_fits[d] = distance, kl
    wilks, inverse = mean_of(2 * n_fit * kl / d), mean_of((distance / MEAN) ** 2 * n_fit)
    c = distance.mean() / np.sqrt(kl.mean() / 2)
    page.record(f"wilks_{d}", *wilks, 0.95)
    page.record(f"inverse_G_{d}", *inverse, 0.95)
    page.record(f"c_fit_{d}", c)
    what = "mean and width" if widths else "mean"
    rows.append(
        [f"{what}, {dimensions}D", d, words(*wilks), rounded(c), words(*inverse), rounded(GAUSS**2 * d / (2 * TWO_K2))]
    )
head = [
    "fitted",
    "$d$",
    r"$2\,n_\mathrm{train}\mathrm{KL}/d$",
    r"$\langle D\rangle/\sqrt{\langle\mathrm{KL}\rangle/2}$",
]
markdown_table([*head, r"$\langle 1/G_\mathrm{LR}\rangle$", r"law, $c=\sqrt{2/\pi}$"], rows)

# %% [markdown]
# (sec-kl-networks)=
# ## Networks with known truth
#
# Next come the generators of the book whose density is explicit or can be integrated, on the processes whose density is known: ensembles on the {ref}`leading-order process <sec-leading-order>`, and all posteriors of the {ref}`rings <sec-rings>`. Nothing is trained here. $D$ and KL are averages over {glue:text}`validation_loss_n_events` fresh true events ({glue:text}`validation_loss_n_flow` for flow matching), which are nobody's training data.


# %% tags=["hide-input"]
class Found:
    """Members of one ensemble at true events."""

    def __init__(self, group, n_train, log_r):
        self.group, self.n_train, self.log_r = group, n_train, log_r  # (members, events)
        self.h, (self.distance, self.kl, self.reverse) = np.expm1(log_r), apart(log_r)
        self.c, self.terms = self.distance / np.sqrt(self.kl / 2), self.h - log_r


process = event_ensembles.leading_order_process(LeadingOrder())
x = process.sample(n_events, page.rng(1))
log_true, FOUND, normalised = process.log_prob(x), [], []
compared = event_studies.compared(profile, "").rpartition("/")[0]
there = event_ensembles.available(profile, seed)
for name, training in event_studies.ensembles(profile, seed).items():
    if not name.startswith(("leading_order", compared)) or name not in there or name.endswith("/bootstrap"):  # in both
        continue
    kind, posterior = training.architecture.kind, training.posterior
    n = n_flow if kind == "transformer" else n_events
    good = event_ensembles.ensemble(name, profile, seed).members
    log_r = np.array([one.log_prob(x[:n]) for one in good]) - log_true[:n]
    group = event_studies.TITLES[kind] if name.startswith("leading") else f"{event_studies.TITLES[kind]}, {posterior}"
    FOUND.append(Found((r"$t\bar t$, LO", group), training.n_train, log_r))
    for one in good:
        page.count_training(one.history.seconds, one.history.device)
POSTERIORS = [*studies.posteriors_of(profile), "independent"]
for name, training in studies.trainings(profile, seed).items():
    ring, _, rest = name.partition("/")
    posterior = rest.partition("/")[0]
    if posterior not in POSTERIORS:
        continue
    truth, posterior_of = GaussianRing(dim := training.process.dim), ring_ensembles.train_or_load(training)
    events = truth.sample(n_events, page.rng(100 + dim))
    chosen = range(min(members, len(posterior_of)))
    log_r = np.array([posterior_of.log_prob(events, k) for k in chosen]) - truth.log_prob(events)
    FOUND.append(one := Found((f"{dim}D ring", posterior), training.n_train, log_r))
    within = one.h[:, in_bulk(events)]  # of the bulk alone, as in section 4.2 of the paper
    within = (1 + within) / (1 + within).mean(axis=1, keepdims=True) - 1
    one.c_bulk = 0.5 * np.abs(within).mean(axis=1) / np.sqrt(one.kl / 2)
    page.count_training(posterior_of.history.seconds, posterior_of.history.device)
GROUPS = defaultdict(list)
for one in FOUND:
    GROUPS[*one.group, one.n_train].append(one)
    normalised += list(one.h.mean(axis=1) / (one.h.std(axis=1) / np.sqrt(one.h.shape[1])))
page.record("generators", sum(len(one.c) for one in FOUND))
page.record("normalised", np.abs(normalised).max(), digits=2)

# %% mystnb={"figure": {"name": "fig-kl-law", "caption": "Left: distance in the likelihood ratio against Kullback-Leibler divergence. Shaded: excluded by Pinsker's inequality and that of Bretagnolle and Huber. Black: Gaussian log ratio. Dashed, dash-dotted and dotted curves: analytic cases. Crosses: fits with few and many parameters, means over fits. Other markers: one generator each, on the leading-order process (LO) and on the rings. Right: the same, divided by the square root of KL / 2; the dotted horizontal line is the earlier estimate of 0.63."}, "image": {"alt": "Two panels against KL on a logarithmic axis. Left, distances rise like a square root along the black line, below a shaded area. Right, the quotient c: the shaded area above one, the curve of the Gaussian value, a dotted line at the earlier estimate, clusters of markers mostly between the two, and curves of rare regions and of regions without truth that fall away."}} tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5.2))
kl = np.geomspace(1e-4, 3, 200)
left.fill_between(kl, bound(kl), 1, color="0.9", lw=0)
left.plot(kl, bound(kl), color="0.4", lw=1, label="bound")
left.plot(kl, gaussian_law(kl), color=plots.TRUE, lw=1.6, label="Gaussian log ratio")
right.plot(kl, gaussian_law(kl) / np.sqrt(kl / 2), color=plots.TRUE, lw=1.6)
right.fill_between(kl, bound(kl) / np.sqrt(kl / 2), 1.1, color="0.9", lw=0)
right.axhline(0.63, color="0.4", lw=1, ls=":")
data = {"KL": kl, "bound": bound(kl), "Gaussian": gaussian_law(kl)}
LINES = {
    "scale": ("too wide", [scaled(s) for s in np.geomspace(1.015, 8, 60)], (0, (8, 2))),
    "rare": ("6 % too rare", [two_parts(0.06, 0.06 * np.exp(-u)) for u in np.geomspace(0.06, 40, 60)], "--"),
    "surplus": ("no truth there", [two_parts(0.0, e) for e in np.geomspace(1e-4, 0.9, 60)], "-."),
    "tail": ("missing tails", [heavy_tails(f) for f in np.geomspace(2.02, 60, 40)], (0, (1, 1))),
}
for i, (name, (title, points, style)) in enumerate(LINES.items()):
    d, k, _ = np.array(points).T
    for ax, values in ((left, d), (right, d / np.sqrt(k / 2))):
        ax.plot(
            k, values, ls=style, lw=1.1, color=("0.35", plots.MODEL, plots.OTHERS[2], plots.OTHERS[0])[i], label=title
        )
    data |= {f"{name} KL": k, f"{name} D": d}
MARKS = {
    "transformer": ("LO, transformer", "o", plots.GENERATORS["transformer"]),
    "autoregressive": ("LO, autoregressive", "s", plots.GENERATORS["autoregressive"]),
    "spline": ("LO, spline flow", "^", plots.GENERATORS["spline"]),
    "2D": ("2D ring", "v", plots.STAT),
    "4D": ("4D ring", "D", "0.45"),
}
several = {d: np.array([np.mean(part) for part in (distance, kl)]) for d, (distance, kl) in of_fits.items()}
points = {"fits": ("fits, mean", "x", "0.1", *np.array(list(several.values())).T)}
for key, (title, marker, colour) in MARKS.items():
    here = [f for f in FOUND if f.group[0].startswith(key) or (r"t\bar t" in f.group[0] and f.group[1].startswith(key))]
    points[key] = title, marker, colour, *(np.concatenate([getattr(f, a) for f in here]) for a in ("distance", "kl"))
for key, (title, marker, colour, d, k) in points.items():
    for ax, values in ((left, d), (right, d / np.sqrt(k / 2))):
        ax.plot(
            k,
            values,
            marker,
            ms=5 if key == "fits" else 3.5,
            color=colour,
            alpha=0.8,
            mew=0.6 if key != "fits" else 1.5,
            label=title,
        )
    data |= {f"{key} KL": k, f"{key} D": d}
left.set(xscale="log", yscale="log", xlim=(1e-4, 3), ylim=(1e-3, 1), xlabel="KL", ylabel=r"$D_\mathrm{LR}$")
right.set(xscale="log", xlim=(1e-4, 3), ylim=(0, 1.1), xlabel="KL", ylabel=r"$c = D_\mathrm{LR}/\sqrt{\mathrm{KL}/2}$")
plots.shared_legend([left, right], columns=6)
page.figure(figure, "kl_law", data)


# %% tags=["hide-input"]
def over_sets(several, number):
    """Mean of a number over training sets, with its 95 % interval; no interval for a single set."""
    independent = len(several) == 1 and "independent" in several[0].group[1]  # then each member has one of its own
    values = number(several[0]) if independent else [np.mean(number(one)) for one in several]
    return mean_of(values) if len(values) > 1 else (float(values[0]), None)


def called(who):
    """A generator with its posterior, in words."""
    generator, comma, posterior = who.rpartition(", ")
    return f"{generator}{comma}{CALLED.get(posterior, posterior)}"


rows, every = [], np.concatenate([one.c for one in FOUND])
for (where, who, n_train), several in GROUPS.items():
    c = over_sets(several, lambda one: one.c)
    d, k = (np.mean([getattr(one, a).mean() for one in several]) for a in ("distance", "kl"))
    shown = words(*c) if c[1] else f"{rounded(c[0])}"
    G = [rounded(value / n_train, 2) for value in (TWO_K2 / k, TWO_K2 / (GAUSS**2 * k), worth(d))]
    reverse = np.mean([one.reverse.mean() for one in several]) / k
    rows.append(
        [where, called(who), n_train, rounded(k, 2), rounded(reverse, 2), shown, rounded(2 * n_train * k, 2), *G]
    )
head = ["process", "generator", r"$n_\mathrm{train}$", "KL", "reverse / KL", "$c$ (95 %)", r"$d_\mathrm{eff}$"]
markdown_table([*head, r"$G_\mathrm{LR}$ at least", "law", "true"], rows)

# %% tags=["hide-input"]
SETS = {"ring2d": "2D ring", "ring4d": "4D ring"}
for name, where in SETS.items():
    by_set = [[one for one in FOUND if one.group[0] == where and one.group[1] == kind] for kind in POSTERIORS]
    sets = [[one for one in column if one] for column in zip(*(kind for kind in by_set if kind), strict=True)]
    for what, number in (
        ("c", lambda f: f.c),
        ("bulk", lambda f: f.c_bulk),
        ("product", lambda f: MEAN**2 / f.distance**2 * f.kl),
    ):
        page.record(f"{what}_{name}", *mean_of([np.mean([number(one).mean() for one in s]) for s in sets]), 0.95)
independent = next(one for one in FOUND if one.group[0].startswith("$t") and "independent" in one.group[1])
page.record("c_independent", *mean_of(independent.c), 0.95)
page.record("product_independent", *mean_of(MEAN**2 / independent.distance**2 * independent.kl), 0.95)
page.record("c_least", every.min(), digits=2)
page.record("c_most", every.max(), digits=2)
page.record("c_median", np.median(every), digits=2)
of_all = np.concatenate([one.kl for one in FOUND])
page.record("kl_span", of_all.max() / of_all.min(), digits=2)
splines = [one for one in FOUND if one.group == (r"$t\bar t$, LO", "spline flow")][-1]
largest = [np.argsort(t)[-max(1, n_events // 1000) :] for t in splines.terms]
rare = [t[those].sum() / t.sum() for t, those in zip(splines.terms, largest, strict=True)]
masses = process.observables["m_tt"](x)
at_threshold = [np.mean(masses[those] < np.quantile(masses, 0.01)) for those in largest]
page.record("rare_share", 100 * np.mean(rare), digits=2)
page.record("rare_threshold", 100 * np.mean(at_threshold), digits=2)
page.record("d_eff_least", min(2 * one.n_train * one.kl.min() for one in FOUND), digits=2)
page.record("G_most", max(worth(one.distance.min()) / one.n_train for one in FOUND), digits=2)
page.record("pinsker", min((worth(d) * k / TWO_K2) for one in FOUND for d, k in zip(one.distance, one.kl, strict=True)))

# %% [markdown]
# The {glue:text}`validation_loss_generators` generators have values of $c$ from {glue:text}`validation_loss_c_least` to {glue:text}`validation_loss_c_most`, with a median of {glue:text}`validation_loss_c_median`, while their KL spans a factor {glue:text}`validation_loss_kl_span`. Over independent training sets, with 95 % intervals:
#
# | | $c$ | $n_{\rm equiv}\,{\rm KL}$ |
# | --- | --- | --- |
# | 2D ring, all posteriors | {glue:text}`validation_loss_c_ring2d` ({glue:text}`validation_loss_c_ring2d_low` to {glue:text}`validation_loss_c_ring2d_high`) | {glue:text}`validation_loss_product_ring2d` ({glue:text}`validation_loss_product_ring2d_low` to {glue:text}`validation_loss_product_ring2d_high`) |
# | 4D ring, all posteriors | {glue:text}`validation_loss_c_ring4d` ({glue:text}`validation_loss_c_ring4d_low` to {glue:text}`validation_loss_c_ring4d_high`) | {glue:text}`validation_loss_product_ring4d` ({glue:text}`validation_loss_product_ring4d_low` to {glue:text}`validation_loss_product_ring4d_high`) |
# | leading order, spline flow | {glue:text}`validation_loss_c_independent` ({glue:text}`validation_loss_c_independent_low` to {glue:text}`validation_loss_c_independent_high`) | {glue:text}`validation_loss_product_independent` ({glue:text}`validation_loss_product_independent_low` to {glue:text}`validation_loss_product_independent_high`) |
#
# As a check, the mean of $r$ differs from one by at most {glue:text}`validation_loss_normalised` standard errors, the largest of all; generators of one process share the true events and deviate together. The product in the table, a mean over members, would be {glue:text}`validation_loss_two_K2` for $c=1$. In effective parameters the best generator has {glue:text}`validation_loss_d_eff_least`, and the largest $G_{\rm LR}$ of all is {glue:text}`validation_loss_G_most`. By {eq}`eq-kl-parameters` amplification in the likelihood ratio takes a generator that knows its truth up to a handful of parameters. A summary, or a region, sees only few of the directions in which a generator errs, and there it can be worth much more.

# %% tags=["hide-input"]
earlier = [
    f"{title}"
    for name, title in {**SETS, "independent": "leading order"}.items()
    if not (
        page.recorded["numbers"][f"c_{name}"]["interval"][0]
        <= 0.63
        <= page.recorded["numbers"][f"c_{name}"]["interval"][1]
    )
]
below = [
    title
    for name, title in {**SETS, "independent": "leading order"}.items()
    if (page.recorded["numbers"][f"c_{name}"]["interval"][1] < GAUSS)
]
Markdown(
    f"The earlier estimate of 0.63 is outside of the 95 % interval for: {', '.join(earlier) or 'none'}. "
    f"Below the Gaussian value, as normal errors of unequal size have it: {', '.join(below) or 'none'}."
)

# %% [markdown]
# Where may 0.63 come from? Section 4.2 of the paper compares events of the bulk, regions 2 to 19 of the radius. The distance *within the bulk*, divided by the root of half of the *whole* KL, is {glue:text}`validation_loss_bulk_ring2d` ({glue:text}`validation_loss_bulk_ring2d_low` to {glue:text}`validation_loss_bulk_ring2d_high`) for the 2D ring and {glue:text}`validation_loss_bulk_ring4d` ({glue:text}`validation_loss_bulk_ring4d_low` to {glue:text}`validation_loss_bulk_ring4d_high`) for the 4D ring: the tails, which were cut away, have their share of KL.
#
# A small $c$ is a sign of rare, large errors. Of the spline flow with the most training events, one true event in a thousand makes up {glue:text}`validation_loss_rare_share` % of KL. Of these events {glue:text}`validation_loss_rare_threshold` % are among the one per cent next to the threshold, where the true density begins like a root.

# %% [markdown]
# (sec-kl-regions)=
# ## Regions
#
# For averaging, information can only be lost: the divergence of the two probabilities "inside" and "outside" of a region is at most KL (the *data-processing inequality*). For an error $\Delta I$ that is small compared to $I$ and $1-I$ it is $\Delta I^2/(2I(1-I))$, so that in *every such region, however rare*, the generator is worth at least about
#
# $$ n_{\rm equiv} = \frac{I(1-I)}{\Delta I^2} \;\gtrsim\; \frac{1}{2\,{\rm KL}} . $$
#
# The table shows which share of the bound is used by ten intervals of equal probability in each observable and by the tail of {glue:text}`validation_loss_tail_percent` % of largest mass. Only generators with explicit densities are shown, and what the finite number of true events contributes is not subtracted.

# %% tags=["hide-input"]
page.record("tail_percent", 2, digits=1)
rows, shares = [], []
for one in FOUND:
    if not one.group[0].startswith("$t") or one.group[1] not in ("spline flow", "autoregressive"):
        continue
    used = []
    for observable in process.observables.values():
        values = observable(x)
        edges = [*np.linspace(0, 1, 11)]
        inside = np.digitize(values, np.quantile(values, edges[1:-1]))
        used += [(one.h[:, inside == k].sum(axis=1) / n_events) ** 2 / (2 * 0.1 * 0.9 * one.kl) for k in range(10)]
    tail = process.observables["m_tt"](x) > np.quantile(process.observables["m_tt"](x), 0.98)
    used.append((one.h[:, tail].sum(axis=1) / n_events) ** 2 / (2 * 0.02 * 0.98 * one.kl))
    shares.append(np.array(used))
    rows.append(
        [one.group[1], one.n_train, *(f"{value:.1g}" for value in (np.median(used), np.max(used), used[-1].mean()))]
    )
page.record("region_median", np.median(np.concatenate(shares)), digits=1)
page.record("region_most", np.max(np.concatenate(shares)), digits=2)
markdown_table(
    ["generator", r"$n_\mathrm{train}$", r"$1/(2\,\mathrm{KL}\,n_\mathrm{equiv})$, median", "largest", "tail"], rows
)

# %% [markdown]
# The typical region uses {glue:text}`validation_loss_region_median` of what KL allows, the worst {glue:text}`validation_loss_region_most`.
#
# (sec-kl-practice)=
# ## What follows for a validation loss
#
# *With a truth whose entropy is known*, such as a density with known normalisation that is sampled in phase-space integration, loss minus entropy is KL, and {eq}`eq-kl-pinsker` is a guarantee for every summary. The loss of {glue:text}`validation_loss_n_validation` validation events has an error; where both densities are known, KL is the mean of $r-1-\log r$, whose error is much smaller.
#
# *With data or simulation the entropy is unknown*, and what follows is less than one may hope:
#
# 1. **Differences of losses are differences of KL**, and they are cheap: on the same events the fluctuation of the entropy cancels. The table below has standard errors for {glue:text}`validation_loss_n_validation` validation events.
# 2. **A difference is a lower limit of KL**, ${\rm KL}_a\geq L_a-L_b$, and so gives an approximate *upper* limit of what the worse generator is worth: $n_{\rm equiv}\lesssim2\langle K\rangle^2/(c^2(L_a-L_b))$ with a typical $c$. It is no lower limit: the best generator's own KL is hidden in the entropy.
# 3. **A learning curve need not tell the entropy.** If losses follow $H+a\,\ntrain^{-b}$, the losses $L_1$, $L_2$ and $L_3$ at three sizes with equal ratios determine $H=(L_1L_3-L_2^2)/(L_1+L_3-2L_2)$. The last columns try it.


# %% tags=["hide-input"]
sizes = sorted({f.n_train for f in FOUND if f.group == (r"$t\bar t$, LO", "spline flow")})
rows, curves = [], {}
for kind in ("transformer", "autoregressive", "spline flow"):
    here = [f for f in FOUND if f.group == (r"$t\bar t$, LO", kind)]
    curves[kind] = np.array([f.kl.mean() for f in here])
    name, n = kind.split()[0], here[-1].h.shape[1]
    both = min(len(f.kl) for f in here[-2:])
    alone = np.std(here[-1].log_r[0] + log_true[:n]) / np.sqrt(n_validation)
    paired = np.mean([np.std(here[-1].log_r[k] - here[-2].log_r[k]) for k in range(both)]) / np.sqrt(n_validation)
    row = [kind, *(f"{rounded(f.kl.mean(), 2)}" for f in here), f"± {alone:.3f}", f"± {paired:.3f}"]
    estimate, ends = 0.0, [0.0, 0.0]  # two sizes leave nothing to extrapolate
    if len(sizes) == 3:
        draws, mean_terms = np.random.default_rng(seed), np.array([f.terms.mean(axis=0) for f in here])
        again = [mean_terms.mean(axis=1), *(mean_terms[:, draws.integers(0, n, n)].mean(axis=1) for _ in range(400))]
        losses = np.array(again).T  # with an entropy of zero; the true one would add to all
        quotients = (losses[-1] - entropy_of_curve(losses)) / losses[-1]
        estimate, ends = quotients[0], np.quantile(quotients[1:], [0.025, 0.975]).tolist()
        row += [
            rounded(estimate * curves[kind][-1], 2),
            f"{rounded(estimate, 2)} ({rounded(ends[0], 2)} to {rounded(ends[1], 2)})",
        ]
    page.record(f"extrapolated_{name}", estimate, ends, 0.95, digits=2)
    rows.append(row)
head = ["generator", *(f"KL, {n} events" for n in sizes), "error of loss", "of difference"]
markdown_table([*head, *(["KL from the curve", "over true KL (95 %)"] if len(sizes) == 3 else [])], rows)

# %% [markdown]
# The curve of a generator that is limited by its training or its size bends as if it had reached the truth, and its plateau lies above the entropy. That is the trap of a validation loss that no longer falls. The part of KL that a curve takes for entropy is missing in its KL. KL from the curve over the true one is {glue:text}`validation_loss_extrapolated_transformer` ({glue:text}`validation_loss_extrapolated_transformer_low` to {glue:text}`validation_loss_extrapolated_transformer_high`) for the transformer, {glue:text}`validation_loss_extrapolated_autoregressive` ({glue:text}`validation_loss_extrapolated_autoregressive_low` to {glue:text}`validation_loss_extrapolated_autoregressive_high`) for the autoregressive generator, {glue:text}`validation_loss_extrapolated_spline` ({glue:text}`validation_loss_extrapolated_spline_low` to {glue:text}`validation_loss_extrapolated_spline_high`) for the spline flow; 95 % over true events, for one training set of each size.
#
# (sec-kl-two)=
# ## Two generators need no truth
#
# Two generators $a$ and $b$ with explicit densities have an exactly computable distance $D_{ab}$: events of $a$ with $r=p_b/p_a$. By the triangle inequality one of the two is at least half of that away from any truth, so that in the likelihood ratio
#
# $$ \min(n_a, n_b) \;\leq\; \Big(\frac{2\langle K\rangle}{D_{ab}}\Big)^2 \qquad\text{rigorously, and without a single true event.} $$
#
# If their errors are independent and of equal size, $D_{ab}\approx\sqrt2 D$, so that the limit is about twice what they are worth. Members of an ensemble share training events, which makes the limit weaker, never wrong. The ratio $p_b/p_a$ shows the shape of the errors, too: $c_{ab}$, made of $D_{ab}$ and ${\rm KL}_{ab}$, can stand for the $c$ that is needed in {eq}`eq-kl-law`. In the table true events with the weights $p_a/p_{\rm true}$ stand for those of $a$, which is the same on average.


# %% tags=["hide-input"]
def pairs(one):
    """The quotient c of two members, and the limit in units of what the worse of them is worth: (pairs,) each."""
    first, second = np.array(list(combinations(range(len(one.c)), 2))).T
    apart_by = between(one.log_r[first], one.log_r[second])
    return apart_by.c, (2 * np.maximum(one.distance[first], one.distance[second]) / apart_by.distance) ** 2


rows, smallest, quotients = [], np.inf, defaultdict(list)
for (where, who, n_train), several in GROUPS.items():
    c, limits = (np.concatenate(parts) for parts in zip(*map(pairs, several), strict=True))
    smallest = min(smallest, limits.min())
    for one in several:
        if who == "independent":
            quotients[where].append(pairs(one)[0].mean() / one.c.mean())
    by_truth = np.mean([one.c.mean() for one in several])
    rows.append(
        [
            where,
            called(who),
            n_train,
            rounded(by_truth),
            rounded(c.mean()),
            rounded(np.median(limits), 2),
            rounded(limits.min(), 2),
        ]
    )
    if where == "2D ring":
        page.record(f"limit_{who}", np.median(limits), digits=2)
page.record("limit_least", smallest, digits=2)
page.record("c_without_truth", *mean_of(quotients["2D ring"]), 0.95)
head = ["process", "generator", r"$n_\mathrm{train}$", "$c$ against truth", "$c_{ab}$"]
markdown_table([*head, "limit / true worth of the worse, median", "smallest"], rows)

# %% tags=["nbval-check-output", "hide-input"]
finite = [kl for one in FOUND for kl in one.kl]
print("Pinsker's inequality holds for all generators:", max(every) <= 1)
print("the limit from two generators is never below what the worse one is worth:", smallest >= 1)
print(
    "a shifted Gaussian has exactly the Gaussian value at small distances:",
    abs(found["shift"][0] / gaussian_law(found["shift"][1]) - 1) < 1e-9,
)

# %% [markdown]
# On the 2D ring the median limit is {glue:text}`validation_loss_limit_independent` times what the worse is worth for members with independent training sets, and {glue:text}`validation_loss_limit_bootstrap` times for bootstraps of one; the smallest of all pairs of this page is {glue:text}`validation_loss_limit_least` times. The quotient $c_{ab}/c$ for independent members is {glue:text}`validation_loss_c_without_truth` ({glue:text}`validation_loss_c_without_truth_low` to {glue:text}`validation_loss_c_without_truth_high`, 95 % over training sets).
#
# **In short.** KL turns into $n_{\rm equiv}$ of the likelihood ratio by the square of one number between zero and one, $c$, which goes from {glue:text}`validation_loss_c_least` to {glue:text}`validation_loss_c_most` for the generators here. A known entropy makes a validation loss a guarantee. An unknown one leaves comparisons, and upper limits for the worse of two generators. A loss that is not a likelihood, such as the squared error of the velocity in flow matching or a repulsive loss, says none of this: the density has to be worked out first.
#
# ## Exercises
#
# ```{exercise}
# :label: ex-kl-one
# Which distribution of $h$ has the largest $c$, and which well-known one has $c=1/\sqrt2$?
# ```
#
# ````{solution} ex-kl-one
# :class: dropdown
# $\langle|h|\rangle=\sqrt{\langle h^2\rangle}$ needs a constant $|h|$, the step. A Laplace distribution of $h$ with scale $b$ has $\langle|h|\rangle=b$ and $\langle h^2\rangle=2b^2$: $c=1/\sqrt2$.
# ````
#
# ```{exercise}
# :label: ex-kl-dimensions
# Show with `scaled` how $c$ of a Gaussian that is too wide approaches $\sqrt{2/\pi}$ with the number of coordinates. Why?
# ```
#
# ````{solution} ex-kl-dimensions
# :class: dropdown
# In one dimension $h\propto x^2-1$, a skew distribution. In $d$ dimensions it is the sum of $d$ independent ones, which becomes normal.
# ````

# %% tags=["hide-input", "hide-output"]
for d in (1, 4, 16, 64, 256):
    distance, kl, _ = scaled(1 + 0.02 / np.sqrt(d), d)
    print(f"{d} coordinates: c = {distance / np.sqrt(kl / 2):.3f}")
