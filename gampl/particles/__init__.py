"""What an event is: momenta of particles, observables, expressions of them, and coordinates that networks see."""

from gampl.particles.events import Events
from gampl.particles.expressions import Expression, ExpressionError, expression
from gampl.particles.observables import NamedObservable, observable

__all__ = ["Events", "Expression", "ExpressionError", "NamedObservable", "expression", "observable"]
