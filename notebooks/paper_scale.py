# %% [markdown]
# (sec-paper-scale)=
# # Run it at paper scale
#
# The book that you read may come from a laptop. With the paper's numbers of events, members and steps the same graph of work is larger by some thousands of jobs, and nothing else changes: one command, which may be interrupted, and which goes on where it was.
#
# | where | command |
# | --- | --- |
# | a laptop | `make book` |
# | a GPU for an hour, or for some quarters of one | `.venv/bin/python -m gampl_book train --profile gpu`, then `make gpu` |
# | one machine with a GPU | `make book PROFILE=paper` |
# | a Slurm cluster | `make book PROFILE=paper CLUSTER=slurm` |
# | the events alone | `make events SIZE=paper CLUSTER=slurm` |
#
# `make status PROFILE=paper` says at any time what is done, running, stale or failed, and how long the rest will take by what the same steps took here. What ran where, for how long and with how much memory is on the page {doc}`run`.

# %% tags=["parameters", "hide-input"]
profile: str = "laptop"
seed: int = 1

# %% tags=["hide-input"]
import json
from pathlib import Path

from gampl_book import COSTS, ROOT, costs
from gampl_book.pages import Page, markdown_table

page = Page("paper_scale", profile, seed)
measurements = [costs.read(file) for file in costs.files(ROOT)]
of_paper = [m for m in measurements if m["profile"] == "paper"]
of_cpu = next(m for m in of_paper if m["kind"] == "cpu")

# %% [markdown]
# ## What it costs
#
# The number of jobs follows from the plans. Their times follow from those of their units, which `make costs` measures in some minutes on the machine that it runs on: steps of each training at the paper's sizes, generated events of each generator, simulated events of each recipe, each on one core or one GPU. Notebooks are not in the table. At laptop size they take minutes; at the paper's size those of top pairs and of the known truth evaluate millions of events with the networks, which nobody has timed: the cluster's profile gives them a GPU and eight hours, and twice and three times as much when that did not suffice. Validations during a training are not counted either.


# %% tags=["hide-input"]
def hours(value: float | None) -> str:
    """Hours with two digits, or what is said where nothing was measured."""
    return "not measured" if value is None else f"{value:.2g}" if value < 100 else f"{value:.0f}"


plans = [costs.plan("paper", 1, m) for m in of_paper]
units = {"cpu": "hours of a core", "cuda": "hours of a GPU"}
devices = [f"{units[m['kind']]}, {m['device']}" for m in of_paper]
rows = [[works[0].kind, works[0].jobs, *(hours(work.hours) for work in works)] for works in zip(*plans, strict=True)]
jobs = sum(work.jobs for work in plans[0])
rows.append(["**together**", jobs, *(f"**{hours(costs.total_hours(works))}**" for works in plans)])
page.record("jobs", jobs)
making_events = sum(work.hours or 0 for work in costs.plan("paper", 1, of_cpu) if work.kind.startswith("events"))
rings = sum(work.hours or 0 for work in costs.plan("paper", 1, of_cpu) if work.kind.startswith("training ring"))
everything = costs.total_hours(costs.plan("paper", 1, of_cpu))
page.record("hours_events", making_events)
page.record("hours_rings", rings)
page.record("hours_generators", everything - making_events - rings)
page.record("years_generators", (everything - making_events - rings) / 24 / 365)
page.record("gb_generated", costs.gigabytes_generated("paper"))
page.record("gb_simulated", costs.gigabytes_simulated(ROOT))
markdown_table(["kind of work", "jobs", *devices], rows)

# %% tags=["nbval-check-output"]
print(f"jobs: {jobs}, of which {sum(w.jobs for w in plans[0] if w.kind.startswith('training'))} are trainings")

# %% [markdown]
# On one core of the CPU named there, events take {glue:text}`paper_scale_hours_events` hours and the trainings of the rings {glue:text}`paper_scale_hours_rings`: work for a cluster without GPUs, or for a workstation and some days. The generators of LHC events would take {glue:text}`paper_scale_hours_generators` hours of that core, which is {glue:text}`paper_scale_years_generators` years: they want GPUs. On a machine with one, `make costs` adds its column to this table; until somebody has done so, hours of GPUs are not known, and none are claimed.
#
# On disk, the events that the paper's generators make take {glue:text}`paper_scale_gb_generated` GB in the store (`.store`, or where `GAMPL_STORE` says): more than many a home directory allows. The simulated top pairs, as shards and merged, take {glue:text}`paper_scale_gb_simulated` GB, and the environment 2.5 GB with PyTorch for CPUs, more with CUDA.
#
# What real runs of smaller profiles took is known from their steps' records, which `make keep` adds up. The core hours are those of the profile's own trainings and notebooks, each as it last ran; its book also needs the smoke profile's, a few minutes. The laptop profile's networks come with the project, and their trainings are not counted. The store holds what both have trained.

