"""Which networks the book trains, and which page uses them; needs no torch, so that planning the work is quick."""

from dataclasses import replace

from gampl.generators.settings import Architecture
from gampl.training.settings import Fit, Ring, Training
from gampl_book.profiles import section

RING_DIMENSIONS = (2, 4)
TRAINED_BY = "gampl_book/ring_ensembles.py"


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


def ring(dim: int, posterior: str, training_set: int) -> str:
    """Name of the training of a posterior on the k-th training set of a ring."""
    return f"ring{dim}d/{posterior}/{training_set}"


def scan(kl_weight: float, init_logvar: float, training_set: int) -> str:
    """Name of the training of a Bayesian network of the 2D ring with other settings."""
    return f"ring2d/scan/{kl_weight:g}/{init_logvar:g}/{training_set}"


def crossfit(fold: int, training_set: int) -> str:
    """Name of the training of a Bayesian network of the 2D ring without a fold of its events."""
    return f"ring2d/crossfit/{fold}/{training_set}"


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
