# The whole work as one graph: train -> notebook -> check -> book.
#
#   make book                                    what users call; see gampl_book/build.py
#   snakemake --cores 2 --config profile=smoke   the same without its conveniences
#
# What a step may use (memory, time, a GPU), and which ones a cluster runs together, stands in workflow/profiles/*.
#
# Three traps that this file avoids:
# - Snakemake compares a rule's params as a set of values: two that swap places look unchanged. So: ONE dict.
# - It does not see what a script imports. So: every file of the package that a step imports is among its inputs.
# - It deletes the declared outputs of a step that fails. So: the site is not one; a stamp stands for it.

import os
import runpy
import shlex
import sys
from functools import cache
from pathlib import Path

# our packages are found here, even where the checkout was moved after its installation, and no others
sys.path = [folder for folder in sys.path if folder != str(workflow.basedir)]  # where Snakemake has put it
runpy.run_path(f"{workflow.basedir}/workflow/python/sitecustomize.py")
from gampl.store import provenance
from gampl_book import PACKAGES, plan

PYTHON = shlex.quote(sys.executable)  # in the shell's lines; all other paths there are relative, and quoted by ":q"
STEP = f"{PYTHON} -m gampl_book step"  # runs a command: what it says goes to a log, host, time and memory stand beside it
PROFILE = config.get("profile", "laptop")
SEED = int(config.get("seed", 1))
CHECKED, CHECKED_SEED = "smoke", 1  # what tests/reference was made with
SEEDS = {CHECKED: CHECKED_SEED, PROFILE: SEED}  # the smoke notebooks are run for each book, to be compared with those
BUILD = f"_build/{PROFILE}"

NOTEBOOKS = sorted(path.stem for path in Path("notebooks").glob("*.py"))
JOBS = {profile: plan.jobs(profile, seed) for profile, seed in SEEDS.items()}


# found once, and only of the files that a build needs: each job of a cluster reads this anew, twice
@cache
def source_files(file):
    return provenance.source_files(Path(file), PACKAGES)


@cache
def sources(file):
    """A Python file and what it imports of the package."""
    return [os.path.relpath(path, workflow.basedir) for path in source_files(file)]


@cache
def lock(file):
    """The versions of the packages that a Python file needs, directly or not."""
    return provenance.requirements(source_files(file), PACKAGES)


def receipts(notebook, profile):
    """Receipts of the trainings that a notebook uses."""
    needed = set(plan.notebook_trainings(notebook, profile, SEEDS[profile]))
    return [f"_build/{profile}/receipts/{name}.json" for name, job in JOBS[profile].items() if needed & set(job.trainings)]


def made_of(notebook, profile):
    """Everything but files that decides what a notebook shows."""
    return {**plan.notebook_settings(notebook, profile, SEEDS[profile]), "lock": lock(f"notebooks/{notebook}.py")}


def files(folder):
    """All files of a folder."""
    return sorted(str(path) for path in Path(folder).rglob("*") if path.is_file())


EXECUTED = expand(f"{BUILD}/executed/{{notebook}}.ipynb", notebook=NOTEBOOKS)
RESULTS = expand(f"{BUILD}/results/{{notebook}}.json", notebook=NOTEBOOKS)
FIGURES = expand(f"{BUILD}/figures/{{notebook}}", notebook=NOTEBOOKS)
# what is compared with the references, and the stamp that says that it agrees
CHECKED_NOTEBOOKS = expand(f"_build/{CHECKED}/executed/{{notebook}}.ipynb", notebook=NOTEBOOKS)
VALID = [f"_build/{CHECKED}/checked.ok"] if SEEDS[CHECKED] == CHECKED_SEED else []
# the claims page shows the numbers of other profiles beside those of this one, where they were run
CHECKED_RESULTS = expand(f"_build/{CHECKED}/results/{{notebook}}.json", notebook=NOTEBOOKS)
OTHER_RESULTS = sorted(set(map(str, Path("_build").glob("*/results/*.json"))) - {*RESULTS, *CHECKED_RESULTS})
TRAINED = sorted({receipt for notebook in NOTEBOOKS for receipt in receipts(notebook, PROFILE)})


wildcard_constraints:
    notebook="[^/]+",
    profile="[^/]+",
    size="[^/]+",
    folder="[^/]+",
    seed="[0-9]+",
    name="[^/]+",


include: "workflow/events.smk"


localrules:
    all,
    notebooks,
    check,
    run_report,
    book,


