# %% [markdown]
# (sec-introduction)=
# # What is a generated event worth?
#
# A generative network is trained on $\ntrain$ simulated events. Once trained, it makes new ones almost for free: ten
# times, a thousand times as many as it has ever seen. Surely the billionth generated event cannot carry new information
# about nature; but does the *first* extra one? Where does it stop?
#
# This book answers one question, and every number and figure in it is computed when the book is built:
#
# > I trained a generator on $\ntrain$ events. How many **true** events is an unlimited sample from it worth?
#
# Call that number $\nequiv$. The **amplification factor** is
#
# ```{math}
# :label: eq-g
# G = \frac{\nequiv}{\ntrain} .
# ```
#
# With $G>1$ the generator *amplifies*: its sample describes the truth better than the events it was trained on. That is
# possible because a network does not copy its training events; it interpolates between them with what its architecture
# assumes about smooth densities {cite}`ganplify`. With $G<1$ it has lost information, and generating more will not bring it back.
#
# The difficulty is that nobody knows the truth. {cite:t}`forecasting` propose two estimates that need neither the true
# density nor a large holdout sample. *Averaging amplification* looks at integrals over regions of phase space, and at how
# much a posterior of generators disagrees about them. *Differential amplification* tests the density itself, without
# any averaging. This book covers both: on toy data and for a process of the LHC with an exact density, where the
# truth is known and the estimates can be checked, and for generators of simulated LHC events. Later parts ask the same question of generators
# that are corrected by classifiers, told a parameter, started from other events, trained on a density, or asked for any number of jets.
#
# ```{figure} cover.png
# :name: fig-cover
# :alt: Three panels, for a mass, a tail and the likelihood ratio. Dots with bars for the generators of five processes on a logarithmic axis of the amplification factor, with a vertical line at one.
#
# What this book has found, in one figure: true amplification factors (filled) and their estimates without the truth (open), of the generators that the pages train. Right of the line a generator amplifies. {ref}`sec-amplifies` names them, and says what the numbers cannot say.
# ```

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import numpy as np

from gampl import averaging
from gampl.processes import GaussianLine
from gampl.regions import Intervals
from gampl_book.pages import Page

page = Page("introduction", profile, seed)

# %% [markdown]
# ## The idea in one figure
#
# Take the simplest generator there is: a Gaussian whose mean was fitted to {glue:text}`introduction_n_train`
# events. We fit it {glue:text}`introduction_members` times, each time to new events, and call each fit a *member*. Each member
# generates $\ngen$ events, and we count the fraction $\bar I$ that falls into a region $V$, here $0 \le x < 0.5$.
#
# The members disagree about this fraction, for two reasons. They generated finite samples: this *statistical* part
# falls like $1/\sqrt{\ngen}$ and we know exactly how large it is, because counting is binomial. And they learned slightly
# different densities: this *model* part does not care about $\ngen$. It is a plateau, and it is all that is left in the end.

# %% tags=["hide-input"]
n_train = 1000
members = page.settings["experiments"]
rng = page.rng(1)
region = Intervals.between([0.0, 0.5])

generators = [GaussianLine.fit_mean(GaussianLine().sample(n_train, rng)) for _ in range(members)]
probabilities = np.array([generator.integrals(region) for generator in generators])

n_gen = np.geomspace(1e3, 1e7, 17).round().astype(int)
counts = np.cumsum([rng.binomial(new, probabilities) for new in np.diff(n_gen, prepend=0)], axis=0)

result = averaging.from_counts(counts, n_gen, n_train, truth=GaussianLine().integrals(region))
page.record("n_train", n_train)
page.record("members", members)
page.record("G", result.G, result.interval, result.level)
page.record("n_equiv", result.n_equiv, result.n_equiv_interval, result.level)

