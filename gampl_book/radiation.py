"""Trainings and generated events of the page on jets beyond the training sample."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gampl.basics import Floats
from gampl.generators.jets import JetGenerator
from gampl.generators.randomness import torch_generator
from gampl.generators.settings import Architecture
from gampl.particles import Events
from gampl.processes import ZJets
from gampl.training import Bootstrap, Data, Ensemble, Fit, Training, ZWithJets, bootstrap_rounds, train_or_load
from gampl_book.jet_ensembles import padded

TRIES = 16  # of a sequence that is made to have many jets to stop, see `Radiated`
CAP = 2  # jets: fewer are not more frequent in a capped sample
BEYOND = 2  # numbers of jets above those in training that are looked at
METHODS = ("naive", "bootstrap", "truncated")
WEIGHTINGS = ("natural", "capped", "completed")


@dataclass(frozen=True)
class Radiation:
    """Training sets without common events, of events with few jets, and how generators are trained on them."""

    settings: Mapping[str, Any]  # those of the page
    path: Path
    seed: int

    @property
    def most(self) -> int:
        """Largest number of jets in training."""
        return int(self.settings["most"])

    @cached_property
    def events(self) -> Events:
        """Events of all training sets, one after the other."""
        loaded = ZJets().load("train", self.path)
        rows = np.flatnonzero(loaded.multiplicity - 2 <= self.most)
        n = self.settings["sets"] * self.settings["n_train"]
        if len(rows) < n:
            raise ValueError(f"the file has {len(rows)} training events with at most {self.most} jets, not {n}")
        return loaded[np.random.default_rng([self.seed, 1]).permutation(rows)[:n]]

    def training_set(self, k: int) -> tuple[Floats, NDArray[np.intp], Floats]:
        """Momenta, number of jets and cross section of the events of the k-th set."""
        n = self.settings["n_train"]
        events = self.events[k * n : (k + 1) * n]
        room = self.most + BEYOND + 1  # jets, of which the last is never looked at
        momenta = padded(events.momenta[:, : 2 + self.most], room)
        return momenta, events.multiplicity - 2, events.columns["weight"]

    def rates(self, k: int, weighting: str) -> Floats:
        """What the weights of a training set add up to, for each number of jets.

        Natural are cross sections. Capped is a sample in which no jet and one jet are as frequent as two, and more jets
        as in nature. Completed are cross sections with that of all events with the largest number of jets or more, if
        it goes on falling by the same factor, in place of the largest number alone.
        """
        _, number, weight = self.training_set(k)
        rates: Floats = np.bincount(number, weight).astype(np.float64)
        ratio = rates[-1] / rates[-2]
        if weighting == "capped":
            return np.minimum(rates / rates[CAP], 1.0)
        if weighting == "completed":
            rates[-1] /= 1 - ratio
        return rates

    def data(self, k: int, weighting: str) -> Data:
        """A training set with these weights."""
        momenta, number, _ = self.training_set(k)
        return Data(momenta, weights=(self.rates(k, weighting) / np.bincount(number))[number])

    def fit(self, steps: int, share: float = 1.0) -> Fit:
        """A training of so many steps, at a share of the highest learning rate."""
        rate, size = share * self.settings["learning_rate"], self.settings["batch_size"]
        return Fit(steps, size, rate, warmup=max(1, steps // 20), validate_every=steps, ema=0.99)

    def training(self, k: int, *, truncated: bool, sorts: bool = False, steps: int | None = None) -> Training:
        """One generator of a training set; a fifth of the events is held back and decides nothing."""
        process = ZWithJets(self.most + BEYOND + 1, "radiated", truncated=truncated, sorts=sorts)
        size, fit = Architecture("autoregressive", **self.settings["size"]), self.fit(steps or self.settings["steps"])
        return Training(process, self.settings["n_train"], size, "deep", 1, 1000 * self.seed + k, fit)

    def train(self, method: str, weighting: str, k: int, *, sorts: bool = False) -> Ensemble:
        """One generator by a method that is not a bootstrap."""
        training = self.training(k, truncated=method != "naive", sorts=sorts)
        return train_or_load(training, self.data(k, weighting), label=f"{method}/{weighting}/{k}")

    def bootstrap(self, weighting: str, k: int, begin: int) -> tuple[Bootstrap, list[Ensemble]]:
        """The rounds of a bootstrap that begins after so many steps.

        The rounds have the steps that are left, where that is more than half of all. The events that they add are as
        frequent as if the last ratio of the training set went on.
        """
        all_steps, rounds = self.settings["steps"], self.settings["rounds"]
        steps = max(all_steps - begin, all_steps // 2) // rounds
        rates = self.rates(k, weighting)
        share = float(rates[-1] ** 2 / rates[-2] / rates.sum())
        bootstrap = Bootstrap(rounds, share, n_gen=self.settings["n_gen"], fit=self.fit(steps, 0.5))
        training = self.training(k, truncated=False, steps=begin)
        label = f"bootstrap/{weighting}/{begin}/{k}"
        return bootstrap, list(bootstrap_rounds(training, self.data(k, weighting), bootstrap, label=label))

    def bayesian(self, weighting: str, k: int) -> Ensemble:
        """Draws of a Bayesian generator with the truncated loss."""
        training = replace(self.training(k, truncated=True), posterior="bayesian", members=self.settings["draws"])
        return train_or_load(training, self.data(k, weighting), label=f"bayesian/{weighting}/{k}")


@dataclass(frozen=True)
class Radiated:
    """Sequences that stop only if they would stop several times running: most have many jets, and a weight undoes it.

    Cut off after k jets, a sequence is an event with k jets. With p_i the probability to stop after i of them, and m
    tries, its weight is p_k times the product of (1 - p_i) / (1 - p_i^m) for i < k; the mean weight is P(k).
    """

    momenta: Floats  # (n, 2 + M, 4)
    stop: Floats  # p_k for k below M, NaN for more jets than a sequence has: (n, M)

    @property
    def reach(self) -> Floats:
        """The weight of an event with at least k jets: (n, M)."""
        p = np.nan_to_num(self.stop[:, :-1])
        goes_on = np.cumprod(np.pad((1 - p) / (1 - p**TRIES), [(0, 0), (1, 0)], constant_values=1.0), axis=1)
        return np.where(np.isnan(self.stop), 0.0, goes_on)

    @property
    def weight(self) -> Floats:
        """The weight of an event with k jets: (n, M)."""
        return np.asarray(self.reach * np.nan_to_num(self.stop))

    @property
    def probability(self) -> Floats:
        """P(k), (M,)."""
        return np.asarray(self.weight.mean(0))

    @property
    def ratio(self) -> Floats:
        """R(k+1/k), (M - 1,)."""
        return self.probability[1:] / self.probability[:-1]

    @property
    def mean_stop(self) -> Floats:
        """p_k, averaged over events with at least k jets: (M,)."""
        return np.asarray(self.weight.sum(0) / self.reach.sum(0))

    def effective(self, k: int) -> float:
        """Effective number of events with k jets."""
        w = self.weight[:, k]
        return float(w.sum() ** 2 / (w**2).sum())


@torch.no_grad()
def radiate(generator: JetGenerator, n: int, seed: int) -> Radiated:
    """Makes n sequences."""
    stream, x = torch_generator(seed, "radiate"), list[torch.Tensor]()
    for first in range(0, n, generator.batch_size):
        *latent, stops = generator.latent(min(generator.batch_size, n - first), stream)
        # the largest of several uniform numbers
        x.append(generator.generate_coordinates(None, *latent, stops ** (1 / TRIES)))
    made = torch.cat(x)
    stop = torch.cat([generator.stop_probabilities(part) for part in torch.split(made, generator.batch_size)])
    return Radiated(generator.coordinates.to_events(made).numpy(), stop[:, :-1].numpy())


def observables(momenta: Floats, k: int) -> dict[str, Floats]:
    """Of events with k jets or more, cut off after the first k: (n, 2 + M, 4) -> (n,) each."""
    pt, phi, eta, m = np.moveaxis(momenta[:, 2 : 2 + k], 2, 0)
    first, second = np.triu_indices(k, 1)
    dphi = np.remainder(phi[:, first] - phi[:, second] + np.pi, 2 * np.pi) - np.pi
    distance = np.hypot(dphi, eta[:, first] - eta[:, second])
    return {
        "pT_last": pt[:, -1],
        "eta_last": eta[:, -1],
        "m_last": m[:, -1],
        "R_last": distance[:, second == k - 1].min(1),
        "pT_first": pt.max(1),
        "HT": pt.sum(1),
        "R_min": distance.min(1),
        "disorder": np.asarray((np.diff(pt, axis=1) > 0).any(1), dtype=np.float64),
    }


def distance(values: Floats, weights: Floats, true: Floats) -> float:
    """Kolmogorov-Smirnov distance of weighted values from true ones."""
    order = np.argsort(values)
    below = np.concatenate([[0.0], np.cumsum(weights[order])]) / weights.sum()
    at = np.sort(np.concatenate([values, true]))
    shares = np.searchsorted(np.sort(true), at, "right") / len(true)
    return float(np.abs(below[np.searchsorted(values[order], at, "right")] - shares).max())
