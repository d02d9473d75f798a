# %% [markdown]
# (sec-your-process)=
# # Your own process
#
# Everything in this book can be done with events and a generator of your own. This page does it for any *process file*: a few lines of YAML that say where the events are, what is computed of them, and in which regions. It trains an ensemble of small generators on the training sample, or takes the samples of yours, makes both estimates and
# writes a report. Run it with a file of yours; sizes beyond those of the profile are cut down to it:
#
# ```
# .venv/bin/python -m gampl_book notebook notebooks/your_process.py \
#     --profile laptop --seed 1 -p process=my_process.yml \
#     --folder mine
# ```
#
# `gampl report my_process.yml --output report.html` makes the report alone, at the sizes that the file asks for. The process of this run has nothing to do with particles.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1
process: str = "examples/flights.yml"

# %% tags=["hide-input"]
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML, Markdown, display

from gampl.report import analyse, figures, html as report, outputs, read
from gampl.report.generated import analyse_generated, train
from gampl.store import write_bytes
from gampl_book import ROOT
from gampl_book.pages import Page, as_text, markdown_table, verbatim

page = Page("your_process", profile, seed)
path = ROOT / process
file = read(path)
caps = page.settings  # the book's profile limits what a process file asks for
wanted = replace(file.process, seed=seed)
generator = file.generator and replace(
    file.generator, **{name: min(getattr(file.generator, name), caps[name]) for name in ("members", "steps", "n_gen")}
)
display(Markdown(f"### The process file\n\n{verbatim(path.read_text(encoding='utf-8'), 'yaml')}"))

# %% [markdown]
# ## The generator
#
# A neural spline flow or, where the file says `kde`, a sum of Gaussians around the training events. Each member is trained on its own Poisson resample of the same events, so that the members disagree about what the training sample left open. Columns of whole numbers are spread over their cells for the training, and rounded when events are generated. A
# process file with `members` instead of `generator` skips this: its samples are taken as they are.

# %% tags=["hide-input"]
if generator is None:
    study = analyse(wanted)
    print(f"samples of {len(study.members)} members, as given")
else:
    ensemble = train(wanted, generator, label=wanted.title)
    rows = []
    for member in ensemble.members:
        if member.history is not None:
            page.count_training(member.history.seconds, member.history.device)
            history = member.history
            rows.append([member.number, history.best_step[0], f"{np.nanmin(history.validation_loss):.3f}"])
    for member, why in ensemble.excluded.items():
        rows.append([member, "–", f"excluded: {why}"])
    display(markdown_table(["member", "best step", "loss on events that it did not see"], rows or [["all", "–", "–"]]))
    study = analyse_generated(wanted, generator, ensemble)
page.made_of(process=path.name, generator=None if generator is None else vars(generator))
page.record("n_train", wanted.n_train)
page.record("members", len(study.members))
page.record("n_gen", min(study.n_gen))
page.record("n_holdout", study.n_holdout)

# %% [markdown]
# ## Does it look right?
#
# Control plots of all numbers that the estimates use: generated events with the spread of the members, and true ones that no member has seen. They show what an amplification factor condenses to one number, and what it leaves out.

