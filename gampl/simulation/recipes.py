"""What a recipe for making events is, and what it makes of one batch."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from gampl.events import Events
from gampl.simulation.pythia import Particles


class Made(NamedTuple):
    """What is left of a batch."""

    samples: Mapping[str, Events]
    passed: Mapping[str, int]  # the cut flow: events that are left after each step, the first being "generated"


class Recipe(Protocol):
    """A frozen dataclass of all that decides which events a seed gives."""

    name: ClassVar[str]
    batch: int  # events at a time; part of the recipe, since the detector draws its random numbers batch by batch

    def pythia_settings(self) -> tuple[str, ...]:
        """Lines for Pythia."""
        ...

    def make(self, particles: Particles, rng: np.random.Generator) -> Made:
        """Detector, jets, cuts: from the event records of a batch to events."""
        ...


def describe(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON, its name included."""
    fields: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(recipe)))  # type: ignore[call-overload]
    return {"recipe": recipe.name} | fields


def on_off(switch: bool) -> str:
    """A switch as Pythia reads it."""
    return "on" if switch else "off"
