"""More jets than in training by a bootstrap: generators are trained on with events of their own that have more jets.

A generator of radiated jets whose loss is not truncated learns that events with most jets always stop. If its training
ends early, it has not learned this well, and now and then makes an event with one jet more. Such events are added to
the training events, and it is trained on (A. Butter et al., arXiv:2412.12074).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.generators.devices import pick_device
from gampl.generators.randomness import torch_generator
from gampl.generators.settings import check
from gampl.store import provenance
from gampl.store.artifacts import Artifact, Store
from gampl.training.data import Data
from gampl.training.ensemble import Ensemble, Trained
from gampl.training.settings import Fit, Training, ZWithJets
from gampl.training.train import train_members

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bootstrap:
    """How a generator is trained on with events of its own. It begins when the training before it ends, see `Fit`.

    Raises:
        ValueError: If a number is out of range.
    """

    rounds: int = 4  #: Times that each member generates events and is trained on.
    #: Sum of weights of the generated events over that of the true ones, each time: the rate of events with more jets
    #: is put in by hand.
    share: float = 0.015
    more: int = 1  #: Jets that they have more than the true ones, at most.
    n_gen: int = 50_000  #: Events that each member generates, of which it takes those with more jets.
    buffer: int = 5_000  #: Of which it takes so many at most.
    #: How members are trained on. Held-back events choose no weights: the last stay.
    fit: Fit = field(default_factory=lambda: Fit(steps=300, warmup=30, learning_rate=1e-3))

    def __post_init__(self) -> None:
        check(self, "at least", 0, "rounds")
        check(self, "above", 0, "share")
        check(self, "at least", 1, "more", "n_gen", "buffer")


def bootstrap_rounds(
    training: Training, data: ArrayLike | Data, bootstrap: Bootstrap, store: Store | None = None, **options: Any
) -> Iterator[Ensemble]:
    """The members as they are at the start, and after each round with events of their own: `rounds` + 1 ensembles.

    Each member takes the events that it made last, not those of rounds before. If it made none with more jets, it is
    trained on without. Like all trainings, those of a round, and the generated events before it, are found in the store
    or made and kept; what was interrupted goes on where it was. A member that fails is left out of its round and of
    those after it.

    Args:
        training: How the members are trained at the start, of a process `ZWithJets` whose jets are radiated, not
            truncated, with room for more jets than there are in training.
        data: The true events, ``(n_train, 2 + max_jets, 4)``, or these with weights.
        bootstrap: How they are trained on.
        store: Where all is kept, see `gampl.training.train_members`.
        options: Of `gampl.training.train_members`, but that rounds train one member after the other.

    Raises:
        ValueError: As `gampl.training.train_members`; or if the training is not as described, or its members are those
            of a Bayesian, repulsive or independent posterior.
    """
    process, place, label = training.process, store or Store(), options.pop("label", "training")
    if not isinstance(process, ZWithJets) or process.multiplicity != "radiated" or process.truncated:
        raise ValueError('a bootstrap is for ZWithJets, multiplicity "radiated", not truncated')
    if training.posterior in ("bayesian", "repulsive", "independent"):
        raise ValueError(
            f"a bootstrap is for members that are trained alone on common events, not {training.posterior}"
        )
    true = (data if isinstance(data, Data) else Data(data)).checked(training, label)
    events = np.asarray(true.events)
    weights = np.ones(len(events)) if true.weights is None else np.asarray(true.weights)
    most = int((events[:, 2:, 0] > 0).sum(1).max())
    if most >= process.max_jets:
        raise ValueError(f"ZWithJets.max_jets must be above the {most} jets of an event, got {process.max_jets}")
    fit = replace(bootstrap.fit, validate_every=bootstrap.fit.steps)
    made = train_members(training, true, place, label=label, **options)
    digest, ensemble = made[0].data_digest, Ensemble(made)
    yield ensemble
    options["parallel"] = 1
    for k in range(bootstrap.rounds):
        made = []
        for one in ensemble.members:
            more = with_more_jets(one, most, bootstrap, place)
            w = np.full(len(more), bootstrap.share * weights.sum() / max(1, len(more)))
            added = Data(np.concatenate([events, more]), np.concatenate([weights, w]), start=one.generator.state_dict())
            again = replace(training, n_train=len(events) + len(more), fit=fit)
            name = f"{label}, round {k + 1}"
            made += train_members(again, added, place, members=[one.number], label=name, **options)
        # each has seen events of its own, too; what they have in common are the true ones
        ensemble = Ensemble([replace(one, training=training, data_digest=digest) for one in made])
        yield ensemble


def with_more_jets(one: Trained, most: int, bootstrap: Bootstrap, store: Store) -> Floats:
    """Generated events with more than so many jets, (n, 2 + max_jets, 4), which are made once and kept."""
    n_gen, buffer, highest = bootstrap.n_gen, bootstrap.buffer, most + bootstrap.more
    key = {"more jets by": one.artifact, "most": most, "highest": highest, "n_gen": n_gen, "buffer": buffer}

    def make(_: Path) -> Artifact:
        device = pick_device(one.device)
        stream, found = torch_generator(one.training.seed, "more jets", one.number, device=device), list[Floats]()
        for batch in one.generator.to(device).stream(n_gen, stream):
            events = batch.numpy(force=True)
            number = (events[:, 2:, 0] > 0).sum(1)
            found.append(events[(number > most) & (number <= highest) & np.isfinite(events).all((1, 2))])
        one.generator.cpu()
        return Artifact({"events": np.concatenate(found)[:buffer]}, {})

    source = provenance.digest(provenance.source_files(Path(__file__)))
    return store.get_or_make(key | {"source": source}, make).arrays["events"]
