"""The types that the whole package shares."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """Lower and upper end of a confidence interval."""

    low: float
    high: float
