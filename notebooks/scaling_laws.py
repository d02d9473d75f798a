# %% [markdown]
# (sec-scaling)=
# # Where amplification starts and where it ends
#
# A generator's amplification $G$ is not a property of its kind. It changes with the number of training events, with the size of the network and with the length of the training. On the {ref}`leading-order process <sec-leading-order>` the truth is exact, so that $G$ can be followed along all three: where does it start, where does it saturate, and can overtraining take it away? Each point has {glue:text}`scaling_laws_sets` training sets of its own, and the intervals on this page are at 95 % over training sets.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
from dataclasses import replace
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display
from matplotlib import ticker

from gampl import plots
from gampl.generators.settings import Architecture, Solver
from gampl.kolmogorov import MEAN, worth
from gampl.regions import Intervals
from gampl.training import Fit, LeadingOrder, Training, train_members
from gampl_book import event_ensembles
from gampl_book.divergences import apart
from gampl_book.event_studies import TITLES
from gampl_book.pages import Page, markdown_table, rounded, with_interval
from gampl_book.scaling import geometric_mean, memorised, power, tail, worth_in_regions
from gampl_book.trained_costs import of_trained

page = Page("scaling_laws", profile, seed)
kinds, sizes, sets, steps, widths, longer, n_gen, n_density, n_flow, n_truth = page.settings.values()
PLACES = dict(zip(sizes, ("smallest", "middle", "largest"), strict=True))
for name, value in {"sets": sets, "steps": steps, "n_gen": n_gen, "n_density": n_density, "n_flow": n_flow}.items():
    page.record(name, value)
for n, place in PLACES.items():
    page.record(f"n_{place}", n)
process = event_ensembles.leading_order_process(LeadingOrder())

# %% [markdown]
# (sec-scaling-expected)=
# ## What to expect
#
# By {eq}`eq-kl-law` a generator that is nearly right is worth $n_{\rm equiv}=2\langle K\rangle^2/(c^2\,{\rm KL})$ events in the exact likelihood ratio. So it is enough to know how KL, the validation loss without the entropy of the truth, depends on the training:
#
# - *An efficient fit* of $d$ parameters that can describe the truth has ${\rm KL}=d/(2\ntrain)$ on average, by {eq}`eq-kl-parameters`. $n_{\rm equiv}$ is proportional to $\ntrain$, and $G$ is the *same for all $\ntrain$*. There is no number of events from which on a fit amplifies: $G>1$ is a question of $d$. In an integral the same holds with $\smodel\propto1/\sqrt{\ntrain}$, the scaling that the paper calls typical.
# - *A fit that cannot describe the truth* keeps the divergence ${\rm KL}_0$ of the best that it can do,
#
# ```{math}
# :label: eq-scaling-saturation
# {\rm KL} = {\rm KL}_0 + \frac{d}{2\ntrain}, \qquad G_{\rm LR} = \frac{2\langle K\rangle^2}{c^2}\,\frac{1}{\ntrain{\rm KL}_0+d/2} .
# ```
#
#   Beyond $\ntrain=d/(2{\rm KL}_0)$ its $n_{\rm equiv}$ is *saturated*, and $G$ falls like $1/\ntrain$. A training that is too short, or a network that is too small, does the same.
# - *A flexible fit*, whose resolution grows with the number of events, lies between. For $s$ derivatives in $D$ dimensions the best rate is ${\rm KL}\propto\ntrain^{-2s/(2s+D)}$ {cite}`tsybakov`.
# - *A generator that has memorised* repeats its training events. In a region it is worth as much as they are, $G=1$ on average: that is where overtraining leads, and not below. In the likelihood ratio it is worth {glue:text}`scaling_laws_memorised` events, since its density vanishes almost everywhere.
#
# The *power* $b$ in $n_{\rm equiv}\propto\ntrain^b$ tells these apart: $b=1$ for an efficient fit, $b=0$ when saturated, and $d\ln G/d\ln\ntrain=b-1$. The number of parameters that an efficient fit with the same divergence would have is $d_{\rm eff}=2\,\ntrain{\rm KL}$.