# %% mystnb={"figure": {"name": "fig-your-process-control", "caption": "Generated events (line: mean of the members; band: their spread) and true events (points), with the ends of regions (dashed)."}, "image": {"alt": "A panel for each observable with a histogram of generated events over points of true events."}} tags=["hide-input"]
shown = study.histograms[:9]
rows_of_panels = -(-len(shown) // 3)
figure, axes = plt.subplots(rows_of_panels, 3, figsize=(11, 3.4 * rows_of_panels), squeeze=False)
for ax, histogram in zip(axes.flat, shown, strict=False):
    figures.histogram(histogram, ax)
    ax.legend().remove()
for ax in axes.flat[len(shown) :]:
    ax.remove()
axes[0, 0].legend(fontsize=8)
page.figure(
    figure,
    "your_process_control",
    {h.name: {"edges": h.edges, "members": h.members, "true": h.true} for h in shown},
)

# %% [markdown]
# ## How many true events is it worth?

# %% tags=["hide-input"]
rows = []
for number, finding in enumerate(study.findings):
    if finding.result is not None:
        result = finding.result
        page.record(f"G_{finding.method}_{number}", result.G, result.interval, result.level)
        cells = [f"$G$ {result.words}", "; ".join(map(str, result.notes))]
    else:
        cells = [finding.problem, ""]
    rows.append([finding.method, f"`{finding.what}`", f"{100 * finding.share:.3g} %", *cells])
markdown_table(
    ["estimate", "summary, region", "share of events", f"{100 * wanted.level:.3g} % interval", "notes"], rows
)

# %% mystnb={"figure": {"name": "fig-your-process-overview", "caption": "All amplification factors with their intervals; arrows have no upper end."}, "image": {"alt": "A row with point and error bar for each estimate on a logarithmic axis, with a line at G = 1."}} tags=["hide-input"]
made = study.estimates
figure, ax = plt.subplots(figsize=(7.5, 1 + 0.42 * len(made)))
figures.overview(made, ax)
page.figure(
    figure,
    "your_process_overview",
    {f.what: {"G": f.result.G, "interval": f.result.interval, "method": f.method} for f in made},
)

# %% tags=["hide-input"]
for finding in study.findings:
    display(Markdown(f"- {as_text(outputs.answer(finding))}"))

# %% [markdown]
# ## Weak spots
#
# What a user should know before believing a number. Nothing here is an error; each item spoils an estimate without being seen in it.

# %% tags=["hide-input"]
display(Markdown("\n".join(f"- {as_text(text)}" for text in study.warnings) or "None was found."))

# %% [markdown]
# ## The report
#
# The same as one HTML file that needs nothing else, to be kept with the samples or sent to a colleague.

# %% tags=["hide-input"]
content = report.html(study, f"notebook your_process, process {process}")
write_bytes(page.folder / "figures" / "report.html", content.encode())
write_bytes(page.folder / "figures" / "report.csv", outputs.to_csv(study).encode())
display(
    HTML(
        '<p><a href="figures/your_process/report.html">report.html</a>, '
        '<a href="figures/your_process/report.csv" download>report.csv</a></p>'
    )
)

# %% tags=["nbval-check-output", "hide-input"]
print("findings:", len(study.findings), "without a result:", len(study.findings) - len(made))
print(
    "every interval holds its estimate:",
    all(f.result.interval.low <= f.result.G <= f.result.interval.high for f in made),
)

# %% [markdown]
# ## The same from Python
#
# A process file is a convenience. Anything with a method `sample`, `resample` or `rvs` can be handed to the estimators as it is, and so can arrays and streams of batches: here the true events of the training sample in one column, and five of scipy's kernel densities that have seen a resample of them each.

# %% tags=["hide-input"]
from scipy import stats

from gampl import averaging
from gampl.regions import Intervals
from gampl.report.samples import Truth

column = wanted.number(generator.columns[0] if generator is not None else next(iter(study.histograms)).name)
sample = Truth.of(file.process, [column]).reference.values[column].values[: wanted.n_train]
rng = page.rng(1)

# %%
np.random.seed(seed)  # noqa: NPY002 - what scipy's kernel densities draw from
members = [stats.gaussian_kde(rng.choice(sample, sample.size)) for _ in range(5)]
regions = Intervals.quantiles(sample, 4)
print(averaging.from_samples(members, regions, n_train=sample.size, n_gen=50_000))

# %% [markdown]
# (sec-your-parameters)=
# ## One generator for several parameters
#
# A parameter that events differ in, such as a mass, a scale or the time of the day, need not be generated: the generator can be *told* it. A process file has no key for such a condition yet; in Python it is one more array. Here the first column of the process file becomes the condition of the others. The generator learns from events at all of its values, and makes events at any one. Where only the weights of the events depend on the parameter, each event can have several conditions, see {ref}`sec-theory-uncertainties`.

# %% tags=["hide-input"]
from gampl.generators.settings import Architecture
from gampl.report.generated import training_events
from gampl.training import Data, Fit, Table, Training, train_or_load

is_told = generator is not None and generator.kind == "spline" and len(generator.columns) > 1

# %%
if is_told:
    told, *learned = generator.columns
    rows = training_events(wanted, generator)
    training = Training(
        Table(tuple(learned)),
        n_train=len(rows),
        architecture=Architecture("spline", blocks=3, width=32),
        members=2,
        seed=seed,
        fit=Fit(-(-generator.steps // 2), 256, 5e-3, warmup=generator.steps // 10),
        conditions=1,
    )
    conditional = train_or_load(training, Data(rows[:, 1:], condition=rows[:, :1]), parallel=2)

# %% [markdown]
# The mean of the first column that is generated, at five values of the condition, and that of the true events next to each value, with its statistical error:

# %% tags=["hide-input"]
if is_told:
    numbers = [wanted.number(name) for name in (told, learned[0])]
    at, true = (Truth.of(file.process, numbers).reference.values[e].values for e in numbers)
    ranks, table = np.argsort(np.argsort(at)) / at.size, []
    for q in (0.1, 0.3, 0.5, 0.7, 0.9):
        value, near = float(np.quantile(at, q)), true[abs(ranks - q) < 0.02]
        made = np.stack([one.sample(10_000, seed, [value])[:, 0] for one in conditional.members])
        made = np.where(np.isfinite(made), made, np.nan)
        error = near.std() / np.sqrt(near.size)
        table.append([f"{value:.4g}", f"{np.nanmean(made):.2f}", f"{near.mean():.2f} ± {error:.2f}"])
    display(markdown_table([told, f"{learned[0]}, generated", "true"], table))

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise}
# :label: ex-your-process-kde
#
# Replace the generator by a sum of Gaussians (`kind: kde`, without `steps`). Its members agree well with each other. Do its averaging factors beat those of the flow, and would you believe them?
# :::

# %% [markdown]
# :::{solution} ex-your-process-kde
# :class: dropdown
# Gaussians that are too wide smear each peak, all members alike. Averaging cannot see that; the comparison with the holdout can. The last lines are the weak spots that name such a region: its members agree with each other much better than with the truth.
# :::

# %% tags=["hide-input"]
if generator is not None:
    smooth = replace(generator, kind="kde")
    for finding in (smoothed := analyse_generated(wanted, smooth, train(wanted, smooth))).findings:
        print(f"{finding.what}: {'G' + finding.result.words if finding.result is not None else finding.problem}")
    print(*(text for text in smoothed.warnings if "share a bias" in text), sep="\n")

# %% [markdown]
# :::{exercise}
# :label: ex-your-process-plan
#
# How many members, generated events and true events would it take to know $G=1$ within a factor of 1.5 in a region that holds a tenth of the events?
# :::

# %% [markdown]
# :::{solution} ex-your-process-plan
# :class: dropdown
# `gampl plan --factor 1.5 --n-train 3000 --probability 0.1` says it; here is the same from Python.
# :::

# %% tags=["hide-input"]
from gampl import planning

print(planning.averaging(1.5, wanted.n_train, 0.1).words)
print(planning.differential(1.5, wanted.n_train).words)
