"""Which networks the book trains, and which page uses them; needs no torch, so that planning the work is quick."""

from dataclasses import replace
from pathlib import Path

from gampl.generators.settings import Architecture
from gampl.training.settings import RESAMPLINGS, Fit, Ring, Training
from gampl_book.profiles import section

RING_DIMENSIONS = (2, 4)
TRAINED_BY = "gampl_book/ring_ensembles.py"
EVENT_FILES = {  # of the pages that read events
    "making_events": ("top_pair_0j",),
    "top_pair_events": ("top_pair_0j", "top_pair_4j"),
    "z_jets": ("z_jets", "z_jets_inclusive"),
}
EXAMPLES = ("examples/flights.yml", "examples/flights_train.csv", "examples/flights_holdout.csv")
COSTS = "data/costs"  # see `gampl_book.costs`
KEPT_RESULTS = "data/results"  # see `gampl_book.kept_results`
LARGER = ("rings", "workstation", "paper")  # than the profiles that a reader runs


def trainings(profile: str, seed: int) -> dict[str, Training]:
    """All trainings of a profile by name, such as ``ring2d/deep/1`` for the first training set in two dimensions.

    The four posteriors of one training set see the same events, and so do the members of ensembles of the 2D ring that
    are there for comparison; those of an "independent" one do not. ``ring2d/scan/<kl weight>/<log-variance>/1`` vary
    what the Bayesian result depends on; ``ring2d/crossfit/<fold>/1`` leave out a fold of the events.
    """
    settings = section(profile, "trainings")
    sets = range(1, settings["training_sets"] + 1)
    plan = {
        ring(dim, posterior, k): _training(settings, seed, dim, posterior, k)
        for dim in RING_DIMENSIONS
        for posterior in posteriors_of(profile)
        for k in sets
    }
    plan |= {ring(2, kind, k): _training(settings, seed, 2, kind, k) for kind in settings["compared"] for k in sets}
    for kl_weight, init_logvar in settings["scan"]:
        for k in sets:
            default = _training(settings, seed, 2, "bayesian", k)
            plan[scan(kl_weight, init_logvar, k)] = replace(default, kl_weight=kl_weight, init_logvar=init_logvar)
    folds = settings["folds"]
    for fold in range(folds):
        for k in range(1, settings["crossfit_sets"] + 1):
            default = _training(settings, seed, 2, "bayesian", k)
            plan[crossfit(fold, k)] = replace(default, process=Ring(2, default.seed, folds, fold))
    return plan


def posteriors_of(profile: str) -> tuple[str, ...]:
    """The posteriors of the rings in a profile, some of `gampl.training.settings.POSTERIORS`."""
    return tuple(section(profile, "trainings")["posteriors"])


def jobs(profile: str, seed: int) -> dict[str, list[str]]:
    """The trainings in groups that are worth a process of their own: some training sets of one posterior.

    A job is named by its first and last training, such as ``ring2d/deep/1-2``.
    """
    size = section(profile, "trainings")["sets_per_job"]
    families: dict[str, list[str]] = {}
    for name in trainings(profile, seed):
        families.setdefault(name.rpartition("/")[0], []).append(name)
    grouped = [names[i : i + size] for names in families.values() for i in range(0, len(names), size)]
    return {f"{names[0]}-{names[-1].rpartition('/')[2]}": names for names in grouped}


def generated(job: str, profile: str) -> dict[str, object]:  # noqa: ARG001 - like that of gampl_book.event_studies
    """What, besides its trainings, decides what a job makes: nothing."""
    return {}


def training_data(job: str, profile: str) -> list[str]:  # noqa: ARG001
    """Files with the training events of a job: none, they are drawn."""
    return []


def ring(dim: int, posterior: str, training_set: int) -> str:
    """Name of the training of a posterior on the k-th training set of a ring."""
    return f"ring{dim}d/{posterior}/{training_set}"


def scan(kl_weight: float, init_logvar: float, training_set: int) -> str:
    """Name of the training of a Bayesian network of the 2D ring with other settings."""
    return f"ring2d/scan/{kl_weight:g}/{init_logvar:g}/{training_set}"


def crossfit(fold: int, training_set: int) -> str:
    """Name of the training of a Bayesian network of the 2D ring without a fold of its events."""
    return f"ring2d/crossfit/{fold}/{training_set}"


def notebook_trainings(notebook: str, profile: str, seed: int) -> list[str]:
    """Names of the trainings that a notebook uses."""
    plan = trainings(profile, seed)
    if notebook == "gaussian_rings":
        return [ring(dim, posterior, 1) for dim in RING_DIMENSIONS for posterior in posteriors_of(profile)]
    if notebook == "averaging_amplification":
        return [name for name in plan if name.split("/")[1] in posteriors_of(profile)]
    if notebook == "members":
        kinds = (*RESAMPLINGS, "repulsive")
        return [name for name in plan if name.startswith("ring2d") and name.split("/")[1] in kinds]
    bayesian = [name for name in plan if "/bayesian/" in name]
    if notebook == "calibration":
        return bayesian + [name for name in plan if "/scan/" in name]
    if notebook == "likelihood_ratios":
        return [ring(dim, "bayesian", 1) for dim in RING_DIMENSIONS]
    if notebook in ("differential_amplification", "reference_sample", "averaging_or_differential"):
        return bayesian
    if notebook == "cross_fitting":
        folds = [name for name in plan if "/crossfit/" in name]
        return folds + sorted({ring(2, "bayesian", int(name.split("/")[-1])) for name in folds})
    return []


def notebook_data(notebook: str, profile: str) -> list[str]:
    """Files that a notebook reads, relative to the project."""
    others = {"your_process": EXAMPLES, "paper_scale": sorted(map(str, Path(COSTS).rglob("*.json")))}
    return [event_file(name, profile) for name in EVENT_FILES.get(notebook, ())] + list(others.get(notebook, ()))


def kept_results(notebook: str) -> list[str]:
    """Results of larger runs of a notebook that are kept, relative to the project, where they are."""
    return [str(path) for path in (Path(KEPT_RESULTS, p, f"{notebook}.json") for p in LARGER) if path.exists()]


def event_file(name: str, profile: str) -> str:
    """Where a file of events lies, relative to the project: bundled ones in ``data``, others are made."""
    return f"_build/events/paper/{name}.h5" if profile == "paper" else f"data/{name}.h5"


def _training(settings: dict[str, int | float], seed: int, dim: int, posterior: str, training_set: int) -> Training:
    steps = int(settings["steps"])
    stream = 10_000 * seed + 100 * dim + training_set  # independent events for each dimension and training set
    blocks, heads, width, components = (int(settings[name]) for name in ("layers", "heads", "width", "components"))
    return Training(
        Ring(dim, data_seed=stream),
        n_train=int(settings["n_train"]),
        architecture=Architecture("autoregressive", blocks, heads, width, components=components),
        posterior=posterior,
        members=int(settings["draws" if posterior == "bayesian" else "ensemble"]),
        seed=stream,
        fit=Fit(steps=steps, learning_rate=settings["learning_rate"], warmup=min(100, steps // 5)),
    )
