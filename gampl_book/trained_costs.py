"""What a network costs that a page has trained and does not keep, for `gampl_book.pages.Page.cost`."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from numpy.typing import ArrayLike

from gampl.store.artifacts import Store
from gampl.training.data import Data
from gampl.training.ensemble import Trained
from gampl.training.train import train
from gampl_book.network_costs import EVENTS

STEPS = 2, 5, 25  # of trainings: the first warms up, the others are timed
TIMED = 2_000  # events


def seconds(work: Callable[[Path], object]) -> float:
    """CPU time of a piece of work, which gets a folder of its own."""
    with TemporaryDirectory() as folder:
        start = time.process_time()
        work(Path(folder))
        return time.process_time() - start


def of_trained(one: Trained, events: Data | ArrayLike, condition: ArrayLike | None = None) -> Mapping[str, float]:
    """What `gampl_book.pages.Page.cost` wants to know of a network; a weight that has a variance counts twice.

    Some steps of the training and some events are timed anew on the CPU, so that a busy machine or a store matter
    little. The training is that of one network alone, without validations, of as many steps as it has taken.

    Args:
        one: The network.
        events: What it was trained on.
        condition: What it is told in generation, (c,).
    """
    training = one.training
    data = (events if isinstance(events, Data) else Data(events)).checked(training, "timing")
    is_bayesian = training.posterior == "bayesian"

    def train_for(steps: int) -> float:
        short = replace(training, fit=replace(training.fit, steps=steps, validate_every=steps, warmup=1))
        if training.posterior == "repulsive":
            short = replace(short, posterior="deep")
        number = 0 if is_bayesian else one.number
        return seconds(
            lambda to: train([number], short, lambda _: data, to / "checkpoint", "timing", torch.device("cpu"))
        )

    _, few, many = map(train_for, STEPS)
    each, taken = max(many - few, 0.0) / (STEPS[2] - STEPS[1]), one.history.steps[-1] if one.history else 0
    made = seconds(lambda to: replace(one, store=Store(to), chunk=TIMED).sample(TIMED, 0, condition))
    parameters = sum(p.numel() for p in one.generator.parameters())
    return {
        "parameters": (1 + is_bayesian) * parameters,
        "training": each * taken,
        "generation": made * EVENTS / TIMED,
    }