# %% mystnb={"figure": {"name": "fig-idea", "caption": "How averaging amplification is read off (Fig. 1 of the paper), here for a Gaussian fit. The members' spread (blue, dashed) is the statistical uncertainty (green) at first and ends on the plateau of the model uncertainty (orange, with intervals). Where the green line has fallen to the plateau, generated and true events are worth the same: n_equiv. Triangles are upper limits, where the counting noise of all members together happened to exceed their spread."}, "image": {"alt": "Log-log plot of the uncertainty of an integral against the number of generated events: a falling statistical line, a flat model plateau, their crossing marks n_equiv a good deal to the right of n_train."}} tags=["hide-input"]
ax = result.plot()
page.figure(
    ax.figure,
    "idea",
    {
        "n_gen": result.curve.n_gen,
        "sigma_stat": result.curve.sigma_stat,
        "sigma_est": result.curve.sigma_est,
        "sigma_model": result.curve.sigma_model,
        "sigma_model_low": result.curve.sigma_model_low,
        "sigma_model_high": result.curve.sigma_model_high,
        "sigma_true": result.curve.sigma_true,
    },
)

# %% [markdown]
# Now ask how many *true* events would give the same uncertainty as the plateau. True events have no model uncertainty;
# theirs is the green line alone. So $\nequiv$ is where the green line meets the plateau in {numref}`fig-idea`:
#
# ```{math}
# :label: eq-crossing
# \sstat(\nequiv) = \smodel .
# ```
#
# Beyond it, generating more events only polishes the noise of a slightly wrong density. Here the crossing is at
# $\nequiv =$ {glue:text}`introduction_n_equiv`, that is $G =$ {glue:text}`introduction_G` with a 68 % interval of
# {glue:text}`introduction_G_low` to {glue:text}`introduction_G_high`. The fit knows that the density is a Gaussian, and that knowledge
# is worth that many events. The next page, {ref}`sec-line`, derives the number in closed form.

# %% [markdown]
# ## The same in three lines of code
#
# The package `gampl` needs nothing but the counts. It never asks what made the events. The closed form of the next page is $G=70.4$. Whether the interval of this one
# set of members holds it is printed below; an honest 68 % interval misses it in one run out of three.

# %% tags=["nbval-check-output"]
result = averaging.from_counts(counts[-1], n_gen=n_gen[-1], n_train=1000)
print(f"state: {result.state}")
print(f"the interval holds the closed-form 70.4: {result.interval.low < 70.4 < result.interval.high}")

# %%
print(result)

