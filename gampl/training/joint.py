r"""Generator and classifier in turn: members are trained again on events that a classifier of truth and members weighs.

The loss of the seed's talk is L = -<w^alpha log p_gen>, averaged over training events, with w = p_true / p_gen from a
classifier. While w stands still, the minimum is p_true^(1 + alpha) / p_gen^alpha: it overshoots, and from round to
round the error is multiplied by -alpha. A weight that is corrected as the generator moves, w p_gen(start) / p_gen, is
right: the minimum is p_true. Large weights are clamped at a quantile.

A classifier that has seen the events that it weighs finds their fluctuations. In turn, `gampl.ratio.cross_fit`, each
event is weighed by a classifier that has not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.generators.settings import check
from gampl.particles.event_classifier import event_classifier
from gampl.processes.top_pair import TopPair
from gampl.ratio import MakeClassifier, cross_fit, default_classifier, in_sample
from gampl.store import provenance
from gampl.store.artifacts import Artifact, Store, array_digest
from gampl.training.data import Data
from gampl.training.ensemble import Ensemble, Trained
from gampl.training.settings import Fit, TopPairJets, Training
from gampl.training.train import train_members

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Joint:
    """How generator and classifier are trained in turn.

    Raises:
        ValueError: If a number is out of range.
    """

    rounds: int = 3  #: Times that each member is trained again.
    alpha: float = 1.0  #: Power of the weights, at least 0: 0 trains on without them.
    clamp: float = 0.99  #: Share of the weights that are not clamped.
    is_corrected: bool = True  #: Whether the weights follow the generator while it moves.
    #: Parts of the events of which each is weighed by a classifier that has not seen it; 1 for a classifier that weighs
    #: the events that it was trained on.
    folds: int = 5
    is_shared: bool = False  #: Whether all members have one classifier, which sees the events of all of them.
    n_gen: int = 10_000  #: Generated events of each member that a classifier sees.
    #: How members are trained again. Held-back events choose no weights, which would hide an overshoot: the last stay.
    fit: Fit = field(default_factory=lambda: Fit(steps=300, warmup=30, learning_rate=1e-3))

    def __post_init__(self) -> None:
        check(self, "at least", 0, "rounds", "alpha", "clamp")
        check(self, "at most", 1, "clamp")
        check(self, "at least", 1, "folds", "n_gen")


def joint_rounds(
    training: Training, events: ArrayLike, joint: Joint, store: Store | None = None, **options: Any
) -> Iterator[Ensemble]:
    """The members as they are trained alone, and after each round with a classifier: `rounds` + 1 ensembles.

    Like all trainings, those of a round, and the ratios before it, are found in the store or made and kept; what was
    interrupted goes on where it was. A member that fails is left out of its round and of those after it.

    Args:
        training: How the members are trained alone; of a generator with a density.
        events: That all members are trained on, ``(n_events, *event_shape)``.
        joint: How they are trained with classifiers.
        store: Where all is kept, see `gampl.training.train_members`.
        options: Of `gampl.training.train_members`.

    Raises:
        ValueError: As `gampl.training.train_members`; or if the members are independent, or have no density.
    """
    if training.posterior == "independent":
        raise ValueError("independent members have no events in common that a classifier could weigh")
    again = replace(
        training,
        fit=replace(joint.fit, validate_every=joint.fit.steps),
        alpha=joint.alpha if joint.is_corrected else 0.0,
        clamp=joint.clamp,
    )
    x, place, label = np.asarray(events, dtype=np.float64), store or Store(), options.pop("label", "training")
    ensemble = Ensemble(train_members(training, x, place, label=label, **options))
    yield ensemble
    for k in range(joint.rounds):
        members = {one.number: one for one in ensemble.members}

        def data(number: int, members: dict[int, Trained] = members) -> Data:
            log_ratio = log_ratios([*members.values()] if joint.is_shared else [members[number]], x, joint, place)
            start = members[number].generator.state_dict()
            if again.alpha:
                return Data(x, log_ratio=log_ratio, start=start)
            w = np.exp(np.minimum(log_ratio, np.quantile(log_ratio, joint.clamp)))
            return Data(x, weights=w**joint.alpha, start=start)

        made = train_members(again, data, place, members=list(members), label=f"{label}, round {k + 1}", **options)
        ensemble = Ensemble(made)
        yield ensemble


def log_ratios(members: Sequence[Trained], events: Floats, joint: Joint, store: Store) -> Floats:
    """Of training events log p_true / p_gen by a classifier, (n,), which is trained once and whose values are kept."""
    training, n_gen, folds = members[0].training, joint.n_gen, joint.folds
    seed, generators = training.seed, [one.artifact for one in members]
    key = {"log ratio of": array_digest(events), "generators": generators, "seed": seed, "n_gen": n_gen}
    source = provenance.digest(provenance.source_files(Path(__file__)))

    def make(_: Path) -> Artifact:
        generated, classifier = np.concatenate([one.sample(n_gen, seed) for one in members]), _classifier(training)
        generated = generated[np.isfinite(generated).all(axis=tuple(range(1, generated.ndim)))]
        if folds == 1:
            values = in_sample(events, generated, seed, make_classifier=classifier)(events)
        else:
            values = cross_fit(events, generated, seed, folds=folds, make_classifier=classifier).reference
        return Artifact({"log_ratio": values}, {})

    return store.get_or_make(key | {"folds": folds, "source": source}, make).arrays["log_ratio"]


def _classifier(training: Training) -> MakeClassifier:
    """Boosted trees for jets, else logistic regression on radial functions."""
    process = training.process
    return event_classifier(TopPair(process.extra_jets)) if isinstance(process, TopPairJets) else default_classifier
