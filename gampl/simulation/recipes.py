"""What a recipe for making events is, and what it makes of one batch."""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from gampl.particles.events import Events
from gampl.simulation.pythia import Particles


class Made(NamedTuple):
    """What is left of a batch."""

    samples: Mapping[str, Events]
    steps: Mapping[str, NDArray[np.bool_]]  # the cut flow: which events of the batch are left after each step


class Recipe(ABC):
    """A dataclass of all that decides which events a seed gives.

    Raises:
        ValueError: If a field is not what it should be; numbers must be finite and above zero.
    """

    name: ClassVar[str]
    batch: int  # events at a time; part of the recipe, since the detector draws its random numbers batch by batch

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if (field.type is float or field.name == "batch") and not (is_number(value) and value > 0):
                raise ValueError(f"{field.name} must be a number above zero, got {value!r}")

    @abstractmethod
    def pythia_settings(self) -> tuple[str, ...]:
        """Lines for Pythia."""

    @abstractmethod
    def make(self, particles: Particles, rng: np.random.Generator) -> Made:
        """Detector, jets, cuts: from the event records of a batch to events."""

    def describe(self) -> dict[str, Any]:
        """The recipe as JSON, its name included."""
        return {"recipe": self.name} | msgspec.json.decode(msgspec.json.encode(self))


def is_number(value: object) -> bool:
    """Whether something is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