# %% [markdown]
# ## How to read this book
#
# - {ref}`sec-line` is the case that can be solved with pencil and paper. It shows what the estimate means, when linear error
#   propagation fails, and how often the interval on $G$ is right.
# - {ref}`sec-rings` introduces the toy data of the paper, a Gaussian ring in two and four dimensions, and the network.
# - {ref}`sec-averaging` estimates $G$ for the rings from Bayesian networks and from three kinds of ensembles, and compares
#   with the truth. {ref}`sec-calibration` asks how far such a posterior can be trusted, and {ref}`sec-members` derives which ensembles scatter
#   by what the training set leaves open, and what one member and the pool are worth: read it before you train an ensemble of your own.
# - {ref}`sec-ks` starts the second part: a test of the density itself, with an interval that holds. {ref}`sec-ratios` shows the summaries that
#   it can be based on, {ref}`sec-differential` applies it to the rings, {ref}`sec-reference` and {ref}`sec-crossfit` look at the sample that
#   it is compared with, and {ref}`sec-which` lines the two estimates up. {ref}`sec-many-dimensions` asks the question of all numbers of an event at once.
# - {ref}`sec-making` begins the part on LHC events; {ref}`sec-top-events` and {ref}`sec-z-jets` look at two samples, and {ref}`sec-leading-order` has a process
#   whose density is known exactly.
# - {ref}`sec-top-generators` begins the part on generators of top pairs; {ref}`sec-top-averaging` and {ref}`sec-top-differential` estimate what they are worth, and
#   {ref}`sec-known-truth` asks both estimates where the answer is known, and {ref}`sec-validation-loss` what a loss on held-back events says about it. {ref}`sec-scaling` asks where amplification starts and ends with the number of events, of parameters and of steps, and {ref}`sec-maps` where in phase space it is.
#   {ref}`sec-whose-interval` asks which posterior's interval holds the truth, and how one that does not is widened without knowing it.
# - {ref}`sec-control` begins the part on control and correction: what a classifier sees, what {ref}`reweighting <sec-reweighting>` does to $G$, and
#   {ref}`training together with a classifier <sec-joint>`.
# - {ref}`sec-theory-uncertainties` trains one generator for all values of a parameter. {ref}`sec-direct` starts from other events instead of noise, {ref}`sec-madnis` learns
#   from a density instead of events, and {ref}`sec-mem` asks what a learned transfer is worth in an inference.
# - {ref}`sec-jetgpt` begins the part on any number of jets, beside {ref}`a chain of flows <sec-z-jets-inn>`; {ref}`sec-jet-radiation` goes beyond the jets of the training sample.
# - {ref}`sec-amplifies` collects what all of these pages have recorded in one table.
# - {ref}`sec-your-samples` is for those who have a generator of their own, {ref}`sec-your-process` does all of it in one notebook,
#   {ref}`sec-teaching` has two hours of a course, and a task for students.
# - {ref}`sec-claims` lists what the paper, the talks and the poster state as a result, beside ours, with a verdict, and counts them {ref}`by source <sec-claims-sources>`; {ref}`sec-paper-scale` tells what a run of the paper's sizes takes.
#   {ref}`sec-notation` collects symbols and a few slips in the paper's text.
#
# Each page says in a badge which **profile** it was computed with. *smoke* exists for tests and means nothing; *laptop* takes
# less than an hour on two cores and is the default; *rings* trains the rings' Bayesian networks at the paper's size and *gpu* the paper's networks for top pairs, and both make
# numbers only (`make rings`, `make gpu`); *paper* uses the paper's sizes and wants a GPU. Below each figure stand the commit,
# the seed, the time and the device, and a link to the plotted numbers; the last line of a page leads to files of its figures, tables and numbers.
#
# To rerun everything: `make book` in the project's folder, with `PROFILE=smoke`, `laptop` or `paper`. To rerun one page, run `make environment` and then
# `.venv/bin/python -m gampl_book notebook notebooks/gaussian_rings.py --profile laptop --seed 1 --folder mine`, which finds the networks of the laptop profile, which come with the project, and trains those that another seed or
# other settings ask for. Or open a file from `notebooks/` in Jupyter and change the second cell.

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: ex-intro-plateau
# In {numref}`fig-idea` the plateau sits at some height. What happens to the plateau, to $\nequiv$ and to $G$ if the fit
# uses four times as many training events?
# ```
#
# ````{solution} ex-intro-plateau
# :class: dropdown
# The fitted mean is twice as precise, so the plateau is half as high. The green line reaches it at four times the number
# of events: $\nequiv$ grows fourfold, and $G$ stays. For a generator that learns like $1/\sqrt{\ntrain}$, $G$ is a property of
# the generator and the region, not of the size of the training set. The cell below repeats the estimate.
# ````

# %% tags=["hide-input", "hide-output"]
for n in (1000, 4000):
    fits = [GaussianLine.fit_mean(GaussianLine().sample(n, rng)) for _ in range(2000)]
    print(f"n_train = {n}:", averaging.from_integrals([fit.integrals(region) for fit in fits], n_train=n))

# %% [markdown]
# ```{exercise}
# :label: ex-intro-whole
# Which region $V$ gives an infinite $G$ for every generator, and why does that not make every generator perfect?
# ```
#
# ````{solution} ex-intro-whole
# :class: dropdown
# The whole phase space: each member's integral is exactly one, so nothing can disagree. The estimate is about the integral
# over $V$ and sees nothing inside it. `gampl` refuses such a region rather than report an infinite $G$.
# ````

# %% tags=["hide-input", "hide-output"]
try:
    averaging.from_integrals(np.ones((members, 1)), n_train)
except ValueError as error:
    print(error)
