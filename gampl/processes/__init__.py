"""Where events come from: sampling, exact density and exact integrals of the toy processes."""

from gampl.processes.gaussian_line import GaussianLine
from gampl.processes.gaussian_ring import GaussianRing

__all__ = ["GaussianLine", "GaussianRing"]