# %% tags=["hide-input"]
runs = [json.loads(path.read_text()) for path in sorted(Path(ROOT, COSTS, "runs").glob("*.json"))]
markdown_table(
    ["profile", "machine", "steps", "core hours of the steps", "largest process [MB]", "store [MB]", "products [MB]"],
    [
        [
            run["profile"],
            run["device"],
            run["steps"],
            f"{run['core_seconds'] / 3600:.2f}",
            run["peak_memory_mb"],
            run["store_mb"],
            run["build_mb"],
        ]
        for run in runs
    ],
)

# %% [markdown]
# (sec-gpu-hour)=
# ## A GPU for an hour
#
# The profile `gpu` has the paper's networks for LHC events, sized to about an hour of one large GPU instead of a cluster's weeks: all bundled training events, ten members, $10^4$ steps. So far the first members of the first ensemble were trained, see below. It is trained by hand, where the GPU is, which needs neither Snakemake nor a network:
#
# ```
# .venv/bin/python -m gampl_book train --profile gpu --seconds 480
# .venv/bin/python -m gampl_book pack --profile gpu parts
# ```
#
# Without names `train` takes the generators in the profile's order, in which each part is complete in itself (an ensemble is shown as soon as three of its members are there), and after the given time it stops at a checkpoint; the same command goes on from there. Each member's million events are asked all that the pages on top pairs want to know of them as soon as they are made. `pack` writes weights and answers to files of at most 15 MB with checksums; the events stay behind. Where the book is made,
#
# ```
# .venv/bin/python -m gampl_book unpack parts/part-*.tar
# make gpu && make keep PROFILE=gpu
# ```
#
# makes those pages of what there is and keeps their numbers, which every other profile's pages then show beside their own. Networks that another version of PyTorch has trained are used, with a note of it; those of other code only with `--other-code`. Parts that were brought back lie in `data/parts/gpu`; `make gpu` unpacks them. `benchmarks/quarter_hour.sh` does the first half on a machine that is lent for fifteen minutes: it unpacks those parts, tests the step on the GPU, times all networks, trains, and packs everything anew.
#
# ## One machine with a GPU
#
# A GPU is used if PyTorch sees one. `GAMPL_DEVICE=cpu` or `GAMPL_DEVICE=cuda:1` says otherwise; GPUs are counted among those that `CUDA_VISIBLE_DEVICES` leaves. `pip install` brings PyTorch with CUDA; install the CPU's build into `.venv` first where there is no GPU.
#
# - **Several members on one GPU.** The members of an ensemble of the rings are always trained side by side, as one batch of networks with `torch.func`. Generators of LHC events are trained one after the other; `.venv/bin/python -m gampl_book train NAME... --parallel 4` trains members of an ensemble side by side. On a CPU that pays for the smallest networks and batches only (`benchmarks/`). On a GPU a step of one member is one launch of a graph, whose loss is compiled, and members side by side gained little over that when a prototype was tried; so the workflow does not do it, but what was trained by hand it finds in the store.
# - **Steps at the same time.** Where `nvidia-smi` names a GPU, `make book` starts one training or notebook at a time; `.venv/bin/python -m gampl_book build --profile paper -- --resources gpu=2` starts two, on the same GPU. All steps use the first one that `CUDA_VISIBLE_DEVICES` leaves. To use several, run Slurm, or train on each of the others by hand (`CUDA_VISIBLE_DEVICES=1 .venv/bin/python -m gampl_book train NAME... --profile paper`): the workflow finds in the store what has been trained.
# - **The smoke profile** always runs on the CPU, because its numbers are compared with references.
# - **Out of memory.** Where the memory of a device does not suffice for all events of a training's batch, or for all that a generator of LHC events is to make at a time, half of them are worked on at a time, a quarter, and so on; a line in the log says so. A gradient step still uses the whole batch, and the same random numbers. Bayesian and repulsive trainings of the rings cannot be divided, and say what may help; they are small.
#
# ### What is the same where
#
# | run again on | same bits? |
# | --- | --- |
# | the same CPU type, the same versions (`constraints.txt`) | yes: trainings, generated events, all numbers, whether or not they were interrupted, whatever ran beside |
# | another CPU type, number of threads or version of PyTorch | a step is the same up to round-off |
# | with `--parallel`, or after memory did not suffice | a step is the same up to round-off |
# | a GPU instead of a CPU | the initial weights are the same; batches, times and latent events are drawn on the GPU, so the members are others of the same ensemble |
# | the same GPU, driver and versions | up to round-off; with `GAMPL_DETERMINISTIC=1` the same bits, more slowly: nothing is compiled then, and products are not in TF32 |
#
# Round-off grows from step to step. Where the initial weights differ by $10^{-7}$, those of velocity networks were less than $10^{-4}$ apart after 60 steps of laptop size, as measured once; `tests/training/test_conditioning.py` watches the first 20. A spline flow has kinks; once an event is on the other side of one, its weights go apart faster. After thousands of steps such members are other draws of the same ensemble: the estimates, which are made of the differences between members, agree within their intervals, their digits do not. The numbers of the smoke profile are compared with references on any processor; so the networks that its trainings lead to are kept in `data/trainings/smoke`, where the store looks first, as it does in `data/trainings/laptop`, so that a reader's book takes minutes. `make book FRESH=1` trains the latter anew; with an empty `GAMPL_KEPT` everything is trained. What this table says of GPUs follows from PyTorch's documentation and this code; of it, one thing was tried on a GPU: the losses of a transformer, trained as one graph and as single kernels, agreed up to round-off.
#
# What is stored is found again on any machine: neither device nor number of threads is part of an artifact's name, so that a laptop can go on with what a GPU has trained.
#
# ## A Slurm cluster
#
# Check the project out on a file system that all nodes share, run `make environment` there, and start the build on a machine that submits jobs, in `tmux` or `screen`: it plans, submits and waits. What each step may use stands in one file, `workflow/profiles/slurm/config.yaml`, which is the site's to edit: memory, time, GPUs, partition, account. Steps of seconds share jobs: up to 100 shards, 12 of the smoke profile's trainings, 10 checks against the references. Every training and every notebook of the profile has a job of its own. Without `make` the same graph is run by
#
# ```
# snakemake all --workflow-profile workflow/profiles/slurm --config profile=paper
# ```
#
# which, unlike `make`, does not name the jobs after the checkout, so that those of a dead build are yours to cancel, and wants `--slurm-status-command squeue` where the site has no accounting.
#
# This path is tested: `make test-cluster` starts a Slurm of one node (Debian's packages, as root), runs the smoke book through it and compares all numbers with those of the run without it. For HTCondor there is a profile (`CLUSTER=htcondor`) and for Kubernetes a description of a job (`workflow/kubernetes/book.yaml`); **neither has been tested**.
#
# ## When something fails
#
# Run the same command again. It does what is missing and nothing else, and on CPUs of one type its results are those of a run that nothing disturbed, to the last bit. `make test-cluster` tries it, fault by fault:
#
# | what happens | what you see | what to do |
# | --- | --- | --- |
# | a training or a shard is killed | the step failed; its log is named | `make book`: it goes on from its checkpoint, at most 30 s back; a shard begins anew |
# | a notebook's Python dies | in which cell; no product is half new | `make book`; more memory, if that was missing |
# | Ctrl-C, a time limit | trainings finish their step and write a checkpoint; on Slurm the job is submitted again, up to twice. Where a step with its validation takes longer than the site's `KillWait`, often 30 s, the last checkpoint counts, at most 30 s older. A notebook begins anew, on Slurm with more time | nothing, or `make book` |
# | the build itself is killed | its steps go on; on Slurm its jobs stay in the queue | `make book`: the next build waits for the store's locks, and cancels left jobs first |
# | the machine loses its power | nothing | `make book` |
# | `scancel`, a node's daemon dies | the job is submitted again, or found again | nothing |
# | Slurm's controller is down | running jobs go on and are found again; jobs that would be submitted in the meantime fail | `make book`, if some failed |
# | the disk is full | "No space left on device", and which step | make space, `make book` |
# | a file of the store is damaged | a warning; the artifact is set aside in `.store/damaged` and made anew by the step that found it. If that is a notebook, whose time does not suffice for a training, the next build trains in a step of its own | nothing, or `make book` |
# | a checkpoint is damaged | a warning; the training begins anew | nothing |
# | two builds in one checkout | the second names the first one's process; on another machine, where the file system does not lock between machines, it names it if jobs are in the queue | wait |
# | the clock was set back | products would be older than what they are made of: an error that says so | set the clock, `make book` |
# | a member's loss is not finite (tested with the trainings) | the member is excluded by name on its page | see {ref}`sec-top-generators` |
