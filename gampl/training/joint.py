r"""Generator and classifier in turn: members are trained again on events that a classifier of truth and members weighs.

The loss of the seed's talk is L = -<w^alpha log p_gen>, averaged over training events, with w = p_true / p_gen from a
classifier. While w stands still, the minimum is p_true^(1 + alpha) / p_gen^alpha: it overshoots, and from round to
round the error is multiplied by -alpha. A weight that is corrected as the generator moves, w p_gen(start) / p_gen, is
right: the minimum is p_true. Large weights are clamped at a quantile.

A classifier that has seen the events that it weighs finds their fluctuations. In turn, `gampl.ratio.cross_fit`, each
event is weighed by a classifier that has not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gampl.generators.settings import check
from gampl.particles.event_classifier import event_classifier
from gampl.particles.jet_sequences import MUON_MASS
from gampl.processes.samples import numbered_jets
from gampl.processes.top_pair import TopPair
from gampl.processes.z_jets import MUONS
from gampl.ratio import MakeClassifier, cross_fit, default_classifier, in_sample
from gampl.store import provenance
from gampl.store.artifacts import Artifact, Store, array_digest
from gampl.training.data import Data
from gampl.training.ensemble import Ensemble, Trained
from gampl.training.settings import Fit, TopPairJets, Training, ZWithJets
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
    training: Training,
    data: ArrayLike | Data | Callable[[int], ArrayLike | Data],
    joint: Joint,
    store: Store | None = None,
    **options: Any,
) -> Iterator[Ensemble]:
    """The members as they are trained alone, and after each round with a classifier: `rounds` + 1 ensembles.

    Like all trainings, those of a round, and the ratios before it, are found in the store or made and kept; what was
    interrupted goes on where it was. A member that fails is left out of its round and of those after it.

    Args:
        training: How the members are trained alone; of a generator with a density.
        data: The training events as in `gampl.training.train_members`. If they have conditions, a member makes its
            events for those of the training events, one after the other. Weights are those of the loss, which the
            classifier does not see: they have to depend on the condition only.
        joint: How they are trained with classifiers.
        store: Where all is kept, see `gampl.training.train_members`.
        options: Of `gampl.training.train_members`.

    Raises:
        ValueError: As `gampl.training.train_members`; or if independent members are to share a classifier, members have
            no density, or events have weights and no conditions.
    """
    if training.posterior == "independent" and joint.is_shared:
        raise ValueError("independent members have no events in common that a classifier could weigh")
    again = replace(
        training,
        fit=replace(joint.fit, validate_every=joint.fit.steps),
        alpha=joint.alpha if joint.is_corrected else 0.0,
        clamp=joint.clamp,
    )
    place, label = store or Store(), options.pop("label", "training")

    @cache
    def data_of(number: int) -> Data:
        own: Any = data(number) if callable(data) else data
        return (own if isinstance(own, Data) else Data(own)).checked(training, label)

    if data_of(0).weights is not None and not training.conditions:
        raise ValueError(f"{label}: weights have to depend on a condition, which these events do not have")
    given = data_of if callable(data) else data_of(0)
    ensemble = Ensemble(train_members(training, given, place, label=label, **options))
    yield ensemble
    for k in range(joint.rounds):
        members = {one.number: one for one in ensemble.members}

        def weighed(number: int, members: dict[int, Trained] = members) -> Data:
            own = data_of(number if callable(data) else 0)
            moved = replace(own, start=members[number].generator.state_dict())
            w = np.ones(training.n_events) if own.weights is None else np.asarray(own.weights)
            if not joint.alpha:
                return replace(moved, weights=w)
            seen = [*members.values()] if joint.is_shared else [members[number]]
            log_ratio = log_ratios(seen, own.events, joint, place, own.condition)
            if joint.is_corrected:
                return replace(moved, log_ratio=log_ratio)
            clamped = np.minimum(log_ratio, np.quantile(log_ratio, joint.clamp))
            return replace(moved, weights=w * np.exp(clamped) ** joint.alpha)

        made = train_members(again, weighed, place, members=list(members), label=f"{label}, round {k + 1}", **options)
        ensemble = Ensemble(made)
        yield ensemble


def log_ratios(
    members: Sequence[Trained], events: ArrayLike, joint: Joint, store: Store, condition: ArrayLike | None = None
) -> Floats:
    """Of training events log p_true / p_gen by a classifier, (n,), which is trained once and whose values are kept."""
    training, n_gen, folds, true = members[0].training, joint.n_gen, joint.folds, np.array(events, dtype=np.float64)
    seed, generators = training.seed, [one.artifact for one in members]
    key = {"log ratio of": array_digest(true), "generators": generators, "seed": seed, "n_gen": n_gen}
    source = provenance.digest(provenance.source_files(Path(__file__)))
    asked = None if condition is None else np.resize(condition, (n_gen, training.conditions))

    def make(_: Path) -> Artifact:
        generated = np.concatenate([one.sample(n_gen, seed, asked) for one in members])
        generated = generated[np.isfinite(generated).all(axis=tuple(range(1, generated.ndim)))]
        if isinstance(training.process, ZWithJets):
            for some in (true, generated):  # round-off would tell generated ones
                some[:, : len(MUONS), 3] = MUON_MASS
        classifier = _classifier(training)
        if folds == 1:
            values = in_sample(true, generated, seed, make_classifier=classifier)(true)
        else:
            values = cross_fit(true, generated, seed, folds=folds, make_classifier=classifier).reference
        return Artifact({"log_ratio": values}, {})

    return store.get_or_make(key | {"folds": folds, "source": source}, make).arrays["log_ratio"]


class _Particles(NamedTuple):
    """Rows of events, and sums of them, see `gampl.particles.event_classifier`."""

    particles: tuple[str, ...]
    composites: dict[str, tuple[str, ...]]


def _classifier(training: Training) -> MakeClassifier:
    """Boosted trees for jets, rows of zeros where there are fewer, else logistic regression on radial functions."""
    process = training.process
    if isinstance(process, ZWithJets):
        names = (*MUONS, *numbered_jets(process.max_jets))
        return event_classifier(_Particles(names, {"mumu": MUONS, "event": names}))
    return event_classifier(TopPair(process.extra_jets)) if isinstance(process, TopPairJets) else default_classifier
