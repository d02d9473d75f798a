"""Which generators of LHC events the book trains, and which page uses them; needs no torch."""

from collections.abc import Sequence
from typing import Any

from gampl.generators.settings import Architecture, Solver
from gampl.training.settings import RESAMPLINGS, Fit, LeadingOrder, TopPairJets, Training
from gampl_book.profiles import section
from gampl_book.studies import event_file

TITLES = {
    "transformer": "transformer",
    "lgatr": "L-GATr",
    "lgatr_slim": "L-GATr-slim",
    "lloca": "LLoCa",
    "autoregressive": "autoregressive",
    "spline": "spline flow",
}
EXTRA_JETS = (0, 4)
TRAINED_BY = "gampl_book/event_ensembles.py"


def trainings(profile: str, seed: int) -> dict[str, Training]:
    """The training of each member by name, such as ``top_pair_0j/lloca/3`` or ``compared_1000/spline/deep/0``."""
    plan: dict[str, Training] = {}
    for ensemble in ensembles(profile):
        training = _training(profile, seed, ensemble)
        plan |= {f"{ensemble}/{member}": training for member in range(training.members)}
    return plan


def ensembles(profile: str) -> list[str]:
    """Names of all ensembles, such as ``top_pair_0j/lloca``."""
    settings = section(profile, "event_trainings")
    exact = settings["leading_order"]
    names = [top_pair(extra, kind) for extra in EXTRA_JETS for kind in settings["generators"]]
    names += [leading_order(n, kind) for n in exact["n_train"] for kind in exact["generators"]]
    return names + [compared(profile, posterior) for posterior in (*RESAMPLINGS, "repulsive")]


def top_pair(extra_jets: int, kind: str) -> str:
    """Name of the ensemble of one kind of generator of top pairs."""
    return f"top_pair_{extra_jets}j/{kind}"


def leading_order(n_train: int, kind: str) -> str:
    """Name of the ensemble of one kind of generator of the leading-order process."""
    return f"leading_order_{n_train}/{kind}"


def compared(profile: str, posterior: str) -> str:
    """Name of the ensemble of the leading-order process whose members were made in this way."""
    settings = section(profile, "event_trainings")["leading_order"]["compared"]
    return f"compared_{settings['n_train']}/{settings['generator']}/{posterior}"


def solver(profile: str) -> Solver:
    """How the flows of a profile generate events."""
    return Solver(**section(profile, "event_trainings")["solver"])


def generation(profile: str) -> dict[str, Any]:
    """How the generators of a profile generate events: the options of `gampl.training.train.train_members`."""
    return {"solver": solver(profile), "chunk": chunk(profile)}


def n_gen(profile: str, ensemble: str) -> int:
    """Events that each member of an ensemble generates."""
    return int(section(profile, "event_trainings")[_process(ensemble)]["n_gen"])


def chunk(profile: str) -> int:
    """Events that are generated and stored together."""
    return int(section(profile, "event_trainings")["chunk"])


def training_file(profile: str, ensemble: str) -> str | None:
    """The file with the training events of an ensemble, relative to the project; None where they are drawn."""
    process = _process(ensemble)
    return None if process == "leading_order" else event_file(process, profile)


def _process(ensemble: str) -> str:
    """The section of the profile: ``top_pair_0j``, ``top_pair_4j`` or ``leading_order``."""
    name = ensemble.split("/")[0]
    return "leading_order" if name.startswith(("leading_order", "compared")) else name


def members(profile: str, ensemble: str) -> int:
    """Members of an ensemble."""
    settings = section(profile, "event_trainings")
    return int((settings["leading_order"]["compared"] if ensemble.startswith("compared") else settings)["members"])


def _training(profile: str, seed: int, ensemble: str) -> Training:
    settings = section(profile, "event_trainings")
    process, kind = _process(ensemble), ensemble.split("/")[1]
    posterior = ensemble.split("/")[2] if ensemble.startswith("compared") else "bootstrap"
    here = settings[process]
    size: dict[str, Any] = dict(settings["generators"][kind])
    own = {name: size.pop(name) for name in ("batch_size", "learning_rate") if name in size}
    source: TopPairJets | LeadingOrder
    if process == "leading_order":
        source, n_train = LeadingOrder(), int(ensemble.split("/")[0].rpartition("_")[2])
        size["base"] = "normal"
    else:
        source, n_train = TopPairJets(extra_jets=int(process[-2])), int(here["n_train"])
    steps = int(here["steps"])
    fit = Fit(
        steps=steps,
        batch_size=int(own.pop("batch_size", settings["batch_size"])),
        learning_rate=own.pop("learning_rate", settings["learning_rate"]),
        warmup=min(int(settings["warmup"]), steps // 5),
        validate_every=int(settings["validate_every"]),
        patience=int(settings["patience"]),
        ema=settings["ema"],
    )
    architecture = Architecture(kind, **size)
    return Training(source, n_train, architecture, posterior, members(profile, ensemble), seed, fit, **own)


def recorded(kinds: Sequence[str]) -> dict[str, str]:
    """Under which names the results of kinds are recorded: L-GATr-slim stands for L-GATr where this is left out."""
    return {kind: "lgatr" if kind == "lgatr_slim" and "lgatr" not in kinds else kind for kind in kinds}
