"""Networks behind LR_class of LHC events that see narrow structures: a second opinion beside `event_classifier`."""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, relu

from gampl.basics import Floats
from gampl.particles.event_classifier import FOLDS, LARGEST, EventProcess, features
from gampl.particles.kinematics import delta_phi
from gampl.ratio import MakeClassifier

KNOTS, WIDTH = 16, 16  # of each feature; of the layers
EPOCHS, STEPS, RATE, PENALTY = 4, 80, 0.03, 0.28  # steps of an epoch, unless their events are too few or many:
SMALL, LARGE = 32, 512
SMALLEST = 1e-9  # distance of knots
cross_entropy = partial(binary_cross_entropy_with_logits, reduction="none")


def event_network(process: EventProcess) -> MakeClassifier:
    """Makes classifiers as `event_classifier` does, with networks instead of trees. They need torch and scikit-learn.

    Networks do not see what is narrow in one of many numbers, unless each number comes as a linear spline with knots at
    its quantiles (Gorishniy et al., arXiv:2203.05556), and are distracted by numbers that do not matter, unless a
    factor of each number is learned and punished with the weights behind it: that is a penalty on whole groups of
    weights (Yuan and Lin 2006), here as large as what noise would do, 1 / sqrt(n). Numbers are those of
    `network_features`. As for the trees, five networks leave out a fifth of the events each, which stops and calibrates
    them, and their probabilities are averaged. They are trained together.

    Settings were chosen on eight distortions of other observables than those of the book's page on control, which
    compares both kinds of classifier. Training takes two to three times as long as that of trees.
    """
    return lambda seed: EventNetworks(process, seed)


def network_features(momenta: Floats, process: EventProcess) -> Floats:
    """`gampl.particles.event_classifier.features` and |Delta eta| and |Delta phi| of each pair, (n, features)."""
    first, second = np.triu_indices(len(process.particles), 1)
    with np.errstate(all="ignore"):
        gaps = np.abs(momenta[:, first, 2] - momenta[:, second, 2])
        angles = np.abs(delta_phi(momenta[:, first], momenta[:, second]))
    return np.concatenate([features(momenta, process), np.clip(gaps, 0, LARGEST), np.nan_to_num(angles)], axis=1)


class EventNetworks(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Five networks of two layers on splines, as a classifier of events (n, particles, 4) for `gampl.ratio`."""

    def __init__(self, process: EventProcess, seed: int) -> None:
        self.process, self.seed = process, seed

    def fit(self, X: Floats, y: NDArray[np.int64]) -> "EventNetworks":
        """Train on events with their classes, shape (n,), 1 or 0."""
        self.classes_ = np.array([0, 1])
        x, n, rng = network_features(X, self.process), len(y), torch.Generator().manual_seed(self.seed)
        self.knots = np.quantile(x, np.linspace(0, 1, KNOTS), axis=0).T
        self.mean, self.scale = x.mean(axis=0), np.maximum(x.std(axis=0), SMALLEST)
        inputs, classes = self._splines(x), torch.as_tensor(y, dtype=torch.float32).expand(FOLDS, n)
        fold = np.empty(n, dtype=np.int64)  # as many of each class in each
        fold[np.lexsort((torch.rand(n, generator=rng).numpy(), y))] = np.arange(n) % FOLDS
        learns = torch.from_numpy(fold != np.arange(FOLDS)[:, None]).float() * FOLDS / (FOLDS - 1)
        strength, size = PENALTY / np.sqrt(n), int(np.clip(n // STEPS, SMALL, LARGE))

        def start(spread: float, *shape: int) -> Tensor:
            return (spread * torch.randn(FOLDS, *shape, generator=rng)).requires_grad_()

        deep, factors = (3 * WIDTH) ** -0.5, torch.ones(FOLDS, x.shape[1], 1, 1, requires_grad=True)
        first, biases = start(0.05, x.shape[1], KNOTS + 1, WIDTH + 1), start(0.0, 2, 1, WIDTH)
        self.weights = [first, factors, start(deep, WIDTH, WIDTH), start(deep, WIDTH, 1), biases]
        optimiser = torch.optim.Adam(self.weights, lr=RATE, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, RATE, epochs=EPOCHS, steps_per_epoch=-(-n // size), pct_start=0.2
        )
        lowest, best = torch.full((FOLDS,), torch.inf), [w.detach().clone() for w in self.weights]
        for _ in range(EPOCHS):
            for batch in torch.split(torch.randperm(n, generator=rng), size):
                losses = cross_entropy(self._scores(inputs[batch]), classes[:, batch], learns[:, batch])
                loss = losses.sum() / len(batch) + strength * sum(w.square().sum() for w in self.weights[:-1])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
            with torch.no_grad():
                left_out = cross_entropy(self._scores(inputs), classes, (learns == 0).float()).mean(dim=1)
            better = left_out < lowest
            lowest[better] = left_out[better]
            for kept, w in zip(best, self.weights, strict=True):
                kept[better] = w.detach()[better]
        self.weights = best
        self.logistic = [
            LogisticRegression(C=1e6).fit(score[fold == k], y[fold == k])  # as good as not regularised
            for k, score in enumerate(self._columns(inputs))
        ]
        return self

    def predict_proba(self, X: Floats) -> Floats:
        """Probabilities of the two classes, shape (n, 2)."""
        columns = self._columns(self._splines(network_features(X, self.process)))
        return np.mean([f.predict_proba(column) for f, column in zip(self.logistic, columns, strict=True)], axis=0)

    def _columns(self, inputs: Tensor) -> Floats:
        return self._scores(inputs).double().numpy()[..., None]

    def _splines(self, x: Floats) -> Tensor:
        """A hat function at each knot and the standardised number itself, (n, numbers) to (n, numbers (knots + 1))."""
        steps = np.clip((x[..., None] - self.knots[:, :-1]) / np.maximum(np.diff(self.knots), SMALLEST), 0, 1)
        linear = 0.3 * np.clip((x - self.mean) / self.scale, -4, 4)
        rows = np.concatenate([-np.diff(steps, prepend=1, append=0), linear[..., None]], axis=2)
        return torch.as_tensor(rows.reshape(len(x), -1), dtype=torch.float32)

    def _scores(self, inputs: Tensor) -> Tensor:
        """Log odds of each network, (folds, n): two layers, and a sum of functions of one number each."""
        embedding, factors, second, last, biases = self.weights
        first = (embedding * factors).flatten(1, 2).transpose(0, 1).flatten(1)
        hidden = (inputs @ first).reshape(len(inputs), FOLDS, -1).transpose(0, 1)
        layers = relu(relu(hidden[..., :-1] + biases[:, 0]) @ second + biases[:, 1]) @ last
        return (layers + hidden[..., -1:]).squeeze(2)
