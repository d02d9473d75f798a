"""From samples that somebody has to words, figures, a page, JSON and CSV."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
