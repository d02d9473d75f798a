"""What a recipe for making events is, and what it makes of one batch."""

import dataclasses
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from gampl.particles.events import Events
from gampl.simulation.pythia import Particles

# what fields of recipes may be; the descriptions are what errors say
Positive = Annotated[float, Meta(gt=0, le=sys.float_info.max, description="a number above zero")]
Size = Annotated[int, Meta(ge=1, description="a whole number above zero")]
Switch = Annotated[bool, Meta(description="True or False")]


# samples of events by name, and the cut flow: which events of the batch are left after each step
Made = tuple[Mapping[str, Events], Mapping[str, NDArray[np.bool_]]]


class Recipe(ABC):
    """A frozen dataclass of all that decides which events a seed gives; a ValueError names a field of another type."""

    name: ClassVar[str]
    batch: Size  # events at a time; part of the recipe, since the detector draws its random numbers batch by batch

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            kind: Any = field.type
            value = getattr(self, field.name)
            try:
                value = msgspec.convert(value.item() if isinstance(value, np.generic) else value, kind)
            except msgspec.ValidationError:
                raise ValueError(f"{field.name} must be {kind.__metadata__[0].description}, got {value!r}") from None
            object.__setattr__(self, field.name, value)

    @abstractmethod
    def pythia_settings(self) -> tuple[str, ...]:
        """Lines for Pythia."""

    @abstractmethod
    def make(self, particles: Particles, rng: np.random.Generator) -> Made:
        """Detector, jets, cuts: from the event records of a batch to events."""

    def describe(self) -> dict[str, Any]:
        """The recipe as JSON, its name included."""
        return {"recipe": self.name} | msgspec.json.decode(msgspec.json.encode(self))
