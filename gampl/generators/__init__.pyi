from .autoregressive import AutoregressiveTransformer as AutoregressiveTransformer
from .base import CutAwareNormal as CutAwareNormal, Normal as Normal
from .densities import Density as Density
from .flow_matching import FlowMatching as FlowMatching
from .generator import Generator as Generator
from .make import make_generator as make_generator
from .settings import Architecture as Architecture, Solver as Solver
