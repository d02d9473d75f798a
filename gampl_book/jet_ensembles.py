"""Events and trained generators of the page on JetGPT, by the names of `gampl_book.jet_studies`."""

import zlib
from collections.abc import Sequence
from functools import cache, partial

import numpy as np

from gampl.basics import Floats, counted
from gampl.processes.z_jets import MUONS, ZJets
from gampl.training import train
from gampl.training.data import Data
from gampl.training.ensemble import Ensemble, Trained
from gampl_book import ROOT, BookError, jet_studies
from gampl_book.profiles import section
from gampl_book.studies import event_file


@cache
def true_events(n_jets: int, sample: str, profile: str) -> Floats:
    """True events with so many jets: (n, 2 + n_jets, 4). Within one number of jets all weigh the same."""
    return ZJets(n_jets).load(sample, ROOT / event_file("z_jets", profile)).momenta


def training_data(name: str, profile: str, seed: int, member: int) -> Data:
    """The training set of a member of an ensemble, in random order; that of another member has no event of it.

    Weights give all numbers of jets the same share of the loss. Raises BookError if the file has too few events.
    """
    numbers = dict(zip(jet_studies.JETS, section(profile, jet_studies.PAGE)["n_train"], strict=True))
    jets, parts, weights = jet_studies.jets_of(name), [], []
    for n in jets:
        events, size = true_events(n, "train", profile), numbers[n]
        if len(events) < (member + 1) * size:
            raise BookError(
                f"training set {member} wants {size} events with {counted(n, 'jet')}, of {len(events)} in the file"
            )
        order = np.random.default_rng([seed, n, zlib.crc32(b"jetgpt")]).permutation(len(events))
        parts.append(padded(events[order[member * size : (member + 1) * size]], max(jets)))
        weights.append(np.full(size, 1 / size))
    w = np.concatenate(weights)
    order = np.random.default_rng([seed, member, zlib.crc32(b"jetgpt sets")]).permutation(len(w))
    number = np.repeat(np.array(jets, dtype=np.float64), [numbers[n] for n in jets])
    return Data(np.concatenate(parts)[order], weights=(w / w.mean())[order], condition=number[order, None])


def padded(events: Floats, max_jets: int) -> Floats:
    """Events with rows of zeros for the jets that they do not have: (n, rows, 4) -> (n, 2 + max_jets, 4)."""
    return np.pad(events, ((0, 0), (0, len(MUONS) + max_jets - events.shape[1]), (0, 0)))


def train_members(names: Sequence[str], profile: str, seed: int) -> dict[str, Trained]:
    """Train or load members by name, those of an ensemble side by side."""
    trained = dict[str, Trained]()
    for ensemble, training in jet_studies.ensembles(profile, seed).items():
        numbers = [k for k in range(training.members) if f"{ensemble}/{k}" in names]
        data = cache(partial(training_data, ensemble, profile, seed))
        if numbers:
            made = train.train_members(training, data, members=numbers, parallel=len(numbers), label=ensemble)
            trained |= {f"{ensemble}/{one.number}": one for one in made}
    return {name: trained[name] for name in names}


def ensemble(kind: str, profile: str, seed: int) -> Ensemble:
    """All members of an ensemble such as ``directions``; BookError if one of them has learned nothing."""
    name = f"{jet_studies.PAGE}/{kind}"
    numbers = range(jet_studies.ensembles(profile, seed)[name].members)
    made = Ensemble(list(train_members([f"{name}/{k}" for k in numbers], profile, seed).values()))
    if made.excluded:
        raise BookError(f"{name}: {made.excluded}")
    return made
