"""What a recipe for making events is, and what it makes of one batch."""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from gampl.particles.events import Events
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


def check_numbers(recipe: object, positive: tuple[str, ...]) -> None:
    """Raises ValueError unless some fields of a recipe are finite numbers above zero."""
    for name in positive:
        value = getattr(recipe, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a number above zero, got {value!r}")


def as_numbers(name: str, values: Any, length: int | None = None) -> tuple[float, ...]:
    """Values as a tuple of finite numbers.

    Raises:
        ValueError: If they are something else, or of another length.
    """
    expected = "numbers" if length is None else f"{length} numbers"
    is_list = isinstance(values, tuple | list) and (length is None or len(values) == length)
    if not is_list or not all(
        isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in values
    ):
        raise ValueError(f"{name} must be {expected} in brackets, got {values!r}")
    return tuple(float(x) for x in values)
