"""The plan of the work: what each notebook needs, and the jobs that train networks; read by the Snakefile.

A new page needs one entry in `PAGES`, or none where its source and its settings are all that it needs. Planning imports
no torch, to be quick.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from gampl.training.settings import POSTERIORS, RESAMPLINGS, Training
from gampl_book import COSTS, KEPT_RESULTS, event_studies, jet_studies, studies
from gampl_book.profiles import LARGER, section
from gampl_book.studies import event_file


@dataclass(frozen=True)
class Needs:
    """What a notebook needs besides its source and its settings."""

    trainings: Sequence[str] = ()  # names, or patterns of names
    events: Sequence[str] = ()  # names of files of events
    files: Sequence[str] = ()  # others, or patterns, relative to the project


BAYESIAN_RINGS = Needs(["ring?d/bayesian/*"])
TOP_PAIRS = Needs(["top_pair_*"], files=["data/top_pair_0j_observables.h5"])

PAGES = {
    "gaussian_rings": Needs([f"ring?d/{posterior}/1" for posterior in POSTERIORS]),
    "averaging_amplification": Needs([f"ring?d/{posterior}/*" for posterior in POSTERIORS]),
    "members": Needs(["compared_*", *(f"ring2d/{kind}/*" for kind in (*RESAMPLINGS, "repulsive"))]),
    "calibration": Needs(["ring?d/bayesian/*", "ring2d/scan/*"]),
    "reference_sample": BAYESIAN_RINGS,
    "cross_fitting": Needs(["ring2d/bayesian/*", "ring2d/crossfit/*"]),
    "likelihood_ratios": Needs(["ring?d/bayesian/1"]),
    "differential_amplification": BAYESIAN_RINGS,
    "averaging_or_differential": BAYESIAN_RINGS,
    "making_events": Needs(events=["top_pair_0j"]),
    "top_pair_events": Needs(events=["top_pair_0j", "top_pair_4j"]),
    "z_jets": Needs(events=["z_jets"]),
    "top_pair_generators": TOP_PAIRS,
    "top_pair_averaging": TOP_PAIRS,
    "top_pair_differential": TOP_PAIRS,
    "known_truth": Needs(["leading_order_*"]),
    "validation_loss": Needs(
        ["leading_order_*", "compared_*", *(f"ring?d/{posterior}/*" for posterior in (*POSTERIORS, "independent"))]
    ),
    "control": Needs(["top_pair_0j/*"], events=["top_pair_0j", "z_jets"]),
    "jetgpt": Needs(["jetgpt/*"], events=["z_jets"]),
    "joint_training": Needs(["jetgpt/directions/*"], events=["z_jets"]),
    "z_jets_inn": Needs(["jetgpt/directions/*"], events=["z_jets"]),
    "reweighting": Needs(["ring2d/bootstrap/*"]),
    "jet_radiation": Needs(events=["z_jets"]),
    "theory_uncertainties": Needs(events=["z_jets"]),
    "direct_diffusion": Needs(files=["data/dilepton_off.h5", "data/dilepton_on.h5"]),
    "your_process": Needs(files=["examples/flights.yml", "examples/flights_train.csv", "examples/flights_holdout.csv"]),
    "paper_scale": Needs(files=[f"{COSTS}/**/*.json"]),
}


@dataclass(frozen=True)
class Job:
    """Trainings that are worth a step of their own: some of a ring's posterior or an ensemble, or all of a process."""

    trainings: dict[str, Training]  # settings by name
    trained_by: str  # the file whose code, with all that it imports, decides what they become
    data: list[str]  # files with the training events, relative to the project; none where they are drawn
    generated: dict[str, Any]  # decides which events a job generates after training; rings generate none

    @property
    def made_of(self) -> dict[str, Any]:
        """All settings that decide what a job makes, in types of JSON."""
        return {"trainings": {name: asdict(t) for name, t in self.trainings.items()}, "generated": self.generated}


def trainings(profile: str, seed: int) -> dict[str, Training]:
    """The settings of all trainings of a profile by name, of rings, of LHC events, and of Z + jets."""
    parts = [module.trainings(profile, seed) for module in (studies, event_studies, jet_studies)]
    return {name: training for part in parts for name, training in part.items()}


def jobs(profile: str, seed: int) -> dict[str, Job]:
    """All jobs of a profile, named by their first and last training, such as ``ring2d/deep/1-2``, or by the process."""
    rings, events = section(profile, "trainings"), section(profile, "event_trainings")
    plan, families = trainings(profile, seed), dict[str, list[str]]()
    for name in plan:
        by_process = events["whole_processes"] and not name.startswith("ring")
        families.setdefault(name.partition("/")[0] if by_process else name.rpartition("/")[0], []).append(name)
    if event_studies.is_trained_elsewhere(profile):
        families = {family: names for family, names in families.items() if family.startswith("ring")}
    made = {}
    for family, names in families.items():
        files, generated, is_whole = list[str](), dict[str, Any](), "/" not in family
        if family.startswith("ring"):
            size, trained_by = rings["sets_per_job"], studies.TRAINED_BY
        elif family.startswith(jet_studies.PAGE):  # trained side by side
            size, trained_by, files = len(names), jet_studies.TRAINED_BY, [event_file("z_jets", profile)]
        else:  # repulsive members are trained together or not at all
            size = len(names) if is_whole or family.endswith("/repulsive") else events["members_per_job"]
            trained_by, generated = event_studies.TRAINED_BY, {name: events[name] for name in ("solver", "chunk")}
            ensembles = sorted({name.rpartition("/")[0] for name in names})
            generated["n_gen"] = {ensemble: event_studies.n_gen(profile, ensemble) for ensemble in ensembles}
            files = [event_file(family.partition("/")[0], profile)] if family.startswith("top_pair") else []
        for some in (names[i : i + size] for i in range(0, len(names), size)):
            job = family if is_whole else f"{some[0]}-{some[-1].rpartition('/')[2]}"
            made[job] = Job({name: plan[name] for name in some}, trained_by, files, generated)
    return made


def notebook_trainings(notebook: str, profile: str, seed: int) -> list[str]:
    """Names of the trainings that a notebook uses."""
    patterns = PAGES.get(notebook, Needs()).trainings
    return [name for name in trainings(profile, seed) if any(fnmatchcase(name, pattern) for pattern in patterns)]


def notebook_settings(notebook: str, profile: str, seed: int) -> dict[str, Any]:
    """All settings that decide what a notebook shows."""
    of_events = event_studies.trainings(profile, seed).keys() & set(notebook_trainings(notebook, profile, seed))
    shared = section(profile, "event_trainings") if of_events else {}
    return {"settings": section(profile, notebook), "events": shared, "seed": seed}


def notebook_files(notebook: str, profile: str) -> list[str]:
    """Files that a notebook reads, relative to the project: events, others, and kept results of larger runs."""
    needs = PAGES.get(notebook, Needs())
    others = [str(path) for pattern in needs.files for path in sorted(Path().glob(pattern))]
    kept = [Path(KEPT_RESULTS, larger, f"{notebook}.json") for larger in LARGER]
    trained = [event_studies.trained_list(profile)] if event_studies.is_trained_elsewhere(profile) else []
    return (
        [event_file(name, profile) for name in needs.events] + others + [str(p) for p in kept + trained if p.exists()]
    )