# every product is listed, not only the last: Snakemake makes anew only what it was asked for
rule all:
    input:
        f"{BUILD}/book.done",
        TRAINED,
        EXECUTED,
        RESULTS,
        FIGURES,
        VALID,
    message: "everything"


rule notebooks:
    input:
        EXECUTED,
    message: "all notebooks"


# the trained networks themselves go to the artifact store; the receipt says what was trained and where it is
rule train:
    input:
        lambda w: sources(JOBS[w.profile][w.job].trained_by),
        lambda w: JOBS[w.profile][w.job].data,
    output:
        "_build/{profile}/receipts/{job}.json",
    log:
        "_build/{profile}/logs/train/{job}.log",
    params:
        made_of=lambda w: {**JOBS[w.profile][w.job].made_of, "lock": lock(JOBS[w.profile][w.job].trained_by)},
        names=lambda w: list(JOBS[w.profile][w.job].trainings),
        seed=lambda w: SEEDS[w.profile],
    wildcard_constraints:
        profile=f"(?!{CHECKED}/)[^/]+",
        job="ring.+",
    message: "training {wildcards.job} ({wildcards.profile})"
    shell:
        "{STEP} {log:q} {PYTHON} -m gampl_book train {params.names:q} --profile {wildcards.profile:q}"
        " --seed {params.seed} --receipt {output:q}"


# generators of LHC events are larger: what they need is set apart
use rule train as train_events with:
    wildcard_constraints:
        profile=f"(?!{CHECKED}/)[^/]+",
        job="(?!ring).+",


# seconds each: a cluster runs some of them together
use rule train as train_smoke with:
    wildcard_constraints:
        profile=CHECKED,
        job=".+",


rule notebook:
    input:
        "gampl_book/run_notebook.py",
        lambda w: sources(f"notebooks/{w.notebook}.py"),
        lambda w: plan.notebook_files(w.notebook, w.profile),
        lambda w: receipts(w.notebook, w.profile),
        source="notebooks/{notebook}.py",
    output:
        "_build/{profile}/executed/{notebook}.ipynb",
        "_build/{profile}/results/{notebook}.json",
        directory("_build/{profile}/figures/{notebook}"),
    log:
        "_build/{profile}/logs/notebook/{notebook}.log",
    params:
        made_of=lambda w: made_of(w.notebook, w.profile),
        seed=lambda w: SEEDS[w.profile],
    wildcard_constraints:
        profile=PROFILE if PROFILE != CHECKED else "(?!)",  # a pattern that nothing matches: they have the next rule
    message: "notebook {wildcards.notebook} ({wildcards.profile})"
    shell:
        "{STEP} {log:q} {PYTHON} -m gampl_book notebook {input.source:q} --profile {wildcards.profile:q}"
        " --seed {params.seed} --folder _build/{wildcards.profile:q}"


# seconds each, as the trainings
use rule notebook as notebook_smoke with:
    wildcard_constraints:
        profile=CHECKED,


# one check of the smoke profile serves the books of all profiles
rule check:
    input:
        sources("gampl_book/references.py"),
        CHECKED_NOTEBOOKS,
        files("tests/reference"),
    output:
        f"_build/{CHECKED}/checked.ok",
    log:
        f"_build/{CHECKED}/logs/check.log",
    message: "comparing the smoke notebooks with their references"
    shell:
        "{STEP} {log:q} {PYTHON} -m gampl_book check --ok {output:q}"


# what ran where, and for how long, in Snakemake's own words; the book has a table of the same and leads to it
rule run_report:
    input:
        EXECUTED,
        VALID,
    output:
        f"{BUILD}/run_report.html",
    log:
        f"{BUILD}/logs/run_report.log",
    message: "report of the run"
    shell:
        "{STEP} {log:q} {PYTHON} -m snakemake {input:q} --nolock --config profile={PROFILE:q} seed={SEED} --report {output:q}"


rule book:
    input:
        EXECUTED,
        RESULTS,
        FIGURES,
        VALID,
        CHECKED_RESULTS,
        OTHER_RESULTS,
        files("book"),
        files("data/results"),
        files("data/costs"),  # and the networks in data/trainings, which change no page but with the numbers that they make
        "_config.yml",
        "_toc.yml",
        sources("gampl_book/site.py"),
        [path for path in files("gampl") if path.endswith((".py", ".pyi"))],  # their docstrings
        f"{BUILD}/run_report.html",
    output:
        touch(f"{BUILD}/book.done"),
    log:
        f"{BUILD}/logs/book.log",
    message: "the book"
    shell:
        "{STEP} {log:q} {PYTHON} -m gampl_book site --profile {PROFILE:q}"
