"""What an event is: momenta of particles, observables, expressions of them, and coordinates that networks see."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
