"""Which generators of LHC events the book trains; needs no torch."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gampl.generators.settings import Architecture, Solver
from gampl.training.settings import RESAMPLINGS, Fit, LeadingOrder, TopPairJets, Training
from gampl_book.profiles import section

TITLES = {
    "transformer": "transformer",
    "transformer_deep": "transformer, deep",
    "lgatr": "L-GATr",
    "lgatr_slim": "L-GATr-slim",
    "lloca": "LLoCa",
    "autoregressive": "autoregressive",
    "spline": "spline flow",
}
EXTRA_JETS = (0, 4)
# what may stand beside the sizes of a generator, because it is its own and not that of all
NOT_SIZES = ("batch_size", "learning_rate", "posterior", "members", "n_gen", "extra_jets")
TRAINED_BY = "gampl_book/event_ensembles.py"


def trainings(profile: str, seed: int) -> dict[str, Training]:
    """The training of each member by name, such as ``top_pair_0j/lloca/3`` or ``compared_1000/spline/deep/0``."""
    plan = ensembles(profile, seed)
    return {f"{name}/{member}": training for name, training in plan.items() for member in range(training.members)}


def ensembles(profile: str, seed: int = 1) -> dict[str, Training]:
    """The training of all members of an ensemble by name, such as ``top_pair_0j/lloca``."""
    settings = section(profile, "event_trainings")
    exact, plan = settings["leading_order"], dict[str, Training]()
    for extra in EXTRA_JETS:
        n_train = settings[f"top_pair_{extra}j"]["n_train"]
        for kind in (
            kind for kind, its in settings["generators"].items() if extra in its.get("extra_jets", EXTRA_JETS)
        ):
            plan[top_pair(extra, kind)] = _training(settings, seed, TopPairJets(extra_jets=extra), n_train, kind)
    for n_train in exact["n_train"]:
        for kind in exact["generators"]:
            plan[leading_order(n_train, kind)] = _training(settings, seed, LeadingOrder(), n_train, kind)
    other = exact["compared"]
    training = _training(settings, seed, LeadingOrder(), other["n_train"], other["generator"])
    for posterior in (*RESAMPLINGS, "repulsive"):
        plan[compared(profile, posterior)] = replace(training, posterior=posterior, members=other["members"])
    return plan


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


def chunk(profile: str) -> int:
    """Events that are generated and stored together."""
    return int(section(profile, "event_trainings")["chunk"])


def n_gen(profile: str, ensemble: str) -> int:
    """Events that each member of an ensemble generates."""
    settings, (process, _, kind) = section(profile, "event_trainings"), ensemble.partition("/")
    if not process.startswith("top_pair"):
        return int(settings["leading_order"]["n_gen"])
    return int(settings["generators"].get(kind, {}).get("n_gen", settings[process]["n_gen"]))


def is_trained_elsewhere(profile: str) -> bool:
    """Whether a profile's ensembles are trained by hand, on a machine with a GPU, and pages show what there is."""
    return bool(section(profile, "event_trainings").get("trained_elsewhere"))


def trained_list(profile: str) -> Path:
    """Where it is noted what of such a profile is there, so that pages are made anew when there is more."""
    return Path("_build", profile, "trained.json")


def in_order(profile: str, seed: int) -> list[str]:
    """Names of all trainings in the order in which they are to be trained where time is short."""
    settings = section(profile, "event_trainings")
    order = [
        *settings.get("order", []),
        "",
        *settings.get("last", []),
    ]  # in the middle all that have no place of their own
    return sorted(
        trainings(profile, seed), key=lambda name: order.index(n if (n := name.rpartition("/")[0]) in order else "")
    )


def _training(
    settings: dict[str, Any], seed: int, process: TopPairJets | LeadingOrder, n_train: int, kind: str
) -> Training:
    size = {"kind": kind} | settings["generators"][kind]
    here = settings["leading_order" if isinstance(process, LeadingOrder) else f"top_pair_{process.extra_jets}j"]
    if isinstance(process, LeadingOrder):
        size |= {"base": "normal"}
    own = {name: size.pop(name) for name in NOT_SIZES if name in size}
    fit = Fit(
        steps=here["steps"],
        batch_size=own.get("batch_size", settings["batch_size"]),
        learning_rate=own.get("learning_rate", settings["learning_rate"]),
        warmup=min(settings["warmup"], here["steps"] // 5),
        **{name: here.get(name, settings[name]) for name in ("validate_every", "patience", "ema")},
    )
    posterior, members = own.get("posterior", "bootstrap"), own.get("members", settings["members"])
    return Training(process, n_train, Architecture(**size), posterior, members, seed, fit)


def recorded(kinds: Sequence[str]) -> dict[str, str]:
    """Under which names the results of kinds are recorded: L-GATr-slim stands for L-GATr where this is left out."""
    return {kind: "lgatr" if kind == "lgatr_slim" and "lgatr" not in kinds else kind for kind in kinds}