# %% tags=["hide-input"]
page.record("memorised", memorised(sizes[0])[1], digits=2)
truth_sample, mass = process.sample(n_truth, page.rng(0)), process.observables["m_tt"]
REGIONS = {"m": Intervals.quantiles(truth_sample, 12, mass)[1:-1], "tail": tail(truth_sample, mass)}
EXACT = {name: process.integrals(regions) for name, regions in REGIONS.items()}
QUESTIONS = {"m": "regions of $m$", "tail": "tail of $m$", "LR": "likelihood ratio"}
page.record("tail_edge", REGIONS["tail"].low[0])
x_true = process.sample(n_density, page.rng(1))
log_true = process.log_prob(x_true)

GENERATORS = {  # and their learning rates
    "spline": (Architecture("spline", blocks=2, heads=1, width=32, components=8), 3e-3),
    "transformer": (Architecture("transformer", blocks=2, heads=2, width=24, base="normal"), 1e-2),
    "autoregressive": (Architecture("autoregressive", blocks=2, heads=2, width=32, components=8), 5e-3),
}
GENERATORS = {kind: GENERATORS[kind] for kind in kinds}
EVENTS = {
    (n, k): process.sample(n + n // 4, page.rng(100 * (i + 1) + k))
    for (i, n), k in product(enumerate(sizes), range(sets))
}
stopped, parameters = [], {}


def found(kind, n, *, width=None, n_steps=steps, stops=True):
    """What each training set's generator is worth: n_equiv by question, and KL, (sets,) each.

    Either a fifth of the events decides when a training stops, or it goes on to the last of its steps with all of them.
    """
    architecture, rate = GENERATORS[kind]
    architecture = replace(architecture, width=width or architecture.width)
    validate, posterior = (max(1, n_steps // 20), "deep") if stops else (n_steps, "independent")
    fit = Fit(n_steps, 128, rate, warmup=n_steps // 10, validate_every=validate, patience=5, ema=0.98)
    training = Training(LeadingOrder(), n, architecture, posterior, sets, seed, fit)
    made = train_members(
        training,
        lambda k: EVENTS[n, k][: training.n_events],
        parallel=sets,
        solver=Solver("midpoint", 4),
        chunk=min(n_gen, 10_000),
        label=f"scaling/{kind}/{n}/{architecture.width}/{n_steps}",
    )
    if stops and (width, n_steps) == (None, steps):
        page.cost(f"{kind}_{PLACES[n]}", **of_trained(made[0], EVENTS[n, 0][: training.n_events]))
    parameters[kind, architecture.width] = sum(p.numel() for p in made[0].generator.parameters())
    numbers = {name: [] for name in (*QUESTIONS, "KL", "c")}
    for one in made:
        if one.history is None:
            stopped.append((kind, n, n_steps, one.failure))
        else:
            page.count_training(one.history.seconds, one.history.device)
        x = one.sample(n_gen, seed)
        for name, regions in REGIONS.items():
            numbers[name].append(float(worth_in_regions(regions.count(x).inside, n_gen, EXACT[name])))
        few = n_flow if architecture.is_flow else n_density
        log_r = one.log_prob(x_true[:few]) - log_true[:few]
        numbers["LR"].append(worth(np.maximum(-np.expm1(log_r), 0).mean()))  # of true events: see the exercise
        numbers["KL"].append(apart(log_r).kl)
        numbers["c"].append(apart(log_r).c)
    return {name: np.array(values) for name, values in numbers.items()}


def mean_of(numbers, q, n):
    """The mean of G, or of the divergence; no G in regions can be told that is above n_gen / n."""
    if q in ("KL", "c"):
        return geometric_mean(numbers[q])
    return geometric_mean(numbers[q] / n, most=np.inf if q == "LR" else n_gen / n)


def listed(names):
    return "; ".join(names) or "none"


# %% [markdown]
# The generators are a neural spline flow (INN), flow matching with a transformer (CFM) and an autoregressive transformer, all small. Questions: ten regions of equal probability in the mass of the pair, its *tail* above {glue:text}`scaling_laws_tail_edge` GeV in five regions, and the likelihood ratio, by the density of {glue:text}`scaling_laws_n_density` true events that no generator has seen ({glue:text}`scaling_laws_n_flow` for flow matching). {glue:text}`scaling_laws_n_gen` generated events are counted, so that no larger $n_{\rm equiv}$ can be told in regions.
#
# (sec-scaling-events)=
# ## Training events
#
# A fifth of the events decides when a training stops, after {glue:text}`scaling_laws_steps` steps at the latest; $\ntrain$ has them all.

# %% tags=["hide-input"]
BY_SIZE = {(kind, n): found(kind, n) for kind, n in product(GENERATORS, sizes)}
G_OF = {(key, q): mean_of(numbers, q, key[1]) for key, numbers in BY_SIZE.items() for q in QUESTIONS}
POWER = {(kind, q): power(sizes, [BY_SIZE[kind, n][q] for n in sizes]) for kind, q in product(GENERATORS, QUESTIONS)}
for ((kind, n), q), mean in G_OF.items():
    page.record(f"G_{q}_{kind}_{PLACES[n]}", *mean, 0.95)
for (kind, q), mean in POWER.items():
    page.record(f"power_{q}_{kind}", *mean, 0.95)
    page.record(f"sigma_power_{q}_{kind}", -mean.value / 2, [-end / 2 for end in mean.interval[::-1]], 0.95)
for (kind, n), numbers in BY_SIZE.items():
    page.record(f"KL_{kind}_{PLACES[n]}", *mean_of(numbers, "KL", n), 0.95)
    page.record(f"c_{kind}_{PLACES[n]}", *mean_of(numbers, "c", n), 0.95)
    page.record(f"d_eff_{kind}_{PLACES[n]}", *geometric_mean(2 * n * numbers["KL"]), 0.95, digits=2)

# %% mystnb={"figure": {"name": "fig-scaling-events", "caption": "True amplification against the number of training events, with 95 % intervals over training sets: in regions of the mass, in those of its tail, and in the likelihood ratio. Black: $G=1$. Dotted: as steep as $1/n_{\\rm train}$, where $n_{\\rm equiv}$ is saturated. Right: Kullback-Leibler divergence, the validation loss without the entropy; dotted: as steep as an efficient fit's."}, "image": {"alt": "Four log-log panels against the number of training events with a line and error bars for each of three generators: three panels of G around one, and one of falling divergences."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 4, figsize=(13.5, 3.9))
data = {"n_train": sizes}


def plain(*axes):
    """Ticks of logarithmic axes at 1, 2 and 5 times powers of ten, as plain numbers."""
    for axis in axes:
        axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.set_minor_formatter(ticker.NullFormatter())


def draw(ax, x, means, color, label):
    """A line with intervals; returns its numbers."""
    values, ends = np.array([m.value for m in means]), np.array([m.interval for m in means]).T
    ax.errorbar(x, values, np.abs(ends - values), color=color, marker="o", ms=4, capsize=2, lw=1.2, label=label)
    return [values, *ends]


for i, kind in enumerate(GENERATORS):
    shifted = np.array(sizes) * 1.05 ** (i - 1)
    for ax, q in zip(axes, QUESTIONS, strict=False):
        means = [G_OF[(kind, n), q] for n in sizes]
        data[f"{q} {kind}"] = draw(ax, shifted, means, plots.GENERATORS[kind], TITLES[kind])
    means = [geometric_mean(BY_SIZE[kind, n]["KL"]) for n in sizes]
    data[f"KL {kind}"] = draw(axes[3], shifted, means, plots.GENERATORS[kind], TITLES[kind])
for ax, title in zip(axes, (*QUESTIONS.values(), "KL = loss - entropy"), strict=True):
    ax.set(xscale="log", yscale="log", xlabel=r"$n_{\rm train}$", title=title)
    top = max(line.get_ydata().max() for line in ax.lines)
    ax.plot(sizes, top * sizes[0] / np.array(sizes), color="0.5", ls=":", lw=1)
    ax.set_xticks(sizes, [f"{n}" for n in sizes])
    ax.minorticks_off()
    plain(ax.yaxis)
for ax in axes[:3]:
    ax.axhline(1, color=plots.TRUE, lw=0.8)
axes[0].set_ylabel("true $G$")
plots.shared_legend(axes, columns=3)
page.figure(figure, "scaling_events", data)


# %% tags=["hide-input"]
def law(b):
    """What a power says."""
    (low, high), one, none = b.interval, b.interval[0] <= 1 <= b.interval[1], b.interval[0] <= 0 <= b.interval[1]
    if one:
        return "cannot tell" if none else "compatible with an efficient fit"
    if none:
        return "compatible with saturation"
    return "in between" if low > 0 and high < 1 else "faster than its training sample" if low > 1 else "gets worse"


rows = []
for kind, q in product(GENERATORS, QUESTIONS):
    G = [with_interval(*G_OF[(kind, n), q]) for n in sizes]
    rows.append([TITLES[kind], QUESTIONS[q], *G, with_interval(*POWER[kind, q]), law(POWER[kind, q])])
markdown_table(["generator", "question", *(rf"$G$, $n_\mathrm{{train}}={n}$" for n in sizes), "power $b$", ""], rows)

# %% tags=["hide-input"]
names = {key: f"{TITLES[key[0][0]]}, {QUESTIONS[key[1]]}, {key[0][1]} events" for key in G_OF}
for name, side in (("above", 1), ("below", -1)):
    page.record(f"number_{name}", sum(mean.side == side for mean in G_OF.values()))
page.record("number_open", sum(mean.side == 0 for mean in G_OF.values()))
changes = {
    word: [f"{TITLES[kind]}, {QUESTIONS[q]}" for (kind, q), b in POWER.items() if b.side == side]
    for word, side in (("rises", 1), ("falls", -1), ("no change seen", 0))
}
of_law = [mean_of(numbers, "c", n).value for (_, n), numbers in BY_SIZE.items()]
page.record("c_least", min(of_law))
page.record("c_most", max(of_law))
of_ratio = [mean.value for key, mean in G_OF.items() if key[1] == "LR"]
page.record("LR_least", min(of_ratio), digits=2)
page.record("LR_most", max(of_ratio), digits=2)
page.record("number_LR_above", sum(mean.side == 1 for key, mean in G_OF.items() if key[1] == "LR"))
display(
    Markdown(
        "Amplification is established (all of the interval above one) for: "
        + listed([names[key] for key, mean in G_OF.items() if mean.side == 1])
        + ". Its absence (all below one) for: "
        + listed([names[key] for key, mean in G_OF.items() if mean.side == -1])
        + ". With more training events $G$ rises for: "
        + listed(changes["rises"])
        + "; it falls for: "
        + listed(changes["falls"])
        + "; no change is seen for: "
        + listed(changes["no change seen"])
        + "."
    )
)

# %% [markdown]
# In the likelihood ratio, $G$ lies between {glue:text}`scaling_laws_LR_least` and {glue:text}`scaling_laws_LR_most`, and {glue:text}`scaling_laws_number_LR_above` of these values are established to be above one. There $G$ does not grow with more training events unless the power is above one. The law {eq}`eq-kl-law` between divergence and distance has $c$ from {glue:text}`scaling_laws_c_least` to {glue:text}`scaling_laws_c_most` for these networks, where a normally distributed error has $\sqrt{2/\pi}\approx0.8$. The divergence turns the powers into effective parameters:

# %% tags=["hide-input"]
rows = []
for kind in GENERATORS:
    d = [geometric_mean(2 * n * BY_SIZE[kind, n]["KL"]) for n in sizes]
    growth = power(sizes, [2 * n * BY_SIZE[kind, n]["KL"] for n in sizes])
    page.record(f"d_eff_power_{kind}", *growth, 0.95)
    rows.append(
        [TITLES[kind], parameters[kind, GENERATORS[kind][0].width], *(with_interval(*mean) for mean in (*d, growth))]
    )
head = [rf"$d_\mathrm{{eff}}$, $n_\mathrm{{train}}={n}$" for n in sizes]
markdown_table(["generator", "parameters", *head, r"power of $d_\mathrm{eff}$"], rows)

# %% [markdown]
# A constant $d_{\rm eff}$ is the mark of an efficient fit; one that grows in proportion to $\ntrain$ is that of saturation. Most of a network's parameters are no parameters of a fit: stopping early and the smoothness of the network see to that.
#
# (sec-scaling-capacity)=
# ## Capacity
#
# The same with {glue:text}`scaling_laws_n_middle` training events and networks of other widths. All widths see the same training sets, so that two of them can be compared set by set.

# %% tags=["hide-input"]
MIDDLE = sizes[1]
BY_WIDTH = {}
for kind, others in widths.items():
    own = GENERATORS[kind][0].width
    for width in sorted({*others, own}):
        BY_WIDTH[kind, width] = BY_SIZE[kind, MIDDLE] if width == own else found(kind, MIDDLE, width=width)
rows, lines = [], []
for (kind, width), numbers in BY_WIDTH.items():
    G = {q: mean_of(numbers, q, MIDDLE) for q in QUESTIONS}
    for q in QUESTIONS:
        page.record(f"G_{q}_{kind}_width_{width}", *G[q], 0.95)
    d = geometric_mean(2 * MIDDLE * numbers["KL"])
    rows.append([TITLES[kind], width, parameters[kind, width], *(with_interval(*mean) for mean in (*G.values(), d))])
for kind in widths:
    order = sorted(width for other, width in BY_WIDTH if other == kind)
    span = parameters[kind, order[-1]] / parameters[kind, order[0]]
    page.record(f"parameters_span_{kind}", span, digits=2)
    for q in QUESTIONS:
        small, own, large = (BY_WIDTH[kind, w][q] for w in (order[0], GENERATORS[kind][0].width, order[-1]))
        gain, more = geometric_mean(large / small), geometric_mean(large / own)
        page.record(f"capacity_{q}_{kind}", *gain, 0.95)
        page.record(f"capacity_more_{q}_{kind}", *more, 0.95)
        said = {1: "more is better", -1: "more is worse", 0: "no difference is seen"}
        line = f"- {TITLES[kind]}, {QUESTIONS[q]}: {rounded(span, 2)} times the parameters change $G$ by a factor"
        line += f" {with_interval(*gain)}, {said[gain.side]}"
        if large is not own:
            line += (
                f"; from width {GENERATORS[kind][0].width} to {order[-1]} by {with_interval(*more)}, {said[more.side]}"
            )
        lines.append(f"{line}.")
head = ["generator", "width", "parameters", *(f"$G$, {title}" for title in QUESTIONS.values()), r"$d_\mathrm{eff}$"]
display(markdown_table(head, rows))
display(Markdown("\n".join(lines)))

# %% mystnb={"figure": {"name": "fig-scaling-capacity", "caption": "True amplification, and divergence, against the number of a network's parameters, with 95 % intervals over training sets, which are the same for all networks."}, "image": {"alt": "Four log-log panels against the number of parameters with a line and error bars for each generator: three of G around one, and one of the divergence."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 4, figsize=(13.5, 3.9))
data = {}
for kind in widths:
    order = sorted(width for other, width in BY_WIDTH if other == kind)
    x = [parameters[kind, width] for width in order]
    for ax, q in zip(axes, (*QUESTIONS, "KL"), strict=True):
        means = [mean_of(BY_WIDTH[kind, width], q, MIDDLE) for width in order]
        data[f"{q} {kind}"] = {"parameters": x, "mean, ends": draw(ax, x, means, plots.GENERATORS[kind], TITLES[kind])}
for ax, title in zip(axes, (*QUESTIONS.values(), "KL = loss - entropy"), strict=True):
    ax.set(xscale="log", yscale="log", xlabel="parameters", title=title)
    plain(ax.xaxis, ax.yaxis)
for ax in axes[:3]:
    ax.axhline(1, color=plots.TRUE, lw=0.8)
axes[0].set_ylabel("true $G$")
plots.shared_legend(axes, columns=3)
page.figure(figure, "scaling_capacity", data)

# %% [markdown]
# (sec-scaling-steps)=
# ## Steps
#
# Now {glue:text}`scaling_laws_n_smallest` training events, and nothing that stops a training: all events are trained on, for more and more steps, each time with a schedule of the learning rate of its own. The last column has the trainings of above, which a fifth of the same events has stopped.

# %% tags=["hide-input"]
FEWEST = sizes[0]
LONGER = {kind: {n: found(kind, FEWEST, n_steps=n, stops=False) for n in longer} for kind in widths}
rows, lines = [], []
for kind, by_steps in LONGER.items():
    early = BY_SIZE[kind, FEWEST]
    for q in (*QUESTIONS, "KL"):
        means = [mean_of(numbers, q, FEWEST) for numbers in by_steps.values()]
        title = "KL" if q == "KL" else f"$G$, {QUESTIONS[q]}"
        rows.append([TITLES[kind], title, *(with_interval(*mean) for mean in (*means, mean_of(early, q, FEWEST)))])
        for n, mean in zip(longer, means, strict=True):
            page.record(f"{q}_{kind}_steps_{n}", *mean, 0.95)
    last, best = by_steps[longer[-1]], min(by_steps, key=lambda n: np.log(by_steps[n]["KL"]).mean())
    page.record(f"best_steps_{kind}", best)
    for q in QUESTIONS:
        kept = geometric_mean(last[q] / early[q])
        page.record(f"overtrained_{q}_{kind}", *kept, 0.95)
        said = {1: "overtraining has not harmed", -1: "overtraining takes it away", 0: "no difference is seen"}
        left = mean_of(last, q, FEWEST)
        lines.append(
            f"- {TITLES[kind]}, {QUESTIONS[q]}: after {longer[-1]} steps $G$ is {with_interval(*kept)} times what stopping early"
            f" leaves: {said[kept.side]}. Left are $G=$ {with_interval(*left)}."
        )
display(markdown_table(["generator", "", *(f"{n} steps" for n in longer), "stopped early"], rows))
display(Markdown("\n".join(lines)))

# %% mystnb={"figure": {"name": "fig-scaling-steps", "caption": "True amplification, and divergence, against the number of steps for the smallest training samples, with 95 % intervals over training sets. Dashed: where a fifth of the same events has stopped the training. Grey: a generator that repeats its training events; its divergence is infinite."}, "image": {"alt": "Four log-log panels against training steps with a line and error bars for each generator, a dashed line for early stopping, and a grey line of memorised events."}} tags=["hide-input"]
figure, axes = plt.subplots(1, 4, figsize=(13.5, 3.9))
data = {"steps": longer}
regions_worth, ratio_worth = memorised(FEWEST)
for kind, by_steps in LONGER.items():
    for ax, q in zip(axes, (*QUESTIONS, "KL"), strict=True):
        means = [mean_of(numbers, q, FEWEST) for numbers in by_steps.values()]
        data[f"{q} {kind}"] = draw(ax, longer, means, plots.GENERATORS[kind], TITLES[kind])
        early = mean_of(BY_SIZE[kind, FEWEST], q, FEWEST).value
        ax.axhline(early, color=plots.GENERATORS[kind], ls="--", lw=1)
        data[f"{q} {kind}, stopped early"] = [early]
for ax, title in zip(axes, (*QUESTIONS.values(), "KL = loss - entropy"), strict=True):
    ax.set(xscale="log", yscale="log", xlabel="steps", title=title)
    ax.set_xticks(longer, [f"{n}" for n in longer])
    ax.minorticks_off()
    plain(ax.yaxis)
for ax, level in zip(axes, (regions_worth, regions_worth, ratio_worth), strict=False):
    ax.axhline(level / FEWEST, color="0.6", lw=3, alpha=0.5)
axes[0].set_ylabel("true $G$")
plots.shared_legend(axes, columns=3)
page.figure(figure, "scaling_steps", data)

# %% [markdown]
# ## Start, saturation, end

# %% tags=["hide-input"]
first, last = sizes[0], sizes[-1]


def those(test):
    """The generators and questions of which something is established."""
    return listed([f"{TITLES[kind]}, {QUESTIONS[q]}" for kind, q in product(GENERATORS, QUESTIONS) if test(kind, q)])


ever = those(lambda kind, q: any(G_OF[(kind, n), q].side == 1 for n in sizes))
started = those(lambda kind, q: G_OF[(kind, first), q].side < 1 and any(G_OF[(kind, n), q].side == 1 for n in sizes))
ended = those(lambda kind, q: G_OF[(kind, first), q].side == 1 and G_OF[(kind, last), q].side < 1)
falling = those(lambda kind, q: POWER[kind, q].side == -1)
lost = listed(
    [
        f"{TITLES[kind]}, {QUESTIONS[q]}"
        for kind, q in product(LONGER, QUESTIONS)
        if geometric_mean(LONGER[kind][longer[-1]][q] / BY_SIZE[kind, FEWEST][q]).side == -1
    ]
)
display(
    Markdown(
        f"- *Start.* There is amplification at some of the sizes for: {ever}. Of these it is not seen with {first} events,"
        f" and appears with more, for: {started}.\n"
        f"- *Saturation.* $G$ falls with the number of events for: {falling}. Established with {first} events and no"
        f" longer with {last}: {ended}.\n"
        f"- *End.* Overtraining leaves less than stopping early for: {lost}."
    )
)

# %% [markdown]
# *What the laptop size cannot show.* {glue:text}`scaling_laws_sets` training sets and three sizes resolve a power to what its interval says. Learning rate, batch and schedule are the same for all sizes: none was tuned. The integrals of regions contain what the network cannot learn in so short a training, so that a power below one says that *this* recipe saturates, not that its architecture does.
#
# ## Exercises
#
# ```{exercise}
# :label: ex-scaling-crossing
# From two numbers of training events, {eq}`eq-scaling-saturation` can be solved for ${\rm KL}_0$ and $d$. Where does each generator saturate?
# ```
#
# ````{solution} ex-scaling-crossing
# :class: dropdown
# With the smallest and the largest sample. A negative ${\rm KL}_0$ means that nothing saturates there. The distances themselves are averages of $\max(0,\,1-p_{\rm gen}/p_{\rm true})$ over true events, which is right also for a generator that has memorised, whose density has narrow peaks that no true event hits.
# ````

# %% tags=["hide-input", "hide-output"]
for kind in GENERATORS:
    first, last = (np.exp(np.log(BY_SIZE[kind, n]["KL"]).mean()) for n in (sizes[0], sizes[-1]))
    d = 2 * (first - last) / (1 / sizes[0] - 1 / sizes[-1])
    rest = last - d / (2 * sizes[-1])
    print(f"{TITLES[kind]}: d = {d:.0f}, KL_0 = {rest:.4f}, saturates at {d / (2 * rest):.0f} events")

# %% tags=["nbval-check-output", "hide-input"]
print("stopped on a loss that is not finite:", stopped or "none")
every = [numbers for table in (BY_SIZE, BY_WIDTH, *LONGER.values()) for numbers in table.values()]
bound = min(float((numbers["LR"] * numbers["KL"]).min()) for numbers in every) / (2 * MEAN**2)
print("Pinsker's bound holds, but for the error of finite samples:", bound > 0.9)
