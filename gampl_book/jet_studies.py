"""Which generators of Z + jets the page on JetGPT trains; needs no torch."""

from gampl.generators.settings import Architecture
from gampl.training.settings import Fit, Training, ZWithJets
from gampl_book.profiles import section

PAGE = "jetgpt"
JETS = (1, 2, 3, 4)
ALONE = (3, 4)  # numbers of jets that are trained alone, too
TRAINED_BY = "gampl_book/jet_ensembles.py"
TITLES = {
    "directions": "directions first, mixtures",
    "particles": "particle by particle, mixtures",
    "bins": "directions first, bins",
    "particles_bins": "particle by particle, bins",
    "unaided": "directions first, mixtures, not told of the nearest jet",
}


def trainings(profile: str, seed: int) -> dict[str, Training]:
    """The training of each member by name, such as ``jetgpt/directions/0``."""
    plan = ensembles(profile, seed)
    return {f"{name}/{member}": training for name, training in plan.items() for member in range(training.members)}


def ensembles(profile: str, seed: int) -> dict[str, Training]:
    """The training of an ensemble by name; each of its members is trained on a training set of its own.

    ``jetgpt/directions`` and the others of `TITLES` learn all numbers of jets together, ``jetgpt/alone4`` one only,
    whose events it sees as often, and ``jetgpt/longer4`` sees them more often, in larger batches.
    """
    settings = section(profile, PAGE)
    numbers, batch = dict(zip(JETS, settings["n_train"], strict=True)), settings["batch_size"]
    total = sum(numbers.values())
    plan = {f"{PAGE}/{kind}": _training(settings, seed, total, batch, kind) for kind in TITLES}
    for n in ALONE:
        as_often = max(2, round(batch * numbers[n] / total))
        for kind, size in (("alone", as_often), ("longer", settings["longer"])):
            plan[f"{PAGE}/{kind}{n}"] = _training(settings, seed, numbers[n], size, "directions", n)
    return plan


def jets_of(name: str) -> tuple[int, ...]:
    """The numbers of jets that an ensemble, or a member of one, learns."""
    kind = name.split("/")[1]
    return JETS if kind in TITLES else (int(kind[-1]),)


def _training(
    settings: dict[str, int], seed: int, total: int, batch_size: int, kind: str, max_jets: int = max(JETS)
) -> Training:
    steps, head = settings["steps"], "bins" if kind.endswith("bins") else "mixture"
    order, sees_nearest = "particles" if kind.startswith("particles") else "directions", kind != "unaided"
    blocks, heads, width = (settings[name] for name in ("blocks", "heads", "width"))
    components = settings["components"] * (3 if head == "bins" else 1)  # as many numbers
    return Training(
        ZWithJets(max_jets, "given", order, sees_nearest=sees_nearest),
        n_train=total * 5 // 6,  # a fifth more is held back
        architecture=Architecture("autoregressive", blocks, heads, width, components=components, head=head),
        posterior="independent",
        members=settings["training_sets"],
        seed=seed,
        fit=Fit(
            steps=steps,
            batch_size=batch_size,
            learning_rate=settings["learning_rate"],
            warmup=steps // 8,
            validate_every=max(1, steps // 10),
            ema=0.99 if steps > 100 else 0.9,
        ),
        conditions=1,
    )
